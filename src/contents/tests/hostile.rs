//! Layers that mean harm, and those that are merely strange: an error of its own kind, or fixed memory.

use std::io::Read;

use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::*;
use crate::contents::archive::{Archive, MEMBERS};
use crate::contents::scan::{BYTES, NODES, Scan, through};
use crate::contents::unpack::Layer;
use crate::fault::Kind;

fn integrity(image: &Image) -> Fault {
    let error = image.read().expect_err("refused");
    let fault = error.downcast::<Fault>().expect("a fault");
    assert_eq!(fault.kind, Kind::Integrity);
    fault
}

fn one() -> Vec<u8> {
    tar(&[("lib/liba.so", Is::File(&library(&[], &["A_1"])))])
}

#[test]
fn every_packing_is_read_whatever_the_media_type_says() {
    let tar = one();
    let half = tar.len() / 2;
    let zstd = |bytes: &[u8]| compress_to_vec(bytes, CompressionLevel::Fastest);
    let skipped = b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec();
    let zeros = vec![0; 4096];
    for packed in [
        tar.clone(),
        gzip(&tar),
        [gzip(&tar[..half]), gzip(b""), gzip(&tar[half..])].concat(),
        [gzip(&tar), zeros.clone()].concat(),
        gzip(&[tar.clone(), zeros].concat()),
        zstd(&tar),
        [
            skipped.clone(),
            zstd(&tar[..half]),
            skipped,
            zstd(&tar[half..]),
        ]
        .concat(),
        tar[..tar.len() - 1024].to_vec(),
    ] {
        let contents = Image::packed(&[packed]).contents();
        assert!(contents.file("/lib/liba.so").is_some());
    }
    assert_eq!(Image::packed(&[Vec::new()]).contents().nodes.len(), 0);
}

#[test]
fn names_are_read_in_every_spelling() {
    let deep = format!("{}/libdeep.so", vec!["d"; 150].join("/"));
    let content = library(&[], &[]);
    let record = |key: &str, value: &str| {
        let rest = format!(" {key}={value}\n");
        let length = rest.len() + 3;
        assert!((100..1000).contains(&length), "three digits");
        format!("{length}{rest}").into_bytes()
    };
    let long = format!("{deep}\0").into_bytes();
    let file = member(EntryType::Regular, ("short", ""), &content);
    let gnu = [
        member(EntryType::GNULongName, ("././@LongLink", ""), &long),
        file.clone(),
    ];
    let pax = [
        member(EntryType::XHeader, ("pax", ""), &record("path", &deep)),
        file.clone(),
    ];
    let target = [
        member(EntryType::XHeader, ("pax", ""), &record("linkpath", &deep)),
        member(EntryType::Symlink, ("lib/libto.so", "short"), b""),
    ];
    let global = [member(
        EntryType::XGlobalHeader,
        ("pax", ""),
        &record("path", &deep),
    )];
    for head in [gnu.concat(), pax.concat()] {
        let contents = Image::packed(&[[head, target.concat()].concat()]).contents();
        assert!(contents.file(&format!("/{deep}")).is_some());
    }
    let contents = Image::packed(&[[global.concat(), file].concat()]).contents();
    assert_eq!(
        contents.file(&format!("/{deep}")),
        None,
        "a global header names no file"
    );
}

#[test]
fn h10_sizes_in_pax_headers_are_those_that_count() {
    let content = library(&[], &[]);
    let size = format!("size={}\n", content.len());
    let record = format!("{} {size}", size.len() + 3).into_bytes();
    let mut file = member(EntryType::Regular, ("lib/liba.so", ""), &content);
    let mut header = Header::from_byte_slice(&file[..512]).clone();
    header.set_size(0);
    header.set_cksum();
    file[..512].copy_from_slice(header.as_bytes());
    let after = member(EntryType::Regular, ("lib/libb.so", ""), &content);
    let tar = [
        member(EntryType::XHeader, ("pax", ""), &record),
        file,
        after,
    ]
    .concat();
    let contents = Image::packed(&[tar]).contents();
    assert!(contents.file("/lib/liba.so").is_some());
    assert!(contents.file("/lib/libb.so").is_some());
}

