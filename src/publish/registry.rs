//! From a finished image to a registry: which blobs, which manifests in which order, and where can be had what is not here.
//!
//! Pure: nothing is opened here, and nothing travels. How it travels is the registry room's affair.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::digest::{Descriptor, Digest};
use crate::image::Image;
use crate::media;
use crate::publish::{Finished, Shelves};
use crate::reference::Reference;
use crate::registry::{Origins, Parcel};

/// All that an image consists of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    /// Layers and configs, each once.
    pub(crate) blobs: Vec<Descriptor>,
    /// Children before the index that lists them; the last one is the image.
    pub(crate) manifests: Vec<Descriptor>,
    pub(crate) origins: Origins,
    /// Where blobs may be that are not here, in registries that may not be asked for them.
    pub(crate) unasked: Origins,
}

/// Where it goes: registry and repository, and the tags there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) repository: Reference,
    pub(crate) tags: Vec<String>,
}

impl Contents {
    pub(crate) fn of(image: &Finished) -> Contents {
        let mut contents = Contents::default();
        for one in &image.images {
            contents.add(one, image.base.as_ref());
        }
        let children = image.images.iter().map(|one| &one.manifest);
        let mut manifests: Vec<Descriptor> = children.map(Descriptor::bare).collect();
        manifests.retain(|child| child.digest != image.root.digest);
        manifests.push(image.root.bare());
        contents.manifests = once(manifests);
        contents.blobs = once(contents.blobs);
        contents
    }

    /// What tags will mean.
    pub(crate) fn root(&self) -> Option<Digest> {
        self.manifests.last().map(|root| root.digest)
    }

    /// All of it lies in another repository too; a base is where it was.
    pub(crate) fn lies_in(&mut self, repository: &Reference) {
        for blob in &self.blobs {
            let origin = self.origins.entry(blob.digest);
            origin.or_insert_with(|| repository.clone());
        }
    }

    fn add(&mut self, image: &Image, base: Option<&Reference>) {
        let layers = image.base_layers.iter().chain(&image.layers);
        let blobs = layers.chain([&image.config]).map(Descriptor::bare);
        self.blobs.extend(blobs);
        let origin = |layer: &Descriptor| Some((layer.digest, base?.clone()));
        self.origins
            .extend(image.base_layers.iter().filter_map(origin));
    }
}

/// Each once, the first place kept; layers that no registry may have are left out.
pub(super) fn once(mut blobs: Vec<Descriptor>) -> Vec<Descriptor> {
    let mut seen = BTreeSet::new();
    blobs.retain(|blob| !media::is_foreign(&blob.media_type) && seen.insert(blob.digest));
    blobs
}

impl Destination {
    pub(crate) fn of(image: &Finished) -> Result<Destination> {
        Ok(Destination {
            repository: image.name.parse()?,
            tags: image.tags.clone(),
        })
    }
}

/// What the registry room is handed.
pub(crate) fn parcel(to: Destination, contents: Contents, shelves: &Shelves) -> Parcel<'_> {
    Parcel {
        repository: to.repository,
        blobs: contents.blobs,
        manifests: contents.manifests,
        tags: to.tags,
        stores: &shelves.0,
        origins: contents.origins,
        unasked: contents.unasked,
    }
}
