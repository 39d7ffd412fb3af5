//! `--oci-archive`: an OCI layout as one uncompressed tar file, for any number of platforms.
//!
//! The same images give the same bytes. How a layout lies in a tar, `bundle` knows.

use std::path::Path;

use anyhow::Result;

use crate::bundle;
use crate::digest::Descriptor;
use crate::media::{CONTAINERD_NAME, REF_NAME};
use crate::outfile;
use crate::publish::{Finished, Shelves};

pub(crate) fn write(path: &Path, images: &[Finished], shelves: &Shelves) -> Result<()> {
    let blobs: Vec<Descriptor> = images.iter().flat_map(Finished::blobs).collect();
    let index = bundle::index(&entries(images));
    outfile::replace(path, |writer| {
        bundle::write(writer, &index, &blobs, |blob| shelves.blob(blob))
    })
}

/// One entry for each name, so that every tag can be found.
fn entries(images: &[Finished]) -> Vec<Descriptor> {
    let entry = |image: &Finished, name: &String| {
        let root = image.root.clone().annotated(REF_NAME, name);
        root.annotated(CONTAINERD_NAME, name)
    };
    let entries = images.iter().flat_map(|image| {
        let names = image.full_names().into_iter();
        names.map(move |name| entry(image, &name))
    });
    entries.collect()
}
