//! Where wrong things go: moved out of the way under the lock, kept for a look, bounded in number and size.
//!
//! Only the very file that was seen to be wrong is moved, never a good one that took its place meanwhile.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::{AtFlags, CWD, utimensat};

use super::Error;
use super::Store;
use super::blob::now;
use super::lock::Lock;
use super::regular::Identity;

/// How many things are kept.
const COUNT: usize = 5;
/// How many bytes are kept; a single larger thing is not.
const SIZE: u64 = 64 * 1024 * 1024;

impl Store {
    /// Moves what is at `path` out of the way if it is still the thing that was seen.
    pub(super) fn quarantine(
        &self,
        _lock: &Lock,
        path: &Path,
        seen: Identity,
    ) -> Result<bool, Error> {
        if Identity::at(path) != Some(seen) {
            return Ok(false);
        }
        let directory = self.private("quarantine");
        self.make_directory(&directory)?;
        let name = path.file_name().expect("a file of the store has a name");
        let mut numbered = name.to_owned();
        numbered.push(format!(".{}", self.next_number()));
        let to = directory.join(numbered);
        fs::rename(path, &to).map_err(|error| Error::of_io("quarantine", path, error))?;
        // Its time is that of now, from which on it is kept for a look; without one it goes earlier.
        let _ = utimensat(CWD, &to, &now(), AtFlags::SYMLINK_NOFOLLOW);
        self.bound_quarantine();
        self.notes.say(format!(
            "`{}` was damaged and has been moved to `{}`",
            path.display(),
            to.display()
        ));
        Ok(true)
    }

    /// As [`Store::quarantine`] for a reader: nothing happens where the store cannot be written or the lock is not free.
    pub(super) fn quarantine_if_free(&self, path: &Path, seen: Identity) {
        if let Some(lock) = self.lock_if_free() {
            // The error that the reader gets matters more than one met while tidying up.
            drop(self.quarantine(&lock, path, seen));
        }
    }

    fn next_number(&self) -> u64 {
        let newest = self.quarantined().into_iter().map(|item| item.0).max();
        newest.map_or(1, |number| number.saturating_add(1))
    }

    /// Removes the oldest things beyond the bounds; what cannot be removed stays.
    fn bound_quarantine(&self) {
        let mut items = self.quarantined();
        items.sort_by_key(|item| std::cmp::Reverse(item.0));
        let mut left = SIZE;
        for (place, (_, size, path)) in items.into_iter().enumerate() {
            match left.checked_sub(size) {
                Some(rest) if place < COUNT => left = rest,
                _ => drop(remove(&path)),
            }
        }
    }

    /// Number, size and path of what is there; names end in `.<number>`, and a higher one is newer.
    fn quarantined(&self) -> Vec<(u64, u64, PathBuf)> {
        let Ok(entries) = fs::read_dir(self.private("quarantine")) else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| {
                let path = entry.path();
                Some((number(&path)?, entry.metadata().ok()?.len(), path))
            })
            .collect()
    }
}

/// What the name of a thing in the quarantine ends with.
pub(super) fn number(path: &Path) -> Option<u64> {
    path.extension()?.to_str()?.parse().ok()
}

/// Removes a file, a link or a whole directory, links not followed.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path)?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}
