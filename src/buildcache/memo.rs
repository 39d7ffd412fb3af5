//! Which finished layer belongs to which entries, so that what did not change is not compressed again.
//!
//! Two memories, both in the store that holds the layer. By *stat*: the entries with size, inode and times of their files name
//! a layer, and no file is read. By *diff ID*: the files are read and hashed, and the tar's digest names the layer.
//!
//! A stat can only vouch for a content if no write can have hidden in the granularity of its times. So a stat is noted *before*
//! the files are read, and believed later only if every time in it was older than the note: a file that is written
//! after the note then has another ctime. Both come from file systems, never from our clock, and `touch` cannot set a ctime.

use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use anyhow::Context;
use anyhow::Result;
use serde_json::{Value, json};

use crate::digest::Descriptor;
use crate::digest::Digest;
use crate::digest::Hashing;
use crate::json;
use crate::layer;
use crate::layer::Content;
use crate::layer::Entry;
use crate::layer::Layer;
use crate::media;
use crate::store::Store;

const BY_STAT: &str = "layer-by-stat";
const BY_DIFF_ID: &str = "layer-by-diff-id";
/// Lengths that contents had: what has another cannot have a known diff ID, and is not read to find that out.
const LENGTH: &str = "layer-length";

/// How much older than the note a file's times must be. Linux stamps files with its tick, which is 10 ms at its slowest (HZ=100):
/// two of them.
const TICKS: i64 = 20_000_000;

/// The same for a time without a fraction, which may come from a file system that only counts seconds, or every other one (FAT).
const SECONDS: i64 = 2_000_000_000;

/// The layer of `entries`, if it was made before and the store still holds it.
///
/// Leaves a note for [`remember`], which is worth something only if this was called before the layer was made.
pub(crate) fn recall(store: &Store, entries: &[Entry]) -> Result<Option<Layer>> {
    let stat = Stat::of(entries)?;
    if let Some(layer) = by_stat(store, &stat) {
        return Ok(Some(layer));
    }
    // Without the note the next build reads the files again; this one has lost nothing.
    let _ = store.remember(BY_STAT, &stat.key, &json!({}));
    if store.record(LENGTH, &stat.length_key()).is_none() {
        return Ok(None);
    }
    let key = diff_id_key(&layer::diff_id(entries)?);
    let found = store.record(BY_DIFF_ID, &key);
    let Some(layer) = found.and_then(|record| read(store, &record)) else {
        return Ok(None);
    };
    let _ = remember_stat(store, entries, &layer);
    Ok(Some(layer))
}

/// Remembers that `layer` was made of `entries`.
pub(crate) fn remember(store: &Store, entries: &[Entry], layer: &Layer) -> Result<()> {
    store.remember(BY_DIFF_ID, &diff_id_key(&layer.diff_id), &write(layer))?;
    let length_key = Stat::of(entries)?.length_key();
    if store.record(LENGTH, &length_key).is_none() {
        store.remember(LENGTH, &length_key, &json!({}))?;
    }
    remember_stat(store, entries, layer)
}

/// Turns the note into a memory. There is no note if the entries look otherwise than they did before they were read.
fn remember_stat(store: &Store, entries: &[Entry], layer: &Layer) -> Result<()> {
    let stat = Stat::of(entries)?;
    let noted = noted(store, &stat.key);
    let Some(noted) = noted.filter(|noted| stat.older_than(*noted)) else {
        return Ok(());
    };
    let mut record = write(layer);
    record["noted"] = Value::from(noted);
    Ok(store.remember(BY_STAT, &stat.key, &record)?)
}

/// When the note was left; a memory that was made of one keeps that time.
fn noted(store: &Store, key: &Digest) -> Option<i64> {
    let record = store.record(BY_STAT, key)?;
    match record.get("noted") {
        Some(noted) => noted.as_i64(),
        None => nanoseconds(store.record_time(BY_STAT, key)?),
    }
}

