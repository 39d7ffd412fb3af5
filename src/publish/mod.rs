//! From stores to where the user wants the image: a registry, a layout directory, an archive, a tarball, files that tell about it.
//!
//! Every file is written beside its target and renamed; a layout is a store and follows its rules. Nothing is compressed or
//! re-serialised here: bytes are copied, and hashed while they are.

mod archive;
mod layout;
mod origins;
mod pushed;
mod receipt;
mod registry;
mod stored;
mod tarball;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::digest::Descriptor;
use crate::fault::{Fault, Kind};
use crate::image::Image;
use crate::notes::Notes;
use crate::outfile;
use crate::reference::Reference;
use crate::registry::Registry;
use crate::store::Blob;
use crate::store::Store;

pub(crate) use origins::remember_origins;
pub(crate) use pushed::{pushed_before, remember_push};
pub(crate) use receipt::{Receipt, write_metadata, write_references};
pub(crate) use registry::{Contents, Destination, parcel};
pub(crate) use stored::{Bounds, contents};

/// Where an image goes.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// An OCI layout directory, added to.
    Layout(PathBuf),
    /// One tar file that holds an OCI layout; any number of platforms.
    Archive(PathBuf),
    /// `docker load`'s format; one platform.
    Tarball(PathBuf),
    /// The registry that each image's name begins with.
    Registry(Registry),
}

/// A finished image: its names, its root and its platforms.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    /// `registry/repository`.
    pub(crate) name: String,
    pub(crate) tags: Vec<String>,
    /// Its reference is `name:tag`, without a digest.
    pub(crate) tag_only: bool,
    /// Where the base's layers can be had, if it came from a registry.
    pub(crate) base: Option<Reference>,
    /// The index, or the manifest of the only platform.
    pub(crate) root: Descriptor,
    pub(crate) images: Vec<Image>,
}

impl Finished {
    /// `registry/repository:tag`, one for each tag.
    pub(crate) fn full_names(&self) -> Vec<String> {
        self.tags
            .iter()
            .map(|tag| format!("{}:{tag}", self.name))
            .collect()
    }

    /// Layers and configs of all platforms, then manifests, then the index: the order in which blobs may appear.
    fn blobs(&self) -> Vec<Descriptor> {
        let content = |image: &Image| {
            let layers = image
                .base_layers
                .iter()
                .chain(&image.layers)
                .map(Descriptor::bare);
            layers.chain([image.config.bare()]).collect::<Vec<_>>()
        };
        let mut all: Vec<Descriptor> = self.images.iter().flat_map(content).collect();
        all.extend(self.images.iter().map(|image| image.manifest.bare()));
        all.push(self.root.bare());
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|blob| seen.insert(blob.digest));
        all
    }
}

/// The stores that together hold every blob, in the order in which they are asked.
#[derive(Clone, Debug)]
pub(crate) struct Shelves(pub(crate) Vec<Store>);

impl Shelves {
    /// Opens a blob for reading; the reader fails at its end if the bytes are wrong.
    fn blob(&self, blob: &Descriptor) -> Result<Blob> {
        for store in &self.0 {
            if let Some(found) = store.blob(blob)? {
                return Ok(found);
            }
        }
        Err(self.gone(blob).into())
    }

    fn copy(&self, blob: &Descriptor, into: &Store) -> Result<()> {
        for store in &self.0 {
            if store.copy(blob, into)? {
                return Ok(());
            }
        }
        Err(self.gone(blob).into())
    }

    fn gone(&self, blob: &Descriptor) -> Fault {
        Fault::new(
            Kind::Offline,
            format!("the blob {} ({} bytes) is missing", blob.digest, blob.size),
        )
        .because(format!("it was looked for in {}", self.places()))
    }

    /// Whether one of them has it, as far as its size tells.
    pub(crate) fn hold(&self, blob: &Descriptor) -> bool {
        self.0.iter().any(|store| store.holds(blob))
    }

    /// The directories, for an error.
    fn places(&self) -> String {
        let places = self
            .0
            .iter()
            .map(|store| store.root().display().to_string());
        places.collect::<Vec<_>>().join(", ")
    }
}

/// Refuses a target that could not be written, as far as that can be seen without writing: before anything is compiled for it.
pub(crate) fn look(target: &Target, notes: &Notes) -> Result<()> {
    match target {
        Target::Layout(directory) => layout::look(directory, notes),
        Target::Archive(file) | Target::Tarball(file) => outfile::look(file),
        Target::Registry(_) => Ok(()),
    }
}

/// The same for a file that tells about images.
pub(crate) fn look_at_file(path: &Path) -> Result<()> {
    outfile::look(path)
}

/// Writes all `images` to `target`; a registry is told one image after the other, by [`parcel`].
pub(crate) fn write(
    target: &Target,
    images: &[Finished],
    shelves: &Shelves,
    notes: &Notes,
) -> Result<()> {
    match target {
        Target::Layout(directory) => layout::write(directory, images, shelves, notes),
        Target::Archive(file) => archive::write(file, images, shelves),
        Target::Tarball(file) => tarball::write(file, images, shelves),
        Target::Registry(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_registry;
