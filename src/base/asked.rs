//! When a registry was last asked what a name means: the age of a recorded tag.
//!
//! One record for each name, beside the blobs; its time is that of the file system's clock. Two names of one image are asked for
//! each on its own, so the time of the blob says nothing.

use std::collections::BTreeSet;
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

/// Which names were asked for; listed once, for whoever looks at many.
pub(crate) struct Asked<'a> {
    cache: &'a Store,
    keys: BTreeSet<Digest>,
}

impl<'a> Asked<'a> {
    pub(crate) fn of(cache: &'a Store) -> Asked<'a> {
        let records = cache.record_times(KIND).into_iter();
        let keys = records.map(|(key, _)| key).collect();
        Asked { cache, keys }
    }

    /// When a registry was last asked for this name and gave that digest.
    pub(crate) fn at(&self, name: &str, digest: &Digest) -> Option<SystemTime> {
        if self.keys.is_empty() {
            return None;
        }
        let name = name.parse().ok()?;
        let was_asked = self.keys.contains(&key(&name));
        was_asked.then(|| time(&name, digest, self.cache))?
    }
}

fn key(name: &Reference) -> Digest {
    Digest::of(name.to_string().as_bytes())
}

fn answer(digest: &Digest) -> Value {
    Value::from(digest.to_string())
}
