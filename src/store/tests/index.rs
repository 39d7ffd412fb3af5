//! Names: who gets one, who keeps one, and whose are believed.

use super::*;

fn entry_names(store: &Store) -> Vec<String> {
    let entries = store.entries().expect("entries");
    entries
        .iter()
        .map(|entry| {
            entry
                .annotation("org.opencontainers.image.ref.name")
                .unwrap_or("-")
                .to_owned()
        })
        .collect()
}

#[test]
fn a_bound_name_is_found_with_all_its_annotations() {
    let home = home();
    let blob = home
        .store
        .put(OCI_MANIFEST, b"{}")
        .expect("put")
        .annotated("k", "v");
    home.store.bind(NAME, &blob).expect("bind");
    let found = home.again().find(&names(NAME)).expect("ok").expect("found");
    assert_eq!(
        (found.digest, found.annotation("k")),
        (blob.digest, Some("v"))
    );
    assert_eq!(
        found.annotation("org.opencontainers.image.ref.name"),
        Some(NAME)
    );
    assert_eq!(home.store.find(&names("another")).expect("ok"), None);
    assert_eq!(home.store.find(&[]).expect("ok"), None);
}

#[test]
fn a_name_moves_to_the_blob_that_it_is_bound_to_last() {
    let home = home();
    let [one, two] = [b"1", b"2"].map(|bytes| home.store.put(OCI_MANIFEST, bytes).expect("put"));
    home.store.bind("a", &one).expect("bind");
    home.store.bind("b", &one).expect("bind");
    home.store.bind("a", &two).expect("bind");
    assert_eq!(entry_names(&home.store), ["b", "a"]);
    let found = home.store.find(&names("a")).expect("ok").expect("found");
    assert_eq!(found.digest, two.digest);
    home.store.bind("a", &two).expect("again");
    assert_eq!(entry_names(&home.store), ["b", "a"]);
}

#[test]
fn binding_says_anew_how_old_a_tag_is() {
    let home = home();
    let [_, _, manifest] = image(&home.store);
    shift(&home.store.blob_path(&manifest.digest), 30, false);
    let old = home.store.recorded_at(&manifest.digest).expect("time");
    home.store.bind(NAME, &manifest).expect("bind");
    assert!(home.store.recorded_at(&manifest.digest).expect("time") > old);
}

#[test]
fn what_other_tools_wrote_survives_value_for_value() {
    let home = home();
    home.store.prepare().expect("prepare");
    let others = json!([
        {"mediaType": "x/y", "digest": "sha512:00", "size": 3, "vendor": {"deep": [1, null]}},
        "not even an object",
        {"annotations": {"org.opencontainers.image.ref.name": 5}},
        {"mediaType": "x/z", "digest": Digest::of(b"z"), "size": 1, "platform": {"os": "linux"}},
    ]);
    let theirs =
        json!({"schemaVersion": 2, "manifests": others, "annotations": {"a": "b"}, "new": [true]});
    plant(&home.path("index.json"), theirs.to_string().as_bytes());
    let blob = home.store.put(OCI_MANIFEST, b"{}").expect("put");
    home.store.bind(NAME, &blob).expect("bind");
    let index = home.index();
    assert_eq!(
        index["manifests"].as_array().expect("array")[..4],
        others.as_array().expect("array")[..]
    );
    assert_eq!(
        (&index["annotations"], &index["new"]),
        (&json!({"a": "b"}), &json!([true]))
    );
    assert_eq!(
        (&index["mediaType"], &index["schemaVersion"]),
        (&json!(OCI_INDEX), &json!(2))
    );
    assert_eq!(
        entry_names(&home.store),
        ["-", NAME],
        "only descriptors are listed"
    );
    assert_eq!(home.notes.all(), [""; 0]);
}

#[test]
fn the_name_that_containerd_gives_is_a_name_and_the_last_entry_wins() {
    let home = home();
    home.store.prepare().expect("prepare");
    let entry = |bytes: &[u8], key: &str| {
        Descriptor::of(OCI_MANIFEST, bytes)
            .annotated(key, NAME)
            .to_value()
    };
    let entries = json!([
        entry(b"1", "org.opencontainers.image.ref.name"),
        entry(b"2", "io.containerd.image.name"),
        entry(b"3", "org.example.name"),
    ]);
    plant(
        &home.path("index.json"),
        json!({"manifests": entries}).to_string().as_bytes(),
    );
    let wanted = ["other".to_owned(), NAME.to_owned()];
    let found = home.store.find(&wanted).expect("ok").expect("found");
    assert_eq!(found.digest, Digest::of(b"2"));
}

