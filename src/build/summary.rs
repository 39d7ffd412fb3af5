//! What a finished image is, for the summary on standard error.

use crate::digest::Digest;
use crate::image::Told;
use crate::publish::Finished;

/// A finished image with the layers of each platform.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    pub(crate) finished: Finished,
    /// Of this build, for each platform in turn.
    pub(crate) layers: Vec<Vec<Told>>,
}

impl Built {
    /// Every blob that the image refers to.
    pub(crate) fn digests(&self) -> Vec<Digest> {
        let content = |image: &crate::image::Image| {
            let layers = image
                .layers
                .iter()
                .chain(&image.base_layers)
                .map(|layer| layer.digest);
            layers
                .chain([image.config.digest, image.manifest.digest])
                .collect::<Vec<_>>()
        };
        let images = self.finished.images.iter().flat_map(content);
        images.chain([self.finished.root.digest]).collect()
    }

    /// A few lines: name, digest, and for each platform the layers with their sizes.
    pub(crate) fn summary(&self) -> String {
        let mut lines = vec![format!(
            "image {} {}",
            self.finished.full_names().join(" "),
            self.finished.root.digest
        )];
        for (image, layers) in self.finished.images.iter().zip(&self.layers) {
            let base: u64 = image.base_layers.iter().map(|layer| layer.size).sum();
            lines.push(format!(
                "{}: base {} in {} layers",
                image.platform,
                size(base),
                image.base_layers.len()
            ));
            lines.extend(layers.iter().map(line));
        }
        lines.join("\n")
    }
}

fn line(told: &Told) -> String {
    let state = if told.layer.reused { "reused" } else { "new" };
    format!("  {} {state}: {}", size(told.layer.blob.size), told.comment)
}

/// Bytes in the unit that a person would use.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{}.{} kB", bytes / 1_000, bytes % 1_000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}
