//! Pushes to a registry that fails: what is begun anew, what is asked again, and what is said.

use std::fs;
use std::path::Path;
use std::slice::from_ref;

use base64::prelude::{BASE64_STANDARD, Engine};

use crate::digest::{Descriptor, Digest};
use crate::fault::Kind;
use crate::registry::tests::{
    Image, assert_whole, image, index, name, noise, parcel, registry, spoken, with,
};
use crate::registry::{Cause, Error, Registry, Sent, Settings};
use crate::store::Store;
use crate::testing;
use crate::testing::test_registry::{Action, Auth, Options, Rule, TestRegistry, TokenAuth};

const SESSIONS: &str = "/v2/*/blobs/uploads/*";
const MANIFESTS: &str = "/v2/*/manifests/*";

fn push(server: &TestRegistry, image: &Image, stores: &[Store]) -> Result<Sent, Error> {
    registry(1).push(&parcel(server, ("a/b", &["1"]), image, stores))
}

/// Pushes an image of one layer to a server with one rule.
fn push_with(rule: Rule) -> (TestRegistry, Result<Sent, Error>) {
    let (server, home) = (TestRegistry::start(), testing::store());
    let image = image(&home.store, &[&noise(1, 600_000)]);
    server.rule(rule);
    let result = push(&server, &image, from_ref(&home.store));
    (server, result)
}

/// No session saw two bodies.
fn assert_one_body_each(server: &TestRegistry) {
    let requests = server.requests();
    let mut bodies: Vec<String> = requests
        .iter()
        .filter(|seen| seen.method == "PUT" && seen.path.contains("/uploads/"))
        .map(|seen| seen.path.clone())
        .collect();
    let all = bodies.len();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), all, "a session was used twice");
}

#[test]
fn r06_a_connection_that_dies_in_a_body_means_another_session() {
    for count in [0, 1, 300_000, 599_999, 600_000] {
        let rule = Rule::on("PUT", SESSIONS)
            .times(1)
            .then(Action::ResetAfterRequestBytes(count));
        let (server, result) = push_with(rule);
        assert_eq!(result.expect("pushed").uploaded, 2, "{count}");
        assert_whole(&server, "a/b", "1");
        assert_one_body_each(&server);
        assert_eq!(server.count("PUT", SESSIONS), 3, "{count}");
    }
}

#[test]
fn r07_a_body_that_landed_without_an_answer_is_found_and_not_sent_again() {
    let (server, result) = push_with(
        Rule::on("PUT", SESSIONS)
            .times(1)
            .then(Action::PassThenClose),
    );
    assert_eq!(result.expect("pushed").uploaded, 2);
    assert_whole(&server, "a/b", "1");
    assert_eq!(server.count("PUT", SESSIONS), 2);
    assert_eq!(server.count("HEAD", "/v2/*/blobs/*"), 1);
}

#[test]
fn r07_the_last_body_is_looked_for_too() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let image = image(&home.store, &[&noise(1, 600_000)]);
    let lost = |action| Rule::on("PUT", SESSIONS).nth(1).times(4).then(action);
    server.rule(lost(Action::CloseWithoutAnswer));
    server.rule(lost(Action::PassThenClose).times(1));
    push(&server, &image, from_ref(&home.store)).expect("pushed");
    assert_whole(&server, "a/b", "1");
    assert_eq!(server.count("PUT", SESSIONS), 6);
    assert_eq!(server.count("HEAD", "/v2/*/blobs/*"), 5);
}

#[test]
fn r07_a_body_that_did_not_land_is_sent_again() {
    let (server, result) = push_with(
        Rule::on("PUT", SESSIONS)
            .times(1)
            .then(Action::CloseWithoutAnswer),
    );
    assert_eq!(result.expect("pushed").uploaded, 2);
    assert_whole(&server, "a/b", "1");
    assert_one_body_each(&server);
    assert_eq!(server.count("PUT", SESSIONS), 3);
}

#[test]
fn r08_a_passing_status_of_a_put_is_answered_with_a_look_and_another_session() {
    for status in [408, 429, 500, 502, 503, 504] {
        let (server, result) = push_with(
            Rule::on("PUT", SESSIONS)
                .times(2)
                .then(Action::Status(status)),
        );
        assert_eq!(result.expect("pushed").uploaded, 2, "{status}");
        assert_whole(&server, "a/b", "1");
        assert_one_body_each(&server);
        assert_eq!(server.count("HEAD", "/v2/*/blobs/*"), 2);
    }
}

