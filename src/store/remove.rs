//! Taking things away: entries of the index first, then the blobs that nobody needs any more.
//!
//! Done alone in the store and under its lock. Which blobs nobody needs is the caller's word, and it is held against the index as it
//! is now: a program that knows no locks may have named one meanwhile. A kill in between leaves blobs too many, never too few.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::time::SystemTime;

use super::Error;
use super::Store;
use super::claim::Alone;
use super::regular;
use super::temp;
use crate::digest::Descriptor;
use crate::digest::Digest;

/// A blob as it was seen: one that was written or used since is not the same any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) modified: SystemTime,
}

/// What shall go.
pub(crate) struct Victims<'a> {
    /// Of the index.
    pub(crate) entries: &'a dyn Fn(&Descriptor) -> bool,
    pub(crate) blobs: &'a BTreeMap<Digest, Seen>,
    /// The digests of the entries that stay, as the caller knows them.
    pub(crate) staying: &'a BTreeSet<Digest>,
}

impl Store {
    /// Every blob here, and when it was written or used last.
    pub(crate) fn seen(&self) -> Result<BTreeMap<Digest, Seen>, Error> {
        let files = regular::list(&self.blobs_directory())?;
        let pair = |(path, found): &(std::path::PathBuf, fs::Metadata)| {
            let digest = format!("sha256:{}", path.file_name()?.to_str()?);
            let modified = found.modified().ok()?;
            let size = found.len();
            found
                .is_file()
                .then_some((digest.parse().ok()?, Seen { size, modified }))
        };
        Ok(files.iter().filter_map(pair).collect())
    }

    /// Refuses to take names out of a store that others may write to: they could be anybody's.
    pub(crate) fn refuse_untrusted(&self) -> Result<(), Error> {
        match self.root.exists() {
            true => self.refuse_distrusted(),
            false => Ok(()),
        }
    }

    /// Takes away what shall go; gives the blobs that went.
    pub(crate) fn remove(
        &self,
        _alone: &Alone,
        victims: &Victims<'_>,
    ) -> Result<BTreeSet<Digest>, Error> {
        let lock = self.lock()?;
        let mut index = self.mend_index(&lock)?;
        let count = index.entries.len();
        index.entries.retain(|entry| {
            !entry
                .descriptor()
                .is_some_and(|one| (victims.entries)(&one))
        });
        if index.entries.len() != count {
            self.write_index(&lock, &index)?;
        }
        let is_new = |entry: &Descriptor| !victims.staying.contains(&entry.digest);
        if let Some(entry) = index.descriptors().find(is_new) {
            self.notes.say(format!(
                "another program named {} meanwhile: no blob of `{}` was taken away",
                entry.digest,
                self.root.display()
            ));
            return Ok(BTreeSet::new());
        }
        self.remove_blobs(victims.blobs)
    }

    fn remove_blobs(&self, blobs: &BTreeMap<Digest, Seen>) -> Result<BTreeSet<Digest>, Error> {
        let mut gone = BTreeSet::new();
        for (digest, seen) in blobs {
            let path = self.blob_path(digest);
            let found = fs::symlink_metadata(&path).ok();
            let modified = found.and_then(|found| found.modified().ok());
            if modified != Some(seen.modified) {
                continue;
            }
            fs::remove_file(&path).map_err(|error| Error::of_io("remove", &path, error))?;
            gone.insert(*digest);
        }
        if !gone.is_empty() {
            temp::sync_directory(&self.blobs_directory())?;
        }
        Ok(gone)
    }
}
