//! `index.json`: which names the blobs have. Read without a lock, changed under it, replaced in one step.
//!
//! Other tools write here too: fields and entries that we do not know stay as they are. No digest-pinned lookup comes this way.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Map;
use serde_json::Value;

use super::Error;
use super::Role;
use super::Store;
use super::lock::Lock;
use super::regular;
use super::regular::Found;
use super::regular::Identity;
use crate::digest::Descriptor;
use crate::digest::Digest;
use crate::json;
use crate::media;
use crate::media::CONTAINERD_NAME;
use crate::media::REF_NAME;

/// In bytes.
pub(super) const LIMIT: u64 = 16 * 1024 * 1024;
pub(super) const ENTRY_LIMIT: usize = 100_000;

impl Store {
    /// What the index lists, in its order; entries that are no descriptors of ours are passed over.
    pub(crate) fn entries(&self) -> Result<Vec<Descriptor>, Error> {
        let values = self.entry_values()?.into_iter();
        Ok(values
            .filter_map(|value| Descriptor::from_value(value).ok())
            .collect())
    }

    /// As [`Store::entries`], as they stand there.
    pub(crate) fn entry_values(&self) -> Result<Vec<Value>, Error> {
        Ok(self.load_index()?.entries)
    }

    /// The last entry with one of these names. A cache that others could write to is not believed a name (a digest is proof of itself).
    pub(crate) fn find(&self, names: &[String]) -> Result<Option<Descriptor>, Error> {
        let has_name = |entry: &Descriptor| {
            [REF_NAME, CONTAINERD_NAME]
                .iter()
                .filter_map(|key| entry.annotation(key))
                .any(|name| names.iter().any(|wanted| wanted == name))
        };
        let found = self.load_index()?.descriptors().filter(has_name).last();
        if found.is_some() && self.role == Role::Cache {
            self.refuse_distrusted()?;
        }
        Ok(found)
    }

    /// Gives `descriptor` the name and takes it from whatever had it. Call [`Store::sync`] first.
    pub(crate) fn bind(&self, name: &str, descriptor: &Descriptor) -> Result<(), Error> {
        self.prepare()?;
        let lock = self.lock()?;
        let mut index = self.mend_index(&lock)?;
        index.entries.retain(|entry| ref_name(entry) != Some(name));
        let named = descriptor.clone().annotated(REF_NAME, name);
        index.entries.push(named.to_value());
        self.write_index(&lock, &index)?;
        self.touch(&descriptor.digest);
        drop(self.sweep(&lock)); // the name is written; leftovers can wait
        Ok(())
    }

    /// Takes the entries of these blobs out of the index.
    pub(super) fn forget(&self, lock: &Lock, digests: &BTreeSet<Digest>) -> Result<(), Error> {
        let mut index = self.mend_index(lock)?;
        let count = index.entries.len();
        index
            .entries
            .retain(|entry| !digest_of(entry).is_some_and(|digest| digests.contains(&digest)));
        match index.entries.len() == count {
            true => Ok(()),
            false => self.write_index(lock, &index),
        }
    }

    /// Our copy of the index, from which a damaged one is rebuilt.
    pub(super) fn shadow_path(&self) -> PathBuf {
        self.private("index.json")
    }

    /// The copy first: when the disk is full, the index itself has not been touched.
    pub(super) fn write_index(&self, _lock: &Lock, index: &Index) -> Result<(), Error> {
        let path = self.index_path();
        let bytes = index.bytes();
        if bytes.len() as u64 > LIMIT || index.entries.len() > ENTRY_LIMIT {
            return Err(too_large(&path));
        }
        self.write_document(&self.shadow_path(), &bytes)?;
        self.write_document(&path, &bytes)
    }

    pub(super) fn refuse_distrusted(&self) -> Result<(), Error> {
        let found =
            fs::metadata(&self.root).map_err(|error| Error::of_io("look at", &self.root, error))?;
        let ours = rustix::process::getuid().as_raw();
        match distrust(found.uid(), found.mode(), ours) {
            None => Ok(()),
            Some(reason) => Err(Error::Refused {
                path: self.root.clone(),
                reason: format!("{reason}, so the names in it are not believed"),
                hint: format!(
                    "run `chmod go-w {0}`, or `chown` it, or name the image by its digest",
                    self.root.display()
                ),
            }),
        }
    }
}

/// Why the names in a directory could be somebody else's.
fn distrust(owner: u32, mode: u32, ours: u32) -> Option<String> {
    if owner != ours {
        return Some(format!("belongs to uid {owner}, not to uid {ours}"));
    }
    (mode & 0o022 != 0).then(|| "can be written by others".to_owned())
}

/// What an `index.json` holds; `rest` is every field but the entries.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Index {
    pub(super) entries: Vec<Value>,
    rest: Map<String, Value>,
}

/// What is at the place of an `index.json`.
pub(super) enum State {
    Good(Index),
    Missing,
    Damaged(Identity),
}

/// Reads an index without changing anything; one beyond our limits is an error, not damage.
pub(super) fn read(path: &Path) -> Result<State, Error> {
    let found = match regular::open(path)? {
        Found::Nothing => return Ok(State::Missing),
        Found::Odd(_, identity) => return Ok(State::Damaged(identity)),
        Found::Regular(found) => found,
    };
    let identity = found.identity;
    let bytes = found
        .read(LIMIT)
        .map_err(|error| Error::of_io("read", path, error))?
        .ok_or_else(|| too_large(path))?;
    match Index::parse(&bytes) {
        Some(index) if index.entries.len() > ENTRY_LIMIT => Err(too_large(path)),
        Some(index) => Ok(State::Good(index)),
        None => Ok(State::Damaged(identity)),
    }
}

fn too_large(path: &Path) -> Error {
    Error::Foreign {
        path: path.to_owned(),
        reason: format!("is larger than {LIMIT} bytes or {ENTRY_LIMIT} entries"),
    }
}

impl Index {
    pub(super) fn empty() -> Index {
        Index {
            entries: Vec::new(),
            rest: Map::new(),
        }
    }

    /// Go programs write an empty list as `null`.
    pub(super) fn parse(bytes: &[u8]) -> Option<Index> {
        let Value::Object(mut rest) = json::parse(bytes).ok()? else {
            return None;
        };
        match rest.remove("manifests")? {
            Value::Array(entries) => Some(Index { entries, rest }),
            Value::Null => Some(Index {
                entries: Vec::new(),
                rest,
            }),
            _ => None,
        }
    }

    pub(super) fn descriptors(&self) -> impl Iterator<Item = Descriptor> {
        self.entries.iter().filter_map(to_descriptor)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut document = self.rest.clone();
        document
            .entry("schemaVersion")
            .or_insert_with(|| Value::from(2));
        document
            .entry("mediaType")
            .or_insert_with(|| Value::from(media::OCI_INDEX));
        document.insert("manifests".to_owned(), Value::from(self.entries.clone()));
        json::canonical(&Value::Object(document))
    }
}

pub(super) fn to_descriptor(entry: &Value) -> Option<Descriptor> {
    Descriptor::from_value(entry.clone()).ok()
}

pub(super) fn digest_of(entry: &Value) -> Option<Digest> {
    entry.get("digest")?.as_str()?.parse().ok()
}

pub(super) fn ref_name(entry: &Value) -> Option<&str> {
    entry.get("annotations")?.get(REF_NAME)?.as_str()
}

#[cfg(test)]
mod tests;
