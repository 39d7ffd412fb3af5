//! L03: a binary of 200 MB costs no memory. No peer is needed, but more time than a test may take that always runs.

use std::fs;

use crate::memory::{Watched, watched};
use crate::support::{TestEnv, image};

const MANIFEST: &str = r#"
[package]
name = "large"
version = "0.1.0"
edition = "2024"

[workspace]

[profile.release]
opt-level = 0

[profile.release.build-override]
opt-level = 2
"#;

/// Half noise and half text, so that it shrinks, but not to nothing.
const BUILD: &str = r#"
use std::io::Write;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let place = std::path::PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo's")).join("content");
    let mut file = std::io::BufWriter::new(std::fs::File::create(place).expect("made"));
    let mut state = 1_u64;
    for _ in 0..200 * 1024 * 1024 / 16 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes()).expect("written");
        file.write_all(b"8 bytes.").expect("written");
    }
    file.flush().expect("written");
}
"#;

const MAIN: &str = r#"
static CONTENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/content"));

fn main() {
    println!("{}", CONTENT[std::hint::black_box(std::env::args().count())]);
}
"#;

const LOCK: &str = "version = 4\n\n[[package]]\nname = \"large\"\nversion = \"0.1.0\"\n";

#[test]
#[ignore = "needs most of a minute"]
fn l03_a_binary_of_200_megabytes_becomes_a_layer_in_less_than_96_mib_of_memory() {
    let env = TestEnv::new();
    let large = env.path("large");
    fs::create_dir_all(large.join("src")).expect("made");
    for (name, text) in [
        ("Cargo.toml", MANIFEST),
        ("Cargo.lock", LOCK),
        ("build.rs", BUILD),
        ("src/main.rs", MAIN),
    ] {
        fs::write(large.join(name), text).expect("written");
    }
    let mut build = env.command(&large);
    build.args(["build", ".", "--push=false", "--oci-archive", "a.tar"]);
    let Watched { run, peak, .. } = watched(&mut build);
    let built = run.succeeds();
    let (manifest, _) = image(&env.cache().join("build"), &built.digest());
    let layers = manifest["layers"].as_array().expect("a list");
    let size = layers.last().expect("the binary")["size"].as_u64();
    assert!(size > Some(100 << 20), "{size:?}");
    println!("at most {peak} KiB resident");
    assert!(0 < peak && peak < 96 * 1024, "{peak} KiB");
}
