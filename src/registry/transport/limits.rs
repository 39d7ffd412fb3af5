//! How much and how long: sizes in bytes, and times that end a silence.

use std::time::Duration;

/// What is read of the body of an error.
pub(super) const ERROR_BODY: usize = 64 * 1024;
/// What is shown of it.
pub(super) const SHOWN: usize = 1024;
/// Names and values of an answer's headers together.
pub(super) const HEADERS: usize = 64 * 1024;
pub(super) const LOCATION: usize = 8 * 1024;
/// All `Warning` headers of a run together.
pub(super) const WARNINGS: usize = 4096;
/// Redirects of one request.
pub(in crate::registry) const HOPS: usize = 5;
/// The pieces in which a body is given to the connection: how finely a stalled upload is noticed.
pub(super) const PIECE: usize = 64 * 1024;

/// The longest that a manifest, a config or a token is waited for.
const DOCUMENT: Duration = Duration::from_secs(120);

/// Times; the body of a blob that keeps moving has no end.
#[derive(Clone, Copy, Debug)]
pub(in crate::registry) struct Times {
    /// Name, connection and TLS.
    pub(in crate::registry) connect: Duration,
    /// From the end of a request to the end of the answer's headers.
    pub(in crate::registry) header: Duration,
    /// Between two pieces of a body, either way.
    pub(in crate::registry) idle: Duration,
    /// A body that is held in memory, from its first byte to its last.
    pub(in crate::registry) document: Duration,
}

impl Default for Times {
    fn default() -> Times {
        Times {
            connect: Duration::from_secs(10),
            header: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            document: DOCUMENT,
        }
    }
}

/// The beginning of `text`, at most `limit` bytes, cut between characters.
pub(super) fn cut(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("", 0), "");
    }
}
