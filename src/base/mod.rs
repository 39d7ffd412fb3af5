//! Base images: from the name that the user gave to pinned manifests, one per platform.
//!
//! `name.rs` parses, `document.rs` reads strictly, `choose.rs` walks from an index to the images, `absent.rs` words what is not here.
//! Layers are never read here; whether they are on this machine is [`BaseImage::absent`]'s answer.

mod absent;
pub(crate) mod builtin;
mod choose;
pub(crate) mod document;
pub(crate) mod name;

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::base::name::Name;
use crate::digest::{Descriptor, Digest};
use crate::media::Family;
use crate::notes::Notes;
use crate::platform::Platform;
use crate::reference::Reference;
use crate::store::Store;

/// A base image, resolved for the platforms that were asked for.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    /// As the user named it.
    pub(crate) name: Name,
    /// One for each platform asked for, in that order.
    pub(crate) images: Vec<BaseImage>,
    /// The index that the images were taken from, if there was one.
    pub(crate) index: Option<Digest>,
}

/// One platform's image of a base.
#[derive(Clone, Debug)]
pub(crate) struct BaseImage {
    /// As asked for.
    pub(crate) platform: Platform,
    pub(crate) family: Family,
    /// The config as found, unknown fields included.
    pub(crate) config: Value,
    /// As the manifest lists them.
    pub(crate) layers: Vec<Descriptor>,
    /// Of the base's manifest.
    pub(crate) annotations: Map<String, Value>,
    /// A name that others can pull; `None` for built-in bases and directories.
    pub(crate) name: Option<String>,
    /// The digest of the base's manifest; `None` for the built-in bases.
    pub(crate) digest: Option<Digest>,
    /// Where the layers rest, if they are here.
    pub(crate) source: Source,
}

/// Where the layers of a base come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// rbuild makes them when an output needs their bytes.
    Builtin,
    /// A layout on this machine, which may lack them.
    Store(Store),
}

impl BaseImage {
    /// The layers whose bytes are not on this machine. One that is here in another length or as another kind of file is an error.
    pub(crate) fn absent(&self) -> Result<Vec<Descriptor>> {
        let Source::Store(store) = &self.source else {
            return Ok(Vec::new());
        };
        let mut absent = Vec::new();
        for layer in &self.layers {
            if store.blob(layer)?.is_none() {
                absent.push(layer.bare());
            }
        }
        Ok(absent)
    }
}

impl Base {
    /// The directory of the layout that it was read from.
    pub(crate) fn place(&self) -> Option<&Path> {
        match &self.images.first()?.source {
            Source::Builtin => None,
            Source::Store(store) => Some(store.root()),
        }
    }

    /// How the layers come to where the rest of the base is. The digest is named, because a tag may mean another image by now.
    pub(crate) fn way_to_layers(&self) -> Option<String> {
        let image = self.images.first()?;
        let (digest, place) = (self.index.or(image.digest)?, self.place()?.display());
        Some(match &self.name {
            Name::Reference(reference) => {
                format!(
                    "run `crane pull --format oci {}@{digest} {place}` once while online",
                    reference.name()
                )
            }
            _ => format!("copy the image to {place} again, whole, with the tool that wrote it"),
        })
    }

    /// The name that `org.opencontainers.image.base.name` may carry: one that others can pull.
    pub(crate) fn published_name(&self) -> Option<String> {
        let Name::Reference(reference) = &self.name else {
            return None;
        };
        let digest = reference.digest.filter(|_| reference.tag.is_none());
        Some(
            Reference {
                digest,
                ..reference.clone()
            }
            .to_string(),
        )
    }
}

/// Where bases are looked for, and whom to tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shelf<'a> {
    /// `$KOCACHE/img`.
    pub(crate) cache: &'a Store,
    pub(crate) notes: &'a Notes,
    /// For the age of a recorded tag.
    pub(crate) now: SystemTime,
}

/// Resolves `name` for each of `platforms` from what is on this machine.
///
/// Errors: [`crate::fault::Kind::Offline`] when something is not here, `Integrity` when it is not what it claims to be,
/// `Refused` when the base has no such platform.
pub(crate) fn resolve(name: &Name, platforms: &[Platform], shelf: Shelf<'_>) -> Result<Base> {
    let resolved = match name {
        Name::Static => Ok(made(name, platforms, builtin::config)),
        Name::Scratch => Ok(made(name, platforms, builtin::empty_config)),
        Name::Layout(directory, pick) => Store::source(directory, shelf.notes)
            .map_err(anyhow::Error::from)
            .and_then(|store| choose::from_layout(name, pick, platforms, &store)),
        Name::Reference(reference) => choose::from_cache(name, reference, platforms, shelf),
    };
    let mut base = resolved.with_context(|| format!("cannot resolve base image `{name}`"))?;
    let published = base.published_name();
    for image in &mut base.images {
        image.name.clone_from(&published);
    }
    Ok(base)
}

fn made(name: &Name, platforms: &[Platform], config: fn(&Platform) -> Value) -> Base {
    let layers = if *name == Name::Static {
        builtin::layers()
            .into_iter()
            .map(|layer| layer.blob)
            .collect()
    } else {
        Vec::new()
    };
    let image = |platform: &Platform| BaseImage {
        platform: platform.clone(),
        family: Family::Oci,
        config: config(platform),
        layers: layers.clone(),
        annotations: Map::new(),
        name: None,
        digest: None,
        source: Source::Builtin,
    };
    Base {
        name: name.clone(),
        images: platforms.iter().map(image).collect(),
        index: None,
    }
}

#[cfg(test)]
mod tests;
