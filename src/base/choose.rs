//! From a name to the images of the platforms: tag, index, child, config.
//!
//! Children of an index are found by blob, never by membership in `index.json` (ko issue 295 and its kin).
//! Nothing here knows a network: what must be read comes through [`Documents`].

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::base::absent;
use crate::base::document::{self, Document, Manifest};
use crate::base::documents::Documents;
use crate::base::name::{Name, Pick};
use crate::base::tag::{self, Meaning, News};
use crate::base::walk::{Offer, Pointer, Walk, config_here, damaged};
use crate::base::{Base, BaseImage, Choice, Resolved, Shelf};
use crate::digest::{Descriptor, Digest};
use crate::fault::Fault;
use crate::platform::Platform;
use crate::reference::Reference;
use crate::store::Store;

/// Resolves one entry of a layout on disk.
pub(crate) fn from_layout(
    name: &Name,
    pick: &Pick,
    choice: Choice<'_>,
    store: &Store,
) -> Result<Base> {
    if !store.root().is_dir() {
        return Err(absent::no_directory(store).into());
    }
    let root = match pick {
        Pick::Digest(digest) => Pointer::pinned(*digest),
        Pick::Named(wanted) => {
            let found = store.find(std::slice::from_ref(wanted))?;
            Pointer::of(&found.ok_or_else(|| absent::no_such_name(wanted, store))?)
        }
        Pick::Only => Pointer::of(&only_entry(store)?),
    };
    images(name, root, choice, &Documents::of_layout(store))
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

/// Resolves a reference: the digest if there is one, else what the tag means. What a registry said is for the caller to record.
pub(crate) fn from_reference(
    reference: &Reference,
    choice: Choice<'_>,
    shelf: Shelf<'_>,
) -> Result<Resolved> {
    let pinned = shelf.lock.and_then(|lock| lock.pinned(reference));
    let meant = pinned.as_ref().unwrap_or(reference);
    let documents = Documents::of_reference(meant, choice, shelf);
    let found = root(meant, choice, (&documents, shelf));
    let (root, is_news) = found.map_err(|error| match pinned {
        Some(_) => absent::locked(error),
        None => error,
    })?;
    let name = Name::Reference(reference.clone());
    let digest = root.digest;
    let base = images(&name, root, choice, &documents)?;
    shelf
        .lock
        .map_or(Ok(()), |lock| lock.check(&base, reference))?;
    let bytes = match is_news {
        true => documents.manifest(&digest, None)?,
        false => None,
    };
    let news = bytes.map(|bytes| News::of(meant, digest, &bytes));
    Ok(Resolved {
        base,
        news: news.transpose()?,
        fetched: documents.fetched(),
    })
}

/// What a reference points at, and whether that is the registry's word, to be recorded.
fn root(
    reference: &Reference,
    choice: Choice<'_>,
    (documents, shelf): (&Documents<'_>, Shelf<'_>),
) -> Result<(Pointer, bool)> {
    let Some(digest) = reference.digest else {
        return Ok(match tag::meaning(reference, choice, shelf)? {
            Meaning::Recorded(found) => (Pointer::of(&found), false),
            Meaning::Asked(digest) => (Pointer::pinned(digest), true),
        });
    };
    let is_here = documents.holds(&digest)?;
    if !is_here && shelf.registry.is_none() {
        return Err(absent::pin_not_here(reference, choice, shelf.cache).into());
    }
    Ok((Pointer::pinned(digest), !is_here))
}

fn images(
    name: &Name,
    root: Pointer,
    choice: Choice<'_>,
    documents: &Documents<'_>,
) -> Result<Base> {
    let bytes = read(&root, documents)?;
    let document =
        document::read(&bytes, root.media_type.as_deref()).with_context(|| damaged(&root))?;
    let mut base = Base {
        name: name.clone(),
        images: Vec::new(),
        index: None,
        left_out: Vec::new(),
    };
    let mut walk = Walk::new(documents, root.digest);
    match document {
        Document::Index(children) => {
            base.index = Some(root.digest);
            walk.begin(&children)?;
        }
        Document::Manifest(manifest) => walk.offers.push(Offer {
            platform: platform_of(&manifest, &root, documents)?,
            pointer: root,
        }),
    }
    let chosen = walk.chosen(choice)?;
    if matches!(choice, Choice::Compilable) {
        base.left_out = walk.left_out();
    }
    let contents = contents(&chosen, documents)?;
    let image = |offer: Offer| {
        let content = contents[&offer.pointer.digest].clone();
        image(offer, content, documents)
    };
    base.images = chosen.into_iter().map(image).collect();
    Ok(base)
}

fn platform_of(
    manifest: &Manifest,
    pointer: &Pointer,
    documents: &Documents<'_>,
) -> Result<Platform> {
    if let Some(platform) = &pointer.platform {
        return Ok(platform.clone());
    }
    let config = config_of(manifest, pointer, documents)?;
    Platform::from_value(&config).ok_or_else(|| {
        Fault::integrity(format!(
            "the config {} names no os and architecture",
            manifest.config.digest
        ))
        .hint(
            "its maker left them out; `crane mutate --set-platform linux/amd64 IMAGE` puts them in",
        )
        .into()
    })
}

/// Manifest and config of an image.
type Content = (Manifest, Value);

/// What the offers hold, each read once, several side by side where they may have to be fetched.
fn contents(offers: &[Offer], documents: &Documents<'_>) -> Result<BTreeMap<Digest, Content>> {
    let mut seen = BTreeSet::new();
    let mut pointers: Vec<&Pointer> = offers.iter().map(|offer| &offer.pointer).collect();
    pointers.retain(|pointer| seen.insert(pointer.digest));
    pointers
        .chunks(documents.at_once())
        .flat_map(|some| side_by_side(some, documents))
        .collect()
}

fn side_by_side(
    pointers: &[&Pointer],
    documents: &Documents<'_>,
) -> Vec<Result<(Digest, Content)>> {
    if let [pointer] = pointers {
        return vec![content(pointer, documents)];
    }
    std::thread::scope(|scope| {
        let read = |pointer| scope.spawn(move || content(pointer, documents));
        let readers: Vec<_> = pointers.iter().map(|pointer| read(*pointer)).collect();
        let done = readers.into_iter();
        done.map(|reader| reader.join().expect("a reader does not panic"))
            .collect()
    })
}

fn content(pointer: &Pointer, documents: &Documents<'_>) -> Result<(Digest, Content)> {
    let bytes = read(pointer, documents)?;
    let document =
        document::read(&bytes, pointer.media_type.as_deref()).with_context(|| damaged(pointer))?;
    let Document::Manifest(manifest) = document else {
        return Err(Fault::integrity(format!(
            "{} is announced as an image but is an index",
            pointer.digest
        ))
        .into());
    };
    let config = config_of(&manifest, pointer, documents)?;
    Ok((pointer.digest, (manifest, config)))
}

fn image(offer: Offer, (manifest, config): Content, documents: &Documents<'_>) -> BaseImage {
    BaseImage {
        platform: offer.platform,
        family: manifest.family,
        config,
        layers: manifest.layers,
        annotations: manifest.annotations,
        name: None,
        digest: Some(offer.pointer.digest),
        source: documents.source(),
    }
}

fn config_of(manifest: &Manifest, of: &Pointer, documents: &Documents<'_>) -> Result<Value> {
    let found = config_here(manifest, documents)?;
    let config = || Pointer {
        platform: of.platform.clone(),
        ..Pointer::of(&manifest.config)
    };
    Ok(found.ok_or_else(|| documents.absent("config", &config()))?)
}

fn read(pointer: &Pointer, documents: &Documents<'_>) -> Result<Vec<u8>> {
    let bytes = documents.manifest(&pointer.digest, pointer.size)?;
    Ok(bytes.ok_or_else(|| documents.absent("manifest", pointer))?)
}
