//! Programs with C for arm64, by each compiler that a machine may have: clang with musl headers, zig, Debian's cross gcc.
//!
//! Each compiles some libraries of seconds; all of them by each compiler, and OpenSSL, are in `peers_slow.rs`.

use crate::machines::Machine;
use crate::native::{Native, SAYS};
use crate::programs::{program, says};
use crate::support::TestEnv;

#[test]
#[ignore = "needs clang, llvm, musl-dev:arm64, linux-libc-dev:arm64, qemu-aarch64-static, rustup's aarch64-unknown-linux-musl"]
fn sqlite_and_zstd_are_compiled_by_clang_with_musl_headers() {
    let env = TestEnv::new();
    let machine = Machine::without_compilers().with_cc().with_clang();
    let native = Native::new(&env, &["database", "compress"]);
    native.build(&machine, "linux/arm64").succeeds();
    native.all_say("arm64", None);
}

#[test]
#[ignore = "needs ziglang of PyPI, qemu-aarch64-static, rustup's aarch64-unknown-linux-musl"]
fn ring_and_mimalloc_are_compiled_by_zig() {
    let env = TestEnv::new();
    let machine = Machine::without_compilers().with_zig();
    let native = Native::new(&env, &["tls", "heap"]);
    native.build(&machine, "linux/arm64").succeeds();
    native.all_say("arm64", None);
}

#[test]
#[ignore = "needs gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-aarch64-static, rustup's aarch64-unknown-linux-gnu"]
fn ring_and_sqlite_are_compiled_for_glibc_by_debians_cross_gcc() {
    let env = TestEnv::new();
    let machine = Machine::without_compilers()
        .with_cc()
        .with(&["aarch64-linux-gnu-gcc", "aarch64-linux-gnu-ar"]);
    let native = Native::for_glibc(&env, &["tls", "database"]);
    native.build(&machine, "linux/arm64").succeeds();
    native.all_say("arm64", Some(&native.root()));
}

#[test]
#[ignore = "needs g++-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-aarch64-static, rustup's aarch64-unknown-linux-gnu"]
fn cpp_is_compiled_for_glibc_by_debians_cross_compiler() {
    let env = TestEnv::new();
    let names = [
        "aarch64-linux-gnu-gcc",
        "aarch64-linux-gnu-g++",
        "aarch64-linux-gnu-ar",
    ];
    let machine = Machine::without_compilers().with_cc().with(&names);
    let native = Native::for_glibc(&env, &["plusplus"]);
    native.build(&machine, "linux/arm64").succeeds();
    native.all_say("arm64", Some(&native.root()));
}

#[test]
#[ignore = "needs gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, rustup's aarch64-unknown-linux-musl"]
fn a_glibc_gcc_is_never_taken_for_musl() {
    let env = TestEnv::new();
    let machine = Machine::without_compilers()
        .with_cc()
        .with(&["aarch64-linux-gnu-gcc", "aarch64-linux-gnu-ar"]);
    let native = Native::new(&env, &["database"]);
    let refused = native.build(&machine, "linux/arm64").ends_with(2);
    let refused = refused.says("libsqlite3-sys").says("zig");
    assert!(
        !refused.stderr().contains("Compiling"),
        "{}",
        refused.stderr()
    );
}

#[test]
#[ignore = "needs musl-tools, rustup's x86_64-unknown-linux-musl and aarch64-unknown-linux-musl, clang, musl-dev:arm64, qemu-aarch64-static"]
fn two_platforms_get_their_c_from_two_compilers_in_one_call_of_cargo() {
    let env = TestEnv::new();
    let machine = Machine::without_compilers()
        .with_cc()
        .with_clang()
        .with(&["x86_64-linux-musl-gcc", "x86_64-linux-gnu-gcc"]);
    let native = Native::new(&env, &["heap"]);
    let both = "linux/amd64,linux/arm64";
    let plan = native.plan(&machine, both).succeeds().stdout();
    assert_eq!(plan.matches(" cargo build ").count(), 1, "{plan}");
    native.build(&machine, both).succeeds();
    for architecture in ["amd64", "arm64"] {
        let program = program(&native.layout(), "heap", architecture);
        let (_, expected) = SAYS
            .into_iter()
            .find(|(name, _)| *name == "heap")
            .expect("there");
        assert!(says(architecture, &program).starts_with(expected));
    }
}
