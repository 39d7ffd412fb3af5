//! Names of images as a person types them, against a store that a build left.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::*;
use crate::fault::Kind;
use crate::testing::{self, BaseSpec, TestStore};

/// An image in the store under these names.
fn kept(test: &TestStore, layers: usize, names: &[&str]) -> Digest {
    let spec = BaseSpec {
        layers,
        ..BaseSpec::default()
    };
    let image = testing::image(&test.store, &spec);
    for name in names {
        test.store.bind(name, &image).expect("bound");
    }
    image.digest
}

/// What is found for words after `rbuild push`: image, destination or `-`, tags.
fn found(test: &TestStore, words: &str) -> Result<(Digest, String, Vec<String>)> {
    found_in(test, words, (None, false))
}

/// The same with a repository, and whether it was typed.
fn found_in(
    test: &TestStore,
    words: &str,
    (repository, insists): (Option<&str>, bool),
) -> Result<(Digest, String, Vec<String>)> {
    let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    let tools = Tools {
        cache: &test.store,
        store: &test.store,
        registry: None,
        notes: &test.notes,
        environment: &BTreeMap::new(),
        now: SystemTime::UNIX_EPOCH,
        lock: None,
        elapsed: &|| Duration::ZERO,
    };
    let to = words.get(1).map(String::as_str).filter(|to| *to != "-");
    let tags = words.get(2..).unwrap_or_default();
    let words = Words {
        image: &words[0],
        directory: test.directory.path(),
        destination: to,
        tags,
        repository,
        insists,
    };
    let asked = Earlier::read(&words, &tools)?;
    let found = find(&asked, &tools)?;
    let Destination { repository, tags } = found.to;
    Ok((found.root, repository.name(), tags))
}

fn refused(test: &TestStore, words: &str) -> Fault {
    let error = found(test, words).expect_err(words);
    error.downcast::<Fault>().expect("a fault")
}

#[test]
fn an_image_is_found_by_every_name_that_a_build_prints() {
    let test = testing::store();
    let root = kept(&test, 1, &["r.example/team/web:v1"]);
    kept(&test, 2, &["r.example/team/web:latest"]);
    for typed in [
        "r.example/team/web:v1",
        &format!("r.example/team/web@{root}"),
        &format!("r.example/team/web:v1@{root}"),
        &format!("R.Example/team/web@{root}"),
        &root.to_string(),
    ] {
        let expected = (root, "r.example/team/web".to_owned(), vec!["v1".to_owned()]);
        assert_eq!(found(&test, typed).expect(typed), expected, "{typed}");
    }
    let (latest, _, tags) = found(&test, "r.example/team/web").expect("latest");
    assert_ne!(latest, root);
    assert_eq!(tags, ["latest"]);
}

#[test]
fn an_image_without_a_repository_is_found_by_its_short_name_and_needs_a_destination() {
    let test = testing::store();
    let root = kept(&test, 1, &["rbuild.local/web:latest"]);
    for typed in [
        "web",
        "web:latest",
        "rbuild.local/web",
        &format!("web@{root}"),
        &format!("rbuild.local/web@{root}"),
        &root.to_string(),
    ] {
        let fault = refused(&test, typed);
        assert_eq!(fault.kind, Kind::Refused);
        assert!(fault.hints()[0].contains(&format!("rbuild push {typed} ")));
        let there = found(&test, &format!("{typed} r.example/x")).expect(typed);
        let expected = (root, "r.example/x".to_owned(), vec!["latest".to_owned()]);
        assert_eq!(there, expected, "{typed}");
    }
    assert!(found(&test, "web rbuild.local/web").is_err());
}

#[test]
fn an_image_without_a_repository_goes_into_the_one_of_the_flag_or_the_environment() {
    let test = testing::store();
    let root = kept(&test, 1, &["rbuild.local/web:v1"]);
    let into = |words: &str, how| found_in(&test, words, how).map(|found| found.1);
    for typed in ["web:v1", "rbuild.local/web:v1", &root.to_string()] {
        for insists in [false, true] {
            let to = into(typed, (Some("r.example/team/"), insists));
            assert_eq!(to.expect(typed), "r.example/team/web");
        }
        let to = into(&format!("{typed} r.example/x"), (Some("A B"), false));
        assert_eq!(to.expect("not looked at"), "r.example/x");
    }
    for bad in ["A B", "r.example/team:v1", "ko.local", "rbuild.local"] {
        assert!(into("web:v1", (Some(bad), false)).is_err(), "{bad}");
    }
    kept(&test, 2, &["r.example/app:v1"]);
    let to = into("r.example/app:v1", (Some("r.example/team"), false));
    assert_eq!(to.expect("it has one"), "r.example/app");
    let typed = into("r.example/app:v1", (Some("r.example/team"), true));
    let told = typed.expect_err("it has one").to_string();
    assert_eq!(told, "`r.example/app:v1` was built for `r.example/app`");
}

#[test]
fn tags_are_those_typed_then_the_destinations_then_those_of_the_build() {
    let test = testing::store();
    let root = kept(&test, 1, &["r.example/web:v1", "r.example/web:v2"]);
    for (words, tags) in [
        ("r.example/web:v1 - x y x", &["x", "y"][..]),
        ("r.example/web:v1 r.example/new:z", &["z"]),
        ("r.example/web:v1 r.example/new:z x", &["x", "z"]),
        ("r.example/web:v1 r.example:5000/new", &["v1"]),
        (&format!("r.example/web@{root}"), &["v1", "v2"]),
        (
            &format!("r.example/web@{root} r.example/new"),
            &["v1", "v2"],
        ),
    ] {
        assert_eq!(found(&test, words).expect(words).2, tags, "{words}");
    }
}

