//! Layers of bases on their way to an output: fetched before it is written, and once more when one turns out to be damaged.
//!
//! They go to the store of what rbuild made, which every output asks first; the cache keeps what `rbuild cache warm` put there.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::base::{self, Base};
use crate::build::Tools;
use crate::digest::{Descriptor, Digest};
use crate::media;
use crate::plan::{Fetch, Plan};
use crate::reference::Reference;
use crate::store::{self, Store};

/// Fetches what the plan says.
pub(crate) fn fetch(fetches: &[Fetch], tools: &Tools<'_>) -> Result<()> {
    let Some(registry) = tools.registry else {
        return Ok(());
    };
    for fetch in fetches {
        registry.fetch(&fetch.from, &fetch.layers, tools.store)?;
    }
    Ok(())
}

/// Refuses a push of a base whose layers are neither here, nor where it came from, nor where it goes.
pub(crate) fn look(plan: &Plan, tools: &Tools<'_>) -> Result<()> {
    let Some(registry) = plan.registry() else {
        return Ok(());
    };
    let mut there = BTreeSet::new(); // an image can be given what one before it has
    for image in &plan.images {
        let wanted = sourceless(&image.base, tools.store)?;
        let wanted: Vec<Descriptor> = wanted
            .into_iter()
            .filter(|layer| !there.contains(&layer.digest))
            .collect();
        let lacking = registry.lacks(&image.name.parse()?, &wanted)?;
        if !lacking.is_empty() {
            let fault = base::not_here(&image.base, &lacking);
            return Err(fault
                .because(format!("`{}` does not have them either", image.name))
                .into());
        }
        there.extend(wanted.iter().map(|layer| layer.digest));
    }
    Ok(())
}

/// The layers of a base that no registry may be asked for, each once, if they are not here.
fn sourceless(base: &Base, made: &Store) -> Result<Vec<Descriptor>> {
    if base.repository().is_some() {
        return Ok(Vec::new());
    }
    let mut absent = Vec::new();
    for image in &base.images {
        absent.extend(image.absent()?);
    }
    absent.retain(|layer| !media::is_foreign(&layer.media_type) && !made.holds(layer));
    absent.sort_by_key(|layer| layer.digest);
    absent.dedup_by_key(|layer| layer.digest);
    Ok(absent)
}

/// Runs `write`, and again for as long as it meets a layer that is damaged or gone and has not been fetched again yet.
pub(crate) fn mending(
    write: impl Fn() -> Result<()>,
    plan: &Plan,
    tools: &Tools<'_>,
) -> Result<()> {
    let mut mended = BTreeSet::new();
    loop {
        let Err(error) = write() else {
            return Ok(());
        };
        let lost = match store::damaged(&error) {
            Some(digest) => fetchable(digest, plan).map(|found| (found, "damaged here")),
            None => gone(plan, tools.store).map(|found| (found, "gone from here")),
        };
        let lost = lost.filter(|((_, layer), _)| mended.insert(layer.digest));
        let (Some(((from, layer), how)), Some(registry)) = (lost, tools.registry) else {
            return Err(error);
        };
        tools.notes.say(format!(
            "the base layer {} is {how} and is fetched again from `{}`",
            layer.digest,
            from.name()
        ));
        registry.fetch(from, &[layer], tools.store)?;
    }
}

/// A layer that was here when the plan was made, or was fetched since, and that something took away meanwhile.
fn gone<'a>(plan: &'a Plan, made: &Store) -> Option<(&'a Reference, Descriptor)> {
    plan.images.iter().find_map(|image| {
        let from = image.base.repository()?;
        let absent = image.base.images.iter();
        let mut absent = absent.flat_map(|one| one.absent().unwrap_or_default());
        Some((from, absent.find(|layer| !made.holds(layer))?))
    })
}

/// The layer of a base with that digest, and where it can be had.
fn fetchable(digest: Digest, plan: &Plan) -> Option<(&Reference, Descriptor)> {
    plan.images.iter().find_map(|image| {
        let mut layers = image.base.images.iter().flat_map(|one| &one.layers);
        let layer = layers.find(|layer| layer.digest == digest)?;
        Some((image.base.repository()?, layer.bare()))
    })
}
