//! Programs: compiled, held against their bases, and put into layers. A layer is made as soon as cargo has linked all that goes into
//! it, while cargo works on the rest.
//!
//! Layers of assets are none of these: a build script may write what lies in them, so they wait for cargo's end.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use anyhow::{Context, Result};

use crate::build::{Tools, fits, layers};
use crate::compile;
use crate::compile::{Binary, Job};
use crate::image::Told;
use crate::plan::{ImagePlan, Plan};
use crate::platform::Platform;
use crate::store::Store;

/// One layer that is to be made: an image, and one of its platforms.
type Place<'a> = (&'a ImagePlan, &'a Platform);

/// The layer with the programs of each image on each platform, in the plan's order.
///
/// What cargo says comes before what is wrong with a layer.
pub(super) fn make(plan: &Plan, tools: &Tools<'_>) -> Result<Vec<Told>> {
    let places: Vec<Place<'_>> = plan.images.iter().flat_map(places).collect();
    let store = tools.store;
    thread::scope(|scope| {
        let (sender, linked) = mpsc::channel();
        let layers = scope.spawn(|| layer_all(&places, linked, store));
        let mut jobs = plan.jobs.iter();
        let compiled = jobs.try_for_each(|job| compile_one(job, plan, (tools, &sender)));
        drop(sender);
        let layers = layers.join().expect("making layers does not panic");
        compiled.and(layers)
    })
}

fn places(image: &ImagePlan) -> impl Iterator<Item = Place<'_>> {
    let bases = image.base.images.iter();
    bases.map(move |base| (image, &base.platform))
}

/// What cargo linked, each held against the platform that it is for, and against the bases that it goes on.
fn compile_one(
    job: &Job,
    plan: &Plan,
    (tools, linked): (&Tools<'_>, &Sender<Binary>),
) -> Result<()> {
    // Who makes layers may have failed, and says why when cargo is done.
    let tell = |binary: &Binary| drop(linked.send(binary.clone()));
    let binaries = compile::run(job, tools.notes, tell)?;
    for binary in &binaries {
        let link = job
            .links
            .iter()
            .find(|link| link.platform == binary.platform);
        let link = link.context("cargo linked for a platform that nobody asked for")?;
        let facts = compile::check(binary, link)?;
        fits::look(plan, (binary, link), &facts, tools)?;
    }
    Ok(())
}

/// A layer for each of `places`, begun when the last binary for it has come.
fn layer_all(places: &[Place<'_>], linked: Receiver<Binary>, store: &Store) -> Result<Vec<Told>> {
    let mut layers: Vec<Option<Told>> = vec![None; places.len()];
    let mut here = Vec::new();
    for binary in linked {
        here.push(binary);
        for (layer, place) in layers.iter_mut().zip(places) {
            if layer.is_none() && is_ready(place, &here) {
                *layer = Some(layers::binaries(place.0, place.1, (&here, store))?);
            }
        }
    }
    let layers = layers.into_iter().collect::<Option<_>>();
    layers.context("cargo did not link all that was asked of it")
}

/// Whether the newest of `here` was the last that the layer waited for.
fn is_ready((image, platform): &Place<'_>, here: &[Binary]) -> bool {
    let newest = here.last();
    newest.is_some_and(|binary| binary.platform == **platform)
        && layers::has_all(image, platform, here)
}
