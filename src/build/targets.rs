//! The rust targets of a run: all that are missing are named in one refusal, or installed if that was asked for.

use anyhow::Result;

use crate::build::groups::Group;
use crate::plan::request::Request;
use crate::toolchain::{self, Missing};

/// Refuses what cannot be compiled for, or has rustup bring it with `--install-targets`.
pub(crate) fn look(groups: &[Group<'_>], request: &Request) -> Result<()> {
    let missing = missing(groups)?;
    if request.install_targets {
        return missing.iter().try_for_each(toolchain::install);
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(toolchain::not_installed(&missing).into()),
    }
}

/// What brings all that is missing, a command for each toolchain.
pub(crate) fn commands(groups: &[Group<'_>]) -> Vec<String> {
    let platforms = |group: &Group<'_>| -> Vec<Missing> { group.missing_of_each().collect() };
    let mut all: Vec<Missing> = Vec::new();
    groups
        .iter()
        .flat_map(platforms)
        .for_each(|one| join(&mut all, one));
    all.iter().map(Missing::command).collect()
}

/// One entry for each toolchain that lacks something.
fn missing(groups: &[Group<'_>]) -> Result<Vec<Missing>> {
    let mut all: Vec<Missing> = Vec::new();
    for missing in groups
        .iter()
        .filter_map(|group| group.missing().transpose())
    {
        join(&mut all, missing?);
    }
    Ok(all)
}

fn join(all: &mut Vec<Missing>, missing: Missing) {
    match all.iter_mut().find(|known| known.is_of(&missing)) {
        Some(known) => known.add(missing),
        None => all.push(missing),
    }
}
