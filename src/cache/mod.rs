//! What `rbuild cache …` looks at: which images a store names, how complete they are, whether their bytes are sound.
//!
//! Only `warm.rs` and `import.rs` change anything. Damage is reported, never repaired here.

pub(crate) mod entry;
pub(crate) mod export;
pub(crate) mod import;
mod reach;
mod unpack;
pub(crate) mod warm;

use std::collections::BTreeSet;

use anyhow::Result;

use crate::base::document::{self, Document, Manifest};
use crate::digest::{Descriptor, Digest};
use crate::media::{self, DEEPEST};
use crate::platform::Platform;
use crate::store::Store;

/// One entry of a store's index, as `cache ls` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The name under which it was recorded, if it was.
    pub(crate) name: Option<String>,
    pub(crate) digest: Digest,
    /// Those whose manifest and config are here.
    pub(crate) platforms: BTreeSet<Platform>,
    /// Whether every layer of these platforms is here too.
    pub(crate) full: bool,
    /// Bytes of all that is here, each blob once: manifests, configs and layers.
    pub(crate) size: u64,
}

/// The entries of the store, each name and digest once.
pub(crate) fn list(store: &Store) -> Result<Vec<Listed>> {
    let mut seen = BTreeSet::new();
    let mut listed = Vec::new();
    for entry in store.entries()? {
        let name = entry.annotation(media::REF_NAME).map(str::to_owned);
        if seen.insert((name.clone(), entry.digest)) {
            listed.push(Walk::over(&entry, name, store));
        }
    }
    Ok(listed)
}

/// A walk over all that is here below one entry. What cannot be read counts as not here; `verify` tells why.
struct Walk<'a> {
    store: &'a Store,
    /// What was counted, so that nothing is counted or opened twice.
    seen: BTreeSet<Digest>,
    listed: Listed,
}

impl Walk<'_> {
    fn over(entry: &Descriptor, name: Option<String>, store: &Store) -> Listed {
        let listed = Listed {
            name,
            digest: entry.digest,
            platforms: BTreeSet::new(),
            full: true,
            size: 0,
        };
        let mut walk = Walk {
            store,
            seen: BTreeSet::new(),
            listed,
        };
        walk.document(entry, DEEPEST);
        walk.listed.full &= !walk.listed.platforms.is_empty();
        walk.listed
    }

    /// Adds a manifest or an index, below which `depth` more indexes may lie.
    fn document(&mut self, entry: &Descriptor, depth: usize) {
        if self.seen.contains(&entry.digest) {
            return;
        }
        let Ok(Some(bytes)) = self.store.document(&entry.digest, Some(entry.size)) else {
            self.seen.insert(entry.digest);
            return;
        };
        self.count(entry);
        match document::read(&bytes, None) {
            Ok(Document::Index(children)) if depth > 0 => {
                children
                    .iter()
                    .for_each(|child| self.document(child, depth - 1));
            }
            Ok(Document::Manifest(manifest)) => self.image(&manifest, entry),
            _ => {}
        }
    }

    fn image(&mut self, manifest: &Manifest, entry: &Descriptor) {
        let announced = entry.rest.get("platform");
        let platform =
            announced.map_or_else(|| platform_of(manifest, self.store), Platform::from_value);
        let (Some(platform), true) = (platform, self.store.holds(&manifest.config)) else {
            return;
        };
        self.listed.platforms.insert(platform);
        self.count(&manifest.config);
        for layer in &manifest.layers {
            match self.store.holds(layer) {
                true => self.count(layer),
                false => self.listed.full = false,
            }
        }
    }

    fn count(&mut self, blob: &Descriptor) {
        if self.seen.insert(blob.digest) {
            self.listed.size += blob.size;
        }
    }
}

fn platform_of(manifest: &Manifest, store: &Store) -> Option<Platform> {
    let bytes = store
        .document(&manifest.config.digest, Some(manifest.config.size))
        .ok()??;
    Platform::from_value(&document::config(&bytes, manifest.layers.len()).ok()?)
}

/// What a look at every byte found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) blobs: usize,
    pub(crate) bytes: u64,
    pub(crate) damaged: Vec<Digest>,
    /// Entries of the index whose own blob is not here, with their names.
    pub(crate) dangling: Vec<String>,
}

/// Hashes every blob again, on all cores.
pub(crate) fn verify(store: &Store) -> Result<Verified> {
    let blobs = store.blobs()?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let shares: Vec<&[(Digest, u64)]> =
        blobs.chunks(blobs.len().div_ceil(threads).max(1)).collect();
    let mut damaged = Vec::new();
    std::thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = shares
            .iter()
            .map(|share| scope.spawn(|| damaged_of(store, share)))
            .collect();
        for worker in workers {
            damaged.extend(worker.join().expect("hashing does not panic")?);
        }
        Ok(())
    })?;
    let bytes = blobs.iter().map(|(_, size)| size).sum();
    Ok(Verified {
        blobs: blobs.len(),
        bytes,
        damaged,
        dangling: dangling(store)?,
    })
}

fn damaged_of(store: &Store, share: &[(Digest, u64)]) -> Result<Vec<Digest>> {
    let mut damaged = Vec::new();
    for (digest, _) in share {
        if !store.verify(digest)? {
            damaged.push(*digest);
        }
    }
    Ok(damaged)
}

fn dangling(store: &Store) -> Result<Vec<String>> {
    let absent = store
        .entries()?
        .into_iter()
        .filter(|entry| !store.holds(entry));
    let name = |entry: &Descriptor| entry.annotation(media::REF_NAME).map(str::to_owned);
    Ok(absent
        .map(|entry| name(&entry).unwrap_or_else(|| entry.digest.to_string()))
        .collect())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_carry;
