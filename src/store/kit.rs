//! Kits: directories of files that other programs need under a path, such as a linker; each found by a kind and a key.
//!
//! A kit appears whole or not at all and never changes, but for the time of its directory, which is that of its last use: what it is
//! made of goes into its key. It holds nothing that cannot be made again.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rustix::fs::{AtFlags, CWD, utimensat};

use super::blob::now;
use super::{Error, Role, Store};
use crate::digest::Digest;

impl Store {
    /// The directory of the kit, filled by `fill` if it is not here yet. `kind` is a word of ours, never input.
    pub(crate) fn kit(
        &self,
        kind: &str,
        key: &Digest,
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let kits = self.private("kits").join(kind);
        let place = kits.join(key.hex());
        if place.is_dir() {
            self.touch_kit(&place);
            return Ok(place);
        }
        self.prepare()?;
        self.make_directory(&self.private("kits"))?;
        self.make_directory(&kits)?;
        let made = tempfile::Builder::new()
            .prefix("kit-")
            .tempdir_in(self.temp_directory())
            .map_err(|error| {
                Error::of_io("create a directory in", &self.temp_directory(), error)
            })?;
        fill(made.path())?;
        sync(made.path()).map_err(|error| Error::of_io("sync", made.path(), error))?;
        match fs::rename(made.path(), &place) {
            // The name of what was a temporary directory is no longer there to be removed.
            Ok(()) => drop(made.keep()),
            // Another process was faster; what it made is the same.
            Err(_) if place.is_dir() => drop(made),
            Err(error) => return Err(Error::of_io("rename a directory to", &place, error).into()),
        }
        Ok(place)
    }

    /// Marks a kit as used now. What cannot be marked is merely made again earlier.
    fn touch_kit(&self, place: &Path) {
        if self.role != Role::Source {
            let _ = utimensat(CWD, place, &now(), AtFlags::SYMLINK_NOFOLLOW);
        }
    }
}

/// Writes to the disk what `directory` holds, so that a power cut leaves no kit of empty files under its name. Links lead elsewhere.
fn sync(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sync(&entry.path())?;
        } else if kind.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;
    use crate::notes::Notes;

    fn store() -> (tempfile::TempDir, Store) {
        let place = tempfile::tempdir().expect("a directory");
        let store = Store::cache(&place.path().join("build"), &Notes::recorded()).expect("a store");
        (place, store)
    }

    #[test]
    fn a_kit_is_filled_once_and_found_again() {
        let (_place, store) = store();
        let key = Digest::of(b"gcc 12");
        let fill = |place: &Path| Ok(fs::write(place.join("cc"), "#!/bin/sh\n")?);
        let made = store.kit("compilers", &key, fill).expect("made");
        assert!(made.join("cc").is_file());
        let again = store.kit("compilers", &key, |_| bail!("it is there"));
        assert_eq!(again.expect("found"), made);
        let other = store.kit("compilers", &Digest::of(b"gcc 13"), |_| Ok(()));
        assert_ne!(other.expect("made"), made);
    }

    #[test]
    fn a_kit_that_could_not_be_filled_is_not_there() {
        let (_place, store) = store();
        let key = Digest::of(b"gcc 12");
        let half = |place: &Path| {
            fs::write(place.join("cc"), "#!/bin/sh\n")?;
            bail!("no space")
        };
        store.kit("compilers", &key, half).expect_err("not filled");
        let left = fs::read_dir(store.temp_directory())
            .expect("listed")
            .count();
        assert_eq!(left, 0);
        let filled = store.kit("compilers", &key, |_| Ok(())).expect("made");
        assert_eq!(fs::read_dir(filled).expect("listed").count(), 0);
    }
}
