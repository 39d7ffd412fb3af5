//! Mirrors: how they are written, in which order they are asked, and what is said of those that fail.

use crate::fault::Kind;
use crate::media;
use crate::registry::tests::{name, noted, with};
use crate::registry::{Cause, HostSettings, Mirror, Settings};
use crate::testing::test_registry::{Action, Rule, TestRegistry};

const INDEX: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

fn put(server: &TestRegistry, repository: &str) {
    server.put_manifest(repository, "1", media::OCI_INDEX, INDEX.as_bytes());
}

fn mirrors(urls: &[String]) -> Settings {
    Settings {
        mirrors: urls
            .iter()
            .map(|url| Mirror::parse(url).expect("a mirror"))
            .collect(),
        ..Settings::default()
    }
}

#[test]
fn a_mirror_is_a_url_for_one_registry_or_for_all() {
    for (text, registry, url) in [
        ("https://m.example", None, "https://m.example"),
        ("*=https://m.example/", None, "https://m.example"),
        (
            "=https://m.example:5000/hub/",
            None,
            "https://m.example:5000/hub",
        ),
        (
            "ghcr.io=https://m.example/a/b",
            Some("ghcr.io"),
            "https://m.example/a/b",
        ),
        (
            "docker.io=https://m.example",
            Some("docker.io"),
            "https://m.example",
        ),
        (
            "index.docker.io=https://m.example",
            Some("docker.io"),
            "https://m.example",
        ),
        (
            "localhost:5000=http://127.0.0.1:5001",
            Some("localhost:5000"),
            "http://127.0.0.1:5001",
        ),
    ] {
        let mirror = Mirror::parse(text).expect(text);
        assert_eq!(
            (mirror.registry.as_deref(), mirror.url.as_str()),
            (registry, url),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_mirror_is_refused_and_never_repeats_a_password() {
    for text in [
        "",
        "m.example",
        "ftp://m.example",
        "https://",
        "https://me:hunter2@m.example",
        "https://hunter2@m.example",
        "https://m.example?a=hunter2",
        "https://m.example#hunter2",
        "https://m.example/Upper",
        "https://m.example/a//b",
        "https://m.example/a%2fb",
        "noregistry=https://m.example",
        "a b.example=https://m.example",
        "file:///etc",
    ] {
        let error = Mirror::parse(text).expect_err(text);
        assert_eq!(error.fault().kind, Kind::Refused, "{text}");
        assert!(
            !format!("{:?}", error.fault()).contains("hunter2"),
            "{text}"
        );
    }
}

#[test]
fn plain_http_is_for_loopback_and_for_hosts_that_are_set_so() {
    let mut settings = mirrors(&["http://m.invalid:5000/x".to_owned()]);
    let server = TestRegistry::scripted();
    let error = with(settings.clone())
        .manifest(&name(&server, "a/b:1"))
        .expect_err("plain");
    assert_eq!(error.cause, Cause::Settings);
    assert!(error.to_string().contains("without encryption"), "{error}");
    let insecure = HostSettings {
        insecure: true,
        ..HostSettings::default()
    };
    settings.hosts.insert("m.invalid:5000".to_owned(), insecure);
    settings.mirrors_alone = true;
    let error = with(settings)
        .manifest(&name(&server, "a/b:1"))
        .expect_err("no such host");
    assert_eq!(error.cause, Cause::Unreachable, "{error}");
}

#[test]
fn mirrors_are_asked_in_order_with_their_path_before_the_repository() {
    let (empty, full, origin) = (
        TestRegistry::start(),
        TestRegistry::start(),
        TestRegistry::scripted(),
    );
    put(&full, "hub/x/a/b");
    let urls = [empty.origin(), format!("{}/hub/x", full.origin())];
    let (registry, notes) = noted(mirrors(&urls));
    let found = registry
        .manifest(&name(&origin, "a/b:1"))
        .expect("an answer");
    assert!(found.is_some());
    assert_eq!(empty.requests()[0].path, "/v2/a/b/manifests/1");
    assert_eq!(full.requests()[0].path, "/v2/hub/x/a/b/manifests/1");
    assert!(origin.requests().is_empty());
    assert!(notes.all().is_empty(), "{:?}", notes.all());
}

#[test]
fn what_mirrors_lack_or_fail_with_the_registry_itself_is_asked_for() {
    for action in [
        Action::Status(404),
        Action::Status(403),
        Action::Status(401),
        Action::Status(500),
        Action::CloseWithoutAnswer,
        Action::answer(200, &[("content-type", media::OCI_MANIFEST)], INDEX),
    ] {
        let (mirror, origin) = (TestRegistry::scripted(), TestRegistry::start());
        put(&origin, "a/b");
        let (told, is_absence) = (format!("{action:?}"), matches!(action, Action::Status(404)));
        mirror.rule(Rule::on("*", "*").then(action));
        let (registry, notes) = noted(mirrors(&[mirror.origin()]));
        assert!(
            registry
                .manifest(&name(&origin, "a/b:1"))
                .expect(&told)
                .is_some(),
            "{told}"
        );
        assert!(!mirror.requests().is_empty());
        assert_eq!(
            notes.all().len(),
            usize::from(!is_absence),
            "{told} {:?}",
            notes.all()
        );
    }
}

#[test]
fn a_registry_is_not_touched_when_mirrors_are_alone() {
    let (mirror, origin) = (TestRegistry::start(), TestRegistry::scripted());
    let mut settings = mirrors(&[mirror.origin()]);
    settings.mirrors_alone = true;
    let found = with(settings).manifest(&name(&origin, "a/b:1"));
    assert_eq!(found.expect("an answer"), None);
    let mut other = mirrors(&[format!("other.example={}", mirror.origin())]);
    other.mirrors_alone = true;
    let error = with(other)
        .manifest(&name(&origin, "a/b:1"))
        .expect_err("nobody may be asked");
    assert_eq!(error.cause, Cause::Settings);
    assert!(origin.requests().is_empty());
}

#[test]
fn a_mirror_of_another_registry_is_not_asked() {
    let (mirror, origin) = (TestRegistry::scripted(), TestRegistry::start());
    put(&origin, "a/b");
    let settings = mirrors(&[format!("other.example={}", mirror.origin())]);
    assert!(
        with(settings)
            .manifest(&name(&origin, "a/b:1"))
            .expect("an answer")
            .is_some()
    );
    assert!(mirror.requests().is_empty());
}

#[test]
fn when_all_fail_each_place_is_told_with_its_reason() {
    let (mirror, origin) = (TestRegistry::scripted(), TestRegistry::scripted());
    mirror.rule(Rule::on("*", "*").then(Action::Status(403)));
    origin.rule(Rule::on("*", "*").then(Action::Status(502)));
    let error = with(mirrors(&[mirror.origin()]))
        .manifest(&name(&origin, "a/b:1"))
        .expect_err("both fail");
    let fault = error.fault();
    assert_eq!(fault.reasons().len(), 2, "{fault:?}");
    assert!(fault.reasons()[0].contains(&mirror.host()), "{fault:?}");
    assert!(fault.reasons()[0].contains("403"), "{fault:?}");
    assert!(fault.reasons()[1].contains(&origin.host()), "{fault:?}");
    assert!(fault.reasons()[1].contains("502"), "{fault:?}");
}

#[test]
fn what_the_registry_itself_denies_is_absent_whatever_its_mirrors_fail_with() {
    let (mirror, origin) = (TestRegistry::scripted(), TestRegistry::start());
    mirror.rule(Rule::on("*", "*").then(Action::Status(502)));
    let (registry, notes) = noted(mirrors(&[mirror.origin()]));
    let found = registry.manifest(&name(&origin, "a/b:1"));
    assert_eq!(found.expect("the registry's own word"), None);
    let [note] = notes.all().try_into().expect("one note");
    assert!(note.contains(&mirror.host()), "{note}");
}

#[test]
fn what_mirrors_alone_fail_with_is_no_absence_even_if_another_has_none() {
    let (lame, empty) = (TestRegistry::scripted(), TestRegistry::start());
    lame.rule(Rule::on("*", "*").then(Action::Status(502)));
    let mut settings = mirrors(&[lame.origin(), empty.origin()]);
    settings.mirrors_alone = true;
    let error = with(settings)
        .manifest(&name(&TestRegistry::scripted(), "a/b:1"))
        .expect_err("unclear");
    assert_ne!(error.cause, Cause::Absent);
}
