//! Across an air gap: what `cache warm` fetched on one side is what a build without a network stands on at the other.

use crate::feed::Feed;
use crate::registry::Registry;
use crate::support::{TestEnv, copy, peer, run};
use crate::warm::build_behind;

#[test]
#[ignore = "needs crane, docker-registry, skopeo, unshare"]
fn four_commands_carry_a_base_over_and_an_image_out() {
    let outside = TestEnv::new();
    let feed = Feed::start(&outside);
    let warm = format!("cache warm --layers --platform all {}", feed.tag());
    let warmed = outside.rbuild(&outside.path("home"), &warm).succeeds();
    assert_eq!(
        warmed.stdout(),
        format!("{}@{}\n", feed.tag(), feed.base.index)
    );

    let inside = TestEnv::new();
    let hello = inside.workspace("hello");
    copy(&outside.cache(), &inside.cache());
    let mut build = inside.wrapped(&hello, &["unshare", "-rn"]);
    let words = "build . --push=false --offline --oci-layout-path out --base";
    let built = run(build.args(words.split(' ')).arg(feed.tag())).succeeds();

    let to = format!("{}/carried:1", feed.registry.host);
    peer(
        "crane",
        &["push", &hello.join("out").display().to_string(), &to],
    );
    let digest = peer("crane", &["digest", &to]).stdout();
    assert_eq!(digest.trim(), built.digest());
    peer("crane", &["validate", "--remote", &to]);
}

/// docs/offline.md, as it is written there: KOCACHE on a stick, carried in an archive, mounted read-only where there is no network.
#[test]
#[ignore = "needs crane, docker-registry, mounts, skopeo, tar, unshare"]
fn a_stick_carries_the_cache_in_and_the_layout_out_as_the_documentation_says() {
    let (outside, inside, back) = (TestEnv::new(), TestEnv::new(), TestEnv::new());
    let feed = Feed::start(&outside);
    let warm = format!("cache warm --layers {}", feed.tag());
    let warmed = outside.rbuild(&outside.path("home"), &warm).succeeds();
    let printed = warmed.says("1 layer fetched").stdout();
    let pin = printed.trim();
    carry(&outside, &inside, "cache");

    // The base's registry is gone for good.
    drop(feed);
    let hello = inside.workspace("hello");
    let without_network = [
        "unshare",
        "-rmn",
        "sh",
        "-c",
        "mount --bind \"$KOCACHE\" \"$KOCACHE\" && mount -o remount,ro,bind \"$KOCACHE\" && exec \"$0\" \"$@\"",
    ];
    let mut build = inside.wrapped(&hello, &without_network);
    let words = format!("build . --push=false --offline --base {pin} --oci-layout-path");
    build.args(words.split(' ')).arg(inside.path("out"));
    let digest = run(&mut build).succeeds().digest();
    carry(&inside, &back, "out");

    let registry = Registry::start();
    let out = back.path("out").display().to_string();
    let ours = format!("{}/team/app:v1", registry.host);
    let theirs = format!("{}/team/theirs:v1", registry.host);
    let mut push = back.command(&back.path("home"));
    push.args(["push", &format!("oci:{out}"), &ours]);
    let pushed = run(&mut push).succeeds();
    assert_eq!(pushed.stdout(), format!("{ours}@{digest}\n"));
    peer("crane", &["push", &out, &theirs]);
    for name in [ours, theirs] {
        let there = peer("crane", &["digest", &name]).stdout();
        assert_eq!(there.trim(), digest);
        peer("crane", &["validate", "--remote", &name]);
    }
}

/// The other way back: the cache itself is carried, and `rbuild push` finds the image in it.
#[test]
#[ignore = "needs crane, docker-registry, skopeo, tar, unshare"]
fn an_image_in_a_carried_cache_is_pushed_when_its_base_is_nowhere_else() {
    let (outside, inside, back) = (TestEnv::new(), TestEnv::new(), TestEnv::new());
    let feed = Feed::start(&outside);
    let warm = format!("cache warm --layers {}", feed.pinned());
    outside.rbuild(&outside.path("home"), &warm).succeeds();
    carry(&outside, &inside, "cache");
    let pinned = feed.pinned();
    drop(feed);
    let mut command = build_behind(&inside, &["unshare", "-rn"], &format!("--base {pinned}"));
    let digest = run(&mut command).succeeds().digest();
    carry(&inside, &back, "cache");
    let registry = Registry::start();
    let there = format!("{}/team/app:v1", registry.host);
    let push = format!("push hello {there}");
    let pushed = back.rbuild(&back.path("home"), &push).succeeds();
    assert_eq!(pushed.stdout(), format!("{there}@{digest}\n"));
    peer("crane", &["validate", "--remote", &there]);
}

/// Puts a directory of one machine into an archive and unpacks it at another.
fn carry(from: &TestEnv, to: &TestEnv, name: &str) {
    let archive = from.path("stick.tar").display().to_string();
    let (from, to) = (from.path("."), to.path("."));
    let at = |place: &std::path::Path| place.display().to_string();
    peer("tar", &["-C", &at(&from), "-cf", &archive, name]);
    peer("tar", &["-C", &at(&to), "-xf", &archive]);
}

#[test]
#[ignore = "needs crane, docker-registry, skopeo"]
fn what_was_warmed_crane_and_skopeo_can_read() {
    let env = TestEnv::new();
    let feed = Feed::start(&env);
    let warm = format!("cache warm --layers --platform all {}", feed.tag());
    env.rbuild(&env.path("home"), &warm).succeeds();
    let img = env.cache().join("img").display().to_string();
    let to = format!("{}/again:1", feed.registry.host);
    peer("crane", &["push", "--index", &img, &to]);
    let from = format!("oci:{img}:{}", feed.tag());
    let back = format!("docker://{}/back:1", feed.registry.host);
    let copy = ["copy", "--all", "--dest-tls-verify=false", &from, &back];
    peer("skopeo", &copy);
    let digest = peer("crane", &["digest", &back[9..]]).stdout();
    assert_eq!(digest.trim(), feed.base.index);
}
