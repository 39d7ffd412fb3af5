//! What was typed after `rbuild cache`. Plain values; nothing is looked up and nothing is decided.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::cache::MinFree;
use crate::cli::amounts;
use crate::cli::registry_arguments::RegistryArguments;

#[derive(Debug, Subcommand)]
pub(crate) enum CacheAction {
    /// Bring base images into the cache; prints NAME:TAG@DIGEST of each
    #[command(
        after_help = "Examples:\n  rbuild cache warm debian:13-slim\n  rbuild cache warm --layers --platform linux/amd64,linux/arm64 debian:13-slim\n  rbuild cache warm --layers        # every base of .builder.yaml and builder.lock"
    )]
    Warm(WarmArguments),
    /// List the base images: name, digest, platforms, metadata or full, size, age, used by
    ///
    /// One line each, with tabs between. "metadata" says that layers are missing. Used by: config (.builder.yaml here), lock (builder.lock
    /// here), record (an image that was built on it).
    #[command(after_help = "Example: rbuild cache ls | cut -f 1,2")]
    Ls,
    /// Hash every blob again; exit code 5 if one is damaged
    #[command(after_help = "Example: rbuild cache verify --repair")]
    Verify(VerifyArguments),
    /// Take away what was not used for 30 days, and more where a size is exceeded
    #[command(
        after_help = "Examples:\n  rbuild cache prune --dry-run\n  rbuild cache prune --keep-duration 7d --max-used 10GB"
    )]
    Prune(PruneArguments),
    /// Take images away, and the blobs that only they needed
    #[command(after_help = "Example: rbuild cache rm debian:13-slim")]
    Rm(RmArguments),
    /// Write base images of the cache as an OCI layout, to be carried: a directory, or one tar
    #[command(
        after_help = "Examples:\n  rbuild cache export bases.tar\n  rbuild cache export --layers --platform linux/arm64 bases debian:13-slim\n  rbuild cache export - debian:13-slim | ssh inside rbuild cache import --trust-names -"
    )]
    Export(ExportArguments),
    /// Bring images of an OCI layout into the cache: a directory, or one tar
    #[command(
        after_help = "Examples:\n  rbuild cache import --trust-names bases.tar\n  skopeo copy docker://debian:13-slim oci-archive:base.tar && rbuild cache import base.tar"
    )]
    Import(ImportArguments),
    /// Print the directory of the cache
    #[command(after_help = "Example: du -sh \"$(rbuild cache dir)\"")]
    Dir,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// Fetch what is damaged again from the registry of its name; what rbuild made is taken away and made again when it is needed
    #[arg(long)]
    pub(crate) repair: bool,
    #[command(flatten)]
    pub(crate) registry: RegistryArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PruneArguments {
    /// Keep what was used within this time, such as 90m, 720h, 30d
    #[arg(long, value_name = "TIME", default_value = "720h", value_parser = amounts::time)]
    pub(crate) keep_duration: Duration,
    /// Keep no more than this in all, such as 10GB or 512MiB: younger things go too, the oldest use first
    #[arg(long, value_name = "SIZE", value_parser = amounts::size)]
    pub(crate) max_used: Option<u64>,
    /// Leave this much of the file system free, such as 20% or 5GB: younger things go too, the oldest use first
    #[arg(long, value_name = "SHARE|SIZE", value_parser = amounts::free)]
    pub(crate) min_free: Option<MinFree>,
    /// Print what would go, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RmArguments {
    /// Names as `rbuild cache ls` lists them, their short forms, or digests
    #[arg(value_name = "NAME|DIGEST", required = true)]
    pub(crate) images: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct WarmArguments {
    /// Images of registries, such as debian:13-slim or gcr.io/distroless/cc@sha256:… [default: those of .builder.yaml and builder.lock]
    #[arg(value_name = "REF")]
    pub(crate) images: Vec<String>,
    /// Platforms, such as linux/amd64,linux/arm64, or all that the image has [default: as for a build]
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub(crate) platform: Vec<String>,
    /// Bring index, manifests and configs alone, enough for a build that writes no file; this is the default
    #[arg(long, conflicts_with = "layers")]
    pub(crate) metadata: bool,
    /// Bring the layers too, which --oci-archive, --oci-layout-path and --tarball need
    #[arg(long)]
    pub(crate) layers: bool,
    /// Ask the registry for digests too, and hash the layers that are here: what is damaged is fetched again
    #[arg(long)]
    pub(crate) force: bool,
    /// Exit with 0 although some images failed; the table says which
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Ask no registry: say what is missing
    #[arg(long, conflicts_with = "force")]
    pub(crate) offline: bool,
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
    /// Names or digests of base images in the cache [default: all of them]
    #[arg(value_name = "REF")]
    pub(crate) images: Vec<String>,
    /// Platforms, such as linux/amd64,linux/arm64, or all that the image has [default: those that are in the cache]
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub(crate) platform: Vec<String>,
    /// Refuse images whose layers are not all in the cache; without it they travel as they are, and that is said
    #[arg(long)]
    pub(crate) layers: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// Where from: an OCI layout directory, a tar of one, or - for a tar on standard input
    #[arg(value_name = "DIR|FILE.tar|-")]
    pub(crate) from: PathBuf,
    /// Record the names that the source gives its images; without it they can be used by their digests alone
    #[arg(long)]
    pub(crate) trust_names: bool,
}
