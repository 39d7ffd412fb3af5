//! V07: damaged and dishonest bases are refused, or listed here as what we let pass and why.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::feed::{blob, gzip, layer, put, put_document};
use crate::support::{Run, TestEnv, architecture, run};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What only somebody who unpacks a layer can see. We keep the layers of a base as they are, hashed and never inflated, and so pass
/// these on; `peers_valid.rs` holds that the peers' judges see them.
pub(crate) const UNSEEN: [&str; 3] = ["diffid", "mediatype", "trailing"];

/// Writes a base named `t` with one defect.
pub(crate) fn mutated(directory: &Path, defect: &str) {
    let (mut blob_of_layer, diff_id) = layer(directory, "a base");
    if let Some(bytes) = other_layer(
        defect,
        &fs::read(at(directory, &blob_of_layer)).expect("there"),
    ) {
        let media_type = blob_of_layer["mediaType"]
            .as_str()
            .expect("a type")
            .to_owned();
        blob_of_layer = put(directory, &media_type, &bytes);
    }
    let mut config = json!({"os": "linux", "architecture": architecture(), "config": {},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]}});
    change_config(&mut config, defect);
    let config = put_document(directory, "config", &config);
    let written = blob_of_layer.clone();
    change_layer(&mut blob_of_layer, defect);
    let mut manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [blob_of_layer]});
    change_manifest(&mut manifest, defect);
    let mut text = manifest.to_string();
    if defect == "dupkey" {
        text.replace_range(text.len() - 1.., ", \"layers\": []}");
    }
    let manifest = put(directory, MANIFEST, text.as_bytes());
    damage(
        defect,
        &at(directory, &written),
        &at(directory, &config),
        &at(directory, &manifest),
    );
    let mut entry = manifest;
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "t"});
    let top = json!({"schemaVersion": 2, "manifests": [entry]});
    fs::write(directory.join("index.json"), top.to_string()).expect("written");
    fs::write(
        directory.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .expect("written");
}

fn at(directory: &Path, descriptor: &Value) -> PathBuf {
    blob(directory, descriptor["digest"].as_str().expect("a digest"))
}

/// A layer whose digest is right and whose bytes are odd.
fn other_layer(defect: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    match defect {
        "trailing" => Some([bytes, b"garbage!"].concat()),
        "concat" => Some([bytes, &gzip(b"")].concat()),
        _ => None,
    }
}

fn change_config(config: &mut Value, defect: &str) {
    let zeros = json!(format!("sha256:{}", "0".repeat(64)));
    let diff_ids = &mut config["rootfs"]["diff_ids"];
    match defect {
        "diffid" => diff_ids[0] = zeros,
        "extradiffid" => diff_ids.as_array_mut().expect("a list").push(zeros),
        "nodiffid" => *diff_ids = json!([]),
        "noarch" => drop(
            config
                .as_object_mut()
                .expect("an object")
                .remove("architecture"),
        ),
        _ => {}
    }
}

fn change_layer(layer: &mut Value, defect: &str) {
    match defect {
        "size" => layer["size"] = json!(layer["size"].as_u64().expect("a size") + 1),
        "mediatype" => layer["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar"),
        _ => {}
    }
}

fn change_manifest(manifest: &mut Value, defect: &str) {
    match defect {
        "schemaver" => manifest["schemaVersion"] = json!(1),
        "confusion" => manifest["manifests"] = json!([]),
        _ => {}
    }
}

/// What goes wrong on a disk.
fn damage(defect: &str, layer: &Path, config: &Path, manifest: &Path) {
    let rewrite = |path: &Path, change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        fs::write(path, change(fs::read(path).expect("there"))).expect("written");
    };
    let flipped = |mut bytes: Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    let shorter = |bytes: Vec<u8>| bytes[..bytes.len() - 5].to_vec();
    match defect {
        "bitflip" => rewrite(layer, &flipped),
        "trunc" => rewrite(layer, &shorter),
        "missing" => fs::remove_file(layer).expect("there"),
        "cfgflip" => rewrite(config, &flipped),
        "manflip" => rewrite(manifest, &flipped),
        "mantrunc" => rewrite(manifest, &shorter),
        _ => {}
    }
}

/// Builds hello with its layers on a base with that defect.
fn build_on(defect: &str) -> Run {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    mutated(&env.path("base"), defect);
    let base = format!("oci:{}:t", env.path("base").display());
    let mut build = env.command(&hello);
    build.args([
        "build",
        ".",
        "--push=false",
        "--oci-archive",
        "a.tar",
        "--base",
        &base,
    ]);
    let run = run(&mut build);
    let written = hello.join("a.tar").exists();
    assert_eq!(
        written,
        run.output.status.success(),
        "{defect}: {}",
        run.stderr()
    );
    run
}

#[test]
fn v07_a_base_without_a_defect_passes_and_so_does_one_whose_layer_has_two_gzip_members() {
    for defect in ["none", "concat"] {
        build_on(defect).succeeds();
    }
}

#[test]
fn v07_bytes_that_were_damaged_end_with_5() {
    for defect in ["bitflip", "cfgflip", "manflip", "mantrunc"] {
        build_on(defect)
            .ends_with(5)
            .says("is not what its name says");
    }
}

#[test]
fn v07_documents_that_contradict_themselves_end_with_5() {
    for (defect, why) in [
        (
            "extradiffid",
            "it names 2 diff IDs but the manifest has 1 layer",
        ),
        (
            "nodiffid",
            "it names 0 diff IDs but the manifest has 1 layer",
        ),
        ("noarch", "names no os and architecture"),
        ("confusion", "a manifest and an index at once"),
        ("dupkey", "duplicate key `layers`"),
    ] {
        build_on(defect).ends_with(5).says(why);
    }
}

#[test]
fn v07_a_layer_that_is_not_there_ends_with_4_and_one_of_another_size_with_5_before_anything_is_compiled()
 {
    for (defect, code, sentence) in [
        ("missing", 4, "again, whole"),
        ("trunc", 5, "is not what its name says"),
        ("size", 5, "is not what its name says"),
    ] {
        let refused = build_on(defect).ends_with(code).says(sentence);
        assert!(
            !refused.stderr().contains("Compiling"),
            "{}",
            refused.stderr()
        );
    }
}

#[test]
fn v07_another_schema_version_is_refused() {
    build_on("schemaver")
        .ends_with(2)
        .says("is not an image that rbuild can build on");
}