#[test]
fn r04_a_put_that_always_fails_ends_and_leaves_no_session_behind() {
    let (server, result) = push_with(Rule::on("PUT", SESSIONS).then(Action::Status(500)));
    let error = result.expect_err("always");
    assert_eq!(error.cause, Cause::Status(500));
    assert_eq!(server.count("PUT", SESSIONS), 5);
    assert_eq!(server.open_uploads(), 0);
    assert!(server.tags("a/b").is_empty());
}

/// A client that knows user and password of a server.
fn known(server: &TestRegistry, directory: &Path) -> Registry {
    let auth = BASE64_STANDARD.encode("user:s3cret");
    let config = serde_json::json!({"auths": {server.host(): {"auth": auth}}});
    fs::write(directory.join("config.json"), config.to_string()).expect("written");
    let mut settings = Settings {
        parallel: 1,
        ..Settings::default()
    };
    settings
        .environment
        .insert("DOCKER_CONFIG".into(), directory.into());
    with(settings)
}

#[test]
fn a17_a_push_sends_a_wrong_password_once() {
    for (auth, secret) in [
        (Auth::basic("user", "other"), "*"),
        (Auth::token("user", "other"), "/token"),
    ] {
        let home = testing::store();
        let server = TestRegistry::with(Options {
            auth,
            ..Options::default()
        });
        let image = image(&home.store, &[&noise(1, 5 << 20), &noise(2, 600_000)]);
        let registry = known(&server, home.directory.path());
        let stores = from_ref(&home.store);
        let error = registry.push(&parcel(&server, ("a/b", &["1"]), &image, stores));
        assert_eq!(error.expect_err("refused").cause, Cause::Unauthorized);
        let requests = server.requests();
        let shown = requests.iter().filter(|seen| {
            let basic = seen.header("authorization").unwrap_or_default();
            basic.starts_with("Basic ") && (secret == "*" || seen.path == secret)
        });
        assert_eq!(shown.count(), 1, "{secret}");
    }
}

#[test]
fn a21_a_token_that_ran_out_in_a_body_means_another_session() {
    for uses in 1..6 {
        let home = testing::store();
        let auth = TokenAuth {
            uses: Some(uses),
            ..TokenAuth::default()
        };
        let server = TestRegistry::with(Options {
            auth: Auth::Token(auth),
            ..Options::default()
        });
        let image = image(&home.store, &[&noise(1, 600_000)]);
        let registry = known(&server, home.directory.path());
        let result = registry.push(&parcel(
            &server,
            ("a/b", &["1"]),
            &image,
            from_ref(&home.store),
        ));
        assert_one_body_each(&server);
        if uses == 1 {
            // A POST takes every token before the PUT can use it.
            assert_eq!(result.expect_err("never").cause, Cause::Unauthorized);
            continue;
        }
        assert_eq!(result.expect("pushed").uploaded, 2, "{uses}");
        assert_whole(&server, "a/b", "1");
        assert_eq!(server.open_uploads(), 0, "{uses}");
    }
}

#[test]
fn r19_a_mount_may_be_answered_in_every_way() {
    let bare = Action::change(|answer| answer.remove("location"));
    for (action, mounts) in [
        (Action::Pass, true),
        (bare, true),
        (Action::Status(401), false),
        (Action::Status(403), false),
        (Action::Status(404), false),
        (Action::Status(405), false),
        (Action::Status(500), false),
        (Action::CloseWithoutAnswer, false),
    ] {
        let told = format!("{action:?}");
        let (server, home) = (TestRegistry::start(), testing::store());
        let layer = noise(1, 5_000_000);
        let image = image(&home.store, &[&layer]);
        server.put_blob("bases/x", &layer);
        server.rule(
            Rule::on("POST", SESSIONS)
                .query("mount=*from=bases/x")
                .then(action),
        );
        let stores = [home.store.clone()];
        let mut parcel = parcel(&server, ("a/b", &["1"]), &image, &stores);
        parcel
            .origins
            .insert(Digest::of(&layer), name(&server, "bases/x"));
        let sent = registry(1).push(&parcel).expect(&told);
        assert_whole(&server, "a/b", "1");
        assert_eq!(sent.mounted, usize::from(mounts), "{told}");
        let asked = server
            .requests()
            .iter()
            .filter(|seen| seen.query.ends_with("from=bases/x"))
            .count();
        assert_eq!(asked, 1, "{told}");
        assert_eq!(server.open_uploads(), 0);
    }
}

