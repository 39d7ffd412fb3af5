//! `--oci-archive`: an OCI layout as one uncompressed tar file, for any number of platforms.
//!
//! The same images give the same bytes: entries in a fixed order, no times, no owners.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use crate::digest::Descriptor;
use crate::json;
use crate::media;
use crate::media::{CONTAINERD_NAME, REF_NAME};
use crate::publish::file;
use crate::publish::{Finished, Shelves};

pub(crate) fn write(path: &Path, images: &[Finished], shelves: &Shelves) -> Result<()> {
    file::replace(path, |writer| {
        let mut archive = Builder::new(writer);
        append(
            &mut archive,
            "oci-layout",
            br#"{"imageLayoutVersion":"1.0.0"}"#,
        )?;
        append(&mut archive, "index.json", &json::canonical(&index(images)))?;
        append_directory(&mut archive, "blobs/")?;
        append_directory(&mut archive, "blobs/sha256/")?;
        let mut written = BTreeSet::new();
        for blob in images.iter().flat_map(Finished::blobs) {
            if written.insert(blob.digest) {
                append_blob(
                    &mut archive,
                    (&format!("blobs/sha256/{}", blob.digest.hex()), &blob),
                    shelves,
                )?;
            }
        }
        archive.finish().context("cannot finish the archive")
    })
}

/// One entry for each name, so that every tag can be found.
fn index(images: &[Finished]) -> Value {
    let entry = |image: &Finished, name: &String| {
        image
            .root
            .clone()
            .annotated(REF_NAME, name)
            .annotated(CONTAINERD_NAME, name)
            .to_value()
    };
    let entries: Vec<Value> = images
        .iter()
        .flat_map(|image| {
            image
                .full_names()
                .into_iter()
                .map(move |name| entry(image, &name))
        })
        .collect();
    json!({"schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": entries})
}

/// Appends a small file.
pub(crate) fn append(archive: &mut Builder<impl Write>, name: &str, bytes: &[u8]) -> Result<()> {
    archive
        .append_data(&mut header(bytes.len() as u64), name, bytes)
        .with_context(|| format!("cannot append {name}"))
}

/// Appends a blob under `name`, hashed on its way; wrong bytes are an error before the archive is renamed into place.
pub(crate) fn append_blob(
    archive: &mut Builder<impl Write>,
    (name, blob): (&str, &Descriptor),
    shelves: &Shelves,
) -> Result<()> {
    let mut reader = shelves.blob(blob)?;
    archive
        .append_data(&mut header(blob.size), name, &mut reader)
        .with_context(|| format!("cannot append {name}"))?;
    // The archive stops at the announced size; one more read lets the reader compare the digest.
    let rest = reader
        .read(&mut [0; 1])
        .with_context(|| format!("cannot append {name}"))?;
    anyhow::ensure!(rest == 0, "{name} is longer than its {} bytes", blob.size);
    Ok(())
}

fn append_directory(archive: &mut Builder<impl Write>, name: &str) -> Result<()> {
    let mut header = header(0);
    header.set_entry_type(EntryType::Directory);
    header.set_mode(0o755);
    archive
        .append_data(&mut header, name, std::io::empty())
        .with_context(|| format!("cannot append {name}"))
}

fn header(size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(EntryType::Regular);
    header
}
