//! Where the bytes of a push come from: stores, another registry, or nowhere.

use std::fs;
use std::slice::from_ref;

use crate::digest::Digest;
use crate::fault::Kind;
use crate::registry::tests::{
    assert_whole, image, name, noise, noted, parcel, registry, spoken, with,
};
use crate::registry::{Cause, Mirror, Settings};
use crate::store::Store;
use crate::testing;
use crate::testing::test_registry::{Action, Rule, TestRegistry};

fn forget(store: &Store, bytes: &[u8]) {
    let path = store
        .root()
        .join("blobs/sha256")
        .join(Digest::of(bytes).hex());
    fs::remove_file(path).expect("was there");
}

#[test]
fn c04_a_damaged_layer_breaks_the_upload_and_nothing_is_tagged() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let layer = noise(1, 9_000_000);
    let image = image(&home.store, &[&layer]);
    let path = home
        .store
        .root()
        .join("blobs/sha256")
        .join(Digest::of(&layer).hex());
    let mut bytes = layer.clone();
    bytes[8_999_999] ^= 1;
    fs::remove_file(&path).expect("was there");
    fs::write(&path, bytes).expect("written");
    let error = registry(1)
        .push(&parcel(
            &server,
            ("a/b", &["1"]),
            &image,
            from_ref(&home.store),
        ))
        .expect_err("damaged");
    assert_eq!(
        (error.cause, error.fault().kind),
        (Cause::Damaged, Kind::Integrity),
        "{error}"
    );
    let requests = server.requests();
    let put = requests
        .iter()
        .find(|seen| seen.method == "PUT")
        .expect("begun");
    assert!(
        put.body_length < 9_000_000 && put.status == 0,
        "{} {}",
        put.body_length,
        put.status
    );
    assert_eq!(server.count("PUT", "*"), 1);
    assert!(server.tags("a/b").is_empty() && server.blobs("a/b").is_empty());
    assert_eq!(server.open_uploads(), 0);
}

#[test]
fn the_first_store_that_has_a_blob_gives_it() {
    let (server, one, two) = (TestRegistry::start(), testing::store(), testing::store());
    let image = image(&two.store, &[b"layer"]);
    one.store.put("x", b"layer").expect("put");
    forget(&two.store, b"layer");
    let stores = [one.store.clone(), two.store.clone()];
    registry(2)
        .push(&parcel(&server, ("a/b", &["1"]), &image, &stores))
        .expect("pushed");
    assert_whole(&server, "a/b", "1");
}

#[test]
fn a_layer_that_no_store_has_is_streamed_from_where_it_came_from() {
    let (source, target, home) = (
        TestRegistry::start(),
        TestRegistry::start(),
        testing::store(),
    );
    let layer = noise(1, 6_000_000);
    let image = image(&home.store, &[&layer, b"own"]);
    forget(&home.store, &layer);
    source.put_blob("bases/x", &layer);
    let stores = [home.store.clone()];
    let mut parcel = parcel(&target, ("a/b", &["1"]), &image, &stores);
    parcel
        .origins
        .insert(Digest::of(&layer), name(&source, "bases/x"));
    let sent = registry(2).push(&parcel).expect("pushed");
    assert_whole(&target, "a/b", "1");
    assert_eq!(sent.uploaded, 3);
    assert_eq!(spoken(&source), ["GET blobs 200"]);
    assert!(
        !home.store.holds(&image.blobs[0]),
        "nothing touches the disk"
    );
    let foreign = target
        .requests()
        .iter()
        .filter(|seen| seen.query.contains("from=bases"))
        .count();
    assert_eq!(foreign, 0, "nothing is mounted across registries");
}

