//! Entries → a layer: one deterministic tar, compressed, in a store.
//!
//! What a layer holds is a list of [`Entry`] values; their order, the clock, the umask and the number of cores do not matter.
//! A layer never rests in memory: it streams from the source files into the store. Nothing here follows a symbolic link
//! (only [`tree`] does, and says where to), and nothing takes a mode, an owner or a time from the file system.

mod archive;
mod compress;
#[cfg(test)]
pub(crate) mod lint;
#[cfg(test)]
mod tests;
pub(crate) mod tree;

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::thread;

use anyhow::Result;

use crate::digest::Descriptor;
use crate::digest::Digest;
use crate::digest::Hashing;
use crate::fault::Fault;
use crate::media;
use crate::store::Store;

/// What makes the bytes of a layer beside its entries. It goes into every key under which a finished layer is remembered, so it
/// changes with each change of this room (or of zlib-rs) that changes bytes; the golden tests say when that is.
pub(crate) const ASSEMBLY: &str = "1: ustar+pax, gzip of zlib-rs 0.6 level 3 in blocks of 1 MiB";

/// More compressors than this only wait: one thread reads and hashes at about the pace of eight that compress.
const MOST_THREADS: usize = 8;

/// `PATH_MAX` less its NUL: no container could reach what has a longer name.
const LONGEST_PATH: usize = 4095;

/// One thing in a layer. The constructors check `path`: relative, `/` between the parts, no `.` or `..`, no NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) content: Content,
    /// The permission bits with setuid, setgid and sticky: `0o7777` at most.
    pub(crate) mode: u32,
    /// User and group by number.
    pub(crate) owner: (u64, u64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Directory,
    /// A regular file on this machine, opened without following a link.
    File(PathBuf),
    Bytes(Vec<u8>),
}

impl Entry {
    /// A file with the content of `source`, mode 0644; `/app/x` and `app/x` are the same path.
    pub(crate) fn file(path: &str, source: &Path) -> Result<Entry, Fault> {
        Entry::new(path, Content::File(source.to_owned()), 0o644)
    }

    /// A file with this content, mode 0644.
    pub(crate) fn bytes(path: &str, bytes: impl Into<Vec<u8>>) -> Result<Entry, Fault> {
        Entry::new(path, Content::Bytes(bytes.into()), 0o644)
    }

    /// A directory, mode 0755.
    pub(crate) fn directory(path: &str) -> Result<Entry, Fault> {
        Entry::new(path, Content::Directory, 0o755)
    }

    pub(crate) fn with_mode(self, mode: u32) -> Entry {
        let mode = mode & 0o7777;
        Entry { mode, ..self }
    }

    pub(crate) fn with_owner(self, owner: (u64, u64)) -> Entry {
        Entry { owner, ..self }
    }

    fn new(path: &str, content: Content, mode: u32) -> Result<Entry, Fault> {
        Ok(Entry {
            path: checked(path)?,
            content,
            mode,
            owner: (0, 0),
        })
    }
}

/// The one spelling of a path inside an image.
fn checked(path: &str) -> Result<String, Fault> {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    let reason = match parts.as_slice() {
        [] => "it names nothing below `/`",
        parts if parts.contains(&"..") => "it has a `..` in it",
        _ if path.contains('\0') => "it has a NUL in it",
        _ if path.len() > LONGEST_PATH => "it is longer than any system could reach",
        _ => return Ok(parts.join("/")),
    };
    let shown: String = path.chars().take(200).collect();
    let message = format!("`{}` is not a path inside an image", shown.escape_debug());
    Err(Fault::refused(message).because(reason))
}

/// A finished layer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layer {
    /// The compressed blob, of OCI's gzip layer type.
    pub(crate) blob: Descriptor,
    /// The digest of the tar.
    pub(crate) diff_id: Digest,
    /// The length of the tar in bytes.
    pub(crate) size: u64,
    /// Whether it was remembered instead of made.
    pub(crate) reused: bool,
}

/// Makes the layer of `entries` and puts it in `store`, in one pass: tar, diff ID, gzip, digest, blob.
///
/// Refused: two entries of one path, an entry below something that is no directory, a source that is no regular file.
pub(crate) fn write(store: &Store, entries: &[Entry]) -> Result<Layer> {
    let (blob, (diff_id, size)) = compress::gzip(store.writer()?, threads(), |gzip| {
        let mut tar = Hashing::new(gzip);
        archive::write(entries, &mut tar)?;
        Ok(tar.finish())
    })?;
    Ok(Layer {
        blob: blob.finish(media::OCI_LAYER)?,
        diff_id,
        size,
        reused: false,
    })
}

/// The digest of the tar that [`write()`] would make of `entries`, at the price of reading and hashing them.
pub(crate) fn diff_id(entries: &[Entry]) -> Result<Digest> {
    let mut tar = Hashing::new(io::sink());
    archive::write(entries, &mut tar)?;
    Ok(tar.finish().0)
}

/// How many threads compress; the bytes do not depend on it.
fn threads() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_THREADS))
}

/// A path of this machine for a message: in backticks, with everything escaped that a terminal could take amiss.
fn quoted(path: &Path) -> String {
    let debug = format!("{path:?}");
    format!("`{}`", &debug[1..debug.len() - 1])
}
