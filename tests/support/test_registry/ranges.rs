//! `Range` of a GET: RFC 9110, section 14. One range only; what is not understood is ignored.

use super::answer::Answer;
use super::request::Request;

/// The answer for the range that was asked for.
pub(super) fn applied(whole: Answer, request: &Request) -> Answer {
    let length = whole.body.length();
    let asked = request
        .header("range")
        .and_then(|range| range.strip_prefix("bytes="))
        .filter(|range| request.method == "GET" && !range.contains(','));
    let Some((start, end)) = asked.and_then(|range| range.split_once('-')) else {
        return whole;
    };
    match extent((start, end), length) {
        Some((start, end)) => {
            let mut part = whole.header("Content-Range", format!("bytes {start}-{end}/{length}"));
            part.status = 206;
            part.part = Some((start, end - start + 1));
            part
        }
        None => Answer::error(416, "RANGE_INVALID", "range not satisfiable")
            .header("Content-Range", format!("bytes */{length}")),
    }
}

/// First and last byte, or `None` if there are none.
fn extent((start, end): (&str, &str), length: u64) -> Option<(u64, u64)> {
    let last = length.checked_sub(1)?;
    let (first, end) = match (start.parse::<u64>(), end.parse::<u64>()) {
        (Ok(start), Ok(end)) => (start, end.min(last)),
        (Ok(start), Err(_)) => (start, last),
        (Err(_), Ok(suffix)) => (length.saturating_sub(suffix), last),
        (Err(_), Err(_)) => return None,
    };
    (first <= end).then_some((first, end))
}
