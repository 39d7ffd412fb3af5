//! Pushes to a registry that does what it should: what is asked, in which order, and how often.

use std::slice::from_ref;

use crate::registry::tests::{
    Image, assert_whole, image, index, name, noise, parcel, registry, spoken,
};
use crate::registry::{Cause, Sent};
use crate::testing;
use crate::testing::test_registry::{Action, Rule, TestRegistry};

const MIB: usize = 1024 * 1024;

#[test]
fn b4_a_first_push_asks_for_the_tag_and_sends_each_blob_in_two_requests() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let image = image(&home.store, &[b"layer"]);
    let stores = [home.store.clone()];
    let sent = registry(1)
        .push(&parcel(&server, ("a/b", &["1"]), &image, &stores))
        .expect("pushed");
    assert_whole(&server, "a/b", "1");
    let begun = "POST blobs/uploads?mount 202";
    let put = "PUT blobs/uploads 201";
    let expected = [
        "HEAD manifests 404",
        begun,
        put,
        begun,
        put,
        "PUT manifests 201",
    ];
    assert_eq!(spoken(&server), expected);
    assert_eq!((sent.uploaded, sent.mounted, sent.present), (2, 0, 0));
    assert_eq!(
        sent.bytes,
        image.blobs.iter().map(|blob| blob.size).sum::<u64>()
    );
    assert_eq!(server.open_uploads(), 0);
}

#[test]
fn b4_an_unchanged_image_costs_one_request() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let image = image(&home.store, &[b"one", b"two"]);
    let stores = [home.store.clone()];
    let parcel = parcel(&server, ("a/b", &["1"]), &image, &stores);
    registry(4).push(&parcel).expect("pushed");
    server.forget_requests();
    let sent = registry(4).push(&parcel).expect("pushed");
    assert_eq!(spoken(&server), ["HEAD manifests 200"]);
    assert_eq!(
        sent,
        Sent {
            present: 3,
            ..Sent::default()
        }
    );
}

#[test]
fn b4_an_unchanged_image_without_tags_costs_one_request() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let image = image(&home.store, &[b"one"]);
    let stores = [home.store.clone()];
    let parcel = parcel(&server, ("a/b", &[]), &image, &stores);
    registry(4).push(&parcel).expect("pushed");
    assert_whole(&server, "a/b", &image.manifests[0].digest.to_string());
    assert!(server.tags("a/b").is_empty());
    server.forget_requests();
    registry(4).push(&parcel).expect("pushed");
    assert_eq!(spoken(&server), ["HEAD manifests 200"]);
}

#[test]
fn b4_a_changed_binary_on_a_mounted_base_costs_seven_requests() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let base = noise(1, 3 * MIB);
    let image = image(&home.store, &[&base, &noise(2, MIB)]);
    let digest = server.put_blob("bases/static", &base);
    server.put_manifest(
        "a/b",
        "1",
        "application/vnd.oci.image.manifest.v1+json",
        b"{}",
    );
    let stores = [home.store.clone()];
    let mut parcel = parcel(&server, ("a/b", &["1"]), &image, &stores);
    parcel.origins.insert(
        digest.parse().expect("a digest"),
        name(&server, "bases/static"),
    );
    server.forget_requests();
    let sent = registry(1).push(&parcel).expect("pushed");
    assert_whole(&server, "a/b", "1");
    assert_eq!(
        spoken(&server),
        [
            "HEAD manifests 200",
            "POST blobs/uploads?mount 201",
            "POST blobs/uploads?mount 202",
            "PUT blobs/uploads 201",
            "POST blobs/uploads?mount 202",
            "PUT blobs/uploads 201",
            "PUT manifests 201"
        ]
    );
    assert_eq!((sent.uploaded, sent.mounted, sent.present), (2, 1, 0));
}

#[test]
fn b4_what_the_tag_meant_before_is_known_from_a_store_and_its_blobs_cost_nothing() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let base = noise(1, 6 * MIB);
    let before = image(&home.store, &[&base, b"before"]);
    let after = image(&home.store, &[&base, b"after"]);
    let stores = [home.store.clone()];
    registry(1)
        .push(&parcel(&server, ("a/b", &["1"]), &before, &stores))
        .expect("pushed");
    server.forget_requests();
    let sent = registry(1)
        .push(&parcel(&server, ("a/b", &["1"]), &after, &stores))
        .expect("pushed");
    assert_whole(&server, "a/b", "1");
    let begun = "POST blobs/uploads?mount 202";
    let put = "PUT blobs/uploads 201";
    assert_eq!(
        spoken(&server),
        [
            "HEAD manifests 200",
            begun,
            put,
            begun,
            put,
            "PUT manifests 201"
        ]
    );
    assert_eq!((sent.uploaded, sent.present), (2, 1));
}

