//! What every build needs of a toolchain besides the targets: its own linker, and something that links build scripts.
//!
//! For `rbuild doctor` alone. Looks at files, starts nothing and decides nothing: what is chosen is said by [`super::link()`].

use std::path::PathBuf;

use anyhow::Result;

use super::compiler::{self, Ask};
use super::host_linker::{self, Host};
use super::{CNeed, Site, Target, Toolchain};
use crate::store::Store;

impl Toolchain {
    /// Where the linker of the toolchain lies.
    pub(crate) fn rust_lld(&self) -> Option<PathBuf> {
        let own = self.own_program("rust-lld");
        own.or_else(|| self.path_of("rust-lld"))
    }

    /// What links build scripts and procedural macros, which run on this machine. `kits` is where a linker would be kept.
    pub(crate) fn host_linker(&self, kits: &Store) -> Result<String> {
        Ok(
            match (host_linker::choose(self, kits)?, self.path_of("cc")) {
                (Host::Linker(_), _) => "rust-lld, for `cc` is not on PATH".to_owned(),
                (Host::Lacking(reason), _) => format!("none: `cc` is not on PATH, and {reason}"),
                (Host::LeftAlone, _) if self.settings.has_linker(&self.host)? => {
                    format!("what is configured for `{}`", self.host)
                }
                (Host::LeftAlone, cc) => cc.unwrap_or_default().display().to_string(),
            },
        )
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
