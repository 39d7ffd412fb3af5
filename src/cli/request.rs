//! From what was typed, and the environment, to a request. Flag over environment over configuration over built in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::base::name::Name;
use crate::cli::args::{
    BuildArguments, CargoArguments, OutputArguments, ProgressArgument, SelectionArguments,
};
use crate::cli::world::World;
use crate::fault::Fault;
use crate::network::Network;
use crate::plan::request::{CargoRequest, Naming, Progress, Request, Style};
use crate::platform::{BadPlatforms, Platform, Platforms};
use crate::publish::Target;
use crate::workspace::{Features, Selection};

/// The variables of each setting, in the order in which they are asked; ko's names come second.
pub(crate) const BASE_VARIABLES: &[&str] = &["RBUILD_DEFAULT_BASE_IMAGE", "KO_DEFAULTBASEIMAGE"];
pub(crate) const PLATFORM_VARIABLES: &[&str] = &["RBUILD_DEFAULT_PLATFORMS", "KO_DEFAULTPLATFORMS"];
pub(crate) const REPOSITORY_VARIABLES: &[&str] = &["RBUILD_REPO", "KO_DOCKER_REPO"];

/// Checks what the environment says without a request.
pub(crate) fn environment(world: &World) -> Result<()> {
    platforms(&[], world)?;
    default_base(world)?;
    Ok(())
}

/// Reads a build request; nothing is looked up on disk.
pub(crate) fn read(arguments: &BuildArguments, world: &World) -> Result<Request> {
    let image = &arguments.image;
    let offline = arguments.offline || arguments.cargo.frozen || world.flag("RBUILD_OFFLINE")?;
    Ok(Request {
        what: arguments.what.clone(),
        directory: world.directory.clone(),
        cargo: cargo(&arguments.selection, &arguments.cargo, &arguments.further),
        platforms: platforms(&image.platform, world)?,
        base: base(image.base.as_ref(), world)?,
        default_base: default_base(world)?,
        naming: naming(arguments, world)?,
        labels: pairs("--image-label", &image.image_label)?,
        annotations: pairs("--image-annotation", &image.image_annotation)?,
        user: user(image.image_user.as_ref())?,
        push: arguments.output.push,
        targets: targets(&arguments.output, world)?,
        references_file: arguments
            .output
            .image_refs
            .as_deref()
            .map(|path| world.absolute(path)),
        metadata_file: arguments
            .output
            .metadata_file
            .as_deref()
            .map(|path| world.absolute(path)),
        created: world.source_date_epoch()?.unwrap_or(0),
        network: Network::unless(offline),
        progress: progress(arguments),
        install_targets: arguments.install_targets,
        precache: arguments.precache_images,
        dry_run: arguments.dry_run,
        cache_base_layers: arguments.cache_base_layers,
    })
}

/// `--quiet` is short for `--progress quiet`.
pub(crate) fn progress(arguments: &BuildArguments) -> Progress {
    shown(arguments.quiet, arguments.progress)
}

pub(crate) fn shown(quiet: bool, progress: ProgressArgument) -> Progress {
    match (quiet, progress) {
        (true, _) | (false, ProgressArgument::Quiet) => Progress::Quiet,
        (false, ProgressArgument::Plain) => Progress::Plain,
        (false, ProgressArgument::Auto) => Progress::Auto,
    }
}

fn cargo(
    selection: &SelectionArguments,
    cargo: &CargoArguments,
    further: &[String],
) -> CargoRequest {
    let pair = |flag: &str, value: &String| [flag.to_owned(), value.clone()];
    let locked = cargo.locked.then(|| "--locked".to_owned());
    let frozen = cargo.frozen.then(|| "--frozen".to_owned());
    let config = cargo
        .config
        .iter()
        .flat_map(|value| pair("--config", value));
    let jobs = cargo.jobs.iter().flat_map(|jobs| pair("--jobs", jobs));
    CargoRequest {
        selection: selected(selection),
        profile: cargo.profile.clone(),
        manifest: cargo.manifest_path.clone(),
        target_directory: cargo.target_dir.clone(),
        resolution: locked.into_iter().chain(frozen).chain(config).collect(),
        further: jobs.chain(further.iter().cloned()).collect(),
    }
}

