//! What was asked for: flags, environment and configuration joined, before anything was looked at.
//!
//! Plain values. Who set what is decided in `cli`; what follows from it, in `plan`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::base::name::Name;
use crate::network::Network;
use crate::platform::Platforms;
use crate::publish::Target;
use crate::workspace::Selection;

/// One `rbuild build`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// Paths and package names, as typed; empty means here.
    pub(crate) what: Vec<String>,
    /// Where it was typed.
    pub(crate) directory: PathBuf,
    pub(crate) cargo: CargoRequest,
    /// Unnamed: the configuration's, else the host's architecture.
    pub(crate) platforms: Platforms,
    /// `--base`: stands over every override.
    pub(crate) base: Option<Name>,
    /// From the environment: stands over the configuration's default, below its overrides.
    pub(crate) default_base: Option<Name>,
    pub(crate) naming: Naming,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) user: Option<String>,
    pub(crate) push: bool,
    pub(crate) targets: Vec<Target>,
    pub(crate) references_file: Option<PathBuf>,
    pub(crate) metadata_file: Option<PathBuf>,
    /// Seconds since the epoch for `created`; zero unless SOURCE_DATE_EPOCH says otherwise.
    pub(crate) created: u64,
    /// Absent when offline.
    pub(crate) network: Option<Network>,
    pub(crate) progress: Progress,
    /// Whether rustup may be run for targets that are missing.
    pub(crate) install_targets: bool,
    /// Whether the bases are wanted in the cache, whole, before anything is compiled.
    pub(crate) precache: bool,
    /// Whether the plan is all that is wanted.
    pub(crate) dry_run: bool,
    /// Whether layers of bases that are used stay in the cache; the configuration may say so too.
    pub(crate) cache_base_layers: bool,
}

/// What cargo is asked for, in cargo's words.
#[derive(Clone, Debug, Default)]
pub(crate) struct CargoRequest {
    /// `-p`, `--bin`, `-F` and their kin; its directory is set for each path.
    pub(crate) selection: Selection,
    pub(crate) profile: Option<String>,
    pub(crate) manifest: Option<PathBuf>,
    pub(crate) target_directory: Option<PathBuf>,
    /// `--locked`, `--frozen`, `--config …`: what the metadata call must see too.
    pub(crate) resolution: Vec<String>,
    /// `-j …` and what stands after `--`.
    pub(crate) further: Vec<String>,
}

/// What is shown on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Cargo decides: a bar on a terminal.
    #[default]
    Auto,
    Plain,
    Quiet,
}

/// How images are named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Naming {
    /// `REPO`; without it images are called `rbuild.local/…`.
    pub(crate) repository: Option<String>,
    pub(crate) style: Style,
    pub(crate) tags: Vec<String>,
    /// References are `NAME:TAG`, without a digest.
    pub(crate) tag_only: bool,
}

/// What follows the repository in a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    /// `REPO/<bin>`.
    #[default]
    Binary,
    /// `REPO`.
    Bare,
    /// `REPO/<path from the workspace root>/<bin>`.
    Path,
}
