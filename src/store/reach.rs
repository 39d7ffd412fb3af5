//! What roots lead to: the blobs that must stay when others go.
//!
//! Errs on the side of staying: every digest that a document names counts, whatever the field is called, and a document that cannot
//! be read is told, because nobody knows what it leads to. Each document is opened once, so no nesting costs more than it has bytes.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;

use super::Error;
use super::Store;
use super::blob::DOCUMENT_LIMIT;
use super::regular;
use super::regular::Found;
use crate::digest::Digest;
use crate::interrupt;
use crate::json;

/// The fields below which documents are named, and not blobs alone: image-spec, image-index.md and manifest.md.
const DOCUMENTS: [&str; 2] = ["manifests", "subject"];

/// The documents of several stores, read as they are needed.
pub(crate) struct Links<'a> {
    stores: Vec<&'a Store>,
    read: BTreeMap<Digest, Named>,
    /// Documents that are here and cannot be read.
    pub(crate) unknown: BTreeSet<Digest>,
}

/// What one document names.
#[derive(Clone, Debug, Default)]
struct Named {
    documents: BTreeSet<Digest>,
    blobs: BTreeSet<Digest>,
}

enum Read {
    Absent,
    Unknown,
    Document(Named),
}

impl<'a> Links<'a> {
    pub(crate) fn of(stores: &[&'a Store]) -> Links<'a> {
        Links {
            stores: stores.to_vec(),
            read: BTreeMap::new(),
            unknown: BTreeSet::new(),
        }
    }

    /// The root and all that lies below it, whether it is here or not.
    pub(crate) fn below(&mut self, root: &Digest) -> Result<BTreeSet<Digest>, Error> {
        let mut seen = BTreeSet::new();
        let mut blobs: BTreeSet<Digest> = BTreeSet::new();
        let mut left = vec![*root];
        while let Some(next) = left.pop() {
            if !seen.insert(next) {
                continue;
            }
            let named = self.named(&next)?;
            left.extend(&named.documents);
            blobs.extend(&named.blobs);
        }
        seen.extend(blobs);
        Ok(seen)
    }

    fn named(&mut self, digest: &Digest) -> Result<&Named, Error> {
        if !self.read.contains_key(digest) {
            let named = self.look(digest)?;
            self.read.insert(*digest, named);
        }
        Ok(&self.read[digest])
    }

    /// In the first store that has a sound one.
    fn look(&mut self, digest: &Digest) -> Result<Named, Error> {
        let mut is_unknown = false;
        for store in &self.stores {
            match store.look_below(digest)? {
                Read::Absent => {}
                Read::Unknown => is_unknown = true,
                Read::Document(named) => return Ok(named),
            }
        }
        if is_unknown {
            self.unknown.insert(*digest);
        }
        Ok(Named::default())
    }
}

impl Store {
    /// What is no JSON object, or too large to be a document, names nothing if its bytes are sound.
    fn look_below(&self, digest: &Digest) -> Result<Read, Error> {
        let path = self.blob_path(digest);
        let failed = |error| Error::of_io("read", &path, error);
        interrupt::check().map_err(failed)?;
        let found = match regular::open(&path) {
            Ok(Found::Regular(found)) => found,
            Ok(Found::Nothing) => return Ok(Read::Absent),
            _ => return Ok(Read::Unknown),
        };
        let Some(bytes) = found.read(DOCUMENT_LIMIT).map_err(failed)? else {
            return Ok(Read::Document(Named::default()));
        };
        if Digest::of(&bytes) != *digest {
            return Ok(Read::Unknown);
        }
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Ok(Read::Document(Named::default()));
        }
        Ok(json::parse(&bytes).map_or(Read::Unknown, |value| Read::Document(names_of(&value))))
    }
}

fn names_of(document: &Value) -> Named {
    let mut named = Named::default();
    for (key, value) in document.as_object().into_iter().flatten() {
        match DOCUMENTS.contains(&key.as_str()) {
            true => collect(value, &mut named.documents),
            false => collect(value, &mut named.blobs),
        }
    }
    named
}

/// Every digest in a field of that name, however deep; the parser bounds how deep that can be.
fn collect(value: &Value, into: &mut BTreeSet<Digest>) {
    match value {
        Value::Array(list) => list.iter().for_each(|one| collect(one, into)),
        Value::Object(fields) => {
            let digest = fields.get("digest").and_then(Value::as_str);
            into.extend(digest.and_then(|text| text.parse::<Digest>().ok()));
            fields.values().for_each(|one| collect(one, into));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::home;
    use super::*;
    use crate::digest::Descriptor;

    fn put(store: &Store, value: &Value) -> Descriptor {
        store
            .put("application/json", value.to_string().as_bytes())
            .expect("put")
    }

    #[test]
    fn a_root_leads_through_nested_indexes_to_what_is_not_here_too() {
        let store = home().store;
        let layer = Descriptor::of("layer", b"not here");
        let config = put(
            &store,
            &json!({"digest": Digest::of(b"not a pointer of a config").to_string()}),
        );
        let image = put(
            &store,
            &json!({"config": config.to_value(), "layers": [layer.to_value()]}),
        );
        let inner = put(&store, &json!({"manifests": [image.to_value()]}));
        let outer = put(
            &store,
            &json!({"manifests": [inner.to_value(), inner.to_value()]}),
        );
        let mut links = Links::of(&[&store]);
        let below = links.below(&outer.digest).expect("read");
        let all = [&outer, &inner, &image, &config, &layer].map(|one| one.digest);
        assert_eq!(below, BTreeSet::from(all));
        assert!(links.unknown.is_empty());
    }

    #[test]
    fn a_damaged_document_is_told_and_a_blob_that_is_none_is_not() {
        let home = home();
        let store = &home.store;
        let blob = store.put("text", b"no document").expect("put");
        let image = put(store, &json!({"layers": []}));
        super::super::tests::plant(&store.blob_path(&image.digest), b"{}");
        let index = put(
            store,
            &json!({"manifests": [image.to_value(), blob.to_value()]}),
        );
        let mut links = Links::of(&[store]);
        links.below(&index.digest).expect("read");
        assert_eq!(links.unknown, BTreeSet::from([image.digest]));
    }

    #[test]
    fn h10_a_document_that_names_itself_ends() {
        let store = home().store;
        let twins = [Digest::of(b"a"), Digest::of(b"b")];
        let many: Vec<Value> = (0..10_000)
            .map(|place| json!({"digest": twins[place % 2].to_string()}))
            .collect();
        let index = put(
            &store,
            &json!({"manifests": many, "subject": {"digest": twins[0].to_string()}}),
        );
        let below = Links::of(&[&store]).below(&index.digest).expect("read");
        assert_eq!(below.len(), 3);
    }
}
