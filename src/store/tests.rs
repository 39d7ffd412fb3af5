//! What the tests of the store share: a store in a directory of its own, and ways to look at it and to hurt it.

mod faults;
mod index;
mod mending;
mod quarantine;
mod reading;
mod records;
mod trimming;
mod writing;

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

use super::Error;
use super::Store;
use crate::digest::Descriptor;
use crate::digest::Digest;
use crate::fault::Kind;
use crate::media::OCI_CONFIG;
use crate::media::OCI_INDEX;
use crate::media::OCI_LAYER;
use crate::media::OCI_MANIFEST;
use crate::notes::Notes;

const NAME: &str = "registry.test/app:1";

/// A directory with a cache below it; `store` has not been written to yet.
pub(super) struct Home {
    directory: TempDir,
    notes: Notes,
    pub(super) store: Store,
}

pub(super) fn home() -> Home {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let notes = Notes::recorded();
    let store = Store::cache(&directory.path().join("img"), &notes).expect("an absent cache");
    Home {
        directory,
        notes,
        store,
    }
}

impl Home {
    fn path(&self, below: &str) -> PathBuf {
        self.store.root().join(below)
    }

    /// Another value for the same cache, as another process would have it.
    fn again(&self) -> Store {
        Store::cache(self.store.root(), &self.notes).expect("a cache")
    }

    fn quarantined(&self) -> Vec<String> {
        names_in(&self.path(".rbuild/quarantine"))
    }

    fn temps(&self) -> Vec<String> {
        names_in(&self.path(".rbuild/tmp"))
    }

    fn index(&self) -> Value {
        let bytes = fs::read(self.path("index.json")).expect("an index");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    fn said(&self, part: &str) -> bool {
        self.notes.all().iter().any(|note| note.contains(part))
    }
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// An image of one layer, its manifest bound to [`NAME`]: layer, config and manifest.
fn image(store: &Store) -> [Descriptor; 3] {
    let layer = store.put(OCI_LAYER, b"not really a layer").expect("layer");
    let config = store.put(OCI_CONFIG, br#"{"config":{}}"#).expect("config");
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.to_value(),
        "layers": [layer.to_value()],
    });
    let bytes = manifest.to_string().into_bytes();
    let manifest = store.put(OCI_MANIFEST, &bytes).expect("manifest");
    store.sync().expect("sync");
    store.bind(NAME, &manifest).expect("bind");
    [layer, config, manifest]
}

fn index_of(children: &[&Descriptor]) -> Vec<u8> {
    let children: Vec<Value> = children.iter().map(|child| child.to_value()).collect();
    json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children})
        .to_string()
        .into_bytes()
}

fn names(name: &str) -> [String; 1] {
    [name.to_owned()]
}

fn read_all(store: &Store, descriptor: &Descriptor) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let blob = store.blob(descriptor)?;
    blob.expect("present").read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Puts other bytes under a name of the store, whatever is there and whatever its mode is.
pub(super) fn plant(path: &Path, bytes: &[u8]) {
    clear(path);
    fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
    fs::write(path, bytes).expect("write");
}

fn clear(path: &Path) {
    drop(fs::remove_file(path));
    drop(fs::remove_dir_all(path));
}

/// Makes every later write to a store fail, for root too: its own directory becomes a file.
fn forbid_writing(store: &Store) {
    plant(&store.root().join(".rbuild"), b"");
}

/// Every path below `root` with its mode and bytes, links not followed.
fn snapshot(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).expect("present");
        let bytes = match metadata.is_file() {
            true => fs::read(&path).expect("readable"),
            false => Vec::new(),
        };
        if metadata.is_dir() {
            let entries = fs::read_dir(&path).expect("a directory").flatten();
            left.extend(entries.map(|entry| entry.path()));
        }
        found.insert(path, (metadata.permissions().mode(), bytes));
    }
    found
}

fn mode(path: &Path) -> u32 {
    let found = fs::symlink_metadata(path).expect("present");
    found.permissions().mode() & 0o7777
}

fn kind(error: &Error) -> Kind {
    error.fault().kind
}

fn corrupt(error: &Error) -> bool {
    matches!(error, Error::Corrupt { .. }) && kind(error) == Kind::Integrity
}

/// Makes a file older, or with `ahead` younger, by so many hours than it is.
fn shift(path: &Path, hours: u64, ahead: bool) {
    let file = File::open(path).expect("a file");
    let modified = file.metadata().expect("metadata").modified().expect("time");
    let by = Duration::from_secs(hours * 60 * 60);
    let time = if ahead { modified + by } else { modified - by };
    file.set_modified(time).expect("ours");
}

/// Puts something at a path.
type Make = fn(&Path);

/// Everything but a regular file that can be put under a name without privileges; the last must never block.
fn odd_things() -> Vec<(&'static str, Make)> {
    let mut things: Vec<(&'static str, Make)> = vec![
        ("a symbolic link", |path| {
            symlink("/etc/hostname", path).expect("link");
        }),
        ("a symbolic link", |path| {
            symlink("/dev/zero", path).expect("link");
        }),
        ("a symbolic link", |path| symlink(path, path).expect("loop")),
        ("a directory", |path| {
            fs::create_dir(path).expect("directory");
            fs::write(path.join("inside"), b"x").expect("write");
        }),
    ];
    if cfg!(target_os = "linux") {
        things.push(("a named pipe", make_pipe));
    }
    things
}

#[cfg(target_os = "linux")]
fn make_pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).expect("mkfifo");
}

#[cfg(not(target_os = "linux"))]
fn make_pipe(_: &Path) {}

fn write_some(store: &Store, bytes: &[u8]) -> super::BlobWriter {
    let mut writer = store.writer().expect("a writer");
    writer.write_all(bytes).expect("written");
    writer
}
