//! `cache ls`: which images a store names, how complete they are, how old, and who needs them.
//!
//! Only looks. What cannot be read counts as not here; `verify` tells why.

use std::collections::BTreeSet;
use std::time::SystemTime;

use anyhow::Result;

use crate::base;
use crate::base::document::{self, Document, Manifest};
use crate::digest::{Descriptor, Digest};
use crate::json;
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
    /// When its registry was last asked; of a name that another tool wrote, when its manifest was written.
    pub(crate) recorded: Option<SystemTime>,
    /// Who needs it: `config`, `lock`, `record`.
    pub(crate) used_by: Vec<&'static str>,
}

/// What is known of who needs which base.
#[derive(Clone, Debug, Default)]
pub(crate) struct Project {
    /// Names under which a base of the configuration may be recorded.
    pub(crate) names: BTreeSet<String>,
    /// Digests that the configuration pins.
    pub(crate) pins: BTreeSet<Digest>,
    /// Digests that builder.lock names.
    pub(crate) locked: BTreeSet<Digest>,
    /// Digests of bases that kept images were built on.
    pub(crate) built_on: BTreeSet<Digest>,
}

impl Project {
    /// `below`: the entry's digest and those that it leads to.
    fn uses(&self, name: Option<&str>, below: &BTreeSet<Digest>) -> Vec<&'static str> {
        let config =
            !self.pins.is_disjoint(below) || name.is_some_and(|name| self.names.contains(name));
        let reasons = [
            (config, "config"),
            (!self.locked.is_disjoint(below), "lock"),
            (!self.built_on.is_disjoint(below), "record"),
        ];
        reasons
            .into_iter()
            .filter(|(is_so, _)| *is_so)
            .map(|(_, word)| word)
            .collect()
    }
}

/// The annotation that names the base of an image by its digest; image-spec, annotations.md.
const BASE_DIGEST: &str = "/annotations/org.opencontainers.image.base.digest";

/// The bases that the images of a store were built on, as they say themselves.
pub(crate) fn built_on(images: &Store) -> Result<BTreeSet<Digest>> {
    let base_of = |entry: Descriptor| {
        let document = json::parse(&images.peek_document(&entry.digest)?).ok()?;
        document.pointer(BASE_DIGEST)?.as_str()?.parse().ok()
    };
    Ok(images.each_entry()?.filter_map(base_of).collect())
}

/// The entries of the store, each name and digest once, sorted by both.
pub(crate) fn list(store: &Store, project: &Project) -> Result<Vec<Listed>> {
    let named = |entry: Descriptor| {
        let name = entry.annotation(media::REF_NAME).map(str::to_owned);
        (name, entry.bare())
    };
    let mut entries: Vec<(Option<String>, Descriptor)> = store.each_entry()?.map(named).collect();
    entries.sort_by(|(one, left), (other, right)| (one, left.digest).cmp(&(other, right.digest)));
    entries.dedup_by(|(one, left), (other, right)| one == other && left.digest == right.digest);
    Ok(walk_all(&mut entries, (store, project)))
}

/// Walks over all entries, a share on each core; takes their names.
fn walk_all(
    entries: &mut [(Option<String>, Descriptor)],
    (store, project): (&Store, &Project),
) -> Vec<Listed> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let count = entries.len();
    let share = count.div_ceil(threads).max(1);
    let over = |(name, entry): &mut (Option<String>, Descriptor)| {
        Walk::over(entry, name.take(), (store, project))
    };
    std::thread::scope(|scope| {
        let walk =
            |share| scope.spawn(move || <[_]>::iter_mut(share).map(over).collect::<Vec<_>>());
        let workers: Vec<_> = entries.chunks_mut(share).map(walk).collect();
        let mut all = Vec::with_capacity(count);
        for worker in workers {
            all.append(&mut worker.join().expect("a walk does not panic"));
        }
        all
    })
}

/// A walk over all that is here below one entry. What cannot be read counts as not here; `verify` tells why.
struct Walk<'a> {
    store: &'a Store,
    /// What was counted, so that nothing is counted or opened twice.
    seen: BTreeSet<Digest>,
    listed: Listed,
}

impl Walk<'_> {
    fn over(
        entry: &Descriptor,
        name: Option<String>,
        (store, project): (&Store, &Project),
    ) -> Listed {
        let asked = name
            .as_ref()
            .and_then(|name| base::asked_at(name, &entry.digest, store));
        let listed = Listed {
            recorded: asked.or_else(|| store.recorded_at(&entry.digest)),
            used_by: Vec::new(),
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
        walk.listed.used_by = project.uses(walk.listed.name.as_deref(), &walk.seen);
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
