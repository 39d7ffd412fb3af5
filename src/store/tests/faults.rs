//! Faults of disk, rights and directories: typed, with the path, and without traces.

use super::*;

#[test]
fn c15_c16_c17_what_the_system_says_becomes_a_typed_error_with_the_path() {
    use rustix::io::Errno;
    let typed = |code: Errno| {
        let error = Error::of_io("write", Path::new("/some/where"), code.into());
        let fault = error.fault();
        assert_eq!(fault.kind, Kind::Disk);
        assert!(fault.to_string().contains("`/some/where`"), "{fault}");
        assert!(!fault.reasons().is_empty() && error.is_unwritable());
        error
    };
    for code in [Errno::ACCESS, Errno::PERM, Errno::ROFS] {
        let error = typed(code);
        assert!(matches!(error, Error::Denied { .. }), "{error:?}");
        assert!(error.fault().reasons()[1].contains("uid"));
    }
    for code in [Errno::NOSPC, Errno::DQUOT, Errno::FBIG] {
        assert!(matches!(typed(code), Error::Full { .. }), "{code}");
    }
    for code in [Errno::IO, Errno::XDEV, Errno::MFILE] {
        assert!(matches!(typed(code), Error::Io { .. }), "{code}");
    }
}

#[test]
fn c13_c15_directories_that_are_there_do_not_pass_for_a_store_that_can_be_added_to() {
    let home = home();
    home.store.writable().expect("made");
    let temps = home.store.temp_directory();
    fs::set_permissions(&temps, fs::Permissions::from_mode(0o500)).expect("set");
    if rustix::process::getuid().is_root() {
        return; // to whom rights do not apply; tests/it/peers_mounts.rs takes them from root
    }
    let error = home.store.writable().expect_err("no right to write");
    assert!(
        error.is_unwritable() && error.to_string().contains(".rbuild/tmp"),
        "{error}"
    );
    assert!(home.store.prepare().is_ok());
}

#[test]
fn an_error_of_ours_survives_its_way_through_std() {
    let inner = || Error::Corrupt {
        path: PathBuf::from("blob"),
        expected: "a".to_owned(),
        found: "b".to_owned(),
    };
    let through = io::Error::from(inner());
    assert_eq!(through.kind(), io::ErrorKind::InvalidData);
    let error = Error::of_io("copy", Path::new("other"), through);
    assert_eq!(error.to_string(), inner().to_string());
    let full = Error::of_io("write", Path::new("x"), io::ErrorKind::StorageFull.into());
    assert_eq!(io::Error::from(full).kind(), io::ErrorKind::StorageFull);
}

#[cfg(target_os = "linux")]
#[test]
fn c16_a_full_disk_leaves_no_blob_and_no_temporary_file() {
    let home = home();
    // Never finished: that would change the mode of the machine's own device.
    let full = File::options()
        .write(true)
        .open("/dev/full")
        .expect("a device");
    let mut writer = home.store.writer().expect("a writer").onto(full);
    let error = writer.write_all(b"bytes").expect_err("full");
    let error = Error::of_io("copy", Path::new("x"), error);
    assert!(
        matches!(&error, Error::Full { path, .. } if path.starts_with(home.store.root())),
        "{error:?}"
    );
    drop(writer);
    assert_eq!(home.temps(), [""; 0]);
    assert_eq!(home.store.blobs().expect("ok"), []);
}

#[cfg(target_os = "linux")]
#[test]
fn c16_a_store_that_exists_and_cannot_take_a_byte_is_not_writable() {
    let home = home();
    home.store.writable().expect("it is");
    assert_eq!(home.temps(), [""; 0], "the proof goes away");
    let full = File::options()
        .write(true)
        .open("/dev/full")
        .expect("a device");
    let temp = home.store.temp().expect("made").with_file(full);
    let error = temp.try_out().expect_err("full");
    assert!(
        matches!(error, Error::Full { .. }) && error.is_unwritable(),
        "{error:?}"
    );
    assert_eq!(home.temps(), [""; 0]);
}

