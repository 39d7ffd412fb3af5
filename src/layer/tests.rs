//! Entries, and the layer that they become.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::lint::lint;
use super::lint::tar_of;
use super::*;
use crate::notes::Notes;

fn store(home: &Path) -> Store {
    Store::cache(&home.join("store"), &Notes::recorded()).expect("store")
}

#[test]
fn spellings_of_one_path_are_one_path() {
    for path in ["app/x", "/app/x", "//app//x", "./app/./x", "app/x/"] {
        let entry = Entry::bytes(path, "").expect(path);
        assert_eq!(entry.path, "app/x");
    }
}

#[test]
fn h22_no_path_leaves_the_image() {
    let long = "a/".repeat(2048);
    for path in ["", "/", ".", "..", "../x", "a/../b", "/a/..", "a\0b", &long] {
        let fault = Entry::bytes(path, "").expect_err(path);
        assert_eq!(fault.kind, crate::fault::Kind::Refused);
        assert!(fault.to_string().len() < 1000, "{fault}");
        assert!(!fault.to_string().contains('\0'));
    }
}

#[test]
fn h22_dots_spaces_and_unicode_are_names_like_any_other() {
    for name in ["..x", "x..", "...", "a b", "-rf", "größe", "a\\b", "a\nb"] {
        let path = format!("app/{name}");
        let entry = Entry::directory(&path).expect(name);
        assert_eq!(entry.path, path);
    }
}

#[test]
fn v06_a_mode_is_what_was_asked_for_and_only_permission_bits() {
    let entry = Entry::bytes("a", "").expect("path");
    assert_eq!(entry.mode, 0o644);
    assert_eq!(entry.clone().with_mode(0o100_755).mode, 0o755);
    assert_eq!(entry.with_mode(0o1777).mode, 0o1777);
}

#[test]
fn v03_a_layer_is_in_the_store_and_is_what_it_says_it_is() {
    let home = tempfile::tempdir().expect("dir");
    let store = store(home.path());
    let binary = home.path().join("web");
    fs::write(&binary, vec![7; 3 << 20]).expect("write");
    let entries = [
        Entry::file("app/web", &binary)
            .expect("path")
            .with_mode(0o755),
        Entry::bytes("app/note", "hello").expect("path"),
    ];
    let layer = write(&store, &entries).expect("layer");
    assert_eq!(layer.blob.media_type, media::OCI_LAYER);
    assert!(!layer.reused && store.holds(&layer.blob));
    let seen = lint(&tar_of(&store, &layer));
    let paths: Vec<&str> = seen.iter().map(|seen| seen.path.as_str()).collect();
    assert_eq!(paths, ["app", "app/note", "app/web"]);
    assert_eq!(seen[2].content.len(), 3 << 20);
    assert_eq!(diff_id(&entries).expect("reads"), layer.diff_id);
}

/// The modes, times and place of the source, the order of the entries and the day must not show.
#[test]
fn v04_the_same_content_is_the_same_layer_wherever_and_however_it_lies() {
    let mut layers = Vec::new();
    for mode in [0o600, 0o777] {
        let home = tempfile::tempdir().expect("dir");
        let binary = home.path().join(format!("web-{mode:o}"));
        fs::write(&binary, "code").expect("write");
        fs::set_permissions(&binary, fs::Permissions::from_mode(mode)).expect("mode");
        let mut entries = vec![
            Entry::file("app/web", &binary).expect("path"),
            Entry::bytes("etc/a", "").expect("path"),
        ];
        if mode == 0o777 {
            entries.reverse();
        }
        layers.push(write(&store(home.path()), &entries).expect("layer"));
    }
    assert_eq!(layers[0], layers[1]);
}

/// Bytes that are pinned: a change here changes the digest of every image.
#[test]
fn v04_a_small_layer_has_the_digests_that_it_always_had() {
    let home = tempfile::tempdir().expect("dir");
    let entries = [
        Entry::bytes("app/web", "code")
            .expect("path")
            .with_mode(0o755),
        Entry::bytes(&format!("srv/{}", "n".repeat(120)), "long").expect("path"),
        Entry::bytes("srv/größe", "web").expect("path"),
    ];
    let layer = write(&store(home.path()), &entries).expect("layer");
    assert_eq!(
        layer.diff_id.to_string(),
        "sha256:bfe870b97e98f54576a5ab61cd3c5cfcb0cae0eec9e7fe8f3a742a860d919636"
    );
    assert_eq!(
        layer.blob.digest.to_string(),
        "sha256:0885eba0f97c2e393488617c0934c043ec829ec20d9a97c2cd63cf4d56e56dc7"
    );
}

#[test]
fn a_layer_that_fails_leaves_nothing_in_the_store() {
    let home = tempfile::tempdir().expect("dir");
    let store = store(home.path());
    let entries = [
        Entry::bytes("a", vec![0; 2 << 20]).expect("path"),
        Entry::file("b", &home.path().join("missing")).expect("path"),
    ];
    let error = write(&store, &entries).expect_err("missing").to_string();
    assert!(error.starts_with("cannot read"), "{error}");
    for path in walk(store.root()).filter(|path| path.is_file()) {
        let bytes = fs::read(&path).expect("reads");
        assert!(
            !bytes.starts_with(&[0x1f, 0x8b]),
            "{path:?} is a piece of it"
        );
    }
}

fn walk(root: &Path) -> Box<dyn Iterator<Item = PathBuf>> {
    let found = fs::read_dir(root).into_iter().flatten().flatten();
    Box::new(found.flat_map(|entry| {
        let path = entry.path();
        walk(&path).chain([path.clone()]).collect::<Vec<_>>()
    }))
}

#[test]
fn a_path_in_a_message_cannot_play_with_the_terminal() {
    assert_eq!(quoted(Path::new("a b")), "`a b`");
    assert_eq!(quoted(Path::new("a\x1b[2Jb\n")), "`a\\u{1b}[2Jb\\n`");
}
