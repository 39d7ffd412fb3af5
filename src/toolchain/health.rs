//! What every build needs of a toolchain besides the targets: its own linker, and something that links build scripts.
//!
//! For `rbuild doctor` alone. Looks at files, starts nothing and decides nothing: what is chosen is said by [`super::link`].

use std::path::PathBuf;

use anyhow::Result;

use super::compiler::{self, Ask};
use super::{CNeed, Site, Target, Toolchain};

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

/// Who would compile C for `target`, if a program brought some.
pub(crate) fn c_compiler(toolchain: &Toolchain, target: &Target, site: Site<'_>) -> Result<String> {
    let need = CNeed {
        package: "a crate with C code".to_owned(),
        why: Vec::new(),
        is_cxx: false,
    };
    let ask = Ask {
        toolchain,
        target,
        needs: &[need],
        site,
    };
    Ok(compiler::choose(&ask)?.unwrap_or_default().name)
}
