//! Reading: every byte is checked, and nothing that lies under a name can hang or mislead.

use super::*;

#[test]
fn c01_c02_one_flipped_bit_in_a_document_is_found_and_told() {
    let home = home();
    for descriptor in image(&home.store) {
        let path = home.store.blob_path(&descriptor.digest);
        let mut bytes = fs::read(&path).expect("blob");
        bytes[3] ^= 1;
        plant(&path, &bytes);
        let error = home
            .store
            .document(&descriptor.digest, None)
            .expect_err("flipped");
        assert!(corrupt(&error), "{error:?}");
        let fault = error.fault();
        let reasons = fault.reasons().join("\n");
        assert!(
            reasons.contains(&descriptor.digest.to_string()),
            "{reasons}"
        );
        assert!(
            reasons.contains(&Digest::of(&bytes).to_string()),
            "{reasons}"
        );
        assert!(fault.to_string().contains(path.to_str().expect("UTF-8")));
        assert!(fault.hints()[0].contains("pull the image again"));
        assert!(!path.exists() && home.said(&descriptor.digest.hex()));
    }
    assert_eq!(home.quarantined().len(), 3);
}

#[test]
fn c05_a_blob_of_the_wrong_size_is_quarantined() {
    for wrong in [&b""[..], b"byte", b"bytes and more"] {
        let home = home();
        let descriptor = home.store.put(OCI_LAYER, b"bytes").expect("put");
        let path = home.store.blob_path(&descriptor.digest);
        plant(&path, wrong);
        assert!(!home.store.holds(&descriptor));
        assert!(corrupt(
            &home.store.blob(&descriptor).err().expect("wrong size")
        ));
        assert!(!path.exists());
        plant(&path, wrong);
        let error = home
            .store
            .document(&descriptor.digest, Some(5))
            .expect_err("wrong size");
        assert!(corrupt(&error) && error.fault().reasons()[1].contains("instead of 5"));
        assert_eq!(home.quarantined().len(), 2);
        assert!(
            home.store
                .document(&descriptor.digest, Some(5))
                .expect("gone")
                .is_none()
        );
    }
}

#[test]
fn h03_a_descriptor_that_lies_about_a_good_blob_costs_neither_memory_nor_the_blob() {
    let home = home();
    let good = home.store.put(OCI_LAYER, b"bytes").expect("put");
    for size in [0, 4, 6, u64::MAX] {
        let lie = Descriptor::new(OCI_LAYER, good.digest, size);
        assert!(corrupt(&home.store.blob(&lie).err().expect("a lie")));
        assert!(corrupt(
            &home
                .store
                .document(&lie.digest, Some(size))
                .expect_err("a lie")
        ));
    }
    assert_eq!(read_all(&home.store, &good).expect("still here"), b"bytes");
    assert_eq!(home.quarantined(), [""; 0]);
}

#[test]
fn c06_right_bytes_under_a_wrong_name_are_wrong() {
    let home = home();
    home.store.put(OCI_LAYER, b"bytes").expect("put");
    let other = Descriptor::new(OCI_LAYER, Digest::of(b"other"), 5);
    plant(&home.store.blob_path(&other.digest), b"bytes");
    assert!(home.store.holds(&other), "holds does not hash");
    assert!(home.store.verify(&other.digest).expect("ok").is_some());
    let error = Error::of_io(
        "read",
        Path::new("x"),
        read_all(&home.store, &other).expect_err("wrong"),
    );
    assert!(corrupt(&error));
}

#[test]
fn c04_the_last_byte_of_a_wrong_layer_is_never_handed_out() {
    let home = home();
    let size = 100_000;
    let descriptor = home.store.put(OCI_LAYER, &vec![1; size]).expect("put");
    let mut wrong = vec![1; size];
    wrong[0] = 2;
    plant(&home.store.blob_path(&descriptor.digest), &wrong);
    let mut blob = home
        .store
        .blob(&descriptor)
        .expect("opens")
        .expect("present");
    let mut buffer = [0; 1000];
    let mut taken = 0;
    let error = loop {
        match blob.read(&mut buffer) {
            Ok(count) => taken += count,
            Err(error) => break error,
        }
    };
    assert_eq!(
        taken,
        size - buffer.len(),
        "a body of that length stays incomplete"
    );
    assert!(corrupt(&Error::of_io("push", Path::new("x"), error)));
    assert!(blob.read(&mut buffer).is_err(), "and it stays an error");
    assert_eq!(home.quarantined().len(), 1);
}

