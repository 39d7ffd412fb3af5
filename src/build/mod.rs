//! The line itself: survey, resolve, plan; then compile, layer, image, publish.
//!
//! The only room that calls stages. It decides nothing: what to do is the plan's word.

mod areas;
mod base_layers;
mod layers;
mod summary;
mod survey;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use crate::base::builtin;
use crate::base::{BaseImage, Source};
use crate::compile;
use crate::compile::{Binary, Job};
use crate::digest::Digest;
use crate::image;
use crate::image::{Image, IndexSettings, Told};
use crate::media;
use crate::media::Family;
use crate::notes::Notes;
use crate::plan::{ImagePlan, Plan};
use crate::publish;
use crate::publish::{Finished, Shelves};
use crate::registry::Registry;
use crate::store::Store;

pub(crate) use areas::is_path;
pub(crate) use summary::{Built, Laps};
pub(crate) use survey::plan;

/// `$KOCACHE/build` is kept below this many bytes, oldest first.
const BUILD_STORE_LIMIT: u64 = 10 << 30;

/// The doors and values that a build works with.
#[derive(Clone, Copy)]
pub(crate) struct Tools<'a> {
    /// `$KOCACHE/img`: bases.
    pub(crate) cache: &'a Store,
    /// `$KOCACHE/build`, or a temporary one: what rbuild makes.
    pub(crate) store: &'a Store,
    /// Absent when offline.
    pub(crate) registry: Option<&'a Registry>,
    pub(crate) notes: &'a Notes,
    pub(crate) environment: &'a BTreeMap<OsString, OsString>,
    pub(crate) now: SystemTime,
    /// Time since the start, for the summary alone.
    pub(crate) elapsed: &'a (dyn Fn() -> Duration + Sync),
}

/// What was built, in the plan's order, and how long each part of it took.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) images: Vec<Built>,
    pub(crate) laps: Laps,
}

/// Does what the plan says.
pub(crate) fn carry_out(plan: &Plan, tools: &Tools<'_>) -> Result<Done> {
    let mut laps = Laps::new((tools.elapsed)());
    let mut binaries = Vec::new();
    for job in &plan.jobs {
        binaries.extend(compiled(job, tools.notes)?);
    }
    laps.mark("compiled", (tools.elapsed)());
    let assembled = plan
        .images
        .iter()
        .map(|image| assemble(image, &binaries, tools));
    let images: Vec<Built> = assembled.collect::<Result<_>>()?;
    laps.mark("assembled", (tools.elapsed)());
    let finished: Vec<Finished> = images.iter().map(|built| built.finished.clone()).collect();
    publish_all(plan, &finished, tools)?;
    keep(&images, tools)?;
    laps.mark("written", (tools.elapsed)());
    Ok(Done { images, laps })
}

/// What cargo linked, each held against the platform that it is for.
fn compiled(job: &Job, notes: &Notes) -> Result<Vec<Binary>> {
    let binaries = compile::run(job, notes)?;
    for binary in &binaries {
        let link = job
            .links
            .iter()
            .find(|link| link.platform == binary.platform);
        compile::check(
            binary,
            link.context("cargo linked for a platform that nobody asked for")?,
        )?;
    }
    Ok(binaries)
}

/// All platforms of one image.
fn assemble(plan: &ImagePlan, binaries: &[Binary], tools: &Tools<'_>) -> Result<Built> {
    tell_of_annotations(plan, tools.notes);
    let shared = layers::shared(plan, tools.store)?;
    let mut images: Vec<Image> = Vec::new();
    let mut told = Vec::new();
    for base in &plan.base.images {
        let binary = layers::binary(plan, &base.platform, (binaries, tools.store))?;
        let layers: Vec<Told> = shared.iter().cloned().chain([binary]).collect();
        images.push(image::assemble(tools.store, base, &layers, &plan.settings)?);
        told.push(layers);
    }
    let settings = IndexSettings {
        annotations: Some(&plan.settings.annotations),
        base: plan.base.index,
        base_name: plan.base.published_name(),
    };
    let root = image::index(tools.store, &images, &settings)?;
    let (name, tags) = (plan.name.clone(), plan.tags.clone());
    let finished = Finished {
        name,
        tags,
        root,
        images,
    };
    Ok(Built {
        finished,
        layers: told,
    })
}

fn tell_of_annotations(plan: &ImagePlan, notes: &Notes) {
    let docker = |base: &BaseImage| base.family == Family::Docker;
    if plan.base.images.iter().any(docker) && !plan.settings.annotations.is_empty() {
        let name = &plan.name;
        notes.say(format!(
            "annotations of `{name}` are left out: Docker's manifests have none"
        ));
    }
}

fn publish_all(plan: &Plan, finished: &[Finished], tools: &Tools<'_>) -> Result<()> {
    if !plan.targets.is_empty() {
        make_builtin(plan, tools)?;
    }
    let shelves = shelves(plan, tools);
    base_layers::fetch(&plan.fetches, tools)?;
    for target in &plan.targets {
        let write = || publish::publish(target, finished, &shelves, tools.notes);
        base_layers::mending(write, plan, tools)?;
    }
    plan.references_file
        .iter()
        .try_for_each(|file| publish::write_references(file, finished))?;
    plan.metadata_file
        .iter()
        .try_for_each(|file| publish::write_metadata(file, finished))
}

/// The layers of `builtin:static` are made only when an output needs their bytes.
fn make_builtin(plan: &Plan, tools: &Tools<'_>) -> Result<()> {
    let mut bases = plan.images.iter().flat_map(|image| &image.base.images);
    if bases.any(|base| matches!(base.source, Source::Builtin) && !base.layers.is_empty()) {
        builtin::make(tools.store)?;
    }
    Ok(())
}

/// What rbuild made, then every layout that a base was read from.
fn shelves(plan: &Plan, tools: &Tools<'_>) -> Shelves {
    let mut stores = vec![tools.store.clone()];
    let mut seen = BTreeSet::new();
    for base in plan.images.iter().flat_map(|image| &image.base.images) {
        if let Some(store) = base.source.store()
            && seen.insert(store.root().to_owned())
        {
            stores.push(store.clone());
        }
    }
    Shelves(stores)
}

/// Names the images in the store of what rbuild made, and keeps that store below its bound.
fn keep(built: &[Built], tools: &Tools<'_>) -> Result<()> {
    let known = tools.store.entries()?;
    let mut changed = false;
    for finished in built.iter().map(|built| &built.finished) {
        for name in finished.full_names() {
            let same = known.iter().any(|entry| {
                entry.digest == finished.root.digest
                    && entry.annotation(media::REF_NAME) == Some(&name)
            });
            if !same {
                tools.store.sync()?;
                tools.store.bind(&name, &finished.root)?;
                changed = true;
            }
        }
    }
    if changed {
        let keep: BTreeSet<Digest> = built.iter().flat_map(Built::digests).collect();
        tools.store.trim(BUILD_STORE_LIMIT, &keep)?;
    }
    Ok(())
}
