//! Bases with and without what a program is linked with.

use super::*;

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Map, Value};

use crate::base::Source;
use crate::base::name::Name;
use crate::digest::Descriptor;
use crate::media::{self, Family};
use crate::testing::{self, Elf, TestStore, platform};

const LIBC: &str = "lib/libc.so.6";
const WHOLE: [&str; 4] = [
    LIBC,
    "lib/libm.so.6",
    "usr/lib/libgcc_s.so.1",
    "lib64/ld-linux-x86-64.so.2",
];

/// A layer with these libraries, of a glibc that defines `highest` and the versions before it.
fn layer(test: &TestStore, names: &[&str], highest: &str) -> Descriptor {
    let versions = [
        "GLIBC_2.17",
        "GLIBC_2.33",
        "GLIBC_2.34",
        "GLIBC_2.36",
        "GLIBC_2.41",
    ];
    let count = versions.iter().position(|version| *version == highest);
    let defined = &versions[..=count.unwrap_or_default()];
    let mut archive = tar::Builder::new(Vec::new());
    for name in names {
        let bytes = testing::elf(&Elf {
            defined,
            needed: &[name],
            ..Elf::default()
        });
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        let put = archive.append_data(&mut header, name, bytes.as_slice());
        put.expect("in memory");
    }
    let tar = archive.into_inner().expect("in memory");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&tar).expect("in memory");
    let bytes = gzip.finish().expect("in memory");
    test.store.put(media::OCI_LAYER, &bytes).expect("put")
}

fn base(test: &TestStore, layers: Vec<Descriptor>) -> Base {
    let image = BaseImage {
        platform: platform("linux/amd64"),
        family: Family::Oci,
        config: Value::Null,
        layers,
        annotations: Map::new(),
        name: None,
        digest: Some(Digest::of(b"it")),
        source: Source::Registry(test.store.clone()),
    };
    Base {
        name: Name::Reference("r.example/it:1".parse().expect("a name")),
        images: vec![image],
        index: None,
        left_out: Vec::new(),
    }
}

fn asked(test: &TestStore, base: &Base) -> BaseLibraries {
    let tools = Tools {
        cache: &test.store,
        store: &test.store,
        registry: None,
        notes: &test.notes,
        environment: &BTreeMap::new(),
        now: SystemTime::UNIX_EPOCH,
        lock: None,
        elapsed: &|| Duration::ZERO,
    };
    of(base, &platform("linux/amd64"), &tools).expect("an answer")
}

fn directory(found: BaseLibraries) -> PathBuf {
    match found {
        BaseLibraries::At(directory) => directory,
        other => panic!("{other:?}"),
    }
}

fn lacks(found: BaseLibraries) -> String {
    match found {
        BaseLibraries::Lacking { reason, hint } => format!("{reason}; {hint}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_libraries_of_a_base_are_copied_under_the_names_that_a_linker_looks_for() {
    let test = testing::store();
    let base = base(&test, vec![layer(&test, &WHOLE, "GLIBC_2.34")]);
    let place = directory(asked(&test, &base));
    for name in [
        "libc.so.6",
        "libm.so",
        "libgcc_s.so",
        "ld-linux-x86-64.so.2",
    ] {
        let bytes = fs::read(place.join(name)).expect(name);
        assert!(bytes.starts_with(b"\x7fELF"), "{name}");
    }
    let script = fs::read_to_string(place.join("libc.so")).expect("a script");
    assert_eq!(
        script,
        "GROUP ( -l:libc.so.6 AS_NEEDED ( -l:ld-linux-x86-64.so.2 ) )\n"
    );
}

#[test]
fn another_base_with_the_same_glibc_is_the_same_directory_and_another_glibc_is_another() {
    let test = testing::store();
    let glibc = layer(&test, &WHOLE, "GLIBC_2.36");
    let more = layer(&test, &["usr/lib/libz.so.1"], "ZLIB_1");
    let one = directory(asked(&test, &base(&test, vec![glibc.clone()])));
    let other = directory(asked(&test, &base(&test, vec![glibc, more])));
    assert_eq!(one, other);
    let newer = layer(&test, &WHOLE, "GLIBC_2.41");
    assert_ne!(directory(asked(&test, &base(&test, vec![newer]))), one);
}

#[test]
fn what_a_base_lacks_is_said_with_its_mend() {
    let test = testing::store();
    let old = base(&test, vec![layer(&test, &WHOLE, "GLIBC_2.33")]);
    let said = lacks(asked(&test, &old));
    assert!(
        said.contains("`r.example/it:1` has a glibc that is older than 2.34"),
        "{said}"
    );

    let without = base(
        &test,
        vec![layer(&test, &[LIBC, WHOLE[1], WHOLE[3]], "GLIBC_2.36")],
    );
    let said = lacks(asked(&test, &without));
    assert!(
        said.contains("has no `libgcc_s.so.1` for linux/amd64"),
        "{said}"
    );
    assert!(said.contains("`gcr.io/distroless/cc-debian12`"), "{said}");

    let musl = base(
        &test,
        vec![layer(&test, &["lib/ld-musl-x86_64.so.1"], "GLIBC_2.36")],
    );
    let said = lacks(asked(&test, &musl));
    assert!(
        said.contains("has no `libc.so.6` for linux/amd64"),
        "{said}"
    );
    assert!(said.contains("`libc: musl`"), "{said}");
}

#[test]
fn layers_that_are_not_here_are_said_with_the_command_that_brings_them() {
    let test = testing::store();
    let mend = "run `rbuild cache warm --layers --platform linux/amd64 r.example/it@sha256:";
    let never = Descriptor::of(media::OCI_LAYER, b"elsewhere");
    let said = lacks(asked(&test, &base(&test, vec![never])));
    assert!(said.contains(mend), "{said}");

    // What lies in it is remembered, and it is gone before anything was copied.
    let layer = layer(&test, &WHOLE, "GLIBC_2.36");
    let base = base(&test, vec![layer.clone()]);
    let store = &test.store;
    crate::contents::read(&base.images[0].layers, &[store], store).expect("sound");
    let blob = store.root().join("blobs/sha256").join(layer.digest.hex());
    fs::remove_file(&blob).expect("removed");
    let said = lacks(asked(&test, &base));
    assert!(said.contains(mend), "{said}");
}

#[test]
fn what_was_copied_is_used_when_the_layers_are_gone() {
    let test = testing::store();
    let layer = layer(&test, &WHOLE, "GLIBC_2.36");
    let base = base(&test, vec![layer.clone()]);
    let place = directory(asked(&test, &base));
    let blob = test
        .store
        .root()
        .join("blobs/sha256")
        .join(layer.digest.hex());
    fs::remove_file(&blob).expect("removed");
    assert_eq!(directory(asked(&test, &base)), place);
}
