//! Pulls: what is asked, what is believed, and what happens when a body breaks.

use std::io::Write;

use crate::digest::{Descriptor, Digest};
use crate::media;
use crate::registry::Cause;
use crate::registry::tests::{image, name, noise, registry, spoken};
use crate::testing;
use crate::testing::test_registry::{Action, Rule, TestRegistry};

const INDEX: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
const MANIFESTS: &str = "/v2/*/manifests/*";
const BLOBS: &str = "/v2/*/blobs/*";

fn with_index() -> TestRegistry {
    let server = TestRegistry::start();
    server.put_manifest("a/b", "1", media::OCI_INDEX, INDEX.as_bytes());
    server
}

fn descriptor(bytes: &[u8]) -> Descriptor {
    Descriptor::of(media::OCI_LAYER, bytes)
}

#[test]
fn a_tag_is_looked_at_with_one_head_that_accepts_every_kind() {
    let server = with_index();
    let found = registry(1)
        .look(&name(&server, "a/b:1"))
        .expect("an answer")
        .expect("there");
    assert_eq!(found, Descriptor::of(media::OCI_INDEX, INDEX.as_bytes()));
    assert_eq!(spoken(&server), ["HEAD manifests 200"]);
    let requests = server.requests();
    let accepted = requests[0].header("accept").expect("told");
    for kind in [
        media::OCI_INDEX,
        media::OCI_MANIFEST,
        media::DOCKER_LIST,
        media::DOCKER_MANIFEST,
    ] {
        assert!(accepted.contains(kind), "{accepted}");
    }
}

#[test]
fn a_name_without_a_tag_is_looked_up_by_its_digest() {
    let server = with_index();
    let digest = Digest::of(INDEX.as_bytes());
    let found = registry(1).look(&name(&server, &format!("a/b@{digest}")));
    assert_eq!(found.expect("an answer").expect("there").digest, digest);
}

#[test]
fn r14_a_head_that_says_too_little_is_followed_by_a_get() {
    let without = |header: &'static str| Action::change(move |answer| answer.remove(header));
    for action in [
        Action::Status(405),
        Action::Status(404),
        Action::Status(400),
        Action::Status(401),
        Action::Status(403),
        without("docker-content-digest"),
        without("content-type"),
        Action::pass_with(&[("content-type", "text/plain")]),
    ] {
        let server = with_index();
        let told = format!("{action:?}");
        server.rule(Rule::on("HEAD", MANIFESTS).then(action));
        let found = registry(1)
            .look(&name(&server, "a/b:1"))
            .expect(&told)
            .expect(&told);
        assert_eq!(
            found,
            Descriptor::of(media::OCI_INDEX, INDEX.as_bytes()),
            "{told}"
        );
        assert_eq!(server.count("GET", MANIFESTS), 1, "{told}");
    }
}

#[test]
fn what_is_not_there_is_none() {
    let server = with_index();
    let registry = registry(1);
    assert_eq!(
        registry.look(&name(&server, "a/b:2")).expect("an answer"),
        None
    );
    assert_eq!(
        registry
            .manifest(&name(&server, "a/c:1"))
            .expect("an answer"),
        None
    );
    let blob = descriptor(b"gone");
    assert_eq!(
        registry
            .document(&name(&server, "a/b"), &blob)
            .expect("an answer"),
        None
    );
    let home = testing::store();
    let error = registry
        .fetch(&name(&server, "a/b"), &[blob], &home.store)
        .expect_err("absent");
    assert_eq!(error.cause, Cause::Absent);
}

#[test]
fn a_manifest_is_asked_for_by_digest_if_there_is_one() {
    let server = with_index();
    let digest = Digest::of(INDEX.as_bytes());
    let pinned = name(&server, &format!("a/b:2@{digest}"));
    let fetched = registry(1)
        .manifest(&pinned)
        .expect("an answer")
        .expect("there");
    assert_eq!(
        (fetched.digest, fetched.bytes.as_slice()),
        (digest, INDEX.as_bytes())
    );
    assert_eq!(fetched.media_type, media::OCI_INDEX);
    assert_eq!(
        server.requests()[0].path,
        format!("/v2/a/b/manifests/{digest}")
    );
    let by_tag = registry(1)
        .manifest(&name(&server, "a/b:1"))
        .expect("an answer")
        .expect("there");
    assert_eq!(by_tag, fetched);
}

