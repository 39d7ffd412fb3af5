//! What was typed after `rbuild cache`. Plain values; nothing is looked up and nothing is decided.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::cache::MinFree;
use crate::cli::amounts;
use crate::cli::registry_arguments::RegistryArguments;

#[derive(Debug, Subcommand)]
pub(crate) enum CacheAction {
    /// Bring images into the cache; prints NAME:TAG@DIGEST of each
    Warm(WarmArguments),
    /// List the base images: name, digest, platforms, metadata or full, size, age, used by
    Ls,
    /// Hash every blob again; exit code 5 if one is damaged
    Verify(VerifyArguments),
    /// Take away what was not used for long, and more where a size is exceeded
    Prune(PruneArguments),
    /// Take images away, and the blobs that only they needed
    Rm(RmArguments),
    /// Write images of the cache as an OCI layout, to be carried: a directory, or one tar
    Export(ExportArguments),
    /// Bring images of an OCI layout into the cache: a directory, or one tar
    Import(ImportArguments),
    /// Print the directory of the cache
    Dir,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// Fetch what is damaged again, from where it came
    #[arg(long)]
    pub(crate) repair: bool,
    #[command(flatten)]
    pub(crate) registry: RegistryArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PruneArguments {
    /// Keep what was used within this time: 90m, 720h, 30d
    #[arg(long, value_name = "TIME", default_value = "720h", value_parser = amounts::time)]
    pub(crate) keep_duration: Duration,
    /// Keep no more than this in all: 10GB, 512MiB; the oldest use goes first
    #[arg(long, value_name = "SIZE", value_parser = amounts::size)]
    pub(crate) max_used: Option<u64>,
    /// Leave this much of the file system free: 20%, 5GB; the oldest use goes first
    #[arg(long, value_name = "SHARE|SIZE", value_parser = amounts::free)]
    pub(crate) min_free: Option<MinFree>,
    /// Print what would go, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RmArguments {
    /// Names as they are listed, or digests
    #[arg(value_name = "NAME|DIGEST", required = true)]
    pub(crate) images: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct WarmArguments {
    /// Images of registries: bases for builds without a network [default: those of .builder.yaml and builder.lock]
    #[arg(value_name = "REF")]
    pub(crate) images: Vec<String>,
    /// Platforms, or all that the image has [default: as for a build]
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub(crate) platform: Vec<String>,
    /// Keep index, manifests and configs; this is the default
    #[arg(long, conflicts_with = "layers")]
    pub(crate) metadata: bool,
    /// Keep the layers too, which files need
    #[arg(long)]
    pub(crate) layers: bool,
    /// Ask for digests too, and hash what is here: what is damaged is fetched again
    #[arg(long)]
    pub(crate) force: bool,
    /// Exit with 0 although some failed
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// How many blobs travel at once [default: 4]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    #[command(flatten)]
    pub(crate) registry: RegistryArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// Where to: a directory that is not there yet, a file whose name ends in .tar, or - for a tar on standard output
    #[arg(value_name = "DIR|FILE.tar|-")]
    pub(crate) to: PathBuf,
    /// Names or digests of images in the cache [default: all of them]
    #[arg(value_name = "REF")]
    pub(crate) images: Vec<String>,
    /// Platforms, or all that the image has [default: those that are in the cache]
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub(crate) platform: Vec<String>,
    /// Refuse images whose layers are not all in the cache
    #[arg(long)]
    pub(crate) layers: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// Where from: an OCI layout directory, a tar of one, or - for a tar on standard input
    #[arg(value_name = "DIR|FILE.tar|-")]
    pub(crate) from: PathBuf,
    /// Record the names too; without it images can be used by their digests alone
    #[arg(long)]
    pub(crate) trust_names: bool,
}