fn selected(selection: &SelectionArguments) -> Selection {
    let words = selection
        .features
        .iter()
        .flat_map(|text| text.split([',', ' ']));
    let words = words.filter(|word| !word.is_empty());
    Selection {
        packages: selection.package.clone(),
        workspace: selection.workspace,
        exclude: selection.exclude.clone(),
        binaries: selection.bin.clone(),
        all_binaries: selection.bins,
        directory: PathBuf::new(),
        features: Features {
            names: words.map(str::to_owned).collect(),
            all: selection.all_features,
            no_default: selection.no_default_features,
        },
    }
}

/// Those that were named, by flag or else by variable.
pub(crate) fn platforms(typed: &[String], world: &World) -> Result<Platforms> {
    let (place, words) = platform_words(typed, world)?;
    let read = Platforms::read(&words).map_err(|error| {
        let fault = Fault::refused(format!("{error}")).because(format!("given by `{place}`"));
        match error {
            BadPlatforms::Beside => fault.hint("write `all` alone, or list platforms without it"),
            BadPlatforms::Unread(_) => {
                fault.hint(format!("known are {}", Platform::known().join(", ")))
            }
        }
    });
    Ok(read?)
}

/// What was written, and where.
fn platform_words(typed: &[String], world: &World) -> Result<(&'static str, Vec<String>)> {
    let words = |list: String| list.split([',', ' ']).map(str::to_owned).collect();
    let (place, mut words): (_, Vec<String>) = match world.text(PLATFORM_VARIABLES)? {
        _ if !typed.is_empty() => ("--platform", typed.to_vec()),
        Some((name, list)) => (name, words(list)),
        None => ("--platform", Vec::new()),
    };
    words.retain(|word| !word.is_empty() || !typed.is_empty());
    Ok((place, words))
}

pub(crate) fn default_base(world: &World) -> Result<Option<Name>> {
    let Some((name, text)) = world.text(BASE_VARIABLES)? else {
        return Ok(None);
    };
    let parsed = Name::parse(&text, &world.directory);
    Ok(Some(
        parsed.with_context(|| format!("cannot use `{name}`"))?,
    ))
}

fn base(typed: Option<&String>, world: &World) -> Result<Option<Name>> {
    let parsed = typed
        .map(|text| Name::parse(text, &world.directory))
        .transpose();
    parsed.context("cannot use `--base`")
}

/// An empty user would run the image as whoever the runtime likes.
fn user(typed: Option<&String>) -> Result<Option<String>> {
    match typed {
        Some(user) if user.is_empty() || user.contains(char::is_whitespace) => Err(Fault::refused(
            format!("`--image-user {user}` is not a user"),
        )
        .hint("write USER or USER:GROUP")
        .into()),
        typed => Ok(typed.cloned()),
    }
}

fn naming(arguments: &BuildArguments, world: &World) -> Result<Naming> {
    let image = &arguments.image;
    let repository = match &image.repo {
        Some(repository) => Some(repository.clone()),
        None => world.text(REPOSITORY_VARIABLES)?.map(|(_, text)| text),
    };
    let style = match (image.bare, image.preserve_import_paths) {
        (true, _) => Style::Bare,
        (false, true) => Style::Path,
        (false, false) => Style::Binary,
    };
    Ok(Naming {
        repository,
        style,
        tags: image.tags.clone(),
        tag_only: image.tag_only,
    })
}

fn pairs(flag: &str, typed: &[String]) -> Result<BTreeMap<String, String>> {
    let pair = |text: &String| match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Fault::refused(format!("`{flag} {text}` is not KEY=VALUE")).into()),
    };
    typed.iter().map(pair).collect()
}

