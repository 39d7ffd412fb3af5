//! What every build needs of a toolchain besides the targets: its own linker, and something that links build scripts.
//!
//! For `rbuild doctor` alone. Looks at files, starts nothing and decides nothing: what is chosen is said by [`super::link`].

use std::path::PathBuf;

use anyhow::Result;

use super::{CNeed, Chosen, Site, Target, Toolchain, link};

/// Stands for whatever brings C code where there is no program to ask.
const SOME_CRATE: &str = "a crate with C code";

impl Toolchain {
    /// Where the linker of the toolchain lies.
    pub(crate) fn rust_lld(&self) -> Option<PathBuf> {
        let own = self.own_program("rust-lld");
        own.or_else(|| self.path_of("rust-lld"))
    }

    /// What links build scripts and procedural macros, which run on this machine.
    pub(crate) fn host_linker(&self) -> Result<String> {
        if self.settings.has_linker(&self.host)? {
            return Ok(format!("what is configured for `{}`", self.host));
        }
        Ok(match self.path_of("cc") {
            Some(file) => file.display().to_string(),
            None => "`cc` is not on PATH".to_owned(),
        })
    }
}

/// What would be chosen for a program of Rust alone.
pub(crate) fn without_c(toolchain: &Toolchain, target: &Target, site: Site<'_>) -> Result<Chosen> {
    link(toolchain, target, &[], site)
}

/// What would be chosen if a program brought C code.
pub(crate) fn with_c(toolchain: &Toolchain, target: &Target, site: Site<'_>) -> Result<Chosen> {
    let need = CNeed {
        package: SOME_CRATE.to_owned(),
        why: vec![SOME_CRATE.to_owned()],
        is_cxx: false,
    };
    link(toolchain, target, &[need], site)
}
