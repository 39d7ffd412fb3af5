//! Reading blobs: found by digest alone, opened with care, hashed every time.
//!
//! A blob that turns out to be wrong is moved to the quarantine where that is possible, and is an error everywhere. A descriptor
//! that lies about a good blob is an error too, but the blob stays.

use std::fs;
use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::io::Read;
use std::io::Sink;
use std::io::Write;
use std::path::PathBuf;
use std::time::SystemTime;

use rustix::fs::Timespec;
use rustix::fs::Timestamps;
use rustix::fs::UTIME_NOW;
use rustix::fs::UTIME_OMIT;

use super::Error;
use super::Role;
use super::Store;
use super::regular;
use super::regular::Found;
use super::regular::Identity;
use super::regular::Regular;
use crate::digest::Descriptor;
use crate::digest::Digest;
use crate::digest::Hashing;
use crate::interrupt;

/// The largest manifest, index or config that is read, in bytes.
pub(super) const DOCUMENT_LIMIT: u64 = 8 * 1024 * 1024;

impl Store {
    /// A manifest, index or config, whole and verified; `None` when it is not here.
    pub(crate) fn document(
        &self,
        digest: &Digest,
        size: Option<u64>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let Some(found) = self.open_blob(digest, size)? else {
            return Ok(None);
        };
        let identity = found.identity;
        let path = self.blob_path(digest);
        match found.read(DOCUMENT_LIMIT) {
            Err(error) => Err(Error::of_io("read", &path, error)),
            Ok(None) => Err(Error::Foreign {
                path,
                reason: format!("is larger than a document may be, {DOCUMENT_LIMIT} bytes"),
            }),
            Ok(Some(bytes)) => match Digest::of(&bytes) {
                actual if actual == *digest => Ok(Some(bytes)),
                actual => Err(self.condemn(digest, identity, actual.to_string())),
            },
        }
    }

    /// Whether a regular file of that size is here; its bytes are not looked at.
    pub(crate) fn holds(&self, descriptor: &Descriptor) -> bool {
        fs::symlink_metadata(self.blob_path(&descriptor.digest))
            .is_ok_and(|found| found.is_file() && found.len() == descriptor.size)
    }

    /// As [`Store::holds`]; what is here is marked as used now.
    pub(crate) fn uses(&self, descriptor: &Descriptor) -> bool {
        let is_here = self.holds(descriptor);
        if is_here {
            self.touch(&descriptor.digest);
        }
        is_here
    }

    /// When the blob was last written or used.
    pub(crate) fn recorded_at(&self, digest: &Digest) -> Option<SystemTime> {
        let found = fs::symlink_metadata(self.blob_path(digest)).ok()?;
        found.modified().ok()
    }

    /// Every blob with its size in bytes, sorted by digest; names that are no digests are passed over.
    pub(crate) fn blobs(&self) -> Result<Vec<(Digest, u64)>, Error> {
        let files = regular::list(&self.blobs_directory())?;
        let mut blobs: Vec<(Digest, u64)> = files.iter().filter_map(measure).collect();
        blobs.sort();
        Ok(blobs)
    }

    /// What is wrong with the blob: one that is not here is not damaged, and a wrong one stays where it is.
    pub(crate) fn verify(&self, digest: &Digest) -> Result<Option<String>, Error> {
        self.refuse_links()?;
        let path = self.blob_path(digest);
        match regular::open(&path)? {
            Found::Nothing => Ok(None),
            Found::Odd(what, _) => Ok(Some(what.to_owned())),
            Found::Regular(found) => match found.digest() {
                Ok(actual) => Ok((actual != *digest).then(|| actual.to_string())),
                Err(error) => Err(Error::of_io("read", &path, error)),
            },
        }
    }

    /// Moves the blob to the quarantine if it is wrong; a good one stays.
    pub(crate) fn put_aside(&self, digest: &Digest) -> Result<(), Error> {
        self.prepare()?;
        let path = self.blob_path(digest);
        let Some(seen) = Identity::at(&path) else {
            return Ok(());
        };
        if self.verify(digest)?.is_some() {
            let lock = self.lock()?;
            self.quarantine(&lock, &path, seen)?;
        }
        Ok(())
    }

    /// A JSON object that matches its digest; whatever else is there stays where it is.
    pub(crate) fn peek_document(&self, digest: &Digest) -> Option<Vec<u8>> {
        let Found::Regular(found) = regular::open(&self.blob_path(digest)).ok()? else {
            return None;
        };
        let bytes = found.read(DOCUMENT_LIMIT).ok()??;
        let is_object = bytes.trim_ascii_start().starts_with(b"{");
        (is_object && Digest::of(&bytes) == *digest).then_some(bytes)
    }

