//! Layers of bases on their way to an output: fetched before it is written, and once more when one turns out to be damaged.
//!
//! They go to the store of what rbuild made, which every output asks first; the cache of bases keeps what it is told to keep: by
//! `rbuild cache warm`, by `--precache-images`, by `--cache-base-layers`.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::base::name::Name;
use crate::base::{self, Base};
use crate::build::Tools;
use crate::build::survey::Bases;
use crate::digest::{Descriptor, Digest};
use crate::media;
use crate::plan::Plan;
use crate::reference::Reference;
use crate::store::{self, Store};

/// Fetches what the plan says.
pub(crate) fn fetch(plan: &Plan, tools: &Tools<'_>) -> Result<()> {
    let to = match plan.keeps_base_layers {
        true => keeper(tools)?,
        false => tools.store,
    };
    for fetch in &plan.fetches {
        let Some(registry) = tools.registry else {
            return Ok(());
        };
        registry.fetch(&fetch.from, &fetch.layers, to)?;
    }
    if plan.keeps_base_layers && !plan.targets.is_empty() {
        keep(plan.images.iter().map(|image| &image.base), to, tools)?;
    }
    Ok(())
}

/// The cache of bases; where it cannot be written, the store of what rbuild made, and a note.
fn keeper<'a>(tools: &Tools<'a>) -> Result<&'a Store> {
    match tools.cache.writable() {
        Err(error) if error.is_unwritable() => {
            let place = tools.store.root().display();
            tools.notes.say(format!(
                "{error}: layers of bases are kept in {place} instead"
            ));
            Ok(tools.store)
        }
        done => Ok(done.map(|()| tools.cache)?),
    }
}

/// Copies to the cache of bases what an earlier build left elsewhere.
fn keep<'b>(bases: impl Iterator<Item = &'b Base>, to: &Store, tools: &Tools<'_>) -> Result<()> {
    for base in bases.filter(|base| matches!(base.name, Name::Reference(_))) {
        for layer in lacking(base)? {
            if tools.store.holds(&layer) {
                tools.store.copy(&layer, to)?;
            }
        }
    }
    Ok(to.sync()?)
}

/// Brings every base into the cache, layers too, before anything is decided that depends on them. Bases of no registry are as they are.
///
/// Errors: [`crate::fault::Kind::Offline`] names the layers that are not here and that nobody may be asked for.
pub(crate) fn precache(bases: &Bases, tools: &Tools<'_>) -> Result<()> {
    let to = keeper(tools)?;
    keep(bases.values(), to, tools)?;
    for base in bases.values() {
        let absent = match &base.name {
            Name::Reference(_) => lacking(base)?,
            _ => continue,
        };
        let absent: Vec<Descriptor> = absent.into_iter().filter(|one| !to.holds(one)).collect();
        match (tools.registry, base.repository()) {
            _ if absent.is_empty() => {}
            (Some(registry), Some(from)) => registry.fetch(from, &absent, to)?,
            _ => return Err(base::not_here(base, &absent).into()),
        }
    }
    Ok(to.sync()?)
}

/// The layers of a base that its own layout does not hold, each once.
fn lacking(base: &Base) -> Result<Vec<Descriptor>> {
    let mut absent = Vec::new();
    for image in &base.images {
        absent.extend(image.absent()?);
    }
    absent.retain(|layer| !media::is_foreign(&layer.media_type));
    absent.sort_by_key(|layer| layer.digest);
    absent.dedup_by_key(|layer| layer.digest);
    Ok(absent)
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
    let mut absent = lacking(base)?;
    absent.retain(|layer| !made.holds(layer));
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
