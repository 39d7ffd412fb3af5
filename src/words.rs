//! Numbers with the noun that they count.

use std::fmt::Display;

/// `1 layer`, `2 days`, `0 entries`: nouns take an `s`, those in `ry` too.
pub(crate) fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    match noun.strip_suffix("ry") {
        _ if count == N::from(1) => format!("{count} {noun}"),
        Some(stem) => format!("{count} {stem}ries"),
        None => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_none_is_not() {
        let layers = [0, 1, 2, 11].map(|count| counted::<u64>(count, "layer"));
        assert_eq!(layers, ["0 layers", "1 layer", "2 layers", "11 layers"]);
        let entries = [1, 3].map(|count| counted::<usize>(count, "entry"));
        assert_eq!(entries, ["1 entry", "3 entries"]);
        assert_eq!(counted::<u64>(40, "day"), "40 days");
    }
}
