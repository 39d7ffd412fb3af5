//! Programs and bases made by hand: what starts where, and what is said of what does not.

use std::collections::BTreeSet;
use std::fs;

use super::elf::check;
use super::tests::link;
use super::*;
use crate::contents::Contents;
use crate::contents::elf::{self, Facts};
use crate::testing::{self, Elf};

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
const GLIBC: [&str; 4] = ["GLIBC_2.2.5", "GLIBC_2.34", "GLIBC_2.9", "GLIBC_2.36"];

/// What a program that needs libc and these versions says of itself; library, version, and whether it starts without it.
fn program(needed: &[&str], versions: &[(&str, &str, bool)]) -> Facts {
    facts(&Elf {
        interpreter: Some(LOADER),
        needed,
        versions,
        ..Elf::default()
    })
}

fn facts(spec: &Elf<'_>) -> Facts {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("web");
    fs::write(&file, testing::elf(spec)).expect("written");
    elf::program(fs::File::open(file).expect("opens")).expect("a program")
}

fn library(needed: &[&str], defined: &[&str]) -> Vec<u8> {
    testing::elf(&Elf {
        needed,
        defined,
        ..Elf::default()
    })
}

/// glibc 2.36 where Debian has it, and more files.
fn debian(more: &[(&str, Vec<u8>)]) -> Contents {
    let libc = library(&["ld-linux-x86-64.so.2"], &GLIBC);
    let mut files = vec![
        (&LOADER[1..], library(&[], &["GLIBC_2.2.5"])),
        ("usr/lib/x86_64-linux-gnu/libc.so.6", libc),
    ];
    files.extend(more.iter().map(|(name, bytes)| (*name, bytes.clone())));
    testing::contents(&files)
}

/// What is said of a program on that base; nothing if it starts.
fn said_of(facts: &Facts, contents: &Contents) -> String {
    match judged(facts, (contents, &[], &[])) {
        Ok(()) => String::new(),
        Err(fault) => fault.to_string(),
    }
}

fn judged(
    facts: &Facts,
    (contents, library_path, added): (&Contents, &[&str], &[&str]),
) -> Result<(), Fault> {
    let library_path: Vec<String> = library_path.iter().map(|one| (*one).to_owned()).collect();
    let added: BTreeSet<String> = added.iter().map(|one| (*one).to_owned()).collect();
    let program = Program {
        name: "web",
        path: "/app/web",
        facts,
    };
    let home = Home {
        name: "debian12",
        contents,
        library_path: &library_path,
        added: &added,
    };
    fits(program, home)
}

#[test]
fn a_program_starts_where_loader_libraries_and_versions_are() {
    let program = program(
        &["libc.so.6", "ld-linux-x86-64.so.2"],
        &[
            ("libc.so.6", "GLIBC_2.34", false),
            ("libc.so.6", "GLIBC_2.2.5", false),
        ],
    );
    assert_eq!(said_of(&program, &debian(&[])), "");
}

#[test]
fn a_newer_glibc_than_the_base_has_is_refused_with_both_numbers_and_three_ways_out() {
    let program = program(
        &["libc.so.6"],
        &[
            ("libc.so.6", "GLIBC_2.4", false),
            ("libc.so.6", "GLIBC_2.38", false),
        ],
    );
    let fault = judged(&program, (&debian(&[]), &[], &[])).expect_err("refused");
    assert_eq!(
        fault.to_string(),
        "`web` needs glibc 2.38 (symbol version GLIBC_2.38 of libc.so.6), the base `debian12` has 2.36"
    );
    assert_eq!(fault.kind, Kind::Refused);
    let hints = fault.hints();
    assert_eq!(hints.len(), 3);
    assert!(hints[0].contains("`libc: musl`"), "{}", hints[0]);
    assert!(hints[1].contains("glibc 2.38 or newer"), "{}", hints[1]);
    assert!(hints[2].contains("the base's own libc"), "{}", hints[2]);
}

