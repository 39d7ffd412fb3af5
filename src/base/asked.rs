//! When a registry was last asked what a name means: the age of a recorded tag.
//!
//! One record for each name, beside the blobs; its time is that of the file system's clock. Two names of one image are asked for
//! each on its own, so the time of the blob says nothing.

use std::time::SystemTime;

use serde_json::Value;

use crate::digest::Digest;
use crate::reference::Reference;
use crate::store::Store;

const KIND: &str = "asked";

/// The answer was this digest. A time that cannot be written stays what it was: the name merely looks older than it is.
pub(crate) fn remember(name: &Reference, digest: &Digest, cache: &Store) {
    drop(cache.remember(KIND, &key(name), &answer(digest)));
}

/// When that answer was given; `None` where rbuild did not ask, or got another one.
pub(crate) fn time(name: &Reference, digest: &Digest, cache: &Store) -> Option<SystemTime> {
    let is_same = cache.record(KIND, &key(name))? == answer(digest);
    is_same.then(|| cache.record_time(KIND, &key(name)))?
}

fn key(name: &Reference) -> Digest {
    Digest::of(name.to_string().as_bytes())
}

fn answer(digest: &Digest) -> Value {
    Value::from(digest.to_string())
}
