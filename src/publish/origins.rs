//! Where the base layers of an image in a store came from, kept beside it: an image that is pushed later knows no base any more.
//!
//! A record is a help, never a proof: whatever is fetched by it is held against its digest.

use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::publish::{Contents, Finished};
use crate::registry::Origins;
use crate::store::{self, Store};

const KIND: &str = "origins";

/// Writes down where the base layers of `image` can be had; nothing if its base came from no registry.
pub(crate) fn remember_origins(store: &Store, image: &Finished) -> Result<(), store::Error> {
    let origins = Contents::of(image).origins;
    if origins.is_empty() {
        return Ok(());
    }
    let pair = |(digest, from): (&Digest, &_)| (digest.to_string(), Value::from(format!("{from}")));
    let origins: Map<String, Value> = origins.iter().map(pair).collect();
    store.remember(KIND, &image.root.digest, &Value::from(origins))
}

/// What was written down for the image with this root; what cannot be read is not there.
pub(super) fn recall(store: &Store, root: &Digest) -> Option<Origins> {
    let record = store.record(KIND, root)?;
    let pair = |(digest, from): (&String, &Value)| {
        Some((digest.parse().ok()?, from.as_str()?.parse().ok()?))
    };
    record.as_object()?.iter().map(pair).collect()
}
