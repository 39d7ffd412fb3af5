//! Programs for glibc, linked against the libraries of their base, on machines with and without a C compiler.

use std::fs;
use std::path::{Path, PathBuf};

use crate::debian;
use crate::machines::Machine;
use crate::programs::{program, said, words};
use crate::support::{Run, TestEnv, architecture};

/// What a Rust program with glibc is linked with, and the loaders of two machines.
const LIBRARIES: [&str; 3] = ["libc.so.6", "libm.so.6", "libgcc_s.so.1"];

fn loader() -> &'static str {
    match architecture() {
        "arm64" => "ld-linux-aarch64.so.1",
        _ => "ld-linux-x86-64.so.2",
    }
}

/// A library of this machine.
fn library(name: &str) -> PathBuf {
    let multiarch = format!("/lib/{}-linux-gnu", std::env::consts::ARCH);
    let places = [
        multiarch.as_str(),
        "/lib64",
        "/usr/lib64",
        "/lib",
        "/usr/lib",
    ];
    let mut files = places.iter().map(|place| Path::new(place).join(name));
    files.find(|file| file.is_file()).expect(name)
}

/// A workspace that is built with `libc: gnu`, on a base of this machine's own libraries.
struct Project {
    env: TestEnv,
    directory: PathBuf,
}

impl Project {
    fn new(workspace: &str, without: &str) -> Project {
        let env = TestEnv::new();
        let directory = env.workspace(workspace);
        let text = "builds:\n  - {libc: gnu}\n";
        fs::write(directory.join(".builder.yaml"), text).expect("written");
        let names = LIBRARIES.into_iter().chain([loader()]);
        let kept = names.filter(|name| *name != without);
        let libraries: Vec<PathBuf> = kept.map(library).collect();
        debian::base_of(&directory.join("base"), architecture(), &libraries);
        Project { env, directory }
    }

    fn build(&self) -> Run {
        self.env.rbuild(&self.directory, BUILD)
    }

    fn build_without_compilers(&self) -> Run {
        Machine::without_compilers().rbuild(&self.env, &self.directory, BUILD)
    }

    /// What the program of the image says.
    fn says(&self, name: &str) -> String {
        let program = program(&self.directory.join("out"), name, architecture());
        said(&words(architecture(), None, &program)).stdout()
    }
}

const BUILD: &str = "build . --push=false --profile dev --base oci:base:it --oci-layout-path out";

#[test]
fn without_a_c_compiler_macros_and_build_scripts_run_and_the_program_is_linked_against_its_base() {
    let project = Project::new("macros", "none");
    let built = project.build_without_compilers().succeeds();
    let note = "there is no C compiler here, `cc` is not on PATH: build scripts and procedural macros are linked by rust-lld";
    assert_eq!(
        built.stderr().matches(note).count(),
        1,
        "{}",
        built.stderr()
    );
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    assert_eq!(project.says("app"), format!("HELLO from {host}\n"));
}

#[test]
fn v04_who_links_against_a_base_gives_one_digest_with_and_without_a_c_compiler_from_every_cache() {
    let (one, other) = (
        Project::new("macros", "none"),
        Project::new("macros", "none"),
    );
    let with = one.build().succeeds();
    assert!(
        !with.stderr().contains("no C compiler"),
        "{}",
        with.stderr()
    );
    let without = other.build_without_compilers().succeeds();
    assert_ne!(one.env.cache(), other.env.cache());
    assert_eq!(with.digest(), without.digest());
}

#[test]
fn what_is_linked_against_another_base_is_linked_again_and_what_did_not_change_is_not() {
    let project = Project::new("hello", "none");
    let built = |run: &Run| run.stderr().contains("Compiling hello");
    assert!(built(&project.build().succeeds()));
    assert!(!built(&project.build().succeeds()));
    // More of it, and the same glibc.
    let mut libraries: Vec<PathBuf> = LIBRARIES.iter().map(|name| library(name)).collect();
    libraries.extend([library(loader()), "/etc/os-release".into()]);
    let base = project.directory.join("base");
    debian::base_of(&base, architecture(), &libraries);
    assert!(!built(&project.build().succeeds()));
}

