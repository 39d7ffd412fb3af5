//! Opening files that anybody may have put there: regular files, or nothing.
//!
//! A link is never followed, a FIFO never waited for and no memory is set aside on the word of a size.

use std::fs;
use std::fs::File;
use std::fs::FileType;
use std::fs::Metadata;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::OFlags;

use super::Error;
use crate::digest::Digest;
use crate::interrupt;

/// In bytes; what most documents need one read for. A larger size is believed as far as the bytes come.
pub(super) const READ_AT_ONCE: u64 = 64 * 1024;

/// Which file it was, whatever its name is by now: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

impl Identity {
    fn of(metadata: &Metadata) -> Identity {
        Identity(metadata.dev(), metadata.ino())
    }

    /// The identity of what is at `path` now, links not followed.
    pub(super) fn at(path: &Path) -> Option<Identity> {
        fs::symlink_metadata(path)
            .ok()
            .map(|found| Identity::of(&found))
    }
}

/// What was found under a name.
pub(super) enum Found {
    Nothing,
    /// Something that holds no bytes of its own: "a symbolic link", "a directory" and so on.
    Odd(&'static str, Identity),
    Regular(Regular),
}

/// A regular file, open for reading, measured after it was opened.
pub(super) struct Regular {
    pub(super) file: File,
    /// In bytes.
    pub(super) size: u64,
    pub(super) identity: Identity,
}

/// Opens `path` for reading without following a link in its last part and without ever blocking.
pub(super) fn open(path: &Path) -> Result<Found, Error> {
    open_for(path, OpenOptions::new().read(true))
}

/// As [`open`], with other options, `create` for instance.
pub(super) fn open_for(path: &Path, options: &mut OpenOptions) -> Result<Found, Error> {
    match try_open(path, options) {
        Ok(found) => Ok(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
        Err(error) => Err(Error::of_io("open", path, error)),
    }
}

fn try_open(path: &Path, options: &mut OpenOptions) -> io::Result<Found> {
    // Looked at before it is opened, because opening a device may already do something.
    if let Ok(found) = fs::symlink_metadata(path)
        && !found.is_file()
    {
        return Ok(odd(&found));
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = options
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Ok(odd(&found));
    }
    Ok(Found::Regular(Regular {
        size: found.len(),
        identity: Identity::of(&found),
        file,
    }))
}

fn odd(metadata: &Metadata) -> Found {
    Found::Odd(describe(metadata.file_type()), Identity::of(metadata))
}

fn describe(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

/// What is in a directory, links not followed; nothing when it is not there or is itself a link, which could lead out of the store.
pub(super) fn list(directory: &Path) -> Result<Vec<(PathBuf, Metadata)>, Error> {
    if directory.is_symlink() {
        return Ok(Vec::new());
    }
    let failed = |error| Error::of_io("list", directory, error);
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        interrupt::check().map_err(failed)?;
        let entry = entry.map_err(failed)?;
        if let Ok(found) = entry.metadata() {
            files.push((entry.path(), found));
        }
    }
    Ok(files)
}

impl Regular {
    /// All bytes that were there when it was opened, or `None` when there are more than `limit`.
    pub(super) fn read(self, limit: u64) -> io::Result<Option<Vec<u8>>> {
        if self.size > limit {
            return Ok(None);
        }
        let room = usize::try_from(self.size.min(READ_AT_ONCE)).unwrap_or_default();
        let mut bytes = Vec::with_capacity(room);
        Checked(self.file).take(self.size).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// All bytes, to be read once, or `None` when there are more than `limit`; what is added meanwhile is cut off there.
    pub(super) fn up_to(self, limit: u64) -> Option<impl Read> {
        (self.size <= limit).then(|| Checked(self.file).take(limit))
    }

    /// The digest of all bytes, in constant memory.
    pub(super) fn digest(self) -> io::Result<Digest> {
        Ok(Digest::of_reader(&mut Checked(self.file))?.0)
    }
}

/// A reader that stops when the user asks for it.
struct Checked<R>(R);

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        interrupt::check()?;
        self.0.read(buffer)
    }
}
