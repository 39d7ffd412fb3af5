//! What an import does with bytes that nobody wrote: it ends, and the cache is sound.

use std::collections::BTreeSet;

use crate::cache::export::{Order, Place, load};
use crate::cache::import::{Names, archive};
use crate::cache::verify;
use crate::fault::Fault;
use crate::platform::Platforms;
use crate::store;
use crate::testing::{self, Dice, TestStore};

/// The export of a cache with one image of two platforms.
fn exported() -> Vec<u8> {
    let test = testing::store();
    let index = testing::two_platforms(&test.store, true);
    test.store.bind("r.example/a:1", &index).expect("bound");
    let mut bytes = Vec::new();
    let order = Order {
        images: &[],
        platforms: Platforms::Host,
        is_full: true,
    };
    let cargo = load(&order, (&test.store, &test.store)).expect("is full");
    let written = cargo.write(Place::Stream(&mut bytes), &test.notes);
    written.expect("written");
    bytes
}

fn blobs(test: &TestStore) -> BTreeSet<String> {
    let blobs = test.store.blobs().expect("listed");
    blobs.iter().map(|(digest, _)| digest.to_string()).collect()
}

#[test]
fn an_export_is_taken_in_as_a_whole() {
    let test = testing::store();
    let imported = archive(&exported()[..], Names::Trusted, &test.store).expect("sound");
    assert_eq!(imported.carried.len(), 1);
    assert!(imported.carried[0].reached.is_full());
    assert_eq!(imported.unrecorded, [""; 0]);
    let entries = test.store.entries().expect("listed");
    assert_eq!(
        entries[0].annotation(crate::media::REF_NAME),
        Some("r.example/a:1")
    );
}

#[test]
fn h23_spoilt_archives_never_panic_and_leave_nothing_wrong() {
    let good = exported();
    let test = testing::store();
    archive(&good[..], Names::Trusted, &test.store).expect("sound");
    let known = blobs(&test);
    let mut dice = Dice::new(6);
    for _ in 0..200 {
        let test = testing::store();
        let spoilt = dice.spoil(&good);
        if let Err(error) = archive(&spoilt[..], Names::Trusted, &test.store) {
            let is_told = |cause: &(dyn std::error::Error + 'static)| {
                cause.is::<Fault>() || cause.is::<store::Error>()
            };
            assert!(error.chain().any(is_told), "{error:?}");
        }
        assert!(blobs(&test).is_subset(&known));
        assert_eq!(verify(&test.store).expect("verified").damaged, []);
    }
}
