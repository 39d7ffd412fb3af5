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
fn libraries_are_copied_under_the_names_that_they_are_to_get() {
    let libc = library(&[], &["GLIBC_2.36"]);
    let image = Image::of(&[&[
        ("lib/libc-2.36.so", Is::File(&libc)),
        ("lib/libc.so.6", Is::Link("libc-2.36.so")),
        ("lib/libhard.so.1", Is::Hard("lib/libc-2.36.so")),
    ]]);
    let to = tempfile::tempdir().expect("a directory");
    let named = |name: &str, path: &str| (name.to_owned(), path.to_owned());
    let wanted = [
        named("libc.so.6", "/lib/libc.so.6"),
        named("libm.so.6", "/lib/libhard.so.1"),
    ];
    let contents = image.contents();
    contents
        .copy(&wanted, &[&image.store], to.path())
        .expect("copied");
    for name in ["libc.so.6", "libm.so.6"] {
        assert!(
            fs::read(to.path().join(name)).expect("there") == libc,
            "{name}"
        );
    }
    let missing = [named("libm.so.6", "/lib/libm.so.6")];
    contents
        .copy(&missing, &[&image.store], to.path())
        .expect_err("not there");
}

#[test]
fn a_whiteout_hides_what_lower_layers_have_and_nothing_beside_it() {
    let old = library(&[], &["OLD_1"]);
    let new = library(&[], &["NEW_1"]);
    let image = Image::of(&[
        &[
            ("usr/lib/libgone.so.1", Is::File(&old)),
            ("usr/lib/libgone.so.10", Is::File(&old)),
            ("usr/lib/libkept.so.1", Is::File(&old)),
            ("opt/app/libdeep.so", Is::File(&old)),
        ],
        &[
            ("usr/lib/libkept.so.1", Is::File(&new)),
            ("usr/lib/.wh.libkept.so.1", Is::File(b"")),
            ("usr/lib/.wh.libgone.so.1", Is::File(b"")),
            ("opt/.wh.app", Is::File(b"")),
            (".wh..wh.plnk", Is::Directory),
        ],
    ]);
    let contents = image.contents();
    assert_eq!(contents.file("/usr/lib/libgone.so.1"), None);
    assert_eq!(contents.file("/opt/app/libdeep.so"), None);
    assert!(contents.file("/usr/lib/libgone.so.10").is_some());
    let kept = contents
        .file("/usr/lib/libkept.so.1")
        .expect("of the upper layer");
    assert_eq!(kept.versions, ["NEW_1"]);
}

