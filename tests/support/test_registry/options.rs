//! What a test registry may be told before it starts.

use super::Contents;

/// `Options::default()` is an anonymous registry over plain http on 127.0.0.1 that does what the specification says.
#[derive(Default)]
pub(crate) struct Options {
    /// Where to listen; a free port of loopback if unset.
    pub(crate) address: Option<String>,
    /// Listen on `[::1]`.
    pub(crate) ipv6: bool,
    /// Answer only what rules say.
    pub(crate) scripted: bool,
    /// `Location` without scheme and host.
    pub(crate) relative_locations: bool,
    /// 405 to all that would change something.
    pub(crate) read_only: bool,
    /// 307 for blobs, to the same path at another origin such as `http://127.0.0.1:5000`.
    pub(crate) redirect_blobs_to: Option<String>,
    /// `OCI-Chunk-Min-Length`, in bytes; a shorter chunk that is not the last one is refused.
    pub(crate) least_chunk: Option<u64>,
    /// What it holds from the beginning, shared with the registry that it was taken from.
    pub(crate) contents: Option<Contents>,
}
