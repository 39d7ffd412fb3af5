//! builder.lock: what it may say, what is written, and what a base is that it holds.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::lock::{Lock, configuration};
use super::lock_reader::lock as read_bytes;
use super::*;
use crate::config::Config;
use crate::fault::{Fault, Kind};
use crate::testing::{self, BaseSpec, TestStore, platform};

const NAME: &str = "r.example/base:1";

fn reference(text: &str) -> Reference {
    text.parse().expect("a name")
}

fn digest(text: &str) -> String {
    Digest::of(text.as_bytes()).to_string()
}

/// A lock that can be read, to be spoiled.
fn sound() -> Value {
    let image = |name: &str| json!({"platform": name, "manifest": digest(name), "mediaType": "m", "config": digest("c")});
    json!({"version": 1, "configuration": digest("configuration"), "bases": [{
        "name": NAME, "digest": digest("index"), "index": digest("index"), "mediaType": "i", "source": "registry",
        "time": "1970-01-01T00:00:00Z", "images": [image("linux/amd64"), image("linux/arm64")]}]})
}

fn read(value: &Value) -> Result<Lock, String> {
    read_bytes(value.to_string().as_bytes())
}

#[test]
fn what_is_written_is_read_again_as_the_same_and_has_one_text() {
    let lock = read(&sound()).expect("sound");
    let text = lock.text();
    assert_eq!(read_bytes(text.as_bytes()), Ok(lock));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        (lines[0], lines[lines.len() - 2]),
        ("{", "  \"version\": 1")
    );
    assert!(
        text.ends_with("}\n") && lines.len() > 20,
        "one value a line: {text}"
    );
    let keys: Vec<usize> = ["bases", "configuration", "version"]
        .map(|key| text.find(&format!("\n  \"{key}\"")).expect(key))
        .to_vec();
    assert!(keys.is_sorted(), "{text}");
}

#[test]
fn h06_a_lock_that_says_more_or_less_or_twice_is_not_read() {
    let twice = json!([sound()["bases"][0], sound()["bases"][0]]);
    let spoilt = [
        ("version", "", "version", json!(2)),
        ("version", "", "version", json!("1")),
        ("unknown key `more`", "", "more", json!(1)),
        ("unknown key `more`", "/bases/0", "more", json!(1)),
        ("unknown key `more`", "/bases/0/images/0", "more", json!(1)),
        (
            "`configuration`",
            "",
            "configuration",
            json!("sha256:../../x"),
        ),
        ("`digest`", "/bases/0", "digest", json!("sha256:00")),
        (
            "`index` that is not its `digest`",
            "/bases/0",
            "index",
            json!(digest("other")),
        ),
        (
            "`platform`",
            "/bases/0/images/0",
            "platform",
            json!("linux"),
        ),
        (
            "`images` are not sorted",
            "/bases/0/images/0",
            "platform",
            json!("linux/arm64"),
        ),
        ("`bases` are not sorted", "", "bases", twice),
        ("not written in full", "/bases/0", "name", json!("debian")),
        ("`source`", "/bases/0", "source", json!("me")),
    ];
    for (words, place, key, bad) in spoilt {
        let mut value = sound();
        value.pointer_mut(place).expect(place)[key] = bad;
        let why = read(&value).expect_err(words);
        assert!(why.contains(words), "{words}: {why}");
    }
    for key in ["version", "configuration", "bases"] {
        let mut value = sound();
        value.as_object_mut().expect("an object").remove(key);
        let why = read(&value).expect_err(key);
        assert_eq!(why, format!("`{key}` is missing"));
    }
    let twice = sound().to_string().replacen("{", "{\"version\":1,", 1);
    assert!(
        read_bytes(twice.as_bytes())
            .expect_err("twice")
            .contains("duplicate key")
    );
}

#[test]
fn a_file_that_cannot_be_used_is_a_refusal_with_its_path_and_none_is_no_lock() {
    let directory = tempfile::tempdir().expect("temp");
    let path = directory.path().join("builder.lock");
    assert_eq!(Lock::read(&path).expect("none"), None);
    for bad in ["", "{}", "[1]", "{\"version\": 7}"] {
        std::fs::write(&path, bad).expect("written");
        let fault = Lock::read(&path).expect_err(bad);
        assert_eq!(fault.kind, Kind::Refused);
        assert!(fault.to_string().contains("builder.lock"), "{fault}");
        assert!(
            fault.hints()[0].contains("rbuild base pin"),
            "{:?}",
            fault.hints()
        );
    }
    std::fs::remove_file(&path).expect("removed");
    std::fs::create_dir(&path).expect("made");
    assert!(Lock::read(&path).is_err(), "a directory is no lock");
}

