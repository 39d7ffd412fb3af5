//! Images made by hand: layers as lists of members, packed in every way.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};
use tempfile::TempDir;

use super::*;
use crate::media;
use crate::notes::Notes;
use crate::testing;

/// A member of a tar: a name and what it is.
pub(super) enum Is<'a> {
    File(&'a [u8]),
    Directory,
    Link(&'a str),
    Hard(&'a str),
}

pub(super) fn tar(members: &[(&str, Is<'_>)]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, is) in members {
        let (kind, content, link): (_, &[u8], _) = match is {
            Is::File(content) => (EntryType::Regular, content, ""),
            Is::Directory => (EntryType::Directory, b"", ""),
            Is::Link(target) => (EntryType::Symlink, b"", *target),
            Is::Hard(target) => (EntryType::Link, b"", *target),
        };
        tar.extend(member(kind, (name, link), content));
    }
    tar.extend([0; 1024]);
    tar
}

pub(super) fn member(kind: EntryType, (name, link): (&str, &str), content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

pub(super) fn gzip(tar: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(tar).expect("in memory");
    gzip.finish().expect("in memory")
}

/// A shared object for x86-64: sections for needs and versions, and no code.
pub(super) fn library(needed: &[&str], versions: &[&str]) -> Vec<u8> {
    testing::elf(&testing::Elf {
        needed,
        defined: versions,
        ..testing::Elf::default()
    })
}

pub(super) struct Image {
    pub(super) _place: TempDir,
    pub(super) store: Store,
    pub(super) layers: Vec<Descriptor>,
}

impl Image {
    pub(super) fn packed(layers: &[Vec<u8>]) -> Image {
        let place = tempfile::tempdir().expect("a directory");
        let store = Store::cache(&place.path().join("img"), &Notes::recorded()).expect("a store");
        let put = |layer: &Vec<u8>| store.put(media::OCI_LAYER, layer).expect("put");
        let layers = layers.iter().map(put).collect();
        Image {
            _place: place,
            store,
            layers,
        }
    }

    pub(super) fn of(layers: &[&[(&str, Is<'_>)]]) -> Image {
        let packed: Vec<Vec<u8>> = layers.iter().map(|members| gzip(&tar(members))).collect();
        Image::packed(&packed)
    }

    pub(super) fn read(&self) -> Result<Option<Contents>> {
        read(&self.layers, &[&self.store], &self.store)
    }

    pub(super) fn contents(&self) -> Contents {
        self.read().expect("sound").expect("here")
    }
}

mod debian;
mod hostile;
mod layers;