    pub(super) fn open_blob(
        &self,
        digest: &Digest,
        size: Option<u64>,
    ) -> Result<Option<Regular>, Error> {
        self.refuse_links()?;
        match regular::open(&self.blob_path(digest))? {
            Found::Nothing => Ok(None),
            Found::Odd(what, identity) => Err(self.condemn(digest, identity, what.to_owned())),
            Found::Regular(found) => match size {
                Some(size) if size != found.size => Err(self.misfit(digest, found, size)),
                _ => Ok(Some(found)),
            },
        }
    }

    /// The error for a blob of another size than its descriptor says. The bytes decide which of the two is wrong.
    fn misfit(&self, digest: &Digest, found: Regular, size: u64) -> Error {
        let (actual_size, identity) = (found.size, found.identity);
        let path = self.blob_path(digest);
        match found.digest() {
            Err(error) => Error::of_io("read", &path, error),
            Ok(actual) if actual == *digest => Error::Corrupt {
                path,
                expected: format!("{size} bytes, as the descriptor says"),
                found: format!("{actual_size} bytes of the right digest"),
            },
            Ok(actual) => {
                let found = format!("{actual_size} bytes instead of {size}, {actual}");
                self.condemn(digest, identity, found)
            }
        }
    }

    /// The error for a wrong blob, which goes to the quarantine where that can be done.
    fn condemn(&self, digest: &Digest, seen: Identity, found: String) -> Error {
        let path = self.blob_path(digest);
        self.quarantine_if_free(&path, seen);
        Error::Corrupt {
            path,
            expected: digest.to_string(),
            found,
        }
    }

    /// Marks a blob as used now, by the clock of the file system. What cannot be marked is merely forgotten earlier.
    pub(crate) fn touch(&self, digest: &Digest) {
        if self.role == Role::Source {
            return;
        }
        if let Ok(Found::Regular(found)) = regular::open(&self.blob_path(digest)) {
            let _ = rustix::fs::futimens(&found.file, &now());
        }
    }
}

/// The time of the last write, by the clock of the file system.
pub(super) fn now() -> Timestamps {
    let time = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    Timestamps {
        last_access: time(UTIME_OMIT),
        last_modification: time(UTIME_NOW),
    }
}

fn measure((path, found): &(PathBuf, Metadata)) -> Option<(Digest, u64)> {
    let name = path.file_name()?.to_str()?;
    let digest = format!("sha256:{name}").parse().ok()?;
    found.is_file().then_some((digest, found.len()))
}

/// A blob being read. The read that would hand out the last byte fails instead when the digest differs, so that nobody who
/// counts bytes can take a wrong blob for a whole one; the [`io::Error`] holds an [`Error::Corrupt`].
pub(crate) struct Blob {
    store: Store,
    digest: Digest,
    identity: Identity,
    file: File,
    left: u64,
    progress: Progress,
}

enum Progress {
    Reading(Hashing<Sink>),
    Good,
    Wrong(String),
}

impl Blob {
    /// Opens a blob of that very size; `None` when it is not here.
    pub(super) fn open(store: &Store, descriptor: &Descriptor) -> Result<Option<Blob>, Error> {
        let found = store.open_blob(&descriptor.digest, Some(descriptor.size))?;
        Ok(found.map(|found| Blob {
            store: store.clone(),
            digest: descriptor.digest,
            identity: found.identity,
            file: found.file,
            left: descriptor.size,
            progress: Progress::Reading(Hashing::new(io::sink())),
        }))
    }

    fn judge(&mut self) -> io::Result<()> {
        if let Progress::Reading(hashing) = &mut self.progress {
            let (actual, size) = std::mem::replace(hashing, Hashing::new(io::sink())).finish();
            self.progress = match (actual == self.digest, self.left) {
                (true, 0) => Progress::Good,
                (_, 0) => Progress::Wrong(actual.to_string()),
                _ => Progress::Wrong(format!("the end after {size} bytes")),
            };
        }
        match &self.progress {
            Progress::Wrong(found) => {
                let found = found.clone();
                Err(self
                    .store
                    .condemn(&self.digest, self.identity, found)
                    .into())
            }
            _ => Ok(()),
        }
    }
}

impl Read for Blob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        interrupt::check()?;
        let Progress::Reading(hashing) = &mut self.progress else {
            return self.judge().map(|()| 0);
        };
        let wanted = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self.file.read(&mut buffer[..wanted])?;
        hashing.write_all(&buffer[..count])?;
        self.left -= count as u64;
        if self.left == 0 || (count == 0 && wanted > 0) {
            self.judge()?;
        }
        Ok(count)
    }
}
