//! A judge of our own tars for tests: reads the blocks by itself, so that it shares no mistake with what it judges.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::Read;

use flate2::read::GzDecoder;

use super::Layer;
use crate::digest::Digest;
use crate::store::Store;

/// What one entry says of itself, PAX records applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) kind: char,
    pub(crate) target: String,
    pub(crate) mode: u64,
    pub(crate) owner: (u64, u64),
    pub(crate) mtime: u64,
    pub(crate) content: Vec<u8>,
    /// The keys of its PAX records.
    pub(crate) records: Vec<String>,
}

/// The tar of a layer in a store; its digests and its size are checked on the way.
pub(crate) fn tar_of(store: &Store, layer: &Layer) -> Vec<u8> {
    let blob = store
        .document(&layer.blob.digest, Some(layer.blob.size))
        .expect("reads")
        .expect("there");
    assert_eq!(Digest::of(&blob), layer.blob.digest);
    assert_eq!(blob.len() as u64, layer.blob.size);
    let mut tar = Vec::new();
    GzDecoder::new(blob.as_slice())
        .read_to_end(&mut tar)
        .expect("one gzip member");
    assert_eq!(Digest::of(&tar), layer.diff_id);
    assert_eq!(tar.len() as u64, layer.size);
    tar
}

/// Every entry of the tar; panics at the first thing that we promise not to write.
pub(crate) fn lint(tar: &[u8]) -> Vec<Seen> {
    assert_eq!(tar.len() % 512, 0, "whole blocks");
    let mut rest = tar;
    let mut all = Vec::new();
    while rest[0] != 0 {
        all.push(entry(&mut rest));
    }
    assert_eq!(rest, [0; 1024], "two zero blocks end it");
    relations(&all);
    all
}

fn entry(rest: &mut &[u8]) -> Seen {
    let mut records = BTreeMap::new();
    let mut header = take(rest, 512);
    if header[156] == b'x' {
        let data = take(rest, octal(&header[124..136]) as usize);
        assert_eq!(octal(&header[108..116]) + octal(&header[136..148]), 0);
        records = pax(data);
        header = take(rest, 512);
    }
    checksum(header);
    assert_eq!(&header[257..265], b"ustar\x0000");
    assert!(header[265..345].iter().all(|byte| *byte == 0), "no names");
    let seen = apply(header, &records);
    let size = records
        .get("size")
        .map_or(octal(&header[124..136]), |size| size.parse().expect("size"));
    Seen {
        content: take(rest, size as usize).to_vec(),
        ..seen
    }
}

fn apply(header: &[u8], records: &BTreeMap<String, String>) -> Seen {
    let plain = match string(&header[345..500]).as_str() {
        "" => string(&header[..100]),
        prefix => format!("{prefix}/{}", string(&header[..100])),
    };
    let field = |key: &str, plain: u64| {
        let record = records.get(key).map(|text| text.parse().expect("number"));
        assert!(
            record.is_none_or(|value: u64| value > 0o7777777),
            "needless"
        );
        record.unwrap_or(plain)
    };
    let path = records.get("path").cloned().unwrap_or(plain);
    if records.contains_key("path") {
        assert!(!path.is_ascii() || path.len() > 100, "{path} fits");
    }
    Seen {
        path: path.trim_end_matches('/').to_owned(),
        kind: header[156].into(),
        target: records
            .get("linkpath")
            .cloned()
            .unwrap_or_else(|| string(&header[157..257])),
        mode: octal(&header[100..108]),
        owner: (
            field("uid", octal(&header[108..116])),
            field("gid", octal(&header[116..124])),
        ),
        mtime: field("mtime", octal(&header[136..148])),
        content: Vec::new(),
        records: records.keys().cloned().collect(),
    }
}

/// What holds between entries: sorted, no path twice, none absolute or with `..`, parents first and directories.
fn relations(all: &[Seen]) {
    let mut directories = BTreeSet::from([""]);
    let mut before = "";
    for seen in all {
        let path = seen.path.as_str();
        assert!(path > before, "{path:?} after {before:?}");
        for part in path.split('/') {
            assert!(!["", ".", ".."].contains(&part), "{path:?}");
        }
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        assert!(directories.contains(parent), "{path:?} without its parent");
        assert!("052".contains(seen.kind), "{path:?} is a {}", seen.kind);
        if seen.kind == '5' {
            directories.insert(path);
        }
        before = path;
    }
}

fn take<'t>(rest: &mut &'t [u8], size: usize) -> &'t [u8] {
    let (taken, after) = rest.split_at(size.next_multiple_of(512));
    *rest = after;
    assert!(taken[size..].iter().all(|byte| *byte == 0), "padding");
    &taken[..size]
}

fn string(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0);
    let (text, after) = field.split_at(end.unwrap_or(field.len()));
    assert!(after.iter().all(|byte| *byte == 0), "nothing after the NUL");
    String::from_utf8(text.to_vec()).expect("text")
}

fn octal(field: &[u8]) -> u64 {
    u64::from_str_radix(string(field).trim(), 8).expect("octal")
}

fn checksum(header: &[u8]) {
    let mut sum = 8 * u64::from(b' ');
    for (at, byte) in header.iter().enumerate() {
        if !(148..156).contains(&at) {
            sum += u64::from(*byte);
        }
    }
    let text = String::from_utf8_lossy(&header[148..156]);
    let text = text.trim_matches(|c| c == ' ' || c == '\0');
    assert_eq!(u64::from_str_radix(text, 8).expect("octal"), sum);
}

fn pax(data: &[u8]) -> BTreeMap<String, String> {
    let mut records = BTreeMap::new();
    let mut rest = std::str::from_utf8(data).expect("UTF-8");
    while !rest.is_empty() {
        let (length, _) = rest.split_once(' ').expect("length");
        let (record, after) = rest.split_at(length.parse().expect("number"));
        let record = record.strip_suffix('\n').expect("newline");
        let (key, value) = record[length.len() + 1..].split_once('=').expect("=");
        assert!(records.insert(key.to_owned(), value.to_owned()).is_none());
        rest = after;
    }
    records
}

/// A FIFO for tests that must not wait for it.
pub(crate) fn make_fifo(path: &std::path::Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0).expect("a fifo");
}
