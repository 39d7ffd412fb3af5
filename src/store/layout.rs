//! The directories of a store and its `oci-layout` file: looked at when it is opened, made when it is first written.
//!
//! ```text
//! oci-layout  index.json  blobs/sha256/<64 hex>
//! .rbuild/lock  .rbuild/use  .rbuild/index.json  .rbuild/tmp/  .rbuild/quarantine/  .rbuild/records/  .rbuild/kits/
//! ```
//! A directory that is a link, or a layout of a version that we do not know, is refused and never touched.

use std::fs;
use std::fs::DirBuilder;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::Access;
use rustix::fs::access;
use serde_json::Value;

use super::Error;
use super::Role;
use super::Store;
use super::index::Index;
use super::regular;
use super::regular::Found;
use super::temp;
use crate::digest::Digest;
use crate::json;

const VERSION: &str = "1.0.0";
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// An `oci-layout` file has about thirty bytes.
const LAYOUT_LIMIT: u64 = 64 * 1024;
/// What a store consists of; a directory with nothing else in it may become one.
const OURS: [&str; 4] = ["oci-layout", "index.json", "blobs", ".rbuild"];

impl Store {
    pub(super) fn blobs_directory(&self) -> PathBuf {
        self.root.join("blobs").join("sha256")
    }

