//! `Location` of uploads, as it comes over the wire.

use super::*;
use crate::registry::error::Cause;
use crate::testing::test_registry::{Action, Authority, Rule};

const BEGIN: &str = "/v2/a/blobs/uploads/";

fn giving(registry: &TestRegistry, location: &str) {
    registry.rule(Rule::on("POST", BEGIN).then(Action::answer(202, &[("LOCATION", location)], "")));
}

#[tokio::test]
async fn r09_the_query_of_a_location_arrives_byte_for_byte() {
    for location in [
        "/u?_state=a%2Bb&x=%20&&y=a+b~%zz",
        "u?_state=a%2Bb&x=%20&&y=a+b~%zz",
        "//HOST/u?_state=a%2Bb&x=%20&&y=a+b~%zz",
    ] {
        let registry = TestRegistry::start();
        giving(&registry, &location.replace("HOST", &registry.host()));
        let desk = Desk::new();
        let begun = desk
            .send(to(&registry, "POST", BEGIN))
            .await
            .expect("an answer");
        let target = begun.location().expect("a URL");
        desk.send(request("PUT", &registry.host(), target.as_str()))
            .await
            .expect("an answer");
        let seen = registry.requests();
        assert_eq!(seen[1].query, "_state=a%2Bb&x=%20&&y=a+b~%zz");
        assert!(seen[1].path.ends_with("/u"));
        assert_eq!(seen[1].header("authorization"), Some(TOKEN));
    }
}

#[tokio::test]
async fn r10_an_answer_without_a_usable_location_is_an_error() {
    let registry = TestRegistry::start();
    registry.rule(
        Rule::on("POST", BEGIN)
            .times(1)
            .then(Action::answer(202, &[], "")),
    );
    let long = format!("/{}", "a".repeat(9 * 1024));
    for location in [
        "",
        "javascript:alert(1)",
        "http://",
        &long,
        "http://169.254.169.254/",
    ] {
        if !location.is_empty() {
            registry.rule(Rule::on("POST", BEGIN).times(1).then(Action::answer(
                202,
                &[("Location", location)],
                "",
            )));
        }
        let begun = Desk::new()
            .send(to(&registry, "POST", BEGIN))
            .await
            .expect("an answer");
        let error = begun.location().expect_err(location);
        assert_eq!(error.cause, Cause::Protocol);
    }
}

#[tokio::test]
async fn r11_http_in_a_location_of_an_https_registry_is_upgraded_with_a_note() {
    let authority = Authority::new();
    let registry = TestRegistry::https(&authority);
    giving(&registry, &format!("http://{}/v2/?a=1", registry.host()));
    let (desk, _home) = tls::trusting(&registry.host(), &authority);
    let begun = desk
        .send(to(&registry, "POST", BEGIN))
        .await
        .expect("an answer");
    let target = begun.location().expect("upgraded");
    assert_eq!(
        target.as_str(),
        format!("https://{}/v2/?a=1", registry.host())
    );
    assert!(desk.notes.all()[0].contains("names itself `http`"));
    desk.send(request("GET", &registry.host(), target.as_str()))
        .await
        .expect("an answer");
    assert_eq!(registry.requests()[1].header("authorization"), Some(TOKEN));
}

#[tokio::test]
async fn a13_a_location_on_another_origin_gets_the_body_and_no_secret() {
    let (registry, other) = (TestRegistry::start(), TestRegistry::start());
    giving(&registry, &format!("{}/u", other.origin()));
    let desk = Desk::new();
    let begun = desk
        .send(to(&registry, "POST", BEGIN))
        .await
        .expect("an answer");
    let mut upload = to(&registry, "PUT", "/");
    upload.url = begun.location().expect("a URL");
    upload.payload = Payload::Stream(3, "abc".into());
    desk.send(upload).await.expect("an answer");
    let seen = &other.requests()[0];
    assert_eq!(
        (seen.body.as_slice(), seen.header("authorization")),
        (&b"abc"[..], None)
    );
    assert!(
        seen.headers
            .iter()
            .all(|(_, value)| !value.contains("s3cret"))
    );
}
