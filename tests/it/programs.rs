//! Programs of images, taken out of a layout and run: natively, or by an emulator.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::feed::blob;
use crate::support::{Run, command, document, run};

/// The program `/app/NAME` of the image `rbuild.local/NAME:latest` in a layout, for one architecture in OCI's words, as a file beside
/// the layout.
pub(crate) fn program(layout: &Path, name: &str, architecture: &str) -> PathBuf {
    let manifest = manifest(layout, &entry(layout, name), architecture);
    let layers = manifest["layers"].as_array().expect("a list");
    let digest = layers.last().expect("a layer")["digest"].as_str();
    let layer = std::fs::File::open(blob(layout, digest.expect("a digest"))).expect("there");
    let to = layout.with_extension(architecture);
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(layer));
    archive.unpack(&to).expect("a layer");
    to.join("app").join(name)
}

/// The digest under the name that rbuild gave.
pub(crate) fn entry(layout: &Path, name: &str) -> String {
    let text = std::fs::read(layout.join("index.json")).expect("a layout");
    let index: Value = serde_json::from_slice(&text).expect("JSON");
    let wanted = format!("rbuild.local/{name}:latest");
    let entries = index["manifests"].as_array().expect("a list");
    let found = entries
        .iter()
        .find(|entry| entry["annotations"]["org.opencontainers.image.ref.name"] == wanted);
    let digest = found.unwrap_or_else(|| panic!("no {wanted} in {index}"))["digest"].as_str();
    digest.expect("a digest").to_owned()
}

/// The manifest for an architecture, of an index or of an image alone.
fn manifest(layout: &Path, digest: &str, architecture: &str) -> Value {
    let top = document(layout, digest);
    let Some(children) = top["manifests"].as_array() else {
        let config = top["config"]["digest"].as_str().expect("a digest");
        assert_eq!(document(layout, config)["architecture"], architecture);
        return top;
    };
    let child = children
        .iter()
        .find(|child| child["platform"]["architecture"] == architecture)
        .unwrap_or_else(|| panic!("no {architecture} in {top}"));
    document(layout, child["digest"].as_str().expect("a digest"))
}

/// The emulator for an architecture; `None`: this machine runs it itself.
pub(crate) fn emulator(architecture: &str) -> Option<&'static str> {
    match (std::env::consts::ARCH, architecture) {
        ("x86_64", "amd64" | "386") | ("aarch64", "arm64") => None,
        (_, "amd64") => Some("qemu-x86_64-static"),
        (_, "386") => Some("qemu-i386-static"),
        (_, "arm64") => Some("qemu-aarch64-static"),
        (_, "arm") => Some("qemu-arm-static"),
        (_, "ppc64le") => Some("qemu-ppc64le-static"),
        (_, "riscv64") => Some("qemu-riscv64-static"),
        (_, "s390x") => Some("qemu-s390x-static"),
        (_, other) => panic!("no emulator for {other}"),
    }
}

/// A program with the words that run it here. `root` is where a program that is not static finds its loader.
pub(crate) fn words(architecture: &str, root: Option<&Path>, program: &Path) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(emulator(architecture).map(str::to_owned));
    if let (Some(root), false) = (root, words.is_empty()) {
        words.extend(["-L".to_owned(), root.display().to_string()]);
    }
    words.push(program.display().to_string());
    words
}

/// Runs a program to its end in another root, where absolute links lead to what they mean.
pub(crate) fn says_in(root: &Path, architecture: &str, program: &Path) -> String {
    std::fs::copy(program, root.join("program")).expect("copied");
    let mut words = vec!["chroot".to_owned(), root.display().to_string()];
    if let Some(emulator) = emulator(architecture) {
        let file = Path::new("/usr/bin").join(emulator);
        std::fs::copy(file, root.join("emulator")).expect("copied");
        words.push("/emulator".to_owned());
    }
    words.push("/program".to_owned());
    said(&words).stdout()
}

/// Runs a static program to its end.
pub(crate) fn says(architecture: &str, program: &Path) -> String {
    said(&words(architecture, None, program)).stdout()
}

pub(crate) fn said(words: &[String]) -> Run {
    run(&mut command(&words[0], &words[1..])).succeeds()
}
