//! The layers of an image: assets, kodata, the binary; each taken from memory when nothing changed.

use std::path::Path;

use anyhow::{Context, Result, anyhow};

use crate::buildcache::memo;
use crate::compile::Binary;
use crate::image::Told;
use crate::layer;
use crate::layer::Entry;
use crate::layer::tree;
use crate::layer::tree::Style;
use crate::plan::{ImagePlan, KODATA};
use crate::platform::Platform;
use crate::store::Store;

/// The layers that all platforms share, in the order of the configuration, kodata last.
pub(crate) fn shared(plan: &ImagePlan, store: &Store) -> Result<Vec<Told>> {
    let mut layers = Vec::new();
    for asset in &plan.assets {
        let style = Style {
            mode: asset.mode,
            owner: asset.owner,
        };
        let entries = tree::entries(&plan.root, &asset.from, &asset.to, &style)?;
        layers.push(told(store, &entries, format!("assets at {}", asset.to))?);
    }
    if let Some(kodata) = &plan.kodata {
        let entries = tree::entries(&plan.root, kodata, KODATA, &Style::default())?;
        layers.push(told(
            store,
            &entries,
            format!("kodata contents, at {KODATA}"),
        )?);
    }
    Ok(layers)
}

/// The layer with the binary of one platform.
pub(crate) fn binary(
    plan: &ImagePlan,
    platform: &Platform,
    (binaries, store): (&[Binary], &Store),
) -> Result<Told> {
    let compiled = binaries.iter().find(|binary| {
        binary.package_id == plan.package
            && binary.name == plan.binary
            && binary.platform == *platform
    });
    let compiled =
        compiled.ok_or_else(|| anyhow!("cargo built no `{}` for {platform}", plan.binary))?;
    let entry = Entry::file(&plan.settings.path, &compiled.file)?.with_mode(0o755);
    told(
        store,
        &[entry],
        format!("the binary, at {}", plan.settings.path),
    )
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
    memo::remember(store, entries, &layer)?;
    Ok(layer)
}

/// Reads what the assets and kodata of a plan hold, so that a tree that cannot be taken is refused before anything is compiled.
pub(crate) fn look(plan: &ImagePlan) -> Result<()> {
    for asset in &plan.assets {
        tree::entries(
            &plan.root,
            &asset.from,
            &asset.to,
            &Style {
                mode: asset.mode,
                owner: asset.owner,
            },
        )?;
    }
    let kodata = plan.kodata.as_deref().map(Path::new);
    kodata.map_or(Ok(()), |kodata| {
        tree::entries(&plan.root, kodata, KODATA, &Style::default()).map(drop)
    })
}
