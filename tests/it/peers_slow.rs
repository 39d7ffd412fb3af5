//! What takes minutes: all C and C++ by every compiler, bases of other architectures, a thousand pairs of writers.
//!
//! `.ci/run` leaves these out; `cargo test --test it peers_slow -- --ignored` runs them.

use std::fs;

use crate::cache_crowd::pairs;
use crate::debian;
use crate::machines::Machine;
use crate::native::Native;
use crate::programs::{program, says_in};
use crate::served::served;
use crate::support::TestEnv;

/// The packages with C.
const ALL: [&str; 5] = ["crypto", "tls", "database", "compress", "heap"];

#[test]
#[ignore = "needs minutes, clang, llvm, musl-dev:arm64, linux-libc-dev:arm64, qemu-aarch64-static"]
fn openssl_ring_sqlite_zstd_and_mimalloc_are_compiled_by_clang_with_musl_headers() {
    let env = TestEnv::new();
    let machine = Machine::without_compilers()
        .with_cc()
        .with_clang()
        .with_plain_cache();
    let native = Native::new(&env, &ALL);
    native.build(&machine, "linux/arm64").succeeds();
    native.all_say("arm64", None);
}

#[test]
#[ignore = "needs minutes, ziglang of PyPI, qemu-aarch64-static"]
fn openssl_ring_sqlite_zstd_and_mimalloc_are_compiled_by_zig() {
    let env = TestEnv::new();
    let machine = Machine::without_compilers().with_zig().with_plain_cache();
    let native = Native::new(&env, &ALL);
    native.build(&machine, "linux/arm64").succeeds();
    native.all_say("arm64", None);
}

#[test]
#[ignore = "needs minutes, gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-aarch64-static"]
fn openssl_ring_sqlite_zstd_and_mimalloc_are_compiled_for_glibc_by_debians_cross_gcc() {
    let env = TestEnv::new();
    let machine = Machine::without_compilers().with_cc().with(&[
        "aarch64-linux-gnu-gcc",
        "aarch64-linux-gnu-ar",
        "aarch64-linux-gnu-ranlib",
    ]);
    let native = Native::for_glibc(&env, &ALL);
    native.build(&machine, "linux/arm64").succeeds();
    native.all_say("arm64", Some(&native.root()));
}

#[test]
#[ignore = "needs minutes, ziglang and cargo-zigbuild of PyPI, qemu-aarch64-static"]
fn cpp_for_musl_is_compiled_by_cargo_zigbuild_and_by_zig_alone() {
    for with_zigbuild in [true, false] {
        let env = TestEnv::new();
        let mut machine = Machine::without_compilers().with_zig();
        if with_zigbuild {
            machine = machine.with_cargo_zigbuild();
        }
        let native = Native::new(&env, &["plusplus"]);
        native.build(&machine, "linux/arm64").succeeds();
        native.all_say("arm64", None);
    }
}

#[test]
#[ignore = "needs minutes, debootstrap, qemu-user-static, rustup's glibc targets of all six"]
fn other_architectures_are_linked_against_debians_own_glibc_without_any_compiler() {
    let machine = Machine::without_compilers();
    for (suite, platform) in [
        ("bookworm", "arm64"),
        ("trixie", "arm64"),
        ("bookworm", "arm/v7"),
        ("bookworm", "386"),
        ("bookworm", "ppc64le"),
        ("bookworm", "s390x"),
        ("trixie", "riscv64"),
    ] {
        let env = TestEnv::new();
        let hello = env.workspace("hello");
        let text = "builds:\n  - {id: hello, libc: gnu}\n";
        fs::write(hello.join(".builder.yaml"), text).expect("written");
        debian::base(&hello.join("base"), suite, platform);
        let build = format!(
            "build . --push=false --profile dev --base oci:base:it --platform linux/{platform} --oci-layout-path out"
        );
        machine.rbuild(&env, &hello, &build).succeeds();
        let architecture = platform.split('/').next().expect("a word");
        let program = program(&hello.join("out"), "hello", architecture);
        let root = debian::unpacked(&env, &hello.join("base"), architecture);
        let said = says_in(&root, architecture, &program);
        assert_eq!(said, "hello, world\n", "{suite} {platform}");
    }
}

#[test]
#[ignore = "needs minutes"]
fn d4_a_thousand_pairs_of_writers_lose_no_entry() {
    let env = TestEnv::new();
    let base = served(&env);
    pairs(&env, &base, 1_000);
}