#[test]
fn r15_a_digest_in_a_header_counts_only_if_we_can_compute_it() {
    let other = Digest::of(b"other").to_string();
    let long = format!("sha512:{}", "a".repeat(128));
    for (told, cause) in [
        ("", None),
        (long.as_str(), None),
        ("nonsense", None),
        (other.as_str(), Some(Cause::Integrity)),
    ] {
        let server = with_index();
        server.rule(
            Rule::on("GET", MANIFESTS).then(Action::pass_with(&[("docker-content-digest", told)])),
        );
        let result = registry(1).manifest(&name(&server, "a/b:1"));
        assert_eq!(result.err().map(|error| error.cause), cause, "{told}");
    }
    let server = with_index();
    server.rule(Rule::on("GET", MANIFESTS).then(Action::change(|answer| {
        answer.remove("docker-content-digest");
    })));
    assert!(
        registry(1)
            .manifest(&name(&server, "a/b:1"))
            .expect("an answer")
            .is_some()
    );
}

#[test]
fn r16_h05_the_content_type_may_be_vague_but_not_wrong() {
    for (told, is_good) in [
        ("text/plain", true),
        (
            "application/vnd.oci.image.index.v1+json; charset=utf-8",
            true,
        ),
        (media::OCI_MANIFEST, false),
        (media::DOCKER_LIST, false),
    ] {
        let server = with_index();
        server.rule(Rule::on("GET", MANIFESTS).then(Action::pass_with(&[("content-type", told)])));
        match registry(1).manifest(&name(&server, "a/b:1")) {
            Ok(fetched) => assert_eq!(
                (fetched.expect("there").media_type.as_str(), is_good),
                (media::OCI_INDEX, true)
            ),
            Err(error) => assert_eq!((error.cause, is_good), (Cause::Integrity, false), "{told}"),
        }
    }
}

#[test]
fn r17_another_manifest_than_the_pinned_one_is_refused_with_both_digests() {
    let server = TestRegistry::scripted();
    server.rule(Rule::on("GET", MANIFESTS).then(Action::answer(200, &[], INDEX)));
    let wanted = Digest::of(b"wanted");
    let error = registry(1)
        .manifest(&name(&server, &format!("a/b@{wanted}")))
        .expect_err("another");
    let fault = error.fault();
    assert_eq!(error.cause, Cause::Integrity);
    let reasons = fault.reasons().join(" ");
    assert!(reasons.contains(&wanted.to_string()), "{reasons}");
    assert!(
        reasons.contains(&Digest::of(INDEX.as_bytes()).to_string()),
        "{reasons}"
    );
}

#[test]
fn l05_an_endless_manifest_is_read_to_its_limit() {
    let server = TestRegistry::scripted();
    let headers = Vec::new();
    server.rule(Rule::on("GET", MANIFESTS).then(Action::Endless {
        status: 200,
        headers,
    }));
    let error = registry(1)
        .manifest(&name(&server, "a/b:1"))
        .expect_err("endless");
    assert_eq!(error.cause, Cause::Limit);
}

#[test]
fn a_manifest_that_breaks_off_is_asked_for_again() {
    let server = with_index();
    server.rule(
        Rule::on("GET", MANIFESTS)
            .times(2)
            .then(Action::TruncateBody(10)),
    );
    assert!(
        registry(1)
            .manifest(&name(&server, "a/b:1"))
            .expect("an answer")
            .is_some()
    );
    assert_eq!(server.count("GET", MANIFESTS), 3);
}

