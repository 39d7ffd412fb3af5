//! Across an air gap: what `cache warm` fetched on one side is what a build without a network stands on at the other.

use crate::feed::Feed;
use crate::support::{TestEnv, copy, peer, run};

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
