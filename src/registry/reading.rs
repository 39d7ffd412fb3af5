//! What a pull brings back: documents whole and verified.

use crate::digest::Digest;

/// A manifest or index as the registry gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fetched {
    pub(crate) media_type: String,
    /// Of the bytes, computed here.
    pub(crate) digest: Digest,
    pub(crate) bytes: Vec<u8>,
}