fn targets(output: &OutputArguments, world: &World) -> Result<Vec<Target>> {
    let absolute = |path: &Option<PathBuf>| path.as_deref().map(|path: &Path| world.absolute(path));
    let files = [
        &output.oci_archive,
        &output.tarball,
        &output.image_refs,
        &output.metadata_file,
        &output.oci_layout_path,
    ];
    let mut named: Vec<_> = files.into_iter().filter_map(absolute).collect();
    named.sort();
    if let Some(twice) = named
        .windows(2)
        .find(|pair| pair[0] == pair[1])
        .map(|pair| &pair[0])
    {
        return Err(Fault::refused(format!(
            "two outputs would be written to {}",
            twice.display()
        ))
        .into());
    }
    let layout = absolute(&output.oci_layout_path).map(Target::Layout);
    let archive = absolute(&output.oci_archive).map(Target::Archive);
    let tarball = absolute(&output.tarball).map(Target::Tarball);
    Ok(layout.into_iter().chain(archive).chain(tarball).collect())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::{Arguments, Command};

    fn request(variables: &[(&str, &str)], typed: &[&str]) -> Result<Request> {
        let world = World::of(variables);
        let parsed = Arguments::try_parse_from(["rbuild", "build"].iter().chain(typed))?;
        let Command::Build(arguments) = parsed.command else {
            panic!("build")
        };
        read(&arguments, &world)
    }

    #[test]
    fn a_flag_stands_over_the_environment() {
        let variables = [
            ("RBUILD_REPO", "env.example/a"),
            ("RBUILD_DEFAULT_PLATFORMS", "linux/386"),
            ("KO_DEFAULTBASEIMAGE", "scratch"),
        ];
        let from_environment = request(&variables, &[]).expect("valid");
        assert_eq!(
            from_environment.naming.repository.as_deref(),
            Some("env.example/a")
        );
        assert_eq!(
            from_environment.platforms.named()[0].to_string(),
            "linux/386"
        );
        assert_eq!(from_environment.default_base, Some(Name::Scratch));
        let flags = [
            "--repo",
            "flag.example/b",
            "--platform",
            "linux/amd64,linux/arm64",
            "--base",
            "builtin:static",
        ];
        let from_flags = request(&variables, &flags).expect("valid");
        assert_eq!(
            from_flags.naming.repository.as_deref(),
            Some("flag.example/b")
        );
        assert_eq!(from_flags.platforms.named().len(), 2);
        assert_eq!(from_flags.base, Some(Name::Static));
    }

    #[test]
    fn offline_leaves_no_permission_for_the_network_however_it_is_said() {
        assert!(request(&[], &[]).expect("valid").network.is_some());
        assert!(
            request(&[], &["--offline"])
                .expect("valid")
                .network
                .is_none()
        );
        assert!(
            request(&[], &["--frozen"])
                .expect("valid")
                .network
                .is_none()
        );
        assert!(
            request(&[("RBUILD_OFFLINE", "1")], &[])
                .expect("valid")
                .network
                .is_none()
        );
    }

    #[test]
    fn features_come_in_cargos_spellings_and_outputs_as_full_paths() {
        let asked = request(
            &[],
            &["-F", "a,b", "--features", "c d", "--oci-archive", "x.tar"],
        )
        .expect("valid");
        assert_eq!(asked.cargo.selection.features.names, ["a", "b", "c", "d"]);
        let [Target::Archive(file)] = asked.targets.as_slice() else {
            panic!("an archive, not {:?}", asked.targets)
        };
        assert_eq!(file, Path::new("/here/x.tar"));
    }

    #[test]
    fn what_makes_no_sense_is_refused_here() {
        for bad in [
            &["--image-label", "novalue"][..],
            &["--image-annotation", "=x"],
            &["--image-user", ""],
            &["--platform", "linux"],
            &["--platform", "all,linux/amd64"],
            &["--base", "A B"],
            &["--oci-archive", "x", "--tarball", "x"],
        ] {
            assert!(request(&[], bad).is_err(), "{bad:?}");
        }
    }
}
