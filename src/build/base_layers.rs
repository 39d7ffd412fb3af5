//! Layers of bases on their way to an output: fetched before it is written, and once more when one turns out to be damaged.
//!
//! They go to the store of what rbuild made, which every output asks first; the cache keeps what `rbuild cache warm` put there.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::build::Tools;
use crate::digest::{Descriptor, Digest};
use crate::plan::{Fetch, Plan};
use crate::reference::Reference;
use crate::store;

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

/// Runs `write`, and again for as long as it meets a damaged layer that has not been fetched again yet.
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
        let damaged = store::damaged(&error).filter(|digest| mended.insert(*digest));
        let layer = damaged.and_then(|digest| fetchable(digest, plan));
        let (Some((from, layer)), Some(registry)) = (layer, tools.registry) else {
            return Err(error);
        };
        tools.notes.say(format!(
            "the base layer {} is damaged here and is fetched again from `{}`",
            layer.digest,
            from.name()
        ));
        registry.fetch(from, &[layer], tools.store)?;
    }
}

/// The layer of a base with that digest, and where it can be had.
fn fetchable(digest: Digest, plan: &Plan) -> Option<(&Reference, Descriptor)> {
    plan.images.iter().find_map(|image| {
        let mut layers = image.base.images.iter().flat_map(|one| &one.layers);
        let layer = layers.find(|layer| layer.digest == digest)?;
        Some((image.base.repository()?, layer.bare()))
    })
}
