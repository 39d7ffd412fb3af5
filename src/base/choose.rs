//! From a name to the images of the platforms: tag, index, child, config.
//!
//! Children of an index are found by blob, never by membership in `index.json` (ko issue 295 and its kin).
//! Nothing here writes, and nothing here knows a network.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::base::absent;
use crate::base::document::{self, Document, Manifest};
use crate::base::name::{Name, Pick};
use crate::base::{Base, BaseImage, Shelf, Source};
use crate::digest::{Descriptor, Digest};
use crate::fault::{Fault, Kind};
use crate::media;
use crate::platform::Platform;
use crate::reference::Reference;
use crate::store::Store;

/// How deep indexes may nest.
const DEEPEST: usize = 3;

/// A pointer to a manifest or index: descriptors know type and size, references only the digest.
#[derive(Clone, Debug)]
struct Pointer {
    digest: Digest,
    media_type: Option<String>,
    size: Option<u64>,
    platform: Option<Platform>,
}

impl Pointer {
    fn of(descriptor: &Descriptor) -> Pointer {
        Pointer {
            digest: descriptor.digest,
            media_type: Some(descriptor.media_type.clone()),
            size: Some(descriptor.size),
            platform: descriptor
                .rest
                .get("platform")
                .and_then(Platform::from_value),
        }
    }

    fn pinned(digest: Digest) -> Pointer {
        Pointer {
            digest,
            media_type: None,
            size: None,
            platform: None,
        }
    }
}

/// An image that a base offers, with its manifest still unread where the index told the platform.
struct Offer {
    platform: Platform,
    pointer: Pointer,
}

/// Resolves one entry of a layout on disk.
pub(crate) fn from_layout(
    name: &Name,
    pick: &Pick,
    platforms: &[Platform],
    store: &Store,
) -> Result<Base> {
    let root = match pick {
        Pick::Digest(digest) => Pointer::pinned(*digest),
        Pick::Named(wanted) => {
            let found = store.find(std::slice::from_ref(wanted))?;
            Pointer::of(&found.ok_or_else(|| absent::no_such_name(wanted, store))?)
        }
        Pick::Only => Pointer::of(&only_entry(store)?),
    };
    images(name, root, platforms, store)
}

fn only_entry(store: &Store) -> Result<Descriptor> {
    let mut entries = store.entries()?;
    entries.dedup_by_key(|entry| entry.digest);
    match entries.len() {
        1 => Ok(entries.remove(0)),
        0 => Err(absent::empty_layout(store).into()),
        _ => Err(absent::several_entries(&entries, store).into()),
    }
}

/// Resolves a reference from the cache: the digest if there is one, else the recorded tag.
pub(crate) fn from_cache(
    name: &Name,
    reference: &Reference,
    platforms: &[Platform],
    shelf: Shelf<'_>,
) -> Result<Base> {
    let cache = shelf.cache;
    let root = match reference.digest {
        Some(digest) => Pointer::pinned(digest),
        None => {
            let found = cache.find(&reference.recorded_names())?;
            let found = found.ok_or_else(|| absent::no_such_tag(reference, cache))?;
            shelf
                .notes
                .say(absent::recorded_tag(reference, &found, shelf));
            Pointer::of(&found)
        }
    };
    if reference.digest.is_some() && cache.document(&root.digest, None)?.is_none() {
        return Err(absent::pin_not_here(reference, platforms, cache).into());
    }
    images(name, root, platforms, cache)
}

fn images(name: &Name, root: Pointer, platforms: &[Platform], store: &Store) -> Result<Base> {
    let bytes = read(&root, store)?;
    let document =
        document::read(&bytes, root.media_type.as_deref()).with_context(|| damaged(&root))?;
    let mut base = Base {
        name: name.clone(),
        images: Vec::new(),
        index: None,
    };
    let mut walk = Walk::new(store, root.digest);
    match document {
        Document::Index(children) => {
            base.index = Some(root.digest);
            walk.enter(&children, DEEPEST)?;
        }
        Document::Manifest(manifest) => walk.offers.push(Offer {
            platform: platform_of(&manifest, &root, store)?,
            pointer: root,
        }),
    }
    for platform in platforms {
        let offer = walk.best(platform)?;
        base.images.push(image(platform, &offer.pointer, store)?);
    }
    Ok(base)
}

/// A walk from an index down to every image that can be told apart by platform. Unknown entries are passed over, because an
/// index may list images that nobody wants here; damage is an error.
struct Walk<'a> {
    store: &'a Store,
    seen: BTreeSet<Digest>,
    offers: Vec<Offer>,
    /// The first document that had to be opened and is not here: what would have fitted may lie behind it.
    absent: Option<Fault>,
}

