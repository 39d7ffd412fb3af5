//! `--tarball`: the format of `docker save`, which `docker load` and `podman load` read; one platform for each image.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tar::Builder;

use crate::bundle::{append, append_blob};
use crate::digest::Descriptor;
use crate::image::Image;
use crate::json;
use crate::outfile;
use crate::publish::{Finished, Shelves};

pub(crate) fn write(path: &Path, images: &[Finished], shelves: &Shelves) -> Result<()> {
    let entries: Vec<Value> = images.iter().map(entry).collect::<Result<_>>()?;
    outfile::replace(path, |writer| {
        let mut archive = Builder::new(writer);
        let mut written = BTreeSet::new();
        for (name, blob) in images.iter().flat_map(files) {
            if written.insert(name.clone()) {
                append_blob(&mut archive, (&name, &blob), shelves.blob(&blob)?)?;
            }
        }
        append(
            &mut archive,
            "manifest.json",
            &json::canonical(&Value::from(entries)),
        )?;
        archive.finish().context("cannot finish the tarball")
    })
}

fn entry(image: &Finished) -> Result<Value> {
    let [only] = image.images.as_slice() else {
        bail!(
            "a tarball holds one platform, `{}` has {}",
            image.name,
            image.images.len()
        );
    };
    let layers: Vec<String> = layers(only).map(layer_name).collect();
    Ok(json!({"Config": config_name(only), "RepoTags": image.full_names(), "Layers": layers}))
}

fn files(image: &Finished) -> Vec<(String, Descriptor)> {
    let content = |image: &Image| {
        let layers = layers(image).map(|layer| (layer_name(layer), layer.clone()));
        layers
            .chain([(config_name(image), image.config.clone())])
            .collect::<Vec<_>>()
    };
    image.images.iter().flat_map(content).collect()
}

fn layers(image: &Image) -> impl Iterator<Item = &Descriptor> {
    image.base_layers.iter().chain(&image.layers)
}

fn layer_name(layer: &Descriptor) -> String {
    format!("{}.tar.gz", layer.digest.hex())
}

fn config_name(image: &Image) -> String {
    format!("{}.json", image.config.digest.hex())
}
