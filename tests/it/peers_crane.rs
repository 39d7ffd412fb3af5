//! A2 and C24 with real crane: what it pulled is a base without a network, and what rbuild wrote can be read by it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::feed::{Feed, blob};
use crate::support::{TestEnv, document, image, peer, run};

/// In a network namespace that has no network.
const ALONE: [&str; 2] = ["unshare", "-rn"];

#[test]
#[ignore = "needs crane, docker-registry, skopeo, unshare"]
fn a2_an_index_pulled_by_crane_is_a_base_without_a_network() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let feed = Feed::start(&env);
    feed.crane_pull(&[], &env.cache().join("img"));
    let mut build = env.wrapped(&hello, &ALONE);
    build.args(["build", ".", "--push=false", "--base", &feed.pinned()]);
    let built = run(&mut build).succeeds();
    let (manifest, config) = image(&env.cache().join("build"), &built.digest());
    let annotations = &manifest["annotations"];
    assert_eq!(
        annotations["org.opencontainers.image.base.digest"],
        feed.base.amd64
    );
    assert_eq!(
        annotations["org.opencontainers.image.base.name"],
        feed.pinned()
    );
    assert_eq!(config["config"]["User"], "7");
}

#[test]
#[ignore = "needs crane, docker-registry, skopeo, strace"]
fn a2_the_same_build_opens_no_socket_of_a_network() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let feed = Feed::start(&env);
    feed.crane_pull(&[], &env.cache().join("img"));
    let log = env.path("trace").display().to_string();
    let strace = ["strace", "-f", "-o", &log, "-e", "trace=%network"];
    // The judge must be able to see a socket at all.
    peer(
        strace[0],
        &[&strace[1..], &["crane", "digest", &feed.tag()]].concat(),
    );
    assert!(!networks(&log).is_empty(), "crane's sockets were not seen");
    let mut build = env.wrapped(&hello, &strace);
    build.args(["build", ".", "--push=false", "--base", &feed.pinned()]);
    run(&mut build).succeeds();
    let seen = fs::read_to_string(&log).expect("a trace");
    assert!(seen.contains("+++ exited with 0 +++"), "{seen}");
    assert_eq!(networks(&log), Vec::<String>::new());
}

/// The lines of a trace that name a family of addresses which leaves the process's own machine.
fn networks(log: &str) -> Vec<String> {
    let text = fs::read_to_string(log).expect("a trace");
    let outward = |line: &&str| {
        ["AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET"]
            .iter()
            .any(|family| line.contains(family))
    };
    text.lines().filter(outward).map(str::to_owned).collect()
}

#[test]
#[ignore = "needs crane, docker-registry, skopeo, unshare"]
fn a2_a_tag_pulled_by_crane_with_its_name_is_found() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let feed = Feed::start(&env);
    feed.crane_pull(&["--annotate-ref"], &env.cache().join("img"));
    let build = |base: &str| {
        let mut build = env.wrapped(&hello, &ALONE);
        run(build.args(["build", ".", "--push=false", "--base", base])).succeeds()
    };
    let tagged = build(&feed.tag()).says("is taken as recorded in the cache");
    let (manifest, _) = image(&env.cache().join("build"), &tagged.digest());
    assert_eq!(
        manifest["annotations"]["org.opencontainers.image.base.digest"],
        feed.base.amd64
    );
    build(&format!("{}@{}", feed.tag(), feed.base.index));
}

#[test]
#[ignore = "needs crane, docker-registry, skopeo"]
fn a2_a_tag_pulled_by_crane_without_its_name_is_asked_for_or_ends_with_4_and_tells_what_is_here() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let feed = Feed::start(&env);
    feed.crane_pull(&[], &env.cache().join("img"));
    let build = format!("build . --push=false --base {}", feed.tag());
    env.rbuild(&hello, &format!("{build} --offline"))
        .ends_with(4)
        .says(&feed.base.index)
        .says("--annotate-ref");
    assert!(!hello.join("target").exists(), "nothing was compiled");
    env.rbuild(&hello, &build).succeeds();
    env.rbuild(&hello, &format!("{build} --offline"))
        .succeeds()
        .says("is taken as recorded in the cache");
}

#[test]
#[ignore = "needs crane, docker-registry, skopeo"]
fn a2_a_pin_of_an_index_of_which_one_image_was_pulled_tells_both_ways_out() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let feed = Feed::start(&env);
    let img = env.cache().join("img");
    feed.crane_pull(&["--platform", "linux/amd64"], &img);
    let base =
        |reference: &str| format!("build . --push=false --platform linux/amd64 --base {reference}");
    let repinned = format!("{}@{}", feed.name(), feed.base.amd64);
    env.rbuild(&hello, &format!("{} --offline", base(&feed.pinned())))
        .ends_with(4)
        .says(&feed.base.index)
        .says(&format!(
            "an image for linux/amd64 is here: {}",
            feed.base.amd64
        ))
        .says(&format!("pin it: `{repinned}`"))
        .says("crane pull --format oci --annotate-ref");
    assert!(!hello.join("target").exists(), "nothing was compiled");
    // Both ways lead out.
    let by_image = env.rbuild(&hello, &base(&repinned)).succeeds().digest();
    feed.crane_pull(&[], &img);
    let by_index = env
        .rbuild(&hello, &base(&feed.pinned()))
        .succeeds()
        .digest();
    let layers = |digest: &str| image(&env.cache().join("build"), digest).0["layers"].clone();
    assert_eq!(layers(&by_image), layers(&by_index));
}

