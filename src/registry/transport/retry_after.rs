//! How long a registry asks us to wait (RFC 9110, 10.2.3): seconds, or a date that is read against the answer's own `Date`.
//!
//! No clock is read: a registry whose clock is wrong is wrong in both dates alike.

use std::time::Duration;

/// `None` when there is nothing that can be understood, or the moment has passed.
pub(super) fn retry_after(value: &str, date: Option<&str>) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let seconds = seconds(value)?.checked_sub(seconds(date?)?)?;
    Some(Duration::from_secs(seconds)).filter(|wait| !wait.is_zero())
}

/// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`, the only form that is still to be sent (RFC 9110, 5.6.7).
fn seconds(date: &str) -> Option<u64> {
    let parts: Vec<&str> = date.trim().split(' ').collect();
    let [_, day, month, year, time, "GMT"] = parts[..] else {
        return None;
    };
    let [hour, minute, second] = numbers(time)?;
    let day = number(day, 1..=31)?;
    Some(
        days(number(year, 1970..=9999)?, month_of(month)?, day) * 86_400
            + hour * 3_600
            + minute * 60
            + second,
    )
}

fn numbers(time: &str) -> Option<[u64; 3]> {
    let mut parts = time.split(':');
    let numbers = [
        number(parts.next()?, 0..=23)?,
        number(parts.next()?, 0..=59)?,
        number(parts.next()?, 0..=60)?,
    ];
    parts.next().is_none().then_some(numbers)
}

fn number(text: &str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
    text.parse().ok().filter(|number| range.contains(number))
}

/// March is 0: the leap day is the last of such a year.
fn month_of(name: &str) -> Option<u64> {
    let months = [
        "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb",
    ];
    let found = months.iter().position(|month| *month == name)?;
    u64::try_from(found).ok()
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month >= 10 { year - 1 } else { year };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: Option<&str> = Some("Sun, 06 Nov 1994 08:49:37 GMT");

    fn wait(value: &str) -> Option<u64> {
        retry_after(value, DATE).map(|wait| wait.as_secs())
    }

    #[test]
    fn r03_seconds_are_read_and_nonsense_is_ignored() {
        assert_eq!(wait("2"), Some(2));
        assert_eq!(wait(" 0 "), Some(0));
        assert_eq!(wait("99999999"), Some(99_999_999));
        assert_eq!(wait("99999999999999999999999999"), Some(u64::MAX));
        for nonsense in ["-1", "abc", "", "1.5", "+1", "1 2", "٣"] {
            assert_eq!(wait(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn r03_a_date_counts_from_the_answers_own_date() {
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:40 GMT"), Some(3));
        assert_eq!(wait("Mon, 07 Nov 1994 08:49:37 GMT"), Some(86_400));
        for past in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1993 08:49:37 GMT",
        ] {
            assert_eq!(wait(past), None);
        }
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:40 GMT", None), None);
    }

    #[test]
    fn dates_are_what_the_calendar_says() {
        for (date, expected) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Mon, 28 Feb 2000 23:59:59 GMT", Some(951_782_399)),
            ("Tue, 29 Feb 2000 00:00:00 GMT", Some(951_782_400)),
            ("Tue, 14 Nov 2023 22:13:20 GMT", Some(1_700_000_000)),
            ("Mon, 01 Mar 2100 00:00:00 GMT", Some(4_107_542_400)),
            ("Sun, 06 Nov 1994 08:49:37", None),
            ("Sun, 06 Nov 1994 24:49:37 GMT", None),
            ("Sun, 00 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1 08:49:37 GMT", None),
            ("Sun, 06 nov 1994 08:49:37 GMT", None),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
        ] {
            assert_eq!(seconds(date), expected, "{date}");
        }
    }
}
