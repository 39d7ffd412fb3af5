//! What was typed. Plain values; nothing is looked up and nothing is decided.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::cli::cache_arguments::CacheAction;
use crate::cli::doctor_arguments::DoctorArguments;
use crate::cli::registry_arguments::RegistryArguments;

/// Turns Rust programs into OCI container images: no Docker, no daemon, no privileges and, where it can, no network.
#[derive(Debug, Parser)]
#[command(
    name = "rbuild",
    bin_name = "rbuild",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Wait so long for another rbuild that holds a lock of the cache, then give up [default: for ever]
    #[arg(long, global = true, value_name = "SECONDS")]
    pub(crate) lock_timeout: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compile, assemble, push; prints one reference per image
    Build(Box<BuildArguments>),
    /// Say what each platform would be built with, or what it lacks; builds nothing
    Doctor(Box<DoctorArguments>),
    /// Push an image that was built earlier; prints its reference
    Push(PushArguments),
    /// Fill the cache of base images, look at it, carry it, take things away
    Cache {
        #[command(subcommand)]
        action: CacheAction,
    },
    /// Say what the configured bases are, and pin them in builder.lock
    Base {
        #[command(subcommand)]
        action: BaseAction,
    },
    /// Look at the configuration
    Config {
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// Check a user name and password at a registry and keep them
    Login(LoginArguments),
    /// Forget what login kept
    Logout(LogoutArguments),
    /// Print a completion script for a shell
    Completions {
        /// The shell that is to complete
        shell: Shell,
    },
    /// Print the version
    Version,
}

#[derive(Debug, Args)]
pub(crate) struct LoginArguments {
    /// User name; asked for at the terminal if it is left out
    #[arg(short, long, visible_alias = "username", value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Read the password or token from standard input, not at the terminal
    #[arg(long, requires = "user")]
    pub(crate) password_stdin: bool,
    /// Check no certificates, and try http where https is not spoken
    #[arg(long)]
    pub(crate) insecure_registry: bool,
    /// The registry as images name it, such as ghcr.io or docker.io
    pub(crate) registry: String,
}

