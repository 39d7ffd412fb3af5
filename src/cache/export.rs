//! `rbuild cache export`: entries of the cache as an OCI layout to be carried, a directory or one tar.
//!
//! The same entries give the same bytes, in whatever order they came here. What is written appears whole or not at all; the cache is
//! only read. An image without its layers travels without them, and the caller is told.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::base::document;
use crate::bundle;
use crate::cache::entry;
use crate::cache::reach::{Reached, reach};
use crate::digest::{Descriptor, Digest};
use crate::fault::{Fault, Kind};
use crate::json;
use crate::media::REF_NAME;
use crate::notes::Notes;
use crate::outfile;
use crate::platform::{ALL, Platforms};
use crate::reference::Reference;
use crate::store::{Blob, Store};

/// What is asked for.
pub(crate) struct Order<'a> {
    /// Names or digests; all entries if there is none.
    pub(crate) images: &'a [String],
    /// `Host` for whatever is here.
    pub(crate) platforms: Platforms,
    /// Whether an image without all of its layers is refused.
    pub(crate) is_full: bool,
}

/// What is going to be written: entries with what lies below each of them.
pub(crate) struct Cargo {
    store: Store,
    pub(crate) carried: Vec<Carried>,
    /// Entries of which nothing that was asked for is here; they stay behind.
    pub(crate) left: Vec<Descriptor>,
}

/// One entry as it travels.
pub(crate) struct Carried {
    pub(crate) entry: Descriptor,
    pub(crate) reached: Reached,
}

