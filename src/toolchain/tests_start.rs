//! Programs that are linked without any C compiler, with the libraries of several machines, and run.

use super::*;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Output;

use tempfile::TempDir;

use super::tests::cargo;
use super::wrapper::{Side, Wrapper};
use crate::contents::elf::{self, Needed};
use crate::notes::Notes;
use crate::platform::Platform;
use crate::store::Store;

/// Threads, thread locals with destructors, unwinding, names of hosts, floating point, and the functions of `libc_nonshared.a`.
const PROGRAM: &str = include_str!("../../testdata/toolchain/glibc.rs");
const SAID: &str = "thread 2 dropped\ncaught true\nresolved true\nforks 2\narguments [\"a\", \"b c\"]\nsine true\nbye\n";

/// A cache of kits.
pub(super) fn kits() -> (TempDir, Store) {
    let place = tempfile::tempdir().expect("a directory");
    let store = Store::cache(&place.path().join("build"), &Notes::recorded()).expect("a store");
    (place, store)
}

/// The toolchain of this machine.
pub(super) fn real() -> Toolchain {
    let environment: Environment = [("HOME".into(), "/nowhere".into())].into();
    probe(OsStr::new("rustc"), &cargo(), Path::new("/"), &environment).expect("a toolchain")
}

/// A base's libraries, as links to those below `root`, for the platform.
fn libraries(root: &str, platform: &Platform, to: &Path) {
    let loader = file_name(platform.loader().expect("a loader"));
    for name in LIBRARIES.into_iter().chain([loader]) {
        let file = loader::library(Path::new(root), platform, name).expect(name);
        symlink(file, to.join(name)).expect("a link");
    }
    name_for_linker(to, loader).expect("named");
}

/// The program for `target`, linked with the libraries below `root` by a wrapper in a cache of its own.
fn linked(target: &str, root: &str, flags: &[&str]) -> (TempDir, PathBuf) {
    let (place, kits) = kits();
    let toolchain = real();
    let platform = Platform::of_host(target).expect("a platform");
    let directory = place.path().join("libraries");
    fs::create_dir(&directory).expect("made");
    libraries(root, &platform, &directory);
    let wrapper = Wrapper {
        linker: &toolchain.own_program("rust-lld").expect("rust-lld"),
        side: Side {
            start: start::files(&toolchain, target, &kits).expect("start files"),
            libraries: directory,
            loader: platform.loader().expect("a loader").to_owned(),
        },
        target: None,
    };
    let linker = wrapper.write(&kits).expect("a wrapper");
    let source = place.path().join("program.rs");
    fs::write(&source, PROGRAM).expect("written");
    let program = place.path().join("program");
    let call = Call::new(&toolchain.rustc, Path::new("/"))
        .arg(&source)
        .args(["--edition=2024", "-Copt-level=2", "--target", target, "-o"])
        .arg(&program)
        .arg(format!("-Clinker={linker}"))
        .args(flags)
        .arg(format!(
            "--remap-path-prefix={}=/work",
            place.path().display()
        ));
    succeed(&call.output().expect("rustc runs"));
    (place, program)
}

fn succeed(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn run(call: Call) -> String {
    succeed(&call.args(["a", "b c"]).output().expect("it runs"))
}

/// Every version that the program needs, each defined by the library that it was linked with.
fn versions(place: &TempDir, program: &Path) -> usize {
    let facts =
        |file: &Path| elf::program(fs::File::open(file).expect("there")).expect("an ELF file");
    let needed = facts(program).versions;
    for Needed {
        library, version, ..
    } in &needed
    {
        let file = place.path().join("libraries").join(library);
        let bytes = fs::read(file).expect("readable");
        let defined = elf::library(&bytes).expect("an ELF file").defined;
        assert!(defined.contains(version), "{library} has no {version}");
    }
    needed.len()
}

#[test]
fn a_program_is_linked_without_a_c_compiler_and_runs_here() {
    let host = real().host;
    let (place, program) = linked(&host, "/", &[]);
    assert_eq!(run(Call::new(&program, Path::new("/"))), SAID);
    assert!(versions(&place, &program) > 0);
}

#[test]
fn what_users_write_for_a_c_compiler_that_links_is_understood() {
    let host = real().host;
    let flags = [
        "-Clink-arg=-Wl,-z,nodelete,--build-id=0x0123456789abcdef",
        "-Clink-arg=-Xlinker",
        "-Clink-arg=--no-undefined",
        "-Clink-arg=-fuse-ld=lld",
        "-Clink-arg=-pthread",
        "-Clink-arg=-rdynamic",
    ];
    let (_place, program) = linked(&host, "/", &flags);
    let bytes = fs::read(&program).expect("readable");
    let build_id = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
    assert!(bytes.windows(8).any(|window| window == build_id));
    assert_eq!(run(Call::new(&program, Path::new("/"))), SAID);
}

#[test]
fn the_same_program_is_linked_from_every_cache() {
    let host = real().host;
    let bytes = || fs::read(linked(&host, "/", &[]).1).expect("readable");
    assert!(bytes() == bytes(), "the programs differ");
}

/// Runs the program with an emulator that looks for libraries below `root`.
fn emulated(target: &str, emulator: &str, root: &str) {
    let (place, program) = linked(target, root, &[]);
    assert!(versions(&place, &program) > 0);
    let call = Call::new(emulator, Path::new("/")).arg("-L").arg(root);
    assert_eq!(run(call.arg(&program)), SAID, "{target}");
    let bytes = fs::read(&program).expect("readable");
    assert!(!String::from_utf8_lossy(&bytes).contains(".rbuild"));
}

#[test]
#[ignore = "needs qemu-aarch64-static, libgcc-s1-arm64-cross and the aarch64-unknown-linux-gnu target"]
fn a_program_for_arm64_runs_with_the_libraries_that_it_was_linked_against() {
    emulated(
        "aarch64-unknown-linux-gnu",
        "qemu-aarch64-static",
        "/usr/aarch64-linux-gnu",
    );
}

#[test]
#[ignore = "needs qemu-s390x-static, libgcc-s1-s390x-cross and the s390x-unknown-linux-gnu target"]
fn a_program_for_s390x_runs_with_the_libraries_that_it_was_linked_against() {
    emulated(
        "s390x-unknown-linux-gnu",
        "qemu-s390x-static",
        "/usr/s390x-linux-gnu",
    );
}
