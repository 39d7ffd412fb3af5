//! Bases are resolved from what is on this machine, or the answer says what is missing and what mends it.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::fault::{Fault, Kind};
use crate::testing::{self, BaseSpec, TestStore, platform};

fn resolve_in(test: &TestStore, name: &str, platforms: &[&str]) -> Result<Base> {
    let name = Name::parse(name, test.directory.path()).expect("a base name");
    let platforms: Vec<Platform> = platforms.iter().map(|name| platform(name)).collect();
    let shelf = Shelf {
        now: SystemTime::now_for_tests(),
        ..testing::shelf(test)
    };
    resolve(&name, Choice::These(&platforms), shelf)
}

/// A fixed moment that lies after every file of a test.
trait Now {
    fn now_for_tests() -> SystemTime;
}

impl Now for SystemTime {
    fn now_for_tests() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 33)
    }
}

fn refused(test: &TestStore, name: &str, platforms: &[&str]) -> (Kind, String) {
    let error = resolve_in(test, name, platforms).expect_err("refused");
    let text = format!("{error:#}");
    let fault = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Fault>().cloned());
    let kind = fault.as_ref().map(|fault| fault.kind).or_else(|| {
        error
            .chain()
            .find_map(|cause| Some(cause.downcast_ref::<store::Error>()?.fault().kind))
    });
    let details = fault.map(|fault| {
        format!(
            "\n{}\n{}",
            fault.reasons().join("\n"),
            fault.hints().join("\n")
        )
    });
    (kind.expect("a fault"), text + &details.unwrap_or_default())
}

#[test]
fn a_pinned_index_whose_children_lie_only_as_blobs_resolves() {
    let test = testing::store();
    let index = testing::two_platforms(&test.store, false);
    let base = resolve_in(
        &test,
        &format!("r.example/base@{}", index.digest),
        &["linux/arm64", "linux/amd64"],
    )
    .expect("resolved");
    assert_eq!(base.index, Some(index.digest));
    let names: Vec<String> = base
        .images
        .iter()
        .map(|image| image.platform.to_string())
        .collect();
    assert_eq!(names, ["linux/arm64", "linux/amd64"]);
    assert_eq!(base.images[0].config["architecture"], "arm64");
    assert_eq!(base.images[0].absent().expect("sound").len(), 2);
}

#[test]
fn a_tag_and_a_pin_together_go_by_the_pin() {
    let test = testing::store();
    let index = testing::two_platforms(&test.store, true);
    let base = resolve_in(
        &test,
        &format!("debian:13@{}", index.digest),
        &["linux/amd64"],
    )
    .expect("resolved");
    assert_eq!(
        base.published_name().as_deref(),
        Some("docker.io/library/debian:13")
    );
    assert!(base.images[0].absent().expect("sound").is_empty());
}

#[test]
fn o06_a_tag_resolves_to_what_was_recorded_and_a_note_tells_its_age() {
    let test = testing::store();
    let index = testing::two_platforms(&test.store, false);
    for recorded in [
        "docker.io/library/debian:13",
        "index.docker.io/library/debian:12",
    ] {
        test.store.bind(recorded, &index).expect("bound");
    }
    for tag in ["debian:13", "debian:12"] {
        let base = resolve_in(&test, tag, &["linux/amd64"]).expect(tag);
        assert_eq!(base.index, Some(index.digest));
    }
    let notes = test.notes.all();
    assert_eq!(notes.len(), 2);
    assert!(
        notes[0].contains("days ago") && notes[0].contains(&index.digest.to_string()),
        "{notes:?}"
    );
}

#[test]
fn o06_a_bare_tag_as_skopeo_writes_it_is_no_reference() {
    let test = testing::store();
    let index = testing::two_platforms(&test.store, false);
    test.store.bind("latest", &index).expect("bound");
    let (kind, text) = refused(&test, "debian", &["linux/amd64"]);
    assert_eq!(kind, Kind::Offline);
    assert!(
        text.contains(&format!("`docker.io/library/debian@{}`", index.digest)),
        "{text}"
    );
}

