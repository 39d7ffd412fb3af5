//! A damaged or lost `index.json`: put aside and rebuilt from our copy of it and from the blobs that are here.
//!
//! It is never silently replaced by an empty one. A store that cannot be written is rebuilt in memory, each time.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::Error;
use super::Store;
use super::index;
use super::index::Entry;
use super::index::Index;
use super::index::State;
use super::lock::Lock;
use crate::digest::Descriptor;
use crate::digest::Digest;
use crate::interrupt;
use crate::json;
use crate::media;
use crate::words::counted;

const SECOND_LOOK: Duration = Duration::from_millis(5);

impl Store {
    /// The index for readers, who take no lock unless it needs mending.
    pub(super) fn load_index(&self) -> Result<Index, Error> {
        let state = index::read(&self.index_path())?;
        if let State::Good(index) = state {
            return Ok(index);
        }
        let rebuilt = self.rebuild_index()?;
        if matches!(state, State::Missing) && rebuilt.entries.is_empty() {
            return Ok(rebuilt);
        }
        let lock = self.lock_if_free();
        if let Some(mended) = lock.and_then(|lock| self.mend_index(&lock).ok()) {
            return Ok(mended);
        }
        self.notes.say(format!(
            "`{}` is damaged or lost; found {} in what else is there",
            self.index_path().display(),
            counted(rebuilt.entries.len(), "entry")
        ));
        Ok(rebuilt)
    }

    /// The index for writers; afterwards a good one is at its place, or none where nothing was known.
    pub(super) fn mend_index(&self, lock: &Lock) -> Result<Index, Error> {
        let path = self.index_path();
        let is_damaged = match read_twice(&path)? {
            State::Good(index) => return Ok(index),
            State::Missing => false,
            State::Damaged(identity) => self.quarantine(lock, &path, identity)?,
        };
        let rebuilt = self.rebuild_index()?;
        if is_damaged || !rebuilt.entries.is_empty() {
            self.write_index(lock, &rebuilt)?;
            self.notes.say(format!(
                "rebuilt `{}` with {}",
                path.display(),
                counted(rebuilt.entries.len(), "entry")
            ));
        }
        Ok(rebuilt)
    }

    /// What our copy says, as far as the blobs are still here, and the images here that it does not know.
    fn rebuild_index(&self) -> Result<Index, Error> {
        let mut index = match index::read(&self.shadow_path()) {
            Ok(State::Good(index)) => index,
            _ => Index::empty(),
        };
        index
            .entries
            .retain(|entry| entry.descriptor().is_none_or(|known| self.holds(&known)));
        let known: BTreeSet<Digest> = index.descriptors().map(|entry| entry.digest).collect();
        let lost = self.roots()?;
        let lost = lost.iter().filter(|root| !known.contains(&root.digest));
        index.entries.extend(lost.map(Entry::of));
        Ok(index)
    }

    /// The manifests and indexes here that no index here lists, without names, sorted by digest.
    fn roots(&self) -> Result<Vec<Descriptor>, Error> {
        let mut roots = Vec::new();
        let mut children = BTreeSet::new();
        for (digest, size) in self.blobs()? {
            interrupt::check()
                .map_err(|error| Error::of_io("read", &self.blob_path(&digest), error))?;
            if let Some(bytes) = self.peek_document(&digest)
                && let Ok(document) = json::parse(&bytes)
                && let Some(media_type) = image_type(&document)
            {
                children.extend(listed(&document));
                roots.push(Descriptor::new(media_type, digest, size));
            }
        }
        roots.retain(|root| !children.contains(&root.digest));
        Ok(roots)
    }
}

/// Tools that write in place leave a torn index for a moment: a second look tells it from a lasting one.
fn read_twice(path: &Path) -> Result<State, Error> {
    match index::read(path)? {
        State::Damaged(_) => {
            thread::sleep(SECOND_LOOK);
            index::read(path)
        }
        state => Ok(state),
    }
}

/// The media type of an image manifest or index; `None` for other documents and for those that could be read as both.
fn image_type(document: &Value) -> Option<String> {
    let has = |field: &str, is: fn(&Value) -> bool| document.get(field).is_some_and(is);
    let is_index = has("manifests", Value::is_array);
    let is_manifest = has("layers", Value::is_array) && has("config", Value::is_object);
    let by_shape = match (is_index, is_manifest) {
        (true, false) if document.get("layers").or(document.get("config")).is_none() => {
            media::OCI_INDEX
        }
        (false, true) if document.get("manifests").is_none() => media::OCI_MANIFEST,
        _ => return None,
    };
    let stated = document.get("mediaType").and_then(Value::as_str);
    Some(stated.unwrap_or(by_shape).to_owned())
}

fn listed(document: &Value) -> impl Iterator<Item = Digest> {
    let children = document.get("manifests").and_then(Value::as_array);
    children
        .into_iter()
        .flatten()
        .filter_map(|child| child.get("digest")?.as_str()?.parse().ok())
}
