//! The flags of every command that may talk to registries. Plain values.

use clap::Args;

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Registries")]
pub(crate) struct RegistryArguments {
    /// Check no certificates, and try http where https is not spoken
    #[arg(long)]
    pub(crate) insecure_registry: bool,
    /// Pull bases from URL first; for one REGISTRY, else for any
    #[arg(long, value_name = "[REGISTRY=]URL")]
    pub(crate) mirror: Vec<String>,
    /// Never ask a registry itself for what its mirrors lack
    #[arg(long)]
    pub(crate) no_mirror_fallback: bool,
}