#[test]
fn c15_a_directory_that_takes_no_file_is_not_writable_although_it_is_there() {
    let home = home();
    home.store.prepare().expect("made");
    let temps = home.path(".rbuild/tmp");
    fs::set_permissions(&temps, fs::Permissions::from_mode(0o500)).expect("ours");
    home.store.prepare().expect("nothing is to be made");
    if !rustix::process::geteuid().is_root() {
        let error = home.store.writable().expect_err("not writable");
        assert!(error.is_unwritable(), "{error:?}");
    }
    fs::set_permissions(&temps, fs::Permissions::from_mode(0o700)).expect("ours");
}

#[test]
fn c17_a_failed_fsync_is_reported_and_nothing_becomes_visible() {
    let home = home();
    let (reader, pipe) = io::pipe().expect("a pipe, which takes bytes and cannot be synced");
    let pipe = File::from(std::os::fd::OwnedFd::from(pipe));
    let mut writer = home.store.writer().expect("a writer").onto(pipe);
    writer.write_all(b"bytes").expect("taken");
    let error = writer.finish(OCI_LAYER).expect_err("cannot be synced");
    drop(reader);
    assert!(
        error.is_unwritable() && error.to_string().contains("blobs/sha256"),
        "{error}"
    );
    assert_eq!(home.temps(), [""; 0]);
    assert_eq!(home.store.blobs().expect("ok"), []);
}

#[test]
fn c17_a_failed_rename_is_reported_with_its_path_and_leaves_nothing() {
    let home = home();
    let writer = write_some(&home.store, b"bytes");
    fs::remove_dir(home.path("blobs/sha256")).expect("empty");
    let error = writer.finish(OCI_LAYER).expect_err("nowhere to go");
    assert!(
        error.to_string().contains(&Digest::of(b"bytes").hex()),
        "{error}"
    );
    assert_eq!(home.temps(), [""; 0]);
    home.store.put(OCI_LAYER, b"bytes").expect("made again");
}

#[test]
fn c16_an_index_that_cannot_be_written_stays_as_it_was() {
    let home = home();
    let [layer, ..] = image(&home.store);
    let before = fs::read(home.path("index.json")).expect("index");
    plant(&home.path(".rbuild/tmp"), b"no directory");
    assert!(
        home.store
            .bind("x", &layer)
            .expect_err("no")
            .is_unwritable()
    );
    assert_eq!(fs::read(home.path("index.json")).expect("index"), before);
    clear(&home.path(".rbuild/tmp"));
    clear(&home.path(".rbuild/index.json"));
    fs::create_dir_all(home.path(".rbuild/index.json/in the way")).expect("directories");
    assert!(
        home.store
            .bind("x", &layer)
            .expect_err("no")
            .is_unwritable()
    );
    assert_eq!(fs::read(home.path("index.json")).expect("index"), before);
    assert_eq!(home.temps(), [""; 0]);
}

#[test]
fn c15_a_store_that_cannot_be_written_says_so_for_every_way_of_writing() {
    let home = home();
    let [layer, ..] = image(&home.store);
    forbid_writing(&home.store);
    let failures = [
        home.store.prepare(),
        home.store.put(OCI_LAYER, b"new").map(drop),
        home.store.writer().map(drop),
        home.store.bind("x", &layer),
        home.store.trim(0, &Default::default()),
    ];
    for failure in failures {
        let error = failure.expect_err("not writable");
        assert!(
            error.is_unwritable() && kind(&error) == Kind::Disk,
            "{error:?}"
        );
        assert!(error.to_string().contains(".rbuild"), "{error}");
    }
}

