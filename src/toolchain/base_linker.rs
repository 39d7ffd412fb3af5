//! A linker that links a program for glibc against the libraries of its base image, so that it can never want more than the base has.
//!
//! Needs no C compiler and no cross toolchain, so the result does not depend on the machine. For pure Rust alone: C would be compiled
//! against headers of another glibc.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::host_linker;
use super::start;
use super::wrapper::{Side, Wrapper};
use super::{Target, Toolchain};
use crate::store::Store;

/// What a base image has to link against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum BaseLibraries {
    /// Nobody looked: the program is static, or the user has configured a linker.
    #[default]
    NotAsked,
    /// A directory with [`super::LIBRARIES`] and the loader, named by [`super::name_for_linker`]. Its path follows from what the
    /// libraries are, so that a base that changed elsewhere relinks nothing.
    At(PathBuf),
    /// Why there is nothing, and a mend.
    Lacking { reason: String, hint: String },
}

/// The program that links, or why there is none.
pub(super) enum BaseLinker {
    Program(String),
    Lacking {
        reason: String,
        hint: Option<String>,
    },
}

/// Chooses for a target of glibc that no C is compiled for. `root` is the workspace root.
pub(super) fn choose(
    (toolchain, target): (&Toolchain, &Target),
    base: &BaseLibraries,
    root: &Path,
    kits: &Store,
) -> Result<Option<BaseLinker>> {
    let directory = match base {
        BaseLibraries::NotAsked => return Ok(None),
        BaseLibraries::Lacking { reason, hint } => {
            return Ok(Some(BaseLinker::Lacking {
                reason: reason.clone(),
                hint: Some(hint.clone()),
            }));
        }
        BaseLibraries::At(directory) => directory,
    };
    let lacking = |reason: String| Ok(Some(BaseLinker::Lacking { reason, hint: None }));
    let (Some(linker), Some(loader)) =
        (toolchain.own_program("rust-lld"), target.platform.loader())
    else {
        return lacking("this toolchain has no rust-lld".to_owned());
    };
    if !start::is_known(target.triple) {
        return lacking(format!(
            "rbuild cannot start a program for `{}`",
            target.triple
        ));
    }
    let is_host = target.triple == toolchain.host;
    if is_host && toolchain.on_path("cc") && host_may_need_c(root) {
        return lacking("build scripts of this program may bring C, which `cc` links".to_owned());
    }
    let side = Side {
        start: start::files(toolchain, target.triple, kits)?,
        libraries: directory.clone(),
        loader: loader.to_owned(),
    };
    let (side, target) = match is_host.then(|| host_linker::side(toolchain, kits)) {
        None => (side, None),
        Some(host) => match host? {
            Ok(host) => (host, Some((target.triple, side))),
            Err(reason) => return lacking(reason),
        },
    };
    let wrapper = Wrapper {
        linker: &linker,
        side,
        target,
    };
    Ok(Some(BaseLinker::Program(wrapper.write(kits)?)))
}

/// Whether a package in the lock file uses a C compiler or looks for C libraries. The target is known to need none, so this is about build
/// scripts and procedural macros. Two packages do so for other systems alone.
fn host_may_need_c(root: &Path) -> bool {
    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
    lock.split("[[package]]").any(uses_c)
}

fn uses_c(package: &str) -> bool {
    let elsewhere = ["backtrace", "iana-time-zone-haiku"];
    let is_named = |name: &&str| package.contains(&format!("\nname = \"{name}\"\n"));
    let depends = |tool: &&str| {
        package.contains(&format!("\n \"{tool}\"")) || package.contains(&format!("\n \"{tool} "))
    };
    let tools = ["cc", "cmake", "bindgen", "pkg-config", "autotools"];
    !elsewhere.iter().any(|name| is_named(&name)) && tools.iter().any(|tool| depends(&tool))
}