#[test]
fn a_base_that_cannot_be_linked_against_is_said_with_the_mend_and_this_machines_cc_links() {
    let project = Project::new("hello", "libgcc_s.so.1");
    let built = project.build();
    built
        .says("is linked by `cc`, this machine's own, not against its base")
        .says("has no `libgcc_s.so.1`")
        .says("`libc: musl`");
}

#[test]
fn the_doctor_tells_what_links_for_a_platform_although_the_base_lacks_another() {
    let project = Project::new("hello", "none");
    let platform = format!("linux/{}", architecture());
    let words = format!("doctor --base oci:base:it --platform {platform},linux/riscv64");
    let told = project.env.rbuild(&project.directory, &words).ends_with(2);
    let shown = told.stdout();
    let mut blocks = shown.split("\n\n").skip(1);
    let here = blocks.next().unwrap_or_default();
    assert!(here.starts_with(&format!("{platform}: ready\n")), "{shown}");
    assert!(here.contains("against the base's own libraries"), "{shown}");
    let other = blocks.next().unwrap_or_default();
    assert!(other.starts_with("linux/riscv64: not ready\n"), "{shown}");
    assert!(
        other.contains("it has no image for linux/riscv64"),
        "{shown}"
    );
}

/// Whether it is refused is not known before: a program without the standard library starts there.
#[test]
fn the_doctor_says_that_a_base_lacks_what_the_standard_library_needs_where_the_build_refuses_it() {
    let doctor = "doctor --base oci:base:it";
    let project = Project::new("hello", "libgcc_s.so.1");
    let told = project.env.rbuild(&project.directory, doctor).succeeds();
    let base = |run: &Run| {
        let shown = run.stdout();
        let line = shown.lines().find(|line| line.starts_with("  base: "));
        line.expect("a base").to_owned()
    };
    let lack = "it has no `libgcc_s.so.1`, which nearly every Rust program for glibc needs: one that does is refused once it is linked";
    assert!(base(&told).contains(lack), "{}", base(&told));
    project.build().ends_with(2).says("needs libgcc_s.so.1");
    let whole = Project::new("hello", "none");
    let told = whole.env.rbuild(&whole.directory, doctor).succeeds();
    assert!(base(&told).contains("with glibc 2."), "{}", base(&told));
    assert!(!base(&told).contains("it has no"), "{}", base(&told));
}

/// As [`Project`], for arm64 with the libraries of Debian's cross gcc.
fn for_arm64(libraries: &[&str]) -> (Project, Run) {
    let project = Project::new("macros", "none");
    let place = Path::new("/usr/aarch64-linux-gnu/lib");
    let libraries: Vec<PathBuf> = libraries.iter().map(|name| place.join(name)).collect();
    debian::base_of(&project.directory.join("arm64"), "arm64", &libraries);
    let build =
        "build . --push=false --base oci:arm64:it --platform linux/arm64 --oci-layout-path out";
    let machine = Machine::without_compilers();
    let run = machine.rbuild(&project.env, &project.directory, build);
    (project, run)
}

#[test]
#[ignore = "needs qemu-aarch64-static, libgcc-s1-arm64-cross and the aarch64-unknown-linux-gnu target"]
fn a_program_for_arm64_is_linked_against_its_base_without_any_c_compiler_and_runs() {
    let (project, run) = for_arm64(&[
        "libc.so.6",
        "libm.so.6",
        "libgcc_s.so.1",
        "ld-linux-aarch64.so.1",
    ]);
    run.succeeds();
    let program = program(&project.directory.join("out"), "app", "arm64");
    let root = Path::new("/usr/aarch64-linux-gnu");
    let run = said(&words("arm64", Some(root), &program));
    assert_eq!(run.stdout(), "HELLO from aarch64-unknown-linux-gnu\n");
}

#[test]
#[ignore = "needs libgcc-s1-arm64-cross and the aarch64-unknown-linux-gnu target"]
fn a_base_without_the_unwinder_is_refused_with_bases_that_have_it() {
    let (_project, run) = for_arm64(&["libc.so.6", "libm.so.6", "ld-linux-aarch64.so.1"]);
    run.ends_with(2)
        .says("there is no linker for `aarch64-unknown-linux-gnu`")
        .says("has no `libgcc_s.so.1` for linux/arm64")
        .says("gcr.io/distroless/cc-debian12");
}
