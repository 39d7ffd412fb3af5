//! Real libraries: those of the machine that the tests run on.

use std::fs;

use super::*;

const DIRECTORY: &str = "usr/lib/x86_64-linux-gnu";

/// A layer as Debian's usr-merged bases have it, with real libraries.
fn layer(names: &[&str]) -> Vec<u8> {
    let mut tar = member(EntryType::Symlink, ("lib", "usr/lib"), b"");
    tar.extend(member(EntryType::Symlink, ("lib64", "usr/lib64"), b""));
    let loader = "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
    let link = ("usr/lib64/ld-linux-x86-64.so.2", loader);
    tar.extend(member(EntryType::Symlink, link, b""));
    for name in names {
        let path = format!("{DIRECTORY}/{name}");
        let bytes = fs::read(format!("/{path}")).expect("Debian's");
        tar.extend(member(EntryType::Regular, (&path, ""), &bytes));
    }
    tar
}

#[test]
#[ignore = "needs Debian's libc6, libgcc-s1 and libstdc++6 for amd64"]
fn the_libraries_of_debian_are_understood() {
    let names = [
        "libc.so.6",
        "libm.so.6",
        "libgcc_s.so.1",
        "libstdc++.so.6",
        "ld-linux-x86-64.so.2",
    ];
    let image = Image::packed(&[gzip(&layer(&names))]);
    let contents = image.contents();
    for name in names {
        let (path, library) = contents.library(name, &[]).expect(name);
        assert_eq!(path, format!("/{DIRECTORY}/{name}"));
        assert!(library.is_known && library.is_64, "{name}");
        assert!(library.versions.len() > 3, "{name}: {:?}", library.versions);
    }
    let versions = |name: &str| {
        contents
            .library(name, &[])
            .expect("found")
            .1
            .versions
            .clone()
    };
    assert!(versions("libc.so.6").contains(&"GLIBC_2.34".to_owned()));
    assert!(versions("libstdc++.so.6").contains(&"GLIBCXX_3.4".to_owned()));
    let (_, cxx) = contents.library("libstdc++.so.6", &[]).expect("found");
    assert!(
        cxx.needed.contains(&"libgcc_s.so.1".to_owned()),
        "{:?}",
        cxx.needed
    );
    assert!(contents.file("/lib64/ld-linux-x86-64.so.2").is_some());
    assert_eq!(contents.loaders(), ["/usr/lib64/ld-linux-x86-64.so.2"]);
}