#[test]
fn o05_a_cold_cache_names_the_reference_the_digest_and_the_command() {
    let test = testing::store();
    let digest = Digest::of(b"elsewhere");
    let (kind, text) = refused(
        &test,
        &format!("r.example/base:1@{digest}"),
        &["linux/amd64"],
    );
    assert_eq!(kind, Kind::Offline);
    let command = format!(
        "crane pull --format oci --annotate-ref r.example/base:1@{digest} {}",
        test.store.root().display()
    );
    for part in ["r.example/base:1", &digest.to_string(), &command] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn a_cache_with_only_the_platforms_image_says_which_one_and_both_mends() {
    let test = testing::store();
    let image = testing::image(&test.store, &BaseSpec::default());
    test.store.bind("r.example/base:1", &image).expect("bound");
    let index = Digest::of(b"the index that was not pulled");
    let (kind, text) = refused(&test, &format!("r.example/base@{index}"), &["linux/amd64"]);
    assert_eq!(kind, Kind::Offline);
    let mends = [
        format!("pin it: `r.example/base@{}`", image.digest),
        format!("crane pull --format oci --annotate-ref r.example/base@{index}"),
    ];
    for part in [
        index.to_string(),
        format!("an image for linux/amd64 is here: {}", image.digest),
    ]
    .iter()
    .chain(&mends)
    {
        assert!(text.contains(part.as_str()), "{part} is not in {text}");
    }
}

#[test]
fn a_single_image_serves_its_own_platform_with_its_variant_and_no_other() {
    let test = testing::store();
    let spec = BaseSpec {
        platform: Some(platform("linux/arm/v7")),
        ..BaseSpec::default()
    };
    let image = testing::image(&test.store, &spec);
    let name = format!("r.example/base@{}", image.digest);
    assert!(resolve_in(&test, &name, &["linux/arm/v7"]).is_ok());
    let (kind, text) = refused(&test, &name, &["linux/arm/v6"]);
    assert_eq!(kind, Kind::Refused);
    assert!(text.contains("it offers linux/arm/v7"), "{text}");
}

#[test]
fn a_base_without_the_platform_lists_what_it_has() {
    let test = testing::store();
    let index = testing::two_platforms(&test.store, false);
    let (kind, text) = refused(
        &test,
        &format!("r.example/base@{}", index.digest),
        &["linux/riscv64"],
    );
    assert_eq!(kind, Kind::Refused);
    assert!(
        text.contains("linux/riscv64") && text.contains("linux/amd64, linux/arm64"),
        "{text}"
    );
}

#[test]
fn of_several_variants_the_one_that_was_named_is_taken() {
    let test = testing::store();
    let child = |name: &str, layers| {
        let spec = BaseSpec {
            platform: Some(platform(name)),
            layers,
            ..BaseSpec::default()
        };
        (
            Some(platform(name).to_value()),
            testing::image(&test.store, &spec),
        )
    };
    let (v3, v1, v8) = (
        child("linux/amd64/v3", 3),
        child("linux/amd64", 1),
        child("linux/arm64", 2),
    );
    let v8 = (
        Some(json!({"os": "linux", "architecture": "arm64", "variant": "v8"})),
        v8.1,
    );
    let index = testing::index(&test.store, Family::Oci, &[v3, v1, v8]);
    let base = resolve_in(
        &test,
        &format!("r.example/b@{}", index.digest),
        &["linux/amd64", "linux/arm64"],
    )
    .expect("resolved");
    assert_eq!(
        base.images
            .iter()
            .map(|image| image.layers.len())
            .collect::<Vec<_>>(),
        [1, 2]
    );
}

#[test]
fn nested_indexes_are_followed_and_a_child_without_a_platform_is_asked_for_its_own() {
    let test = testing::store();
    let image = testing::image(&test.store, &BaseSpec::default());
    let inner = testing::index(&test.store, Family::Oci, &[(None, image)]);
    let outer = testing::index(&test.store, Family::Oci, &[(None, inner)]);
    let base = resolve_in(
        &test,
        &format!("r.example/b@{}", outer.digest),
        &["linux/amd64"],
    )
    .expect("resolved");
    assert_eq!(base.index, Some(outer.digest));
}

#[test]
fn h11_indexes_that_nest_too_deep_end_in_an_error() {
    let test = testing::store();
    let mut inner = testing::image(&test.store, &BaseSpec::default());
    for _ in 0..10 {
        inner = testing::index(&test.store, Family::Oci, &[(None, inner)]);
    }
    let (kind, text) = refused(
        &test,
        &format!("r.example/b@{}", inner.digest),
        &["linux/amd64"],
    );
    assert_eq!(kind, Kind::Disk);
    assert!(text.contains("nest deeper"), "{text}");
}

#[test]
fn h11_one_child_ten_thousand_times_is_over_the_limit_of_children() {
    let test = testing::store();
    let image = testing::image(&test.store, &BaseSpec::default());
    let index = testing::index(&test.store, Family::Oci, &vec![(None, image); 10_000]);
    assert_eq!(
        refused(
            &test,
            &format!("r.example/b@{}", index.digest),
            &["linux/amd64"]
        )
        .0,
        Kind::Disk
    );
}

#[test]
fn h07_an_unknown_child_is_passed_over_and_refused_as_a_target() {
    let test = testing::store();
    let odd = test.store.put(
        "application/vnd.example.thing+json",
        br#"{"schemaVersion":2,"mediaType":"application/vnd.example.thing+json"}"#,
    );
    let odd = odd.expect("put");
    let image = testing::image(&test.store, &BaseSpec::default());
    let index = testing::index(
        &test.store,
        Family::Oci,
        &[(None, odd.clone()), (None, image)],
    );
    assert!(
        resolve_in(
            &test,
            &format!("r.example/b@{}", index.digest),
            &["linux/amd64"]
        )
        .is_ok()
    );
    assert_eq!(
        refused(
            &test,
            &format!("r.example/b@{}", odd.digest),
            &["linux/amd64"]
        )
        .0,
        Kind::Refused
    );
}

#[test]
fn a_missing_child_of_the_platform_is_named_with_its_size() {
    let test = testing::store();
    let gone = Descriptor::of(Family::Oci.manifest(), b"this manifest was never pulled");
    let amd64 = Some(platform("linux/amd64").to_value());
    let index = testing::index(&test.store, Family::Oci, &[(amd64, gone.clone())]);
    let (kind, text) = refused(
        &test,
        &format!("r.example/b@{}", index.digest),
        &["linux/amd64"],
    );
    assert_eq!(kind, Kind::Offline);
    assert!(
        text.contains(&format!("{} ({} bytes)", gone.digest, gone.size)),
        "{text}"
    );
}

#[test]
fn a_platform_that_was_never_brought_is_named_with_the_command_that_brings_it() {
    let test = testing::store();
    let here = testing::image(&test.store, &BaseSpec::default());
    let gone = Descriptor::of(Family::Oci.manifest(), b"this manifest was never pulled");
    let of = |name: &str| Some(platform(name).to_value());
    let children = [(of("linux/amd64"), here), (of("linux/arm64"), gone.clone())];
    let index = testing::index(&test.store, Family::Oci, &children);
    test.store.bind("r.example/b:v1", &index).expect("bound");
    let platforms = ["linux/amd64", "linux/arm64"];
    for name in ["r.example/b:v1", &format!("r.example/b@{}", index.digest)] {
        let (kind, text) = refused(&test, name, &platforms);
        assert_eq!(kind, Kind::Offline);
        let what = format!(
            "the manifest {} ({} bytes) for linux/arm64 is missing",
            gone.digest, gone.size
        );
        assert!(text.contains(&what), "{text}");
        let way = format!("`rbuild cache warm --platform linux/amd64,linux/arm64 {name}`");
        assert!(text.contains(&way), "{text}");
    }
    let copy = format!("oci:{}@{}", test.store.root().display(), index.digest);
    let (_, text) = refused(&test, &copy, &platforms);
    assert!(text.contains("for linux/arm64 is missing"), "{text}");
    assert!(!text.contains("cache warm"), "{text}");
    assert!(text.contains("again, whole"), "{text}");
}

#[test]
fn an_index_or_a_manifest_that_must_be_opened_and_is_not_here_is_missing_not_refused() {
    let test = testing::store();
    let image = testing::image(&test.store, &BaseSpec::default());
    for family_type in [Family::Oci.index(), Family::Oci.manifest()] {
        let gone = Descriptor::of(family_type, b"this was never pulled");
        let children = [(None, gone.clone()), (None, image.clone())];
        let index = testing::index(&test.store, Family::Oci, &children);
        let name = format!("r.example/b@{}", index.digest);
        assert!(
            resolve_in(&test, &name, &["linux/amd64"]).is_ok(),
            "what fits and is here is taken"
        );
        let (kind, text) = refused(&test, &name, &["linux/arm64"]);
        assert_eq!(kind, Kind::Offline, "{text}");
        assert!(
            text.contains(&format!("{} ({} bytes)", gone.digest, gone.size)),
            "{text}"
        );
    }
}

#[test]
fn a_config_that_would_tell_the_platform_and_is_not_here_is_missing_and_a_damaged_one_is_damage() {
    let test = testing::store();
    let image = testing::image(&test.store, &BaseSpec::default());
    let index = testing::index(&test.store, Family::Oci, &[(None, image.clone())]);
    let config = testing::json(&test.store, &image)["config"]["digest"].clone();
    let config: Digest = config.as_str().expect("text").parse().expect("a digest");
    let path = test.store.root().join("blobs/sha256").join(config.hex());
    let name = format!("r.example/b@{}", index.digest);
    std::fs::remove_file(&path).expect("removed");
    let (kind, text) = refused(&test, &name, &["linux/amd64"]);
    assert_eq!(kind, Kind::Offline, "{text}");
    assert!(text.contains(&config.to_string()), "{text}");
    std::fs::write(&path, b"{}").expect("written");
    let (kind, text) = refused(&test, &name, &["linux/amd64"]);
    assert_eq!(kind, Kind::Integrity, "{text}");
}

#[test]
fn a_child_without_a_platform_that_is_no_image_is_passed_over() {
    let test = testing::store();
    let empty = test.store.put("application/vnd.oci.empty.v1+json", b"{}");
    let signature = json!({
        "schemaVersion": 2,
        "mediaType": Family::Oci.manifest(),
        "config": empty.expect("put").to_value(),
        "layers": [Descriptor::of("text/plain", b"signed").to_value()],
    });
    let signature = test
        .store
        .put(Family::Oci.manifest(), signature.to_string().as_bytes());
    let image = testing::image(&test.store, &BaseSpec::default());
    let children = [(None, signature.expect("put")), (None, image)];
    let index = testing::index(&test.store, Family::Oci, &children);
    let name = format!("r.example/b@{}", index.digest);
    assert!(resolve_in(&test, &name, &["linux/amd64"]).is_ok());
    assert_eq!(
        refused(&test, &name, &["linux/arm64"]).0,
        Kind::Refused,
        "all of it was seen"
    );
}

#[test]
fn h01_a_blob_under_anothers_name_is_not_taken_for_it() {
    let test = testing::store();
    let image = testing::image(&test.store, &BaseSpec::default());
    let wanted = Digest::of(b"another image");
    let blobs = test.store.root().join("blobs/sha256");
    std::fs::copy(blobs.join(image.digest.hex()), blobs.join(wanted.hex())).expect("copied");
    assert_eq!(
        refused(&test, &format!("r.example/b@{wanted}"), &["linux/amd64"]).0,
        Kind::Integrity
    );
}

#[test]
fn h14_a_config_without_a_platform_is_no_base() {
    let test = testing::store();
    let image = testing::image(
        &test.store,
        &BaseSpec {
            platform: None,
            ..BaseSpec::default()
        },
    );
    assert_eq!(
        refused(
            &test,
            &format!("r.example/b@{}", image.digest),
            &["linux/amd64"]
        )
        .0,
        Kind::Integrity
    );
}

#[test]
fn c23_a_poisoned_tag_changes_nothing_for_a_pin() {
    let test = testing::store();
    let good = testing::image(&test.store, &BaseSpec::default());
    let evil = testing::image(
        &test.store,
        &BaseSpec {
            run: json!({"User": "root"}),
            ..BaseSpec::default()
        },
    );
    test.store.bind("r.example/b:1", &evil).expect("bound");
    let base = resolve_in(
        &test,
        &format!("r.example/b:1@{}", good.digest),
        &["linux/amd64"],
    )
    .expect("resolved");
    assert_eq!(base.images[0].config["config"]["User"], "nobody");
}

#[test]
fn a_layout_on_disk_is_a_base_by_its_only_entry_by_name_and_by_digest() {
    let test = testing::store();
    let index = testing::two_platforms(&test.store, true);
    test.store.bind("r.example/base:1", &index).expect("bound");
    for name in [
        "oci:img".to_owned(),
        "oci:img:r.example/base:1".to_owned(),
        format!("oci:img@{}", index.digest),
    ] {
        let base = resolve_in(&test, &name, &["linux/amd64"]).expect(&name);
        assert_eq!(base.index, Some(index.digest), "{name}");
        assert_eq!(
            base.published_name(),
            None,
            "a directory is no name for others"
        );
    }
    assert_eq!(
        refused(&test, "oci:img:other", &["linux/amd64"]).0,
        Kind::Offline
    );
}

#[test]
fn a_layout_with_several_images_wants_a_choice() {
    let test = testing::store();
    test.store
        .bind("one", &testing::image(&test.store, &BaseSpec::default()))
        .expect("bound");
    test.store
        .bind("two", &testing::two_platforms(&test.store, true))
        .expect("bound");
    let (kind, text) = refused(&test, "oci:img", &["linux/amd64"]);
    assert_eq!(kind, Kind::Refused);
    assert!(text.contains("one") && text.contains("two"), "{text}");
}

#[test]
fn a_layout_whose_directory_is_not_there_is_a_slip_and_nothing_that_a_network_brings() {
    let test = testing::store();
    let pinned = format!("oci:nowhere@{}", Digest::of(b"image"));
    for name in ["oci:nowhere", "oci:nowhere:latest", &pinned] {
        let (kind, text) = refused(&test, name, &["linux/amd64"]);
        assert_eq!(kind, Kind::Refused, "{text}");
        assert!(text.contains("there is no directory"), "{text}");
    }
}

#[test]
fn the_built_in_bases_need_no_store_and_serve_any_platform() {
    let test = testing::store();
    let platforms = ["linux/amd64", "linux/s390x", "linux/arm/v7"];
    let made = resolve_in(&test, "builtin:static", &platforms).expect("made");
    assert_eq!(made.images.len(), 3);
    assert_eq!(made.images[2].config["variant"], "v7");
    assert!(made.images[0].layers.len() == 3 && made.images[0].absent().expect("sound").is_empty());
    assert_eq!((made.published_name(), made.images[0].digest), (None, None));
    let empty = resolve_in(&test, "scratch", &platforms).expect("made");
    assert!(empty.images.iter().all(|image| image.layers.is_empty()));
}

#[test]
fn images_of_other_repositories_are_not_offered_for_a_missing_tag_or_pin() {
    let test = testing::store();
    let image = testing::image(&test.store, &BaseSpec::default());
    test.store.bind("r.example/other:1", &image).expect("bound");
    let pin = format!("debian@{}", Digest::of(b"elsewhere"));
    for name in ["debian:13", pin.as_str()] {
        let (kind, text) = refused(&test, name, &["linux/amd64"]);
        assert_eq!(kind, Kind::Offline);
        assert!(!text.contains(&image.digest.to_string()), "{text}");
        assert!(text.contains("crane pull"), "{text}");
    }
}
