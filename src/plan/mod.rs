//! Everything decided, nothing done. Every refusal of a build happens here.
//!
//! `plan` is pure: the same request, configuration, workspaces, bases and links give the same plan or the same refusal.
//! It reads no file, asks no clock and starts nothing.

mod naming;
pub(crate) mod request;
mod settings;
mod show;
pub(crate) mod wanted;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::base::Base;
use crate::base::name::Name;
use crate::compile::Job;
use crate::config::{Asset, Config};
use crate::digest::{Descriptor, Digest};
use crate::fault::{Fault, Kind};
use crate::image::Settings;
use crate::plan::request::Request;
use crate::plan::wanted::Wanted;
use crate::publish::Target;

pub(crate) use settings::KODATA;

/// What will be done.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) jobs: Vec<Job>,
    pub(crate) images: Vec<ImagePlan>,
    pub(crate) targets: Vec<Target>,
    pub(crate) references_file: Option<PathBuf>,
    pub(crate) metadata_file: Option<PathBuf>,
}

/// One image, on one or several platforms.
#[derive(Clone, Debug)]
pub(crate) struct ImagePlan {
    /// Cargo's id of the package; with the binary's name it finds the compiled file.
    pub(crate) package: String,
    pub(crate) binary: String,
    /// `registry/repository`.
    pub(crate) name: String,
    pub(crate) tags: Vec<String>,
    pub(crate) base: Base,
    pub(crate) settings: Settings,
    /// The project's root: links in assets may not leave it.
    pub(crate) root: PathBuf,
    pub(crate) assets: Vec<Asset>,
    /// `kodata/` beside the package's Cargo.toml, if it is there.
    pub(crate) kodata: Option<PathBuf>,
}

/// What is known before anything is decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) bases: &'a BTreeMap<(Name, Vec<crate::platform::Platform>), Base>,
    /// The `kodata/` directories that exist, by package directory.
    pub(crate) kodata: &'a BTreeSet<PathBuf>,
}

/// What a build that would push is told until there is a way to push.
pub(crate) fn refuse_push(request: &Request) -> Result<()> {
    if !request.push {
        return Ok(());
    }
    Err(Fault::refused("cannot push: publishing to registries comes with the next version")
        .hint("add `--push=false`; with `--oci-archive FILE` or `--oci-layout-path DIR` the image is written there")
        .into())
}

