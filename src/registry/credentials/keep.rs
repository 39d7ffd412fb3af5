//! Credentials that are kept and forgotten: `rbuild login` and `rbuild logout`.
//!
//! The helper that docker's file names keeps them; without one they go into the file itself, for its owner alone. Every other field of
//! the file stays as it is. Podman's files are never written.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::registry::credentials::Credentials;
use crate::registry::credentials::file::AuthFile;
use crate::registry::credentials::names;
use crate::registry::credentials::secret::Hidden;
use crate::registry::error::{Cause, Error};

/// As many links as Linux follows.
const LINKS: usize = 40;

impl Credentials {
    /// Keeps a password for a registry; says where: `in FILE`, `by HELPER`.
    pub(crate) fn keep(
        &self,
        registry: &str,
        (user, password): (&str, &Hidden),
    ) -> Result<String, Error> {
        let path = self.own_file()?;
        // What cannot be made is told when the file is written.
        let _ = path.parent().map(make);
        let _turn = turn(&path);
        let file = AuthFile::read(&path)?;
        let server = names::server(registry);
        let helper = match &file {
            Some(file) => file.keeper_of(registry, &self.environment)?,
            None => None,
        };
        if let Some(helper) = helper {
            helper.store(server, user, password)?;
            return Ok(format!("by {}", helper.shown()));
        }
        let mut content = file.map_or_else(Map::new, AuthFile::content);
        let auth = STANDARD.encode(format!("{user}:{}", password.reveal()));
        let auths = auths(&path, &mut content)?;
        auths.retain(|key, _| names::normal(key) != names::normal(registry));
        auths.insert(server.to_owned(), json!({"auth": auth}));
        write(&path, &content)?;
        Ok(format!("in {}, in plain text", path.display()))
    }

    /// Forgets what was kept; `false` when there was nothing in the file and no helper to tell.
    pub(crate) fn forget(&self, registry: &str) -> Result<bool, Error> {
        let path = self.own_file()?;
        let _turn = turn(&path);
        let Some(file) = AuthFile::read(&path)? else {
            return Ok(false);
        };
        let helper = file.keeper_of(registry, &self.environment)?;
        if let Some(helper) = &helper {
            helper.erase(names::server(registry))?;
        }
        let mut content = file.content();
        let auths = auths(&path, &mut content)?;
        let before = auths.len();
        auths.retain(|key, _| names::normal(key) != names::normal(registry));
        let removed = auths.len() < before;
        if removed {
            write(&path, &content)?;
        }
        Ok(removed || helper.is_some())
    }

    fn own_file(&self) -> Result<PathBuf, Error> {
        self.environment.docker().ok_or_else(|| {
            Error::new(
                Cause::Settings,
                "there is no home directory to keep credentials in",
            )
            .hint("set `HOME` or `DOCKER_CONFIG`")
        })
    }
}

fn auths<'a>(
    path: &Path,
    content: &'a mut Map<String, Value>,
) -> Result<&'a mut Map<String, Value>, Error> {
    let auths = content.entry("auths").or_insert(Value::Null);
    if auths.is_null() {
        *auths = json!({});
    }
    auths.as_object_mut().ok_or_else(|| {
        let message = format!("cannot use the credentials in {}", path.display());
        Error::new(Cause::Unauthorized, message).because("`auths` is not an object")
    })
}

/// Makes two that read and write the file at once do so one after the other, until the value is dropped. The directory is what is
/// locked: nothing is left behind. Where a file system cannot lock it, nobody waits.
fn turn(path: &Path) -> Option<File> {
    let directory = File::open(path.parent()?).ok()?;
    directory.lock().ok()?;
    Some(directory)
}

fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

/// Where the file lies that `path` leads to, through links too that lead to nothing yet.
fn destination(path: &Path) -> PathBuf {
    let mut place = path.to_owned();
    for _ in 0..LINKS {
        let Ok(next) = fs::read_link(&place) else {
            break;
        };
        place = place.parent().unwrap_or(Path::new("/")).join(next);
    }
    fs::canonicalize(&place).unwrap_or(place)
}

/// Written beside the file, for its owner alone, and renamed; a link stays a link.
fn write(path: &Path, content: &Map<String, Value>) -> Result<(), Error> {
    replace(path, content).map_err(|error| {
        let message = format!("cannot write {}", path.display());
        Error::new(Cause::Store, message).because(error.to_string())
    })
}

fn replace(path: &Path, content: &Map<String, Value>) -> io::Result<()> {
    let path = destination(path);
    let directory = path.parent().unwrap_or(Path::new("/"));
    make(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    serde_json::to_writer_pretty(&mut file, content)?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}
