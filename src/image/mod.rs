//! From a base, layers and settings to an image; from images to an index.
//!
//! The base's config is edited as JSON, so that what no struct knows survives; its manifest is never changed, a new one is written.
//! Bytes go into the store; what comes back are descriptors. The order of everything is fixed: same input, same digest.

mod config;

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::base::BaseImage;
use crate::digest::{Descriptor, Digest};
use crate::fault::{Fault, Kind};
use crate::json;
use crate::layer::Layer;
use crate::media::Family;
use crate::platform::Platform;
use crate::store::Store;

/// Registries take manifests up to this size, in bytes.
const LARGEST_MANIFEST: usize = 4 << 20;

/// What the image says about how to run it; empty fields leave the base's values alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Where the binary lies in the image: the entrypoint.
    pub(crate) path: String,
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) user: Option<String>,
    pub(crate) working_dir: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) ports: Vec<String>,
    pub(crate) volumes: Vec<String>,
    pub(crate) stop_signal: Option<String>,
    /// Seconds since the epoch, for `created` and the history.
    pub(crate) created: u64,
}

/// A layer with the sentence that the history tells of it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) layer: Layer,
    pub(crate) comment: String,
}

/// One platform's image; its manifest and config rest in the store.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) platform: Platform,
    pub(crate) manifest: Descriptor,
    pub(crate) config: Descriptor,
    /// The base's layers, as the base lists them.
    pub(crate) base_layers: Vec<Descriptor>,
    /// The layers of this build, in the base's family.
    pub(crate) layers: Vec<Descriptor>,
    pub(crate) family: Family,
}

/// Puts `layers` on `base`.
pub(crate) fn assemble(
    store: &Store,
    base: &BaseImage,
    layers: &[Told],
    settings: &Settings,
) -> Result<Image> {
    let config = config::edited(base, layers, settings);
    let config_blob = store.put(base.family.config(), &json::canonical(&config))?;
    let own: Vec<Descriptor> = layers
        .iter()
        .map(|told| in_family(&told.layer.blob, base.family))
        .collect();
    let listed: Vec<Value> = base
        .layers
        .iter()
        .chain(&own)
        .map(Descriptor::to_value)
        .collect();
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": base.family.manifest(),
        "config": config_blob.to_value(),
        "layers": listed,
    });
    annotate(&mut manifest, annotations(base, settings));
    Ok(Image {
        platform: base.platform.clone(),
        manifest: put_manifest(store, base.family.manifest(), &manifest)?,
        config: config_blob,
        base_layers: base.layers.clone(),
        layers: own,
        family: base.family,
    })
}

fn in_family(blob: &Descriptor, family: Family) -> Descriptor {
    Descriptor::new(family.layer(), blob.digest, blob.size)
}

/// Docker's manifests have no annotations. The base's own come first, then where it came from, then the user's.
fn annotations(base: &BaseImage, settings: &Settings) -> Map<String, Value> {
    if base.family == Family::Docker {
        return Map::new();
    }
    let mut annotations = base.annotations.clone();
    annotations.extend(origin(base.digest, base.name.as_deref()));
    annotations.extend(
        settings
            .annotations
            .iter()
            .map(|(key, value)| (key.clone(), Value::from(value.as_str()))),
    );
    annotations
}

/// `org.opencontainers.image.base.*`: a digest that exists, and a name that can be pulled, or neither.
fn origin(digest: Option<Digest>, named: Option<&str>) -> Map<String, Value> {
    let digest = digest.map(|digest| {
        (
            "org.opencontainers.image.base.digest".to_owned(),
            Value::from(digest.to_string()),
        )
    });
    let name = named.map(|name| {
        (
            "org.opencontainers.image.base.name".to_owned(),
            Value::from(name),
        )
    });
    digest.into_iter().chain(name).collect()
}

fn annotate(document: &mut Value, annotations: Map<String, Value>) {
    if !annotations.is_empty() {
        document["annotations"] = Value::Object(annotations);
    }
}

fn put_manifest(store: &Store, media_type: &str, manifest: &Value) -> Result<Descriptor> {
    let bytes = json::canonical(manifest);
    if bytes.len() > LARGEST_MANIFEST {
        let message = format!(
            "the manifest has {} bytes; registries take at most {LARGEST_MANIFEST}",
            bytes.len()
        );
        return Err(Fault::new(Kind::Disk, message)
            .hint("use fewer or shorter annotations")
            .into());
    }
    Ok(store.put(media_type, &bytes)?)
}

/// What the index of several images says besides its images.
#[derive(Clone, Debug, Default)]
pub(crate) struct IndexSettings<'a> {
    pub(crate) annotations: Option<&'a BTreeMap<String, String>>,
    /// The base's index, if the base was one.
    pub(crate) base: Option<Digest>,
    pub(crate) base_name: Option<String>,
}

/// One image is itself; several become an index, in the order given.
pub(crate) fn index(
    store: &Store,
    images: &[Image],
    settings: &IndexSettings<'_>,
) -> Result<Descriptor> {
    if let [image] = images {
        return Ok(image.manifest.clone());
    }
    let docker = images.iter().all(|image| image.family == Family::Docker);
    let family = if docker { Family::Docker } else { Family::Oci };
    let entry = |image: &Image| {
        image
            .manifest
            .clone()
            .with("platform", image.platform.to_value())
            .to_value()
    };
    let entries: Vec<Value> = images.iter().map(entry).collect();
    let mut index = json!({"schemaVersion": 2, "mediaType": family.index(), "manifests": entries});
    if !docker {
        let mut annotations = origin(
            settings.base,
            settings
                .base_name
                .as_deref()
                .filter(|_| settings.base.is_some()),
        );
        let user = settings.annotations.into_iter().flatten();
        annotations.extend(user.map(|(key, value)| (key.clone(), Value::from(value.as_str()))));
        annotate(&mut index, annotations);
    }
    put_manifest(store, family.index(), &index)
}

#[cfg(test)]
mod tests;
