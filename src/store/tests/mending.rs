//! A damaged or lost index: put aside, rebuilt, told.

use super::*;

/// What an index must be after it was rebuilt: the one name that there was.
fn assert_mended(home: &Home, manifest: &Descriptor, case: &str) {
    // A reader mends only if the lock is free, and a child that another test is starting has it for a moment.
    let is_whole = |text: &[u8]| serde_json::from_slice::<Value>(text).is_ok();
    for _ in 0..500 {
        let found = home.again().find(&names(NAME)).expect(case).expect(case);
        assert_eq!(found.digest, manifest.digest, "{case}");
        if fs::read(home.path("index.json")).is_ok_and(|bytes| is_whole(&bytes)) {
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(
        home.index()["manifests"].as_array().expect(case).len(),
        1,
        "{case}"
    );
}

#[test]
fn c07_an_index_torn_at_any_byte_is_rebuilt_with_its_names() {
    let home = home();
    let [_, _, manifest] = image(&home.store);
    let whole = fs::read(home.path("index.json")).expect("index");
    for end in 0..whole.len() {
        fs::write(home.path("index.json"), &whole[..end]).expect("torn");
        assert_mended(&home, &manifest, &format!("{end} bytes"));
    }
    assert_eq!(fs::read(home.path("index.json")).expect("index"), whole);
    assert_eq!(home.quarantined().len(), 5);
    assert!(home.said("was damaged and has been moved to") && home.said("with 1 entry"));
}

#[test]
fn c07_an_index_that_is_no_index_is_rebuilt() {
    let bad = [
        "[]",
        "{}",
        "null",
        "{\"manifests\":{}}",
        "\u{feff}{\"manifests\":[]}",
        "{\"manifests\":[]} x",
        "{\"manifests\":[],\"manifests\":[]}",
        "\0\0\0\0",
    ];
    for bad in bad {
        let home = home();
        let [_, _, manifest] = image(&home.store);
        plant(&home.path("index.json"), bad.as_bytes());
        assert_mended(&home, &manifest, bad);
        assert_eq!(home.quarantined(), ["index.json.1"]);
    }
}

#[test]
fn c07_h09_an_index_that_is_no_file_is_rebuilt_without_hanging() {
    for (what, make) in odd_things() {
        let home = home();
        let [_, _, manifest] = image(&home.store);
        clear(&home.path("index.json"));
        make(&home.path("index.json"));
        assert_mended(&home, &manifest, what);
        assert_eq!(home.quarantined(), ["index.json.1"], "{what}");
    }
}

#[test]
fn c07_a_lost_index_is_rebuilt_from_the_shadow() {
    let home = home();
    let [_, _, manifest] = image(&home.store);
    clear(&home.path("index.json"));
    assert_mended(&home, &manifest, "lost");
    assert!(home.said("rebuilt"));
}

#[test]
fn c07_without_a_shadow_the_images_come_back_without_names() {
    let home = home();
    let [_, _, manifest] = image(&home.store);
    let lists = [
        index_of(&[&manifest]),
        br#"{"manifests":[],"schemaVersion":2}"#.to_vec(),
    ];
    let [list, bare] = lists.map(|bytes| home.store.put(OCI_INDEX, &bytes).expect("put"));
    clear(&home.path(".rbuild"));
    plant(&home.path("index.json"), b"");
    let mut found = home.again().entries().expect("rebuilt");
    found.sort_by_key(|entry| entry.size);
    assert_eq!(
        found,
        [bare, list],
        "a listed manifest is no root, a config and a layer are no images"
    );
    assert_eq!(home.store.find(&names(NAME)).expect("ok"), None);
}

#[test]
fn h04_a_document_that_could_be_read_as_two_kinds_is_no_image() {
    let home = home();
    let both = [
        r#"{"manifests":[],"layers":[],"config":{}}"#,
        r#"{"manifests":[],"layers":[]}"#,
        r#"{"manifests":[],"config":{}}"#,
        r#"{"layers":[],"config":{},"manifests":0}"#,
        r#"{"layers":[]}"#,
        r#"{"config":{}}"#,
        r#"{"config":{},"config":{},"layers":[]}"#,
    ];
    for text in both {
        home.store.put(OCI_MANIFEST, text.as_bytes()).expect("put");
    }
    let good = home
        .store
        .put(OCI_MANIFEST, br#"{"layers":[],"config":{}}"#)
        .expect("put");
    clear(&home.path("index.json"));
    assert_eq!(home.store.entries().expect("rebuilt"), [good]);
}

#[test]
fn a_rebuilt_index_names_nothing_that_is_gone_or_wrong() {
    let home = home();
    let [_, _, manifest] = image(&home.store);
    let gone = home
        .store
        .put(OCI_MANIFEST, br#"{"layers":[],"config":{}}"#)
        .expect("put");
    let wrong = home
        .store
        .put(OCI_MANIFEST, br#"{"layers":[], "config":{}}"#)
        .expect("put");
    home.store.bind("gone:1", &gone).expect("bind");
    clear(&home.store.blob_path(&gone.digest));
    plant(
        &home.store.blob_path(&wrong.digest),
        br#"{"layers":[],"config" :{}}"#,
    );
    plant(&home.path("index.json"), b"{");
    assert_mended(&home, &manifest, "one left");
    assert!(
        home.store.blob_path(&wrong.digest).exists(),
        "looking is not judging"
    );
}

#[test]
fn an_image_that_another_tool_added_is_not_lost_with_the_index() {
    let home = home();
    let [_, _, ours] = image(&home.store);
    let theirs = home
        .store
        .put(OCI_MANIFEST, br#"{"layers":[],"config":{}}"#)
        .expect("put");
    plant(&home.path("index.json"), b"{\"manifests\":[{\"torn");
    let entries = home.again().entries().expect("rebuilt");
    let digests: Vec<Digest> = entries.iter().map(|entry| entry.digest).collect();
    assert_eq!(digests, [ours.digest, theirs.digest]);
}

#[test]
fn c07_binding_mends_before_it_adds() {
    let home = home();
    let [_, _, manifest] = image(&home.store);
    plant(&home.path("index.json"), b"");
    home.again().bind("second:2", &manifest).expect("bind");
    for name in [NAME, "second:2"] {
        assert!(
            home.store.find(&names(name)).expect("ok").is_some(),
            "{name}"
        );
    }
    assert_eq!(home.quarantined(), ["index.json.1"]);
}

#[test]
fn c07_a_store_that_cannot_be_written_is_rebuilt_in_memory() {
    let home = home();
    let [_, _, manifest] = image(&home.store);
    for bad in [Some(&b"torn"[..]), None] {
        clear(&home.path("index.json"));
        if let Some(bytes) = bad {
            plant(&home.path("index.json"), bytes);
        }
        forbid_writing(&home.store);
        let before = snapshot(home.store.root());
        let entries = home.again().entries().expect("in memory");
        assert_eq!(entries, [manifest.bare()]);
        assert_eq!(snapshot(home.store.root()), before);
    }
    assert!(home.said("is damaged or lost; found 1 entry"));
}

#[test]
fn nothing_known_is_nothing_to_mend() {
    let home = home();
    home.store.put(OCI_LAYER, b"a layer alone").expect("put");
    clear(&home.path("index.json"));
    clear(&home.path(".rbuild"));
    let before = snapshot(home.store.root());
    assert_eq!(home.again().entries().expect("ok"), []);
    assert_eq!(snapshot(home.store.root()), before);
    assert_eq!(home.notes.all(), [""; 0]);
}

#[test]
fn a_damaged_shadow_is_no_obstacle() {
    let home = home();
    let [_, _, manifest] = image(&home.store);
    plant(&home.path(".rbuild/index.json"), b"torn too");
    plant(&home.path("index.json"), b"torn");
    assert_eq!(home.again().entries().expect("rebuilt"), [manifest.bare()]);
}

/// Each state is made by hand from the order in which files are written.
#[test]
fn k01_whatever_a_kill_leaves_the_next_run_ends_like_the_first() {
    let reference = home();
    let [layer, config, manifest] = image(&reference.store);
    let expected = reference.index();
    let states: [fn(&Home, &Descriptor); 7] = [
        |home, _| clear(&home.path("")),
        |home, _| plant(&home.path(".rbuild/tmp/new-abc"), b"half a bl"),
        |home, _| clear(&home.path("blobs")),
        |home, _| clear(&home.path("index.json")),
        |home, layer| plant(&home.store.blob_path(&layer.digest), b"half"),
        |home, _| plant(&home.path("index.json"), br#"{"manifests":[]}"#),
        |home, layer| {
            clear(&home.path(".rbuild"));
            clear(&home.path("oci-layout"));
            clear(&home.store.blob_path(&layer.digest));
        },
    ];
    for state in states {
        let home = home();
        image(&home.store);
        state(&home, &layer);
        image(&home.again());
        assert_eq!(home.index(), expected);
        for blob in [&layer, &config, &manifest] {
            assert!(home.store.verify(&blob.digest).expect("ok").is_none());
        }
        assert!(home.path("oci-layout").exists());
    }
}