#[test]
fn a_good_layer_ends_as_readers_end_whatever_the_buffers_are() {
    let home = home();
    let descriptor = home.store.put(OCI_LAYER, b"abcdef").expect("put");
    for width in [1, 2, 5, 6, 7] {
        let mut blob = home
            .store
            .blob(&descriptor)
            .expect("opens")
            .expect("present");
        let mut buffer = vec![0; width];
        assert_eq!(blob.read(&mut []).expect("nothing wanted"), 0);
        let mut taken = Vec::new();
        while let count @ 1.. = blob.read(&mut buffer).expect("good") {
            taken.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(taken, b"abcdef");
        assert_eq!(blob.read(&mut buffer).expect("still the end"), 0);
    }
}

#[test]
fn c11_a_blob_that_changes_while_it_is_read_is_found_out() {
    let changes: [fn(&Path); 3] = [
        |path| fs::write(path, vec![9; 50_000]).expect("rewritten in place"),
        |path| fs::write(path, vec![1; 20_000]).expect("cut short"),
        |path| fs::write(path, b"").expect("emptied"),
    ];
    for change in changes {
        let home = home();
        let descriptor = home.store.put(OCI_LAYER, &vec![1; 50_000]).expect("put");
        let path = home.store.blob_path(&descriptor.digest);
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("ours");
        let mut blob = home
            .store
            .blob(&descriptor)
            .expect("opens")
            .expect("present");
        blob.read_exact(&mut [0; 10]).expect("the beginning");
        change(&path);
        let error = io::copy(&mut blob, &mut io::sink()).expect_err("changed");
        assert!(corrupt(&Error::of_io("read", &path, error)));
    }
}

#[test]
fn a_blob_that_is_replaced_while_it_is_read_stays_whole() {
    let home = home();
    let descriptor = home.store.put(OCI_LAYER, b"bytes").expect("put");
    let mut blob = home
        .store
        .blob(&descriptor)
        .expect("opens")
        .expect("present");
    plant(&home.store.blob_path(&descriptor.digest), b"other");
    let mut bytes = Vec::new();
    blob.read_to_end(&mut bytes).expect("the open file is good");
    assert_eq!(bytes, b"bytes");
}

#[test]
fn c10_links_pipes_and_directories_are_corrupt_and_never_hang() {
    for (what, make) in odd_things() {
        let home = home();
        home.store.prepare().expect("prepare");
        let descriptor = Descriptor::of(OCI_LAYER, b"bytes");
        let path = home.store.blob_path(&descriptor.digest);
        make(&path);
        assert!(!home.store.holds(&descriptor));
        assert!(home.store.verify(&descriptor.digest).expect("ok").is_some());
        assert_eq!(home.store.blobs().expect("ok"), []);
        let error = home
            .store
            .document(&descriptor.digest, None)
            .expect_err(what);
        assert!(
            corrupt(&error) && error.fault().reasons()[1].contains(what),
            "{error:?}"
        );
        clear(&path);
        make(&path);
        assert!(corrupt(&home.store.blob(&descriptor).err().expect(what)));
        assert_eq!(home.quarantined().len(), 2);
    }
    assert!(
        Path::new("/etc").is_dir(),
        "what links point at is not touched"
    );
}

#[test]
fn c10_a_link_to_good_bytes_is_still_refused() {
    let home = home();
    let descriptor = home.store.put(OCI_LAYER, b"bytes").expect("put");
    let path = home.store.blob_path(&descriptor.digest);
    let elsewhere = home.directory.path().join("elsewhere");
    fs::rename(&path, &elsewhere).expect("moved");
    symlink(&elsewhere, &path).expect("link");
    assert!(corrupt(
        &home
            .store
            .document(&descriptor.digest, None)
            .expect_err("a link")
    ));
    assert_eq!(fs::read(&elsewhere).expect("untouched"), b"bytes");
}

#[test]
fn c08_a_sparse_gigabyte_under_the_name_of_a_manifest_is_not_read() {
    let home = home();
    home.store.prepare().expect("prepare");
    let digest = Digest::of(b"manifest");
    let path = home.store.blob_path(&digest);
    File::create(&path)
        .expect("file")
        .set_len(1 << 30)
        .expect("sparse");
    let error = home.store.document(&digest, None).expect_err("too large");
    assert!(matches!(error, Error::Foreign { .. }) && kind(&error) == Kind::Disk);
    assert!(path.exists(), "a limit of ours is no proof of damage");
}

#[test]
fn a_document_may_have_eight_mebibytes_and_not_one_byte_more() {
    let home = home();
    let limit = 8 * 1024 * 1024;
    for (size, is_document) in [(limit, true), (limit + 1, false)] {
        let descriptor = home.store.put(OCI_CONFIG, &vec![b' '; size]).expect("put");
        let document = home
            .store
            .document(&descriptor.digest, Some(descriptor.size));
        assert_eq!(document.is_ok(), is_document, "{size}");
    }
}

#[test]
fn c13_reading_writes_nothing() {
    let home = home();
    let [layer, _, manifest] = image(&home.store);
    let before = snapshot(home.store.root());
    let store = home.again();
    store.find(&names(NAME)).expect("ok").expect("found");
    store
        .document(&manifest.digest, None)
        .expect("ok")
        .expect("present");
    read_all(&store, &layer).expect("ok");
    assert!(store.verify(&layer.digest).expect("ok").is_none());
    store.entries().expect("ok");
    assert_eq!(snapshot(home.store.root()), before);
}

#[test]
fn c13_a_hit_needs_no_directory_of_ours() {
    let home = home();
    let [layer, _, manifest] = image(&home.store);
    forbid_writing(&home.store);
    let store = home.again();
    assert!(store.find(&names(NAME)).expect("ok").is_some());
    assert!(
        store
            .document(&manifest.digest, None)
            .expect("ok")
            .is_some()
    );
    assert_eq!(read_all(&store, &layer).expect("ok").len(), 18);
    store
        .put(OCI_LAYER, b"not really a layer")
        .expect("good already, nothing to write");
}

#[test]
fn h08_names_that_are_no_digests_are_passed_over() {
    let home = home();
    let good = home.store.put(OCI_LAYER, b"bytes").expect("put");
    let upper = good.digest.hex().to_uppercase();
    for name in [
        "README",
        &upper,
        "..evil",
        "abc",
        &format!("{}1", good.digest.hex()),
    ] {
        plant(&home.path("blobs/sha256").join(name), b"x");
    }
    assert_eq!(home.store.blobs().expect("ok"), [(good.digest, 5)]);
}
