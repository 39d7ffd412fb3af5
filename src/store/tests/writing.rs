//! Writing: what appears, when, and with which modes.

use std::thread;

use super::*;

#[test]
fn an_absent_cache_is_an_empty_store_and_stays_absent() {
    let home = home();
    let absent = Descriptor::of(OCI_LAYER, b"absent");
    assert!(
        home.store
            .document(&absent.digest, None)
            .expect("ok")
            .is_none()
    );
    assert!(home.store.blob(&absent).expect("ok").is_none());
    assert!(!home.store.holds(&absent));
    assert!(
        home.store.verify(&absent.digest).expect("ok").is_none(),
        "absence is no damage"
    );
    assert_eq!(home.store.entries().expect("ok"), []);
    assert_eq!(home.store.find(&names(NAME)).expect("ok"), None);
    assert_eq!(home.store.blobs().expect("ok"), []);
    assert_eq!(home.store.recorded_at(&absent.digest), None);
    home.store.sync().expect("nothing to sync");
    assert!(!home.store.root().exists());
    assert_eq!(home.notes.all(), [""; 0]);
}

#[test]
fn what_is_put_is_read_again() {
    let home = home();
    let descriptor = home.store.put(OCI_CONFIG, b"{}").expect("put");
    assert_eq!(descriptor, Descriptor::of(OCI_CONFIG, b"{}"));
    let again = home.again();
    let document = again.document(&descriptor.digest, Some(2)).expect("ok");
    assert_eq!(document.as_deref(), Some(&b"{}"[..]));
    assert_eq!(read_all(&again, &descriptor).expect("ok"), b"{}");
    assert_eq!(again.blobs().expect("ok"), [(descriptor.digest, 2)]);
    assert!(again.holds(&descriptor) && again.verify(&descriptor.digest).expect("ok").is_none());
    assert!(again.recorded_at(&descriptor.digest).is_some());
}

