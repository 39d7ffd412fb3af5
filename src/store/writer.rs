//! Writing blobs: into a temporary file, hashed on the way, verified, and only then given the name of its digest.
//!
//! A good blob that is there already is success; a wrong one goes to the quarantine. "It exists" alone is never good enough.

use std::io;
use std::io::BufReader;
use std::io::Write;

use super::Error;
use super::Role;
use super::Store;
use super::blob::DOCUMENT_LIMIT;
use super::regular;
use super::regular::Found;
use super::regular::Identity;
use super::regular::Regular;
use super::temp::BLOB_MODE;
use super::temp::Temp;
use crate::digest::Descriptor;
use crate::digest::Digest;
use crate::digest::Hashing;
use crate::interrupt;

/// What one read of a copy takes.
const COPY_BUFFER: usize = 128 * 1024;

impl Store {
    /// Writes a blob that is in memory.
    pub(crate) fn put(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor, Error> {
        let descriptor = Descriptor::of(media_type, bytes);
        if !self.keeps(&descriptor)? {
            let mut writer = self.writer()?;
            writer.write_all(bytes).map_err(|error| {
                Error::of_io("write", &self.blob_path(&descriptor.digest), error)
            })?;
            writer.finish_as(&descriptor)?;
        }
        Ok(descriptor)
    }

    /// Copies one blob, verified on the way; `false` when it is neither here nor there.
    pub(crate) fn copy(&self, descriptor: &Descriptor, into: &Store) -> Result<bool, Error> {
        if into.keeps(descriptor)? {
            return Ok(true);
        }
        let Some(blob) = self.blob(descriptor)? else {
            return Ok(false);
        };
        let mut writer = into.writer()?.limited(descriptor.size);
        io::copy(
            &mut BufReader::with_capacity(COPY_BUFFER, blob),
            &mut writer,
        )
        .map_err(|error| Error::of_io("copy", &self.blob_path(&descriptor.digest), error))?;
        writer.finish_as(descriptor)?;
        Ok(true)
    }

    /// Whether a good blob is here already; it counts as used now.
    fn keeps(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        self.refuse_links()?;
        let good = matches!(self.standing(descriptor)?, Standing::Good);
        if good {
            self.touch(&descriptor.digest);
        }
        Ok(good)
    }

    pub(super) fn standing(&self, descriptor: &Descriptor) -> Result<Standing, Error> {
        let path = self.blob_path(&descriptor.digest);
        match regular::open(&path) {
            Ok(Found::Nothing) => Ok(Standing::Absent),
            Ok(Found::Odd(_, identity)) => Ok(Standing::Wrong(identity)),
            Ok(Found::Regular(found)) => self
                .compare(found, descriptor)
                .map_err(|error| Error::of_io("read", &path, error)),
            // One that we may not read serves nobody: a good one shall take its place.
            Err(error @ Error::Denied { .. }) => {
                Identity::at(&path).map(Standing::Wrong).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    fn commit(&self, temp: Temp, descriptor: &Descriptor) -> Result<(), Error> {
        let path = self.blob_path(&descriptor.digest);
        match self.standing(descriptor)? {
            Standing::Good => self.touch(&descriptor.digest),
            Standing::Absent => temp.commit(&path, BLOB_MODE)?,
            Standing::Wrong(identity) => {
                let lock = self.lock()?;
                self.quarantine(&lock, &path, identity)?;
                temp.commit(&path, BLOB_MODE)?;
            }
        }
        Ok(())
    }

    /// Documents are hashed; of larger blobs the size is enough in a cache, because there they are hashed whenever they are read.
    /// What we hand over to others is hashed always: nobody looks at it after us.
    fn compare(&self, found: Regular, descriptor: &Descriptor) -> io::Result<Standing> {
        let identity = found.identity;
        let size_is_enough = self.role == Role::Cache && found.size > DOCUMENT_LIMIT;
        let good = found.size == descriptor.size
            && (size_is_enough || found.digest()? == descriptor.digest);
        Ok(match good {
            true => Standing::Good,
            false => Standing::Wrong(identity),
        })
    }
}

/// What is there under the name of a digest.
pub(super) enum Standing {
    Absent,
    Good,
    Wrong(Identity),
}

/// A blob being written; without `finish` nothing of it stays.
pub(crate) struct BlobWriter {
    store: Store,
    inner: Hashing<Temp>,
    limit: u64,
}

impl BlobWriter {
    pub(super) fn start(store: &Store) -> Result<BlobWriter, Error> {
        store.prepare()?;
        Ok(BlobWriter {
            store: store.clone(),
            inner: Hashing::new(store.temp()?),
            limit: u64::MAX,
        })
    }

    /// The same writer, which fails as soon as more than `size` bytes are written.
    pub(crate) fn limited(self, size: u64) -> BlobWriter {
        BlobWriter {
            limit: size,
            ..self
        }
    }

    /// The same writer, whose bytes go to another file than its own, for tests of faults.
    #[cfg(test)]
    pub(super) fn onto(self, file: std::fs::File) -> BlobWriter {
        let (temp, _) = self.inner.finish_inner();
        BlobWriter {
            inner: Hashing::new(temp.with_file(file)),
            ..self
        }
    }

    /// Gives the blob the name of whatever its digest is.
    pub(crate) fn finish(self, media_type: &str) -> Result<Descriptor, Error> {
        let (temp, (digest, size)) = self.inner.finish_inner();
        let descriptor = Descriptor::new(media_type, digest, size);
        self.store.commit(temp, &descriptor)?;
        Ok(descriptor)
    }

    /// Gives the blob its name if digest and size are those of `descriptor`.
    pub(crate) fn finish_as(self, descriptor: &Descriptor) -> Result<(), Error> {
        let (temp, (digest, size)) = self.inner.finish_inner();
        if (digest, size) != (descriptor.digest, descriptor.size) {
            return Err(Error::Corrupt {
                path: self.store.blob_path(&descriptor.digest),
                expected: describe(&descriptor.digest, descriptor.size),
                found: describe(&digest, size),
            });
        }
        self.store.commit(temp, descriptor)
    }

    fn refuse_more(&self, count: usize) -> Result<(), Error> {
        match self.inner.size().checked_add(count as u64) {
            Some(size) if size <= self.limit => Ok(()),
            _ => Err(Error::Corrupt {
                path: self.store.blobs_directory(),
                expected: format!("a blob of {} bytes", self.limit),
                found: "more bytes than that".to_owned(),
            }),
        }
    }
}

fn describe(digest: &Digest, size: u64) -> String {
    format!("{digest} of {size} bytes")
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        interrupt::check()?;
        self.refuse_more(bytes.len())?;
        let written = self.inner.write(bytes);
        written.map_err(|error| Error::of_io("write", self.inner.inner().path(), error).into())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
