//! Which images of the cache somebody means who types names and digests for an export.

use anyhow::Result;

use crate::base::document;
use crate::cache::entry;
use crate::digest::{Descriptor, Digest};
use crate::fault::{Fault, Kind};
use crate::reference::Reference;
use crate::store::Store;

/// The entries of `img` that are meant by names or digests, sorted; all of them if there is no name.
///
/// Errors: an image that is not here, or one that rbuild built, which lies in `build`.
pub(super) fn chosen(images: &[String], (img, build): (&Store, &Store)) -> Result<Vec<Descriptor>> {
    let entries = img.entries()?;
    if images.is_empty() {
        return Ok(entry::sorted(entries));
    }
    let mut chosen = Vec::new();
    for image in images {
        let found = find(image, &entries, img)?;
        if found.is_empty() {
            return Err(built(image, build)?
                .unwrap_or_else(|| unknown(image, &entries, img))
                .into());
        }
        chosen.extend(found);
    }
    Ok(entry::sorted(chosen))
}

/// The entries that a user means: those of a digest, or the last one of a name. A digest needs no entry.
fn find(image: &str, entries: &[Descriptor], store: &Store) -> Result<Vec<Descriptor>> {
    match digest_of(image) {
        Some(digest) => by_digest(digest, entries, store),
        None => Ok(entries
            .iter()
            .rev()
            .find(|one| has_name(one, image))
            .cloned()
            .into_iter()
            .collect()),
    }
}

/// The digest that a user typed, alone or behind a name.
fn digest_of(image: &str) -> Option<Digest> {
    let reference = image.parse::<Reference>().ok();
    image.parse().ok().or_else(|| reference?.digest)
}

/// Whether the entry has the name as it was typed, or its full form.
fn has_name(entry: &Descriptor, image: &str) -> bool {
    let Some(name) = entry::name(entry) else {
        return false;
    };
    let full = image.parse::<Reference>().ok().map(|one| one.to_string());
    name == image || Some(name) == full
}

fn by_digest(digest: Digest, entries: &[Descriptor], store: &Store) -> Result<Vec<Descriptor>> {
    let entered = entries.iter().filter(|entry| entry.digest == digest);
    let entered: Vec<Descriptor> = entered.cloned().collect();
    if !entered.is_empty() {
        return Ok(entered);
    }
    let Some(bytes) = store.document(&digest, None)? else {
        return Ok(Vec::new());
    };
    let media_type = document::media_type_of(&bytes)?;
    Ok(vec![Descriptor::new(
        media_type,
        digest,
        bytes.len() as u64,
    )])
}

/// The refusal of an image that rbuild made, by its name, the last part of it, or its digest; `None` for any other.
fn built(image: &str, build: &Store) -> Result<Option<Fault>> {
    let digest = digest_of(image);
    let entries = build.entries()?;
    let is_meant = |entry: &&Descriptor| match digest {
        Some(digest) => entry.digest == digest,
        None => {
            has_name(entry, image) || entry::name(entry).is_some_and(|name| last(&name) == image)
        }
    };
    let found = entries.iter().rev().find(is_meant);
    Ok(found.map(|found| {
        let name = entry::name(found).unwrap_or_else(|| found.digest.to_string());
        Fault::refused(format!("`{name}` is an image that rbuild built, and an export carries bases"))
            .because(format!("it lies in {}", build.root().display()))
            .hint("write it as one file, which `rbuild cache import` reads: `rbuild build --push=false --oci-archive FILE` makes it again at once where nothing changed")
            .hint(format!("or push it: `rbuild push {name} REGISTRY/REPOSITORY`"))
    }))
}

/// `hello` of `rbuild.local/hello:latest`.
fn last(name: &str) -> &str {
    let last = name.rsplit('/').next().unwrap_or_default();
    last.split([':', '@']).next().unwrap_or_default()
}

fn unknown(image: &str, entries: &[Descriptor], store: &Store) -> Fault {
    let fault = Fault::new(Kind::Offline, format!("`{image}` is not in the cache"))
        .because(format!("it was looked for in {}", store.root().display()));
    let names = entries.iter().filter_map(entry::name);
    let near = names.filter(|name| last(name) == last(image)).take(5);
    near.fold(fault, |fault, name| {
        fault.because(format!("it holds `{name}`"))
    })
    .hint(format!(
        "bring it while online: `rbuild cache warm --layers {image}`"
    ))
    .hint("`rbuild cache ls` shows what is there")
}
