//! An OCI layout as one uncompressed tar file, written: what `--oci-archive` and `cache export` hand over.
//!
//! The same content gives the same bytes: members in a fixed order, no times, no owners. `index.json` comes first, so that a reader
//! of the stream knows what it is offered. Every blob is hashed on its way.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use crate::digest::Descriptor;
use crate::json;
use crate::media;
use crate::store::Blob;

/// The `index.json` of a layout with these entries.
pub(crate) fn index(entries: &[Descriptor]) -> Value {
    let entries: Vec<Value> = entries.iter().map(Descriptor::to_value).collect();
    json!({"schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": entries})
}

/// Writes a layout: its index, then `blobs` in their order, each once, as `open` finds them.
pub(crate) fn write<'a>(
    writer: impl Write,
    index: &Value,
    blobs: impl IntoIterator<Item = &'a Descriptor>,
    open: impl Fn(&Descriptor) -> Result<Blob>,
) -> Result<()> {
    let mut archive = Builder::new(writer);
    let layout = br#"{"imageLayoutVersion":"1.0.0"}"#;
    append(&mut archive, "oci-layout", layout)?;
    append(&mut archive, "index.json", &json::canonical(index))?;
    append_directory(&mut archive, "blobs/")?;
    append_directory(&mut archive, "blobs/sha256/")?;
    let mut written = BTreeSet::new();
    for blob in blobs {
        if written.insert(blob.digest) {
            let name = format!("blobs/sha256/{}", blob.digest.hex());
            append_blob(&mut archive, (&name, blob), open(blob)?)?;
        }
    }
    archive.finish().context("cannot finish the archive")
}

/// Appends a small file.
pub(crate) fn append(archive: &mut Builder<impl Write>, name: &str, bytes: &[u8]) -> Result<()> {
    archive
        .append_data(&mut header(bytes.len() as u64), name, bytes)
        .with_context(|| format!("cannot append {name}"))
}

/// Appends a blob under `name`, hashed on its way; wrong bytes are an error before anybody could take the archive for whole.
pub(crate) fn append_blob(
    archive: &mut Builder<impl Write>,
    (name, blob): (&str, &Descriptor),
    mut reader: Blob,
) -> Result<()> {
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