#[test]
fn r19_a_mount_that_is_accepted_for_upload_goes_on_in_that_session() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let layer = noise(1, 5_000_000);
    let image = image(&home.store, &[&layer]);
    let stores = [home.store.clone()];
    let mut parcel = parcel(&server, ("a/b", &["1"]), &image, &stores);
    parcel
        .origins
        .insert(Digest::of(&layer), name(&server, "bases/empty"));
    registry(1).push(&parcel).expect("pushed");
    assert_eq!(
        spoken(&server)[1..3],
        ["POST blobs/uploads?mount 202", "PUT blobs/uploads 201"]
    );
    assert_eq!(server.requests()[2].body_length, 5_000_000);
}

#[test]
fn r29_a_registry_that_refuses_to_mount_from_itself_is_asked_for_blobs_instead() {
    let rule = Rule::on("POST", SESSIONS)
        .query("mount=*")
        .then(Action::Status(400));
    let (server, result) = push_with(rule);
    assert_eq!(result.expect("pushed").uploaded, 2);
    assert_eq!(
        spoken(&server),
        [
            "HEAD manifests 404",
            "POST blobs/uploads?mount 400",
            "HEAD blobs 404",
            "POST blobs/uploads 202",
            "PUT blobs/uploads 201",
            "HEAD blobs 404",
            "POST blobs/uploads 202",
            "PUT blobs/uploads 201",
            "PUT manifests 201"
        ]
    );
}

#[test]
fn r29_what_is_there_is_not_sent_where_mounts_are_refused() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let image = image(&home.store, &[b"one", b"two"]);
    server.put_blob("a/b", b"one");
    server.put_blob("a/b", b"two");
    server.rule(
        Rule::on("POST", SESSIONS)
            .query("mount=*")
            .then(Action::Status(405)),
    );
    let sent = push(&server, &image, from_ref(&home.store)).expect("pushed");
    assert_eq!((sent.uploaded, sent.present), (1, 2));
    assert_eq!(server.count("POST", SESSIONS), 2);
}

#[test]
fn r29_one_mount_that_fails_says_nothing_about_the_next() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let image = image(&home.store, &[b"one", b"two"]);
    server.put_blob("a/b", b"one");
    server.put_blob("a/b", b"two");
    server.rule(
        Rule::on("POST", SESSIONS)
            .query("mount=*")
            .times(1)
            .then(Action::Status(503)),
    );
    let sent = push(&server, &image, from_ref(&home.store)).expect("pushed");
    assert_eq!(sent.uploaded + sent.present, 3);
    let mounts = spoken(&server);
    let mounts = mounts.iter().filter(|line| line.contains("?mount"));
    assert_eq!(mounts.count(), 3);
}

/// Pushes an image on a base layer that lies in another repository of a registry with tokens; its rules are made by `change`.
fn pushed_on_a_base(
    is_pulled: bool,
    change: impl FnOnce(&TestRegistry),
) -> (TestRegistry, Result<Sent, Error>) {
    let home = testing::store();
    let server = TestRegistry::with(Options {
        auth: Auth::token("user", "s3cret"),
        ..Options::default()
    });
    let base = noise(1, 5_000_000);
    let image = image(&home.store, &[&base, b"own"]);
    server.put_blob("bases/x", &base);
    change(&server);
    let stores = [home.store.clone()];
    let mut parcel = parcel(&server, ("a/b", &["1"]), &image, &stores);
    parcel
        .origins
        .insert(Digest::of(&base), name(&server, "bases/x"));
    let registry = known(&server, home.directory.path());
    if is_pulled {
        server.put_blob("bases/x", b"{}");
        let config = Descriptor::of("x", b"{}");
        registry
            .document(&name(&server, "bases/x"), &config)
            .expect("pulled");
    }
    let result = registry.push(&parcel);
    (server, result)
}

