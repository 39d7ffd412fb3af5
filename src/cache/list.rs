//! `cache ls`: which images a store names, how complete they are, how old, and who needs them.
//!
//! Only looks. What cannot be read counts as not here; `verify` tells why.

use std::collections::BTreeSet;
use std::time::SystemTime;

use anyhow::Result;

use crate::base::Asked;
use crate::base::document::{self, Document, Manifest};
use crate::digest::{Descriptor, Digest};
use crate::json;
use crate::media::{self, DEEPEST};
use crate::platform::Platform;
use crate::store::{IndexEntry, Sight, Store};

/// One entry of a store's index, as `cache ls` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The name under which it was recorded, if it was.
    pub(crate) name: Option<String>,
    pub(crate) digest: Digest,
    /// Those whose manifest and config are here, sorted, each once.
    pub(crate) platforms: Vec<Platform>,
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
    let (entries, sight) = std::thread::scope(|scope| {
        let sight = scope.spawn(|| store.sight());
        (
            store.unread_entries(),
            sight.join().expect("a look does not panic"),
        )
    });
    let look = Look {
        store,
        project,
        sight: sight?,
        asked: Asked::of(store),
    };
    let mut listed = look.at_all(entries?);
    listed.sort_by(|one, other| (&one.name, one.digest).cmp(&(&other.name, other.digest)));
    listed.dedup_by(|one, other| one.name == other.name && one.digest == other.digest);
    Ok(listed)
}

/// What every walk looks at.
struct Look<'a> {
    store: &'a Store,
    project: &'a Project,
    sight: Sight,
    asked: Asked<'a>,
}

impl Look<'_> {
    /// A share of the entries on each core.
    fn at_all(&self, mut entries: Vec<IndexEntry>) -> Vec<Listed> {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let share = entries.len().div_ceil(threads);
        std::thread::scope(|scope| {
            let mut workers = Vec::new();
            while !entries.is_empty() {
                let rest = entries.split_off(share.min(entries.len()));
                let mine = std::mem::replace(&mut entries, rest).into_iter();
                workers.push(scope.spawn(|| self.at_some(mine)));
            }
            let walked = workers
                .into_iter()
                .map(|worker| worker.join().expect("a walk does not panic"));
            walked.flatten().collect()
        })
    }

    fn at_some(&self, entries: impl Iterator<Item = IndexEntry>) -> Vec<Listed> {
        let entries = entries.filter_map(|entry| entry.descriptor());
        entries.map(|entry| Walk::over(&entry, self)).collect()
    }
}

/// A walk over all that is here below one entry. What cannot be read counts as not here; `verify` tells why.
struct Walk<'a> {
    sight: &'a Sight,
    /// What was counted, so that nothing is counted or opened twice.
    seen: BTreeSet<Digest>,
    listed: Listed,
}

impl Walk<'_> {
    fn over(entry: &Descriptor, look: &Look<'_>) -> Listed {
        let name = entry.annotation(media::REF_NAME);
        let listed = Listed {
            recorded: name.and_then(|name| look.asked.at(name, &entry.digest)),
            used_by: Vec::new(),
            name: name.map(str::to_owned),
            digest: entry.digest,
            platforms: Vec::new(),
            full: true,
            size: 0,
        };
        let mut walk = Walk {
            sight: &look.sight,
            seen: BTreeSet::new(),
            listed,
        };
        walk.document(entry, DEEPEST);
        let mut listed = walk.listed;
        let modified = || look.store.recorded_at(&entry.digest);
        listed.recorded = listed.recorded.or_else(modified);
        listed.used_by = look.project.uses(name, &walk.seen);
        listed.platforms.sort();
        listed.platforms.dedup();
        listed.full &= !listed.platforms.is_empty();
        listed
    }

    /// Adds a manifest or an index, below which `depth` more indexes may lie.
    fn document(&mut self, entry: &Descriptor, depth: usize) {
        if self.seen.contains(&entry.digest) {
            return;
        }
        let Some((bytes, file)) = self.sight.document(entry) else {
            self.seen.insert(entry.digest);
            return;
        };
        let modified = || file.metadata().and_then(|found| found.modified()).ok();
        self.listed.recorded = self.listed.recorded.or_else(modified);
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
        let platform = match entry.rest.get("platform") {
            None => platform_of(manifest, self.sight),
            Some(announced) => {
                Platform::from_value(announced).filter(|_| self.sight.holds(&manifest.config))
            }
        };
        let Some(platform) = platform else {
            return;
        };
        self.listed.platforms.push(platform);
        self.count(&manifest.config);
        for layer in &manifest.layers {
            match self.sight.holds(layer) {
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

fn platform_of(manifest: &Manifest, sight: &Sight) -> Option<Platform> {
    let (bytes, _) = sight.document(&manifest.config)?;
    Platform::from_value(&document::config(&bytes, manifest.layers.len()).ok()?)
}
