//! `rbuild cache warm`: an image of a registry into the cache, so that builds without a network find it.
//!
//! What is complete already costs no request for a digest, and one for a tag. By force the registry is asked for digests too, and what is
//! here is hashed.

use std::io;

use anyhow::{Context, Result};

use crate::base::{self, Base, Choice, News, Resolved, Shelf};
use crate::digest::Descriptor;
use crate::fault::{Fault, Kind};
use crate::platform::Platform;
use crate::reference::Reference;
use crate::registry::Registry;
use crate::store::{self, Store};

/// How much of an image is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Index, manifests and configs: enough to build on, and to print a reference.
    Metadata,
    /// The layers too: enough to write files.
    Layers,
}

/// What is wanted of an image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order<'a> {
    pub(crate) choice: Choice<'a>,
    pub(crate) depth: Depth,
    /// Whether nothing that is here is believed.
    pub(crate) force: bool,
}

/// What the cache holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warmed {
    /// The name that was asked for, pinned.
    pub(crate) pin: Reference,
    pub(crate) platforms: Vec<Platform>,
    /// How many documents a registry gave.
    pub(crate) documents: usize,
    /// The layers that were not here before.
    pub(crate) fetched: usize,
    /// Of those, in bytes.
    pub(crate) bytes: u64,
}

impl Warmed {
    /// Whether nothing had to be fetched.
    pub(crate) fn was_there(&self) -> bool {
        self.documents + self.fetched == 0
    }
}

/// Brings an image into the cache; its name comes last, when all that was asked for is there.
pub(crate) fn warm(reference: &Reference, order: Order<'_>, shelf: Shelf<'_>) -> Result<Warmed> {
    if let (true, Some(registry)) = (order.force, shelf.registry) {
        ask(&meant(reference, shelf), registry)?;
    }
    let Resolved {
        base,
        news,
        fetched: documents,
    } = base::resolve_reference(reference, order.choice, shelf)?;
    let layers = layers(&base, order, shelf)?;
    let news = news.map_or_else(
        || unlisted(&meant(reference, shelf), shelf),
        |news| Ok(Some(news)),
    )?;
    news.map_or(Ok(()), |news| news.record(shelf))?;
    Ok(Warmed {
        pin: Reference {
            digest: base.digest(),
            ..reference.clone()
        },
        platforms: base.images.into_iter().map(|one| one.platform).collect(),
        documents,
        fetched: layers.len(),
        bytes: layers.iter().map(|layer| layer.size).sum(),
    })
}

/// The reference with the digest that a lock gives it.
fn meant(reference: &Reference, shelf: Shelf<'_>) -> Reference {
    let locked = shelf.lock.and_then(|lock| lock.base(reference));
    Reference {
        digest: reference.digest.or(locked.map(|base| base.digest)),
        ..reference.clone()
    }
}

/// A pin that is here, but in no entry: what lists or carries the cache would pass it over.
fn unlisted(pin: &Reference, shelf: Shelf<'_>) -> Result<Option<News>> {
    let Some(digest) = pin.digest else {
        return Ok(None);
    };
    if shelf
        .cache
        .each_entry()?
        .any(|entry| entry.digest == digest)
    {
        return Ok(None);
    }
    let bytes = shelf.cache.document(&digest, None)?;
    bytes.map(|bytes| News::of(pin, digest, &bytes)).transpose()
}

/// Refuses a digest that the registry does not have any more; a tag is asked for anyway.
fn ask(reference: &Reference, registry: &Registry) -> Result<()> {
    if reference.digest.is_none() || registry.look(reference)?.is_some() {
        return Ok(());
    }
    let fault = Fault::new(
        Kind::Registry,
        format!("the registry does not have `{reference}`"),
    );
    Err(fault
        .hint("what is here stays; without `--force` it is used as it is")
        .into())
}

/// Fetches the layers that are not here, or are damaged as far as that is looked at. Offline they are only looked for, and named.
fn layers(base: &Base, order: Order<'_>, shelf: Shelf<'_>) -> Result<Vec<Descriptor>> {
    let mut wanted: Vec<Descriptor> = Vec::new();
    if order.depth == Depth::Layers {
        for image in &base.images {
            wanted.extend(image.absent()?);
        }
    }
    if order.force {
        wanted.extend(damaged(base, shelf)?);
    }
    wanted.sort_by_key(|layer| layer.digest);
    wanted.dedup_by_key(|layer| layer.digest);
    if wanted.is_empty() {
        return Ok(wanted);
    }
    match (shelf.registry, base.repository()) {
        (Some(registry), Some(from)) => registry
            .fetch(from, &wanted, shelf.cache)
            .with_context(|| format!("cannot fetch the layers of `{}`", base.name))?,
        _ => return Err(base::not_here(base, &wanted).into()),
    }
    shelf.cache.sync()?;
    Ok(wanted)
}

/// The layers that are here with other bytes than their digest says; they are moved to the quarantine.
fn damaged(base: &Base, shelf: Shelf<'_>) -> Result<Vec<Descriptor>> {
    let mut damaged = Vec::new();
    for layer in base.images.iter().flat_map(|image| &image.layers) {
        if is_damaged(layer, shelf.cache)? {
            damaged.push(layer.bare());
        }
    }
    Ok(damaged)
}

/// Reads all of it: the store hashes what is read, and puts away what is wrong.
fn is_damaged(layer: &Descriptor, store: &Store) -> Result<bool> {
    let read = store.blob(layer).map_err(anyhow::Error::from);
    let read = read.and_then(|blob| match blob {
        Some(mut blob) => Ok(io::copy(&mut blob, &mut io::sink()).map(drop)?),
        None => Ok(()),
    });
    match read {
        Err(error) if store::damaged(&error).is_some() => Ok(true),
        read => read.map(|()| false),
    }
}
