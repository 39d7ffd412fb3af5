//! Layouts of distributions, made of files that begin as ELF does.

use super::*;

use tempfile::TempDir;

/// A file system with a library for a machine at each path.
fn machine(libraries: &[(&str, &str)], files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().expect("a directory");
    let write = |path: &str, bytes: &[u8]| {
        let file = within(root.path(), path);
        fs::create_dir_all(file.parent().expect("a directory")).expect("made");
        fs::write(file, bytes).expect("written");
    };
    for (path, name) in libraries {
        write(path, &head(name));
    }
    for (path, text) in files {
        write(path, text.as_bytes());
    }
    root
}

fn head(name: &str) -> [u8; 20] {
    let platform: Platform = name.parse().expect(name);
    let mut head = [0; 20];
    head[..4].copy_from_slice(b"\x7fELF");
    head[4] = if ["linux/386", "linux/arm/v7"].contains(&name) {
        1
    } else {
        2
    };
    let machine = platform.machine().expect("a machine");
    let (order, bytes) = match name {
        "linux/s390x" => (2, machine.to_be_bytes()),
        _ => (1, machine.to_le_bytes()),
    };
    head[5] = order;
    head[18..].copy_from_slice(&bytes);
    head
}

fn found(root: &TempDir, platform: &str) -> Option<String> {
    let file = library(root.path(), &platform.parse().expect(platform), "libc.so.6")?;
    let file = file.strip_prefix(root.path()).expect("below the root");
    Some(format!("/{}", file.display()))
}

#[test]
fn the_usual_places_of_distributions_are_looked_into() {
    for (platform, path) in [
        ("linux/amd64", "/lib/x86_64-linux-gnu/libc.so.6"),
        ("linux/amd64", "/usr/lib/x86_64-linux-gnu/libc.so.6"),
        ("linux/amd64", "/lib64/libc.so.6"),
        ("linux/amd64", "/usr/lib64/libc.so.6"),
        ("linux/amd64", "/usr/lib/libc.so.6"),
        ("linux/arm64", "/lib/aarch64-linux-gnu/libc.so.6"),
        ("linux/386", "/lib/i386-linux-gnu/libc.so.6"),
        ("linux/arm/v7", "/lib/arm-linux-gnueabihf/libc.so.6"),
        ("linux/riscv64", "/lib/riscv64-linux-gnu/libc.so.6"),
        ("linux/s390x", "/lib/s390x-linux-gnu/libc.so.6"),
    ] {
        let root = machine(&[(path, platform)], &[]);
        assert_eq!(found(&root, platform).as_deref(), Some(path));
    }
}

#[test]
fn a_library_for_another_machine_is_passed_over() {
    let root = machine(
        &[
            ("/lib64/libc.so.6", "linux/arm64"),
            ("/usr/lib64/libc.so.6", "linux/386"),
            ("/usr/lib/libc.so.6", "linux/amd64"),
        ],
        &[("/lib/libc.so.6", "GROUP ( /lib64/libc.so.6 ) and more text")],
    );
    let path = found(&root, "linux/amd64");
    assert_eq!(path.as_deref(), Some("/usr/lib/libc.so.6"));
    assert_eq!(found(&root, "linux/s390x"), None);
}

#[test]
fn what_the_loaders_configuration_names_comes_first() {
    let root = machine(
        &[
            ("/opt/second/libc.so.6", "linux/amd64"),
            ("/opt/first/libc.so.6", "linux/amd64"),
            ("/lib64/libc.so.6", "linux/amd64"),
        ],
        &[
            (
                "/etc/ld.so.conf",
                "# include nothing\ninclude ld.so.conf.d/*.conf\n/opt/last # words",
            ),
            ("/etc/ld.so.conf.d/b.conf", "/opt/second"),
            ("/etc/ld.so.conf.d/a.conf", "/opt/none:/opt/first=libc6\n"),
            ("/etc/ld.so.conf.d/0.txt", "/opt/second"),
        ],
    );
    let path = found(&root, "linux/amd64");
    assert_eq!(path.as_deref(), Some("/opt/first/libc.so.6"));
}

#[test]
fn files_that_include_each_other_come_to_an_end() {
    let root = machine(
        &[("/opt/libc.so.6", "linux/amd64")],
        &[("/etc/ld.so.conf", "include /etc/ld.so.conf\n/opt\n")],
    );
    assert_eq!(
        found(&root, "linux/amd64").as_deref(),
        Some("/opt/libc.so.6")
    );
}
