//! From names to a lock: each is resolved as a build would, and what it means is written down.
//!
//! What an earlier lock said the same of keeps its time, so that pinning twice changes no byte.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::base::document::{self, Document};
use crate::base::lock::{self, Lock, LockedBase, LockedImage, Source};
use crate::base::{Base, BaseImage, Choice, Resolved, Shelf, resolve_reference};
use crate::config::Config;
use crate::digest::Digest;
use crate::fault::Fault;
use crate::reference::Reference;

/// Pins `names` for the images of `choice`; those that the lock of the shelf holds stay what they are. `time` is now, in RFC 3339.
///
/// Errors: those of [`crate::base::resolve`].
pub(crate) fn pin(
    names: &[Reference],
    (choice, config): (Choice<'_>, &Config),
    (shelf, time): (Shelf<'_>, &str),
) -> Result<Lock> {
    let mut bases = Vec::new();
    for name in names {
        bases.push(pinned(name, choice, (shelf, time))?);
    }
    bases.sort_by_key(|base| base.name.to_string());
    bases.dedup_by(|one, other| one.name == other.name);
    Ok(Lock {
        configuration: lock::configuration(config),
        bases,
    })
}

fn pinned(
    name: &Reference,
    choice: Choice<'_>,
    (shelf, time): (Shelf<'_>, &str),
) -> Result<LockedBase> {
    let Resolved { base, news, .. } = resolve_reference(name, choice, shelf)?;
    let was_told = news.is_some();
    news.map_or(Ok(()), |news| news.record(shelf))?;
    let known = shelf.lock.and_then(|lock| lock.base(name));
    let source = match (known, &name.digest) {
        (Some(known), _) => known.source,
        (None, Some(_)) => Source::Name,
        (None, None) if was_told => Source::Registry,
        (None, None) => Source::Cache,
    };
    locked(name, &base, (shelf, source, time))
}

fn locked(
    name: &Reference,
    base: &Base,
    (shelf, source, time): (Shelf<'_>, Source, &str),
) -> Result<LockedBase> {
    let digest = base.digest().ok_or_else(|| nothing(name))?;
    let images = base.images.iter().map(|one| image(one, name, shelf));
    let mut images: Vec<LockedImage> = images.collect::<Result<_>>()?;
    images.sort_by_key(|image| image.platform.to_string());
    images.dedup_by(|one, other| one.platform == other.platform);
    Ok(LockedBase {
        name: name.clone(),
        digest,
        media_type: document::media_type_of(&bytes(&digest, name, shelf)?)?,
        is_index: base.index.is_some(),
        source,
        time: time.to_owned(),
        images,
    })
}

fn image(image: &BaseImage, name: &Reference, shelf: Shelf<'_>) -> Result<LockedImage> {
    let manifest = image.digest.ok_or_else(|| nothing(name))?;
    let bytes = bytes(&manifest, name, shelf)?;
    let Document::Manifest(read) = document::read(&bytes, None)? else {
        return Err(nothing(name).into());
    };
    Ok(LockedImage {
        platform: image.platform.clone(),
        manifest,
        media_type: document::media_type_of(&bytes)?,
        config: read.config.digest,
    })
}

/// A document that was read a moment ago.
fn bytes(digest: &Digest, name: &Reference, shelf: Shelf<'_>) -> Result<Vec<u8>> {
    for store in [shelf.cache, shelf.spare] {
        if let Some(bytes) = store.document(digest, None)? {
            return Ok(bytes);
        }
    }
    Err(nothing(name).into())
}

fn nothing(name: &Reference) -> Fault {
    Fault::integrity(format!("`{name}` has nothing that could be pinned"))
}

/// Every digest of a lock, by what it is the digest of.
fn digests(lock: &Lock) -> BTreeMap<String, Digest> {
    let mut digests = BTreeMap::new();
    for base in &lock.bases {
        digests.insert(base.name.to_string(), base.digest);
        let images = base.images.iter();
        digests.extend(images.map(|one| (format!("{} {}", base.name, one.platform), one.manifest)));
    }
    digests
}

impl Lock {
    /// What is not as it was in an earlier lock, one line for each digest: `NAME [PLATFORM]: OLD → NEW`.
    pub(crate) fn changes(&self, earlier: Option<&Lock>) -> Vec<String> {
        let before = earlier.map(digests).unwrap_or_default();
        let after = digests(self);
        let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let word = |digest: Option<&Digest>| digest.map_or("-".to_owned(), Digest::to_string);
        let changed = all
            .into_iter()
            .filter(|what| before.get(*what) != after.get(*what));
        changed
            .map(|what| {
                let (old, new) = (word(before.get(what)), word(after.get(what)));
                format!("{what}: {old} → {new}")
            })
            .collect()
    }

    /// The same lock, with the entries of an earlier one where they say the same.
    pub(crate) fn after(mut self, earlier: Option<&Lock>) -> Lock {
        for base in &mut self.bases {
            let known = earlier.and_then(|lock| lock.base(&base.name));
            if let Some(known) = known.filter(|known| known.means(base)) {
                base.clone_from(known);
            }
        }
        self
    }
}
