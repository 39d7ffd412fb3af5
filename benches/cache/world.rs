//! The caches that are looked at: many small images, and many large blobs.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// In bytes; real layers are of every size, from one that is a directory to one that is a system.
const SIZES: [u64; 6] = [2_000, 40_000, 500_000, 3_000_000, 12_000_000, 60_000_000];

/// A cache of so many names, each with an image of its own of two layers, of which the list shows metadata.
pub(crate) fn entries(cache: &Path, count: usize) {
    let entry = |number: usize| {
        let config = json!({"os": "linux", "architecture": "amd64", "number": number, "rootfs": {"type": "layers", "diff_ids": ["a", "b"]}});
        let mut config = put(cache, config.to_string().as_bytes());
        config["mediaType"] = json!("application/vnd.oci.image.config.v1+json");
        let layer = json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": name(&number.to_le_bytes()), "size": 8});
        let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": [layer, layer]});
        let mut entry = put(cache, manifest.to_string().as_bytes());
        entry["mediaType"] = manifest["mediaType"].clone();
        entry["annotations"] = json!({"org.opencontainers.image.ref.name": format!("registry.example/team/program-{number}:v1")});
        entry
    };
    let entries: Vec<Value> = (0..count).map(entry).collect();
    finish(cache, &entries);
}

/// A cache of blobs that have so many bytes together, in no image.
pub(crate) fn blobs(cache: &Path, size: u64) {
    let mut left = size;
    for (number, next) in (0_u64..).zip(SIZES.iter().cycle()) {
        let length = left.min(*next);
        let mut bytes = vec![0; usize::try_from(length).expect("fits")];
        bytes.chunks_mut(4_096).for_each(|page| page[0] = 1);
        let end = bytes.len().min(8);
        bytes[..end].copy_from_slice(&number.to_le_bytes()[..end]);
        put(cache, &bytes);
        left -= length;
        if left == 0 {
            break;
        }
    }
    finish(cache, &[]);
}

fn finish(cache: &Path, entries: &[Value]) {
    let index = json!({"schemaVersion": 2, "manifests": entries});
    fs::write(
        cache.join("img/oci-layout"),
        br#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .expect("written");
    fs::write(cache.join("img/index.json"), index.to_string()).expect("written");
}

fn put(cache: &Path, bytes: &[u8]) -> Value {
    let digest = name(bytes);
    let directory = cache.join("img/blobs/sha256");
    fs::create_dir_all(&directory).expect("made");
    fs::write(directory.join(&digest[7..]), bytes).expect("written");
    json!({"digest": digest, "size": bytes.len()})
}

fn name(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}
