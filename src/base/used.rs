//! Which images of the cache were built on, and when: a pinned base is asked for nowhere, and would look older every day.
//!
//! One record for each digest, beside the blobs, written once a day at most.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::base::{Base, Shelf};
use crate::digest::Digest;
use crate::store::Store;

const KIND: &str = "used";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Notes that the base is built on now. A store that nobody of ours began, or that cannot be written, stays as it is.
pub(super) fn mark(base: &Base, shelf: Shelf<'_>) {
    let Some(digest) = base.digest() else { return };
    let known = shelf.cache.record_time(KIND, &digest);
    let is_new = known.is_some_and(|known| distance(known, shelf.now) < DAY);
    if !is_new && shelf.cache.is_claimed() && shelf.cache.look_writable().is_ok() {
        drop(shelf.cache.remember(KIND, &digest, &Value::Null));
    }
}

fn distance(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other)
        .unwrap_or_else(|error| error.duration())
}

/// When the image of that digest was built on last.
pub(crate) fn built_on_at(digest: &Digest, cache: &Store) -> Option<SystemTime> {
    cache.record_time(KIND, digest)
}

/// All that was built on, and when.
pub(crate) fn built_on(cache: &Store) -> Vec<(Digest, SystemTime)> {
    cache.record_times(KIND)
}
