//! Base images: from the name that the user gave to pinned manifests, one per platform.
//!
//! `name.rs` parses, `tag.rs` says what a tag means, `documents.rs` brings documents, `document.rs` reads them strictly, `walk.rs`
//! goes from an index to what it offers, `choose.rs` from a name to the images, `lock.rs` is builder.lock, `pin.rs` makes it, `absent.rs` words what is not here.
//! Layers are never read here; whether they are on this machine is [`BaseImage::absent`]'s answer.

mod absent;
mod asked;
pub(crate) mod builtin;
mod choose;
pub(crate) mod document;
mod documents;
pub(crate) mod lock;
mod lock_reader;
pub(crate) mod name;
mod pin;
mod tag;
mod used;
mod walk;

pub(crate) use absent::layers as not_here;
pub(crate) use asked::Asked;
pub(crate) use pin::pin;
pub(crate) use tag::News;
pub(crate) use used::{built_on, built_on_at};

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::base::lock::Lock;
use crate::base::name::Name;
use crate::digest::{Descriptor, Digest};
use crate::media::Family;
use crate::notes::Notes;
use crate::platform::{Platform, Platforms};
use crate::reference::Reference;
use crate::registry::Registry;
use crate::store;
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
    /// What it has and nobody can compile for, where all was wanted that can be compiled for.
    pub(crate) left_out: Vec<Platform>,
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
    /// The cache; what it lacks can be fetched from where the base is named.
    Registry(Store),
}

impl Source {
    /// The layout that is looked into.
    pub(crate) fn store(&self) -> Option<&Store> {
        match self {
            Source::Builtin => None,
            Source::Store(store) | Source::Registry(store) => Some(store),
        }
    }

    /// Whether a layer is here. One in another length or as another kind of file is an error, unless it can be fetched.
    fn holds(&self, layer: &Descriptor) -> Result<bool, store::Error> {
        let Some(store) = self.store() else {
            return Ok(true);
        };
        match (store.blob(layer), self) {
            (Err(store::Error::Corrupt { .. }), Source::Registry(_)) => Ok(false),
            (found, _) => Ok(found?.is_some()),
        }
    }
}

impl BaseImage {
    /// The layers whose bytes are not on this machine.
    pub(crate) fn absent(&self) -> Result<Vec<Descriptor>> {
        let mut absent = Vec::new();
        for layer in &self.layers {
            if !self.source.holds(layer)? {
                absent.push(layer.bare());
            }
        }
        Ok(absent)
    }
}

impl Base {
    /// The directory of the layout that it was read from.
    pub(crate) fn place(&self) -> Option<&Path> {
        self.images.first()?.source.store().map(Store::root)
    }

    /// Where layers that are not here can be fetched, unless the run is offline.
    pub(crate) fn repository(&self) -> Option<&Reference> {
        match (&self.name, &self.images.first()?.source) {
            (Name::Reference(reference), Source::Registry(_)) => Some(reference),
            _ => None,
        }
    }

