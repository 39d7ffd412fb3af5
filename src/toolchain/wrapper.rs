//! The program `ld` that rustc calls instead of a C compiler: a script that runs the toolchain's own rust-lld with what a C compiler would add.
//!
//! A script and no rustflags, because flags of ours would hide the user's, and no fingerprint of a dependency changes. rustc sees by
//! the name `ld` how to speak to it. Its path never gets into what is linked.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::script::{self, quoted};
use crate::digest::Digest;
use crate::store::Store;

/// The same for every wrapper; what differs comes before it.
const SCRIPT: &str = include_str!("wrapper.sh");

/// What is linked with: the directory of [`super::start::files`], that of libraries under the names that `-l` looks for, and the
/// path of the loader on the machine that runs the program. Start and loader are empty for musl, where rustc brings a start itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) start: PathBuf,
    pub(super) libraries: PathBuf,
    pub(super) loader: String,
}

/// A wrapper for one triple, or for a triple that is the host's too, whose target artifacts are linked otherwise than what cargo runs here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrapper<'a> {
    /// rust-lld.
    pub(super) linker: &'a Path,
    pub(super) side: Side,
    pub(super) target: Option<(&'a str, Side)>,
}

impl Wrapper<'_> {
    /// The path of the script, written when it is not here yet.
    pub(super) fn write(&self, kits: &Store) -> Result<String> {
        let text = self.text()?;
        let place = kits.kit("linker", &Digest::of(text.as_bytes()), |place| {
            script::write(place, "ld", &text)
        })?;
        Ok(text_of(&place.join("ld"))?.to_owned())
    }

    fn text(&self) -> Result<String> {
        let linker = quoted(text_of(self.linker)?);
        let mut text = format!("#!/bin/sh\n# Made by rbuild.\nlinker={linker}\n");
        text.push_str(&self.side.assignments()?);
        let (triple, target) = match &self.target {
            Some((triple, side)) => (*triple, side.assignments()?),
            None => ("", ":\n".to_owned()),
        };
        let triple = quoted(triple);
        text.push_str(&format!(
            "triple={triple}\nfor_target() {{\n{target}}}\n\n{SCRIPT}"
        ));
        Ok(text)
    }
}

impl Side {
    fn assignments(&self) -> Result<String> {
        let start = quoted(text_of(&self.start)?);
        let libraries = quoted(text_of(&self.libraries)?);
        let loader = quoted(&self.loader);
        Ok(format!(
            "start={start}\nlibraries={libraries}\nloader={loader}\n"
        ))
    }
}

/// Cargo takes a linker as text.
fn text_of(path: &Path) -> Result<&str> {
    path.to_str()
        .with_context(|| format!("the path {} is not UTF-8", path.display()))
}

#[cfg(test)]
mod tests;