#[test]
fn b4_pulling_a_base_and_mounting_it_takes_two_tokens() {
    let (server, result) = pushed_on_a_base(true, |_| ());
    let sent = result.expect("pushed");
    assert_eq!((sent.uploaded, sent.mounted), (2, 1));
    assert_whole(&server, "a/b", "1");
    assert_eq!(server.count("GET", "/token"), 2);
}

#[test]
fn r19_where_no_token_for_a_mount_is_to_be_had_the_layer_is_sent() {
    for (status, may_look, is_pulled) in [
        (401, false, false),
        (401, false, true),
        (401, true, false),
        (401, true, true),
        (403, false, false),
        (403, false, true),
        (403, true, false),
        (403, true, true),
    ] {
        let told = format!("{status} {may_look} {is_pulled}");
        let (server, result) = pushed_on_a_base(is_pulled, |server| {
            let pair = Rule::on("GET", "/token").query("*scope=*scope=*");
            server.rule(pair.then(Action::Status(status)));
            if may_look {
                server.rule(Rule::on("HEAD", "*").then(Action::Status(404)));
            }
        });
        let sent = result.expect(&told);
        assert_eq!((sent.uploaded, sent.mounted), (3, 0), "{told}");
        assert_whole(&server, "a/b", "1");
        let tokens = 2 + usize::from(is_pulled);
        assert_eq!(server.count("GET", "/token"), tokens, "{told}");
    }
}

#[test]
fn a17_a_wrong_password_is_sent_once_for_a_mount_too() {
    for may_look in [false, true] {
        let (server, result) = pushed_on_a_base(false, |server| {
            server.rule(Rule::on("GET", "/token").then(Action::Status(401)));
            if may_look {
                server.rule(Rule::on("HEAD", "*").then(Action::Status(404)));
            }
        });
        assert_eq!(result.expect_err("wrong").cause, Cause::Unauthorized);
        assert_eq!(server.count("GET", "/token"), 1);
    }
}

/// A registry that forgets a blob after it said that it has it.
fn liar(image: &Image) -> TestRegistry {
    let server = TestRegistry::start();
    let there = Action::answer(201, &[], "");
    let blob = image.blobs[0].digest;
    server.rule(
        Rule::on("POST", SESSIONS)
            .query(&format!("mount={blob}*"))
            .then(there),
    );
    server
}

#[test]
fn r20_what_the_registry_misses_after_all_is_sent_again_once() {
    let home = testing::store();
    let image = image(&home.store, &[b"layer", b"other"]);
    let server = liar(&image);
    let sent = push(&server, &image, from_ref(&home.store)).expect("pushed");
    assert_whole(&server, "a/b", "1");
    assert_eq!(
        sent,
        Sent {
            uploaded: 3,
            bytes: image.blobs.iter().map(|blob| blob.size).sum(),
            ..Sent::default()
        }
    );
    assert_eq!(
        server.count("PUT", SESSIONS),
        3,
        "only what was not sent is sent again"
    );
    assert_eq!(server.count("PUT", MANIFESTS), 2);
}

#[test]
fn r20_a_child_that_the_registry_misses_is_sent_again_too() {
    let home = testing::store();
    let images = vec![image(&home.store, &[b"one"]), image(&home.store, &[b"two"])];
    let all = index(&home.store, images);
    let server = TestRegistry::start();
    let child = format!("/v2/a/b/manifests/{}", all.manifests[0].digest);
    server.rule(
        Rule::on("PUT", &child)
            .times(1)
            .then(Action::answer(201, &[], "")),
    );
    push(&server, &all, from_ref(&home.store)).expect("pushed");
    assert_whole(&server, "a/b", "1");
    assert_eq!(server.count("PUT", &child), 2);
    assert_eq!(server.count("PUT", SESSIONS), 4);
}

