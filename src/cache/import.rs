//! `rbuild cache import`: images of a layout that somebody else made, into the cache.
//!
//! The walk begins at the entries of its index; every blob is hashed before it is here under its digest, and what no entry reaches is
//! not kept. Names are somebody's word: they are recorded only when the user says so. The index changes last and once.

use std::path::Path;

use anyhow::{Context, Result};

use crate::cache::entry;
use crate::cache::export::Carried;
use crate::cache::reach::reach;
use crate::cache::unpack;
use crate::digest::Descriptor;
use crate::fault::Fault;
use crate::notes::Notes;
use crate::platform::Platforms;
use crate::store::{self, Staging, Store};

/// Whether the names of a source are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    Trusted,
    Ignored,
}

/// What came in.
pub(crate) struct Imported {
    pub(crate) carried: Vec<Carried>,
    /// Entries of the source that it holds nothing of.
    pub(crate) left: Vec<Descriptor>,
    /// Names that were not recorded.
    pub(crate) unrecorded: Vec<String>,
}

/// Where images come from.
enum Source {
    Layout(Store),
    Staged(Staging),
}

impl Source {
    fn store(&self) -> &Store {
        match self {
            Source::Layout(store) => store,
            Source::Staged(staging) => &staging.store,
        }
    }

    fn bring(&self, blob: &Descriptor, into: &Store) -> Result<()> {
        let is_there = match self {
            Source::Layout(store) => store.copy(blob, into)?,
            Source::Staged(staging) => staging.store.give(blob, into)?,
        };
        match is_there {
            true => Ok(()),
            false => Err(Fault::integrity(format!("the blob {} went away", blob.digest)).into()),
        }
    }
}

/// From a directory, which is only read.
pub(crate) fn layout(
    path: &Path,
    (names, notes): (Names, &Notes),
    cache: &Store,
) -> Result<Imported> {
    let layout = Store::source(path, notes)?;
    let entries = layout.entries()?;
    if entries.is_empty() {
        return Err(no_layout(path).into());
    }
    import(&Source::Layout(layout), (entries, names), cache)
        .map_err(|error| of_the_source(error, path))
        .with_context(|| format!("cannot import {}", path.display()))
}

/// What the store says about a wrong blob is meant for caches: this one lies in the user's directory, and neither a pull nor `rm -r` mends it.
fn of_the_source(error: anyhow::Error, source: &Path) -> anyhow::Error {
    let wrong = error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(store::Error::Corrupt {
            path,
            expected,
            found,
        }) if path.starts_with(source.join("blobs")) => {
            let fault = format!("`{}` is not what its name says", path.display());
            Some(unpack::unlike(
                (expected, found),
                Fault::integrity(fault),
                "directory",
            ))
        }
        _ => None,
    });
    wrong.map_or(error, Into::into)
}

fn no_layout(path: &Path) -> Fault {
    let fault = Fault::integrity(format!("{} names no image", path.display()));
    let fault = fault.because("the index.json of an OCI layout lists its images");
    match path.join("img").is_dir() {
        true => fault.hint(format!(
            "a cache keeps its bases in `img`: `rbuild cache import {}`",
            path.join("img").display()
        )),
        false => fault.hint("name a directory with an index.json, or a tar of one"),
    }
}

/// From a tar, which is read once, from its beginning to its end.
pub(crate) fn archive(tar: impl std::io::Read, names: Names, cache: &Store) -> Result<Imported> {
    let (staging, entries) = unpack::stage(tar, cache)?;
    import(&Source::Staged(staging), (entries, names), cache)
}

fn import(
    source: &Source,
    (entries, names): (Vec<Descriptor>, Names),
    cache: &Store,
) -> Result<Imported> {
    let mut imported = Imported {
        carried: Vec::new(),
        left: Vec::new(),
        unrecorded: Vec::new(),
    };
    for found in entry::sorted(entries) {
        let reached = reach(
            &found,
            &Platforms::Host,
            std::slice::from_ref(source.store()),
        )?;
        if !reached.has_root() {
            imported.left.push(found);
            continue;
        }
        let (entry, unrecorded) = believed(&found, names);
        imported.unrecorded.extend(unrecorded);
        imported.carried.push(Carried { entry, reached });
    }
    if imported.carried.is_empty() {
        return Err(nothing(&imported.left).into());
    }
    enter(&imported.carried, source, cache)?;
    Ok(imported)
}

/// The entry as it is entered, and the name that is not.
fn believed(found: &Descriptor, names: Names) -> (Descriptor, Option<String>) {
    match names {
        Names::Trusted => (entry::carried(found), None),
        Names::Ignored => (entry::without_name(found), entry::name(found)),
    }
}

fn enter(carried: &[Carried], source: &Source, cache: &Store) -> Result<()> {
    let mut moved = std::collections::BTreeSet::new();
    for blob in carried.iter().flat_map(|one| &one.reached.blobs) {
        if moved.insert(blob.digest) {
            source.bring(blob, cache)?;
        }
    }
    cache.sync()?;
    let entries: Vec<Descriptor> = carried.iter().map(|one| one.entry.clone()).collect();
    Ok(cache.enter(&entries)?)
}

fn nothing(left: &[Descriptor]) -> Fault {
    let fault = Fault::integrity("none of the images that it names is in it");
    left.iter().take(5).fold(fault, |fault, entry| {
        fault.because(format!("missing the manifest or index {}", entry.digest))
    })
}
