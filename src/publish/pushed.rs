//! Where an image was pushed to, kept beside it: a registry need not be sent twice what lies in another repository of it.
//!
//! A record is a help, never a proof: what cannot be mounted from there is sent.

use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::reference::Reference;
use crate::store::{self, Store};

const KIND: &str = "pushed";

/// Writes down that all of the image is in a repository; the last one of each registry is kept.
pub(crate) fn remember_push(
    store: &Store,
    root: &Digest,
    to: &Reference,
) -> Result<(), store::Error> {
    let mut last = record(store, root);
    last.insert(to.registry.clone(), Value::from(to.repository.clone()));
    store.remember(KIND, root, &Value::from(last))
}

/// Another repository of the same registry that the image was pushed to.
pub(crate) fn pushed_before(store: &Store, root: &Digest, to: &Reference) -> Option<Reference> {
    let last = record(store, root);
    let repository = last.get(&to.registry)?.as_str()?;
    let before = format!("{}/{repository}", to.registry).parse().ok();
    before.filter(|before: &Reference| before.repository != to.repository)
}

fn record(store: &Store, root: &Digest) -> Map<String, Value> {
    let record = store.record(KIND, root);
    let record = record.and_then(|record| record.as_object().cloned());
    record.unwrap_or_default()
}
