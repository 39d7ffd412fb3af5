//! Layers over layers: links, whiteouts, memory.

use std::fs;

use super::*;

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

#[test]
fn libraries_are_found_through_the_links_of_a_merged_usr() {
    let libc = library(&["ld-linux-x86-64.so.2"], &["GLIBC_2.2.5", "GLIBC_2.36"]);
    let image = Image::of(&[&[
        ("lib", Is::Link("usr/lib")),
        ("lib64", Is::Link("usr/lib64")),
        (
            "usr/lib64/ld-linux-x86-64.so.2",
            Is::Link("/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
        ),
        (
            "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
            Is::File(&library(&[], &[])),
        ),
        ("usr/lib/x86_64-linux-gnu/libc.so.6", Is::File(&libc)),
        ("usr/bin/ls", Is::File(&libc)),
    ]]);
    let contents = image.contents();
    assert!(contents.file(LOADER).is_some());
    let (path, libc) = contents.library("libc.so.6", &[]).expect("found");
    assert_eq!(path, "/usr/lib/x86_64-linux-gnu/libc.so.6");
    assert_eq!((libc.machine, libc.is_64, libc.is_known), (62, true, true));
    assert_eq!(libc.needed, ["ld-linux-x86-64.so.2"]);
    assert_eq!(libc.versions, ["GLIBC_2.2.5", "GLIBC_2.36"]);
    assert_eq!(contents.file("/usr/bin/ls"), None);
    assert_eq!(contents.library("libssl.so.3", &[]), None);
}

#[test]
fn what_was_read_once_is_not_read_again() {
    let image = Image::of(&[&[("lib/libc.so.6", Is::File(&library(&[], &["GLIBC_2.36"])))]]);
    let contents = image.contents();
    let blob = image
        .store
        .root()
        .join("blobs/sha256")
        .join(image.layers[0].digest.hex());
    fs::remove_file(blob).expect("removed");
    assert_eq!(image.contents(), contents);
}

#[test]
fn libraries_are_copied_under_the_names_that_were_asked_for() {
    let libc = library(&[], &["GLIBC_2.36"]);
    let image = Image::of(&[&[
        ("lib/libc-2.36.so", Is::File(&libc)),
        ("lib/libc.so.6", Is::Link("libc-2.36.so")),
        ("lib/libhard.so.1", Is::Hard("lib/libc-2.36.so")),
    ]]);
    let to = tempfile::tempdir().expect("a directory");
    let paths = ["/lib/libc.so.6".to_owned(), "/lib/libhard.so.1".to_owned()];
    let contents = image.contents();
    contents
        .copy(&paths, &[&image.store], to.path())
        .expect("copied");
    for name in ["libc.so.6", "libhard.so.1"] {
        assert!(
            fs::read(to.path().join(name)).expect("there") == libc,
            "{name}"
        );
    }
    let missing = ["/lib/libm.so.6".to_owned()];
    contents
        .copy(&missing, &[&image.store], to.path())
        .expect_err("not there");
}
