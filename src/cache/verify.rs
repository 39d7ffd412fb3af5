//! `cache verify`: every blob hashed again, and with `--repair` what is damaged fetched again from where it came from.
//!
//! Looking moves nothing away. A blob is put aside only when somebody may be asked for a good one, or when rbuild makes it again.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;

use crate::base::document::{self, Document};
use crate::digest::{Descriptor, Digest};
use crate::media::{self, DEEPEST};
use crate::reference::Reference;
use crate::registry::Registry;
use crate::store::{self, Store};

/// What a look at every byte found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) blobs: usize,
    pub(crate) bytes: u64,
    /// Sorted by digest.
    pub(crate) damaged: Vec<Damaged>,
    /// Entries of the index whose own blob is not here, with their names.
    pub(crate) dangling: Vec<String>,
}

/// A blob that is not what its name says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Damaged {
    pub(crate) digest: Digest,
    /// The digest of its bytes, or what else is at its place.
    pub(crate) found: String,
}

/// Hashes every blob again, on all cores, the largest first: whoever is done takes the next, so none is left alone with many.
pub(crate) fn verify(store: &Store) -> Result<Verified> {
    let mut blobs = store.blobs()?;
    blobs.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = AtomicUsize::new(0);
    let damaged = Mutex::new(Vec::new());
    std::thread::scope(|scope| -> Result<()> {
        let work = || look_at_each(store, (&blobs, &next), &damaged);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().expect("hashing does not panic")?;
        }
        Ok(())
    })?;
    let mut damaged = damaged.into_inner().expect("nobody panicked");
    damaged.sort();
    Ok(Verified {
        blobs: blobs.len(),
        bytes: blobs.iter().map(|(_, size)| size).sum(),
        damaged,
        dangling: dangling(store)?,
    })
}

fn look_at_each(
    store: &Store,
    (blobs, next): (&[(Digest, u64)], &AtomicUsize),
    damaged: &Mutex<Vec<Damaged>>,
) -> Result<(), store::Error> {
    while let Some((digest, _)) = blobs.get(next.fetch_add(1, Ordering::Relaxed)) {
        if let Some(found) = store.verify(digest)? {
            let digest = *digest;
            let mut damaged = damaged.lock().expect("nobody panics inside");
            damaged.push(Damaged { digest, found });
        }
    }
    Ok(())
}

fn dangling(store: &Store) -> Result<Vec<String>> {
    let absent = store.each_entry()?.filter(|entry| !store.holds(entry));
    let name = |entry: &Descriptor| entry.annotation(media::REF_NAME).map(str::to_owned);
    Ok(absent
        .map(|entry| name(&entry).unwrap_or_else(|| entry.digest.to_string()))
        .collect())
}

/// What a blob is, and which repository has it.
#[derive(Clone, Debug)]
struct Source {
    from: Reference,
    blob: Descriptor,
    is_manifest: bool,
}

/// Puts damaged blobs aside and fetches them again; gives those that nobody here knows a source of, and moves none of them.
///
/// Errors: those of the registry; what was put aside before is then missing, which the next build tells.
pub(crate) fn repair(
    store: &Store,
    damaged: &[Damaged],
    registry: &Registry,
) -> Result<Vec<Damaged>> {
    let mut left = damaged.to_vec();
    // A document that is good again may tell where others come from; each turn mends one at least.
    loop {
        let sources = sources(store)?;
        let (known, unknown): (Vec<Damaged>, Vec<Damaged>) = left
            .into_iter()
            .partition(|one| sources.contains_key(&one.digest));
        for one in &known {
            fetch(store, &sources[&one.digest], registry)?;
        }
        if known.is_empty() || unknown.is_empty() {
            return Ok(unknown);
        }
        left = unknown;
    }
}

fn fetch(store: &Store, source: &Source, registry: &Registry) -> Result<()> {
    let Source { from, blob, .. } = source;
    store.put_aside(&blob.digest)?;
    if !source.is_manifest {
        registry.fetch(from, std::slice::from_ref(blob), store)?;
        return Ok(store.sync()?);
    }
    let pinned = Reference {
        digest: Some(blob.digest),
        ..from.clone()
    };
    if let Some(fetched) = registry.manifest(&pinned)? {
        store.put(&fetched.media_type, &fetched.bytes)?;
        store.sync()?;
    }
    Ok(())
}

/// Where each blob below a named entry can be had.
fn sources(store: &Store) -> Result<BTreeMap<Digest, Source>> {
    let mut found = BTreeMap::new();
    for entry in store.each_entry()? {
        let name = entry.annotation(media::REF_NAME);
        if let Some(from) = name.and_then(|name| name.parse::<Reference>().ok()) {
            add(store, (&from, &entry, DEEPEST), &mut found);
        }
    }
    Ok(found)
}

fn add(
    store: &Store,
    (from, entry, depth): (&Reference, &Descriptor, usize),
    found: &mut BTreeMap<Digest, Source>,
) {
    let source = |blob: &Descriptor, is_manifest| Source {
        from: from.clone(),
        blob: blob.bare(),
        is_manifest,
    };
    if found.insert(entry.digest, source(entry, true)).is_some() || depth == 0 {
        return;
    }
    let Some(bytes) = store.peek_document(&entry.digest) else {
        return;
    };
    match document::read(&bytes, None) {
        Ok(Document::Index(children)) => {
            for child in &children {
                add(store, (from, child, depth - 1), found);
            }
        }
        Ok(Document::Manifest(manifest)) => {
            for blob in manifest.layers.iter().chain([&manifest.config]) {
                found
                    .entry(blob.digest)
                    .or_insert_with(|| source(blob, false));
            }
        }
        Err(_) => {}
    }
}