    /// The digest of the index, or of the only image; `None` for the built-in bases.
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.index.or(self.images.first()?.digest)
    }

    /// How the layers come to where the rest of the base is. The digest is named, because a tag may mean another image by now.
    pub(crate) fn way_to_layers(&self) -> Option<String> {
        let (digest, place) = (self.digest()?, self.place()?.display());
        let platforms: Vec<Platform> = self.images.iter().map(|one| one.platform.clone()).collect();
        Some(match &self.name {
            Name::Reference(reference) => {
                let pin = format!("{}@{digest}", reference.name());
                let warm = absent::warm("--layers ", &pin, Choice::These(&platforms));
                format!("run {warm} once while online, or `crane pull --format oci {pin} {place}`")
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
    /// Where documents go when the cache cannot be written.
    pub(crate) spare: &'a Store,
    /// Absent when offline.
    pub(crate) registry: Option<&'a Registry>,
    pub(crate) notes: &'a Notes,
    /// For the age of a recorded tag.
    pub(crate) now: SystemTime,
    /// What names mean before anybody is asked.
    pub(crate) lock: Option<&'a Lock>,
    /// Whether only the registry's word will do for a tag: one that cannot be asked is then an error.
    pub(crate) insists: bool,
}

/// A base, with what is to be done about it.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) base: Base,
    /// What a registry said, to be recorded.
    pub(crate) news: Option<News>,
    /// How many documents a registry gave.
    pub(crate) fetched: usize,
}

/// Which images of a base are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice<'a> {
    /// One for each of these, in this order.
    These(&'a [Platform]),
    /// Every one that can be told by its platform.
    All,
    /// Of these one for each platform that rbuild can compile for.
    Compilable,
}

impl<'a> Choice<'a> {
    /// Those that were named.
    fn platforms(self) -> &'a [Platform] {
        match self {
            Choice::These(platforms) => platforms,
            Choice::All | Choice::Compilable => &[],
        }
    }

    /// What a build wants of a base.
    pub(crate) fn of(platforms: &'a Platforms) -> Choice<'a> {
        match platforms {
            Platforms::All => Choice::Compilable,
            named => Choice::These(named.named()),
        }
    }
}

/// Resolves `name` for each platform of `choice` from what is on this machine, and from its registry unless the run is offline.
///
/// Errors: [`crate::fault::Kind::Offline`] when something is not here and nobody may be asked, `Registry` and `Authentication` when
/// the registry does not give it, `Integrity` when it is not what it claims to be, `Refused` when the base has no such platform.
pub(crate) fn resolve(name: &Name, choice: Choice<'_>, shelf: Shelf<'_>) -> Result<Base> {
    let resolved = match name {
        Name::Static => Ok(made(name, choice, builtin::config)),
        Name::Scratch => Ok(made(name, choice, builtin::empty_config)),
        Name::Layout(directory, pick) => Store::source(directory, shelf.notes)
            .map_err(anyhow::Error::from)
            .and_then(|store| choose::from_layout(name, pick, choice, &store)),
        Name::Reference(reference) => recorded(reference, choice, shelf),
    };
    let base = named(resolved.with_context(|| unresolved(name))?);
    tell_what_is_left_out(&base, shelf.notes);
    Ok(base)
}

/// As [`resolve`], for a reference and any choice of its images; what a registry said is left to be recorded.
pub(crate) fn resolve_reference(
    reference: &Reference,
    choice: Choice<'_>,
    shelf: Shelf<'_>,
) -> Result<Resolved> {
    let resolved = choose::from_reference(reference, choice, shelf);
    let resolved = resolved.with_context(|| unresolved(&Name::Reference(reference.clone())))?;
    Ok(Resolved {
        base: named(resolved.base),
        ..resolved
    })
}

fn recorded(reference: &Reference, choice: Choice<'_>, shelf: Shelf<'_>) -> Result<Base> {
    let Resolved { base, news, .. } = choose::from_reference(reference, choice, shelf)?;
    news.map_or(Ok(()), |news| news.record(shelf))?;
    used::mark(&base, shelf);
    Ok(base)
}

fn tell_what_is_left_out(base: &Base, notes: &Notes) {
    if base.left_out.is_empty() {
        return;
    }
    let names: Vec<String> = base.left_out.iter().map(ToString::to_string).collect();
    notes.say(format!(
        "`{}` has images for {} too: rbuild cannot compile for them",
        base.name,
        names.join(", ")
    ));
}

fn unresolved(name: &Name) -> String {
    format!("cannot resolve base image `{name}`")
}

/// Gives the images the name that others know them by.
fn named(mut base: Base) -> Base {
    let published = base.published_name();
    for image in &mut base.images {
        image.name.clone_from(&published);
    }
    base
}

fn made(name: &Name, choice: Choice<'_>, config: fn(&Platform) -> Value) -> Base {
    let platforms = match choice {
        Choice::These(platforms) => platforms.to_vec(),
        Choice::All | Choice::Compilable => Platform::with_musl(),
    };
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
        left_out: Vec::new(),
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod tests_all;

#[cfg(test)]
mod tests_lock;

#[cfg(test)]
mod tests_online;