/// Decides what to do, or refuses.
pub(crate) fn plan(
    request: &Request,
    config: &Config,
    wanted: &[Wanted<'_>],
    (jobs, known): (Vec<Job>, Known<'_>),
) -> Result<Plan> {
    refuse_push(request)?;
    let images: Vec<ImagePlan> = wanted
        .iter()
        .map(|one| image(one, request, config, known))
        .collect::<Result<_>>()?;
    refuse_equal_names(&images)?;
    refuse_wide_tarball(&request.targets, &images)?;
    refuse_absent_layers(&request.targets, &images)?;
    refuse_dynamic_on_static(&jobs, &images)?;
    Ok(Plan {
        jobs,
        images,
        targets: request.targets.clone(),
        references_file: request.references_file.clone(),
        metadata_file: request.metadata_file.clone(),
    })
}

fn image(
    wanted: &Wanted<'_>,
    request: &Request,
    config: &Config,
    known: Known<'_>,
) -> Result<ImagePlan> {
    let within = wanted
        .package
        .directory
        .strip_prefix(&wanted.workspace.root)
        .unwrap_or(&wanted.package.directory);
    let configured = wanted.build.and_then(|build| build.image.name.as_deref());
    let kodata = known
        .kodata
        .contains(&wanted.package.directory)
        .then(|| wanted.package.directory.join("kodata"));
    let base = &known.bases[&(wanted.base.clone(), wanted.platforms.clone())];
    Ok(ImagePlan {
        package: wanted.package.id.clone(),
        binary: wanted.binary.clone(),
        name: naming::name(
            &request.naming,
            configured.unwrap_or(&wanted.binary),
            within,
        )?,
        tags: naming::tags(&request.naming)?,
        base: base.clone(),
        settings: settings::settings(wanted, request, kodata.is_some()),
        root: config
            .file
            .as_ref()
            .and_then(|file| file.parent())
            .map_or_else(|| wanted.workspace.root.clone(), PathBuf::from),
        assets: wanted
            .build
            .map(|build| build.assets.clone())
            .unwrap_or_default(),
        kodata,
    })
}

fn refuse_equal_names(images: &[ImagePlan]) -> Result<()> {
    let mut seen = BTreeMap::new();
    for image in images {
        if let Some(other) = seen.insert(&image.name, &image.binary) {
            let message = format!(
                "the images of `{other}` and `{}` would both be called `{}`",
                image.binary, image.name
            );
            return Err(Fault::refused(message)
                .hint(
                    "name one with `image: {name: …}` in .builder.yaml, or build one with `--bin`",
                )
                .into());
        }
    }
    Ok(())
}

fn refuse_wide_tarball(targets: &[Target], images: &[ImagePlan]) -> Result<()> {
    let tarball = targets
        .iter()
        .any(|target| matches!(target, Target::Tarball(_)));
    let Some(wide) = images
        .iter()
        .find(|image| image.base.images.len() > 1)
        .filter(|_| tarball)
    else {
        return Ok(());
    };
    let message = format!(
        "`--tarball` holds one platform, `{}` has {}",
        wide.binary,
        wide.base.images.len()
    );
    Err(Fault::refused(message)
        .hint("write an `--oci-archive`, which holds them all, or ask for one `--platform`")
        .into())
}

/// Outputs on disk need the bytes of the base's layers; what is not here is named before anything is compiled.
fn refuse_absent_layers(targets: &[Target], images: &[ImagePlan]) -> Result<()> {
    if targets.is_empty() {
        return Ok(());
    }
    for image in images {
        let absent: BTreeMap<Digest, &Descriptor> = image
            .base
            .images
            .iter()
            .flat_map(|base| base.absent())
            .map(|layer| (layer.digest, layer))
            .collect();
        if !absent.is_empty() {
            return Err(absent_layers(image, absent.values().copied()).into());
        }
    }
    Ok(())
}

/// A program that needs a dynamic loader cannot start on a base that has none.
fn refuse_dynamic_on_static(jobs: &[Job], images: &[ImagePlan]) -> Result<()> {
    let dynamic = |job: &&Job| {
        job.links.iter().any(|link| {
            !link.is_static
                && !link
                    .rustflags
                    .iter()
                    .any(|flag| flag.contains("+crt-static"))
        })
    };
    for wanted in jobs.iter().filter(dynamic).flat_map(|job| &job.wanted) {
        let image = images
            .iter()
            .find(|image| image.package == wanted.package_id && image.binary == wanted.binary);
        if let Some(image) =
            image.filter(|image| matches!(image.base.name, Name::Static | Name::Scratch))
        {
            let message = format!(
                "`{}` is linked with glibc dynamically, which the base `{}` does not have",
                image.binary, image.base.name
            );
            return Err(Fault::refused(message)
                .hint("choose a base with glibc, or drop `libc: gnu` from .builder.yaml")
                .into());
        }
    }
    Ok(())
}

fn absent_layers<'a>(
    image: &ImagePlan,
    absent: impl Iterator<Item = &'a Descriptor> + Clone,
) -> Fault {
    let count = absent.clone().count();
    let total: u64 = absent.clone().map(|layer| layer.size).sum();
    let message = format!(
        "the output needs {count} layers of the base image `{}` that are not here, {total} bytes",
        image.base.name
    );
    let fault = Fault::new(Kind::Offline, message);
    let place = image.base.images.iter().find_map(|base| base.place());
    let fault = absent.fold(fault, |fault, layer| {
        fault.because(format!("missing {} ({} bytes)", layer.digest, layer.size))
    });
    match place {
        Some(place) => fault
            .because(format!("looked in {}", place.display()))
            .hint(whole_image(&image.base.name, place))
            .hint("or drop the output and keep `--push=false` alone, which needs no layers"),
        None => fault,
    }
}

/// How the layers come to where the rest of the image is.
fn whole_image(name: &Name, place: &Path) -> String {
    match name {
        Name::Reference(reference) => format!(
            "run `crane pull --format oci {reference} {}` once while online",
            place.display()
        ),
        _ => "copy the image to that layout again, whole, with the tool that wrote it".to_owned(),
    }
}

#[cfg(test)]
mod tests;
