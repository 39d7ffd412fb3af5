//! A2 and C24 with real skopeo: its layouts are bases, and it reads what rbuild wrote.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::feed::{Feed, blob, skopeo, two_platforms};
use crate::support::{Run, TestEnv, hex, image, run};

/// A build of hello on `base`, in a network namespace that has no network.
fn build(env: &TestEnv, hello: &Path, base: &str) -> Run {
    let mut build = env.wrapped(hello, &["unshare", "-rn"]);
    run(build.args(["build", ".", "--push=false", "--base", base]))
}

/// The same by the words of the user: a tag that is not here is not asked for.
fn offline(env: &TestEnv, hello: &Path, base: &str) -> Run {
    let arguments = ["build", ".", "--push=false", "--offline", "--base", base];
    run(env.command(hello).args(arguments))
}

/// What rbuild wrote down about the base of the image that it built.
fn base_of(env: &TestEnv, built: &Run) -> Value {
    let (manifest, _) = image(&env.cache().join("build"), &built.digest());
    manifest["annotations"]["org.opencontainers.image.base.digest"].clone()
}

#[test]
#[ignore = "needs docker-registry, skopeo, unshare"]
fn a2_a_layout_of_skopeos_is_a_base_by_its_full_name() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let feed = Feed::start(&env);
    let base = format!("oci:{}:{}", env.path("lay").display(), feed.tag());
    skopeo(&["copy", "--all", &format!("docker://{}", feed.tag()), &base]);
    let built = build(&env, &hello, &base).succeeds();
    assert_eq!(base_of(&env, &built), feed.base.amd64);
    build(&env, &hello, &format!("{base}0"))
        .ends_with(4)
        .says(&feed.tag());
}

#[test]
#[ignore = "needs docker-registry, skopeo, unshare"]
fn a2_a_tag_that_skopeo_wrote_into_the_cache_is_found_only_by_its_full_name() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let feed = Feed::start(&env);
    let img = env.cache().join("img");
    fs::create_dir(env.cache()).expect("made; skopeo makes no parents");
    let from = format!("docker://{}", feed.tag());
    skopeo(&["copy", "--all", &from, &format!("oci:{}", img.display())]);
    offline(&env, &hello, &feed.tag())
        .ends_with(4)
        .says(&feed.base.index);
    // A layout of one image needs no name.
    build(&env, &hello, &format!("oci:{}", img.display())).succeeds();
    skopeo(&["copy", "--all", &from, &format!("oci:{}:1", img.display())]);
    offline(&env, &hello, &feed.tag()).ends_with(4);
    skopeo(&[
        "copy",
        "--all",
        &from,
        &format!("oci:{}:{}", img.display(), feed.tag()),
    ]);
    let built = build(&env, &hello, &feed.tag()).succeeds();
    assert_eq!(base_of(&env, &built), feed.base.amd64);
}

#[test]
#[ignore = "needs crane, docker-registry, skopeo, unshare"]
fn a2_a_base_that_skopeo_converted_from_dockers_types_is_an_oci_base() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let feed = Feed::docker_typed(&env);
    let base = format!("oci:{}:{}", env.path("lay").display(), feed.tag());
    skopeo(&["copy", "--all", &format!("docker://{}", feed.tag()), &base]);
    let built = build(&env, &hello, &base).succeeds();
    let (manifest, _) = image(&env.cache().join("build"), &built.digest());
    for document in [
        &manifest,
        &manifest["layers"][0],
        &manifest["layers"][1],
        &manifest["config"],
    ] {
        let media_type = document["mediaType"].as_str().expect("a type");
        assert!(
            media_type.starts_with("application/vnd.oci.image."),
            "{media_type}"
        );
    }
}

#[test]
#[ignore = "needs docker-registry, skopeo"]
fn c24_one_platform_of_a_base_as_skopeo_copies_it_without_all_is_enough() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let feed = Feed::start(&env);
    let base = format!("oci:{}:{}", env.path("lay").display(), feed.tag());
    skopeo(&["copy", &format!("docker://{}", feed.tag()), &base]);
    let arguments = [
        "build",
        ".",
        "--push=false",
        "--oci-archive",
        "a.tar",
        "--base",
        &base,
    ];
    let host = run(env.command(&hello).args(arguments)).succeeds();
    assert!(hello.join("a.tar").is_file(), "{}", host.stderr());
    let other = if cfg!(target_arch = "x86_64") {
        "linux/arm64"
    } else {
        "linux/amd64"
    };
    run(env
        .command(&hello)
        .args(arguments)
        .args(["--platform", other]))
    .ends_with(2)
    .says(&format!("it has no image for {other}"));
}

#[test]
#[ignore = "needs skopeo"]
fn c24_a_blob_that_a_killed_skopeo_left_short_is_named_and_left_where_it_is() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let layout = env.path("source");
    let made = two_platforms(&layout);
    let manifest = blob(&layout, &made.amd64);
    fs::write(&manifest, b"").expect("written");
    build(&env, &hello, &format!("oci:{}:base", layout.display()))
        .ends_with(5)
        .says(&made.amd64["sha256:".len()..]);
    assert!(manifest.is_file(), "a layout of the user's is only read");
}

#[test]
#[ignore = "needs docker-registry, skopeo"]
fn skopeo_reads_the_caches_and_layouts_that_rbuild_wrote() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let feed = Feed::start(&env);
    let img = env.cache().join("img");
    fs::create_dir(env.cache()).expect("made; skopeo makes no parents");
    let kept = format!("oci:{}:{}", img.display(), feed.tag());
    skopeo(&["copy", "--all", &format!("docker://{}", feed.tag()), &kept]);
    let arguments = [
        "build",
        ".",
        "--push=false",
        "--oci-layout-path",
        "Out",
        "--base",
        &feed.tag(),
    ];
    let built = run(env.command(&hello).args(arguments)).succeeds();
    skopeo(&["inspect", &kept]);
    for layout in [env.cache().join("build"), hello.join("Out")] {
        let image = format!("oci:{}:rbuild.local/hello:latest", layout.display());
        let seen = skopeo(&["inspect", "--raw", &image]);
        assert_eq!(
            format!("sha256:{}", hex(&seen.output.stdout)),
            built.digest()
        );
    }
    let copy = env.path("copy").display().to_string();
    let out = hello.join("Out").display().to_string();
    let from = format!("oci:{out}:rbuild.local/hello:latest");
    skopeo(&["copy", &from, &format!("dir:{copy}")]);
    skopeo(&["copy", &from, &format!("oci:{out}:second")]);
    run(env.command(&hello).args(arguments)).succeeds();
    skopeo(&["inspect", &format!("oci:{out}:second")]);
}
