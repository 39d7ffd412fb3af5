//! What tests build on: images made in a store, and the judge that every test of an image ends with.
//!
//! Compiled for tests alone. Nothing here is shared with the code under test but the store and the document reader.

#[path = "../tests/support/test_registry/mod.rs"]
pub(crate) mod test_registry;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::time::SystemTime;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::base::Shelf;
use crate::base::document::{self, Document, Manifest};
use crate::contents::{self, Contents};
use crate::digest::{Descriptor, Digest};
use crate::media::Family;
use crate::notes::Notes;
use crate::platform::Platform;
use crate::store::Store;

/// Chance that is the same in every run: for readers that must panic at nothing (H23).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }

    /// Up to `most` pieces in a row.
    pub(crate) fn text(&mut self, pieces: &[&str], most: usize) -> String {
        let count = self.roll(most + 1);
        (0..count)
            .map(|_| pieces[self.roll(pieces.len())])
            .collect()
    }

    /// Bytes that were good, with a few of them changed, lost or repeated, or with something put between.
    pub(crate) fn spoil(&mut self, good: &[u8]) -> Vec<u8> {
        const BITS: [&[u8]; 10] = [
            b"\"", b"{", b"]", b":", b",", b"-1", b"1e999", b"null", b"\xff", b"\\u0000",
        ];
        let mut bytes = good.to_vec();
        for _ in 0..=self.roll(4) {
            let (at, until) = (self.roll(bytes.len() + 1), self.roll(bytes.len() + 1));
            let (at, until) = (at.min(until), at.max(until));
            let put = match self.roll(4) {
                0 => Vec::new(),
                1 => bytes[at..until].repeat(2),
                _ => BITS[self.roll(BITS.len())].to_vec(),
            };
            let end = if self.roll(2) == 0 { at } else { until };
            bytes.splice(at..end, put);
        }
        bytes
    }
}

/// A store in a directory that goes away with it.
pub(crate) struct TestStore {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) notes: Notes,
}

pub(crate) fn store() -> TestStore {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let notes = Notes::recorded();
    let store = Store::cache(&directory.path().join("img"), &notes).expect("opens");
    store.prepare().expect("is writable");
    TestStore {
        directory,
        store,
        notes,
    }
}

/// Bases from this store alone, without a network.
pub(crate) fn shelf(test: &TestStore) -> Shelf<'_> {
    Shelf {
        cache: &test.store,
        spare: &test.store,
        registry: None,
        notes: &test.notes,
        now: SystemTime::UNIX_EPOCH,
        lock: None,
        insists: false,
    }
}

pub(crate) fn platform(text: &str) -> Platform {
    text.parse().expect("a platform")
}

/// A base image to be made: what tests want to vary.
pub(crate) struct BaseSpec {
    pub(crate) family: Family,
    pub(crate) platform: Option<Platform>,
    pub(crate) layers: usize,
    /// Whether the layers' bytes are put into the store.
    pub(crate) full: bool,
    /// Laid over the config's `config` object.
    pub(crate) run: Value,
}

impl Default for BaseSpec {
    fn default() -> BaseSpec {
        BaseSpec {
            family: Family::Oci,
            platform: Some(platform("linux/amd64")),
            layers: 2,
            full: true,
            run: json!({}),
        }
    }
}

/// Puts a base image into the store and points at its manifest.
pub(crate) fn image(store: &Store, spec: &BaseSpec) -> Descriptor {
    let tars: Vec<Vec<u8>> = (0..spec.layers)
        .map(|number| tar(&format!("base/{number}"), b"content"))
        .collect();
    let layers: Vec<Descriptor> = tars.iter().map(|tar| layer(store, tar, spec)).collect();
    let mut config = json!({
        "config": {"Env": ["PATH=/usr/bin:/bin"], "User": "nobody", "Labels": {"of": "base"}},
        "rootfs": {"type": "layers", "diff_ids": tars.iter().map(|tar| Digest::of(tar).to_string()).collect::<Vec<_>>()},
        "history": layers.iter().map(|_| json!({"created_by": "base"})).collect::<Vec<_>>(),
        "x.vendor": {"kept": true},
    });
    if let Some(platform) = &spec.platform {
        let named = platform.to_value();
        named
            .as_object()
            .expect("an object")
            .iter()
            .for_each(|(key, value)| config[key] = value.clone());
    }
    spec.run
        .as_object()
        .expect("an object")
        .iter()
        .for_each(|(key, value)| config["config"][key] = value.clone());
    let config = store
        .put(spec.family.config(), config.to_string().as_bytes())
        .expect("put");
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": spec.family.manifest(),
        "config": config.to_value(),
        "layers": layers.iter().map(Descriptor::to_value).collect::<Vec<_>>(),
    });
    store
        .put(spec.family.manifest(), manifest.to_string().as_bytes())
        .expect("put")
}

fn layer(store: &Store, tar: &[u8], spec: &BaseSpec) -> Descriptor {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(tar).expect("in memory");
    let bytes = gzip.finish().expect("in memory");
    match spec.full {
        true => store.put(spec.family.layer(), &bytes).expect("put"),
        false => Descriptor::of(spec.family.layer(), &bytes),
    }
}

fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(Vec::new());
    archive
        .append_data(&mut header, name, content)
        .expect("in memory");
    archive.into_inner().expect("in memory")
}

/// Puts an index over `children` into the store; each entry carries the platform given with it.
pub(crate) fn index(
    store: &Store,
    family: Family,
    children: &[(Option<Value>, Descriptor)],
) -> Descriptor {
    let entry = |(platform, child): &(Option<Value>, Descriptor)| match platform {
        Some(platform) => child.clone().with("platform", platform.clone()).to_value(),
        None => child.to_value(),
    };
    let index = json!({
        "schemaVersion": 2,
        "mediaType": family.index(),
        "manifests": children.iter().map(entry).collect::<Vec<_>>(),
    });
    store
        .put(family.index(), index.to_string().as_bytes())
        .expect("put")
}

/// An index of amd64 and arm64, with buildkit's attestation beside them.
pub(crate) fn two_platforms(store: &Store, full: bool) -> Descriptor {
    let child = |name: &str| {
        let platform = platform(name);
        let spec = BaseSpec {
            platform: Some(platform.clone()),
            full,
            ..BaseSpec::default()
        };
        (Some(platform.to_value()), image(store, &spec))
    };
    let attestation = (
        Some(json!({"os": "unknown", "architecture": "unknown"})),
        Descriptor::of(Family::Oci.manifest(), b"gone"),
    );
    index(
        store,
        Family::Oci,
        &[attestation, child("linux/amd64"), child("linux/arm64")],
    )
}

/// The document that `descriptor` points at.
pub(crate) fn json(store: &Store, descriptor: &Descriptor) -> Value {
    let bytes = store
        .document(&descriptor.digest, Some(descriptor.size))
        .expect("sound")
        .expect("here");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// The judge: every document below `root` is sound, and every layer that is here unpacks to its diff ID and is a clean tar.
pub(crate) fn validate(store: &Store, root: &Descriptor) {
    let bytes = store
        .document(&root.digest, Some(root.size))
        .expect("sound")
        .expect("the manifest is here");
    match document::read(&bytes, Some(&root.media_type)).expect("a sound document") {
        Document::Index(children) => children.iter().for_each(|child| {
            assert!(
                child.rest.contains_key("platform"),
                "an index names the platform of each image"
            );
            validate(store, child);
        }),
        Document::Manifest(manifest) => validate_image(store, &manifest),
    }
}

fn validate_image(store: &Store, manifest: &Manifest) {
    let config = json(store, &manifest.config);
    assert_eq!(manifest.config.media_type, manifest.family.config());
    for field in ["os", "architecture"] {
        assert!(config[field].is_string(), "the config lacks {field}");
    }
    let diff_ids = config["rootfs"]["diff_ids"].as_array().expect("a list");
    assert_eq!(diff_ids.len(), manifest.layers.len());
    for (layer, diff_id) in manifest.layers.iter().zip(diff_ids) {
        validate_layer(store, layer, diff_id);
    }
}

fn validate_layer(store: &Store, layer: &Descriptor, diff_id: &Value) {
    let Some(blob) = store.blob(layer).expect("sound") else {
        return;
    };
    let mut tar = Vec::new();
    GzDecoder::new(blob)
        .read_to_end(&mut tar)
        .expect("one sound gzip member");
    assert_eq!(*diff_id, Digest::of(&tar).to_string());
    let mut seen = BTreeSet::new();
    for entry in tar::Archive::new(&tar[..]).entries().expect("a tar") {
        let path = entry
            .expect("an entry")
            .path()
            .expect("a path")
            .into_owned();
        let plain = path
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        assert!(
            plain && seen.insert(path.clone()),
            "{} is twice or not plain",
            path.display()
        );
    }
}

/// An image of one layer with these files, looked into.
pub(crate) fn contents(files: &[(&str, Vec<u8>)]) -> Contents {
    let test = store();
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        let added = archive.append_data(&mut header, name, content.as_slice());
        added.expect("in memory");
    }
    let tar = archive.into_inner().expect("in memory");
    let layer = layer(&test.store, &tar, &BaseSpec::default());
    let read = contents::read(&[layer], &[&test.store], &test.store);
    read.expect("sound").expect("here")
}

/// A program or a shared object to be made: what tests want to vary.
pub(crate) struct Elf<'a> {
    pub(crate) machine: u16,
    pub(crate) interpreter: Option<&'a str>,
    pub(crate) needed: &'a [&'a str],
    pub(crate) runpath: &'a str,
    pub(crate) defined: &'a [&'a str],
    /// Library, version, and whether the program starts without it.
    pub(crate) versions: &'a [(&'a str, &'a str, bool)],
}

impl Default for Elf<'_> {
    fn default() -> Self {
        Elf {
            machine: 62,
            interpreter: None,
            needed: &[],
            runpath: "",
            defined: &[],
            versions: &[],
        }
    }
}

/// Strings of an ELF file; the offset of each is its name there.
struct Strings(Vec<u8>);