#[test]
fn a_source_that_breaks_is_taken_up_while_the_upload_goes_on() {
    let (source, target, home) = (
        TestRegistry::start(),
        TestRegistry::start(),
        testing::store(),
    );
    let layer = noise(1, 6_000_000);
    let image = image(&home.store, &[&layer]);
    forget(&home.store, &layer);
    source.put_blob("bases/x", &layer);
    source.rule(
        Rule::on("GET", "/v2/*/blobs/*")
            .times(2)
            .then(Action::TruncateBody(2_000_000)),
    );
    let stores = [home.store.clone()];
    let mut parcel = parcel(&target, ("a/b", &["1"]), &image, &stores);
    parcel
        .origins
        .insert(Digest::of(&layer), name(&source, "bases/x"));
    registry(1).push(&parcel).expect("pushed");
    assert_whole(&target, "a/b", "1");
    assert_eq!(source.requests().len(), 3);
    assert_eq!(target.count("PUT", "/v2/*/blobs/*"), 2);
}

#[test]
fn a_source_that_lies_breaks_the_upload() {
    let (source, target, home) = (
        TestRegistry::scripted(),
        TestRegistry::start(),
        testing::store(),
    );
    let layer = noise(1, 600_000);
    let image = image(&home.store, &[&layer]);
    forget(&home.store, &layer);
    let body = noise(2, 600_000);
    source.rule(Rule::on("GET", "*").then(Action::Answer {
        status: 200,
        headers: Vec::new(),
        body,
    }));
    let stores = [home.store.clone()];
    let mut parcel = parcel(&target, ("a/b", &["1"]), &image, &stores);
    parcel
        .origins
        .insert(Digest::of(&layer), name(&source, "bases/x"));
    let error = registry(1).push(&parcel).expect_err("lies");
    assert_eq!(error.cause, Cause::Integrity, "{error}");
    assert_eq!(target.count("PUT", "*"), 1);
    assert!(target.tags("a/b").is_empty() && target.blobs("a/b").is_empty());
}

/// Pushes a layer of 600,000 bytes that lies in a mirror, where every GET is answered so, and in the registry behind it.
fn pushed_past(action: Action) -> (TestRegistry, TestRegistry, TestRegistry) {
    let (mirror, source) = (TestRegistry::start(), TestRegistry::start());
    let (target, home) = (TestRegistry::start(), testing::store());
    let layer = noise(1, 600_000);
    let image = image(&home.store, &[&layer]);
    forget(&home.store, &layer);
    mirror.put_blob("bases/x", &layer);
    source.put_blob("bases/x", &layer);
    mirror.rule(Rule::on("GET", "*").then(action));
    let settings = Settings {
        parallel: 1,
        mirrors: vec![Mirror::parse(&mirror.origin()).expect("a mirror")],
        ..Settings::default()
    };
    let stores = [home.store.clone()];
    let mut parcel = parcel(&target, ("a/b", &["1"]), &image, &stores);
    parcel
        .origins
        .insert(Digest::of(&layer), name(&source, "bases/x"));
    let (registry, notes) = noted(settings);
    registry.push(&parcel).expect("pushed");
    assert_whole(&target, "a/b", "1");
    assert_eq!(target.open_uploads(), 0);
    let passed_over = format!("mirror `{}` was passed over", mirror.host());
    assert!(
        notes
            .all()
            .iter()
            .any(|note| note.starts_with(&passed_over)),
        "{:?}",
        notes.all()
    );
    (mirror, source, target)
}

#[test]
fn a_mirror_that_lies_is_passed_over_and_the_next_place_gives_the_layer() {
    let (mirror, source, target) = pushed_past(Action::Answer {
        status: 200,
        headers: Vec::new(),
        body: noise(2, 600_000),
    });
    assert_eq!((mirror.requests().len(), source.requests().len()), (1, 1));
    assert_eq!(
        target.count("PUT", "/v2/*/blobs/*"),
        3,
        "one was broken off"
    );
}

#[test]
fn a_mirror_that_breaks_for_good_is_passed_over_and_the_next_place_gives_the_layer() {
    let (mirror, source, _) = pushed_past(Action::TruncateBody(50_000));
    assert_eq!((mirror.requests().len(), source.requests().len()), (5, 1));
}