#[test]
fn c24_a_cache_that_crane_wrote_is_read_healed_and_added_to() {
    let home = home();
    let manifest = Descriptor::of(OCI_MANIFEST, b"{\"layers\":[]}");
    let layer = Descriptor::of(OCI_LAYER, b"layer");
    let entry = format!(
        "{{\n         \"mediaType\": \"{OCI_MANIFEST}\",\n         \"size\": {},\n         \"digest\": \"{}\",\n         \"annotations\": {{ \"org.opencontainers.image.ref.name\": \"{NAME}\" }},\n         \"artifactType\": \"{OCI_CONFIG}\"\n      }}",
        manifest.size, manifest.digest
    );
    let index = format!(
        "{{\n   \"schemaVersion\": 2,\n   \"mediaType\": \"{OCI_INDEX}\",\n   \"manifests\": [{entry}, {entry}]\n}}"
    );
    plant(&home.path("index.json"), index.as_bytes());
    plant(
        &home.path("oci-layout"),
        b"{\n    \"imageLayoutVersion\": \"1.0.0\"\n}",
    );
    plant(&home.store.blob_path(&manifest.digest), b"{\"layers\":[]}");
    plant(&home.store.blob_path(&layer.digest), b"lay");
    let store = home.again();
    assert_eq!(store.entries().expect("duplicates are fine").len(), 2);
    fs::set_permissions(store.root(), PermissionsExt::from_mode(0o755)).expect("ours");
    assert!(store.find(&names(NAME)).expect("ok").is_some());
    assert!(
        store
            .document(&manifest.digest, Some(manifest.size))
            .expect("ok")
            .is_some()
    );
    store
        .put(OCI_LAYER, b"layer")
        .expect("heals what a killed crane left");
    assert_eq!(read_all(&store, &layer).expect("ok"), b"layer");
    store.bind("ours:1", &manifest).expect("bind");
    assert_eq!(entry_names(&store), [NAME, NAME, "ours:1"]);
    assert_eq!(mode(store.root()), 0o755, "what they made keeps its mode");
}

#[test]
fn a_list_that_go_wrote_as_null_is_empty() {
    let home = home();
    home.store.prepare().expect("prepare");
    plant(
        &home.path("index.json"),
        br#"{"schemaVersion":2,"manifests":null}"#,
    );
    assert_eq!(home.store.entries().expect("ok"), []);
    assert_eq!(home.notes.all(), [""; 0]);
}

#[test]
fn c08_a_sparse_gigabyte_of_index_is_a_limit_and_a_digest_needs_no_index() {
    let home = home();
    let [_, _, manifest] = image(&home.store);
    let path = home.path("index.json");
    File::create(&path)
        .expect("file")
        .set_len(1 << 30)
        .expect("sparse");
    for error in [
        home.store.entries().expect_err("too large"),
        home.store.find(&names(NAME)).expect_err("too large"),
        home.store.bind("x", &manifest).expect_err("too large"),
    ] {
        assert!(matches!(error, Error::Foreign { .. }) && kind(&error) == Kind::Disk);
    }
    assert_eq!(path.metadata().expect("untouched").len(), 1 << 30);
    assert!(
        home.store
            .document(&manifest.digest, None)
            .expect("pinned")
            .is_some()
    );
}

#[test]
fn c08_a_hundred_thousand_entries_are_read_and_one_more_is_not() {
    let home = home();
    home.store.prepare().expect("prepare");
    let full = |count: usize| {
        let entries = vec!["{}"; count].join(",");
        plant(
            &home.path("index.json"),
            format!(r#"{{"manifests":[{entries}]}}"#).as_bytes(),
        );
    };
    full(100_000);
    assert_eq!(home.store.entries().expect("bounded"), []);
    let blob = Descriptor::of(OCI_MANIFEST, b"{}");
    assert_eq!(
        kind(&home.store.bind(NAME, &blob).expect_err("full")),
        Kind::Disk
    );
    assert_eq!(
        home.index()["manifests"].as_array().expect("intact").len(),
        100_000
    );
    full(100_001);
    assert_eq!(
        kind(&home.store.entries().expect_err("too many")),
        Kind::Disk
    );
}

#[test]
fn c19_names_in_a_cache_that_others_can_write_are_refused_and_digests_are_not() {
    let home = home();
    let [_, _, manifest] = image(&home.store);
    for open in [0o777, 0o770, 0o702, 0o720] {
        fs::set_permissions(home.store.root(), PermissionsExt::from_mode(open)).expect("ours");
        let error = home.again().find(&names(NAME)).expect_err("distrusted");
        assert_eq!(kind(&error), Kind::Refused);
        assert!(error.fault().hints()[0].contains("chmod go-w"), "{error}");
        assert!(
            home.store
                .document(&manifest.digest, None)
                .expect("pinned")
                .is_some()
        );
        assert_eq!(
            home.store.find(&names("absent")).expect("a miss is a miss"),
            None
        );
    }
    for closed in [0o700, 0o755, 0o750] {
        fs::set_permissions(home.store.root(), PermissionsExt::from_mode(closed)).expect("ours");
        assert!(home.again().find(&names(NAME)).expect("trusted").is_some());
    }
}

#[test]
fn c19_a_layout_that_the_user_named_is_believed() {
    let home = home();
    image(&home.store);
    fs::set_permissions(home.store.root(), PermissionsExt::from_mode(0o775)).expect("ours");
    for open in [Store::output, Store::source] {
        let store = open(home.store.root(), &home.notes).expect("a layout");
        assert!(store.find(&names(NAME)).expect("ok").is_some());
    }
}

#[test]
fn the_shadow_follows_the_index_at_each_change() {
    let home = home();
    let [_, _, manifest] = image(&home.store);
    home.store.bind("second:2", &manifest).expect("bind");
    let shadow = fs::read(home.path(".rbuild/index.json")).expect("shadow");
    assert_eq!(shadow, fs::read(home.path("index.json")).expect("index"));
}