#[test]
fn b4_what_the_tag_meant_before_is_asked_for_when_there_are_more_than_three_blobs() {
    for (layers, gets) in [(4, 1), (3, 1), (2, 0), (1, 0)] {
        let (server, there, here) = (TestRegistry::start(), testing::store(), testing::store());
        let base: Vec<Vec<u8>> = (1..layers).map(|seed| noise(seed, 1000)).collect();
        let with = |last: &'static [u8]| -> Vec<&[u8]> {
            base.iter().map(Vec::as_slice).chain([last]).collect()
        };
        let before = image(&there.store, &with(b"before"));
        let after = image(&here.store, &with(b"after"));
        registry(1)
            .push(&parcel(
                &server,
                ("a/b", &["1"]),
                &before,
                from_ref(&there.store),
            ))
            .expect("pushed");
        server.forget_requests();
        registry(1)
            .push(&parcel(
                &server,
                ("a/b", &["1"]),
                &after,
                from_ref(&here.store),
            ))
            .expect("pushed");
        assert_whole(&server, "a/b", "1");
        assert_eq!(server.count("GET", "/v2/a/b/manifests/*"), gets);
        assert!(server.requests().len() <= 7, "{:?}", spoken(&server));
    }
}

#[test]
fn a_large_blob_is_asked_for_before_it_is_sent_and_a_small_one_while_it_is_begun() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let large = noise(1, 4 * MIB + 1);
    let image = image(&home.store, &[&large, b"small"]);
    let stores = [home.store.clone()];
    server.put_blob("a/b", &large);
    server.put_blob("a/b", b"small");
    let sent = registry(1)
        .push(&parcel(&server, ("a/b", &["new"]), &image, &stores))
        .expect("pushed");
    assert_eq!((sent.uploaded, sent.present), (1, 2));
    let lines = spoken(&server);
    assert_eq!(lines[1], "HEAD blobs 200");
    assert!(
        lines[2..].contains(&"POST blobs/uploads?mount 201".to_owned()),
        "{lines:?}"
    );
    assert_eq!(server.count("PUT", "/v2/*/blobs/*"), 1);
}

#[test]
fn an_upload_says_its_length_and_type_and_keeps_the_query_of_its_session() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let image = image(&home.store, &[&noise(1, 700_000)]);
    registry(1)
        .push(&parcel(
            &server,
            ("a/b", &["1"]),
            &image,
            from_ref(&home.store),
        ))
        .expect("pushed");
    let requests = server.requests();
    let post = requests
        .iter()
        .find(|seen| seen.method == "POST")
        .expect("begun");
    assert_eq!(post.header("content-length"), Some("0"));
    let put = requests
        .iter()
        .find(|seen| seen.method == "PUT")
        .expect("sent");
    assert_eq!(put.header("content-length"), Some("700000"));
    assert_eq!(put.header("transfer-encoding"), None);
    assert_eq!(put.header("content-range"), None);
    assert_eq!(put.header("content-type"), Some("application/octet-stream"));
    assert!(
        put.query.starts_with("_state=at%2B0%3D&digest=sha256:"),
        "{}",
        put.query
    );
}

#[test]
fn n08_no_more_blobs_travel_at_once_than_the_settings_say() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let layers: Vec<Vec<u8>> = (0..64).map(|seed| noise(seed, 2_000)).collect();
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let image = image(&home.store, &layers);
    server.rule(
        Rule::on("PUT", "/v2/*/blobs/*")
            .times(8)
            .then(Action::Delay(20, Box::new(Action::Pass))),
    );
    let sent = registry(4)
        .push(&parcel(
            &server,
            ("a/b", &["1"]),
            &image,
            from_ref(&home.store),
        ))
        .expect("pushed");
    assert_whole(&server, "a/b", "1");
    assert_eq!(sent.uploaded, 65);
    assert!(
        (2..=4).contains(&server.most_at_once()),
        "{}",
        server.most_at_once()
    );
}

