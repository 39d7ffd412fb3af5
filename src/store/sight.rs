//! A look at many blobs: their directory is listed once and opened once, so that each costs a call or three and no walk along a path.
//!
//! What it sees is good for a list. Nothing is moved away, and what cannot be read counts as not here.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;

use rustix::fs::AtFlags;
use rustix::fs::Dir;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::openat;
use rustix::fs::statat;

use super::Error;
use super::Store;
use super::blob::DOCUMENT_LIMIT;
use super::regular::READ_AT_ONCE;
use crate::digest::Descriptor;
use crate::digest::Digest;

/// The blobs of a store at one moment.
#[derive(Default)]
pub(crate) struct Sight {
    /// `None` where there are no blobs yet.
    directory: Option<File>,
    here: HashSet<Digest>,
}

impl Store {
    pub(crate) fn sight(&self) -> Result<Sight, Error> {
        let path = self.blobs_directory();
        match look(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Sight::default()),
            found => found.map_err(|error| Error::of_io("list", &path, error)),
        }
    }
}

/// A directory that is a link is not followed.
fn look(path: &Path) -> io::Result<Sight> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::open(path, flags, Mode::empty())?;
    let mut here = HashSet::new();
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        // What opens a device may do something; some file systems do not tell what is one.
        if matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown) {
            here.extend(Digest::of_hex(entry.file_name().to_bytes()));
        }
    }
    Ok(Sight {
        directory: Some(directory.into()),
        here,
    })
}

impl Sight {
    /// As [`Store::holds`].
    pub(crate) fn holds(&self, blob: &Descriptor) -> bool {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        let name = blob.digest.hex_bytes();
        let found = self
            .of(blob)
            .and_then(|directory| statat(directory, &name[..], flags).ok());
        found.is_some_and(|found| {
            FileType::from_raw_mode(found.st_mode) == FileType::RegularFile
                && u64::try_from(found.st_size) == Ok(blob.size)
        })
    }

    /// A manifest, index or config of that size which matches its digest, and its file.
    pub(crate) fn document(&self, blob: &Descriptor) -> Option<(Vec<u8>, File)> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let (name, size) = (blob.digest.hex_bytes(), blob.size);
        let directory = self.of(blob).filter(|_| size <= DOCUMENT_LIMIT)?;
        let file = File::from(openat(directory, &name[..], flags, Mode::empty()).ok()?);
        // Only its directory entry was looked at: the digest says whether it is what it should be.
        let mut bytes = Vec::with_capacity(usize::try_from(size.min(READ_AT_ONCE)).ok()?);
        (&file).take(size).read_to_end(&mut bytes).ok()?;
        let is_whole = bytes.len() as u64 == size && Digest::of(&bytes) == blob.digest;
        is_whole.then_some((bytes, file))
    }

    /// The directory, if it has such a file.
    fn of(&self, blob: &Descriptor) -> Option<&File> {
        let directory = self.directory.as_ref();
        directory.filter(|_| self.here.contains(&blob.digest))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::tests::{home, plant};
    use super::*;

    #[test]
    fn a_sight_sees_what_the_store_holds_and_when_it_was_written() {
        let home = home();
        let here = home.store.put("text", b"{}").expect("put");
        let absent = Descriptor::of("text", b"absent");
        let longer = Descriptor::new("text", here.digest, 3);
        let sight = home.store.sight().expect("listed");
        for blob in [&here, &absent, &longer] {
            assert_eq!(sight.holds(blob), home.store.holds(blob));
        }
        let (bytes, file) = sight.document(&here).expect("sound");
        assert_eq!(bytes, b"{}");
        let modified = file.metadata().and_then(|found| found.modified());
        assert_eq!(modified.ok(), home.store.recorded_at(&here.digest));
        assert!(sight.document(&absent).is_none() && sight.document(&longer).is_none());
    }

    #[test]
    fn what_is_wrong_is_not_seen_and_stays_where_it_is() {
        let home = home();
        let wrong = home.store.put("text", b"{}").expect("put");
        plant(&home.store.blob_path(&wrong.digest), b"[]");
        let linked = Descriptor::of("text", b"linked");
        let elsewhere = home.store.root().join("elsewhere");
        std::fs::write(&elsewhere, b"linked").expect("written");
        symlink(&elsewhere, home.store.blob_path(&linked.digest)).expect("linked");
        let sight = home.store.sight().expect("listed");
        assert!(sight.document(&wrong).is_none() && sight.document(&linked).is_none());
        assert!(!sight.holds(&linked));
        assert!(home.store.blob_path(&wrong.digest).exists());
    }

    #[test]
    fn a_store_without_blobs_is_seen_as_empty() {
        let place = tempfile::tempdir().expect("a directory");
        let store = Store::source(&place.path().join("img"), &crate::notes::Notes::recorded());
        let sight = store.expect("opens").sight().expect("nothing to list");
        assert!(!sight.holds(&Descriptor::of("text", b"")));
    }
}
