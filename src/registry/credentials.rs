//! What the user gave us for a registry: looked up by its name in the files of docker and podman, and in their helpers.
//!
//! Nothing is read before a registry asks. A source that fails is an error for that registry, never a reason to try another one
//! (CVE-2021-41092). The files are those of docs/authentication.md; nothing is taken from a cloud's metadata or from `GITHUB_TOKEN`.

mod file;
mod helper;
mod keep;
mod names;
mod places;
mod secret;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use crate::notes::Notes;
use crate::registry::credentials::file::{AuthFile, Search};
use crate::registry::credentials::places::Environment;
use crate::registry::error::Error;
use crate::registry::settings::Settings;

pub(super) use names::normal;
pub(crate) use secret::{Credential, Hidden};

/// Where credentials are looked for.
pub(super) struct Credentials {
    environment: Environment,
    notes: Notes,
}

impl Credentials {
    pub(super) fn new(settings: &Settings, notes: &Notes) -> Credentials {
        Credentials {
            environment: Environment::of(settings),
            notes: notes.clone(),
        }
    }

    /// The credential for a repository, that of its longest prefix first; `None` is anonymous. May wait for a helper.
    pub(super) fn find(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Credential>, Error> {
        for path in self.files() {
            let Some(file) = AuthFile::read(&path)? else {
                continue;
            };
            file.warn(&self.notes);
            match file.find((registry, repository), &self.environment)? {
                Search::Found(credential) => return Ok(Some(credential)),
                Search::Nobody => return Ok(None),
                Search::Unknown => {}
            }
        }
        Ok(None)
    }

    /// The files in the order in which they are read, whether they are there or not.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.environment.files()
    }
}
