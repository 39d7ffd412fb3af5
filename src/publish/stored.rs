//! Reads back what an image in a store consists of, from its root alone.
//!
//! Every document is hashed; layers are not looked at. What an index lists must all be here, because no registry takes less.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::base::document::{self, Document, Manifest};
use crate::digest::{Descriptor, Digest};
use crate::fault::{Fault, Kind};
use crate::media::DEEPEST;
use crate::publish::origins;
use crate::publish::registry::once;
use crate::publish::{Contents, Shelves};
use crate::reference::Reference;
use crate::store::Store;

/// The annotation that names the base; image-spec, annotations.md.
const BASE_NAME: &str = "org.opencontainers.image.base.name";

/// Who may say where layers can be had that are not here: a registry that is asked for them is shown our credentials.
#[derive(Clone, Copy)]
pub(crate) struct Bounds<'a> {
    /// The store of our own builds: what was written down there for an image is believed, and no other store's records are read.
    pub(crate) ours: &'a Store,
    /// For an image of others: the one registry that its annotations may lead to.
    pub(crate) registry: Option<&'a str>,
}

/// What lies below `root`. Where the base's layers can be had is taken from what was written down for the image, else from its
/// annotations for those layers that are not here.
pub(crate) fn contents(shelves: &Shelves, root: &Digest, bounds: &Bounds<'_>) -> Result<Contents> {
    let mut walk = Walk {
        shelves,
        registry: bounds.registry,
        seen: BTreeSet::new(),
        contents: Contents::default(),
    };
    walk.root(root)?;
    let mut contents = walk.contents;
    contents.blobs = once(contents.blobs);
    if let Some(known) = origins::recall(bounds.ours, root) {
        contents.origins = known;
    }
    Ok(contents)
}

struct Walk<'a> {
    shelves: &'a Shelves,
    registry: Option<&'a str>,
    seen: BTreeSet<Digest>,
    contents: Contents,
}

impl Walk<'_> {
    /// The media type of a root that is known by its digest alone is the one that it gives itself.
    fn root(&mut self, root: &Digest) -> Result<()> {
        let bytes = self.bytes(root, None)?;
        let document = document::read(&bytes, None)?;
        let media_type = document::media_type_of(&bytes)?;
        let entry = Descriptor::new(media_type, *root, bytes.len() as u64);
        self.seen.insert(*root);
        self.add(&entry, document, DEEPEST)
    }

    fn child(&mut self, entry: &Descriptor, depth: usize) -> Result<()> {
        if !self.seen.insert(entry.digest) {
            return Ok(());
        }
        let bytes = self.bytes(&entry.digest, Some(entry.size))?;
        let document = document::read(&bytes, Some(&entry.media_type))?;
        self.add(&entry.bare(), document, depth)
    }

    fn add(&mut self, entry: &Descriptor, document: Document, depth: usize) -> Result<()> {
        match document {
            Document::Manifest(manifest) => self.image(&manifest),
            Document::Index(_) if depth == 0 => return Err(too_deep(entry).into()),
            Document::Index(children) => children
                .iter()
                .try_for_each(|child| self.child(child, depth - 1))?,
        }
        self.contents.manifests.push(entry.clone());
        Ok(())
    }

    fn image(&mut self, manifest: &Manifest) {
        let layers = manifest.layers.iter();
        let blobs = layers.chain([&manifest.config]).map(Descriptor::bare);
        self.contents.blobs.extend(blobs);
        let told = manifest.annotations.get(BASE_NAME);
        let base: Option<Reference> = told.and_then(|name| name.as_str()?.parse().ok());
        let Some(base) = base else { return };
        let absent = manifest
            .layers
            .iter()
            .filter(|layer| !self.shelves.hold(layer));
        let absent = absent.map(|layer| (layer.digest, base.clone()));
        match self.registry.is_none_or(|only| base.registry == only) {
            true => self.contents.origins.extend(absent),
            false => self.contents.unasked.extend(absent),
        }
    }

    fn bytes(&self, digest: &Digest, size: Option<u64>) -> Result<Vec<u8>> {
        for store in &self.shelves.0 {
            if let Some(bytes) = store.document(digest, size)? {
                return Ok(bytes);
            }
        }
        Err(self.gone(digest).into())
    }

    fn gone(&self, digest: &Digest) -> Fault {
        let fault = Fault::new(
            Kind::Offline,
            format!("the manifest or index {digest} is not here"),
        );
        fault
            .because(format!("it was looked for in {}", self.shelves.places()))
            .hint("build the image again, or copy it whole, all platforms")
    }
}

fn too_deep(entry: &Descriptor) -> Fault {
    Fault::new(
        Kind::Disk,
        format!(
            "the index {} lies more than {DEEPEST} indexes deep",
            entry.digest
        ),
    )
}