/// Root may do everything, so what is asserted is that right and deed agree.
#[test]
fn c15_a_directory_without_rights_is_denied_or_works() {
    let home = home();
    let [_, _, manifest] = image(&home.store);
    fs::set_permissions(home.path("blobs/sha256"), PermissionsExt::from_mode(0o000)).expect("ours");
    let is_root = fs::read_dir(home.path("blobs/sha256")).is_ok();
    let outcomes = [
        home.again().document(&manifest.digest, None).map(drop),
        home.store.put(OCI_LAYER, b"new").map(drop),
        home.store.blobs().map(drop),
    ];
    fs::set_permissions(home.path("blobs/sha256"), PermissionsExt::from_mode(0o700)).expect("ours");
    for outcome in outcomes {
        match outcome {
            Ok(()) => assert!(is_root),
            Err(error) => assert!(
                !is_root && matches!(error, Error::Denied { .. }),
                "{error:?}"
            ),
        }
    }
    assert_eq!(home.temps(), [""; 0]);
}

#[test]
fn c15_one_blob_without_rights_is_replaced_by_whoever_has_the_bytes() {
    let home = home();
    let blob = home.store.put(OCI_LAYER, b"bytes").expect("put");
    fs::set_permissions(
        home.store.blob_path(&blob.digest),
        PermissionsExt::from_mode(0o000),
    )
    .expect("ours");
    home.store.put(OCI_LAYER, b"bytes").expect("put");
    assert_eq!(read_all(&home.store, &blob).expect("readable"), b"bytes");
}

#[test]
fn c15_a_lock_that_is_no_file_is_named() {
    for (what, make) in odd_things() {
        let home = home();
        let [layer, ..] = image(&home.store);
        clear(&home.path(".rbuild/lock"));
        make(&home.path(".rbuild/lock"));
        let error = home.store.bind("x", &layer).expect_err(what);
        assert!(
            matches!(&error, Error::Foreign { path, .. } if path.ends_with("lock")),
            "{error:?}"
        );
        assert_eq!(kind(&error), Kind::Disk);
    }
}

#[test]
fn the_lock_file_is_never_removed() {
    let home = home();
    image(&home.store);
    let first = crate::store::regular::Identity::at(&home.path(".rbuild/lock"));
    image(&home.store);
    home.store.trim(0, &Default::default()).expect("trim");
    assert!(first.is_some());
    assert_eq!(
        crate::store::regular::Identity::at(&home.path(".rbuild/lock")),
        first
    );
}