#[test]
fn a_document_is_verified_and_has_a_limit() {
    let server = TestRegistry::start();
    server.put_blob("a/b", b"{}");
    let found = registry(1)
        .document(&name(&server, "a/b"), &descriptor(b"{}"))
        .expect("an answer");
    assert_eq!(found.expect("there"), b"{}");
    let mut large = descriptor(b"{}");
    large.size = 8 * 1024 * 1024 + 1;
    let error = registry(1)
        .document(&name(&server, "a/b"), &large)
        .expect_err("too large");
    assert_eq!(error.cause, Cause::Limit);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn r18_a_blob_of_wrong_bytes_or_length_is_refused_and_read_no_further_than_its_size() {
    let bytes = noise(1, 100_000);
    let mut wrong = bytes.clone();
    wrong[99_999] ^= 1;
    let long = [bytes.as_slice(), b"x"].concat();
    let answer = |body: &[u8]| Action::Answer {
        status: 200,
        headers: Vec::new(),
        body: body.to_vec(),
    };
    let endless = Action::Endless {
        status: 200,
        headers: Vec::new(),
    };
    for action in [
        answer(&wrong),
        answer(&bytes[..99_999]),
        answer(&long),
        answer(b""),
        endless,
    ] {
        let (server, home) = (TestRegistry::scripted(), testing::store());
        server.rule(Rule::on("GET", BLOBS).then(action));
        let blob = descriptor(&bytes);
        let error = registry(1)
            .fetch(
                &name(&server, "a/b"),
                std::slice::from_ref(&blob),
                &home.store,
            )
            .expect_err("wrong");
        assert_eq!(error.cause, Cause::Integrity, "{error}");
        assert!(!home.store.holds(&blob));
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn r18_a_chunked_body_that_goes_on_after_the_right_bytes_is_refused() {
    let bytes = noise(1, 100);
    let mut raw = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\n".to_vec();
    raw.extend_from_slice(&bytes);
    raw.extend_from_slice(b"\r\n1\r\nx\r\n0\r\n\r\n");
    let server = TestRegistry::scripted();
    server.rule(Rule::on("GET", BLOBS).then(Action::Raw(raw)));
    let error = registry(1)
        .document(&name(&server, "a/b"), &descriptor(&bytes))
        .expect_err("too long");
    assert_eq!(error.cause, Cause::Integrity);
}

fn fetch(server: &TestRegistry, bytes: &[u8]) -> Vec<u8> {
    let home = testing::store();
    let blob = descriptor(bytes);
    registry(1)
        .fetch(
            &name(server, "a/b"),
            std::slice::from_ref(&blob),
            &home.store,
        )
        .expect("fetched");
    home.store
        .document(&blob.digest, Some(blob.size))
        .expect("sound")
        .expect("there")
}

#[test]
fn a_blob_that_breaks_is_taken_up_where_it_ended() {
    let (server, bytes) = (TestRegistry::start(), noise(2, 300_000));
    server.put_blob("a/b", &bytes);
    server.rule(
        Rule::on("GET", BLOBS)
            .times(2)
            .then(Action::TruncateBody(100_000)),
    );
    assert_eq!(fetch(&server, &bytes), bytes);
    let requests = server.requests();
    let ranges: Vec<Option<&str>> = requests.iter().map(|seen| seen.header("range")).collect();
    assert_eq!(ranges, [None, Some("bytes=100000-"), Some("bytes=200000-")]);
}

/// A gzip encoding of `bytes` as a proxy adds it; of `part` of it when the connection breaks.
fn encoded(bytes: &[u8], part: usize) -> Action {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).expect("in memory");
    let whole = gzip.finish().expect("in memory");
    let headers = [
        ("content-encoding", "gzip".to_owned()),
        ("content-length", whole.len().to_string()),
        ("connection", "close".to_owned()),
    ];
    Action::Answer {
        status: 200,
        headers: headers
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
        body: whole[..whole.len() / part].to_vec(),
    }
}

#[test]
fn r32_a_blob_that_a_proxy_encodes_begins_from_the_start_when_it_breaks() {
    let (server, bytes) = (TestRegistry::scripted(), noise(7, 300_000));
    server.rule(Rule::on("GET", BLOBS).times(1).then(encoded(&bytes, 2)));
    server.rule(
        Rule::on("GET", BLOBS)
            .header("range", "bytes=*")
            .then(Action::Status(416)),
    );
    server.rule(Rule::on("GET", BLOBS).then(encoded(&bytes, 1)));
    assert_eq!(fetch(&server, &bytes), bytes);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_range_that_is_not_answered_as_it_should_be_begins_from_the_start() {
    let bytes = noise(3, 50_000);
    let whole = Action::Answer {
        status: 200,
        headers: Vec::new(),
        body: bytes.clone(),
    };
    let unfit = |range: &str| Action::Answer {
        status: 206,
        headers: vec![("content-range".to_owned(), range.to_owned())],
        body: bytes[10_000..].to_vec(),
    };
    for (action, requests) in [
        (whole, 2),
        (Action::Status(416), 3),
        (unfit("bytes 9999-49999/50000"), 3),
        (unfit("bytes 10000-49999/50001"), 3),
        (unfit("nonsense"), 3),
    ] {
        let server = TestRegistry::start();
        server.put_blob("a/b", &bytes);
        server.rule(
            Rule::on("GET", BLOBS)
                .times(1)
                .then(Action::TruncateBody(10_000)),
        );
        server.rule(
            Rule::on("GET", BLOBS)
                .header("range", "bytes=*")
                .then(action),
        );
        assert_eq!(fetch(&server, &bytes), bytes);
        assert_eq!(server.requests().len(), requests);
    }
}

#[test]
fn a_blob_that_always_breaks_ends_in_an_error() {
    let (server, bytes) = (TestRegistry::start(), noise(4, 1_000));
    server.put_blob("a/b", &bytes);
    server.rule(Rule::on("GET", BLOBS).then(Action::TruncateBody(0)));
    let error = registry(1)
        .document(&name(&server, "a/b"), &descriptor(&bytes))
        .expect_err("breaks");
    assert_eq!(error.cause, Cause::Unreachable);
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn a_blob_that_makes_progress_may_break_more_often_than_a_request_is_tried() {
    let (server, bytes) = (TestRegistry::start(), noise(5, 8 * 1024 * 1024));
    server.put_blob("a/b", &bytes);
    server.rule(
        Rule::on("GET", BLOBS)
            .times(7)
            .then(Action::TruncateBody(1024 * 1024 + 1)),
    );
    assert_eq!(fetch(&server, &bytes), bytes);
    assert_eq!(server.requests().len(), 8);
}

#[test]
fn h12_the_urls_of_a_descriptor_are_never_asked() {
    let (server, elsewhere) = (TestRegistry::start(), TestRegistry::scripted());
    let url = format!("{}/blob", elsewhere.origin());
    let blob = descriptor(b"bytes").with("urls", serde_json::json!([url]));
    let home = testing::store();
    let error = registry(1)
        .fetch(&name(&server, "a/b"), &[blob], &home.store)
        .expect_err("absent");
    assert_eq!(error.cause, Cause::Absent);
    elsewhere.done();
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn what_is_in_the_store_is_not_asked_for_and_several_blobs_travel_together() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let bodies: Vec<Vec<u8>> = (0..6).map(|seed| noise(seed, 10_000)).collect();
    let blobs: Vec<Descriptor> = bodies.iter().map(|bytes| descriptor(bytes)).collect();
    for bytes in &bodies {
        server.put_blob("a/b", bytes);
    }
    home.store.put(media::OCI_LAYER, &bodies[0]).expect("put");
    registry(4)
        .fetch(&name(&server, "a/b"), &blobs, &home.store)
        .expect("fetched");
    assert_eq!(server.requests().len(), 5);
    assert!(blobs.iter().all(|blob| home.store.holds(blob)));
    registry(4)
        .fetch(&name(&server, "a/b"), &blobs, &home.store)
        .expect("nothing to do");
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn two_threads_that_want_one_blob_make_one_request() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let bytes = noise(6, 100_000);
    server.put_blob("a/b", &bytes);
    server.rule(Rule::on("GET", BLOBS).then(Action::Delay(50, Box::new(Action::Pass))));
    let (registry, blob) = (registry(4), descriptor(&bytes));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let blobs = std::slice::from_ref(&blob);
                registry
                    .fetch(&name(&server, "a/b"), blobs, &home.store)
                    .expect("fetched");
            });
        }
    });
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn b4_a_pinned_image_costs_three_requests_and_its_layers_one_each() {
    let (server, there, here) = (TestRegistry::start(), testing::store(), testing::store());
    let image = image(&there.store, &[b"one", b"two"]);
    for blob in &image.blobs {
        let bytes = there
            .store
            .document(&blob.digest, None)
            .expect("sound")
            .expect("there");
        server.put_blob("a/b", &bytes);
    }
    let manifest = &image.manifests[0];
    let bytes = there
        .store
        .document(&manifest.digest, None)
        .expect("sound")
        .expect("there");
    server.put_manifest(
        "a/b",
        &manifest.digest.to_string(),
        &manifest.media_type,
        &bytes,
    );
    let (registry, pinned) = (
        registry(2),
        name(&server, &format!("a/b@{}", manifest.digest)),
    );
    registry
        .manifest(&pinned)
        .expect("an answer")
        .expect("there");
    registry
        .document(&pinned, &image.blobs[2])
        .expect("an answer")
        .expect("there");
    assert_eq!(spoken(&server), ["GET manifests 200", "GET blobs 200"]);
    registry
        .fetch(&pinned, &image.blobs, &here.store)
        .expect("fetched");
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn a_layer_that_no_image_needs_is_not_asked_for() {
    let server = TestRegistry::start();
    let home = testing::store();
    let huge = Descriptor {
        size: (64 << 30) + 1,
        ..descriptor(b"a layer")
    };
    let blobs = [descriptor(b"small"), huge];
    let fetched = registry(1).fetch(&name(&server, "a/b"), &blobs, &home.store);
    assert_eq!(fetched.expect_err("too large").cause, Cause::Limit);
    assert!(server.requests().is_empty());
}