#[derive(Debug, Args)]
pub(crate) struct LogoutArguments {
    /// The registry as images name it
    pub(crate) registry: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BaseAction {
    /// List the bases of the configuration: key, name, digest, platforms, and who says so
    ///
    /// One line each, with tabs between: the key of the configuration, the name, its digest, its platforms, and who says so: lock (builder.lock),
    /// pin (the name itself), registry, record (the cache, with --offline), or "no registry" for what needs none.
    #[command(after_help = "Example: rbuild base ls --offline")]
    Ls(BaseArguments),
    /// Write builder.lock; what it holds already stays. Prints NAME:TAG@DIGEST of each
    #[command(after_help = "Examples:\n  rbuild base pin\n  rbuild base pin --in-place")]
    Pin(PinArguments),
    /// Ask for every base again and write builder.lock; each change is a line with OLD → NEW
    #[command(after_help = "Example: rbuild base update && git diff builder.lock")]
    Update(BaseArguments),
}

#[derive(Debug, Args)]
pub(crate) struct BaseArguments {
    /// Directory from which .builder.yaml is looked for, upwards
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// Platforms, such as linux/amd64,linux/arm64, or all that can be compiled for [default: defaultPlatforms, else all]
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub(crate) platform: Vec<String>,
    /// Open no socket: a tag means what the cache records of it
    #[arg(long)]
    pub(crate) offline: bool,
    #[command(flatten)]
    pub(crate) registry: RegistryArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PinArguments {
    /// Write the digests into .builder.yaml instead, behind the names, and change no other byte
    #[arg(long)]
    pub(crate) in_place: bool,
    #[command(flatten)]
    pub(crate) base: BaseArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Print every setting, its value and where it came from
    Show(ConfigArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    /// Where to look for .builder.yaml
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct BuildArguments {
    /// Directories of packages, or names of packages of the workspace here
    #[arg(value_name = "PATH|PACKAGE")]
    pub(crate) what: Vec<String>,
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
    #[command(flatten)]
    pub(crate) cargo: CargoArguments,
    #[command(flatten)]
    pub(crate) image: ImageArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
    #[command(flatten)]
    pub(crate) registry: RegistryArguments,
    /// No socket at all; cargo gets --offline too
    #[arg(long)]
    pub(crate) offline: bool,
    /// Have rustup add the rust targets that are missing: runs rustup target add
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) install_targets: bool,
    /// Bring all bases into the cache, layers too, before anything is compiled
    #[arg(long, visible_alias = "pre-cache-images")]
    pub(crate) precache_images: bool,
    /// Keep the layers of bases that the build reads or fetches in the cache of bases
    #[arg(long)]
    pub(crate) cache_base_layers: bool,
    /// Print the plan and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// What to show on the way: cargo's progress bar where there is a terminal, plain lines, or nothing but errors
    #[arg(long, value_name = "HOW", value_enum, default_value_t = ProgressArgument::Auto)]
    pub(crate) progress: ProgressArgument,
    /// Short for --progress quiet
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// More arguments for cargo build
    #[arg(last = true, value_name = "CARGO ARGS")]
    pub(crate) further: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PushArguments {
    /// Image as `rbuild build --push=false` printed it, a digest, or oci:DIR, oci:DIR:NAME, oci:DIR@DIGEST
    #[arg(value_name = "REF|DIGEST")]
    pub(crate) image: String,
    /// Where to, REGISTRY/REPOSITORY or REGISTRY/REPOSITORY:TAG [default: as the image is named]
    #[arg(value_name = "DEST")]
    pub(crate) destination: Option<String>,
    /// Repository for an image that was built without one: it is called REPO/NAME; also RBUILD_REPO
    #[arg(long, value_name = "REPO", conflicts_with = "destination")]
    pub(crate) repo: Option<String>,
    /// Tags [default: those that the image was built with, else latest]
    #[arg(short, long, value_name = "TAG", value_delimiter = ',')]
    pub(crate) tags: Vec<String>,
    /// How many blobs travel at once [default: 4]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    #[command(flatten)]
    pub(crate) registry: RegistryArguments,
    /// What to show on the way: bars where there is a terminal, plain lines, or nothing but errors
    #[arg(long, value_name = "HOW", value_enum, default_value_t = ProgressArgument::Auto)]
    pub(crate) progress: ProgressArgument,
    /// Short for --progress quiet
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressArgument {
    Auto,
    Plain,
    Quiet,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
pub(crate) struct SelectionArguments {
    /// Package to build
    #[arg(short, long, value_name = "SPEC")]
    pub(crate) package: Vec<String>,
    /// All packages of the workspace
    #[arg(long)]
    pub(crate) workspace: bool,
    /// Package to leave out
    #[arg(long, value_name = "SPEC", requires = "workspace")]
    pub(crate) exclude: Vec<String>,
    /// Binary to build
    #[arg(long, value_name = "NAME")]
    pub(crate) bin: Vec<String>,
    /// All binaries of the selected packages
    #[arg(long)]
    pub(crate) bins: bool,
    /// Features to enable, separated by commas or spaces
    #[arg(short = 'F', long, value_name = "FEATURES")]
    pub(crate) features: Vec<String>,
    /// All features of the selected packages
    #[arg(long)]
    pub(crate) all_features: bool,
    /// Not the default features
    #[arg(long)]
    pub(crate) no_default_features: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Cargo")]
pub(crate) struct CargoArguments {
    /// Profile to build with [default: release]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The default anyway
    #[arg(short, long, conflicts_with = "profile")]
    pub(crate) release: bool,
    /// Cargo.lock must not change
    #[arg(long)]
    pub(crate) locked: bool,
    /// Both --locked and --offline
    #[arg(long)]
    pub(crate) frozen: bool,
    /// Directory for build artifacts
    #[arg(long, value_name = "DIR")]
    pub(crate) target_dir: Option<PathBuf>,
    /// Path of Cargo.toml
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
    /// A cargo configuration value or file
    #[arg(long, value_name = "KEY=VALUE|PATH")]
    pub(crate) config: Vec<String>,
    /// How many jobs cargo may run at once
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) jobs: Option<String>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Image")]
pub(crate) struct ImageArguments {
    /// Platforms, such as linux/amd64,linux/arm64, or all that the base has [default: linux on this machine's architecture]
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub(crate) platform: Vec<String>,
    /// Base image: builtin:static, scratch, oci:DIR, oci:DIR:NAME, oci:DIR@DIGEST or a name
    #[arg(long, value_name = "REF")]
    pub(crate) base: Option<String>,
    /// Label of the image
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) image_label: Vec<String>,
    /// Annotation of the manifests
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) image_annotation: Vec<String>,
    /// User that the image runs as [default: the base's]
    #[arg(long, value_name = "USER[:GROUP]")]
    pub(crate) image_user: Option<String>,
    /// Repository that the images are named in and pushed to; also RBUILD_REPO
    #[arg(long, value_name = "REPO")]
    pub(crate) repo: Option<String>,
    /// Tags [default: latest]
    #[arg(short, long, value_name = "TAG", value_delimiter = ',')]
    pub(crate) tags: Vec<String>,
    /// Print NAME:TAG without a digest; needs exactly one tag
    #[arg(long)]
    pub(crate) tag_only: bool,
    /// Name the image REPO
    #[arg(long, conflicts_with_all = ["base_import_paths", "preserve_import_paths"])]
    pub(crate) bare: bool,
    /// Name the image REPO/BIN; this is the default
    #[arg(short = 'B', long)]
    pub(crate) base_import_paths: bool,
    /// Name the image REPO/PATH/BIN, with the package's path in the workspace
    #[arg(short = 'P', long, conflicts_with = "base_import_paths")]
    pub(crate) preserve_import_paths: bool,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArguments {
    /// Push to the registry that --repo names; --push=false keeps the image in the cache
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", value_parser = BoolishValueParser::new(), action = clap::ArgAction::Set)]
    pub(crate) push: bool,
    /// Add the images to an OCI layout directory, made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) oci_layout_path: Option<PathBuf>,
    /// Write the images as one OCI archive, any number of platforms
    #[arg(long, value_name = "FILE")]
    pub(crate) oci_archive: Option<PathBuf>,
    /// Write a tarball for docker load, one platform
    #[arg(long, value_name = "FILE")]
    pub(crate) tarball: Option<PathBuf>,
    /// Write the references of the images and their platforms to a file
    #[arg(long, value_name = "FILE")]
    pub(crate) image_refs: Option<PathBuf>,
    /// Write digests as JSON to a file
    #[arg(long, value_name = "FILE")]
    pub(crate) metadata_file: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_of_the_arguments_is_sound() {
        Arguments::command().debug_assert();
    }

    /// Arguments without a sentence, and commands of these two families without an example.
    fn unexplained(command: &clap::Command, family: &str) -> Vec<String> {
        let name = command.get_name();
        let silent = command
            .get_arguments()
            .filter(|one| one.get_help().is_none());
        let silent = silent.map(|one| format!("{family} {name}: {}", one.get_id()));
        let example = command.get_after_help().map(ToString::to_string);
        let shows = example.is_some_and(|text| text.contains(&format!("rbuild {family} {name}")));
        let bare = ["cache", "base"].contains(&family) && !shows;
        let bare = bare.then(|| format!("{family} {name}: no example"));
        let below = command.get_subcommands();
        let below = below.flat_map(|one| unexplained(one, name));
        silent.chain(bare).chain(below).collect()
    }

    #[test]
    fn every_argument_has_a_sentence_and_every_command_of_the_cache_and_of_bases_an_example() {
        assert_eq!(unexplained(&Arguments::command(), ""), [""; 0]);
    }

    #[test]
    fn push_is_true_unless_it_is_set_to_false() {
        for (typed, push) in [
            (&["--push=false"][..], false),
            (&["--push=true"], true),
            (&["--push"], true),
            (&[], true),
        ] {
            let parsed =
                Arguments::try_parse_from(["rbuild", "build"].iter().chain(typed)).expect("valid");
            let Command::Build(build) = parsed.command else {
                panic!("build")
            };
            assert_eq!(build.output.push, push, "{typed:?}");
        }
    }

    #[test]
    fn a_password_is_no_argument() {
        let parse = |typed: &[&str]| {
            Arguments::try_parse_from(["rbuild", "login"].iter().chain(typed)).is_ok()
        };
        assert!(parse(&["r.example"]) && parse(&["-u", "me", "--password-stdin", "r.example"]));
        assert!(!parse(&["-u", "me", "-p", "geheim", "r.example"]));
        assert!(!parse(&["-u", "me", "--password", "geheim", "r.example"]));
        assert!(!parse(&["--password-stdin", "r.example"]), "whose?");
    }

    #[test]
    fn words_after_two_dashes_are_cargos() {
        let parsed =
            Arguments::try_parse_from(["rbuild", "build", "a", "--", "--timings"]).expect("valid");
        let Command::Build(build) = parsed.command else {
            panic!("build")
        };
        assert_eq!(
            (build.what, build.further),
            (vec!["a".to_owned()], vec!["--timings".to_owned()])
        );
    }
}
