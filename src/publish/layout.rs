//! `--oci-layout-path`: a directory that is an OCI layout, added to.
//!
//! An entry of the same name is replaced; what others wrote there stays.

use std::path::Path;

use anyhow::{Context, Result};

use crate::media::CONTAINERD_NAME;
use crate::notes::Notes;
use crate::publish::{Finished, Shelves};
use crate::store::Store;

pub(crate) fn write(
    directory: &Path,
    images: &[Finished],
    shelves: &Shelves,
    notes: &Notes,
) -> Result<()> {
    add(directory, images, shelves, notes)
        .with_context(|| format!("cannot write the layout {}", directory.display()))
}

/// Refuses a directory that [`write()`] could not add to, as far as that can be seen without writing.
pub(crate) fn look(directory: &Path, notes: &Notes) -> Result<()> {
    Store::output(directory, notes)
        .and_then(|layout| layout.look_writable())
        .with_context(|| format!("cannot write the layout {}", directory.display()))
}

fn add(directory: &Path, images: &[Finished], shelves: &Shelves, notes: &Notes) -> Result<()> {
    let mut layout = Store::output(directory, notes)?;
    if let Some(store) = shelves.0.first() {
        layout = layout.with_patience_of(store);
    }
    layout.prepare()?;
    for image in images {
        image
            .blobs()
            .iter()
            .try_for_each(|blob| shelves.copy(blob, &layout))?;
        layout.sync()?;
        for name in image.full_names() {
            layout.bind(&name, &image.root.clone().annotated(CONTAINERD_NAME, &name))?;
        }
    }
    Ok(())
}
