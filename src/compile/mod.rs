//! Compiling: one `cargo build` for each [`Job`], and what it linked.
//!
//! Cargo's progress and diagnostics go to the terminal as they come; where a binary lies is read from cargo's messages and never
//! guessed, so that no stale file can get into an image. This room does not decide what is built or how it is linked.

mod elf;
mod fits;
mod job;
mod messages;
mod versions;

use std::path::PathBuf;
use std::process::ExitStatus;

use anyhow::Result;

use crate::fault::Fault;
use crate::fault::Kind;
use crate::notes::Notes;
use crate::platform::Platform;
use crate::process;

use messages::Artifacts;

pub(crate) use elf::{check, guess};
pub(crate) use fits::{Home, Program, fits};
pub(crate) use job::Job;
pub(crate) use job::Wanted;
pub(crate) use job::call;
pub(crate) use job::group;

/// A program that cargo linked for one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binary {
    pub(crate) package_id: String,
    pub(crate) name: String,
    pub(crate) platform: Platform,
    pub(crate) file: PathBuf,
    /// Whether cargo found it up to date.
    pub(crate) fresh: bool,
}

/// Runs cargo to its end. `linked` hears of each wanted binary as soon as it lies there, while cargo works on the others; it
/// must not take long. Every wanted binary comes back once for every link, or it is an error.
pub(crate) fn run(
    job: &Job,
    notes: &Notes,
    mut linked: impl FnMut(&Binary),
) -> Result<Vec<Binary>> {
    let mut artifacts = Artifacts::of(job);
    let status = call(job).lines(|line| {
        artifacts
            .take(line, notes)
            .into_iter()
            .for_each(&mut linked);
        Ok(())
    })?;
    if !status.success() {
        return Err(failed(job, status).into());
    }
    artifacts.finish()
}

/// Cargo has said why on standard error, unless it was killed.
fn failed(job: &Job, status: ExitStatus) -> Fault {
    let fault = Fault::new(Kind::Cargo, "cargo build failed");
    match process::killed_by(status) {
        Some(signal) => fault
            .because(format!("cargo was killed by signal {signal}"))
            .hint("if the machine ran out of memory, use fewer jobs: `--jobs 1`"),
        None => fault.because(format!("it ran in {}", job.directory.display())),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_cargo;
#[cfg(test)]
mod tests_fits;
#[cfg(test)]
mod tests_musl;
