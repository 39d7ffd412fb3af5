//! `rbuild doctor` on real workspaces with the machine's own toolchain: what its transcripts cannot show.

#![expect(
    clippy::disallowed_types,
    reason = "a listener shows that nobody connects"
)]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::served::served;
use crate::support::{TestEnv, run, tree};

#[test]
fn nothing_is_compiled_and_nothing_is_written_into_the_project() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let before = tree(&hello);
    let said = env.rbuild(&hello, "doctor").succeeds();
    assert!(said.stdout().contains(": ready\n"), "{}", said.stdout());
    assert_eq!(said.stderr(), "");
    assert_eq!(tree(&hello), before);
}

#[test]
fn o04_offline_nobody_is_asked_for_a_base() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    listener.set_nonblocking(true).expect("set");
    let address = listener.local_addr().expect("an address");
    for switch in ["--offline", "--frozen", ""] {
        let mut command = env.command(&hello);
        command.args(["doctor", "--base", &format!("{address}/base:v1")]);
        match switch {
            "" => command.env("RBUILD_OFFLINE", "1"),
            switch => command.arg(switch),
        };
        let said = run(&mut command).ends_with(2);
        let shown = said.stdout();
        assert!(shown.contains(": not ready\n"), "{shown}");
        assert!(shown.contains("records no name"), "{shown}");
        assert!(shown.contains("`rbuild cache warm"), "{shown}");
    }
    assert!(listener.accept().is_err(), "somebody connected");
}

#[test]
fn what_a_build_asks_a_registry_is_asked_by_the_doctor_and_each_of_it_once() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let base = served(&env);
    let asked = |words: &str| {
        env.rbuild(&hello, &format!("{words} --base {}", base.tag()))
            .succeeds();
        base.asked()
    };
    let cold = asked("doctor");
    assert_eq!(cold.len(), 4, "{cold:?}");
    assert_eq!(asked("doctor"), ["HEAD v1"]);
    assert_eq!(asked("build . --push=false --dry-run"), ["HEAD v1"]);
}

#[test]
fn a_toolchain_that_the_directory_pins_is_the_one_that_is_told_of() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    fs::write(
        hello.join("rust-toolchain.toml"),
        "[toolchain]\npath = '/no/such'\n",
    )
    .expect("written");
    let mut command = env.command(&env.path(""));
    command
        .args(["doctor", "./hello"])
        .env_remove("RUSTUP_TOOLCHAIN");
    let said = run(&mut command).ends_with(2);
    let shown = said.stdout();
    assert!(shown.contains("/no/such"), "{shown}");
    assert!(!shown.contains("linux/"), "{shown}");
}

#[test]
fn a_cache_that_cannot_be_written_is_told_and_is_no_failure() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let mut command = env.command(&hello);
    command.arg("doctor").env("KOCACHE", "/proc/no/cache");
    let said = run(&mut command).succeeds();
    assert!(
        said.stdout().contains("cannot be written"),
        "{}",
        said.stdout()
    );
}

#[test]
fn a_workspace_that_cargo_cannot_read_is_told_beside_the_machine() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    fs::write(hello.join("Cargo.toml"), "[package]\nname = ").expect("written");
    let said = env.rbuild(&hello, "doctor").ends_with(2);
    let shown = said.stdout();
    assert!(shown.starts_with("this machine\n  cargo: "), "{shown}");
    assert!(
        shown.contains("\nthe build: not ready\n  cargo cannot read the workspace"),
        "{shown}"
    );
}

#[test]
fn a_machine_without_a_c_compiler_is_told_what_links_its_build_scripts() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let path = env.path("path");
    fs::create_dir(&path).expect("made");
    let cargo = Path::new(env!("CARGO"));
    for program in ["cargo", "rustc"] {
        symlink(cargo.with_file_name(program), path.join(program)).expect("linked");
    }
    let mut command = env.command(&hello);
    let said = run(command.arg("doctor").env("PATH", &path));
    let shown = said.stdout();
    let linker = shown
        .lines()
        .find(|line| line.starts_with("  linker of build scripts: "))
        .expect("told");
    assert!(linker.contains("`cc` is not on PATH"), "{shown}");
}
