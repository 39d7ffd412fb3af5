//! Records: small JSON documents of our own beside the blobs, each found by a kind and a key.
//!
//! A record is a help, never a proof: a damaged one does not exist, and what it points at is checked by whoever uses it. So none
//! waits for the disk: a power cut may take the youngest.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use serde_json::Value;

use super::Error;
use super::Store;
use super::regular;
use super::regular::Found;
use crate::digest::Digest;
use crate::json;

/// In bytes.
const LIMIT: u64 = 8 * 1024 * 1024;

impl Store {
    /// The record, if there is a sound one. `kind` is a word of ours, never input.
    pub(crate) fn record(&self, kind: &str, key: &Digest) -> Option<Value> {
        match regular::open(&self.record_path(kind, key)).ok()? {
            Found::Regular(found) => json::parse(&found.read(LIMIT).ok()??).ok(),
            Found::Nothing | Found::Odd(..) => None,
        }
    }

    /// Writes the record in one step; an older one is replaced.
    pub(crate) fn remember(&self, kind: &str, key: &Digest, value: &Value) -> Result<(), Error> {
        self.prepare()?;
        self.make_directory(&self.private("records"))?;
        self.make_directory(&self.private("records").join(kind))?;
        self.write_help(&self.record_path(kind, key), &json::canonical(value))
    }

    /// When the record was written, by the clock of the file system.
    pub(crate) fn record_time(&self, kind: &str, key: &Digest) -> Option<SystemTime> {
        let found = fs::symlink_metadata(self.record_path(kind, key)).ok()?;
        found.modified().ok()
    }

    /// The keys of all records of that kind, and when each was written; none where they cannot be listed.
    pub(crate) fn record_times(&self, kind: &str) -> Vec<(Digest, SystemTime)> {
        let files = regular::list(&self.private("records").join(kind)).unwrap_or_default();
        let pair = |(path, found): (PathBuf, fs::Metadata)| {
            let key = format!("sha256:{}", path.file_stem()?.to_str()?);
            Some((key.parse().ok()?, found.modified().ok()?))
        };
        files.into_iter().filter_map(pair).collect()
    }

    pub(super) fn record_path(&self, kind: &str, key: &Digest) -> PathBuf {
        let name = format!("{}.json", key.hex());
        self.private("records").join(kind).join(name)
    }
}