#[test]
fn r20_a_child_that_is_learnt_slowly_gets_three_more_tries() {
    let home = testing::store();
    let images = vec![image(&home.store, &[b"one"]), image(&home.store, &[b"two"])];
    let all = index(&home.store, images);
    let server = TestRegistry::start();
    let child = format!("/v2/a/b/manifests/{}", all.manifests[0].digest);
    let told = |action| Rule::on("PUT", &child).then(action);
    server.rule(told(Action::answer(201, &[], "")).times(1));
    let body = r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"unknown"}]}"#;
    server.rule(told(Action::answer(404, &[], body)).times(3));
    push(&server, &all, from_ref(&home.store)).expect("pushed");
    assert_whole(&server, "a/b", "1");
    assert_eq!(server.count("PUT", &child), 5);
}

#[test]
fn r20_a_registry_that_learns_slowly_gets_three_more_tries() {
    let body = r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"unknown"}]}"#;
    let rule = |times| {
        Rule::on("PUT", MANIFESTS)
            .times(times)
            .then(Action::answer(404, &[], body))
    };
    let (server, result) = push_with(rule(4));
    result.expect("pushed");
    assert_eq!(server.count("PUT", MANIFESTS), 5);
    assert_eq!(server.count("PUT", SESSIONS), 2);
    let (server, result) = push_with(rule(100));
    let error = result.expect_err("always");
    assert_eq!(error.fault().kind, Kind::Registry);
    let reasons = error.fault().reasons().join("; ");
    assert!(!reasons.contains("all blobs of"), "{reasons}");
    assert!(reasons.contains("not put there: 1"), "{reasons}");
    assert_eq!(server.count("PUT", MANIFESTS), 5);
}

#[test]
fn r21_a_registry_that_altered_the_manifest_is_told_apart() {
    let other = Digest::of(b"other").to_string();
    let action = Action::pass_with(&[("docker-content-digest", &other)]);
    let (_server, result) = push_with(Rule::on("PUT", MANIFESTS).then(action));
    let error = result.expect_err("altered");
    assert_eq!(error.cause, Cause::Integrity);
    assert!(
        error.to_string().contains("altered the manifest"),
        "{error}"
    );
}

