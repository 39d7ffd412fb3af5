//! What `cache ls` and `cache verify` see.

use super::*;
use crate::digest::{Descriptor, Digest};
use crate::media::{self, DEEPEST};
use crate::store::Store;
use crate::testing::{self, BaseSpec, platform};

fn list(store: &Store) -> anyhow::Result<Vec<Listed>> {
    super::list(store, &Project::default())
}

#[test]
fn an_entry_is_metadata_until_every_layer_of_its_platforms_is_here() {
    let test = testing::store();
    test.store
        .bind("metadata", &testing::two_platforms(&test.store, false))
        .expect("bound");
    let other = testing::store();
    other
        .store
        .bind("full", &testing::two_platforms(&other.store, true))
        .expect("bound");
    let (metadata, full) = (
        list(&test.store).expect("listed").remove(0),
        list(&other.store).expect("listed").remove(0),
    );
    assert!(!metadata.full && full.full);
    assert_eq!(metadata.name.as_deref(), Some("metadata"));
    assert_eq!(
        full.platforms,
        [platform("linux/amd64"), platform("linux/arm64")]
    );
    assert!(full.size > metadata.size);
}

#[test]
fn an_index_whose_images_were_not_pulled_has_no_platforms() {
    let test = testing::store();
    let gone = Descriptor::of(media::OCI_MANIFEST, b"gone");
    let index = testing::index(
        &test.store,
        media::Family::Oci,
        &[(Some(platform("linux/amd64").to_value()), gone)],
    );
    test.store.bind("x", &index).expect("bound");
    let listed = list(&test.store).expect("listed").remove(0);
    assert!(listed.platforms.is_empty() && !listed.full);
}

#[test]
fn an_index_of_equal_children_nested_deep_is_counted_once_and_quickly() {
    let test = testing::store();
    let mut inner = testing::image(&test.store, &BaseSpec::default());
    test.store.bind("image", &inner).expect("bound");
    // Sixty children on each level: a walk without a memory would open 216 000 documents.
    let mut indexes = 0;
    for _ in 0..DEEPEST {
        let children = vec![(None, inner); 60];
        inner = testing::index(&test.store, media::Family::Oci, &children);
        indexes += inner.size;
    }
    test.store.bind("nested", &inner).expect("bound");
    let listed = list(&test.store).expect("listed");
    assert_eq!(listed[1].name.as_deref(), Some("nested"));
    assert_eq!(listed[1].size, listed[0].size + indexes);
    assert!(listed[1].full && listed[1].platforms.len() == 1);
}

#[test]
fn a_layer_that_two_platforms_share_is_counted_once() {
    let test = testing::store();
    let child = |name: &str| {
        let spec = BaseSpec {
            platform: Some(platform(name)),
            full: true,
            ..BaseSpec::default()
        };
        (None, testing::image(&test.store, &spec))
    };
    let children = [child("linux/amd64"), child("linux/arm64")];
    let index = testing::index(&test.store, media::Family::Oci, &children);
    test.store.bind("both", &index).expect("bound");
    let all: u64 = test
        .store
        .blobs()
        .expect("listed")
        .iter()
        .map(|(_, size)| size)
        .sum();
    assert_eq!(list(&test.store).expect("listed")[0].size, all);
}

#[test]
fn verify_finds_the_blob_whose_bytes_changed_and_names_what_dangles() {
    let test = testing::store();
    let image = testing::image(&test.store, &BaseSpec::default());
    test.store.bind("good", &image).expect("bound");
    assert_eq!(verify(&test.store).expect("verified").damaged, []);
    let other = test.store.put("text/plain", b"some bytes").expect("put");
    let path = test
        .store
        .root()
        .join("blobs/sha256")
        .join(other.digest.hex());
    std::fs::remove_file(&path).expect("removed");
    std::fs::write(&path, b"some bytfs").expect("written");
    test.store
        .bind("dangling", &Descriptor::of(media::OCI_MANIFEST, b"gone"))
        .expect("bound");
    let found = verify(&test.store).expect("verified");
    let damaged = Damaged {
        digest: other.digest,
        found: Digest::of(b"some bytfs").to_string(),
    };
    assert_eq!(found.damaged, [damaged]);
    assert_eq!(found.dangling, ["dangling"]);
    assert!(found.blobs >= 5 && path.exists(), "verify moves nothing");
}