#[test]
fn a_prepared_store_is_a_valid_empty_layout() {
    let home = home();
    home.store.prepare().expect("prepare");
    home.store.prepare().expect("twice is no more than once");
    let layout = fs::read(home.path("oci-layout")).expect("oci-layout");
    assert_eq!(layout, br#"{"imageLayoutVersion":"1.0.0"}"#);
    assert_eq!(
        home.index(),
        json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
    );
    assert_eq!(names_in(&home.path("blobs")), ["sha256"]);
    assert_eq!(home.notes.all(), [""; 0]);
}

#[test]
fn an_empty_blob_is_a_blob() {
    let home = home();
    let empty = home.store.put(OCI_LAYER, b"").expect("put");
    assert_eq!(read_all(&home.store, &empty).expect("ok"), b"");
    let document = home.store.document(&empty.digest, Some(0)).expect("ok");
    assert_eq!(document, Some(Vec::new()));
}

#[test]
fn a_writer_names_the_blob_by_what_was_written() {
    let home = home();
    let mut writer = write_some(&home.store, b"he");
    writer.write_all(b"llo").expect("written");
    assert_eq!(home.store.blobs().expect("ok"), [], "not yet visible");
    let descriptor = writer.finish(OCI_LAYER).expect("finish");
    assert_eq!(descriptor, Descriptor::of(OCI_LAYER, b"hello"));
    assert_eq!(read_all(&home.store, &descriptor).expect("ok"), b"hello");
    assert_eq!(home.temps(), [""; 0]);
}

#[test]
fn k01_a_writer_that_is_dropped_leaves_nothing() {
    let home = home();
    let writer = write_some(&home.store, b"half of it");
    assert_eq!(home.temps().len(), 1);
    drop(writer);
    assert_eq!(home.temps(), [""; 0]);
    assert_eq!(home.store.blobs().expect("ok"), []);
}

#[test]
fn h01_a_blob_of_another_digest_or_size_is_not_taken() {
    let home = home();
    let wanted = Descriptor::of(OCI_LAYER, b"wanted");
    let mut short = wanted.clone();
    short.size -= 1;
    for (descriptor, bytes) in [
        (&wanted, &b"others"[..]),
        (&wanted, b"want"),
        (&short, b"wanted"),
    ] {
        let error = write_some(&home.store, bytes)
            .finish_as(descriptor)
            .expect_err("wrong");
        assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
        let reasons = error.fault().reasons().join("\n");
        assert!(reasons.contains(&wanted.digest.to_string()), "{reasons}");
    }
    assert_eq!(home.store.blobs().expect("ok"), []);
    assert_eq!(home.temps(), [""; 0]);
    write_some(&home.store, b"wanted")
        .finish_as(&wanted)
        .expect("right");
}

#[test]
fn h03_a_limited_writer_stops_at_its_size_instead_of_filling_the_disk() {
    let home = home();
    let mut writer = home.store.writer().expect("a writer").limited(4);
    writer.write_all(b"four").expect("fits");
    let error = writer.write_all(b"!").expect_err("too much");
    let error = Error::of_io("copy", Path::new("x"), error);
    assert_eq!(kind(&error), Kind::Integrity);
    let four = writer.finish(OCI_LAYER).expect("what was taken is whole");
    assert_eq!(four.size, 4);
}

#[test]
fn a_good_blob_that_is_there_is_kept_and_counts_as_used_now() {
    let home = home();
    let descriptor = home.store.put(OCI_LAYER, b"bytes").expect("put");
    let path = home.store.blob_path(&descriptor.digest);
    let first = crate::store::regular::Identity::at(&path);
    shift(&path, 48, false);
    let old = home.store.recorded_at(&descriptor.digest).expect("time");
    home.store.put(OCI_LAYER, b"bytes").expect("again");
    write_some(&home.store, b"bytes")
        .finish(OCI_LAYER)
        .expect("and again");
    assert_eq!(
        crate::store::regular::Identity::at(&path),
        first,
        "the same file"
    );
    assert!(home.store.recorded_at(&descriptor.digest).expect("time") > old);
    assert_eq!(home.temps(), [""; 0]);
}

#[test]
fn c01_a_wrong_blob_is_put_aside_and_replaced_by_every_way_of_writing() {
    let ways: [fn(&Store, &Descriptor); 3] = [
        |store, _| {
            store.put(OCI_LAYER, b"bytes").expect("put");
        },
        |store, _| {
            let writer = write_some(store, b"bytes");
            writer.finish(OCI_LAYER).expect("finish");
        },
        |store, descriptor| {
            let writer = write_some(store, b"bytes");
            writer.finish_as(descriptor).expect("finish_as");
        },
    ];
    for (way, wrong) in ways
        .iter()
        .flat_map(|way| [&b"bytez"[..], b"", b"byt", b"bytes and more"].map(|wrong| (way, wrong)))
    {
        let home = home();
        let descriptor = Descriptor::of(OCI_LAYER, b"bytes");
        plant(&home.store.blob_path(&descriptor.digest), wrong);
        way(&home.store, &descriptor);
        assert_eq!(read_all(&home.store, &descriptor).expect("ok"), b"bytes");
        assert_eq!(
            home.quarantined(),
            [format!("{}.1", descriptor.digest.hex())]
        );
        assert!(home.said("was damaged and has been moved to"));
    }
}

#[test]
fn c10_whatever_is_no_file_is_replaced_by_the_blob() {
    for (what, make) in odd_things() {
        let home = home();
        home.store.prepare().expect("prepare");
        let descriptor = Descriptor::of(OCI_LAYER, b"bytes");
        make(&home.store.blob_path(&descriptor.digest));
        home.store.put(OCI_LAYER, b"bytes").expect(what);
        assert_eq!(read_all(&home.store, &descriptor).expect(what), b"bytes");
        assert_eq!(home.quarantined().len(), 1, "{what}");
    }
}

#[test]
fn large_blobs_are_skipped_by_size_because_reading_hashes_them() {
    let home = home();
    let bytes = vec![7; 8 * 1024 * 1024 + 1];
    let descriptor = home.store.put(OCI_LAYER, &bytes).expect("put");
    let path = home.store.blob_path(&descriptor.digest);
    let mut wrong = bytes.clone();
    wrong[0] = 8;
    plant(&path, &wrong);
    home.store.put(OCI_LAYER, &bytes).expect("same size");
    assert!(read_all(&home.store, &descriptor).is_err());
    home.store.put(OCI_LAYER, &bytes).expect("healed");
    assert!(home.store.verify(&descriptor.digest).expect("ok").is_none());
}

#[test]
fn c03_a_large_blob_in_an_output_is_hashed_because_nobody_looks_after_us() {
    let from = home();
    let bytes = vec![7; 8 * 1024 * 1024 + 1];
    let descriptor = from.store.put(OCI_LAYER, &bytes).expect("put");
    let output = Store::output(&from.directory.path().join("out"), &from.notes).expect("absent");
    assert!(from.store.copy(&descriptor, &output).expect("copied"));
    let mut wrong = bytes.clone();
    wrong[0] = 8;
    plant(&output.blob_path(&descriptor.digest), &wrong);
    assert!(from.store.copy(&descriptor, &output).expect("copied again"));
    assert!(output.verify(&descriptor.digest).expect("ok").is_none());
}

#[test]
fn copying_verifies_and_says_what_is_absent() {
    let (from, into) = (home(), home());
    let descriptor = from.store.put(OCI_LAYER, b"layer").expect("put");
    assert!(from.store.copy(&descriptor, &into.store).expect("copied"));
    assert_eq!(read_all(&into.store, &descriptor).expect("ok"), b"layer");
    assert!(
        from.store
            .copy(&descriptor, &into.store)
            .expect("already there")
    );
    let absent = Descriptor::of(OCI_LAYER, b"absent");
    assert!(!from.store.copy(&absent, &into.store).expect("absent"));
    clear(&from.store.blob_path(&descriptor.digest));
    assert!(
        from.store
            .copy(&descriptor, &into.store)
            .expect("there, not here")
    );
}

#[test]
fn c03_a_corrupt_blob_is_not_copied() {
    let (from, into) = (home(), home());
    let descriptor = from.store.put(OCI_LAYER, b"layer").expect("put");
    plant(&from.store.blob_path(&descriptor.digest), b"Layer");
    let error = from
        .store
        .copy(&descriptor, &into.store)
        .expect_err("corrupt");
    assert!(matches!(&error, Error::Corrupt { path, .. } if path.starts_with(from.store.root())));
    assert_eq!(into.store.blobs().expect("ok"), []);
    assert_eq!(into.temps(), [""; 0]);
}

/// Passes under every umask; the next test runs it under two.
#[test]
fn c18_a_cache_is_private_and_an_output_is_as_the_umask_says() {
    let home = home();
    let blob = home.store.put(OCI_LAYER, b"x").expect("put");
    home.store
        .remember("kind", &blob.digest, &json!(1))
        .expect("remember");
    for directory in [
        "",
        "blobs",
        "blobs/sha256",
        ".rbuild",
        ".rbuild/tmp",
        ".rbuild/records",
    ] {
        assert_eq!(mode(&home.path(directory)), 0o700, "{directory}");
    }
    assert_eq!(mode(&home.store.blob_path(&blob.digest)), 0o444);
    assert_eq!(mode(&home.path("index.json")), 0o644);
    let probe = home.directory.path().join("probe");
    fs::create_dir(&probe).expect("directory");
    fs::write(probe.join("file"), b"").expect("file");
    let output = Store::output(&home.directory.path().join("out"), &home.notes).expect("output");
    let blob = output.put(OCI_LAYER, b"x").expect("put");
    let file = mode(&probe.join("file")) & 0o644;
    assert_eq!(mode(&output.blob_path(&blob.digest)), file);
    assert_eq!(mode(&output.index_path()), file);
    assert_eq!(mode(&output.blobs_directory()), mode(&probe) & 0o755);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the umask belongs to the process, so each needs one of its own"
)]
fn c18_umask_000_and_077_make_no_difference() {
    let inner = "store::tests::writing::c18_a_cache_is_private_and_an_output_is_as_the_umask_says";
    for umask in ["000", "077"] {
        let run = std::process::Command::new("sh")
            .args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"])
            .arg(std::env::current_exe().expect("this test"))
            .args(["--exact", inner])
            .output()
            .expect("runs");
        let told = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && told.contains("1 passed"), "{told}");
    }
}