#[test]
fn a_registry_is_no_destination() {
    let test = testing::store();
    kept(&test, 1, &["r.example/web:v1"]);
    for registry in ["r.example", "r.example:5000", "localhost:5000", "r:5000"] {
        let fault = refused(&test, &format!("r.example/web:v1 {registry}"));
        let expected = format!("`{registry}` is a registry; name a repository in it");
        assert_eq!(fault.to_string(), expected);
    }
    let (_, name, tags) = found(&test, "r.example/web:v1 app:v2").expect("one of Docker Hub");
    assert_eq!(name, "docker.io/library/app");
    assert_eq!(tags, ["v2"]);
}

#[test]
fn an_image_given_by_a_digest_that_no_name_means_any_more_gets_no_tag_that_nobody_named() {
    let test = testing::store();
    let root = kept(&test, 1, &["r.example/web:v1"]);
    kept(&test, 2, &["r.example/web:v1"]);
    let named = format!("r.example/web@{root}");
    let none: [&str; 0] = [];
    assert_eq!(found(&test, &named).expect("by digest").2, none);
    for (more, tags) in [
        (" r.example/new", &[][..]),
        (" r.example/new:v3", &["v3"]),
        (" - v2", &["v2"]),
    ] {
        let words = format!("{named}{more}");
        assert_eq!(found(&test, &words).expect(&words).2, tags, "{words}");
    }
    let layout = format!("oci:img@{root} r.example/new");
    assert_eq!(found(&test, &layout).expect("by digest").2, none);
}

#[test]
fn a_layout_without_names_is_latest_unless_the_destination_has_a_tag() {
    let test = testing::store();
    kept(&test, 1, &["1"]);
    for (to, tag) in [("r.example/x", "latest"), ("r.example/x:v1", "v1")] {
        let (_, _, tags) = found(&test, &format!("oci:img {to}")).expect(to);
        assert_eq!(tags, [tag]);
    }
}

#[test]
fn a_digest_with_names_in_two_repositories_needs_a_destination() {
    let test = testing::store();
    let root = kept(&test, 1, &["r.example/a:v1", "r.example/b:v1"]);
    let fault = refused(&test, &root.to_string());
    let told = [
        "it has names in 2 repositories",
        "one is `r.example/a`",
        "one is `r.example/b`",
    ];
    assert_eq!(fault.reasons(), told);
    let (_, name, tags) = found(&test, &format!("{root} r.example/c")).expect("told");
    assert_eq!((name.as_str(), tags), ("r.example/c", Vec::new()));
}

#[test]
fn a_layout_is_pushed_from_its_directory() {
    let test = testing::store();
    let root = kept(&test, 1, &["r.example/web:v1"]);
    for typed in ["oci:img", "oci:img:r.example/web:v1"] {
        let expected = (root, "r.example/web".to_owned(), vec!["v1".to_owned()]);
        assert_eq!(found(&test, typed).expect(typed), expected);
    }
    let other = kept(&test, 2, &["latest"]);
    assert!(refused(&test, "oci:img").to_string().contains("2 images"));
    for typed in ["oci:img:latest".to_owned(), format!("oci:img@{other}")] {
        refused(&test, &typed);
        let there = found(&test, &format!("{typed} r.example/x:1")).expect("told");
        assert_eq!(there, (other, "r.example/x".into(), vec!["1".into()]));
    }
}

#[test]
fn an_image_that_is_not_here_is_named_beside_what_is() {
    let test = testing::store();
    let fault = refused(&test, "r.example/none:v1");
    assert!(fault.reasons()[0].contains("none at all"));
    for number in 0..10 {
        kept(&test, 1, &[&format!("r.example/web:v{number}")]);
    }
    let absent = Digest::of(b"absent");
    for typed in [
        "r.example/none:v1".to_owned(),
        "r.example/web:v10".into(),
        absent.to_string(),
        format!("r.example/web@{absent}"),
    ] {
        let fault = refused(&test, &typed);
        assert!(fault.to_string().contains(&typed), "{fault}");
        assert_eq!(fault.reasons().len(), 9);
        assert_eq!(fault.reasons()[8], "and 2 more");
        assert!(fault.hints()[0].contains("rbuild build"));
    }
}

#[test]
fn what_is_no_image_no_tag_or_no_destination_is_refused() {
    let test = testing::store();
    let root = kept(&test, 1, &["r.example/web:v1"]);
    for words in [
        "sha256:short".to_owned(),
        "A B".into(),
        "oci:".into(),
        "r.example/web:v1 - .bad".into(),
        "r.example/web:v1 R/Capital".into(),
        "r.example/web:v1 user:pw@r.example/x".into(),
        format!("r.example/web:v1 r.example/web@{root}"),
    ] {
        let fault = refused(&test, &words);
        assert_eq!(fault.kind, Kind::Refused, "{words}");
        assert!(!format!("{fault:?}").contains("pw"), "{fault:?}");
        assert!(!words.ends_with(".bad") || fault.hints()[0].starts_with("a tag is"));
    }
}
