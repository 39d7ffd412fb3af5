//! `rbuild cache export`: entries of the cache as an OCI layout to be carried, a directory or one tar.
//!
//! The same entries give the same bytes, in whatever order they came here. What is written appears whole or not at all; the cache is
//! only read. An image without its layers travels without them, and the caller is told. Layers of bases may lie in `build`, where a
//! build keeps those that a file needed; what rbuild made itself lies there too, and is not carried.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::bundle;
use crate::cache::entry;
use crate::cache::pick::chosen;
use crate::cache::reach::{Reached, reach};
use crate::digest::Descriptor;
use crate::fault::{Fault, Kind};
use crate::json;
use crate::media::REF_NAME;
use crate::notes::Notes;
use crate::outfile;
use crate::platform::{ALL, Platforms};
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
    /// Where blobs are looked for, in this order.
    stores: Vec<Store>,
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
///
/// The entries are those of `img`.
pub(crate) fn load(order: &Order<'_>, (img, build): (&Store, &Store)) -> Result<Cargo> {
    let mut cargo = Cargo {
        stores: vec![img.clone(), build.clone()],
        carried: Vec::new(),
        left: Vec::new(),
    };
    for found in chosen(order.images, (img, build))? {
        let reached = reach(&found, &order.platforms, &cargo.stores)?;
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
        true => Err(nothing(img).into()),
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

fn lacks(found: &Descriptor, reached: &Reached, order: &Order<'_>) -> Fault {
    let name = entry::name(found).unwrap_or_else(|| found.digest.to_string());
    let fault = Fault::new(Kind::Offline, format!("`{name}` is not here as a whole"));
    let fault = match reached.has_root() {
        true => fault,
        false => fault.because(format!("missing the manifest or index {}", found.digest)),
    };
    let here: Vec<String> = reached.platforms.iter().map(ToString::to_string).collect();
    let fault = match here.is_empty() {
        true => fault.because("no image of a platform that is wanted is here"),
        false => fault.because(format!("it is here for {}", here.join(", "))),
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
        for store in &self.stores {
            if let Some(found) = store.blob(blob)? {
                return Ok(found);
            }
        }
        Err(gone(blob).into())
    }

    fn copy(&self, blob: &Descriptor, into: &Store) -> Result<()> {
        for store in &self.stores {
            if store.copy(blob, into)? {
                return Ok(());
            }
        }
        Err(gone(blob).into())
    }

    /// A layout beside the place, which then takes it.
    fn lay_out(&self, place: &Path, notes: &Notes) -> Result<()> {
        let beside = outfile::beside(place)?;
        let layout = Store::output(beside.path(), notes)?;
        layout.prepare()?;
        for blob in self.blobs() {
            self.copy(blob, &layout)?;
        }
        layout.sync()?;
        layout.replace_index(&json::canonical(&bundle::index(&self.entries())))?;
        layout.settle(place)?;
        Ok(())
    }
}

fn gone(blob: &Descriptor) -> Fault {
    Fault::new(Kind::Offline, format!("the blob {} went away", blob.digest))
}

/// The name under which an entry is known, for people.
pub(crate) fn title(entry: &Descriptor) -> String {
    let name = entry.annotation(REF_NAME).map(str::to_owned);
    name.unwrap_or_else(|| entry.digest.to_string())
}
