//! Credentials that are kept and forgotten: `rbuild login` and `rbuild logout`.
//!
//! The helper that docker's file names keeps them; without one they go into the file itself, for its owner alone. Every other field of
//! the file stays as it is. Podman's files are never written.

use std::fs::{self, DirBuilder};
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

impl Credentials {
    /// Keeps a password for a registry; says where: `in FILE`, `by HELPER`.
    pub(crate) fn keep(
        &self,
        registry: &str,
        (user, password): (&str, &Hidden),
    ) -> Result<String, Error> {
        let path = self.own_file()?;
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
    let auths = content.entry("auths").or_insert_with(|| json!({}));
    auths.as_object_mut().ok_or_else(|| {
        let message = format!("cannot use the credentials in {}", path.display());
        Error::new(Cause::Unauthorized, message).because("`auths` is not an object")
    })
}

/// Written beside the file, for its owner alone, and renamed; a link stays a link.
fn write(path: &Path, content: &Map<String, Value>) -> Result<(), Error> {
    replace(path, content).map_err(|error| {
        let message = format!("cannot write {}", path.display());
        Error::new(Cause::Store, message).because(error.to_string())
    })
}

fn replace(path: &Path, content: &Map<String, Value>) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = path.parent().unwrap_or(Path::new("/"));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    serde_json::to_writer_pretty(&mut file, content)?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}