#[test]
fn n09_a_layer_of_ten_platforms_is_sent_once_and_the_index_after_its_images() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let shared = noise(1, 10_000);
    let images: Vec<Image> = (0..10)
        .map(|seed| image(&home.store, &[&shared, &noise(100 + seed, 10)]))
        .collect();
    let all = index(&home.store, images);
    let root = all.manifests.last().expect("an index").digest.to_string();
    let sent = registry(4)
        .push(&parcel(
            &server,
            ("a/b", &["1", "2"]),
            &all,
            from_ref(&home.store),
        ))
        .expect("pushed");
    assert_whole(&server, "a/b", "1");
    assert_whole(&server, "a/b", "2");
    assert_eq!(sent.uploaded, 21);
    let requests = server.requests();
    let puts: Vec<&str> = requests
        .iter()
        .filter(|seen| seen.method == "PUT")
        .map(|seen| seen.path.as_str())
        .collect();
    let (blobs, manifests) = puts.split_at(21);
    assert!(blobs.iter().all(|path| path.contains("/blobs/uploads/")));
    assert!(
        manifests[..10]
            .iter()
            .all(|path| path.contains("/manifests/sha256:"))
    );
    assert_eq!(
        manifests[10..],
        ["/v2/a/b/manifests/1", "/v2/a/b/manifests/2"]
    );
    assert!(!puts.iter().any(|path| path.ends_with(&root)));
}

#[test]
fn a_second_tag_costs_a_look_and_a_manifest() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let image = image(&home.store, &[b"one"]);
    let stores = [home.store.clone()];
    registry(1)
        .push(&parcel(&server, ("a/b", &["1"]), &image, &stores))
        .expect("pushed");
    server.forget_requests();
    registry(1)
        .push(&parcel(&server, ("a/b", &["1", "2"]), &image, &stores))
        .expect("pushed");
    assert_eq!(
        spoken(&server),
        [
            "HEAD manifests 200",
            "HEAD manifests 404",
            "PUT manifests 201"
        ]
    );
    assert_eq!(server.tags("a/b"), ["1", "2"]);
}

#[test]
fn r14_a_registry_that_answers_no_head_can_be_pushed_to() {
    for status in [400, 401, 403, 404, 405] {
        let (server, home) = (TestRegistry::start(), testing::store());
        let image = image(&home.store, &[&noise(1, 5 * MIB)]);
        server.rule(Rule::on("HEAD", "/v2/*/manifests/*").then(Action::Status(status)));
        server.rule(Rule::on("HEAD", "/v2/*/blobs/*").then(Action::Status(status)));
        let sent = registry(1).push(&parcel(
            &server,
            ("a/b", &["1"]),
            &image,
            from_ref(&home.store),
        ));
        assert_eq!(sent.expect("pushed").uploaded, 2, "{status}");
        assert_whole(&server, "a/b", "1");
    }
}

#[test]
fn n07_of_two_pushes_to_one_tag_both_images_are_whole() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let images = [image(&home.store, &[b"one"]), image(&home.store, &[b"two"])];
    let stores = [home.store.clone()];
    std::thread::scope(|scope| {
        for image in &images {
            let (server, stores) = (&server, &stores);
            scope.spawn(move || {
                registry(2)
                    .push(&parcel(server, ("a/b", &["1"]), image, stores))
                    .expect("pushed");
            });
        }
    });
    assert_whole(&server, "a/b", "1");
    for image in &images {
        assert_whole(&server, "a/b", &image.manifests[0].digest.to_string());
    }
}

#[test]
fn r22_a_manifest_that_no_registry_need_take_is_refused_before_anything_is_sent() {
    let (server, home) = (TestRegistry::start(), testing::store());
    let mut image = image(&home.store, &[b"one"]);
    let text = "x".repeat(4 * MIB);
    let large = serde_json::json!({"layers": [1, 2, 3], "annotations": {"a": text}}).to_string();
    image.manifests = vec![
        home.store
            .put(
                "application/vnd.oci.image.manifest.v1+json",
                large.as_bytes(),
            )
            .expect("put"),
    ];
    let error = registry(1)
        .push(&parcel(
            &server,
            ("a/b", &["1"]),
            &image,
            from_ref(&home.store),
        ))
        .expect_err("too large");
    assert_eq!(error.cause, Cause::Limit);
    assert!(
        error.fault().reasons()[1].contains("3 layers"),
        "{:?}",
        error.fault()
    );
    assert!(server.requests().is_empty());
}