#[test]
fn h10_devices_are_passed_over_and_sparse_files_are_known_by_their_first_bytes() {
    let content = library(&[], &["A_1"]);
    let mut sparse = member(EntryType::GNUSparse, ("lib/libsparse.so", ""), &content);
    sparse[482] = 1; // the list of holes goes on in the next block
    let mut header = Header::from_byte_slice(&sparse[..512]).clone();
    header.set_cksum();
    sparse[..512].copy_from_slice(header.as_bytes());
    let more = [0; 512];
    let sparse = [&sparse[..512], &more, &sparse[512..]].concat();
    let device = member(EntryType::Char, ("lib/libdevice.so", ""), b"");
    let after = member(EntryType::Regular, ("lib/liba.so", ""), &content);
    let contents = Image::packed(&[[device, sparse, after].concat()]).contents();
    assert_eq!(contents.file("/lib/libdevice.so"), None);
    let found = contents.file("/lib/libsparse.so").expect("there");
    assert_eq!((found.machine, found.is_known), (62, false));
    assert!(
        contents
            .file("/lib/liba.so")
            .is_some_and(|library| library.is_known)
    );
}

#[test]
fn h16_a_bomb_of_zeros_costs_no_memory_and_empty_members_no_stack() {
    let zeros = member(
        EntryType::Regular,
        ("lib/libzero.so", ""),
        &vec![0; 64 << 20],
    );
    let contents = Image::packed(&[gzip(&zeros)]).contents();
    assert_eq!(contents.file("/lib/libzero.so"), None);
    let empty = gzip(b"");
    let many = empty.repeat(1_000_000);
    let contents = Image::packed(&[[many, gzip(&one())].concat()]).contents();
    assert!(contents.file("/lib/liba.so").is_some());
}

#[test]
fn h16_what_unpacks_to_more_than_the_limit_ends_there() {
    let packed = gzip(&[0; 100_000]);
    let mut layer = Layer::open(&packed[..]).map_err(drop).expect("opens");
    layer.left = 99_999;
    let error = io::copy(&mut layer, &mut io::sink()).expect_err("a byte too many");
    assert!(
        error.to_string().contains("unpacks to more than"),
        "{error}"
    );
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn h16_a_stream_without_an_end_ends_at_the_limit_for_members() {
    let headers = Cycle(member(EntryType::Regular, ("x", ""), b""), 0);
    let mut archive = Archive::new(headers);
    archive.members = MEMBERS - 1;
    assert!(archive.next().expect("the last one").is_some());
    let error = archive.next().expect_err("one too many");
    assert!(
        error.to_string().contains("more than 4000000 entries"),
        "{error}"
    );
}

/// The same bytes for ever.
struct Cycle(Vec<u8>, usize);

impl Read for Cycle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.0.len() - self.1);
        buffer[..count].copy_from_slice(&self.0[self.1..self.1 + count]);
        self.1 = (self.1 + count) % self.0.len();
        Ok(count)
    }
}

#[test]
fn h10_a_name_of_megabytes_is_refused_before_it_is_read() {
    for kind in [
        EntryType::GNULongName,
        EntryType::GNULongLink,
        EntryType::XHeader,
        EntryType::XGlobalHeader,
    ] {
        let huge = member(kind, ("x", ""), &vec![b'a'; (1 << 20) + 1]);
        let fault = integrity(&Image::packed(&[gzip(&huge)]));
        assert!(
            fault.reasons()[0].contains("more than 1048576 bytes"),
            "{:?}",
            fault.reasons()
        );
    }
    let name = vec![b'a'; 1 << 19];
    let long = member(EntryType::GNULongName, ("x", ""), &name);
    let file = member(EntryType::Regular, ("x", ""), &library(&[], &[]));
    let contents = Image::packed(&[[long, file].concat()]).contents();
    assert_eq!(contents.nodes.len(), 0, "nobody can open that path");
}

#[test]
fn h10_more_links_than_any_image_has_are_refused_and_so_are_too_many_bytes() {
    let link = |name| member(EntryType::Symlink, (name, "x"), b"");
    let tar = [link("a"), link("b")].concat();
    for (nodes, bytes) in [(NODES - 1, 0), (0, BYTES - 3)] {
        let mut scan = Scan {
            nodes,
            bytes,
            ..Scan::default()
        };
        let error = scan
            .look_through(&mut Archive::new(&tar[..]))
            .expect_err("the second is too many");
        assert!(
            error.to_string().contains("more than 250000 libraries"),
            "{error}"
        );
    }
}

