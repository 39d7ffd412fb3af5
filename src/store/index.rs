//! `index.json`: which names the blobs have. Read without a lock, changed under it, replaced in one step.
//!
//! Other tools write here too: fields and entries that we do not know stay as they are. No digest-pinned lookup comes this way.

use std::collections::BTreeSet;
use std::fs;
use std::io::BufReader;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

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
use crate::json::Apart;
use crate::media;
use crate::media::CONTAINERD_NAME;
use crate::media::REF_NAME;

/// In bytes.
pub(super) const LIMIT: u64 = 24 * 1024 * 1024;
pub(super) const ENTRY_LIMIT: usize = 100_000;

impl Store {
    /// What the index lists, in its order; entries that are no descriptors of ours are passed over.
    pub(crate) fn entries(&self) -> Result<Vec<Descriptor>, Error> {
        Ok(self.each_entry()?.collect())
    }

    /// As [`Store::entries`], as they stand there: whoever looks at all of them reads them on all cores.
    pub(crate) fn unread_entries(&self) -> Result<Vec<Entry>, Error> {
        Ok(self.load_index()?.entries)
    }

    /// As [`Store::entries`], one after the other: all of them together may take ten times the memory of the index.
    pub(crate) fn each_entry(&self) -> Result<impl Iterator<Item = Descriptor> + use<>, Error> {
        let entries = self.load_index()?.entries.into_iter();
        Ok(entries.filter_map(|entry| entry.descriptor()))
    }

    /// The last entry with one of these names. A cache that others could write to is not believed a name (a digest is proof of itself).
    pub(crate) fn find(&self, names: &[String]) -> Result<Option<Descriptor>, Error> {
        let has_name = |entry: &Descriptor| {
            [REF_NAME, CONTAINERD_NAME]
                .iter()
                .filter_map(|key| entry.annotation(key))
                .any(|name| names.iter().any(|wanted| wanted == name))
        };
        let index = self.load_index()?;
        let may_be = |entry: &&Entry| names.iter().any(|name| entry.mentions(name));
        let entries = index.entries.iter().rev().filter(may_be);
        let found = entries.filter_map(Entry::descriptor).find(has_name);
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
        let has_name =
            |entry: &Entry| entry.mentions(name) && entry.name().as_deref() == Some(name);
        index.entries.retain(|entry| !has_name(entry));
        let named = descriptor.clone().annotated(REF_NAME, name);
        index.entries.push(Entry::of(&named));
        self.write_index(&lock, &index)?;
        self.touch(&descriptor.digest);
        drop(self.sweep(&lock)); // the name is written; leftovers can wait
        Ok(())
    }

    /// Takes the entries of these blobs out of the index.
    pub(super) fn forget(&self, lock: &Lock, digests: &BTreeSet<Digest>) -> Result<(), Error> {
        let mut index = self.mend_index(lock)?;
        let count = index.entries.len();
        index.entries.retain(|entry| {
            !entry
                .digest()
                .is_some_and(|digest| digests.contains(&digest))
        });
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
    pub(super) entries: Vec<Entry>,
    rest: Map<String, Value>,
}

/// One entry in its canonical text: there may be a hundred thousand, and as a value each takes ten times the memory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry(Box<str>);

impl Entry {
    pub(super) fn of(descriptor: &Descriptor) -> Entry {
        Entry(descriptor.to_value().to_string().into_boxed_str())
    }

    /// `None` for what is no descriptor of ours.
    pub(crate) fn descriptor(&self) -> Option<Descriptor> {
        serde_json::from_str(&self.0).ok()
    }

    pub(super) fn digest(&self) -> Option<Digest> {
        self.value().get("digest")?.as_str()?.parse().ok()
    }

    pub(super) fn name(&self) -> Option<String> {
        let value = self.value();
        let name = value.get("annotations")?.get(REF_NAME)?.as_str()?;
        Some(name.to_owned())
    }

    /// Whether this text is somewhere in it: if not, it need not be looked at more closely.
    fn mentions(&self, text: &str) -> bool {
        self.0.contains(&json!(text).to_string())
    }

    fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
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
    let reader = found.up_to(LIMIT).ok_or_else(|| too_large(path))?;
    match Index::read(BufReader::new(reader)) {
        Ok(Some(index)) if index.entries.len() > ENTRY_LIMIT => Err(too_large(path)),
        Ok(Some(index)) => Ok(State::Good(index)),
        Err(error) if error.is_io() => Err(Error::of_io("read", path, error.into())),
        Ok(None) | Err(_) => Ok(State::Damaged(identity)),
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

    pub(super) fn parse(bytes: &[u8]) -> Option<Index> {
        Index::read(bytes).ok()?
    }

    /// `None` without a list of entries. Of more than may be, one more is kept.
    fn read(reader: impl Read) -> Result<Option<Index>, serde_json::Error> {
        let Apart { rest, items } = json::parse_apart(reader, ("manifests", ENTRY_LIMIT))?;
        let entries = items.map(|items| items.into_iter().map(Entry).collect());
        Ok(entries.map(|entries| Index { entries, rest }))
    }

    pub(super) fn descriptors(&self) -> impl Iterator<Item = Descriptor> {
        self.entries.iter().filter_map(Entry::descriptor)
    }

    /// As [`json::canonical`] would write it, had the entries been values.
    fn bytes(&self) -> Vec<u8> {
        let mut document = self.rest.clone();
        document
            .entry("schemaVersion")
            .or_insert_with(|| Value::from(2));
        document
            .entry("mediaType")
            .or_insert_with(|| Value::from(media::OCI_INDEX));
        let before = |key: &str| key < "manifests";
        let length: usize = self.entries.iter().map(|entry| entry.0.len() + 1).sum();
        let mut text = String::with_capacity(length + 1024);
        text.push('{');
        let field = |(key, value): (&String, &Value)| format!("{}:{value},", json!(key));
        text.extend(document.iter().filter(|(key, _)| before(key)).map(field));
        text += "\"manifests\":[";
        for (place, entry) in self.entries.iter().enumerate() {
            text += if place == 0 { "" } else { "," };
            text += &entry.0;
        }
        text += "],";
        text.extend(document.iter().filter(|(key, _)| !before(key)).map(field));
        text.pop();
        text.push('}');
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests;
