//! A base for two platforms, written by hand, and a real registry that serves it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::registry::Registry;
use crate::support::{Run, TestEnv, hex, peer};

const OCI: &str = "application/vnd.oci.image";

/// Digests of what [`two_platforms`] wrote.
pub(crate) struct TwoPlatforms {
    pub(crate) index: String,
    pub(crate) amd64: String,
}

/// Writes an index over an amd64 and an arm64 image, each with a layer of its own, into the layout at `directory`, named `base`.
pub(crate) fn two_platforms(directory: &Path) -> TwoPlatforms {
    let images: Vec<Value> = ["amd64", "arm64"]
        .iter()
        .map(|architecture| {
            let mut image = image(directory, architecture);
            image["platform"] = json!({"os": "linux", "architecture": architecture});
            image
        })
        .collect();
    let amd64 = digest(&images[0]);
    let index = json!({"schemaVersion": 2, "mediaType": format!("{OCI}.index.v1+json"), "manifests": images});
    let mut index = put_document(directory, "index", &index);
    let digest = digest(&index);
    index["annotations"] = json!({"org.opencontainers.image.ref.name": "base"});
    let top = json!({"schemaVersion": 2, "manifests": [index]});
    std::fs::write(directory.join("index.json"), top.to_string()).expect("written");
    std::fs::write(
        directory.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .expect("written");
    TwoPlatforms {
        index: digest,
        amd64,
    }
}

fn digest(descriptor: &Value) -> String {
    descriptor["digest"]
        .as_str()
        .expect("a descriptor")
        .to_owned()
}

/// Writes one image and gives its descriptor.
fn image(directory: &Path, architecture: &str) -> Value {
    let (layer, diff_id) = layer(directory, &format!("a base for {architecture}"));
    let config = json!({"os": "linux", "architecture": architecture,
        "config": {"Env": ["PATH=/bin"], "User": "7"}, "rootfs": {"type": "layers", "diff_ids": [diff_id]}});
    let config = put_document(directory, "config", &config);
    let manifest = json!({"schemaVersion": 2, "mediaType": format!("{OCI}.manifest.v1+json"), "config": config, "layers": [layer]});
    put_document(directory, "manifest", &manifest)
}

/// Writes a layer with one file and gives its descriptor and diff ID.
pub(crate) fn layer(directory: &Path, text: &str) -> (Value, String) {
    let mut header = tar::Header::new_ustar();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(Vec::new());
    archive
        .append_data(&mut header, "etc/base", text.as_bytes())
        .expect("in memory");
    let tar = archive.into_inner().expect("in memory");
    let descriptor = put(directory, &format!("{OCI}.layer.v1.tar+gzip"), &gzip(&tar));
    (descriptor, format!("sha256:{}", hex(&tar)))
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).expect("in memory");
    gzip.finish().expect("in memory")
}

/// Writes an index, manifest or config and gives its descriptor.
pub(crate) fn put_document(directory: &Path, kind: &str, document: &Value) -> Value {
    put(
        directory,
        &format!("{OCI}.{kind}.v1+json"),
        document.to_string().as_bytes(),
    )
}

/// Writes a blob under its digest and gives its descriptor.
pub(crate) fn put(directory: &Path, media_type: &str, bytes: &[u8]) -> Value {
    let blobs = directory.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).expect("made");
    std::fs::write(blobs.join(hex(bytes)), bytes).expect("written");
    json!({"mediaType": media_type, "digest": format!("sha256:{}", hex(bytes)), "size": bytes.len()})
}

/// The path of a blob in a layout.
pub(crate) fn blob(layout: &Path, digest: &str) -> PathBuf {
    layout.join("blobs").join(digest.replace(':', "/"))
}

/// A registry that serves the base of [`two_platforms`] as `HOST/base:1`.
pub(crate) struct Feed {
    pub(crate) registry: Registry,
    pub(crate) base: TwoPlatforms,
}

impl Feed {
    pub(crate) fn start(env: &TestEnv) -> Feed {
        Feed::with(env, "oci")
    }

    /// As [`Feed::start`], converted to `v2s2`, Docker's own types.
    pub(crate) fn docker_typed(env: &TestEnv) -> Feed {
        let mut feed = Feed::with(env, "v2s2");
        let raw = peer("crane", &["manifest", &feed.tag()]);
        let index: Value = serde_json::from_str(&raw.stdout()).expect("JSON");
        feed.base.index = format!("sha256:{}", hex(&raw.output.stdout));
        feed.base.amd64 = digest(&index["manifests"][0]);
        feed
    }

    fn with(env: &TestEnv, format: &str) -> Feed {
        let source = env.path("source");
        let base = two_platforms(&source);
        let feed = Feed {
            registry: Registry::start(),
            base,
        };
        let from = format!("oci:{}:base", source.display());
        let to = format!("docker://{}", feed.tag());
        skopeo(&["copy", "--all", "--format", format, &from, &to]);
        feed
    }

    /// `HOST/base`
    pub(crate) fn name(&self) -> String {
        format!("{}/base", self.registry.host)
    }

    /// `HOST/base:1`
    pub(crate) fn tag(&self) -> String {
        format!("{}:1", self.name())
    }

    /// `HOST/base@` and the digest of the index.
    pub(crate) fn pinned(&self) -> String {
        format!("{}@{}", self.name(), self.base.index)
    }

    /// `crane pull --format oci` with more arguments, of the tag, into a layout.
    pub(crate) fn crane_pull(&self, more: &[&str], layout: &Path) -> Run {
        let (tag, layout) = (self.tag(), layout.display().to_string());
        let words: Vec<&str> = ["pull", "--format", "oci"]
            .into_iter()
            .chain(more.iter().copied())
            .chain([tag.as_str(), layout.as_str()])
            .collect();
        peer("crane", &words)
    }
}

/// skopeo without TLS, quiet; its failure is the test's.
pub(crate) fn skopeo(arguments: &[&str]) -> Run {
    let mut words = vec![arguments[0]];
    if arguments[0] == "copy" {
        words.extend([
            "--quiet",
            "--src-tls-verify=false",
            "--dest-tls-verify=false",
        ]);
    }
    words.extend(&arguments[1..]);
    peer("skopeo", &words)
}