#[test]
fn h16_a_zstd_window_that_is_too_large_is_refused() {
    // Frame header (RFC 8878, 3.1.1.1): no flags, then a window of 2^(10 + 31) bytes, or of 2^(10 + 17).
    for window in [31 << 3, 17 << 3] {
        let frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, window][..], &[1, 0, 0]].concat();
        let fault = integrity(&Image::packed(&[frame]));
        assert!(
            fault.to_string().contains("cannot be looked into"),
            "{fault}"
        );
    }
}

#[test]
fn h10_what_is_cut_off_or_no_tar_is_an_error_of_its_kind() {
    let tar = one();
    let packed = gzip(&tar);
    let zstd = compress_to_vec(&tar[..], CompressionLevel::Fastest);
    let records = member(EntryType::XHeader, ("x", ""), b"999 path=x\n");
    let mut checksum = tar.clone();
    checksum[0] ^= 1;
    for bad in [
        tar[..700].to_vec(),
        tar[..100].to_vec(),
        packed[..packed.len() / 2].to_vec(),
        zstd[..zstd.len() / 2].to_vec(),
        zstd[..3].to_vec(),
        b"\x50\x2a\x4d\x18\xff\xff\xff\xff".to_vec(),
        [packed.as_slice(), &[0x1f, 0x8b, 0x08]].concat()[..packed.len() / 3].to_vec(),
        records,
        checksum,
        b"#!/bin/sh\n".repeat(100),
    ] {
        integrity(&Image::packed(&[bad]));
    }
}

#[test]
fn c03_a_damaged_layer_is_told_as_one_and_not_as_a_bad_archive() {
    let image = Image::packed(&[gzip(&one())]);
    let path = image
        .store
        .root()
        .join("blobs/sha256")
        .join(image.layers[0].digest.hex());
    let mut bytes = std::fs::read(&path).expect("there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::remove_file(&path).expect("removed");
    std::fs::write(&path, bytes).expect("written");
    let error = image.read().expect_err("damaged");
    assert_eq!(store::damaged(&error), Some(image.layers[0].digest));
}

#[test]
fn a_layer_that_never_was_a_tar_is_unknown_and_no_error() {
    let image = Image::packed(&[Vec::new()]);
    let squash = b"hsqs and more".repeat(100);
    for kind in [
        "application/vnd.example.squashfs",
        "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
    ] {
        let layer = image.store.put(kind, &squash).expect("put");
        let read = read(&[layer], &[&image.store], &image.store);
        assert_eq!(read.expect("no error"), None);
    }
}

#[test]
fn h10_an_elf_file_that_lies_is_known_by_its_first_bytes_alone() {
    let whole = library(&["liba.so"], &["A_1", "A_2"]);
    let mut lies = 0;
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        lies += usize::from(elf::library(&bytes).is_ok_and(|facts| !facts.is_known));
    }
    assert!(lies > 20, "{lies}");
    for end in [3, 4, 5, 19, 20, 63] {
        let image = Image::of(&[&[("lib/liba.so", Is::File(&whole[..end]))]]);
        assert!(
            image
                .contents()
                .file("/lib/liba.so")
                .is_none_or(|one| !one.is_known)
        );
    }
}

#[test]
fn a_library_beyond_what_is_held_is_known_by_its_first_bytes() {
    let mut large = library(&["libb.so"], &["A_1"]);
    large.resize(17 << 20, 0);
    let image = Image::of(&[&[("lib/liba.so", Is::File(&large))]]);
    let contents = image.contents();
    let found = contents.file("/lib/liba.so").expect("there");
    assert_eq!(
        (found.machine, found.is_64, found.is_known),
        (62, true, false)
    );
    assert_eq!(found.needed.len(), 0);
}

#[test]
fn what_is_beyond_the_end_of_the_archive_is_hashed_all_the_same() {
    let mut tar = one();
    tar.extend(vec![7; 300_000]);
    let mut packed = Counted(&tar, 0);
    through(&mut packed, |archive| {
        while archive.next()?.is_some() {}
        Ok(())
    })
    .expect("sound");
    assert_eq!(packed.1, tar.len());
}

struct Counted<'a>(&'a [u8], usize);

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        self.1 += count;
        Ok(count)
    }
}
