//! The line itself: survey, resolve, plan; then compile, layer, image, publish.
//!
//! The only room that calls stages. It decides nothing: what to do is the plan's word.

mod areas;
mod base_layers;
mod base_libraries;
mod doctor;
mod earlier;
mod fits;
mod groups;
mod layers;
mod machine;
mod outputs;
mod programs;
mod push;
mod refusals;
mod served;
mod summary;
mod survey;
mod targets;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::{Duration, SystemTime};

use anyhow::Result;

use crate::base::lock::Lock;
use crate::base::name::Name;
use crate::base::{Base, BaseImage};
use crate::image;
use crate::image::{Image, IndexSettings, Told};
use crate::media::Family;
use crate::notes::Notes;
use crate::plan::{ImagePlan, Plan};
use crate::publish::Finished;
use crate::reference::Reference;
use crate::registry::Registry;
use crate::store::Store;

pub(crate) use areas::is_path;
pub(crate) use doctor::{About, Diagnosis, Finding, Section, TARGET, diagnose};
pub(crate) use earlier::{Earlier, Words};
pub(crate) use push::push_earlier;
pub(crate) use summary::{Built, Laps, pushed, size};
pub(crate) use survey::plan;

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
    /// builder.lock, if there is one.
    pub(crate) lock: Option<&'a Lock>,
    /// Time since the start, for the summary alone.
    pub(crate) elapsed: &'a (dyn Fn() -> Duration + Sync),
}

/// What was built, in the plan's order, and how long each part of it took.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) images: Vec<Built>,
    pub(crate) laps: Laps,
    /// Why there is not more, when some images have been pushed already: what others can pull must be told.
    pub(crate) failed: Option<anyhow::Error>,
}

impl Done {
    /// A failure after something was pushed leaves what was pushed.
    fn with(mut self, result: Result<()>) -> Result<Done> {
        if let Err(error) = result {
            self.images.retain(|image| image.sent.is_some());
            self.failed = Some(error);
        }
        match (self.images.is_empty(), self.failed.take()) {
            (true, Some(error)) => Err(error),
            (_, failed) => Ok(Done { failed, ..self }),
        }
    }
}

/// Does what the plan says.
pub(crate) fn carry_out(plan: &Plan, tools: &Tools<'_>) -> Result<Done> {
    let mut laps = Laps::new((tools.elapsed)());
    // First: a registry that does not give them is told before minutes of compiling.
    base_layers::fetch(plan, tools)?;
    if !plan.fetches.is_empty() {
        laps.mark("fetched", (tools.elapsed)());
    }
    let mut programs = programs::make(plan, tools)?.into_iter();
    laps.mark("compiled", (tools.elapsed)());
    let assembled = plan.images.iter().map(|image| {
        let programs = programs.by_ref().take(image.base.images.len());
        assemble(image, programs.collect(), tools)
    });
    let mut images: Vec<Built> = assembled.collect::<Result<_>>()?;
    laps.mark("assembled", (tools.elapsed)());
    let shelves = outputs::write(plan, &images, tools)?;
    laps.mark("written", (tools.elapsed)());
    let pushed = push::push_all(plan, &mut images, (&shelves, tools.store));
    if plan.registry().is_some() {
        laps.mark("pushed", (tools.elapsed)());
    }
    let told = pushed.and_then(|()| outputs::tell(plan, &images));
    Done {
        images,
        laps,
        failed: None,
    }
    .with(told)
}

/// All platforms of one image, of which `programs` has a layer each.
fn assemble(plan: &ImagePlan, programs: Vec<Told>, tools: &Tools<'_>) -> Result<Built> {
    tell_of_annotations(plan, tools.notes);
    let shared = layers::shared(plan, tools.store)?;
    let mut images: Vec<Image> = Vec::new();
    let mut told = Vec::new();
    for (base, programs) in plan.base.images.iter().zip(programs) {
        let layers: Vec<Told> = shared.iter().cloned().chain([programs]).collect();
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
        tag_only: plan.tag_only,
        base: reference(&plan.base),
        root,
        images,
    };
    Ok(Built {
        finished,
        layers: told,
        sent: None,
    })
}

/// The registry that a base came from, or could come from; a build that is offline pushes later.
fn reference(base: &Base) -> Option<Reference> {
    match &base.name {
        Name::Reference(reference) => Some(reference.clone()),
        _ => None,
    }
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
