//! B1: registries that redirect, answer relatively, take nothing, listen on IPv6 or pull through from another one.

use crate::matrix::{DISTRIBUTIONS, Desk, asked, layers_of_base, sent, start};
use crate::registry::{Access, Program};
use crate::support::{document, run};
use crate::talk::Talk;
use crate::warm::{build_online, faults_of};

#[test]
#[ignore = "needs crane, docker-registry, podman, registry, skopeo"]
fn an_upload_goes_on_at_a_relative_location() {
    for program in DISTRIBUTIONS {
        let desk = Desk::new();
        let registry = start(program, |options| options.relative_urls = true);
        let pushed = desk.push(&registry.host, "-t v1").succeeds();
        desk.gets_back(
            &format!("{}/team/hello:v1", registry.host),
            &pushed.digest(),
        );
    }
}

#[test]
#[ignore = "needs crane, docker-registry, htpasswd, registry, skopeo"]
fn blobs_come_from_another_origin_and_no_password_goes_there() {
    for program in DISTRIBUTIONS {
        let registry = start(program, |options| {
            options.redirect = true;
            options.access = Access::Htpasswd;
        });
        let target = start(Program::Distribution2, |_| {});
        let desk = Desk::of_user(&registry);
        let base = desk.give_base(&registry.host);
        let store = registry.blob_store.as_ref().expect("a store");
        store.forget_requests();
        let on_base = format!("--base {base} -t v1");
        let near = desk.push(&registry.host, &on_base).succeeds();
        let far = desk.push(&target.host, &on_base).succeeds();
        assert_eq!(near.digest(), far.digest());
        let seen = store.requests();
        assert_eq!(seen.len(), 2, "config and layer: {seen:?}");
        assert!(
            seen.iter()
                .all(|seen| seen.header("authorization").is_none())
        );
        let name = |host: &str| format!("{host}/team/hello:v1");
        desk.crane_gets(&name(&registry.host), &near.digest());
        desk.skopeo_gets(&name(&registry.host), &near.digest());
        desk.crane_gets(&name(&target.host), &far.digest());
    }
}

#[test]
#[ignore = "needs crane, docker-registry, registry"]
fn a_registry_that_takes_nothing_is_not_asked_twice_and_gives_bases() {
    for program in DISTRIBUTIONS {
        let desk = Desk::new();
        let writable = start(program, |_| {});
        let base = desk.give_base(&writable.host);
        let registry = start(program, |options| {
            options.read_only = true;
            options.storage = Some(writable.storage.clone());
        });
        let base = base.replace(&writable.host, &registry.host);
        let refused = desk
            .push(&registry.host, &format!("--base {base}"))
            .ends_with(7);
        assert_eq!(refused.stdout(), "");
        let name = format!("{}/team/hello", registry.host);
        refused
            .says(&format!("cannot push `{name}`"))
            .says("405")
            .says("it takes no images");
        let asked = asked(&registry, 0, "team/hello");
        let tried = asked.iter().filter(|line| !line.ends_with(" 404"));
        assert!(
            tried.clone().all(|line| line.ends_with(" 405")),
            "{asked:?}"
        );
        assert!(tried.count() <= 6, "a mount and a POST each: {asked:?}");
        // The image rests in the cache and goes elsewhere.
        let there = format!("{}/team/hello:v1", writable.host);
        let pushed = desk.rbuild(&["push", &name, &there]).succeeds();
        desk.crane_gets(&there, &pushed.digest());
    }
}

