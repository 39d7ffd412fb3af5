//! A file in the making: it lies in `.rbuild/tmp` and gets its name by a rename, or goes away.
//!
//! Nothing is ever written under its final name, and a failed fsync is never tried again as if it had not happened.

use std::fs::File;
use std::fs::Permissions;
use std::io;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::SystemTime;

use tempfile::TempPath;

use super::Error;
use super::Role;
use super::Store;

/// The mode of a blob in a cache: nobody has a reason to write it again.
pub(super) const BLOB_MODE: u32 = 0o444;
/// The mode of a document that is replaced now and then.
pub(super) const DOCUMENT_MODE: u32 = 0o644;

/// A temporary file; removed when it is dropped.
pub(super) struct Temp {
    file: File,
    path: TempPath,
    role: Role,
}

impl Store {
    /// A new temporary file on the file system of the store, which must have been prepared.
    pub(super) fn temp(&self) -> Result<Temp, Error> {
        let directory = self.temp_directory();
        let (file, path) = tempfile::Builder::new()
            .prefix("new-")
            .permissions(Permissions::from_mode(self.role.temp_mode()))
            .tempfile_in(&directory)
            .map_err(|error| Error::of_io("create a file in", &directory, error))?
            .into_parts();
        Ok(Temp {
            file,
            path,
            role: self.role,
        })
    }

    /// Replaces the document at `path` in one step: what was there stays whole until the new one is on the disk.
    pub(super) fn write_document(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        self.temp_with(path, bytes)?.commit(path, DOCUMENT_MODE)?;
        sync_directory(path.parent().expect("a document lies in a directory"))
    }

    /// As [`Store::write_document`], for what nobody misses after a power cut: nothing waits for the disk.
    pub(super) fn write_help(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        self.temp_with(path, bytes)?.put(path, DOCUMENT_MODE)
    }

    fn temp_with(&self, path: &Path, bytes: &[u8]) -> Result<Temp, Error> {
        let mut temp = self.temp()?;
        let written = temp.write_all(bytes);
        written.map_err(|error| Error::of_io("write", path, error))?;
        Ok(temp)
    }
}

impl Role {
    /// The mode that a temporary file is created with; the umask is applied by the kernel.
    fn temp_mode(self) -> u32 {
        match self {
            Role::Output => DOCUMENT_MODE,
            Role::Cache | Role::Source => 0o600,
        }
    }
}

impl Temp {
    #[cfg(test)]
    pub(super) fn with_file(self, file: File) -> Temp {
        Temp { file, ..self }
    }

    /// Gives the file its name once its bytes are on the disk; an existing file of that name is replaced.
    pub(super) fn commit(self, to: &Path, mode: u32) -> Result<(), Error> {
        self.give(mode)
            .and_then(|()| self.file.sync_all())
            .map_err(|error| Error::of_io("write", to, error))?;
        self.name(to)
    }

    fn put(self, to: &Path, mode: u32) -> Result<(), Error> {
        let given = self.give(mode);
        given.map_err(|error| Error::of_io("write", to, error))?;
        self.name(to)
    }

    fn name(self, to: &Path) -> Result<(), Error> {
        self.path
            .persist(to)
            .map_err(|error| Error::of_io("rename a file to", to, error.error))
    }

    fn give(&self, mode: u32) -> io::Result<()> {
        match self.role {
            Role::Cache => self.file.set_permissions(Permissions::from_mode(mode)),
            Role::Output | Role::Source => Ok(()),
        }
    }

    /// Whether bytes can be written at all: a whole block, because a few bytes may fit into an inode.
    pub(super) fn try_out(mut self) -> Result<(), Error> {
        let written = self.file.write_all(&[0; 4096]);
        written.map_err(|error| Error::of_io("write", &self.path, error))
    }

    /// When the file system says that it was last written: the one clock of this room.
    pub(super) fn modified(&self) -> io::Result<SystemTime> {
        self.file.metadata()?.modified()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Write for Temp {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Makes renames in `directory` last through a power cut; file systems that cannot do this to directories are let off.
pub(super) fn sync_directory(directory: &Path) -> Result<(), Error> {
    match File::open(directory).and_then(|opened| opened.sync_all()) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result.map_err(|error| Error::of_io("sync", directory, error)),
    }
}