impl Strings {
    fn add(&mut self, text: &str) -> u32 {
        let at = self.0.len();
        self.0.extend(text.as_bytes());
        self.0.push(0);
        u32::try_from(at).expect("short")
    }
}

/// An ELF file of 64 bits, little endian: program headers, `.dynamic`, versions, their strings, and no code (System V ABI; LSB, "Symbol
/// Versioning").
pub(crate) fn elf(spec: &Elf<'_>) -> Vec<u8> {
    let mut strings = Strings(vec![0]);
    let interpreter = spec
        .interpreter
        .map_or(Vec::new(), |path| [path.as_bytes(), b"\0"].concat());
    let dynamic = elf_dynamic(spec, &mut strings);
    let defined = elf_defined(spec.defined, &mut strings);
    let versions = elf_versions(spec.versions, &mut strings);
    // Kind, link, information and bytes of each section; the strings are the first.
    let sections: [(u32, u32, &[u8]); 4] = [
        (3, 0, &strings.0),
        (6, 1, &dynamic),
        (0x6fff_fffd, 1, &defined),
        (0x6fff_fffe, 1, &versions),
    ];
    let body = 64 + 2 * 56;
    let mut bytes = Vec::new();
    let mut headers = vec![0; 64];
    bytes.extend(&interpreter);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let mut dynamic_at = 0;
    for (kind, link, content) in sections
        .iter()
        .filter(|(_, _, content)| !content.is_empty())
    {
        let at = (body + bytes.len()) as u64;
        if *kind == 6 {
            dynamic_at = at;
        }
        headers.extend(elf_section((*kind, *link), at, content.len() as u64));
        bytes.extend(*content);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    let sections_at = (body + bytes.len()) as u64;
    let count = (headers.len() / 64) as u16;
    let mut file = elf_header(spec.machine, sections_at, count);
    let (kind, size) = (
        if interpreter.is_empty() { 0 } else { 3 },
        interpreter.len(),
    );
    file.extend(elf_segment(kind, body as u64, size as u64));
    file.extend(elf_segment(2, dynamic_at, dynamic.len() as u64));
    file.extend(bytes);
    file.extend(headers);
    file
}

fn elf_dynamic(spec: &Elf<'_>, strings: &mut Strings) -> Vec<u8> {
    let mut entries: Vec<(u64, u64)> = Vec::new();
    for name in spec.needed {
        entries.push((1, strings.add(name).into()));
    }
    if !spec.runpath.is_empty() {
        entries.push((29, strings.add(spec.runpath).into()));
    }
    entries.push((0, 0));
    let words = entries.iter().flat_map(|(tag, value)| [*tag, *value]);
    words.flat_map(u64::to_le_bytes).collect()
}

fn elf_defined(defined: &[&str], strings: &mut Strings) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, version) in defined.iter().enumerate() {
        let next: u32 = if number + 1 < defined.len() { 28 } else { 0 };
        for half in [1, 0, number as u16 + 2, 1] {
            bytes.extend(half.to_le_bytes());
        }
        for word in [0, 20, next, strings.add(version), 0] {
            bytes.extend(word.to_le_bytes());
        }
    }
    bytes
}

fn elf_versions(versions: &[(&str, &str, bool)], strings: &mut Strings) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, (library, version, is_weak)) in versions.iter().enumerate() {
        let next: u32 = if number + 1 < versions.len() { 32 } else { 0 };
        bytes.extend([1u16, 1].iter().flat_map(|half| half.to_le_bytes()));
        for word in [strings.add(library), 16, next, 0] {
            bytes.extend(word.to_le_bytes());
        }
        let flags = if *is_weak { 2u16 } else { 0 };
        bytes.extend(
            [flags, number as u16 + 2]
                .iter()
                .flat_map(|half| half.to_le_bytes()),
        );
        bytes.extend(
            [strings.add(version), 0]
                .iter()
                .flat_map(|word| word.to_le_bytes()),
        );
    }
    bytes
}

fn elf_section((kind, link): (u32, u32), at: u64, size: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend([0, kind].iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend(
        [0, 0, at, size]
            .iter()
            .flat_map(|word: &u64| word.to_le_bytes()),
    );
    bytes.extend([link, 0].iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend([8, 0].iter().flat_map(|word: &u64| word.to_le_bytes()));
    bytes
}

fn elf_segment(kind: u32, at: u64, size: u64) -> Vec<u8> {
    let mut bytes: Vec<u8> = [kind, 4]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    let words = [at, at, at, size, size, 1];
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    bytes
}

fn elf_header(machine: u16, sections_at: u64, sections: u16) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend([3, machine].iter().flat_map(|half| half.to_le_bytes()));
    bytes.extend(1u32.to_le_bytes());
    bytes.extend(
        [0, 64, sections_at]
            .iter()
            .flat_map(|word: &u64| word.to_le_bytes()),
    );
    bytes.extend(0u32.to_le_bytes());
    let halves = [64, 56, 2, 64, sections, 1];
    bytes.extend(halves.iter().flat_map(|half| half.to_le_bytes()));
    bytes
}
