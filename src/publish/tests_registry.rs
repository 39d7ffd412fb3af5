//! What is handed to a registry: the same for a finished image and for one that is read back from a store.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;

use super::tests::finished;
use super::*;
use crate::digest::Digest;
use crate::json;
use crate::media::{self, Family};
use crate::registry::Origins;
use crate::testing;

fn base() -> Reference {
    "r.example/base:13".parse().expect("a name")
}

/// The digests of blobs and of manifests.
fn digests(contents: &Contents) -> (BTreeSet<Digest>, Vec<Digest>) {
    let of = |list: &[Descriptor]| list.iter().map(|one| one.digest).collect::<Vec<_>>();
    let blobs = of(&contents.blobs);
    let once: BTreeSet<Digest> = blobs.iter().copied().collect();
    assert_eq!(once.len(), blobs.len(), "each blob is listed once");
    (once, of(&contents.manifests))
}

/// As for an image of our own in the first store.
fn read_back(shelves: &Shelves, root: &Digest) -> Result<Contents> {
    let bounds = Bounds {
        ours: &shelves.0[0],
        registry: None,
    };
    contents(shelves, root, &bounds)
}

#[test]
fn n09_a_parcel_holds_each_blob_once_and_children_before_the_index() {
    let test = testing::store();
    let (image, shelves) = finished(&test, &["linux/amd64", "linux/arm64"], &["v1", "v2"]);
    let contents = Contents::of(&image);
    let (blobs, manifests) = digests(&contents);
    let children = image.images.iter().map(|one| one.manifest.digest);
    let expected: Vec<Digest> = children.chain([image.root.digest]).collect();
    assert_eq!(manifests, expected);
    assert_eq!(blobs.len(), 5, "two base layers, one of ours, two configs");
    let to = Destination::of(&image).expect("a name");
    let parcel = parcel(to, contents, &shelves);
    assert_eq!(parcel.repository.name(), "rbuild.local/hello");
    assert_eq!(parcel.tags, ["v1", "v2"]);
    assert_eq!(parcel.stores.len(), 2);
    for blob in parcel.blobs.iter().chain(&parcel.manifests) {
        assert!(parcel.stores.iter().any(|store| store.holds(blob)));
        assert!(blob.rest.is_empty(), "{blob:?}");
    }
}

#[test]
fn an_image_of_one_platform_is_one_manifest() {
    let test = testing::store();
    let (image, _) = finished(&test, &["linux/amd64"], &["latest"]);
    assert_eq!(digests(&Contents::of(&image)).1, [image.root.digest]);
}

#[test]
fn base_layers_can_be_had_from_the_base_and_no_others() {
    let test = testing::store();
    let (mut image, _) = finished(&test, &["linux/amd64", "linux/arm64"], &["latest"]);
    assert_eq!(Contents::of(&image).origins, Origins::new());
    image.base = Some(base());
    let layers = image.images.iter().flat_map(|one| &one.base_layers);
    let expected: Origins = layers.map(|layer| (layer.digest, base())).collect();
    assert_eq!(Contents::of(&image).origins, expected);
}

#[test]
fn layers_that_no_registry_may_have_are_left_out() {
    let test = testing::store();
    let (mut image, _) = finished(&test, &["linux/amd64"], &["latest"]);
    let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    image.images[0].base_layers[0].media_type = foreign.into();
    let contents = Contents::of(&image);
    assert!(contents.blobs.iter().all(|blob| blob.media_type != foreign));
    assert_eq!(contents.blobs.len(), 3);
}

#[test]
fn an_image_read_back_from_its_root_is_the_image_that_was_made() {
    let test = testing::store();
    let (mut image, shelves) = finished(&test, &["linux/amd64", "linux/arm64"], &["latest"]);
    image.base = Some(base());
    remember_origins(&shelves.0[0], &image).expect("written");
    let (made, read) = (
        Contents::of(&image),
        read_back(&shelves, &image.root.digest).expect("read"),
    );
    assert_eq!(digests(&read), digests(&made));
    assert_eq!(read.manifests, made.manifests);
    assert_eq!(read.origins, made.origins);
}

#[test]
fn without_a_record_the_annotation_says_where_layers_are_that_are_not_here() {
    let test = testing::store();
    let (image, shelves) = finished(&test, &["linux/amd64"], &["latest"]);
    let read = || {
        read_back(&shelves, &image.root.digest)
            .expect("read")
            .origins
    };
    assert_eq!(read(), Origins::new(), "everything is here");
    let layer = &image.images[0].base_layers[1];
    let blobs = test.store.root().join("blobs/sha256");
    fs::remove_file(blobs.join(layer.digest.hex())).expect("removed");
    let found = read();
    assert_eq!(found.keys().collect::<Vec<_>>(), [&layer.digest]);
    // A pin is a name that others can pull.
    assert_eq!(found[&layer.digest].name(), "r.example/base");
}

#[test]
fn a_layout_of_others_chooses_no_registry_that_is_asked() {
    let test = testing::store();
    let (mut image, shelves) = finished(&test, &["linux/amd64"], &["latest"]);
    image.base = Some("evil.example/x".parse().expect("a name"));
    remember_origins(&shelves.0[0], &image).expect("written");
    let layer = &image.images[0].base_layers[1].digest;
    fs::remove_file(test.store.root().join("blobs/sha256").join(layer.hex())).expect("removed");
    let ours = testing::store();
    let read = |registry| {
        let bounds = Bounds {
            ours: &ours.store,
            registry: Some(registry),
        };
        let contents = contents(&shelves, &image.root.digest, &bounds).expect("read");
        let names = |origins: Origins| {
            let pairs = origins.into_iter();
            pairs
                .map(|(digest, from)| (digest, from.name()))
                .collect::<Vec<_>>()
        };
        (names(contents.origins), names(contents.unasked))
    };
    let told = vec![(*layer, "r.example/base".to_owned())];
    assert_eq!(read("other.example"), (Vec::new(), told.clone()));
    assert_eq!(read("r.example"), (told, Vec::new()));
}