#[test]
fn r22_a_registry_that_finds_the_manifest_too_large_says_so() {
    for action in [
        Action::Status(413),
        Action::answer(400, &[], r#"{"errors":[{"code":"SIZE_INVALID"}]}"#),
    ] {
        let (server, result) = push_with(Rule::on("PUT", MANIFESTS).then(action));
        let error = result.expect_err("too large");
        assert_eq!(error.fault().kind, Kind::Disk);
        assert_eq!(server.count("PUT", MANIFESTS), 1);
    }
}

#[test]
fn a_blob_that_is_too_large_for_the_way_is_sent_once() {
    let (server, result) = push_with(Rule::on("PUT", SESSIONS).then(Action::Status(413)));
    let error = result.expect_err("too large");
    assert_eq!(error.cause, Cause::Limit);
    assert_eq!(server.count("PUT", SESSIONS), 1);
    assert_eq!(server.open_uploads(), 0);
}

#[test]
fn r23_r24_a_registry_that_takes_no_body_with_put_gets_one_patch() {
    for action in [
        Action::Status(404),
        Action::Status(405),
        Action::answer(400, &[], r#"{"errors":[{"code":"BLOB_UPLOAD_INVALID"}]}"#),
    ] {
        let rule = Rule::on("PUT", SESSIONS)
            .header("content-length", "600000")
            .then(action);
        let (server, result) = push_with(rule);
        assert_eq!(result.expect("pushed").uploaded, 2);
        assert_whole(&server, "a/b", "1");
        assert_eq!(server.count("PATCH", SESSIONS), 1);
        let requests = server.requests();
        let patch = requests
            .iter()
            .find(|seen| seen.method == "PATCH")
            .expect("one");
        assert_eq!(
            patch.body_length, 600_000,
            "no chunk is shorter than any least length"
        );
        assert_eq!(server.open_uploads(), 0);
    }
}

#[test]
fn r24_a_registry_that_takes_neither_is_given_up() {
    let (server, result) = push_with(
        Rule::on("P*", SESSIONS)
            .header("content-length", "600000")
            .then(Action::Status(405)),
    );
    assert_eq!(result.expect_err("neither").cause, Cause::Status(405));
    assert_eq!(server.count("PATCH", SESSIONS), 1);
}

#[test]
fn r24_a_patch_that_is_lost_begins_anew() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let image = image(&home.store, &[&noise(1, 600_000)]);
    server.rule(
        Rule::on("PUT", SESSIONS)
            .header("content-length", "600000")
            .then(Action::Status(405)),
    );
    server.rule(
        Rule::on("PATCH", SESSIONS)
            .times(1)
            .then(Action::ResetAfterRequestBytes(1000)),
    );
    push(&server, &image, from_ref(&home.store)).expect("pushed");
    assert_whole(&server, "a/b", "1");
    let requests = server.requests();
    let patches: Vec<&String> = requests
        .iter()
        .filter(|seen| seen.method == "PATCH")
        .map(|seen| &seen.path)
        .collect();
    assert_eq!(patches.len(), 2);
    assert_ne!(patches[0], patches[1]);
}

#[test]
fn r25_the_default_way_is_one_put() {
    let (server, result) = push_with(Rule::on("PATCH", SESSIONS).then(Action::Status(416)));
    result.expect("pushed");
    assert_eq!(server.count("PATCH", SESSIONS), 0);
}

#[test]
fn r31_a_repository_that_has_to_be_made_first_is_not_asked_for_again() {
    let body = r#"{"errors":[{"code":"NAME_UNKNOWN","message":"no such repository"}]}"#;
    let (server, result) =
        push_with(Rule::on("POST", SESSIONS).then(Action::answer(404, &[], body)));
    let error = result.expect_err("unknown");
    assert_eq!(error.cause, Cause::Absent);
    assert!(
        error
            .fault()
            .hints()
            .iter()
            .any(|hint| hint.contains("create the repository")),
        "{:?}",
        error.fault()
    );
    assert_eq!(
        server.count("POST", SESSIONS),
        2,
        "the mount, and the upload"
    );
}

#[test]
fn r29_a_tag_that_cannot_be_put_leaves_the_rest_there_and_says_so() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let image = image(&home.store, &[b"one", b"two"]);
    let stores = [home.store.clone()];
    server.rule(
        Rule::on("PUT", MANIFESTS)
            .times(1)
            .then(Action::Status(403)),
    );
    let error = push(&server, &image, &stores).expect_err("refused");
    let reasons = error.fault().reasons().join("; ");
    assert!(reasons.contains("all blobs of"), "{reasons}");
    assert!(reasons.contains("not put there: 1"), "{reasons}");
    let sent = push(&server, &image, &stores).expect("pushed");
    assert_eq!((sent.bytes, sent.present), (0, 3));
    assert_whole(&server, "a/b", "1");
}

#[test]
fn r30_of_several_tags_those_that_are_there_are_told() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let image = image(&home.store, &[b"one"]);
    server.rule(Rule::on("PUT", "/v2/a/b/manifests/2").then(Action::Status(403)));
    let error = registry(1)
        .push(&parcel(
            &server,
            ("a/b", &["1", "2", "3"]),
            &image,
            from_ref(&home.store),
        ))
        .expect_err("refused");
    let reasons = error.fault().reasons().join("; ");
    assert!(reasons.contains("has these tags: 1"), "{reasons}");
    assert!(reasons.contains("not put there: 2, 3"), "{reasons}");
    assert_eq!(server.tags("a/b"), ["1"]);
}

#[test]
fn k03_a_push_that_ends_at_any_request_tags_nothing_that_is_not_whole_and_is_completed_by_the_next()
{
    let home = testing::store();
    let stores = [home.store.clone()];
    let images = vec![
        image(&home.store, &[&noise(1, 30_000), b"one"]),
        image(&home.store, &[&noise(1, 30_000), b"two"]),
    ];
    let all = index(&home.store, images);
    let tags: &[&str] = &["1", "2"];
    let unhurt = TestRegistry::start();
    registry(1)
        .push(&parcel(&unhurt, ("a/b", tags), &all, &stores))
        .expect("pushed");
    let requests = unhurt.requests().len();
    let bytes: u64 = unhurt.requests().iter().map(|seen| seen.body_length).sum();
    for last in 1..=requests {
        let server = TestRegistry::start();
        server.rule(
            Rule::on("*", "*")
                .nth(last)
                .then(Action::CloseWithoutAnswer),
        );
        registry(1)
            .push(&parcel(&server, ("a/b", tags), &all, &stores))
            .expect_err("dies");
        for tag in server.tags("a/b") {
            assert_whole(&server, "a/b", &tag);
        }
        let again = TestRegistry::with(Options {
            contents: Some(server.contents()),
            ..Default::default()
        });
        registry(1)
            .push(&parcel(&again, ("a/b", tags), &all, &stores))
            .expect("completed");
        tags.iter().for_each(|tag| assert_whole(&again, "a/b", tag));
        let blobs = |server: &TestRegistry| -> u64 {
            let requests = server.requests();
            let kept = requests
                .iter()
                .filter(|seen| seen.status == 201 && seen.path.contains("/uploads/"));
            kept.map(|seen| seen.body_length).sum()
        };
        assert!(blobs(&server) + blobs(&again) <= bytes, "at request {last}");
    }
}

