//! The tar of a layout, read as a stream: its blobs into a staging store, its index into memory.
//!
//! Members may come in any order. A blob is hashed as it comes and must be what its name says; no other name becomes a path. Links,
//! devices and names that lead elsewhere are refused, because no layout needs them; other files are passed over.

use std::io::{self, BufRead, BufReader, Read};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::contents::archive::{Archive, Kind, Member};
use crate::digest::{Descriptor, Digest};
use crate::fault::{self, Fault};
use crate::interrupt;
use crate::json;
use crate::media::LARGEST_BLOB;
use crate::store::{self, Staging, Store, entries_of};

/// In bytes; the largest index.json, and the largest blob.
const INDEX: u64 = 24 << 20;
/// An `oci-layout` file has about thirty bytes.
const LAYOUT: u64 = 64 << 10;
/// For whoever gave something else.
const READS: &str = "an import reads an OCI layout, as a directory or a plain tar: `rbuild cache export` and `crane pull --format oci` write one";
const BUFFER: usize = 128 << 10;

/// What packs a tar, by its first bytes, and what unpacks it.
const PACKED: [(&[u8], &str, &str); 4] = [
    (&[0x1f, 0x8b], "gzip", "gzip -dc"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd", "zstd -dc"),
    (&[0xfd, b'7', b'z', b'X', b'Z'], "xz", "xz -dc"),
    (b"BZh", "bzip2", "bzip2 -dc"),
];

/// Reads the tar to its end; what was staged goes away with the staging store.
pub(super) fn stage(tar: impl Read, cache: &Store) -> Result<(Staging, Vec<Descriptor>)> {
    let mut tar = BufReader::with_capacity(BUFFER, Stopping(tar));
    refuse_packed(tar.fill_buf()?)?;
    let mut reading = Reading {
        staging: cache.staging()?,
        index: None,
        has_layout: false,
        has_manifest: false,
        strange: None,
    };
    let mut archive = Archive::new(tar);
    while let Some(member) = archive.next().map_err(no_tar)? {
        reading
            .take(&member, archive.content())
            .with_context(|| format!("cannot read `{}` of the archive", shown(&member.path)))?;
    }
    match archive.is_ended {
        true => reading.finish(),
        false => Err(cut_off().into()),
    }
}

struct Reading {
    staging: Staging,
    index: Option<Vec<Descriptor>>,
    has_layout: bool,
    /// Whether there is a `manifest.json`, which `docker save` writes.
    has_manifest: bool,
    /// A link or a device beside the layout; `docker save` writes such, others shall not.
    strange: Option<Fault>,
}

impl Reading {
    fn take(&mut self, member: &Member, content: &mut impl Read) -> Result<()> {
        let path = path(member)?;
        match (&member.kind, path) {
            (Kind::Directory, _) => Ok(()),
            (Kind::File, _) if member.is_sparse => Err(odd("is a sparse file").into()),
            (Kind::File, "index.json") => self.take_index(member.size, content),
            (Kind::File, "oci-layout") => self.take_layout(member.size, content),
            (Kind::File, "manifest.json") => {
                self.has_manifest = true;
                Ok(())
            }
            (Kind::File, path) => match path.strip_prefix("blobs/sha256/").and_then(digest) {
                Some(digest) => self.take_blob((digest, member.size), content),
                None => Ok(()),
            },
            (_, path) if is_of_layout(path) => Err(no_file(path).into()),
            (_, path) => {
                self.strange.get_or_insert_with(|| no_file(path));
                Ok(())
            }
        }
    }

    fn take_index(&mut self, size: u64, content: &mut impl Read) -> Result<()> {
        let bytes = small((size, INDEX), content)?;
        let entries = entries_of(&bytes)
            .ok_or_else(|| odd("is no index of a layout, or lists more than 100000 images"))?;
        match self.index.replace(entries) {
            None => Ok(()),
            Some(_) => Err(odd("is there twice, and they may differ").into()),
        }
    }

    fn take_layout(&mut self, size: u64, content: &mut impl Read) -> Result<()> {
        let bytes = small((size, LAYOUT), content)?;
        let layout = json::parse(&bytes).ok();
        let version = layout
            .as_ref()
            .and_then(|value| value.get("imageLayoutVersion"));
        if version.and_then(Value::as_str) != Some("1.0.0") {
            let fault = Fault::new(fault::Kind::Disk, "its layout version is not 1.0.0");
            return Err(fault
                .hint("it was written by a newer tool than this one")
                .into());
        }
        match std::mem::replace(&mut self.has_layout, true) {
            false => Ok(()),
            true => Err(odd("is there twice").into()),
        }
    }

    fn take_blob(&self, (digest, size): (Digest, u64), content: &mut impl Read) -> Result<()> {
        if size > LARGEST_BLOB {
            let fault =
                format!("it has {size} bytes, and no blob may have more than {LARGEST_BLOB}");
            return Err(Fault::new(fault::Kind::Disk, fault).into());
        }
        let mut writer = self.staging.store.writer()?.limited(size);
        let copied = io::copy(content, &mut writer).map_err(no_tar)?;
        if copied != size {
            return Err(cut_off().into());
        }
        let blob = Descriptor::new("", digest, size);
        writer.finish_as(&blob).map_err(otherwise)
    }

    fn finish(self) -> Result<(Staging, Vec<Descriptor>)> {
        match (self.index, self.strange) {
            (None, _) if self.has_manifest => Err(docker_save().into()),
            (_, Some(strange)) => Err(strange.into()),
            (Some(entries), _) if self.has_layout && !entries.is_empty() => {
                Ok((self.staging, entries))
            }
            (Some(entries), _) if entries.is_empty() => {
                Err(no_layout("its index.json lists no image").into())
            }
            (Some(_), _) => Err(no_layout("it has no file `oci-layout`").into()),
            (None, _) => Err(no_layout("it has no file `index.json`").into()),
        }
    }
}

/// The name within the layout; one that could lead elsewhere is refused.
fn path(member: &Member) -> Result<&str> {
    let name = member.path.trim_start_matches("./").trim_end_matches('/');
    match name.starts_with('/') || name.split('/').any(|part| part == "..") {
        true => Err(odd("has a name that leads out of the archive").into()),
        false => Ok(name),
    }
}

fn is_of_layout(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    ["blobs", "index.json", "oci-layout"].contains(&first)
}

fn no_file(path: &str) -> Fault {
    Fault::integrity(format!(
        "`{}` is a link or a device, which no layout needs",
        shown(path)
    ))
}

fn digest(hex: &str) -> Option<Digest> {
    format!("sha256:{hex}").parse().ok()
}

fn small((size, most): (u64, u64), content: &mut impl Read) -> Result<Vec<u8>> {
    if size > most {
        let fault = format!("it has {size} bytes, and may have {most}");
        return Err(Fault::new(fault::Kind::Disk, fault).into());
    }
    let mut bytes = Vec::new();
    content.read_to_end(&mut bytes)?;
    match bytes.len() as u64 == size {
        true => Ok(bytes),
        false => Err(cut_off().into()),
    }
}

fn refuse_packed(start: &[u8]) -> Result<(), Fault> {
    let packed = PACKED.iter().find(|(magic, ..)| start.starts_with(magic));
    match packed {
        None => Ok(()),
        Some((_, what, unpack)) => {
            Err(Fault::refused(format!("the archive is packed with {what}"))
                .because("layers are packed already, so archives of layouts are plain tar files")
                .hint(format!(
                    "unpack it on the way: `{unpack} FILE | rbuild cache import -`"
                )))
        }
    }
}

fn odd(what: &str) -> Fault {
    Fault::integrity(format!("it {what}"))
}

fn no_layout(why: &str) -> Fault {
    Fault::integrity("the archive holds no OCI layout")
        .because(why)
        .hint("`rbuild cache export`, `skopeo copy … oci-archive:FILE`, or `tar -C DIR -cf FILE .` of a layout writes one")
}

fn docker_save() -> Fault {
    Fault::refused("the archive was written by `docker save`, and holds no OCI layout")
        .because("such archives have no digests of the images that registries know")
        .hint("convert it: `skopeo copy docker-archive:FILE oci-archive:NEW.tar:NAME`, then import NEW.tar")
}

fn cut_off() -> Fault {
    Fault::integrity("the archive is cut off: it has no end")
        .hint("copy it again, and compare its size with the original's")
        .hint(READS)
}

/// An error of the disk stays one; what is wrong with the bytes is a fault of the archive.
fn no_tar(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => cut_off().into(),
        io::ErrorKind::InvalidData
            if error
                .get_ref()
                .is_some_and(|inner| !inner.is::<store::Error>()) =>
        {
            Fault::integrity("the archive is no sound tar file")
                .because(error.to_string())
                .hint(READS)
                .into()
        }
        _ => error.into(),
    }
}

/// The staging store's error for wrong bytes names a path that nobody knows.
fn otherwise(error: store::Error) -> anyhow::Error {
    match error {
        store::Error::Corrupt {
            expected, found, ..
        } => unlike(
            (&expected, &found),
            odd("is not what its name says"),
            "archive",
        )
        .into(),
        other => other.into(),
    }
}

/// What was `expected` and `found` in a source of that kind, and the way out.
pub(super) fn unlike((expected, found): (&str, &str), fault: Fault, source: &str) -> Fault {
    fault
        .because(format!("expected: {expected}"))
        .because(format!("found: {found}"))
        .hint(format!(
            "copy the {source} again, and compare it with the original"
        ))
}

/// A name for an error: no more of it than anybody wants to see.
fn shown(path: &str) -> String {
    path.chars().take(120).collect()
}

/// A reader that stops when the user asks for it.
struct Stopping<R>(R);

impl<R: Read> Read for Stopping<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        interrupt::check()?;
        self.0.read(buffer)
    }
}