#[test]
#[ignore = "needs crane, docker-registry, skopeo"]
fn c24_repeated_pulls_and_private_layers_of_crane_make_no_difference() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let feed = Feed::start(&env);
    let img = env.cache().join("img");
    feed.crane_pull(&[], &img);
    feed.crane_pull(&[], &img);
    feed.crane_pull(&["--annotate-ref"], &img);
    let top: Value =
        serde_json::from_slice(&fs::read(img.join("index.json")).expect("there")).expect("JSON");
    assert!(
        top["manifests"].as_array().expect("a list").len() > 1,
        "crane repeats its entries"
    );
    let layer = document(&img, &feed.base.amd64)["layers"][0]["digest"].clone();
    let layer = blob(&img, layer.as_str().expect("a digest"));
    let mode = fs::metadata(layer).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "crane keeps layers private");
    for base in [
        feed.tag(),
        feed.pinned(),
        format!("oci:{}@{}", img.display(), feed.base.index),
    ] {
        let mut build = env.command(&hello);
        build.args([
            "build",
            ".",
            "--push=false",
            "--oci-archive",
            "a.tar",
            "--base",
            &base,
        ]);
        run(&mut build).succeeds();
        fs::remove_file(hello.join("a.tar")).expect("written");
    }
    let after = fs::read(img.join("index.json")).expect("there");
    assert_eq!(serde_json::from_slice::<Value>(&after).expect("JSON"), top);
}

#[test]
#[ignore = "needs crane, docker-registry, skopeo"]
fn c24_a_blob_that_a_killed_crane_left_short_is_healed_by_the_next_pull() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let feed = Feed::start(&env);
    let img = env.cache().join("img");
    feed.crane_pull(&[], &img);
    let manifest = blob(&img, &feed.base.amd64);
    fs::set_permissions(&manifest, fs::Permissions::from_mode(0o644)).expect("ours");
    let whole = fs::read(&manifest).expect("there");
    let cut = || fs::write(&manifest, &whole[..whole.len() / 2]).expect("written");
    cut();
    let build = format!("build . --push=false --base {}", feed.pinned());
    env.rbuild(&hello, &format!("{build} --offline"))
        .ends_with(5)
        .says(&feed.base.amd64["sha256:".len()..]);
    feed.crane_pull(&[], &img);
    assert_eq!(fs::read(&manifest).expect("pulled again"), whole);
    env.rbuild(&hello, &build).succeeds();
    fs::set_permissions(&manifest, fs::Permissions::from_mode(0o644)).expect("ours");
    cut();
    env.rbuild(&hello, &build)
        .succeeds()
        .says("is fetched again");
    assert_eq!(fs::read(&manifest).expect("fetched again"), whole);
}

#[test]
#[ignore = "needs crane, docker-registry, skopeo"]
fn a_base_of_dockers_types_gives_an_image_of_dockers_types() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let feed = Feed::docker_typed(&env);
    feed.crane_pull(&[], &env.cache().join("img"));
    let build = format!(
        "build . --push=false --oci-layout-path Out --base {}",
        feed.pinned()
    );
    let built = env.rbuild(&hello, &build).succeeds();
    let (manifest, _) = image(&hello.join("Out"), &built.digest());
    assert_eq!(
        manifest["mediaType"],
        "application/vnd.docker.distribution.manifest.v2+json"
    );
    let types: Vec<&Value> = manifest["layers"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|layer| &layer["mediaType"])
        .collect();
    let docker = json!("application/vnd.docker.image.rootfs.diff.tar.gzip");
    assert_eq!(types, [&docker, &docker]);
    let to = format!("{}/docker:1", feed.registry.host);
    let layout = hello.join("Out").display().to_string();
    peer("crane", &["push", &layout, &to]);
    assert_eq!(
        peer("crane", &["digest", &to]).stdout().trim(),
        built.digest()
    );
    peer("crane", &["validate", "--remote", &to]);
}

#[test]
#[ignore = "needs crane, docker-registry, skopeo"]
fn crane_goes_on_with_a_cache_that_rbuild_has_used_and_reads_its_layouts() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let feed = Feed::start(&env);
    let img = env.cache().join("img");
    feed.crane_pull(&["--annotate-ref"], &img);
    let build = format!(
        "build . --push=false --oci-layout-path Out --base {}",
        feed.tag()
    );
    let built = env.rbuild(&hello, &build).succeeds();
    feed.crane_pull(&["--annotate-ref", "--platform", "linux/arm64"], &img);
    env.rbuild(
        &hello,
        &format!("build . --push=false --base {}", feed.pinned()),
    )
    .succeeds();
    let again = format!("{}/again:1", feed.registry.host);
    let out = hello.join("Out").display().to_string();
    peer("crane", &["push", &out, &again]);
    assert_eq!(
        peer("crane", &["digest", &again]).stdout().trim(),
        built.digest()
    );
}