fn by_stat(store: &Store, stat: &Stat) -> Option<Layer> {
    let record = store.record(BY_STAT, &stat.key)?;
    if !stat.older_than(record.get("noted")?.as_i64()?) {
        return None;
    }
    read(store, &record)
}

fn diff_id_key(diff_id: &Digest) -> Digest {
    let key = json!({"assembly": layer::ASSEMBLY, "diff_id": diff_id.to_string()});
    Digest::of(&json::canonical(&key))
}

fn write(layer: &Layer) -> Value {
    json!({
        "digest": layer.blob.digest.to_string(),
        "size": layer.blob.size,
        "diff_id": layer.diff_id.to_string(),
        "tar_size": layer.size,
    })
}

/// The layer that a record names; `None` if the record is damaged or the store does not hold the blob.
fn read(store: &Store, record: &Value) -> Option<Layer> {
    let digest = |key: &str| record.get(key)?.as_str()?.parse().ok();
    let number = |key: &str| record.get(key)?.as_u64();
    let layer = Layer {
        blob: Descriptor::new(media::OCI_LAYER, digest("digest")?, number("size")?),
        diff_id: digest("diff_id")?,
        size: number("tar_size")?,
        reused: true,
    };
    if !store.holds(&layer.blob) {
        return None;
    }
    store.touch(&layer.blob.digest); // what is reused is the last to be trimmed
    Some(layer)
}

/// What entries look like without reading their files.
struct Stat {
    key: Digest,
    /// The times of all files, in nanoseconds since 1970.
    times: Vec<i64>,
    /// The bytes of all files together.
    length: u64,
}

impl Stat {
    fn of(entries: &[Entry]) -> Result<Stat> {
        let mut stat = Stat {
            key: Digest::of(&[]),
            times: Vec::new(),
            length: 0,
        };
        let mut key = Hashing::new(io::sink());
        write!(key, "{}", json!({"assembly": layer::ASSEMBLY}))?;
        // One entry after the other: as one document, those of a large tree would take more memory than its layer.
        for entry in entries {
            let seen = json!({
                "path": entry.path,
                "content": stat.look(&entry.content)?,
                "mode": entry.mode,
                "owner": [entry.owner.0, entry.owner.1],
            });
            key.write_all(&json::canonical(&seen))?;
        }
        stat.key = key.finish().0;
        Ok(stat)
    }

    fn length_key(&self) -> Digest {
        let key = json!({"assembly": layer::ASSEMBLY, "length": self.length});
        Digest::of(&json::canonical(&key))
    }

    /// Whether everything had come to rest by then.
    fn older_than(&self, noted: i64) -> bool {
        self.times.iter().all(|time| {
            let guard = match time % 1_000_000_000 {
                0 => SECONDS,
                _ => TICKS,
            };
            time.saturating_add(guard) < noted
        })
    }

    /// One content for the key; what else is seen of a file is added to the rest.
    fn look(&mut self, content: &Content) -> Result<Value> {
        Ok(match content {
            Content::Directory => json!("directory"),
            Content::Bytes(bytes) => json!({"bytes": Digest::of(bytes).to_string()}),
            Content::File(source) => self.look_at_file(source)?,
        })
    }

    fn look_at_file(&mut self, source: &Path) -> Result<Value> {
        let seen = fs::symlink_metadata(source)
            .with_context(|| format!("cannot read `{}`", source.display()))?;
        let written = join(seen.mtime(), seen.mtime_nsec());
        let changed = join(seen.ctime(), seen.ctime_nsec());
        self.times.extend([written, changed]);
        self.length = self.length.saturating_add(seen.size());
        Ok(json!({
            "file": format!("{source:?}"),
            "device": seen.dev(),
            "inode": seen.ino(),
            "size": seen.size(),
            "type_and_mode": seen.mode(),
            "written": written,
            "changed": changed,
        }))
    }
}

/// Saturates for times that no file has, which then never count as old.
fn join(seconds: i64, nanoseconds: i64) -> i64 {
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds)
}

fn nanoseconds(time: SystemTime) -> Option<i64> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_nanos()).ok()
}

#[cfg(test)]
mod tests;
