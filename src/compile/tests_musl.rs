//! Real cargo with what a newcomer's machine may lack: a musl target, or glibc as a static library.

use super::*;

use std::fs;

use super::tests::run;
use super::tests_cargo::Clone;
use super::tests_cargo::hosts;
use super::tests_cargo::said;
use crate::config::Libc;
use crate::toolchain;
use crate::toolchain::Link;

/// The job that builds everything in `clone` for `linux/amd64`, linked as rbuild does it.
fn job(clone: &Clone) -> Job {
    let root = clone.directory();
    clone.job(|toolchain| {
        let platform = "linux/amd64".parse().expect("a platform");
        let target = toolchain::target(toolchain, &platform, Libc::Auto).expect("a target");
        toolchain::link_at(toolchain, &target, &[], &root)
            .expect("a link")
            .link
    })
}

#[test]
#[ignore = "needs the x86_64-unknown-linux-musl target"]
fn a_program_is_linked_statically_with_the_toolchains_own_linker() {
    for (name, greeting) in [
        ("hello", "hello, world\n"),
        ("macros", "HELLO from x86_64-unknown-linux-musl\n"),
    ] {
        let clone = Clone::of(name);
        let job = job(&clone);
        assert_eq!(job.links[0].linker.as_deref(), Some("rust-lld"));
        let binaries = run(&job, &Notes::recorded()).expect("built");
        let facts = check(&binaries[0], &job.links[0]).expect("the right machine");
        assert_eq!(facts.interpreter, None);
        assert_eq!(said(&binaries[0].file, &[]), greeting);
    }
}

#[test]
#[ignore = "needs the x86_64-unknown-linux-musl target"]
fn what_is_written_for_a_c_compiler_that_links_is_linked_by_the_toolchains_own_linker_too() {
    let clone = Clone::of("hello");
    fs::create_dir(clone.directory().join(".cargo")).expect("made");
    let flags = ["-Wl,-z,now", "-fuse-ld=mold", "-lm", "-lpthread", "-ldl"];
    let flags = flags.map(|flag| format!("'-Clink-arg={flag}'")).join(", ");
    fs::write(
        clone.directory().join(".cargo/config.toml"),
        format!("[build]\nrustflags = [{flags}]\n"),
    )
    .expect("written");
    let binaries = run(&job(&clone), &Notes::recorded()).expect("built");
    assert_eq!(said(&binaries[0].file, &[]), "hello, world\n");
}

#[test]
#[ignore = "needs the x86_64-unknown-linux-musl target"]
fn what_a_build_script_says_to_a_c_compiler_that_links_is_understood_too() {
    let clone = Clone::of("hello");
    let script = "fn main() { println!(\"cargo:rustc-link-arg-bins=-Wl,-z,now\"); }";
    fs::write(clone.directory().join("build.rs"), script).expect("written");
    let binaries = run(&job(&clone), &Notes::recorded()).expect("built");
    assert_eq!(said(&binaries[0].file, &[]), "hello, world\n");
}

#[test]
#[ignore = "needs the x86_64-unknown-linux-musl target"]
fn v04_two_clones_give_one_binary() {
    let bytes = |name| {
        let clone = Clone::of(name);
        let binary = run(&job(&clone), &Notes::recorded())
            .expect("built")
            .remove(0);
        fs::read(&binary.file).expect("readable")
    };
    assert!(bytes("hello") == bytes("hello"), "the binaries differ");
}

#[test]
#[ignore = "needs the x86_64-unknown-linux-musl target"]
fn a_users_wish_for_a_dynamic_program_is_kept_and_caught_after_linking() {
    let clone = Clone::of("hello");
    fs::create_dir(clone.directory().join(".cargo")).expect("made");
    let text = "[target.x86_64-unknown-linux-musl]\nlinker = 'cc'\nrustflags = ['-Ctarget-feature=-crt-static']\n";
    fs::write(clone.directory().join(".cargo/config.toml"), text).expect("written");
    let job = job(&clone);
    assert_eq!(job.links[0].linker, None);
    let binaries = run(&job, &Notes::recorded()).expect("built");
    let facts = check(&binaries[0], &job.links[0]).expect("the right machine");
    let error = guess(&binaries[0], &job.links[0], &facts)
        .expect_err("dynamic")
        .to_string();
    assert!(
        error.starts_with("`hello` needs the dynamic loader "),
        "{error}"
    );
}

#[test]
#[ignore = "needs glibc's static library"]
fn the_fallback_without_musl_runs_without_a_loader() {
    let clone = Clone::of("macros");
    let job = clone.job(|toolchain| Link {
        rustflags: vec!["-Ctarget-feature=+crt-static".to_owned()],
        is_static: true,
        ..hosts(toolchain)
    });
    let binaries = run(&job, &Notes::recorded()).expect("built");
    let facts = check(&binaries[0], &job.links[0]).expect("the right machine");
    assert_eq!(facts.interpreter, None);
    assert!(said(&binaries[0].file, &[]).starts_with("HELLO from "));
}

#[test]
#[ignore = "needs the x86_64-unknown-linux-musl and aarch64-unknown-linux-musl targets"]
fn two_platforms_come_from_one_call() {
    let clone = Clone::of("hello");
    let root = clone.directory();
    let mut both = job(&clone);
    let other = clone.job(|toolchain| {
        let platform = "linux/arm64".parse().expect("a platform");
        let target = toolchain::target(toolchain, &platform, Libc::Auto).expect("a target");
        toolchain::link_at(toolchain, &target, &[], &root)
            .expect("a link")
            .link
    });
    both.links.extend(other.links);
    let jobs = group(vec![both]);
    assert_eq!(jobs.len(), 1);
    let binaries = run(&jobs[0], &Notes::recorded()).expect("built");
    for (binary, link) in binaries.iter().zip(&jobs[0].links) {
        let facts = check(binary, link).expect("the right machine");
        assert_eq!(facts.interpreter, None);
    }
    let error = check(&binaries[1], &jobs[0].links[0])
        .expect_err("another machine")
        .to_string();
    assert_eq!(
        error,
        "`hello` was linked for aarch64 but linux/amd64 needs x86-64"
    );
}
