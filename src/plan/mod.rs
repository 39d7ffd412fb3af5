//! Everything decided, nothing done. Every refusal of a build happens here.
//!
//! `plan` is pure: the same request, configuration, workspaces, bases and links give the same plan or the same refusal.
//! It reads no file, asks no clock and starts nothing: what must be looked at is [`Known`].

pub(crate) mod asked;
mod base_layers;
mod further;
mod locked;
mod naming;
mod push;
pub(crate) mod request;
mod settings;
mod show;
pub(crate) mod wanted;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;

use crate::base::Base;
use crate::base::name::Name;
use crate::compile::{self, Job};
use crate::config::Asset;
use crate::digest::Descriptor;
use crate::fault::Fault;
use crate::image::Settings;
use crate::plan::asked::Asked;
use crate::plan::request::Request;
use crate::plan::wanted::Wanted;
use crate::platform::{Platform, Platforms};
use crate::publish::Target;
use crate::registry::Registry;
use crate::toolchain::Link;

pub(crate) use base_layers::Fetch;
pub(crate) use further::Program;
pub(crate) use locked::{Configured, configured, look as look_at_lock};
pub(crate) use naming::{NOWHERE, check_tag, name_in, refuse_registry};
pub(crate) use push::refuse_offline;
pub(crate) use settings::KODATA;

/// What will be done.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) jobs: Vec<Job>,
    pub(crate) images: Vec<ImagePlan>,
    /// Layers of bases that the targets need and that are not here.
    pub(crate) fetches: Vec<Fetch>,
    /// Whether layers of bases that are used stay in the cache of bases.
    pub(crate) keeps_base_layers: bool,
    pub(crate) targets: Vec<Target>,
    pub(crate) references_file: Option<PathBuf>,
    pub(crate) metadata_file: Option<PathBuf>,
}

impl Plan {
    /// The way to registries, if the images go there.
    pub(crate) fn registry(&self) -> Option<&Registry> {
        self.targets.iter().find_map(|target| match target {
            Target::Registry(registry) => Some(registry),
            _ => None,
        })
    }
}

/// One image, on one or several platforms.
#[derive(Clone, Debug)]
pub(crate) struct ImagePlan {
    /// Cargo's id of the package; with the binary's name it finds the compiled file.
    pub(crate) package: String,
    pub(crate) binary: String,
    /// What lies beside it, sorted by name.
    pub(crate) further: Vec<Program>,
    /// `registry/repository`.
    pub(crate) name: String,
    pub(crate) tags: Vec<String>,
    /// Its reference is `name:tag`, without a digest.
    pub(crate) tag_only: bool,
    pub(crate) base: Base,
    pub(crate) settings: Settings,
    /// Where the configuration lies: links in assets may not leave it.
    pub(crate) asset_root: PathBuf,
    pub(crate) assets: Vec<Asset>,
    /// The workspace: links in kodata may not leave it.
    pub(crate) kodata_root: PathBuf,
    /// `kodata/` beside the package's Cargo.toml, if it is there.
    pub(crate) kodata: Option<PathBuf>,
}

impl ImagePlan {
    /// Everything that is compiled for it, sorted by path.
    pub(crate) fn programs(&self) -> Vec<Program> {
        let main = Program {
            package: self.package.clone(),
            binary: self.binary.clone(),
            path: self.settings.path.clone(),
        };
        let mut all: Vec<Program> = self.further.iter().cloned().chain([main]).collect();
        all.sort_by(|one, other| one.path.cmp(&other.path));
        all
    }

    /// Whether what cargo makes of it goes into this image.
    pub(crate) fn holds(&self, wanted: &compile::Wanted) -> bool {
        let mut programs = self.programs().into_iter();
        programs.any(|one| one.package == wanted.package_id && one.binary == wanted.binary)
    }
}

/// What was found out before anything is decided.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) jobs: Vec<Job>,
    pub(crate) bases: BTreeMap<BaseKey, Base>,
    /// Layers of these bases whose bytes are not on this machine; looked for only if an output on disk needs them.
    pub(crate) absent: BTreeMap<BaseKey, Vec<Descriptor>>,
    pub(crate) without_loader: WithoutLoader,
    /// The `kodata/` directories that exist.
    pub(crate) kodata: BTreeSet<PathBuf>,
    /// The way to registries; absent when offline.
    pub(crate) registry: Option<Registry>,
}

/// A base for a list of platforms, or for all that it has.
pub(crate) type BaseKey = (Name, Platforms);

