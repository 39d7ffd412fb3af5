//! The flags of `rbuild doctor`: what is built for which platforms, in the words of `rbuild build`. Plain values.

use clap::Args;

use crate::cli::args::{CargoArguments, SelectionArguments};
use crate::cli::registry_arguments::RegistryArguments;

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Directories of packages, or names of packages of the workspace here
    #[arg(value_name = "PATH|PACKAGE")]
    pub(crate) what: Vec<String>,
    /// Platforms, or all that the base has [default: as for a build; without a project all that rbuild knows]
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub(crate) platform: Vec<String>,
    /// Base image [default: as for a build]
    #[arg(long, value_name = "REF")]
    pub(crate) base: Option<String>,
    /// Have rustup add the rust targets that are missing: runs rustup target add
    #[arg(long)]
    pub(crate) install_targets: bool,
    /// No socket at all; cargo gets --offline too
    #[arg(long)]
    pub(crate) offline: bool,
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
    #[command(flatten)]
    pub(crate) cargo: CargoArguments,
    #[command(flatten)]
    pub(crate) registry: RegistryArguments,
}
