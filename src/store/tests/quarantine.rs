//! The quarantine: what goes there, when it does not, and how much of it stays.

use super::*;
use crate::store::regular::Identity;

#[test]
fn a_corrupt_blob_in_a_store_that_cannot_be_written_is_an_error_and_stays() {
    let home = home();
    let [layer, ..] = image(&home.store);
    let path = home.store.blob_path(&layer.digest);
    plant(&path, b"wrong");
    forbid_writing(&home.store);
    assert!(corrupt(
        &home
            .store
            .document(&layer.digest, None)
            .expect_err("corrupt")
    ));
    assert_eq!(fs::read(&path).expect("still there"), b"wrong");
}

#[test]
fn a_reader_never_waits_for_the_lock() {
    let home = home();
    let [layer, ..] = image(&home.store);
    plant(&home.store.blob_path(&layer.digest), b"wrong");
    plant(&home.path("index.json"), b"");
    let held = home.store.lock().expect("free");
    let store = home.again();
    assert!(corrupt(
        &store.document(&layer.digest, None).expect_err("corrupt")
    ));
    assert!(
        store
            .find(&names(NAME))
            .expect("rebuilt in memory")
            .is_some()
    );
    assert_eq!(home.quarantined(), [""; 0]);
    drop(held);
    assert!(store.find(&names(NAME)).expect("mended").is_some());
    assert_eq!(home.quarantined(), ["index.json.1"]);
}

#[test]
fn k06_a_good_blob_that_took_the_place_of_a_wrong_one_is_not_quarantined() {
    let home = home();
    let descriptor = home.store.put(OCI_LAYER, b"bytes").expect("put");
    let path = home.store.blob_path(&descriptor.digest);
    plant(&path, b"wrong");
    let seen = Identity::at(&path).expect("present");
    let good = home.directory.path().join("good");
    fs::write(&good, b"bytes").expect("write");
    fs::rename(&good, &path).expect("another process heals it");
    home.store.quarantine_if_free(&path, seen);
    assert_eq!(
        read_all(&home.store, &descriptor).expect("still here"),
        b"bytes"
    );
}

#[test]
fn the_quarantine_keeps_the_newest_five_within_64_mebibytes() {
    let home = home();
    home.store.prepare().expect("prepare");
    let condemn = |name: &str, size: u64| {
        let path = home.path(&format!("blobs/sha256/{name}"));
        File::create(&path)
            .expect("file")
            .set_len(size)
            .expect("sparse");
        home.store
            .quarantine_if_free(&path, Identity::at(&path).expect("present"));
        assert!(!path.exists());
    };
    for number in 0..7 {
        condemn(&format!("n{number}"), 1);
    }
    assert_eq!(home.quarantined(), ["n2.3", "n3.4", "n4.5", "n5.6", "n6.7"]);
    condemn("medium", 40 << 20);
    condemn("medium", 40 << 20);
    assert_eq!(home.quarantined(), ["medium.9", "n4.5", "n5.6", "n6.7"]);
    condemn("large", 65 << 20);
    assert_eq!(home.quarantined(), ["medium.9", "n4.5", "n5.6", "n6.7"]);
}

#[test]
fn h08_a_source_is_read_and_never_changed() {
    let home = home();
    let [layer, config, manifest] = image(&home.store);
    plant(&home.store.blob_path(&layer.digest), b"wrong");
    plant(&home.path("index.json"), b"torn");
    let before = snapshot(home.store.root());
    let source = Store::source(home.store.root(), &home.notes).expect("source");
    assert!(source.document(&config.digest, None).expect("ok").is_some());
    assert!(corrupt(
        &source.document(&layer.digest, None).expect_err("corrupt")
    ));
    let found = source
        .find(&names(NAME))
        .expect("rebuilt in memory")
        .expect("found");
    assert_eq!(found.digest, manifest.digest);
    assert!(home.said("damaged or lost"));
    source
        .put(OCI_CONFIG, br#"{"config":{}}"#)
        .expect("there already");
    let refusals = [
        source.prepare(),
        source.put(OCI_LAYER, b"new").map(drop),
        source.bind("x", &manifest),
        source.trim(0, &Default::default()),
    ];
    for refusal in refusals {
        assert_eq!(kind(&refusal.expect_err("read only")), Kind::Refused);
    }
    assert_eq!(snapshot(home.store.root()), before);
}
