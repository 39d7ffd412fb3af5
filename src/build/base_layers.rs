//! Layers of bases on their way to an output: fetched before it is written, and once more when one turns out to be damaged.
//!
//! They go to the store of what rbuild made, which every output asks first; the cache keeps what `rbuild cache warm` put there.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::build::Tools;
use crate::digest::{Descriptor, Digest};
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
