//! Programs of Rust alone need rustup's targets and nothing else: no C compiler and no linker, neither for the target nor for the host.

#![expect(clippy::disallowed_methods, reason = "tests start peers")]

use std::path::Path;
use std::process::{Command, Stdio};

use crate::machines::Machine;
use crate::programs::{program, says, words};
use crate::registry::{awaited, free_port};
use crate::support::TestEnv;

const BOTH: [&str; 2] = ["amd64", "arm64"];

const BUILD: &str =
    "build . --push=false --profile dev --oci-layout-path out --platform linux/amd64,linux/arm64";

#[test]
#[ignore = "needs qemu-aarch64-static, rustup's aarch64-unknown-linux-musl"]
fn hello_is_compiled_for_two_platforms_without_any_c_compiler() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let machine = Machine::without_compilers();
    machine.rbuild(&env, &hello, BUILD).succeeds();
    for architecture in BOTH {
        let program = program(&hello.join("out"), "hello", architecture);
        assert_eq!(says(architecture, &program), "hello, world\n");
    }
}

#[test]
#[ignore = "needs qemu-aarch64-static, rustup's aarch64-unknown-linux-musl"]
fn procedural_macros_and_build_scripts_need_no_c_compiler_either() {
    let env = TestEnv::new();
    let macros = env.workspace("macros");
    let machine = Machine::without_compilers();
    let built = machine.rbuild(&env, &macros, BUILD).succeeds();
    // What links them is not what the user knows, so it is told.
    assert!(
        built.stderr().contains("rust-lld"),
        "not one line about it: {}",
        built.stderr()
    );
    for (architecture, target) in BOTH.into_iter().zip(["x86_64", "aarch64"]) {
        let program = program(&macros.join("out"), "app", architecture);
        let expected = format!("HELLO from {target}-unknown-linux-musl\n");
        assert_eq!(says(architecture, &program), expected);
    }
}

#[test]
#[ignore = "needs qemu-aarch64-static, rustup's aarch64-unknown-linux-musl, the crates of axum"]
fn a_server_on_axum_is_compiled_for_two_platforms_without_any_c_compiler() {
    let env = TestEnv::new();
    let web = env.workspace("web");
    let machine = Machine::without_compilers();
    machine.rbuild(&env, &web, BUILD).succeeds();
    for architecture in BOTH {
        answers(
            architecture,
            &program(&web.join("out"), "web", architecture),
        );
    }
}

/// Starts a server, asks it over HTTP and ends it.
fn answers(architecture: &str, program: &Path) {
    let port = free_port();
    let words = words(architecture, None, program);
    let mut server = Command::new(&words[0])
        .args(&words[1..])
        .env("PORT", port.to_string())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let answer = awaited(port, "/", || server.try_wait().ok().flatten().is_some());
    server.kill().expect("it runs");
    server.wait().expect("it ends");
    let answer = answer.expect("an answer before the end");
    assert!(answer.ends_with("hello from rbuild\n"), "{answer}");
}