/// Where it goes.
pub(crate) enum Place<'a> {
    /// A directory that is not there yet, or empty.
    Directory(&'a Path),
    /// A tar file, replaced if it is there.
    File(&'a Path),
    /// A tar, to whoever reads it.
    Stream(&'a mut dyn Write),
}

/// Looks everything up before anything is written; nothing to carry, or less than what was asked for, is refused here.
pub(crate) fn load(order: &Order<'_>, store: &Store) -> Result<Cargo> {
    let mut cargo = Cargo {
        store: store.clone(),
        carried: Vec::new(),
        left: Vec::new(),
    };
    for found in chosen(order, store)? {
        let reached = reach(&found, &order.platforms, store)?;
        let is_there = reached.has_root() && has_wanted(&reached, order);
        match is_there {
            false if order.images.is_empty() && !order.is_full => cargo.left.push(found),
            false => return Err(lacks(&found, &reached, order).into()),
            true if order.is_full && !is_complete(&reached, order) => {
                return Err(lacks(&found, &reached, order).into());
            }
            true => cargo.carried.push(Carried {
                entry: entry::carried(&found),
                reached,
            }),
        }
    }
    match cargo.carried.is_empty() {
        true => Err(nothing(store).into()),
        false => Ok(cargo),
    }
}

/// Whether each platform that was named has an image here.
fn has_wanted(reached: &Reached, order: &Order<'_>) -> bool {
    let offers = |wanted: &crate::platform::Platform| {
        let mut here = reached.platforms.iter();
        here.any(|offered| wanted.accepts(offered))
    };
    order.platforms.named().iter().all(offers)
}

fn is_complete(reached: &Reached, order: &Order<'_>) -> bool {
    let all = matches!(order.platforms, Platforms::All);
    reached.is_full() && (!all || reached.images.is_empty())
}

fn chosen(order: &Order<'_>, store: &Store) -> Result<Vec<Descriptor>> {
    let entries = store.entries()?;
    if order.images.is_empty() {
        return Ok(entry::sorted(entries));
    }
    let mut chosen = Vec::new();
    for image in order.images {
        chosen.extend(find(image, &entries, store)?);
    }
    Ok(entry::sorted(chosen))
}

/// The entries that a user means: those of a digest, or the last one of a name. A digest needs no entry.
fn find(image: &str, entries: &[Descriptor], store: &Store) -> Result<Vec<Descriptor>> {
    let reference: Option<Reference> = image.parse().ok();
    let digest: Option<Digest> = image.parse().ok();
    if let Some(digest) = digest.or(reference.as_ref().and_then(|one| one.digest)) {
        return by_digest(image, digest, (entries, store));
    }
    let full = reference.map(|reference| reference.to_string());
    let is_meant = |one: &&Descriptor| {
        let name = entry::name(one);
        name.as_deref() == Some(image) || (full.is_some() && name == full)
    };
    let found = entries.iter().rev().find(is_meant);
    Ok(vec![
        found
            .cloned()
            .ok_or_else(|| unknown(image, entries, store))?,
    ])
}

fn by_digest(
    image: &str,
    digest: Digest,
    (entries, store): (&[Descriptor], &Store),
) -> Result<Vec<Descriptor>> {
    let entered = entries.iter().filter(|entry| entry.digest == digest);
    let entered: Vec<Descriptor> = entered.cloned().collect();
    if !entered.is_empty() {
        return Ok(entered);
    }
    let bytes = store.document(&digest, None)?;
    let bytes = bytes.ok_or_else(|| unknown(image, entries, store))?;
    let media_type = document::media_type_of(&bytes)?;
    Ok(vec![Descriptor::new(
        media_type,
        digest,
        bytes.len() as u64,
    )])
}

fn unknown(image: &str, entries: &[Descriptor], store: &Store) -> Fault {
    let fault = Fault::new(Kind::Offline, format!("`{image}` is not in the cache"))
        .because(format!("it was looked for in {}", store.root().display()));
    let last = |text: &str| text.rsplit('/').next().unwrap_or_default().to_owned();
    let stem = |text: &str| last(text).split([':', '@']).next().map(str::to_owned);
    let names = entries.iter().filter_map(entry::name);
    let near = names.filter(|name| stem(name) == stem(image)).take(5);
    near.fold(fault, |fault, name| {
        fault.because(format!("it holds `{name}`"))
    })
    .hint(format!(
        "bring it while online: `rbuild cache warm --layers {image}`"
    ))
    .hint("`rbuild cache ls` shows what is there")
}

fn lacks(found: &Descriptor, reached: &Reached, order: &Order<'_>) -> Fault {
    let name = entry::name(found).unwrap_or_else(|| found.digest.to_string());
    let fault = Fault::new(Kind::Offline, format!("`{name}` is not here as a whole"));
    let fault = match reached.has_root() {
        true => fault,
        false => fault.because(format!("missing the manifest or index {}", found.digest)),
    };
    let here: Vec<String> = reached.platforms.iter().map(ToString::to_string).collect();
    let fault = match here.is_empty() {
        true => fault.because("no image for that is here"),
        false => fault.because(format!("here are {}", here.join(", "))),
    };
    let layers = reached.layers.iter().filter(|_| order.is_full);
    let fault = layers.take(20).fold(fault, |fault, layer| {
        fault.because(format!(
            "missing the layer {} ({} bytes)",
            layer.digest, layer.size
        ))
    });
    let layers = if order.is_full { "--layers " } else { "" };
    fault.hint(format!(
        "bring the rest while online: `rbuild cache warm {layers}{}{name}`",
        platforms(order)
    ))
}

fn platforms(order: &Order<'_>) -> String {
    let names: Vec<String> = order
        .platforms
        .named()
        .iter()
        .map(ToString::to_string)
        .collect();
    match &order.platforms {
        Platforms::All => format!("--platform {ALL} "),
        _ if names.is_empty() => String::new(),
        _ => format!("--platform {} ", names.join(",")),
    }
}

fn nothing(store: &Store) -> Fault {
    let fault = Fault::new(Kind::Offline, "there is nothing to export");
    fault
        .because(format!(
            "{} holds no image that fits",
            store.root().display()
        ))
        .hint("fill the cache first: `rbuild cache warm --layers REF`")
}

impl Cargo {
    pub(crate) fn write(&self, place: Place<'_>, notes: &Notes) -> Result<()> {
        match place {
            Place::Directory(directory) => self
                .lay_out(directory, notes)
                .with_context(|| format!("cannot write the layout {}", directory.display())),
            Place::File(file) => outfile::replace(file, |writer| self.stream(writer)),
            Place::Stream(writer) => self.stream(writer),
        }
    }

    fn entries(&self) -> Vec<Descriptor> {
        let entries = self.carried.iter().map(|one| one.entry.clone());
        entries.collect()
    }

    fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.carried.iter().flat_map(|one| &one.reached.blobs)
    }

    fn stream(&self, writer: impl Write) -> Result<()> {
        let index = bundle::index(&self.entries());
        bundle::write(writer, &index, self.blobs(), |blob| self.open(blob))
    }

    fn open(&self, blob: &Descriptor) -> Result<Blob> {
        let gone = || Fault::new(Kind::Offline, format!("the blob {} went away", blob.digest));
        Ok(self.store.blob(blob)?.ok_or_else(gone)?)
    }

    /// A layout beside the place, which then takes it.
    fn lay_out(&self, place: &Path, notes: &Notes) -> Result<()> {
        let beside = outfile::beside(place)?;
        let layout = Store::output(beside.path(), notes)?;
        layout.prepare()?;
        for blob in self.blobs() {
            if !self.store.copy(blob, &layout)? {
                self.open(blob)?;
            }
        }
        layout.sync()?;
        layout.replace_index(&json::canonical(&bundle::index(&self.entries())))?;
        layout.settle(place)?;
        Ok(())
    }
}

/// The name under which an entry is known, for people.
pub(crate) fn title(entry: &Descriptor) -> String {
    let name = entry.annotation(REF_NAME).map(str::to_owned);
    name.unwrap_or_else(|| entry.digest.to_string())
}
