//! Who is linked against a base, and who is not.

use super::*;

use std::fs;

use super::tests::{ARM_GNU, Machine, X86_GNU, linked_on, platform, told};
use crate::config::Libc;

fn wanted(machine: &Machine, variables: &[(&str, &str)], needs: &[CNeed]) -> bool {
    let toolchain = machine.toolchain(variables);
    let target = target(&toolchain, &platform("linux/arm64"), Libc::Gnu).expect("a target");
    takes_base(&toolchain, &target, needs).expect("an answer")
}

#[test]
fn a_program_of_rust_alone_is_linked_against_its_base_unless_the_user_chose_a_linker() {
    let machine = Machine::with(&[X86_GNU, ARM_GNU]);
    assert!(wanted(&machine, &[], &[]));
    let c = CNeed {
        package: "ring".to_owned(),
        why: vec!["ring".to_owned()],
        is_cxx: false,
    };
    assert!(!wanted(&machine, &[], &[c]));
    for (name, value) in [
        ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "mold"),
        ("RUSTFLAGS", "-Clinker=mold"),
        ("RUSTFLAGS", "--codegen=linker=mold"),
        ("RUSTFLAGS", "-C linker-flavor=gcc"),
        ("RUSTFLAGS", "-Ctarget-feature=+crt-static"),
    ] {
        assert!(!wanted(&machine, &[(name, value)], &[]), "{name}={value}");
    }
}

#[test]
fn a_static_program_asks_no_base() {
    let machine = Machine::with(&[X86_GNU]);
    let toolchain = machine.toolchain(&[]);
    let target = target(&toolchain, &platform("linux/amd64"), Libc::Auto).expect("a target");
    assert!(!takes_base(&toolchain, &target, &[]).expect("an answer"));
}

fn lacking() -> BaseLibraries {
    BaseLibraries::Lacking {
        reason: "its layers are not here".to_owned(),
        hint: "run `rbuild cache warm --layers it`".to_owned(),
    }
}

#[test]
fn without_any_linker_the_refusal_says_what_the_base_lacks_and_how_it_comes_here() {
    let machine = Machine::with(&[X86_GNU, ARM_GNU]);
    let error = linked_on(&machine.toolchain(&[]), "linux/arm64", &lacking());
    let text = told(&error.expect_err("refused"));
    assert!(text.contains("its layers are not here"), "{text}");
    assert!(text.contains("`rbuild cache warm --layers it`"), "{text}");
    assert!(text.contains("aarch64-linux-gnu-gcc"), "{text}");
}

#[test]
fn a_machine_whose_start_is_not_known_is_not_linked_against_its_base() {
    let armv6 = "arm-unknown-linux-gnueabihf";
    let machine = Machine::with(&[X86_GNU, armv6]);
    let base = BaseLibraries::At(machine.path("libraries"));
    let error = linked_on(&machine.toolchain(&[]), "linux/arm/v6", &base);
    let text = told(&error.expect_err("refused"));
    assert!(
        text.contains(&format!("cannot start a program for `{armv6}`")),
        "{text}"
    );
    assert!(
        text.contains("`CARGO_TARGET_ARM_UNKNOWN_LINUX_GNUEABIHF_LINKER`"),
        "{text}"
    );
}

#[test]
fn who_links_instead_of_the_bases_libraries_is_said() {
    let machine = Machine::with(&[X86_GNU, ARM_GNU]);
    machine.file("path/aarch64-linux-gnu-gcc", "");
    machine.file("path/cc", "");
    let chosen = linked_on(&machine.toolchain(&[]), "linux/arm64", &lacking()).expect("a linker");
    assert_eq!(chosen.link.linker.as_deref(), Some("aarch64-linux-gnu-gcc"));
    let expected = "linux/arm64 is linked by `aarch64-linux-gnu-gcc`, not against its base: its layers are not here; \
                    run `rbuild cache warm --layers it`";
    assert_eq!(chosen.notes, [expected]);
    assert!(chosen.reasons.contains(&expected.to_owned()));
}

#[test]
fn cc_links_for_this_machine_when_its_build_scripts_may_bring_c() {
    let machine = Machine::with(&[X86_GNU]);
    machine.file("path/cc", "");
    let base = BaseLibraries::At(machine.path("libraries"));
    let package = |name: &str| {
        format!(
            "\n[[package]]\nname = \"{name}\"\nversion = \"1\"\ndependencies = [\n \"cc\",\n]\n"
        )
    };
    machine.file("workspace/Cargo.lock", &package("zstd-sys"));
    let chosen = linked_on(&machine.toolchain(&[]), "linux/amd64", &base).expect("a linker");
    assert_eq!(chosen.link.linker, None);
    assert!(
        chosen.notes[0].contains("may bring C"),
        "{:?}",
        chosen.notes
    );

    // Of chrono's, for other systems alone: now the start is compiled, which this machine has no rustc for.
    machine.file("workspace/Cargo.lock", &package("iana-time-zone-haiku"));
    let error = linked_on(&machine.toolchain(&[]), "linux/amd64", &base);
    let text = format!("{:#}", error.expect_err("no rustc"));
    assert!(text.contains("/no/rustc"), "{text}");
    fs::remove_file(machine.path("workspace/Cargo.lock")).expect("removed");
}