#[test]
fn s01_sessions_of_a_push_that_failed_are_deleted() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let layers: Vec<Vec<u8>> = (0..4).map(|seed| noise(seed, 1_000)).collect();
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let image = image(&home.store, &layers);
    server.rule(Rule::on("PUT", SESSIONS).then(Action::Status(403)));
    let error = registry(4).push(&parcel(
        &server,
        ("a/b", &["1"]),
        &image,
        from_ref(&home.store),
    ));
    assert_eq!(error.expect_err("refused").cause, Cause::Denied);
    let requests = server.requests();
    let mut known = requests.iter().filter(|seen| seen.method == "PUT");
    // A session whose beginning was still on its way when another upload failed is known to nobody here.
    assert!(known.all(|put| server.count("DELETE", &put.path) == 1));
    assert!(server.count("DELETE", SESSIONS) > 0);
}

#[test]
fn r09_locations_may_be_relative() {
    let home = testing::store();
    let server = TestRegistry::with(Options {
        relative_locations: true,
        ..Options::default()
    });
    let image = image(&home.store, &[b"layer"]);
    push(&server, &image, from_ref(&home.store)).expect("pushed");
    assert_whole(&server, "a/b", "1");
    assert_eq!(server.requests().len(), 6);
}

#[test]
fn r10_a_session_without_a_place_or_at_a_strange_one_is_an_error() {
    let long = format!("/v2/{}", "x".repeat(9_000));
    for place in ["", "javascript:alert(1)", "ftp://127.0.0.1/x", &long] {
        let place = place.to_owned();
        let action = Action::change(move |answer| match place.as_str() {
            "" => answer.remove("location"),
            place => answer.set("location", place),
        });
        let (server, result) = push_with(Rule::on("POST", SESSIONS).then(action));
        assert_eq!(result.expect_err("nowhere").fault().kind, Kind::Registry);
        assert_eq!(server.count("PUT", "*"), 0);
    }
}

#[test]
fn a_body_that_is_redirected_is_sent_whole_to_the_other_place() {
    let (server, other) = (TestRegistry::start(), TestRegistry::scripted());
    let home = testing::store();
    let image = image(&home.store, &[&noise(1, 600_000)]);
    let place = format!("{}/elsewhere?a=%2B", other.origin());
    let to = [("location", place.as_str())];
    server.rule(Rule::on("PUT", SESSIONS).then(Action::answer(307, &to, "")));
    server.rule(Rule::on("PUT", MANIFESTS).then(Action::Status(201)));
    other.rule(Rule::on("PUT", "/elsewhere").then(Action::Status(201)));
    let sent = push(&server, &image, from_ref(&home.store)).expect("pushed");
    assert_eq!(sent.uploaded, 2);
    let bodies: Vec<u64> = other
        .requests()
        .iter()
        .map(|seen| seen.body_length)
        .collect();
    assert_eq!(bodies.len(), 2);
    assert!(bodies.contains(&600_000));
    assert_eq!(other.requests()[0].query, "a=%2B");
}

#[test]
fn a_body_that_is_redirected_without_end_is_given_up() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let image = image(&home.store, &[&noise(1, 600_000)]);
    let to = [("location", "?again")];
    server.rule(Rule::on("PUT", SESSIONS).then(Action::answer(307, &to, "")));
    let error = push(&server, &image, from_ref(&home.store)).expect_err("no end");
    assert_eq!(error.cause, Cause::Protocol);
    assert_eq!(server.count("PUT", SESSIONS), 5);
}