#[test]
fn an_opaque_directory_hides_all_that_was_in_it_wherever_it_stands_in_the_tar() {
    let libx = library(&[], &[]);
    let below: &[(&str, Is<'_>)] = &[
        ("usr/lib/libold.so", Is::File(&libx)),
        ("usr/lib64/libother.so", Is::File(&libx)),
    ];
    let image = Image::of(&[
        below,
        &[
            ("usr/lib/libnew.so", Is::File(&libx)),
            ("usr/lib/.wh..wh..opq", Is::File(b"")),
        ],
    ]);
    let contents = image.contents();
    assert_eq!(contents.file("/usr/lib/libold.so"), None);
    assert!(contents.file("/usr/lib/libnew.so").is_some());
    assert!(contents.file("/usr/lib64/libother.so").is_some());
    let root = Image::of(&[below, &[(".wh..wh..opq", Is::File(b""))]]);
    assert_eq!(root.contents().file("/usr/lib/libold.so"), None);
}

#[test]
fn what_takes_the_place_of_a_link_or_a_directory_is_what_is_there() {
    let libx = library(&[], &[]);
    let image = Image::of(&[
        &[
            ("lib", Is::Link("usr/lib")),
            ("usr/lib/libc.so.6", Is::File(&libx)),
            ("opt/libdir.so/libin.so", Is::File(&libx)),
            ("usr/lib/libtext.so", Is::File(&libx)),
        ],
        &[
            ("lib/", Is::Directory),
            ("opt/libdir.so", Is::File(b"no directory any more")),
            ("usr/lib/libtext.so", Is::File(b"INPUT(-lc)")),
        ],
    ]);
    let contents = image.contents();
    assert_eq!(
        contents.file("/lib/libc.so.6"),
        None,
        "`lib` is a directory now"
    );
    assert!(contents.file("/usr/lib/libc.so.6").is_some());
    assert_eq!(contents.file("/opt/libdir.so/libin.so"), None);
    assert_eq!(contents.file("/usr/lib/libtext.so"), None);
}

#[test]
fn a_file_below_a_link_of_a_lower_layer_lies_where_the_link_leads() {
    let libx = library(&[], &[]);
    let image = Image::of(&[
        &[("lib", Is::Link("usr/lib"))],
        &[("./lib/libx.so", Is::File(&libx))],
        &[("lib/liby.so", Is::File(&libx))],
        &[("lib/.wh.liby.so", Is::File(b""))],
    ]);
    let contents = image.contents();
    assert!(contents.file("/usr/lib/libx.so").is_some());
    assert_eq!(contents.file("/usr/lib/liby.so"), None);
}

#[test]
fn h10_no_name_and_no_link_leads_out_of_the_root_and_loops_end() {
    let libx = library(&[], &[]);
    let image = Image::of(&[&[
        ("../../etc/lib/libup.so", Is::File(&libx)),
        ("/lib/libabsolute.so", Is::File(&libx)),
        (
            "lib/libout.so",
            Is::Link("../../../../../lib/libabsolute.so"),
        ),
        ("a", Is::Link("b")),
        ("b", Is::Link("/a")),
        ("a/libx.so", Is::File(&libx)),
        ("self", Is::Link("self/self/self")),
        ("lib/libself.so", Is::Link("libself.so")),
    ]]);
    let contents = image.contents();
    assert!(contents.file("/etc/lib/libup.so").is_some());
    assert!(contents.file("/lib/libout.so").is_some());
    for path in [
        "/a/libx.so",
        "/self",
        "/lib/libself.so",
        "/self/../lib/nothing.so",
    ] {
        assert_eq!(contents.file(path), None, "{path}");
    }
    assert_eq!(contents.library("libself.so", &["/a".to_owned()]), None);
}

#[test]
fn the_loaders_own_list_of_directories_is_followed() {
    let libx = library(&[], &[]);
    let image = Image::of(&[&[
        (
            "etc/ld.so.conf",
            Is::File(
                b"# ours\ninclude /etc/ld.so.conf.d/*.conf\n/opt/first:/opt/second  /opt/third\n",
            ),
        ),
        (
            "etc/ld.so.conf.d/vendor.conf",
            Is::File(b"/opt/vendor # here\ninclude ld.so.conf\n"),
        ),
        ("etc/ld.so.conf.d/README", Is::File(b"/opt/not")),
        ("opt/vendor/libv.so", Is::File(&libx)),
        ("opt/third/lib3.so", Is::File(&libx)),
        ("opt/not/libnot.so", Is::File(&libx)),
        ("opt/first/libc.so.6", Is::File(&libx)),
        ("lib/libc.so.6", Is::File(&libx)),
    ]]);
    let contents = image.contents();
    let found = |name| contents.library(name, &[]).map(|(path, _)| path);
    assert_eq!(found("libv.so").as_deref(), Some("/opt/vendor/libv.so"));
    assert_eq!(found("lib3.so").as_deref(), Some("/opt/third/lib3.so"));
    assert_eq!(found("libnot.so"), None);
    assert_eq!(found("libc.so.6").as_deref(), Some("/opt/first/libc.so.6"));
    let more = ["/lib".to_owned()];
    let path = contents.library("libc.so.6", &more).map(|(path, _)| path);
    assert_eq!(
        path.as_deref(),
        Some("/lib/libc.so.6"),
        "RUNPATH comes first"
    );
}

#[test]
fn a_layer_that_is_not_here_leaves_everything_unknown_and_no_layer_is_opened() {
    let image = Image::of(&[
        &[("lib/liba.so", Is::File(b""))],
        &[("lib/libb.so", Is::File(b""))],
    ]);
    let directory = image.store.root().join("blobs/sha256");
    fs::remove_file(directory.join(image.layers[1].digest.hex())).expect("removed");
    // A damaged first layer would be an error if it were read.
    let first = directory.join(image.layers[0].digest.hex());
    let size = fs::metadata(&first).expect("there").len();
    fs::remove_file(&first).expect("removed");
    fs::write(&first, vec![7; usize::try_from(size).expect("small")]).expect("written");
    assert_eq!(image.read().expect("no error"), None);
}

#[test]
fn a_layer_is_taken_from_the_first_store_that_has_it() {
    let one = Image::of(&[&[("lib/liba.so", Is::File(&library(&[], &[])))]]);
    let other = Image::of(&[&[("lib/libb.so", Is::File(&library(&[], &[])))]]);
    let layers = [one.layers.clone(), other.layers.clone()].concat();
    let contents = read(&layers, &[&one.store, &other.store], &one.store);
    let contents = contents.expect("sound").expect("here");
    assert!(contents.file("/lib/liba.so").is_some() && contents.file("/lib/libb.so").is_some());
}

#[test]
fn a_damaged_memory_or_one_of_another_version_is_none() {
    let image = Image::of(&[&[("lib/liba.so", Is::File(&library(&[], &["A_1"])))]]);
    let contents = image.contents();
    let key = key(&contents.layers);
    let path = image
        .store
        .root()
        .join(format!(".rbuild/records/contents/{}.json", key.hex()));
    let good = fs::read(&path).expect("remembered");
    let torn = &good[..good.len() / 2];
    let strange = json!({"version": VERSION, "nodes": {"lib/liba.so": {"layer": 7, "member": 1, "what": {"Link": "x"}}}});
    let older = json!({"version": VERSION - 1, "nodes": {}});
    for bad in [
        torn,
        strange.to_string().as_bytes(),
        older.to_string().as_bytes(),
        b"{}",
    ] {
        fs::remove_file(&path).expect("removed");
        fs::write(&path, bad).expect("written");
        assert_eq!(image.contents(), contents);
    }
}

#[test]
fn a_memory_that_cannot_be_written_costs_nothing_but_time() {
    let image = Image::of(&[&[("lib/liba.so", Is::File(&library(&[], &[])))]]);
    let source = Store::source(image.store.root(), &Notes::recorded()).expect("a store");
    let read = read(&image.layers, &[&source], &source)
        .expect("sound")
        .expect("here");
    assert!(read.file("/lib/liba.so").is_some());
}
