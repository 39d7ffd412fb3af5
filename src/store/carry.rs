//! Whole stores on their way: many entries entered at once, blobs that wait to be asked for, a layout that gets its place.
//!
//! What is staged was verified when it was written, and is moved, not copied. A kill leaves a directory among the temporary files,
//! which goes away with them; the index changes once, after every blob.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::Error;
use super::Store;
use super::index::ENTRY_LIMIT;
use super::index::Entry;
use super::index::Index;
use super::index::LIMIT;
use super::quarantine;
use super::writer::Standing;
use crate::digest::Descriptor;
use crate::digest::Digest;

/// A store among the temporary files of another one, on the same file system; it goes away when this is dropped.
pub(crate) struct Staging {
    pub(crate) store: Store,
    _directory: TempDir,
}

/// The entries of an `index.json` that came from elsewhere; `None` when it is none, or goes beyond our limits.
pub(crate) fn entries_of(bytes: &[u8]) -> Option<Vec<Descriptor>> {
    let index = Index::parse(bytes).filter(|_| bytes.len() as u64 <= LIMIT)?;
    (index.entries.len() <= ENTRY_LIMIT).then(|| index.descriptors().collect())
}

impl Store {
    /// A place for blobs of which nobody knows yet whether they are wanted.
    pub(crate) fn staging(&self) -> Result<Staging, Error> {
        self.prepare()?;
        let parent = self.temp_directory();
        let directory = tempfile::Builder::new()
            .prefix("import-")
            .tempdir_in(&parent)
            .map_err(|error| Error::of_io("create a directory in", &parent, error))?;
        Ok(Staging {
            store: Store::cache(directory.path(), &self.notes)?,
            _directory: directory,
        })
    }

    /// Moves a blob of that very size to a store on the same file system; `false` when it is not here.
    pub(crate) fn give(&self, blob: &Descriptor, into: &Store) -> Result<bool, Error> {
        if self.open_blob(&blob.digest, Some(blob.size))?.is_none() {
            return Ok(false);
        }
        let to = into.blob_path(&blob.digest);
        match into.standing(blob)? {
            Standing::Absent => {}
            Standing::Good => {
                into.touch(&blob.digest);
                return Ok(true);
            }
            Standing::Wrong(identity) => {
                let lock = into.lock()?;
                into.quarantine(&lock, &to, identity)?;
            }
        }
        fs::rename(self.blob_path(&blob.digest), &to)
            .map_err(|error| Error::of_io("rename a file to", &to, error))?;
        Ok(true)
    }

    /// Enters all of these at once. A name is taken from whatever had it; an entry without one is added unless its digest is
    /// listed already. Call [`Store::sync`] first.
    pub(crate) fn enter(&self, entries: &[Descriptor]) -> Result<(), Error> {
        self.prepare()?;
        let lock = self.lock()?;
        let mut index = self.mend_index(&lock)?;
        if index.enter(entries) {
            self.write_index(&lock, &index)?;
        }
        entries.iter().for_each(|entry| self.touch(&entry.digest));
        drop(self.sweep(&lock)); // the names are written; leftovers can wait
        Ok(())
    }

    /// Writes the whole index, of a layout that nobody else knows of yet.
    pub(crate) fn replace_index(&self, bytes: &[u8]) -> Result<(), Error> {
        self.write_document(&self.index_path(), bytes)
    }

    /// Gives a finished layout its place: what is ours alone goes away, then the directory is renamed. Nothing, or an empty
    /// directory, may be there.
    pub(crate) fn settle(self, place: &Path) -> Result<(), Error> {
        let own = self.root.join(".rbuild");
        quarantine::remove(&own).map_err(|error| Error::of_io("remove", &own, error))?;
        super::temp::sync_directory(&self.root)?;
        fs::rename(&self.root, place)
            .map_err(|error| Error::of_io("rename a directory to", place, error))?;
        let parent = place.parent().filter(|path| !path.as_os_str().is_empty());
        super::temp::sync_directory(parent.unwrap_or(Path::new(".")))
    }
}

impl Index {
    /// Says whether anything changed.
    fn enter(&mut self, entries: &[Descriptor]) -> bool {
        let entries: Vec<Entry> = entries.iter().map(Entry::of).collect();
        let same: BTreeSet<&Entry> = entries.iter().collect();
        let taken: BTreeSet<String> = entries.iter().filter_map(Entry::name).collect();
        let is_taken = |entry: &Entry| entry.name().is_some_and(|name| taken.contains(&name));
        let count = self.entries.len();
        self.entries
            .retain(|entry| same.contains(entry) || !is_taken(entry));
        let known: BTreeSet<Digest> = self.entries.iter().filter_map(Entry::digest).collect();
        let here: BTreeSet<&Entry> = self.entries.iter().collect();
        let is_news = |entry: &&Entry| match entry.name() {
            Some(_) => !here.contains(entry),
            None => !entry.digest().is_some_and(|digest| known.contains(&digest)),
        };
        let news: Vec<Entry> = entries.iter().filter(is_news).cloned().collect();
        let is_changed = self.entries.len() != count || !news.is_empty();
        self.entries.extend(news);
        is_changed
    }
}
