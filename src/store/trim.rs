//! Keeping a store small: the oldest blobs and records go first, and temporary files that nobody finished go after a day.
//!
//! Names go before their blobs. A reader that has a blob open keeps it; what the caller still needs it says in `keep`.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

use super::Error;
use super::Store;
use super::lock::Lock;
use super::quarantine;
use super::regular::list;
use crate::digest::Digest;

/// A temporary file of this age belongs to nobody any more.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// What was written or used so lately may be needed by a build that runs beside this one.
const YOUNG: Duration = Duration::from_secs(60 * 60);

/// A blob or a record, which may go; sorted by age.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    modified: SystemTime,
    digest: Digest,
    path: PathBuf,
    size: u64,
}

impl Store {
    /// Removes the oldest blobs and records until all together have at most `limit` bytes; those in `keep` stay, and those
    /// that were written or used within the last hour, by the clock of the file system.
    pub(crate) fn trim(&self, limit: u64, keep: &BTreeSet<Digest>) -> Result<(), Error> {
        if !self.root.exists() {
            return Ok(());
        }
        self.prepare()?;
        let lock = self.lock()?;
        self.sweep(&lock)?;
        let mut items = self.items()?;
        let total = items.iter().map(|item| item.size).sum::<u64>();
        let now = self.now()?;
        items.retain(|item| !keep.contains(&item.digest) && distance(now, item.modified) > YOUNG);
        items.sort();
        let victims = oldest(&items, total.saturating_sub(limit));
        self.forget(&lock, &self.blobs_among(victims))?;
        victims.iter().try_for_each(|item| remove(&item.path))
    }

    /// Removes temporary files that are more than a day old, or a day ahead after the clock went backwards.
    pub(super) fn sweep(&self, _lock: &Lock) -> Result<(), Error> {
        let directory = self.temp_directory();
        let now = self.now()?;
        for (path, found) in list(&directory)? {
            if found
                .modified()
                .is_ok_and(|modified| is_stale(now, modified))
            {
                drop(quarantine::remove(&path)); // a leftover that cannot go harms nobody
            }
        }
        Ok(())
    }

    fn now(&self) -> Result<SystemTime, Error> {
        let modified = self.temp()?.modified();
        modified.map_err(|error| Error::of_io("look at a file in", &self.temp_directory(), error))
    }

    /// Only the blobs: a record's key says nothing about the blob of the same digest.
    fn blobs_among(&self, items: &[Item]) -> BTreeSet<Digest> {
        let blobs = items
            .iter()
            .filter(|item| item.path == self.blob_path(&item.digest));
        blobs.map(|item| item.digest).collect()
    }

    fn items(&self) -> Result<Vec<Item>, Error> {
        let mut files = list(&self.blobs_directory())?;
        for (kind, found) in list(&self.private("records"))? {
            if found.is_dir() {
                files.extend(list(&kind)?);
            }
        }
        Ok(files.into_iter().filter_map(to_item).collect())
    }
}

fn to_item((path, found): (PathBuf, Metadata)) -> Option<Item> {
    let digest = format!("sha256:{}", path.file_stem()?.to_str()?);
    Some(Item {
        modified: found.modified().ok()?,
        digest: digest.parse().ok()?,
        size: found.len(),
        path,
    })
}

/// The first items that have `excess` bytes together.
fn oldest(items: &[Item], excess: u64) -> &[Item] {
    let mut left = excess;
    let count = items.iter().take_while(|item| {
        let goes = left > 0;
        left = left.saturating_sub(item.size);
        goes
    });
    &items[..count.count()]
}

fn remove(path: &Path) -> Result<(), Error> {
    match quarantine::remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(|error| Error::of_io("remove", path, error)),
    }
}

/// Whether a temporary file of that time belongs to nobody any more.
pub(super) fn is_stale(now: SystemTime, modified: SystemTime) -> bool {
    distance(now, modified) > STALE
}

fn distance(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other)
        .unwrap_or_else(|error| error.duration())
}