/// Bases that are known to have no dynamic loader of glibc for a platform; looked into only for programs that need one.
pub(crate) type WithoutLoader = BTreeSet<(Name, Platform)>;

/// Refuses what no workspace and no base could change: names, tags, a push that cannot be.
pub(crate) fn look(request: &Request) -> Result<()> {
    naming::look(&request.naming)?;
    push::look(request)
}

/// Decides what to do, or refuses.
pub(crate) fn plan(asked: Asked<'_>, wanted: &[&Wanted<'_>], known: Known) -> Result<Plan> {
    let request = asked.request;
    look(request)?;
    let targets = push::targets(request, known.registry.as_ref())?;
    let images = wanted.iter().map(|one| image(one, asked, &known));
    let images: Vec<ImagePlan> = images.collect::<Result<_>>()?;
    refuse_equal_names(&images)?;
    further::refuse_collisions(&known.jobs)?;
    refuse_wide_tarball(&targets, &images)?;
    let fetches = base_layers::fetches(request, &known)?;
    refuse_dynamic_on_static(&known, &images)?;
    Ok(Plan {
        jobs: known.jobs,
        images,
        fetches,
        keeps_base_layers: request.cache_base_layers || asked.config.cache_base_layers,
        targets,
        references_file: request.references_file.clone(),
        metadata_file: request.metadata_file.clone(),
    })
}

fn image(wanted: &Wanted<'_>, asked: Asked<'_>, known: &Known) -> Result<ImagePlan> {
    let candidate = wanted.candidate;
    let configured = wanted.build.and_then(|build| build.image.name.as_deref());
    let kodata = candidate.package.directory.join("kodata");
    let kodata = known.kodata.contains(&kodata).then_some(kodata);
    let base = &known.bases[&wanted.base_key()];
    let naming = &asked.request.naming;
    let settings = settings::settings(wanted, asked.request, kodata.is_some());
    Ok(ImagePlan {
        package: candidate.package.id.clone(),
        binary: candidate.binary.to_owned(),
        further: further::programs(wanted, &settings.path)?,
        name: naming::name(
            naming,
            configured.unwrap_or(candidate.binary),
            &candidate.within(),
        )?,
        tags: naming::tags(naming)?,
        tag_only: naming.tag_only,
        base: base.clone(),
        settings,
        asset_root: asked.directory().to_owned(),
        assets: wanted
            .build
            .map(|build| build.assets.clone())
            .unwrap_or_default(),
        kodata_root: candidate.workspace.root.clone(),
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

/// A program that needs a dynamic loader cannot start on a base that has none.
fn refuse_dynamic_on_static(known: &Known, images: &[ImagePlan]) -> Result<()> {
    for (link, wanted) in dynamic(&known.jobs) {
        let lacks = |image: &&ImagePlan| lacks_loader(&image.base.name, link, known);
        let image = images
            .iter()
            .filter(lacks)
            .find(|image| image.holds(wanted));
        if let Some(image) = image {
            return Err(without_glibc(&wanted.binary, &image.base.name).into());
        }
    }
    Ok(())
}

/// The refusal of a dynamic program on a base that cannot load it.
pub(crate) fn without_glibc(binary: &str, base: &Name) -> Fault {
    Fault::refused(format!(
        "`{binary}` is linked with glibc dynamically, which the base `{base}` does not have"
    ))
    .hint("choose a base with glibc, or drop `libc: gnu` from .builder.yaml")
}

/// Every dynamic link, with every binary that it makes.
fn dynamic(jobs: &[Job]) -> impl Iterator<Item = (&Link, &compile::Wanted)> {
    jobs.iter().flat_map(|job| {
        let links = job.links.iter().filter(|link| is_dynamic(link));
        links.flat_map(|link| job.wanted.iter().map(move |wanted| (link, wanted)))
    })
}

/// Whether what is linked so needs a dynamic loader.
pub(crate) fn is_dynamic(link: &Link) -> bool {
    let asks_static = |flag: &String| flag.contains("+crt-static");
    !link.is_static && !link.rustflags.iter().any(asks_static)
}

fn lacks_loader(base: &Name, link: &Link, known: &Known) -> bool {
    let is_known = || {
        known
            .without_loader
            .contains(&(base.clone(), link.platform.clone()))
    };
    matches!(base, Name::Static | Name::Scratch) || is_known()
}

#[cfg(test)]
mod tests;