#[test]
fn c22_any_path_will_do() {
    for name in ["with space", "grüße-雪", "line\nbreak", "-dash", "a'b\"c"] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let root = directory.path().join(name).join("deep/er");
        let store = Store::cache(&root, &Notes::recorded()).expect("cache");
        let [_, _, manifest] = image(&store);
        let found = store.find(&names(NAME)).expect("ok").expect("found");
        assert_eq!(found.digest, manifest.digest, "{name:?}");
    }
}

#[test]
fn c22_what_cannot_be_a_store_is_refused_at_once() {
    let home = home();
    let file = home.directory.path().join("file");
    fs::write(&file, b"").expect("write");
    for path in [file.as_path(), &file.join("below"), Path::new("")] {
        for open in [Store::cache, Store::output, Store::source] {
            let error = open(path, &home.notes).expect_err("no store");
            assert_eq!(kind(&error), Kind::Refused, "{error}");
        }
    }
}

#[test]
fn an_output_is_made_in_an_empty_directory_and_added_to_later() {
    let home = home();
    let root = home.directory.path().join("out");
    fs::create_dir(&root).expect("directory");
    image(&Store::output(&root, &home.notes).expect("empty"));
    fs::write(root.join("README"), b"the user's").expect("write");
    let again = Store::output(&root, &home.notes).expect("a layout");
    again.put(OCI_LAYER, b"more").expect("put");
    assert_eq!(again.blobs().expect("ok").len(), 4);
}