#[test]
#[ignore = "needs crane, docker-registry, registry"]
fn ipv6_stands_in_brackets() {
    for program in [
        Program::Distribution2,
        Program::Distribution3,
        Program::Crane,
    ] {
        let desk = Desk::new();
        let registry = start(program, |options| options.ipv6 = true);
        let pushed = desk.push(&registry.host, "-t v1,v2").succeeds();
        let name = format!("{}/team/hello", registry.host);
        assert_eq!(pushed.stdout(), format!("{name}@{}\n", pushed.digest()));
        // None of the others can write such a name.
        let head = [("Accept", "application/vnd.oci.image.manifest.v1+json")];
        let there = Talk::to(&registry.host).ask("GET /v2/team/hello/manifests/v1", &head, b"");
        let digest = format!("sha256:{}", crate::support::hex(&there.body));
        assert_eq!((there.status, digest), (200, pushed.digest()));
        // It serves as a base, layers and all.
        let layout = "--oci-layout-path @/out";
        let on_it = build_online(&desk.env, &format!("--base {name}:v1 {layout}")).succeeds();
        assert_eq!(faults_of(&desk.env.path("out")), [""; 0]);
        let manifest = document(&desk.env.path("out"), &on_it.digest());
        assert_eq!(manifest["layers"].as_array().expect("layers").len(), 5);
    }
}

#[test]
#[ignore = "needs crane, docker-registry, registry"]
fn a_base_comes_through_a_registry_that_pulls_through() {
    for program in DISTRIBUTIONS {
        let desk = Desk::new();
        let (origin, target) = (start(program, |_| {}), start(program, |_| {}));
        let base = desk.give_base(&origin.host);
        let proxy = start(program, |options| {
            options.proxy_of = Some(format!("http://{}", origin.host));
        });
        let by_name = base.replace(&origin.host, &proxy.host);
        let named = desk
            .push(&target.host, &format!("--base {by_name} -t v1"))
            .succeeds();
        desk.crane_gets(&format!("{}/team/hello:v1", target.host), &named.digest());
        assert_eq!(asked(&origin, 0, "base"), [""; 0], "the proxy asks");
    }
}

#[test]
#[ignore = "needs crane, docker-registry, registry"]
fn a_mirror_that_pulls_through_is_enough_when_the_registry_itself_is_out_of_reach() {
    for program in DISTRIBUTIONS {
        let desk = Desk::new();
        let (origin, target) = (start(program, |_| {}), start(program, |_| {}));
        let base = desk.give_base(&origin.host);
        let proxy = start(program, |options| {
            options.proxy_of = Some(format!("http://{}", origin.host));
        });
        let mirror = format!("--mirror {}=http://{}", origin.host, proxy.host);
        let alone = format!("{mirror} --no-mirror-fallback --base {base} -t v1");
        let first = desk.push(&target.host, &alone).succeeds();
        assert_eq!(asked(&origin, 0, "base"), [""; 0], "not touched");
        let layer = &layers_of_base(&desk, &base)[0];
        assert!(sent(&target, 0).contains(layer));
        drop(origin);
        // A desk that knows nothing yet; the proxy has kept it all.
        let elsewhere = Desk::new();
        let again = elsewhere.push(&target.host, &format!("{mirror} --base {base} -t v2"));
        assert_eq!(again.succeeds().digest(), first.digest());
    }
}

#[test]
#[ignore = "needs crane, docker-registry"]
fn o08_a_base_whose_layers_are_only_there_is_pushed_by_name_alone() {
    let desk = Desk::new();
    let registry = start(Program::Distribution2, |_| {});
    let base = desk.give_base(&registry.host);
    desk.rbuild(&["cache", "warm", &base]).succeeds();
    let before = registry.asked().len();
    let kept = format!("--push=false --base {base}");
    let digest = run(&mut desk.pushing(&registry.host, &kept))
        .succeeds()
        .digest();
    assert_eq!(registry.asked().len(), before, "nothing is asked");
    let pushed = desk.push(&registry.host, &format!("--base {base}"));
    assert_eq!(pushed.succeeds().says("mounted 1").digest(), digest);
    let layer = &layers_of_base(&desk, &base)[0];
    assert_eq!(
        asked(&registry, before, "base"),
        [""; 0],
        "{layer} is mounted, not read"
    );
}
