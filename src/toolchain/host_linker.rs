//! A linker for a machine without a C compiler: build scripts and procedural macros are linked by rust-lld with the libraries that
//! run programs here.
//!
//! Whoever has a `cc`, or has configured a linker, is left alone. No development files are looked for: there are none.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use anyhow::Result;

use super::Toolchain;
use super::libraries::{LIBRARIES, OLDEST, file_name, name_for_linker};
use super::loader;
use super::start;
use super::wrapper::{Side, Wrapper};
use crate::digest::Digest;
use crate::platform::Platform;
use crate::store::Store;

/// What cargo needs to link what it runs on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// A C compiler or a configured linker does it.
    LeftAlone,
    /// The program for `CARGO_TARGET_<HOST>_LINKER`.
    Linker(String),
    /// There is no C compiler, and the reason why nothing replaces it.
    Lacking(String),
}

/// How the host's programs are linked.
pub(super) fn choose(toolchain: &Toolchain, kits: &Store) -> Result<Host> {
    let host = &toolchain.host;
    if toolchain.on_path("cc") || toolchain.settings.has_linker(host)? {
        return Ok(Host::LeftAlone);
    }
    let Some(linker) = toolchain.own_program("rust-lld") else {
        return Ok(Host::Lacking("this toolchain has no rust-lld".to_owned()));
    };
    let side = match side(toolchain, kits)? {
        Ok(side) => side,
        Err(reason) => return Ok(Host::Lacking(reason)),
    };
    let wrapper = Wrapper {
        linker: &linker,
        side,
        target: None,
    };
    Ok(Host::Linker(wrapper.write(kits)?))
}

/// This machine's own libraries as a side of a wrapper, or why they cannot be one.
pub(super) fn side(toolchain: &Toolchain, kits: &Store) -> Result<Result<Side, String>> {
    let (found, loader) = match libraries(toolchain) {
        Ok(found) => found,
        Err(reason) => return Ok(Err(reason)),
    };
    let key = Digest::of(format!("{found:?}").as_bytes());
    let libraries = kits.kit("host-libraries", &key, |place| {
        for (name, file) in &found {
            symlink(file, place.join(name))?;
        }
        name_for_linker(place, file_name(&loader))
    })?;
    Ok(Ok(Side {
        start: start::files(toolchain, &toolchain.host, kits)?,
        libraries,
        loader,
    }))
}

/// The libraries with their names, and the loader's path.
fn libraries(toolchain: &Toolchain) -> Result<(Vec<(String, PathBuf)>, String), String> {
    let host = &toolchain.host;
    if !start::is_known(host) {
        return Err(format!("rbuild cannot start a program for `{host}`"));
    }
    let platform = Platform::of_host(host).filter(|platform| platform.loader().is_some());
    let platform = platform.ok_or_else(|| format!("the loader of `{host}` is not known"))?;
    let loader = platform.loader().unwrap_or_default();
    let mut found = Vec::new();
    for name in LIBRARIES.into_iter().chain([file_name(loader)]) {
        let file = loader::library(&toolchain.root, &platform, name);
        let file = file.ok_or_else(|| format!("`{name}` is not found on this machine"))?;
        found.push((name.to_owned(), file));
    }
    if !has_oldest(&found[0].1) {
        return Err(format!("{} is older than glibc 2.34", found[0].1.display()));
    }
    Ok((found, loader.to_owned()))
}

/// A version that a library defines is in it by name.
fn has_oldest(library: &std::path::Path) -> bool {
    let bytes = fs::read(library).unwrap_or_default();
    let name = format!("\0{OLDEST}\0");
    bytes
        .windows(name.len())
        .any(|window| window == name.as_bytes())
}
