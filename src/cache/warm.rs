//! `rbuild cache warm`: an image of a registry into the cache, so that builds without a network find it.
//!
//! What is complete already costs no request for a digest, and one for a tag.

use anyhow::{Context, Result};

use crate::base::{self, Base, Choice, Shelf};
use crate::digest::Descriptor;
use crate::platform::Platform;
use crate::reference::Reference;

/// How much of an image is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Index, manifests and configs: enough to build on, and to print a reference.
    Metadata,
    /// The layers too: enough to write files.
    Layers,
}

/// What the cache holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warmed {
    /// The name that was asked for, pinned.
    pub(crate) pin: Reference,
    pub(crate) platforms: Vec<Platform>,
    /// The layers that were not here before.
    pub(crate) fetched: usize,
    /// Of those, in bytes.
    pub(crate) bytes: u64,
}

/// Brings an image into the cache; its name comes last, when all that was asked for is there.
pub(crate) fn warm(
    reference: &Reference,
    (choice, depth): (Choice<'_>, Depth),
    shelf: Shelf<'_>,
) -> Result<Warmed> {
    let (base, news) = base::resolve_reference(reference, choice, shelf)?;
    let layers = match depth {
        Depth::Metadata => Vec::new(),
        Depth::Layers => layers(&base, shelf)?,
    };
    news.map_or(Ok(()), |news| news.record(shelf))?;
    Ok(Warmed {
        pin: Reference {
            digest: base.digest(),
            ..reference.clone()
        },
        platforms: base.images.into_iter().map(|one| one.platform).collect(),
        fetched: layers.len(),
        bytes: layers.iter().map(|layer| layer.size).sum(),
    })
}

/// Fetches the layers that are not here. Offline they are only looked for, and named.
fn layers(base: &Base, shelf: Shelf<'_>) -> Result<Vec<Descriptor>> {
    let mut absent: Vec<Descriptor> = Vec::new();
    for image in &base.images {
        absent.extend(image.absent()?);
    }
    absent.sort_by_key(|layer| layer.digest);
    absent.dedup_by_key(|layer| layer.digest);
    if absent.is_empty() {
        return Ok(absent);
    }
    match (shelf.registry, base.repository()) {
        (Some(registry), Some(from)) => registry
            .fetch(from, &absent, shelf.cache)
            .with_context(|| format!("cannot fetch the layers of `{}`", base.name))?,
        _ => return Err(base::not_here(base, &absent).into()),
    }
    shelf.cache.sync()?;
    Ok(absent)
}
