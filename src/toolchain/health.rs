//! What every build needs of a toolchain besides the targets: its own linker, and something that links build scripts.
//!
//! For `rbuild doctor` alone. Looks at files, starts nothing and decides nothing: what is chosen is said by [`super::link`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;

use super::{BaseLibraries, CNeed, Chosen, Site, Target, Toolchain, link};
use crate::store::Store;

/// Stands for whatever brings C code where there is no program to ask.
const SOME_CRATE: &str = "a crate with C code";

impl Toolchain {
    /// Where the linker of the toolchain lies.
    pub(crate) fn rust_lld(&self) -> Option<PathBuf> {
        let own = self.sysroot.join("lib/rustlib").join(&self.host);
        let own = own.join("bin/rust-lld");
        own.is_file()
            .then_some(own)
            .or_else(|| self.find("rust-lld"))
    }

    /// What links build scripts and procedural macros, which run on this machine.
    pub(crate) fn host_linker(&self) -> Result<String> {
        if self.settings.has_linker(&self.host)? {
            return Ok(format!("what is configured for `{}`", self.host));
        }
        Ok(match self.find("cc") {
            Some(file) => file.display().to_string(),
            None => "`cc` is not on PATH".to_owned(),
        })
    }

    fn find(&self, program: &str) -> Option<PathBuf> {
        let path = self.environment.get(std::ffi::OsStr::new("PATH"))?;
        let mut files = std::env::split_paths(path).map(|directory| directory.join(program));
        files.find(|file| file.is_file())
    }
}

/// What would be chosen if a program brought C code.
pub(crate) fn with_c(toolchain: &Toolchain, target: &Target, kits: &Store) -> Result<Chosen> {
    let need = CNeed {
        package: SOME_CRATE.to_owned(),
        why: vec![SOME_CRATE.to_owned()],
        is_cxx: false,
    };
    considered(toolchain, target, (&[need], kits))
}

/// What would be chosen for a program of Rust alone.
pub(crate) fn without_c(toolchain: &Toolchain, target: &Target, kits: &Store) -> Result<Chosen> {
    considered(toolchain, target, (&[], kits))
}

fn considered(
    toolchain: &Toolchain,
    target: &Target,
    (needs, kits): (&[CNeed], &Store),
) -> Result<Chosen> {
    let site = Site {
        root: &toolchain.directory,
        kits,
        sysroots: &BTreeMap::new(),
        base: &BaseLibraries::NotAsked,
    };
    link(toolchain, target, needs, site)
}
