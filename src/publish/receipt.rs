//! What is told about finished images: references on standard output and in `--image-refs`, digests in `--metadata-file`.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::digest::Digest;
use crate::json;
use crate::outfile;
use crate::publish::Finished;

/// One image's line for standard output, and what `--metadata-file` tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// `NAME@sha256:…`, or `NAME:TAG@sha256:…` when exactly one tag other than `latest` was asked for; `NAME:TAG` with `--tag-only`.
    pub(crate) reference: String,
}

impl Receipt {
    pub(crate) fn of(image: &Finished) -> Receipt {
        Receipt::new(
            (&image.name, &image.tags),
            image.root.digest,
            image.tag_only,
        )
    }

    /// For an image of this name and these tags.
    pub(crate) fn new((name, tags): (&str, &[String]), digest: Digest, tag_only: bool) -> Receipt {
        let tag = match tags {
            [tag] if tag != "latest" => format!(":{tag}"),
            _ => String::new(),
        };
        let digest = match tag_only {
            true => String::new(),
            false => format!("@{digest}"),
        };
        Receipt {
            reference: format!("{name}{tag}{digest}"),
        }
    }
}

/// `--image-refs`: a line for each image; an index is followed by its children.
pub(crate) fn write_references(path: &Path, images: &[Finished]) -> Result<()> {
    outfile::replace(path, |writer| {
        Ok(images
            .iter()
            .flat_map(lines)
            .try_for_each(|line| writeln!(writer, "{line}"))?)
    })
}

fn lines(image: &Finished) -> Vec<String> {
    let children = image
        .images
        .iter()
        .map(|child| child.manifest.digest)
        .filter(|digest| *digest != image.root.digest);
    let first = Receipt::of(image).reference;
    std::iter::once(first)
        .chain(children.map(|digest| format!("{}@{digest}", image.name)))
        .collect()
}

/// `--metadata-file`, in buildx' words; several images are keyed by `registry/repository`.
pub(crate) fn write_metadata(path: &Path, images: &[Finished]) -> Result<()> {
    let value = match images {
        [image] => metadata(image),
        _ => Value::Object(
            images
                .iter()
                .map(|image| (image.name.clone(), metadata(image)))
                .collect::<Map<_, _>>(),
        ),
    };
    outfile::replace(path, |writer| {
        writer.write_all(&json::canonical(&value))?;
        Ok(writer.write_all(b"\n")?)
    })
}

fn metadata(image: &Finished) -> Value {
    let mut value = json!({
        "containerimage.digest": image.root.digest.to_string(),
        "containerimage.descriptor": image.root.to_value(),
        "image.name": image.full_names().join(","),
    });
    if let [only] = image.images.as_slice() {
        value["containerimage.config.digest"] = Value::from(only.config.digest.to_string());
    }
    value
}
