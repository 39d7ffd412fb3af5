//! What is there already, learnt from the image that a tag means now.
//!
//! Only a shortcut: whatever goes wrong here is as if nothing were known.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::digest::{Descriptor, Digest};
use crate::json;
use crate::media;
use crate::media::DEEPEST;
use crate::registry::pull;
use crate::registry::push::Push;

/// Blobs of an image that differ as a rule, or else there is nothing to push: the layer with the program, and the config.
const CHANGED: usize = 2;

impl Push<'_> {
    /// Every digest below `root`, which is in the repository.
    pub(super) async fn known(&self, root: Digest) -> BTreeSet<Digest> {
        let mut questions = self.worth_asking();
        let (mut known, mut level) = (BTreeSet::new(), vec![root]);
        // Below the last index lie images.
        for _ in 0..=DEEPEST {
            for digest in std::mem::take(&mut level) {
                let below = self.below(&digest, &mut questions).await;
                known.extend(&below.blobs);
                level.extend(below.manifests.iter().filter(|child| known.insert(**child)));
            }
        }
        known
    }

    /// How many manifests may be asked for: one each, or none where that costs as much as it can save, a request for each blob that
    /// is found to be there.
    fn worth_asking(&self) -> usize {
        let manifests = &self.parcel.manifests;
        let is_image = |one: &&Descriptor| !media::is_index(&one.media_type);
        let images = manifests.iter().filter(is_image).count();
        let saved = self.parcel.blobs.len().saturating_sub(CHANGED * images);
        match saved > manifests.len() {
            true => manifests.len(),
            false => 0,
        }
    }

    async fn below(&self, digest: &Digest, questions: &mut usize) -> Below {
        let stores = self.parcel.stores.iter();
        let kept = stores.flat_map(|store| store.document(digest, None).ok().flatten());
        let bytes = match kept.into_iter().next() {
            Some(bytes) => Some(bytes),
            None if *questions > 0 => {
                *questions -= 1;
                self.ask_for(digest).await
            }
            None => None,
        };
        bytes.map(|bytes| below(&bytes)).unwrap_or_default()
    }

    async fn ask_for(&self, digest: &Digest) -> Option<Vec<u8>> {
        let place = (&self.target, self.access.clone());
        let wanted = (digest.to_string(), Some(*digest));
        let found = pull::manifest(self.client, place, &wanted).await;
        found.ok().flatten().map(|found| found.bytes)
    }
}

#[derive(Default)]
struct Below {
    blobs: Vec<Digest>,
    manifests: Vec<Digest>,
}

fn below(bytes: &[u8]) -> Below {
    let value = json::parse(bytes).unwrap_or_default();
    let listed = |key: &str| {
        value
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let blobs = listed("layers").chain(value.get("config"));
    Below {
        blobs: blobs.filter_map(digest).collect(),
        manifests: listed("manifests").filter_map(digest).collect(),
    }
}

fn digest(descriptor: &Value) -> Option<Digest> {
    descriptor.get("digest")?.as_str()?.parse().ok()
}