#[test]
fn a_record_that_is_damaged_does_not_exist() {
    let test = testing::store();
    let (image, shelves) = finished(&test, &["linux/amd64"], &["latest"]);
    let layer = image.images[0].base_layers[0].digest.to_string();
    for bad in [
        json!([]),
        json!({"x": "r.example/a"}),
        json!({layer: "A B"}),
    ] {
        shelves.0[0]
            .remember("origins", &image.root.digest, &bad)
            .expect("written");
        let read = read_back(&shelves, &image.root.digest).expect("read");
        assert_eq!(read.origins, Origins::new(), "{bad}");
    }
}

#[test]
fn a_child_that_is_not_here_is_named_with_the_places_looked_in() {
    let test = testing::store();
    let (image, shelves) = finished(&test, &["linux/amd64", "linux/arm64"], &["latest"]);
    let child = image.images[1].manifest.digest;
    let blobs = shelves.0[0].root().join("blobs/sha256");
    fs::remove_file(blobs.join(child.hex())).expect("removed");
    let error = read_back(&shelves, &image.root.digest).expect_err("gone");
    let fault = error.downcast::<Fault>().expect("a fault");
    assert_eq!(fault.kind, Kind::Offline);
    assert!(fault.to_string().contains(&child.to_string()), "{fault}");
}

#[test]
fn h11_indexes_are_followed_so_deep_and_no_deeper_and_each_child_once() {
    let test = testing::store();
    let mut entry = testing::image(&test.store, &testing::BaseSpec::default());
    let shelves = Shelves(vec![test.store.clone()]);
    let mut counts = Vec::new();
    for _ in 0..5 {
        // Two entries for the same child at each depth: followed blindly they would be doubled at each.
        entry = testing::index(
            &test.store,
            Family::Oci,
            &[(None, entry.clone()), (None, entry)],
        );
        let read = read_back(&shelves, &entry.digest);
        counts.push(read.map(|contents| contents.manifests.len()).ok());
    }
    assert_eq!(counts, [Some(2), Some(3), Some(4), Some(5), None]);
}

#[test]
fn h05_a_child_that_is_not_what_its_index_says_is_refused() {
    let test = testing::store();
    let child = testing::image(&test.store, &testing::BaseSpec::default());
    let lie = Descriptor::new(media::DOCKER_MANIFEST, child.digest, child.size);
    let index = testing::index(&test.store, Family::Oci, &[(None, lie)]);
    let shelves = Shelves(vec![test.store.clone()]);
    assert!(read_back(&shelves, &index.digest).is_err());
}

#[test]
fn a_root_that_leaves_its_media_type_out_is_known_by_its_shape() {
    let test = testing::store();
    let child = testing::image(&test.store, &testing::BaseSpec::default());
    let index = json!({"schemaVersion": 2, "manifests": [child.to_value()]});
    let index = test
        .store
        .put("any", &json::canonical(&index))
        .expect("put");
    let shelves = Shelves(vec![test.store.clone()]);
    let read = read_back(&shelves, &index.digest).expect("read");
    let types: Vec<&str> = read
        .manifests
        .iter()
        .map(|one| one.media_type.as_str())
        .collect();
    assert_eq!(types, [media::OCI_MANIFEST, media::OCI_INDEX]);
}

#[test]
fn where_an_image_was_pushed_last_is_known_for_each_registry() {
    let test = testing::store();
    let root = Digest::of(b"an image");
    let name = |text: &str| text.parse::<Reference>().expect("a name");
    let before = |to: &str| pushed_before(&test.store, &root, &name(to)).map(|it| it.name());
    assert_eq!(before("r.example/a:1"), None);
    for to in ["r.example/a:1", "other.example:5000/b/c", "r.example/d:2"] {
        remember_push(&test.store, &root, &name(to)).expect("written");
    }
    assert_eq!(before("r.example/e"), Some("r.example/d".to_owned()));
    assert_eq!(before("r.example/d"), None, "it goes there again");
    let other = before("other.example:5000/x");
    assert_eq!(other, Some("other.example:5000/b/c".to_owned()));
    assert_eq!(before("third.example/d"), None);
    let another = Digest::of(b"another");
    assert_eq!(
        pushed_before(&test.store, &another, &name("r.example/e")),
        None
    );
}

#[test]
fn a_record_of_a_push_that_is_damaged_is_none() {
    let test = testing::store();
    let root = Digest::of(b"an image");
    let to: Reference = "r.example/b".parse().expect("a name");
    for damaged in [
        json!([]),
        json!({"r.example": 5}),
        json!({"r.example": "B b"}),
    ] {
        test.store
            .remember("pushed", &root, &damaged)
            .expect("written");
        assert_eq!(pushed_before(&test.store, &root, &to), None, "{damaged}");
    }
}

#[test]
fn what_lies_in_another_repository_can_be_had_there_but_a_base_where_it_was() {
    let test = testing::store();
    let (mut image, _) = finished(&test, &["linux/amd64"], &["latest"]);
    image.base = Some(base());
    let mut contents = Contents::of(&image);
    let from_base = contents.origins.clone();
    let before: Reference = "r.example/before".parse().expect("a name");
    contents.lies_in(&before);
    assert_eq!(contents.root(), Some(image.root.digest));
    for blob in &contents.blobs {
        let expected = from_base.get(&blob.digest).unwrap_or(&before);
        assert_eq!(contents.origins.get(&blob.digest), Some(expected));
    }
}
