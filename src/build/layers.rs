//! The layers of an image: assets, kodata, the binaries; each taken from memory when nothing changed.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};

use crate::buildcache::memo;
use crate::compile::Binary;
use crate::config::Asset;
use crate::image::Told;
use crate::layer;
use crate::layer::Entry;
use crate::layer::tree;
use crate::layer::tree::Style;
use crate::plan::{ImagePlan, KODATA, Program};
use crate::platform::Platform;
use crate::store::Store;

/// The entries of one layer, with the sentence that the history tells of it.
type Tree = (Vec<Entry>, String);

/// The layers that all platforms share, in the order of the configuration, kodata last.
pub(crate) fn shared(plan: &ImagePlan, store: &Store) -> Result<Vec<Told>> {
    let trees = trees(plan)?.into_iter();
    trees
        .map(|(entries, comment)| told(store, &entries, comment))
        .collect()
}

/// Reads what assets and kodata hold, so that a tree that cannot be taken is refused before anything is compiled.
pub(crate) fn look(plan: &ImagePlan) -> Result<()> {
    trees(plan).map(drop)
}

/// Every path that these layers bring, with a `/` in front.
pub(crate) fn paths(plan: &ImagePlan) -> Result<BTreeSet<String>> {
    let entries = trees(plan)?.into_iter().flat_map(|(entries, _)| entries);
    Ok(entries.map(|entry| format!("/{}", entry.path)).collect())
}

fn trees(plan: &ImagePlan) -> Result<Vec<Tree>> {
    let asset = |asset: &Asset| -> Result<Tree> {
        let style = Style {
            mode: asset.mode,
            owner: asset.owner,
        };
        let entries = tree::entries(&plan.asset_root, &asset.from, &asset.to, &style)?;
        Ok((entries, format!("assets at {}", asset.to)))
    };
    let kodata = |kodata: &PathBuf| -> Result<Tree> {
        let entries = tree::entries(&plan.kodata_root, kodata, KODATA, &Style::default())?;
        Ok((entries, format!("kodata contents, at {KODATA}")))
    };
    plan.assets
        .iter()
        .map(asset)
        .chain(plan.kodata.iter().map(kodata))
        .collect()
}

/// The layer with the binaries of one platform.
pub(crate) fn binaries(
    plan: &ImagePlan,
    platform: &Platform,
    (binaries, store): (&[Binary], &Store),
) -> Result<Told> {
    let programs = plan.programs();
    let entry = |program: &Program| -> Result<Entry> {
        let compiled = compiled(program, platform, binaries)?;
        Ok(Entry::file(&program.path, &compiled.file)?.with_mode(0o755))
    };
    let entries: Vec<Entry> = programs.iter().map(entry).collect::<Result<_>>()?;
    let paths: Vec<&str> = programs
        .iter()
        .map(|program| program.path.as_str())
        .collect();
    let comment = match paths.as_slice() {
        [path] => format!("the binary, at {path}"),
        paths => format!("the binaries, at {}", paths.join(", ")),
    };
    told(store, &entries, comment)
}

/// Whether `binaries` holds every program of the image for `platform`.
pub(crate) fn has_all(plan: &ImagePlan, platform: &Platform, binaries: &[Binary]) -> bool {
    let mut programs = plan.programs().into_iter();
    programs.all(|program| compiled(&program, platform, binaries).is_ok())
}

fn compiled<'a>(
    program: &Program,
    platform: &Platform,
    binaries: &'a [Binary],
) -> Result<&'a Binary> {
    let found = binaries.iter().find(|binary| {
        binary.package_id == program.package
            && binary.name == program.binary
            && binary.platform == *platform
    });
    found.ok_or_else(|| anyhow!("cargo built no `{}` for {platform}", program.binary))
}

fn told(store: &Store, entries: &[Entry], comment: String) -> Result<Told> {
    let layer = match memo::recall(store, entries)? {
        Some(layer) => layer,
        None => written(store, entries)
            .with_context(|| format!("cannot make the layer with {comment}"))?,
    };
    Ok(Told { layer, comment })
}

fn written(store: &Store, entries: &[Entry]) -> Result<layer::Layer> {
    let layer = layer::write(store, entries)?;
    // A memory that cannot be written costs the next build some time and nothing else.
    let _ = memo::remember(store, entries, &layer);
    Ok(layer)
}
