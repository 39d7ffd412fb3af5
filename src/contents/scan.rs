//! One pass over each layer: what is of interest is kept, everything else flows by.
//!
//! Of a file at most [`HELD`] bytes are in memory, one file at a time. What is kept is bounded by [`NODES`] and [`BYTES`] for all layers
//! together: an image that goes beyond is refused, because nothing else would end.

use std::io::{self, Read};

use anyhow::Result;

use super::Library;
use super::archive::{Archive, Kind, Member};
use super::elf;
use super::tree::{Growing, LONGEST, Node, Nodes, What};
use super::unpack::{Layer, invalid};
use super::wrong;
use crate::digest::Descriptor;
use crate::store::{Blob, Store};

/// The largest library whose needs and versions are read, in bytes: glibc has 2 MiB, libcrypto 6, ICU's data 30 and no versions.
/// Of a larger one machine and class are known.
const HELD: u64 = 16 << 20;
/// The most links and libraries of an image, and the most bytes of their names and facts.
pub(super) const NODES: usize = 250_000;
pub(super) const BYTES: usize = 64 << 20;
/// The largest file that tells the loader where to look, in bytes.
const PATHS: u64 = 64 << 10;

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

/// What lies in `layers`, the lowest first; `None` if one is not in any of `stores` or is no tar.
pub(super) fn scan(layers: &[Descriptor], stores: &[&Store]) -> Result<Option<Nodes>> {
    let here = |layer: &Descriptor| stores.iter().any(|store| store.holds(layer));
    if !layers.iter().all(here) {
        return Ok(None);
    }
    let mut scan = Scan::default();
    for (number, layer) in layers.iter().enumerate() {
        let Some(blob) = find(layer, stores)? else {
            return Ok(None);
        };
        scan.layer = number;
        let looked = through(blob, |archive| scan.look_through(archive));
        if let Err(error) = looked {
            return wrong("read", layer, error);
        }
        scan.tree.next_layer();
    }
    Ok(Some(scan.tree.finish()))
}

/// The first of `stores` that has it.
pub(super) fn find(layer: &Descriptor, stores: &[&Store]) -> Result<Option<Blob>> {
    for store in stores.iter().filter(|store| store.holds(layer)) {
        if let Some(blob) = store.blob(layer)? {
            return Ok(Some(blob));
        }
    }
    Ok(None)
}

/// Looks through a packed layer, and then reads it to its end: only there its digest is known to be right. Wrong bytes explain a tar
/// that cannot be read, so they are what is told.
pub(super) fn through<R: Read>(
    mut packed: R,
    look: impl FnOnce(&mut Archive<Layer<&mut R>>) -> io::Result<()>,
) -> io::Result<()> {
    let looked = Layer::open(&mut packed).and_then(|layer| {
        let mut archive = Archive::new(layer);
        look(&mut archive)?;
        archive.into_inner().finish()
    });
    io::copy(&mut packed, &mut io::sink())?;
    looked
}

/// What was found so far, and how much it is.
#[derive(Default)]
pub(super) struct Scan {
    pub(super) tree: Growing,
    pub(super) layer: usize,
    pub(super) nodes: usize,
    pub(super) bytes: usize,
    /// Of the file that is looked at.
    pub(super) held: Vec<u8>,
}

impl Scan {
    pub(super) fn look_through<R: Read>(&mut self, archive: &mut Archive<R>) -> io::Result<()> {
        while let Some(member) = archive.next()? {
            let Some(place) = self.tree.place(&member.path) else {
                continue;
            };
            let (directory, name) = place.rsplit_once('/').unwrap_or(("", &place));
            match name.strip_prefix(WHITEOUT) {
                Some(_) if name == OPAQUE => self.tree.hide_below(directory),
                Some(hidden) if hidden.starts_with(WHITEOUT) => {}
                Some(hidden) => self.hide(directory, hidden),
                None => self.take(place, &member, archive)?,
            }
        }
        Ok(())
    }

    fn hide(&mut self, directory: &str, name: &str) {
        match directory {
            "" => self.tree.hide(name),
            _ => self.tree.hide(&format!("{directory}/{name}")),
        }
    }

    fn take<R: Read>(
        &mut self,
        place: String,
        member: &Member,
        archive: &mut Archive<R>,
    ) -> io::Result<()> {
        let number = member.number;
        let what = match &member.kind {
            Kind::Directory => {
                self.tree.put_directory(&place);
                return Ok(());
            }
            Kind::HardLink(target) => {
                let same = self.tree.place(target);
                let same = same.and_then(|same| self.tree.get(&same).cloned());
                return self.put(place, same);
            }
            Kind::Link(target) if target.len() <= LONGEST => Some(What::Link(target.clone())),
            Kind::File if tells_loader(&place) => Some(What::Paths(self.text(archive)?)),
            Kind::File if may_be_library(&place) => self.library(member, archive.content())?,
            _ => None,
        };
        let layer = self.layer;
        let node = what.map(|what| Node {
            layer,
            member: number,
            what,
        });
        self.put(place, node)
    }

    fn put(&mut self, place: String, node: Option<Node>) -> io::Result<()> {
        if let Some(node) = &node {
            self.nodes += 1;
            self.bytes += place.len() + weight(&node.what);
        }
        if self.nodes > NODES || self.bytes > BYTES {
            return Err(invalid(format!(
                "the image has more than {NODES} libraries and links, or {BYTES} bytes of their names"
            )));
        }
        self.tree.put(place, node);
        Ok(())
    }

    fn text<R: Read>(&mut self, archive: &mut Archive<R>) -> io::Result<String> {
        self.held.clear();
        archive.content().take(PATHS).read_to_end(&mut self.held)?;
        Ok(String::from_utf8_lossy(&self.held).into_owned())
    }

    fn library(&mut self, member: &Member, content: &mut impl Read) -> io::Result<Option<What>> {
        self.held.clear();
        content.take(64).read_to_end(&mut self.held)?;
        if !self.held.starts_with(b"\x7fELF") {
            return Ok(None);
        }
        let Some((machine, is_64)) = elf::head(&self.held) else {
            return Ok(None);
        };
        let mut library = Library {
            machine,
            is_64,
            ..Library::default()
        };
        if member.size <= HELD && !member.is_sparse {
            content.read_to_end(&mut self.held)?;
            library.fill(elf::library(&self.held).ok());
        }
        Ok(Some(What::Library(library)))
    }
}

/// What is kept of a thing, in bytes.
fn weight(what: &What) -> usize {
    let all = |list: &[String]| list.iter().map(|one| one.len() + 24).sum::<usize>();
    match what {
        What::Link(text) | What::Paths(text) => text.len(),
        What::Library(library) => {
            all(&library.needed) + all(&library.versions) + all(&library.runpath)
        }
    }
}

fn tells_loader(place: &str) -> bool {
    place == "etc/ld.so.conf"
        || place.starts_with("etc/ld.so.conf.d/")
        || (place.starts_with("etc/ld-musl-") && place.ends_with(".path"))
}

/// By its name, or because it lies where libraries do.
fn may_be_library(place: &str) -> bool {
    let (directory, name) = place.rsplit_once('/').unwrap_or(("", place));
    let is_named = name.ends_with(".so") || name.contains(".so.");
    is_named || super::search::is_usual(directory)
}
