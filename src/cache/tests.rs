//! What `cache ls` and `cache verify` see.

use super::*;
use crate::testing::{self, BaseSpec, platform};

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
        BTreeSet::from([platform("linux/amd64"), platform("linux/arm64")])
    );
    assert!(full.size > metadata.size);
}

#[test]
fn an_index_whose_images_were_not_pulled_has_no_platforms() {
    let test = testing::store();
    let gone = Descriptor::of(crate::media::OCI_MANIFEST, b"gone");
    let index = testing::index(
        &test.store,
        crate::media::Family::Oci,
        &[(Some(platform("linux/amd64").to_value()), gone)],
    );
    test.store.bind("x", &index).expect("bound");
    let listed = list(&test.store).expect("listed").remove(0);
    assert!(listed.platforms.is_empty() && !listed.full);
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
        .bind(
            "dangling",
            &Descriptor::of(crate::media::OCI_MANIFEST, b"gone"),
        )
        .expect("bound");
    let found = verify(&test.store).expect("verified");
    assert_eq!(found.damaged, [other.digest]);
    assert_eq!(found.dangling, ["dangling"]);
    assert!(found.blobs >= 5 && path.exists(), "verify moves nothing");
}
