//! What lies in the layers of an image: libraries and links, read as a stream and never unpacked.
//!
//! Layers are hostile until proven otherwise: what they cost is bounded (`scan.rs`, `archive.rs`, `unpack.rs`), and no name in them is
//! ever a path on this machine. What was found is remembered by the digests of the layers, so that they are read once.

pub(crate) mod archive;
mod copy;
pub(crate) mod elf;
mod scan;
mod search;
mod tree;
mod unpack;

use std::io;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::digest::{Descriptor, Digest};
use crate::fault::Fault;
use crate::interrupt;
use crate::json;
use crate::store::{self, Store};

use elf::Facts;
use tree::{Nodes, What};

/// The kind of the record, and the version of what is kept in it and of how it is found.
const RECORD: &str = "contents";
const VERSION: u64 = 1;

/// A shared object in an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Library {
    /// `e_machine`.
    pub(crate) machine: u16,
    pub(crate) is_64: bool,
    /// Whether the rest is known. It is not for very large files and for those that cannot be understood.
    pub(crate) is_known: bool,
    /// `DT_NEEDED`
    pub(crate) needed: Vec<String>,
    /// Versions that it defines, such as `GLIBC_2.36`.
    pub(crate) versions: Vec<String>,
    /// Directories for what it needs; `$ORIGIN` not replaced.
    pub(crate) runpath: Vec<String>,
}

impl Library {
    fn fill(&mut self, facts: Option<Facts>) {
        let Some(facts) = facts else {
            return;
        };
        self.is_known = facts.is_known;
        self.needed = facts.needed;
        self.versions = facts.defined;
        self.runpath = facts.runpath;
    }
}

/// Libraries and links of an image.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Contents {
    layers: Vec<Descriptor>,
    nodes: Nodes,
}

/// Looks through `layers`, the lowest first; each comes from the first of `stores` that has it. `None`: one is not here, or is of a kind
/// that cannot be looked into. What `memory` remembers is not read again.
///
/// Errors: [`crate::fault::Kind::Integrity`] for a layer that is damaged, no sound archive, or larger than it may be.
pub(crate) fn read(
    layers: &[Descriptor],
    stores: &[&Store],
    memory: &Store,
) -> Result<Option<Contents>> {
    let layers: Vec<Descriptor> = layers.iter().map(Descriptor::bare).collect();
    let key = key(&layers);
    if let Some(nodes) = recall(memory, &key, layers.len()) {
        return Ok(Some(Contents { layers, nodes }));
    }
    let Some(nodes) = scan::scan(&layers, stores)? else {
        return Ok(None);
    };
    // A memory that cannot be written costs the next build some time and nothing else.
    let record = json!({"version": VERSION, "nodes": nodes});
    let _ = memory.remember(RECORD, &key, &record);
    Ok(Some(Contents { layers, nodes }))
}

fn key(layers: &[Descriptor]) -> Digest {
    let digests: Vec<String> = layers
        .iter()
        .map(|layer| layer.digest.to_string())
        .collect();
    let key = json!({"version": VERSION, "layers": digests});
    Digest::of(&json::canonical(&key))
}

fn recall(memory: &Store, key: &Digest, layers: usize) -> Option<Nodes> {
    let mut record = memory.record(RECORD, key)?;
    if record.get("version").and_then(Value::as_u64) != Some(VERSION) {
        return None;
    }
    let nodes: Nodes = serde_json::from_value(record.get_mut("nodes")?.take()).ok()?;
    nodes
        .values()
        .all(|node| node.layer < layers)
        .then_some(nodes)
}

impl Contents {
    /// The library at `path`, links followed inside the image.
    pub(crate) fn file(&self, path: &str) -> Option<&Library> {
        let real = tree::real(&self.nodes, path)?;
        match &self.nodes.get(&real)?.what {
            What::Library(library) => Some(library),
            _ => None,
        }
    }
}

/// What an error while reading `layer` means: `None` for something that never was a tar of files, such as an encrypted layer.
fn wrong<T>(action: &'static str, layer: &Descriptor, error: io::Error) -> Result<Option<T>> {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    let is_told = error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<store::Error>);
    let is_content = matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof);
    if is_told || !is_content || interrupt::signal().is_some() {
        return Err(store::Error::of_io(action, layer.digest.to_string().as_ref(), error).into());
    }
    if !is_tar(&layer.media_type) {
        return Ok(None);
    }
    let message = format!("the layer {} cannot be looked into", layer.digest);
    Err(Fault::integrity(message)
        .because(error.to_string())
        .because(format!("its type is `{}`", layer.media_type))
        .hint("choose another base image, or link statically with `libc: musl`, which needs nothing of the base")
        .into())
}

fn is_tar(media_type: &str) -> bool {
    media_type.contains("tar") && !media_type.contains("encrypted")
}

#[cfg(test)]
mod tests;