#[test]
fn a_glibc_that_rbuild_cannot_link_against_is_no_way_out() {
    let old = library(&[], &["GLIBC_2.17", "GLIBC_2.31"]);
    let program = program(&["libc.so.6"], &[("libc.so.6", "GLIBC_2.38", false)]);
    let home = debian(&[("lib/x86_64-linux-gnu/libc.so.6", old)]);
    let fault = judged(&program, (&home, &[], &[])).expect_err("refused");
    assert!(fault.to_string().ends_with("has 2.31"), "{fault}");
    assert_eq!(fault.hints().len(), 2);
}

#[test]
fn a_version_that_is_needed_weakly_refuses_nothing() {
    let program = program(&["libc.so.6"], &[("libc.so.6", "GLIBC_2.39", true)]);
    assert_eq!(said_of(&program, &debian(&[])), "");
}

#[test]
fn a_version_that_is_no_number_of_glibc_is_named_as_it_is() {
    let needs = |library, version| program(&[library], &[(library, version, false)]);
    let base = debian(&[("usr/lib/libssl.so.3", library(&[], &["OPENSSL_3.0.0"]))]);
    assert_eq!(
        said_of(&needs("libssl.so.3", "OPENSSL_3.2.0"), &base),
        "`web` needs the symbol version OPENSSL_3.2.0 of libssl.so.3, which that of the base `debian12` does not define"
    );
    assert_eq!(
        said_of(&needs("libc.so.6", "GLIBC_ABI_DT_RELR"), &base),
        "`web` needs the symbol version GLIBC_ABI_DT_RELR of libc.so.6, which that of the base `debian12` does not define"
    );
}

#[test]
fn a_library_without_any_version_is_taken_as_the_loader_takes_it() {
    let base = debian(&[("usr/lib/libold.so.1", library(&[], &[]))]);
    let program = program(&["libold.so.1"], &[("libold.so.1", "OLD_2", false)]);
    assert_eq!(said_of(&program, &base), "");
}

#[test]
fn a_library_that_is_missing_is_named_and_its_package_where_that_is_certain() {
    let fault = |name| {
        let program = program(&["libc.so.6", name], &[]);
        judged(&program, (&debian(&[]), &[], &[])).expect_err("refused")
    };
    let gcc = fault("libgcc_s.so.1");
    assert_eq!(
        gcc.to_string(),
        "`web` needs libgcc_s.so.1, which the base `debian12` does not have"
    );
    assert!(
        gcc.reasons()[1].ends_with("in the package `libgcc-s1`"),
        "{:?}",
        gcc.reasons()
    );
    assert_eq!(fault("libstrange.so.4").reasons().len(), 1);
}

#[test]
fn libraries_of_libraries_are_looked_for_too_and_circles_end() {
    let around = [
        ("usr/lib/libone.so", library(&["libtwo.so"], &[])),
        (
            "usr/lib/libtwo.so",
            library(&["libone.so", "libthree.so"], &[]),
        ),
    ];
    let program = program(&["libone.so"], &[]);
    assert_eq!(
        said_of(&program, &debian(&around)),
        "`web` needs libtwo.so, that needs libthree.so, and the base `debian12` does not have it"
    );
    let three = ("usr/lib/libthree.so", library(&[], &[]));
    let whole = [around.as_slice(), &[three]].concat();
    assert_eq!(said_of(&program, &debian(&whole)), "");
}

#[test]
fn libraries_of_another_machine_are_none() {
    let arm = testing::elf(&Elf {
        machine: 183,
        ..Elf::default()
    });
    let base = debian(&[("usr/lib/libpq.so.5", arm.clone())]);
    let program = program(&["libpq.so.5"], &[]);
    assert!(said_of(&program, &base).contains("needs libpq.so.5"));
    let strange = testing::contents(&[(&LOADER[1..], arm)]);
    assert!(said_of(&program, &strange).contains("needs the dynamic loader"));
}