#[test]
fn only_what_names_bases_changes_the_checksum_of_a_configuration() {
    let plain = configuration(&Config::default());
    let other = |change: fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        configuration(&config)
    };
    assert_eq!(
        plain,
        other(|config| config.default_flags = vec!["--locked".into()])
    );
    assert_eq!(
        plain,
        other(|config| config.file = Some(PathBuf::from("/x/.builder.yaml")))
    );
    let changed = [
        other(|config| config.default_base_image = Some("scratch".into())),
        other(|config| config.base_image_overrides = [("a".into(), "b".into())].into()),
        other(|config| config.default_platforms = Platforms::All),
        other(|config| config.default_platforms = Platforms::These(vec![platform("linux/386")])),
    ];
    for (index, one) in changed.iter().enumerate() {
        assert!(*one != plain && !changed[..index].contains(one), "{index}");
    }
}

/// A store with two images under one name that once meant the first.
fn moved() -> (TestStore, [Descriptor; 2]) {
    let test = testing::store();
    let first = testing::two_platforms(&test.store, false);
    let second = testing::image(&test.store, &BaseSpec::default());
    test.store.bind(NAME, &first).expect("bound");
    (test, [first, second])
}

fn pinned(test: &TestStore, names: &[&str], known: Option<&Lock>) -> Lock {
    let names: Vec<Reference> = names.iter().map(|name| reference(name)).collect();
    let shelf = Shelf {
        lock: known,
        insists: false,
        ..testing::shelf(test)
    };
    let order = (Choice::Compilable, &Config::default());
    pin(&names, order, (shelf, "2026-01-01T00:00:00Z")).expect("pinned")
}

#[test]
fn a_lock_stands_over_the_record_and_pinning_again_changes_nothing() {
    let (test, [first, second]) = moved();
    let lock = pinned(&test, &[NAME], None);
    assert_eq!(lock.bases[0].digest, first.digest);
    assert!(lock.bases[0].is_index && lock.bases[0].images.len() == 2);
    test.store.bind(NAME, &second).expect("bound");
    let shelf = Shelf {
        lock: Some(&lock),
        insists: false,
        ..testing::shelf(&test)
    };
    let name = Name::Reference(reference(NAME));
    let wanted = [platform("linux/amd64")];
    let base = resolve(&name, Choice::These(&wanted), shelf).expect("resolved");
    assert_eq!((base.digest(), &base.name), (Some(first.digest), &name));
    let again = pinned(&test, &[NAME, NAME], Some(&lock)).after(Some(&lock));
    assert_eq!(again.text(), lock.text());
    let renewed = pinned(&test, &[NAME], None).after(Some(&lock));
    assert_eq!(renewed.bases[0].digest, second.digest);
    let changes = renewed.changes(Some(&lock));
    let line = format!("{NAME}: {} → {}", first.digest, second.digest);
    assert_eq!(changes[0], line);
    assert!(
        changes.iter().any(
            |line| line.starts_with("r.example/base:1 linux/arm64: sha256:")
                && line.ends_with("→ -")
        ),
        "{changes:?}"
    );
}

#[test]
fn a_lock_whose_images_are_not_those_of_its_digest_is_an_error() {
    let (test, _) = moved();
    let mut lock = pinned(&test, &[NAME], None);
    let other = lock.bases[0].images[1].manifest;
    lock.bases[0].images[0].manifest = other;
    let shelf = Shelf {
        lock: Some(&lock),
        insists: false,
        ..testing::shelf(&test)
    };
    let wanted = [platform("linux/amd64")];
    let error = resolve(
        &Name::Reference(reference(NAME)),
        Choice::These(&wanted),
        shelf,
    );
    let error = error.expect_err("refused");
    let fault = error.downcast_ref::<Fault>().expect("a fault");
    assert_eq!(fault.kind, Kind::Integrity);
    assert!(fault.hints()[0].contains("rbuild base update"));
}

#[test]
fn a_locked_image_that_is_nowhere_is_missing_and_the_record_is_not_taken_instead() {
    let (test, _) = moved();
    let mut lock = pinned(&test, &[NAME], None);
    lock.bases[0].digest = Digest::of(b"elsewhere");
    let shelf = Shelf {
        lock: Some(&lock),
        insists: false,
        ..testing::shelf(&test)
    };
    let wanted = [platform("linux/amd64")];
    let error = resolve(
        &Name::Reference(reference(NAME)),
        Choice::These(&wanted),
        shelf,
    );
    let error = error.expect_err("refused");
    let fault = error.downcast_ref::<Fault>().expect("a fault");
    assert_eq!(fault.kind, Kind::Offline);
    assert!(
        fault.reasons().contains(&"builder.lock pins it".to_owned()),
        "{:?}",
        fault.reasons()
    );
}