#[test]
fn an_output_that_holds_other_things_is_refused_and_left_alone() {
    let home = home();
    let root = home.directory.path().join("src");
    plant(&root.join("main.rs"), b"fn main() {}");
    let before = snapshot(&root);
    let error = Store::output(&root, &home.notes).expect_err("not a layout");
    assert_eq!(kind(&error), Kind::Refused);
    assert!(error.to_string().contains("`main.rs`"), "{error}");
    assert_eq!(snapshot(&root), before);
}

#[test]
fn an_output_whose_first_run_was_killed_is_no_stranger() {
    let home = home();
    let root = home.directory.path().join("out");
    fs::create_dir_all(root.join(".rbuild/tmp")).expect("directories");
    image(&Store::output(&root, &home.notes).expect("ours"));
}

#[test]
fn two_writers_of_the_same_blob_both_succeed() {
    let home = home();
    let (one, other) = (
        write_some(&home.store, b"same"),
        write_some(&home.again(), b"same"),
    );
    let one = one.finish(OCI_LAYER).expect("first");
    assert_eq!(other.finish(OCI_LAYER).expect("second"), one);
    assert_eq!(home.quarantined(), [""; 0]);
}

#[test]
fn n01_many_on_one_cold_store_lose_nothing() {
    let home = home();
    thread::scope(|scope| {
        for number in 0..8 {
            let store = home.again();
            scope.spawn(move || {
                let own = store.put(OCI_LAYER, &[number]).expect("own");
                store.put(OCI_LAYER, b"shared").expect("shared");
                for round in 0..5 {
                    let name = format!("app-{number}:{round}");
                    store.bind(&name, &own).expect("bind");
                    assert!(store.find(&names(&name)).expect("ok").is_some());
                }
            });
        }
    });
    assert_eq!(home.store.entries().expect("ok").len(), 40);
    assert_eq!(home.store.blobs().expect("ok").len(), 9);
    assert_eq!((home.temps(), home.quarantined()), (vec![], vec![]));
    assert_eq!(
        home.notes
            .all()
            .iter()
            .filter(|note| !note.contains("waiting"))
            .count(),
        0
    );
}