#[test]
fn runpath_and_library_path_and_assets_are_looked_at() {
    let private = debian(&[("opt/lib/libmine.so", library(&[], &[]))]);
    let plain = program(&["libmine.so"], &[]);
    let says = |path: &[&str], added: &[&str]| judged(&plain, (&private, path, added));
    says(&[], &[]).expect_err("nobody looks there");
    says(&["/opt/lib"], &[]).expect("found");
    says(&[], &["/app/lib/libmine.so"]).expect("an asset");
    let beside = facts(&Elf {
        interpreter: Some(LOADER),
        needed: &["libmine.so"],
        runpath: "$ORIGIN/../opt/lib",
        ..Elf::default()
    });
    assert_eq!(said_of(&beside, &private), "");
    let further = debian(&[
        ("opt/lib/libmine.so", library(&["libdeeper.so"], &[])),
        ("opt/lib/libdeeper.so", library(&[], &[])),
    ]);
    assert_eq!(
        said_of(&beside, &further),
        "",
        "its directories are inherited"
    );
}

#[test]
fn musl_looks_in_usr_local_by_itself_and_glibc_does_not() {
    let musl = "/lib/ld-musl-x86_64.so.1";
    let libmine = ("usr/local/lib/libmine.so", library(&[], &[]));
    let alpine = testing::contents(&[(&musl[1..], library(&[], &[])), libmine.clone()]);
    let on_musl = facts(&Elf {
        interpreter: Some(musl),
        needed: &["libmine.so"],
        ..Elf::default()
    });
    assert_eq!(said_of(&on_musl, &alpine), "");
    let on_glibc = program(&["libmine.so"], &[]);
    assert!(said_of(&on_glibc, &debian(&[libmine])).contains("needs libmine.so"));
}

#[test]
fn a_base_without_the_loader_is_refused_and_says_what_it_has() {
    let musl = "/lib/ld-musl-x86_64.so.1";
    let alpine = testing::contents(&[(&musl[1..], library(&[], &[]))]);
    let program = program(&["libc.so.6"], &[]);
    let fault = judged(&program, (&alpine, &[], &[])).expect_err("refused");
    assert_eq!(
        fault.to_string(),
        format!("`web` needs the dynamic loader {LOADER}, which the base `debian12` does not have")
    );
    assert_eq!(fault.reasons(), [format!("it has {musl}")]);
    let empty = judged(&program, (&testing::contents(&[]), &[], &[])).expect_err("refused");
    assert_eq!(empty.reasons(), ["there is no dynamic loader in it at all"]);
}

#[test]
fn a_program_for_musls_loader_starts_on_a_base_that_has_it() {
    let musl = "/lib/ld-musl-x86_64.so.1";
    let alpine = testing::contents(&[(&musl[1..], library(&[], &[]))]);
    for libc in ["libc.so", "libc.musl-x86_64.so.1"] {
        let program = facts(&Elf {
            interpreter: Some(musl),
            needed: &[libc],
            ..Elf::default()
        });
        assert_eq!(said_of(&program, &alpine), "");
        assert!(said_of(&program, &debian(&[])).contains("ld-musl"));
    }
}

#[test]
fn a_static_program_asks_nothing_of_its_base() {
    let program = facts(&Elf {
        needed: &["libghost.so"],
        ..Elf::default()
    });
    assert_eq!(program.needed.len(), 0, "its sections are not read");
    assert_eq!(said_of(&program, &testing::contents(&[])), "");
}

#[test]
fn what_a_real_linker_wrote_is_read() {
    let file = std::env::current_exe().expect("this test");
    let binary = Binary {
        package_id: String::new(),
        name: "test".to_owned(),
        platform: "linux/amd64".parse().expect("a platform"),
        file,
        fresh: false,
    };
    let Ok(facts) = check(&binary, &link(tests::X86)) else {
        return; // another machine than the table's first
    };
    let Some(loader) = facts.interpreter else {
        return; // built for musl
    };
    assert_eq!(loader, LOADER);
    assert!(facts.is_known);
    assert!(
        facts.needed.contains(&"libc.so.6".to_owned()),
        "{:?}",
        facts.needed
    );
    let libc = facts
        .versions
        .iter()
        .filter(|one| one.library == "libc.so.6");
    assert!(libc.count() > 2, "{:?}", facts.versions);
}
