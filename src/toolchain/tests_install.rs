//! Targets that are missing: all of them in one answer, and what that answer says to type.

use super::tests::{ARM_MUSL, Machine, X86_GNU, X86_MUSL, platform};
use super::*;
use crate::config::Libc;
use crate::platform::Platform;

const S390X: &str = "s390x-unknown-linux-gnu";

fn platforms(names: &[&str]) -> Vec<Platform> {
    names.iter().map(|name| platform(name)).collect()
}

fn lacking(machine: &Machine, names: &[&str]) -> Missing {
    let missing = missing(&machine.toolchain(&[]), &platforms(names), Libc::Auto);
    missing.expect("targets").expect("some are missing")
}

#[test]
fn all_missing_targets_are_named_in_one_refusal_with_one_command() {
    let machine = Machine::with(&[X86_MUSL]);
    let names = ["linux/arm64", "linux/amd64", "linux/s390x", "linux/386"];
    let fault = not_installed(&[lacking(&machine, &names)]);
    assert_eq!(
        fault.to_string(),
        format!(
            "cannot compile for linux/arm64, linux/s390x, linux/386: the rust targets `{ARM_MUSL}`, `{S390X}`, \
             `i686-unknown-linux-musl` are not installed"
        )
    );
    let command = format!("run `rustup target add {ARM_MUSL} {S390X} i686-unknown-linux-musl`");
    assert_eq!(fault.hints()[0], command);
    assert!(fault.hints()[1].contains("--install-targets"));
    assert_eq!(fault.reasons().len(), 3);
}

#[test]
fn two_calls_with_one_toolchain_make_one_command_of_it() {
    let machine = Machine::with(&[X86_MUSL]);
    let mut first = lacking(&machine, &["linux/arm64"]);
    let second = lacking(&machine, &["linux/arm64", "linux/s390x"]);
    assert!(first.is_of(&second));
    first.add(second);
    let command = format!("run `rustup target add {ARM_MUSL} {S390X}`");
    assert_eq!(not_installed(&[first]).hints()[0], command);
}

#[test]
fn a_toolchain_that_a_file_pins_is_named_in_the_command() {
    let machine = Machine::with(&[X86_MUSL]);
    machine.file("rust-toolchain.toml", "");
    let fault = not_installed(&[lacking(&machine, &["linux/arm64"])]);
    let command = format!("run `rustup target add {ARM_MUSL} --toolchain sysroot`");
    assert_eq!(fault.hints()[0], command);
}

#[test]
fn nothing_is_missing_where_the_host_falls_back_on_its_own_glibc() {
    let machine = Machine::with(&[X86_GNU, ARM_MUSL]);
    let names = platforms(&["linux/amd64", "linux/arm64"]);
    let missing = missing(&machine.toolchain(&[]), &names, Libc::Auto);
    assert_eq!(missing.expect("targets"), None);
}

#[test]
fn a_platform_without_any_target_is_refused_before_anything_is_installed() {
    let machine = Machine::with(&[X86_GNU]);
    let names = platforms(&["linux/arm64", "plan9/amd64"]);
    assert!(missing(&machine.toolchain(&[]), &names, Libc::Auto).is_err());
}

#[test]
fn a_variant_that_no_target_serves_is_refused_with_the_plain_platform_and_the_flag() {
    let machine = Machine::with(&[X86_MUSL]);
    let named = platforms(&["linux/amd64/v3"]);
    let error = missing(&machine.toolchain(&[]), &named, Libc::Auto).expect_err("refused");
    let told = tests::told(&error);
    assert!(told.contains("use `linux/amd64`"), "{told}");
    assert!(told.contains("-Ctarget-cpu=x86-64-v3"), "{told}");
}

#[test]
fn where_rustup_has_no_musl_glibc_is_linked_statically_by_the_cross_compiler() {
    let machine = Machine::with(&[X86_MUSL, S390X]);
    machine.file("path/s390x-linux-gnu-gcc", "");
    let toolchain = machine.toolchain(&[]);
    let target = target(&toolchain, &platform("linux/s390x"), Libc::Auto).expect("a target");
    assert!(target.is_static);
    let note = target.note.clone().expect("a note");
    assert!(note.contains("no musl target for linux/s390x"), "{note}");
    let chosen = link_at(&toolchain, &target, &[], &machine.path("workspace")).expect("a link");
    assert_eq!(chosen.link.linker.as_deref(), Some("s390x-linux-gnu-gcc"));
    let last = chosen.link.rustflags.last().map(String::as_str);
    assert_eq!(
        (chosen.link.is_static, last),
        (true, Some("-Ctarget-feature=+crt-static"))
    );
}

#[test]
fn glibc_by_name_stays_dynamic_where_rustup_has_no_musl() {
    let machine = Machine::with(&[S390X]);
    let target = target(&machine.toolchain(&[]), &platform("linux/s390x"), Libc::Gnu);
    let target = target.expect("a target");
    assert_eq!((target.is_static, target.note), (false, None));
}
