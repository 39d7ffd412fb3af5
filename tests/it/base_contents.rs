//! What a program needs of its base: refused where it is known, said where it is not, and never looked at for a static one.

use std::fs;
use std::path::Path;

use crate::support::{TestEnv, base, tree};

/// The built-in one for every platform, which this machine can link without anything else.
const GNU: &str = "builds: [{id: hello, libc: gnu}]\n";

fn records(env: &TestEnv) -> Vec<String> {
    let all = tree(&env.cache().join("build/.rbuild/records"));
    let of_contents = all.into_iter().filter(|name| name.starts_with("contents/"));
    of_contents.collect()
}

/// A workspace whose program is linked with glibc, on a base whose layers are here or not.
fn workspace(env: &TestEnv, is_full: bool) -> (std::path::PathBuf, String) {
    let hello = env.workspace("hello");
    let made = base(&env.path("base"), is_full, &["base"]);
    let base = format!("oci:{}@{}", env.path("base").display(), made.image);
    fs::write(hello.join(".builder.yaml"), GNU).expect("written");
    (hello, base)
}

fn build(env: &TestEnv, directory: &Path, base: &str) -> crate::support::Run {
    let mut command = env.command(directory);
    command.args(["build", ".", "--push=false", "--offline", "--base", base]);
    crate::support::run(&mut command)
}

#[test]
fn a_base_that_is_known_to_have_no_loader_refuses_a_dynamic_program_before_it_is_compiled() {
    let env = TestEnv::new();
    let (hello, base) = workspace(&env, true);
    build(&env, &hello, &base)
        .ends_with(2)
        .says("`hello` is linked with glibc dynamically, which the base `oci:")
        .says("choose a base with glibc");
    assert!(!hello.join("target").join("release").exists());
    assert_eq!(records(&env).len(), 1, "what was seen is remembered");
}

#[test]
fn a_base_whose_layers_are_not_here_is_said_to_be_unknown() {
    let env = TestEnv::new();
    let (hello, base) = workspace(&env, false);
    build(&env, &hello, &base)
        .succeeds()
        .says("was not looked at: its layers are not here; ");
    assert_eq!(records(&env).len(), 0);
}

#[test]
fn a_static_program_reads_no_layer_and_says_nothing() {
    let env = TestEnv::new();
    let (hello, base) = workspace(&env, true);
    fs::remove_file(hello.join(".builder.yaml")).expect("removed");
    let run = build(&env, &hello, &base).succeeds();
    assert!(
        !run.stderr().contains("was not looked at"),
        "{}",
        run.stderr()
    );
    assert_eq!(records(&env).len(), 0);
}
