//! Amounts as people type them: times, sizes, shares.

use std::time::Duration;

use crate::cache::MinFree;

/// Seconds of each unit.
const TIMES: [(&str, u64); 5] = [
    ("s", 1),
    ("m", 60),
    ("h", 3_600),
    ("d", 86_400),
    ("w", 604_800),
];
/// Bytes of each unit; those of 1000 and of 1024 are told apart as everywhere.
const SIZES: [(&str, u64); 14] = [
    ("", 1),
    ("b", 1),
    ("k", 1_000),
    ("kb", 1_000),
    ("kib", 1 << 10),
    ("m", 1_000_000),
    ("mb", 1_000_000),
    ("mib", 1 << 20),
    ("g", 1_000_000_000),
    ("gb", 1_000_000_000),
    ("gib", 1 << 30),
    ("t", 1_000_000_000_000),
    ("tb", 1_000_000_000_000),
    ("tib", 1 << 40),
];

/// `90m`, `720h`, `30d`.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let seconds = amount(text, &TIMES).ok_or("write it as 90m, 720h or 30d")?;
    Ok(Duration::from_secs(seconds))
}

/// `10GB`, `512MiB`, `1000000`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    amount(text, &SIZES).ok_or_else(|| "write it as 10GB, 512MiB or a number of bytes".to_owned())
}

/// `20%`, or a size.
pub(crate) fn free(text: &str) -> Result<MinFree, String> {
    let Some(share) = text.strip_suffix('%') else {
        return size(text)
            .map(MinFree::Bytes)
            .map_err(|_| "write it as 20% or 5GB".to_owned());
    };
    match share.trim().parse() {
        Ok(share) if share <= 100 => Ok(MinFree::Percent(share)),
        _ => Err("a share is a whole number from 0% to 100%".to_owned()),
    }
}

fn amount(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let end = text
        .find(|one: char| !one.is_ascii_digit())
        .unwrap_or(text.len());
    let unit = text[end..].trim().to_ascii_lowercase();
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    text[..end].parse::<u64>().ok()?.checked_mul(*factor)
}

/// How long ago, in the largest unit that fits: `5s`, `12m`, `3h`, `41d`.
pub(crate) fn ago(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_have_units_and_what_is_none_is_refused() {
        assert_eq!(time("720h"), Ok(Duration::from_secs(2_592_000)));
        assert_eq!(time("30d"), time("720h"));
        assert_eq!(time("0s"), Ok(Duration::ZERO));
        assert_eq!(size("10GB"), Ok(10_000_000_000));
        assert_eq!(size("2 KiB"), Ok(2_048));
        assert_eq!(size("7"), Ok(7));
        for bad in [
            "",
            "h",
            "-1h",
            "1.5h",
            "5",
            "1y",
            "99999999999999999999s",
            "1 000h",
        ] {
            assert!(time(bad).is_err(), "{bad}");
        }
        for bad in ["", "GB", "-1", "1XB", "20%", "99999999999TB", "1e3", "ß"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn free_space_is_a_share_or_a_size() {
        assert_eq!(free("20%"), Ok(MinFree::Percent(20)));
        assert_eq!(free("5GB"), Ok(MinFree::Bytes(5_000_000_000)));
        for bad in ["101%", "-1%", "%", "2.5%", "much"] {
            assert!(free(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_age_is_told_in_one_unit() {
        let ago = |seconds| ago(Duration::from_secs(seconds));
        assert_eq!(
            [ago(5), ago(61), ago(7_200), ago(90_000)],
            ["5s", "1m", "2h", "25h"]
        );
        assert_eq!(ago(41 * 86_400), "41d");
    }
}
