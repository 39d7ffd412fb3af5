//! L01, L02: layers of gigabytes pass through in 64 MB, in a cgroup of 128 MiB. No peer is needed, but a cgroup and more time than
//! a test may take that always runs.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::bulk::{Bulk, FIVE_GIB, HALF_A_GIB, Layer};
use crate::memory::{Cgroup, Watched, watched};
use crate::support::{TestEnv, architecture};
use crate::test_registry::{Action, Options, Rule, TestRegistry};
use crate::warm::{blob, pushing};

const LIMIT: u64 = 128 << 20;
/// 64 MB.
const MOST: u64 = 64_000_000 / 1024;

/// A registry with a base of one layer, and where the bytes of that layer are.
struct Source {
    registry: TestRegistry,
    /// `HOST/team/base@sha256:…`
    pin: String,
    bulk: Bulk,
}

fn source(layer: Layer) -> Source {
    let (registry, bulk) = (TestRegistry::start(), Bulk::of(layer));
    let config = json!({"os": "linux", "architecture": architecture(), "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer.digest]}});
    let config = config.to_string();
    let kind = |kind: &str| format!("application/vnd.oci.image.{kind}");
    let manifest = json!({"schemaVersion": 2, "mediaType": kind("manifest.v1+json"),
        "config": {"mediaType": kind("config.v1+json"), "size": config.len(),
            "digest": registry.put_blob("team/base", config.as_bytes())},
        "layers": [{"mediaType": kind("layer.v1.tar+gzip"), "digest": layer.digest, "size": layer.size}]});
    let bytes = manifest.to_string();
    let digest = registry.put_manifest(
        "team/base",
        "v1",
        &kind("manifest.v1+json"),
        bytes.as_bytes(),
    );
    let there = format!("{}/layer", bulk.origin);
    registry
        .rule(Rule::on("GET", &format!("*/blobs/{}", layer.digest)).then(elsewhere(307, &there)));
    Source {
        pin: format!("{}/team/base@{digest}", registry.host()),
        registry,
        bulk,
    }
}

fn elsewhere(status: u16, location: &str) -> Action {
    Action::answer(status, &[("Location", location)], "")
}

/// A registry that lacks the layer; its bytes go to `bulk`.
fn target(bulk: &Bulk) -> TestRegistry {
    let registry = TestRegistry::with(Options {
        sparse: true,
        ..Options::default()
    });
    // Small blobs are begun with a mount, which has a query.
    let begun = Rule::on("POST", "*/blobs/uploads/").query("");
    registry.rule(begun.then(elsewhere(202, &format!("{}/upload", bulk.origin))));
    registry
}

/// Runs `command` in a cgroup that is large enough for it, and no larger.
pub(crate) fn within_limits(command: impl FnOnce(&[&str]) -> Command) -> Watched {
    let group = Cgroup::new(LIMIT);
    let wrapper = group.wrapper();
    let mut command = command(&wrapper.each_ref().map(String::as_str));
    let seen = watched(&mut command);
    assert!(0 < seen.peak && seen.peak < MOST, "{} KiB", seen.peak);
    seen
}

#[test]
#[ignore = "needs a cgroup and most of a minute"]
fn l01_five_gigabytes_of_a_base_pass_from_one_registry_to_another_without_memory_or_disk() {
    let env = TestEnv::new();
    let from = source(FIVE_GIB);
    let to = target(&from.bulk);
    let push = format!("--repo {}/team --base {}", to.host(), from.pin);
    let seen = within_limits(|wrapper| pushing(&env, wrapper, &push));
    println!("{}", seen.figures());
    seen.run.succeeds().says("sent 3 (");
    assert_eq!(from.bulk.taken(), FIVE_GIB.size);
    assert_eq!(to.tags("team/hello"), ["latest"]);
    assert!(seen.written < 8 << 20, "{} bytes", seen.written);
}

#[test]
#[ignore = "needs a cgroup and most of a minute"]
fn l01_five_gigabytes_in_the_cache_are_pushed_without_memory() {
    let env = TestEnv::new();
    let from = source(FIVE_GIB);
    let warm = format!("cache warm {}", from.pin);
    env.rbuild(&env.path("home"), &warm).succeeds();
    let path = blob(&env.cache().join("img"), FIVE_GIB.digest);
    // A hole takes no room on the disk.
    let file = fs::File::create(path).expect("a blob");
    file.set_len(FIVE_GIB.size).expect("a hole");
    from.registry.forget_requests();
    let to = target(&from.bulk);
    let push = format!("--repo {}/team --base {}", to.host(), from.pin);
    let seen = within_limits(|wrapper| pushing(&env, wrapper, &push));
    println!("{}", seen.figures());
    seen.run.succeeds().says("sent 3 (");
    assert_eq!(from.bulk.taken(), FIVE_GIB.size);
    assert!(from.registry.requests().is_empty());
}

#[test]
#[ignore = "needs a cgroup"]
fn l02_half_a_gigabyte_comes_into_the_cache_without_memory() {
    let env = TestEnv::new();
    let from = source(HALF_A_GIB);
    let seen = within_limits(|wrapper| {
        let mut command = env.wrapped(&env.path("home"), wrapper);
        command.args(["cache", "warm", "--layers", &from.pin]);
        command
    });
    println!("{}", seen.figures());
    seen.run.succeeds().says("1 layer fetched");
    let kept = blob(&env.cache().join("img"), HALF_A_GIB.digest);
    assert_eq!(fs::metadata(kept).expect("kept").len(), HALF_A_GIB.size);
}
