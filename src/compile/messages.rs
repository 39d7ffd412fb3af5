//! Cargo's JSON messages: which files it linked.
//!
//! Only `compiler-artifact` messages with an executable count. Anything that is not a message was printed by something below cargo and is
//! passed on as a note; a message of a kind that is not known is skipped.

use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Result;
use anyhow::bail;
use cargo_metadata::Artifact;
use cargo_metadata::Message;
use serde_json::Value;

use super::Binary;
use super::Job;
use crate::notes::Notes;
use crate::toolchain::Link;

/// What cargo has linked so far.
pub(super) struct Artifacts<'a> {
    job: &'a Job,
    found: Vec<Binary>,
}

impl<'a> Artifacts<'a> {
    pub(super) fn of(job: &'a Job) -> Artifacts<'a> {
        Artifacts {
            job,
            found: Vec::new(),
        }
    }

    /// Reads one line of cargo's standard output; gives the binary that it tells of, if that is wanted.
    pub(super) fn take(&mut self, line: &str, notes: &Notes) -> Option<&Binary> {
        match serde_json::from_str(line) {
            Ok(Message::CompilerArtifact(artifact)) => {
                self.found.push(self.binary(artifact)?);
                return self.found.last();
            }
            Ok(_) => (),
            Err(_) if is_message(line) || line.trim().is_empty() => (),
            Err(_) => notes.say(format!("cargo says: {line}")),
        }
        None
    }

    fn binary(&self, artifact: Artifact) -> Option<Binary> {
        let file: PathBuf = artifact.executable?.into();
        let link = self.link(&file)?;
        let binary = Binary {
            package_id: artifact.package_id.repr,
            name: artifact.target.name,
            platform: link.platform.clone(),
            file,
            fresh: artifact.fresh,
        };
        let is_wanted = self.job.wanted.iter().any(|wanted| wanted.is(&binary));
        (is_wanted
            && artifact
                .target
                .kind
                .contains(&cargo_metadata::TargetKind::Bin))
        .then_some(binary)
    }

    /// The messages do not name the target; the path does: `<target directory>/<triple>/<profile>/<file>`.
    fn link(&self, file: &Path) -> Option<&'a Link> {
        let triple = triple(&self.job.target_directory, file)?;
        self.job.links.iter().find(|link| link.target == triple)
    }

    /// All that was wanted, in the order of the job, binary by binary.
    pub(super) fn finish(mut self) -> Result<Vec<Binary>> {
        let mut binaries = Vec::new();
        for wanted in &self.job.wanted {
            for link in &self.job.links {
                let is_it = |binary: &Binary| wanted.is(binary) && binary.platform == link.platform;
                match self.found.iter().position(is_it) {
                    Some(position) => binaries.push(self.found.swap_remove(position)),
                    None => bail!(
                        "cargo did not say where it put `{}` for `{}`",
                        wanted.binary,
                        link.target
                    ),
                }
            }
        }
        Ok(binaries)
    }
}

fn is_message(line: &str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|value| value.get("reason").is_some())
}

fn triple<'a>(target_directory: &Path, file: &'a Path) -> Option<&'a str> {
    let inside = file.strip_prefix(target_directory).ok()?;
    match inside.components().next()? {
        Component::Normal(name) => name.to_str(),
        _ => None,
    }
}
