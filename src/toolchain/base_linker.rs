//! A linker that links a program for glibc against the libraries of its base image, so that it can never want more than the base has.
//!
//! Needs no C compiler and no cross toolchain, so the result does not depend on the machine. For pure Rust alone: C would be compiled
//! against headers of another glibc.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::compiler::Ask;
use super::host_linker;
use super::link::names_linker;
use super::start;
use super::wrapper::{Side, Wrapper};
use super::{CNeed, Target, Toolchain};

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

/// Whether a program may be linked against its base: with glibc, dynamically, from Rust alone, by whom rbuild chooses.
pub(crate) fn is_wanted(toolchain: &Toolchain, target: &Target, needs: &[CNeed]) -> Result<bool> {
    if target.is_musl() || target.is_static || !needs.is_empty() {
        return Ok(false);
    }
    let flags = toolchain.settings.rustflags(target.triple)?;
    let is_told = names_linker(&flags)
        || flags
            .iter()
            .any(|flag| flag.contains("linker-flavor=") || flag.contains("+crt-static"));
    Ok(!is_told && !toolchain.settings.has_linker(target.triple)?)
}

/// The linker, if the base was looked into.
pub(super) fn choose(ask: &Ask<'_>) -> Result<Option<BaseLinker>> {
    let lacking = |reason: &str, hint: Option<&String>| {
        Ok(Some(BaseLinker::Lacking {
            reason: reason.to_owned(),
            hint: hint.cloned(),
        }))
    };
    match ask.site.base {
        BaseLibraries::NotAsked => Ok(None),
        BaseLibraries::Lacking { reason, hint } => lacking(reason, Some(hint)),
        BaseLibraries::At(directory) => match program(ask, directory)? {
            Ok(program) => Ok(Some(BaseLinker::Program(program))),
            Err(reason) => lacking(&reason, None),
        },
    }
}

/// The wrapper, or why there is none.
fn program(ask: &Ask<'_>, libraries: &Path) -> Result<Result<String, String>> {
    let (toolchain, target, kits) = (ask.toolchain, ask.target, ask.site.kits);
    let (Some(linker), Some(loader)) =
        (toolchain.own_program("rust-lld"), target.platform.loader())
    else {
        return Ok(Err("this toolchain has no rust-lld".to_owned()));
    };
    if !start::is_known(target.triple) {
        let reason = format!("rbuild cannot start a program for `{}`", target.triple);
        return Ok(Err(reason));
    }
    let is_host = target.triple == toolchain.host;
    if is_host && toolchain.on_path("cc") && host_may_need_c(ask.site.root) {
        let reason = "build scripts of this program may bring C, which `cc` links";
        return Ok(Err(reason.to_owned()));
    }
    let side = Side {
        start: start::files(toolchain, target.triple, kits)?,
        libraries: libraries.to_owned(),
        loader: loader.to_owned(),
    };
    let (side, target) = if is_host {
        match host_linker::side(toolchain, kits)? {
            Ok(host) => (host, Some((target.triple, side))),
            Err(reason) => return Ok(Err(reason)),
        }
    } else {
        (side, None)
    };
    let wrapper = Wrapper {
        linker: &linker,
        side,
        target,
    };
    Ok(Ok(wrapper.write(kits)?))
}

/// Whether a package in the lock file uses a C compiler or looks for C libraries. The target is known to need none, so this is about build
/// scripts and procedural macros. Two packages do so for other systems alone.
fn host_may_need_c(root: &Path) -> bool {
    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
    lock.split("[[package]]").any(uses_c)
}

fn uses_c(package: &str) -> bool {
    let elsewhere = ["backtrace", "iana-time-zone-haiku"];
    let tools = ["cc", "cmake", "bindgen", "pkg-config", "autotools"];
    let has = |text: String| package.contains(&text);
    let is_elsewhere = elsewhere.map(|name| has(format!("\nname = \"{name}\"\n")));
    // A version follows where there are two of one name.
    let depends = tools.map(|tool| has(format!("\n \"{tool}\"")) || has(format!("\n \"{tool} ")));
    depends.contains(&true) && !is_elsewhere.contains(&true)
}