#[test]
fn a_source_that_cannot_be_reached_is_told_and_no_session_is_begun_again() {
    let (source, target, home) = (
        TestRegistry::scripted(),
        TestRegistry::start(),
        testing::store(),
    );
    let layer = noise(1, 600_000);
    let image = image(&home.store, &[&layer]);
    forget(&home.store, &layer);
    source.rule(Rule::on("GET", "*").then(Action::CloseWithoutAnswer));
    let stores = [home.store.clone()];
    let mut parcel = parcel(&target, ("a/b", &["1"]), &image, &stores);
    parcel
        .origins
        .insert(Digest::of(&layer), name(&source, "bases/x"));
    let error = registry(1).push(&parcel).expect_err("unreachable");
    assert!(error.to_string().contains(&source.host()), "{error}");
    assert_eq!(target.count("POST", "*"), 1);
    assert_eq!(target.open_uploads(), 0);
}

#[test]
fn a_push_asks_mirrors_for_sources_alone() {
    let (mirror, source, target) = (
        TestRegistry::start(),
        TestRegistry::scripted(),
        TestRegistry::start(),
    );
    let home = testing::store();
    let layer = noise(1, 600_000);
    let image = image(&home.store, &[&layer]);
    forget(&home.store, &layer);
    mirror.put_blob("hub/bases/x", &layer);
    let mut settings = Settings {
        parallel: 2,
        ..Settings::default()
    };
    settings.mirrors = vec![Mirror::parse(&format!("{}/hub", mirror.origin())).expect("a mirror")];
    let stores = [home.store.clone()];
    let mut parcel = parcel(&target, ("a/b", &["1"]), &image, &stores);
    parcel
        .origins
        .insert(Digest::of(&layer), name(&source, "bases/x"));
    with(settings).push(&parcel).expect("pushed");
    assert_whole(&target, "a/b", "1");
    assert_eq!(mirror.requests().len(), 1);
}

#[test]
fn a_mount_that_is_refused_is_streamed_within_the_registry() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let layer = noise(1, 600_000);
    let image = image(&home.store, &[&layer]);
    forget(&home.store, &layer);
    server.put_blob("bases/x", &layer);
    server.rule(
        Rule::on("POST", "*")
            .query("*from=bases/x")
            .then(Action::Status(403)),
    );
    let stores = [home.store.clone()];
    let mut parcel = parcel(&server, ("a/b", &["1"]), &image, &stores);
    parcel
        .origins
        .insert(Digest::of(&layer), name(&server, "bases/x"));
    let sent = registry(1).push(&parcel).expect("pushed");
    assert_whole(&server, "a/b", "1");
    assert_eq!((sent.uploaded, sent.mounted), (2, 0));
}

#[test]
fn o08_a_layer_that_nobody_has_is_enough_if_the_target_has_it() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let layer = noise(1, 600_000);
    let image = image(&home.store, &[&layer]);
    forget(&home.store, &layer);
    server.put_blob("a/b", &layer);
    let sent = registry(1)
        .push(&parcel(
            &server,
            ("a/b", &["1"]),
            &image,
            from_ref(&home.store),
        ))
        .expect("pushed");
    assert_whole(&server, "a/b", "1");
    assert_eq!((sent.uploaded, sent.present), (1, 1));
    assert_eq!(
        spoken(&server)[..2],
        ["HEAD manifests 404", "HEAD blobs 200"]
    );
}

#[test]
fn o08_layers_that_nobody_has_are_named_before_anything_is_sent() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let image = image(&home.store, &[b"one", b"two", b"three"]);
    forget(&home.store, b"one");
    forget(&home.store, b"two");
    let error = registry(4)
        .push(&parcel(
            &server,
            ("a/b", &["1"]),
            &image,
            from_ref(&home.store),
        ))
        .expect_err("missing");
    let fault = error.fault();
    assert_eq!((error.cause, fault.kind), (Cause::Missing, Kind::Offline));
    let reasons = fault.reasons().join(" ");
    assert!(
        reasons.contains(&Digest::of(b"one").to_string()),
        "{reasons}"
    );
    assert!(
        reasons.contains(&Digest::of(b"two").to_string()),
        "{reasons}"
    );
    assert_eq!(server.count("P*", "*"), 0);
}
