//! Whether a build may push, and so where it goes besides the files that were asked for.
//!
//! A registry target holds the way to registries, which nobody has offline: such a plan cannot be written down.

use anyhow::Result;

use crate::fault::Fault;
use crate::plan::naming::NOWHERE;
use crate::plan::request::Request;
use crate::publish::Target;
use crate::registry::Registry;

/// Refuses a push that cannot be, before anything is looked at.
pub(super) fn look(request: &Request) -> Result<()> {
    if request.install_targets && request.network.is_none() {
        return Err(install_offline().into());
    }
    if !request.push {
        return Ok(());
    }
    if request.network.is_none() {
        return Err(offline().into());
    }
    refuse_nowhere(request.naming.repository.as_deref())
}

/// Files first, so that nothing is pushed when one of them cannot be written.
pub(super) fn targets(request: &Request, registry: Option<&Registry>) -> Result<Vec<Target>> {
    let mut targets = request.targets.clone();
    if request.push {
        let registry = registry.ok_or_else(offline)?;
        targets.push(Target::Registry(registry.clone()));
    }
    Ok(targets)
}

fn offline() -> Fault {
    refuse_offline(
        "push",
        "`--offline`, `--frozen` or `RBUILD_OFFLINE`",
        "drop it, or add `--push=false` and publish later with `rbuild push`",
    )
}

fn install_offline() -> Fault {
    Fault::refused("cannot install rust targets: the run is offline")
        .because("`--offline`, `--frozen` or `RBUILD_OFFLINE` says so")
        .hint("drop `--install-targets`, and run `rustup target add` once while online")
}

/// What needs a network, without one: who said so, and the way out.
pub(crate) fn refuse_offline(what: &str, said_by: &str, way_out: &str) -> Fault {
    Fault::refused(format!("cannot {what}: the run is offline"))
        .because(format!("{said_by} says so"))
        .hint(way_out)
}

fn refuse_nowhere(repository: Option<&str>) -> Result<()> {
    let host = repository.map(|text| text.split('/').next().unwrap_or_default());
    if host.is_some_and(|host| !host.is_empty() && host != NOWHERE) {
        return Ok(());
    }
    let mut fault = Fault::refused("no repository to push to");
    if host == Some(NOWHERE) {
        fault = fault.because(format!("`{NOWHERE}` is what images without one are called"));
    }
    Err(fault
        .hint("set `RBUILD_REPO=registry.example/team`, or add `--repo registry.example/team`")
        .hint("or add `--push=false`; the image then rests in the cache, and `--oci-archive FILE` writes it")
        .into())
}
