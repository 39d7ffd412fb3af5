//! Base images with glibc: Debian's own, as debootstrap unpacks them, and one of the libraries of a cross gcc.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;

use serde_json::json;

use crate::engines::Bundle;
use crate::feed::{gzip, put, put_document};
use crate::support::{TestEnv, command, hex, peer, run};

/// The only names on which a loader and a program's libraries depend.
const LIBRARIES: [&str; 6] = [
    "ld-linux-aarch64.so.1",
    "libc.so.6",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "libstdc++.so.6",
];

/// What a base does not need to be Debian's, and takes longer to pack than all the rest.
const LEFT_OUT: [&str; 9] = [
    "./debootstrap",
    "./dev",
    "./proc",
    "./sys",
    "./usr/share/doc",
    "./usr/share/locale",
    "./usr/share/man",
    "./usr/share/zoneinfo",
    "./var/cache/apt",
];

/// A base for arm64 with glibc and nothing else, named `it` in the layout at `directory`.
pub(crate) fn cross_base(directory: &Path) {
    let libraries = LIBRARIES.map(|name| Path::new("/usr/aarch64-linux-gnu/lib").join(name));
    base_of(directory, "arm64", &libraries);
}

/// A base with these files in `/lib`, x86-64's loader where programs look for it, and nothing else, named `it` in the layout at `directory`.
pub(crate) fn base_of(directory: &Path, architecture: &str, libraries: &[PathBuf]) {
    let mut archive = tar::Builder::new(Vec::new());
    for library in libraries {
        let name = library.file_name().expect("a file");
        let bytes =
            fs::read(library).unwrap_or_else(|error| panic!("{}: {error}", library.display()));
        let place = match name == "ld-linux-x86-64.so.2" {
            true => "lib64",
            false => "lib",
        };
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        archive
            .append_data(&mut header, Path::new(place).join(name), bytes.as_slice())
            .expect("in memory");
    }
    let tar = archive.into_inner().expect("in memory");
    write(directory, architecture, &tar);
}

/// A base of this suite of Debian, named `it` in the layout at `directory`; `platform` is what stands after `linux/`.
pub(crate) fn base(directory: &Path, suite: &str, platform: &str) {
    let debians = match platform {
        "386" => "i386",
        "arm/v7" => "armhf",
        "ppc64le" => "ppc64el",
        same => same,
    };
    let tar = fs::read(debootstrapped(suite, debians)).expect("just made");
    write(directory, platform, &tar);
}

/// The root of a base in the layout at `directory`.
pub(crate) fn unpacked(env: &TestEnv, directory: &Path, architecture: &str) -> PathBuf {
    let image = format!("oci:{}:it", directory.display());
    Bundle::unpack(env, &image, architecture).rootfs()
}

/// The tar of what debootstrap unpacks. Nothing in it has run: files are all that a base is asked for. It is kept for the next test.
fn debootstrapped(suite: &str, architecture: &str) -> PathBuf {
    // Two downloads at once would only be slower.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian");
    let tar = kept.join(format!("{suite}-{architecture}.tar"));
    if tar.is_file() {
        return tar;
    }
    fs::create_dir_all(&kept).expect("made");
    let place = tempfile::tempdir_in(&kept).expect("made");
    let root = place.path().join("root").display().to_string();
    let architecture = format!("--arch={architecture}");
    let words = [
        "--variant=minbase",
        "--foreign",
        &architecture,
        suite,
        &root,
    ];
    run(command("debootstrap", &words).stdout(Stdio::null())).succeeds();
    let packed = place.path().join("tar");
    let mut words = vec![
        "-C".to_owned(),
        root,
        "-cf".to_owned(),
        packed.display().to_string(),
    ];
    words.extend(LEFT_OUT.map(|path| format!("--exclude={path}")));
    words.push(".".to_owned());
    peer("tar", &words);
    fs::rename(packed, &tar).expect("the same directory");
    tar
}

/// A layout with an index over one image of one layer.
fn write(directory: &Path, platform: &str, tar: &[u8]) {
    let (architecture, variant) = match platform.split_once('/') {
        Some((architecture, variant)) => (architecture, Some(variant)),
        None => (platform, None),
    };
    let mut platform = json!({"os": "linux", "architecture": architecture});
    platform
        .as_object_mut()
        .expect("an object")
        .extend(variant.map(|variant| ("variant".to_owned(), json!(variant))));
    let oci = "application/vnd.oci.image";
    let layer = put(directory, &format!("{oci}.layer.v1.tar+gzip"), &gzip(tar));
    let diff_id = format!("sha256:{}", hex(tar));
    let config = json!({"os": "linux", "architecture": architecture, "config": {"Env": ["PATH=/usr/bin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]}});
    let config = put_document(directory, "config", &config);
    let manifest = json!({"schemaVersion": 2, "mediaType": format!("{oci}.manifest.v1+json"), "config": config, "layers": [layer]});
    let mut image = put_document(directory, "manifest", &manifest);
    image["platform"] = platform;
    let index = json!({"schemaVersion": 2, "mediaType": format!("{oci}.index.v1+json"), "manifests": [image]});
    let mut index = put_document(directory, "index", &index);
    index["annotations"] = json!({"org.opencontainers.image.ref.name": "it"});
    let top = json!({"schemaVersion": 2, "manifests": [index]});
    fs::write(directory.join("index.json"), top.to_string()).expect("written");
    let mut layout = File::create(directory.join("oci-layout")).expect("created");
    std::io::Write::write_all(&mut layout, br#"{"imageLayoutVersion":"1.0.0"}"#).expect("written");
}