#[test]
fn c09_a_missing_or_torn_oci_layout_is_made_again_when_something_is_written() {
    for torn in [None, Some(&b""[..]), Some(b"{\"imageLay"), Some(b"{}")] {
        let home = home();
        let [layer, ..] = image(&home.store);
        clear(&home.path("oci-layout"));
        if let Some(bytes) = torn {
            plant(&home.path("oci-layout"), bytes);
        }
        let store = home.again();
        assert!(
            store
                .document(&layer.digest, None)
                .expect("readable")
                .is_some()
        );
        store.put(OCI_LAYER, b"new").expect("put");
        let layout = fs::read(home.path("oci-layout")).expect("made");
        assert_eq!(layout, br#"{"imageLayoutVersion":"1.0.0"}"#);
    }
}

#[test]
fn c09_a_layout_of_a_newer_version_is_not_touched() {
    let home = home();
    let [layer, ..] = image(&home.store);
    plant(
        &home.path("oci-layout"),
        br#"{"imageLayoutVersion":"2.0.0"}"#,
    );
    let before = snapshot(home.store.root());
    for open in [Store::cache, Store::output, Store::source] {
        let error = open(home.store.root(), &home.notes).expect_err("newer");
        assert!(matches!(error, Error::Foreign { .. }) && kind(&error) == Kind::Disk);
        assert!(
            error.to_string().contains("written by a newer tool"),
            "{error}"
        );
    }
    assert!(
        home.store.put(OCI_LAYER, b"new").is_err(),
        "also when it changed meanwhile"
    );
    assert!(home.store.bind("x", &layer).is_err());
    assert_eq!(snapshot(home.store.root()), before);
}

#[test]
fn h09_an_oci_layout_that_is_no_file_is_refused_without_hanging() {
    for (what, make) in odd_things() {
        let home = home();
        image(&home.store);
        clear(&home.path("oci-layout"));
        make(&home.path("oci-layout"));
        let error = Store::source(home.store.root(), &home.notes).expect_err(what);
        assert!(
            error.to_string().contains(what) && kind(&error) == Kind::Disk,
            "{error}"
        );
    }
}

#[test]
fn h09_a_pipe_or_a_device_is_no_directory_to_import_from() {
    let home = home();
    let pipe = home.directory.path().join("pipe");
    let mut paths = vec![PathBuf::from("/dev/null"), PathBuf::from("/dev/fd/0")];
    if cfg!(target_os = "linux") {
        make_pipe(&pipe);
        paths.push(pipe);
    }
    for path in paths.iter().filter(|path| path.exists()) {
        let error = Store::source(path, &home.notes).expect_err("no directory");
        assert_eq!(kind(&error), Kind::Refused, "{}", path.display());
    }
}

#[test]
fn c12_directories_that_are_links_are_refused_and_nothing_is_written_outside() {
    for name in ["blobs/sha256", "blobs", ".rbuild"] {
        let home = home();
        let [layer, ..] = image(&home.store);
        let outside = home.directory.path().join("outside");
        fs::rename(home.path(name), &outside).expect("moved");
        symlink(&outside, home.path(name)).expect("link");
        let before = snapshot(home.directory.path());
        let opened = Store::cache(home.store.root(), &home.notes).map(drop);
        let attempts = [
            opened,
            home.store.prepare(),
            home.store.put(OCI_LAYER, b"new").map(drop),
            home.store.bind("x", &layer),
            home.store.document(&layer.digest, None).map(drop),
            home.store.verify(&layer.digest).map(drop),
            home.store.trim(0, &Default::default()),
        ];
        for attempt in attempts {
            let error = attempt.expect_err(name);
            assert!(
                matches!(error, Error::Foreign { .. }) && kind(&error) == Kind::Disk,
                "{error:?}"
            );
        }
        assert_eq!(snapshot(home.directory.path()), before, "{name}");
    }
}

#[test]
fn c12_our_own_directories_are_no_links_either() {
    for name in [".rbuild/tmp", ".rbuild/quarantine", ".rbuild/records"] {
        let home = home();
        let [layer, ..] = image(&home.store);
        let outside = home.directory.path().join("outside");
        fs::create_dir(&outside).expect("directory");
        clear(&home.path(name));
        symlink(&outside, home.path(name)).expect("link");
        plant(&home.store.blob_path(&layer.digest), b"wrong");
        let others = format!("kind/{}.json", layer.digest.hex());
        plant(&outside.join(&others), b"{}");
        let quarantining = home.store.put(OCI_LAYER, b"not really a layer").map(drop);
        let recording = home.store.remember("kind", &layer.digest, &json!(1));
        assert!(quarantining.is_err() || recording.is_err(), "{name}");
        drop(home.store.trim(0, &Default::default()));
        assert_eq!(names_in(&outside), ["kind"], "{name}");
        assert!(outside.join(&others).exists(), "{name}");
    }
}

#[test]
fn a_root_that_is_a_link_of_the_users_is_followed() {
    let home = home();
    let real = home.directory.path().join("real");
    fs::create_dir(&real).expect("directory");
    symlink(&real, home.store.root()).expect("link");
    let [_, _, manifest] = image(&home.again());
    let found = home.store.find(&names(NAME));
    match mode(&real) & 0o022 {
        0 => assert_eq!(found.expect("ok").expect("found").digest, manifest.digest),
        _ => assert!(found.is_err(), "made under a generous umask"),
    }
    assert!(real.join("index.json").exists());
}
