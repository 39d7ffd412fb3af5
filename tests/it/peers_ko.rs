//! A2 and C24 with real ko: a cache that ko warmed is a cache of ours, and stays ko's.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start the program and its peers"
)]

use std::fs;
use std::process::Command;

use crate::feed::{Feed, blob};
use crate::support::{Run, TestEnv, image, run};

/// `ko build` of a Go program without dependencies on `base`, behind a wrapper, with the cache of `env`.
pub(crate) fn ko(env: &TestEnv, base: &str, wrapper: &[&str]) -> Run {
    let program = env.path("tiny");
    fs::create_dir_all(&program).expect("made");
    fs::write(
        program.join("go.mod"),
        "module example.org/tiny\n\ngo 1.20\n",
    )
    .expect("written");
    fs::write(
        program.join("main.go"),
        "package main\n\nfunc main() { println(\"tiny\") }\n",
    )
    .expect("written");
    let mut words = wrapper.iter().chain(&["ko"]);
    let mut command = Command::new(words.next().expect("ko"));
    command
        .args(words)
        .args(["build", "--push=false", "--sbom=none", "."]);
    command.current_dir(program).env("KOCACHE", env.cache());
    command
        .env("KO_DEFAULTBASEIMAGE", base)
        .env_remove("KO_DOCKER_REPO");
    run(command
        .env("GOFLAGS", "-mod=mod")
        .env("GOTOOLCHAIN", "local"))
}

fn build(env: &TestEnv, base: &str) -> Run {
    let mut build = env.wrapped(&env.path("hello"), &["unshare", "-rn"]);
    build.args(["build", ".", "--push=false", "--base"]);
    run(build.args(base.split(' ')))
}

#[test]
#[ignore = "needs crane, docker-registry, go, ko, skopeo, unshare"]
fn a2_a_cache_that_ko_warmed_serves_both_without_a_network() {
    let env = TestEnv::new();
    env.workspace("hello");
    let feed = Feed::start(&env);
    ko(&env, &feed.pinned(), &[]).succeeds();
    let built = build(&env, &feed.pinned()).succeeds();
    let (manifest, _) = image(&env.cache().join("build"), &built.digest());
    assert_eq!(
        manifest["annotations"]["org.opencontainers.image.base.digest"],
        feed.base.amd64
    );
    // ko writes no names, and keeps no layers.
    build(&env, &format!("{} --offline", feed.tag()))
        .ends_with(4)
        .says(&feed.base.index);
    let mut archive = env.command(&env.path("hello"));
    archive.args([
        "build",
        ".",
        "--push=false",
        "--offline",
        "--oci-archive",
        "a.tar",
        "--base",
        &feed.pinned(),
    ]);
    run(&mut archive).ends_with(4).says("that are not here");
    // ko goes on, offline like us, though rbuild has been there.
    ko(&env, &feed.pinned(), &["unshare", "-rn"]).succeeds();
    env.rbuild(&env.path("hello"), "cache verify").succeeds();
}

#[test]
#[ignore = "needs crane, docker-registry, go, ko, skopeo, unshare"]
fn c24_ko_and_crane_and_rbuild_take_turns_on_one_cache() {
    let env = TestEnv::new();
    env.workspace("hello");
    let feed = Feed::start(&env);
    ko(&env, &feed.pinned(), &[]).succeeds();
    feed.crane_pull(&["--annotate-ref"], &env.cache().join("img"));
    build(&env, &feed.tag()).succeeds();
    build(&env, &feed.pinned()).succeeds();
    ko(&env, &feed.pinned(), &["unshare", "-rn"]).succeeds();
}

#[test]
#[ignore = "needs crane, docker-registry, go, ko, skopeo, unshare"]
fn c24_a_config_that_was_changed_in_kos_cache_is_not_believed() {
    let env = TestEnv::new();
    env.workspace("hello");
    let feed = Feed::start(&env);
    ko(&env, &feed.pinned(), &[]).succeeds();
    let img = env.cache().join("img");
    let manifest = crate::support::document(&img, &feed.base.amd64);
    let config = blob(
        &img,
        manifest["config"]["digest"].as_str().expect("a digest"),
    );
    let text = fs::read_to_string(&config).expect("there");
    fs::write(&config, text.replace("\"User\":\"7\"", "\"User\":\"0\"")).expect("written");
    build(&env, &format!("{} --offline", feed.pinned()))
        .ends_with(5)
        .says("is not what its name says");
    let command = format!("build . --push=false --base {}", feed.pinned());
    env.rbuild(&env.path("hello"), &command).succeeds();
    assert_eq!(fs::read_to_string(&config).expect("fetched"), text);
}