    pub(super) fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.blobs_directory().join(digest.hex())
    }

    pub(super) fn index_path(&self) -> PathBuf {
        self.root.join("index.json")
    }

    /// A path among our own things, which other tools leave alone.
    pub(super) fn private(&self, name: &str) -> PathBuf {
        self.root.join(".rbuild").join(name)
    }

    pub(super) fn temp_directory(&self) -> PathBuf {
        self.private("tmp")
    }

    /// Makes the directories and the `oci-layout` file where they are missing.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        self.inspect()?;
        self.refuse_source()?;
        self.make_root()?;
        self.make_directory(&self.root.join(".rbuild"))?;
        self.share()?;
        self.make_directory(&self.temp_directory())?;
        self.begin_index()?;
        if !self.has_layout()? {
            self.write_document(&self.root.join("oci-layout"), LAYOUT)?;
        }
        self.make_directory(&self.root.join("blobs"))?;
        self.make_directory(&self.blobs_directory())
    }

    /// As [`Store::prepare`], and proves that a file can be written: directories that are there already say nothing about a full
    /// disk or a read-only mount. Rights are asked for first, so that nothing is tried where it is not allowed.
    pub(crate) fn writable(&self) -> Result<(), Error> {
        self.prepare()?;
        self.look_writable()?;
        self.temp()?.try_out()
    }

    /// Whether [`Store::prepare`] may work, as far as that can be seen without writing.
    pub(crate) fn look_writable(&self) -> Result<(), Error> {
        let own = [
            self.blobs_directory(),
            self.temp_directory(),
            self.root.join(".rbuild"),
            self.root.clone(),
        ];
        let above = self.root.ancestors().find(|path| path.exists());
        let above = above.map(Path::to_owned);
        own.into_iter()
            .filter(|path| path.exists())
            .chain(above)
            .try_for_each(|path| {
                access(&path, Access::WRITE_OK | Access::EXEC_OK)
                    .map_err(|error| Error::of_io("write into", &path, error.into()))
            })
    }

    /// What the file system of the store has free for us, and how large it is, in bytes.
    pub(crate) fn space(&self) -> Result<(u64, u64), Error> {
        let found = rustix::fs::statvfs(&self.root);
        let found = found.map_err(|error| Error::of_io("look at", &self.root, error.into()))?;
        let block = found.f_frsize;
        Ok((
            found.f_bavail.saturating_mul(block),
            found.f_blocks.saturating_mul(block),
        ))
    }

    /// Refuses what is no store of ours before anything is read from it or written to it.
    pub(super) fn inspect(&self) -> Result<(), Error> {
        match fs::metadata(&self.root) {
            Ok(found) if !found.is_dir() => return Err(self.refused("is not a directory")),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(self.refused("lies below something that is not a directory"));
            }
            Err(_) if self.root.as_os_str().is_empty() => {
                return Err(self.refused("is an empty path"));
            }
            _ => self.refuse_links()?,
        }
        self.has_layout().map(drop)
    }

    /// Refuses directories that are links, because what is written through them lands outside.
    pub(super) fn refuse_links(&self) -> Result<(), Error> {
        let blobs = self.root.join("blobs");
        let paths = [blobs, self.blobs_directory(), self.root.join(".rbuild")];
        match paths.into_iter().find(|path| path.is_symlink()) {
            None => Ok(()),
            Some(path) => Err(Error::Foreign {
                path,
                reason: "is a symbolic link, which could lead out of the store".to_owned(),
            }),
        }
    }

    /// Refuses a directory of the user's that holds other things than a layout.
    pub(super) fn refuse_strangers(&self) -> Result<(), Error> {
        let Ok(entries) = fs::read_dir(&self.root) else {
            return Ok(()); // absent, or not ours to read, which writing will say
        };
        let stranger = entries
            .flatten()
            .map(|entry| entry.file_name())
            .find(|name| !OURS.iter().any(|ours| name == ours));
        match stranger {
            Some(name) if !self.has_layout()? => Err(self.refused(&format!(
                "is neither empty nor an OCI layout: it holds `{}`",
                name.display()
            ))),
            _ => Ok(()),
        }
    }

    fn refuse_source(&self) -> Result<(), Error> {
        match self.role {
            Role::Source => Err(self.refused("was opened to be read only")),
            Role::Cache | Role::Output => Ok(()),
        }
    }

    fn refused(&self, reason: &str) -> Error {
        Error::Refused {
            path: self.root.clone(),
            reason: reason.to_owned(),
            hint: "name another directory".to_owned(),
        }
    }

    /// Whether there is an `oci-layout` file that can be read; one of another version is an error, a torn one counts as missing.
    fn has_layout(&self) -> Result<bool, Error> {
        let path = self.root.join("oci-layout");
        let failed = |error| Error::of_io("read", &path, error);
        let bytes = match regular::open(&path)? {
            Found::Nothing => return Ok(false),
            Found::Odd(what, _) => {
                return Err(Error::Foreign {
                    reason: format!("is {what}"),
                    path,
                });
            }
            Found::Regular(found) => found.read(LAYOUT_LIMIT).map_err(failed)?,
        };
        match bytes.as_deref().and_then(layout_version) {
            None => Ok(false),
            Some(version) if version == VERSION => Ok(true),
            Some(version) => Err(Error::Foreign {
                path,
                reason: format!(
                    "was written by a newer tool: layout version {version:?} is not {VERSION:?}"
                ),
            }),
        }
    }

    /// An empty index where there is nothing at all yet, so that a missing one later on means that it was lost.
    fn begin_index(&self) -> Result<(), Error> {
        if !self.is_new() {
            return Ok(());
        }
        let lock = self.lock()?;
        match self.is_new() {
            true => self.write_index(&lock, &Index::empty()),
            false => Ok(()),
        }
    }

    fn is_new(&self) -> bool {
        [
            self.index_path(),
            self.shadow_path(),
            self.root.join("blobs"),
        ]
        .iter()
        .all(|path| fs::symlink_metadata(path).is_err())
    }

    fn make_root(&self) -> Result<(), Error> {
        if self.root.is_dir() {
            return Ok(()); // perhaps through a link of the user's
        }
        if let Some(parent) = self.root.parent() {
            fs::create_dir_all(parent).map_err(|error| Error::of_io("create", parent, error))?;
        }
        self.make_directory(&self.root)
    }

    /// Makes one directory, private in a cache whatever the umask is; an existing one keeps its mode.
    pub(super) fn make_directory(&self, path: &Path) -> Result<(), Error> {
        match self.try_make_directory(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                match is_directory(path) {
                    true => Ok(()),
                    false => Err(Error::of_io("use as a directory", path, error)),
                }
            }
            result => result.map_err(|error| Error::of_io("create", path, error)),
        }
    }

    fn try_make_directory(&self, path: &Path) -> io::Result<()> {
        if self.role != Role::Cache {
            return DirBuilder::new().mode(0o755).create(path);
        }
        DirBuilder::new().mode(0o700).create(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o700))
    }

    /// Makes all renames of blobs so far last through a power cut: once per image, before it gets a name.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        match self.blobs_directory() {
            directory if directory.exists() => temp::sync_directory(&directory),
            _ => Ok(()),
        }
    }
}

fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

fn layout_version(bytes: &[u8]) -> Option<String> {
    match json::parse(bytes).ok()?.get("imageLayoutVersion")? {
        Value::String(version) => Some(version.clone()),
        _ => None,
    }
}
