//! What leaves a build on this machine: files for the user, names in the store of what rbuild made.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::base::Source;
use crate::base::builtin;
use crate::build::base_layers;
use crate::build::{Built, Tools};
use crate::digest::Digest;
use crate::media;
use crate::plan::Plan;
use crate::publish;
use crate::publish::{Finished, Shelves};

/// `$KOCACHE/build` is kept below this many bytes, oldest first.
const BUILD_STORE_LIMIT: u64 = 10 << 30;

/// Writes the files that were asked for and names the images in the store; gives the stores that hold them.
pub(super) fn write(plan: &Plan, images: &[Built], tools: &Tools<'_>) -> Result<Shelves> {
    if !plan.targets.is_empty() {
        make_builtin(plan, tools)?;
    }
    let shelves = shelves(plan, tools);
    let finished = finished(images);
    for target in &plan.targets {
        let write = || publish::write(target, &finished, &shelves, tools.notes);
        base_layers::mending(write, plan, tools)?;
    }
    keep(images, tools)?;
    Ok(shelves)
}

/// The files that tell about the images: last, so that nothing is told that is not there.
pub(super) fn tell(plan: &Plan, images: &[Built]) -> Result<()> {
    let finished = finished(images);
    let mut files = plan.references_file.iter();
    files.try_for_each(|file| publish::write_references(file, &finished))?;
    let mut files = plan.metadata_file.iter();
    files.try_for_each(|file| publish::write_metadata(file, &finished))
}

fn finished(images: &[Built]) -> Vec<Finished> {
    images.iter().map(|built| built.finished.clone()).collect()
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
            if same {
                tools.store.touch(&finished.root.digest); // in use, as its layers are
            } else {
                publish::remember_origins(tools.store, finished)?;
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