impl<'a> Walk<'a> {
    fn new(store: &'a Store, root: Digest) -> Walk<'a> {
        Walk {
            store,
            seen: BTreeSet::from([root]),
            offers: Vec::new(),
            absent: None,
        }
    }

    /// Looks at the children of an index, below which `depth` more may lie.
    fn enter(&mut self, children: &[Descriptor], depth: usize) -> Result<()> {
        for child in children {
            let pointer = Pointer::of(child);
            let unknown = child.rest.contains_key("platform") && pointer.platform.is_none();
            if unknown || !self.seen.insert(child.digest) {
                continue;
            }
            if media::is_index(&child.media_type) {
                self.nested(&pointer, depth)?;
            } else if media::is_manifest(&child.media_type) {
                self.offered(pointer)?;
            }
        }
        Ok(())
    }

    fn nested(&mut self, pointer: &Pointer, depth: usize) -> Result<()> {
        let Some(depth) = depth.checked_sub(1) else {
            let message = format!("its indexes nest deeper than {DEEPEST} levels");
            return Err(Fault::new(Kind::Disk, message).into());
        };
        match self.open("index", pointer)? {
            Some(Document::Index(children)) => self.enter(&children, depth),
            _ => Ok(()),
        }
    }

    /// A child manifest whose entry tells no platform must be opened for its config's.
    fn offered(&mut self, pointer: Pointer) -> Result<()> {
        let platform = match &pointer.platform {
            Some(platform) => Some(platform.clone()),
            None => self.platform_in(&pointer)?,
        };
        self.offers
            .extend(platform.map(|platform| Offer { platform, pointer }));
        Ok(())
    }

    /// The platform that the config of a manifest names; `None` for what is no image, a signature for instance.
    fn platform_in(&mut self, pointer: &Pointer) -> Result<Option<Platform>> {
        let Some(Document::Manifest(manifest)) = self.open("manifest", pointer)? else {
            return Ok(None);
        };
        if !media::is_config(&manifest.config.media_type) {
            return Ok(None);
        }
        let Some(config) = config_here(&manifest, self.store)? else {
            self.miss("config", &Pointer::of(&manifest.config));
            return Ok(None);
        };
        Ok(Platform::from_value(&config))
    }

    /// The document that a child points at; `None` if it is not here, which is remembered.
    fn open(&mut self, what: &str, pointer: &Pointer) -> Result<Option<Document>> {
        let Some(bytes) = self.store.document(&pointer.digest, pointer.size)? else {
            self.miss(what, pointer);
            return Ok(None);
        };
        let document = document::read(&bytes, pointer.media_type.as_deref());
        document.map(Some).with_context(|| damaged(pointer))
    }

    fn miss(&mut self, what: &str, pointer: &Pointer) {
        let store = self.store;
        self.absent
            .get_or_insert_with(|| absent::blob(what, &pointer.digest, pointer.size, store));
    }

    /// The same platform to the letter, else the first that will do. None at all is a refusal only if all of the index was seen.
    fn best(&self, wanted: &Platform) -> Result<&Offer, Fault> {
        let exact = self.offers.iter().find(|offer| offer.platform == *wanted);
        let fits = |offer: &&Offer| wanted.accepts(&offer.platform);
        let found = exact.or_else(|| self.offers.iter().find(fits));
        found.ok_or_else(|| match &self.absent {
            Some(absent) => absent
                .clone()
                .because(format!("what is here has no image for {wanted}")),
            None => no_platform(wanted, &self.offers),
        })
    }
}

fn platform_of(manifest: &Manifest, pointer: &Pointer, store: &Store) -> Result<Platform> {
    if let Some(platform) = &pointer.platform {
        return Ok(platform.clone());
    }
    let config = config_of(manifest, store)?;
    Platform::from_value(&config).ok_or_else(|| {
        Fault::integrity(format!(
            "the config {} names no os and architecture",
            manifest.config.digest
        ))
        .into()
    })
}

fn no_platform(wanted: &Platform, offers: &[Offer]) -> Fault {
    let names: BTreeSet<String> = offers
        .iter()
        .map(|offer| offer.platform.to_string())
        .collect();
    let offered = if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.into_iter().collect::<Vec<_>>().join(", ")
    };
    Fault::refused(format!("it has no image for {wanted}"))
        .because(format!("it offers {offered}"))
        .hint("choose one of these with `--platform`, or another base with `--base`")
}

fn image(platform: &Platform, pointer: &Pointer, store: &Store) -> Result<BaseImage> {
    let bytes = read(pointer, store)?;
    let document =
        document::read(&bytes, pointer.media_type.as_deref()).with_context(|| damaged(pointer))?;
    let Document::Manifest(manifest) = document else {
        return Err(Fault::integrity(format!(
            "{} is announced as an image but is an index",
            pointer.digest
        ))
        .into());
    };
    Ok(BaseImage {
        platform: platform.clone(),
        family: manifest.family,
        config: config_of(&manifest, store)?,
        layers: manifest.layers,
        annotations: manifest.annotations,
        name: None,
        digest: Some(pointer.digest),
        source: Source::Store(store.clone()),
    })
}

fn config_of(manifest: &Manifest, store: &Store) -> Result<Value> {
    let config = &manifest.config;
    let found = config_here(manifest, store)?;
    Ok(found.ok_or_else(|| absent::blob("config", &config.digest, Some(config.size), store))?)
}

fn config_here(manifest: &Manifest, store: &Store) -> Result<Option<Value>> {
    let config = &manifest.config;
    let Some(bytes) = store.document(&config.digest, Some(config.size))? else {
        return Ok(None);
    };
    let read = document::config(&bytes, manifest.layers.len());
    read.map(Some)
        .with_context(|| format!("the config {} is damaged", config.digest))
}

fn read(pointer: &Pointer, store: &Store) -> Result<Vec<u8>> {
    let bytes = store.document(&pointer.digest, pointer.size)?;
    Ok(bytes.ok_or_else(|| absent::blob("manifest", &pointer.digest, pointer.size, store))?)
}

fn damaged(pointer: &Pointer) -> String {
    format!("cannot use the manifest {}", pointer.digest)
}
