//! Redirects: followed with care, and no secret goes along.

use bytes::Bytes;

use super::*;
use crate::registry::error::Cause;
use crate::testing::test_registry::{Action, Authority, Options, Rule};

fn sends_to(status: u16, target: &str) -> Action {
    Action::answer(status, &[("Location", target)], "")
}

/// A registry whose `/v2/from` leads to `target`.
fn leading_to(status: u16, target: &str) -> TestRegistry {
    let registry = TestRegistry::start();
    registry.rule(Rule::on("*", "/v2/from").then(sends_to(status, target)));
    registry
}

async fn refused(registry: &TestRegistry, path: &str) -> String {
    let error = Desk::new()
        .send(to(registry, "GET", path))
        .await
        .err()
        .expect("refused");
    assert_eq!(error.cause, Cause::Protocol);
    told(&error)
}

#[tokio::test]
async fn r12_a14_a_redirect_to_another_port_carries_neither_secret_nor_cookie() {
    let with_cookies = || {
        TestRegistry::with(Options {
            cookies: true,
            ..Options::default()
        })
    };
    let (first, second) = (with_cookies(), TestRegistry::start());
    let target = format!("{}/v2/?X-Sig=%2B", second.origin());
    first.rule(Rule::on("GET", "/v2/from").then(sends_to(307, &target)));
    let desk = Desk::new();
    let begun = desk.send(to(&first, "POST", "/v2/a/blobs/uploads/")).await;
    assert_eq!(begun.expect("an answer").status(), 202);
    let answer = desk
        .send(to(&first, "GET", "/v2/from"))
        .await
        .expect("followed");
    assert_eq!(
        (answer.status(), answer.url.as_str()),
        (200, target.as_str())
    );
    let own = &first.requests()[1];
    assert_eq!(own.header("authorization"), Some(TOKEN));
    assert!(
        own.header("cookie").is_some(),
        "the registry's own cookie comes back to it"
    );
    let other = &second.requests()[0];
    assert_eq!(
        (other.header("authorization"), other.header("cookie")),
        (None, None)
    );
    assert_eq!(other.query, "X-Sig=%2B");
}

#[tokio::test]
async fn a16_back_at_its_own_origin_the_secret_is_sent_again() {
    let first = TestRegistry::start();
    let second = leading_to(302, &format!("{}/v2/", first.origin()));
    first.rule(
        Rule::on("GET", "/v2/away").then(sends_to(301, &format!("{}/v2/from", second.origin()))),
    );
    let answer = Desk::new()
        .send(to(&first, "GET", "/v2/away"))
        .await
        .expect("followed");
    assert_eq!(answer.status(), 200);
    let seen = first.requests();
    assert_eq!(seen[1].line(), "GET /v2/");
    assert_eq!(seen[1].header("authorization"), Some(TOKEN));
    assert_eq!(second.requests()[0].header("authorization"), None);
}

#[tokio::test]
async fn r13_a_circle_is_refused() {
    let registry = leading_to(307, "/v2/b");
    registry.rule(Rule::on("GET", "/v2/b").then(sends_to(307, "/v2/from")));
    let told = refused(&registry, "/v2/from").await;
    assert!(told.contains("redirects in a circle"), "{told}");
    assert_eq!(registry.requests().len(), 2);
}

#[tokio::test]
async fn r13_five_hops_are_followed_and_six_are_not() {
    let registry = TestRegistry::start();
    for hop in 1..=6 {
        let target = if hop == 6 {
            "/v2/".to_owned()
        } else {
            format!("/v2/{}", hop + 1)
        };
        registry.rule(Rule::on("GET", &format!("/v2/{hop}")).then(sends_to(307, &target)));
    }
    let desk = Desk::new();
    assert_eq!(
        desk.get(&registry.host(), "/v2/2")
            .await
            .expect("five hops"),
        200
    );
    registry.forget_requests();
    let told = refused(&registry, "/v2/1").await;
    assert!(told.contains("redirects more than 5 times"), "{told}");
    assert_eq!(registry.requests().len(), 6);
}

#[tokio::test]
async fn r13_https_is_not_left_for_http() {
    let plain = TestRegistry::start();
    let authority = Authority::new();
    let registry = TestRegistry::https(&authority);
    registry
        .rule(Rule::on("GET", "/v2/from").then(sends_to(307, &format!("{}/v2/", plain.origin()))));
    let (desk, _home) = tls::trusting(&registry.host(), &authority);
    let error = desk
        .send(to(&registry, "GET", "/v2/from"))
        .await
        .err()
        .expect("refused");
    assert_eq!(error.cause, Cause::Protocol);
    assert!(plain.requests().is_empty());
}

#[tokio::test]
async fn r13_metadata_addresses_are_not_asked() {
    for target in [
        "http://169.254.169.254/latest",
        "http://[::ffff:a9fe:a9fe]/",
        "http://0.0.0.0/",
        "ftp://h/",
        "http://u:p@h/",
    ] {
        let registry = leading_to(307, target);
        refused(&registry, "/v2/from").await;
        assert_eq!(registry.requests().len(), 1, "{target}");
    }
}

#[tokio::test]
async fn a11_where_redirects_are_refused_none_is_followed() {
    let second = TestRegistry::start();
    let registry = leading_to(302, &format!("{}/v2/", second.origin()));
    let mut request = to(&registry, "GET", "/v2/from");
    request.redirects = Redirects::Refuse;
    let error = Desk::new().send(request).await.err().expect("refused");
    assert_eq!(error.cause, Cause::Protocol);
    assert!(second.requests().is_empty());
}

#[tokio::test]
async fn bytes_follow_307_and_308_without_the_secret_and_302_is_an_error() {
    for (status, is_followed) in [
        (307, true),
        (308, true),
        (301, false),
        (302, false),
        (303, false),
    ] {
        let second = TestRegistry::start();
        let registry = leading_to(status, &format!("{}/v2/there", second.origin()));
        let mut request = to(&registry, "PUT", "/v2/from");
        request.payload = Payload::Bytes(Bytes::from_static(b"body"));
        let sent = Desk::new().send(request).await;
        assert_eq!(sent.is_ok(), is_followed, "{status}");
        let seen = second.requests();
        let bodies: Vec<&[u8]> = seen.iter().map(|seen| seen.body.as_slice()).collect();
        assert_eq!(bodies, vec![b"body"; usize::from(is_followed)]);
        assert!(
            seen.iter()
                .all(|seen| seen.header("authorization").is_none())
        );
    }
}

#[tokio::test]
async fn a_redirected_stream_comes_back_with_its_target() {
    let body = || reqwest::Body::from("abc");
    let registry = leading_to(307, "/v2/there?a=%2B");
    let mut request = to(&registry, "PUT", "/v2/from");
    request.payload = Payload::Stream(3, body());
    let answer = Desk::new().send(request).await.expect("an answer");
    let target = answer.redirection().expect("allowed").expect("a redirect");
    assert_eq!(
        target.as_str(),
        format!("{}/v2/there?a=%2B", registry.origin())
    );
    assert_eq!(registry.requests().len(), 1);
    for (status, location) in [(302, "/v2/there"), (307, "http://169.254.169.254/")] {
        let registry = leading_to(status, location);
        let mut request = to(&registry, "PUT", "/v2/from");
        request.payload = Payload::Stream(3, body());
        let answer = Desk::new().send(request).await.expect("an answer");
        assert_eq!(
            answer.redirection().expect_err("refused").cause,
            Cause::Protocol
        );
    }
}

#[tokio::test]
async fn a_redirect_without_a_target_is_an_error_and_an_ordinary_answer_is_none() {
    let registry = TestRegistry::start();
    registry.rule(Rule::on("GET", "/v2/from").then(Action::answer(307, &[], "")));
    refused(&registry, "/v2/from").await;
    let answer = Desk::new()
        .send(to(&registry, "GET", "/v2/"))
        .await
        .expect("an answer");
    assert_eq!(answer.redirection().expect("fine"), None);
}

#[tokio::test]
async fn r01_a_try_begins_at_the_registry_again_when_the_other_place_fails() {
    let second = TestRegistry::start();
    second.rule(Rule::on("GET", "/v2/*").times(1).then(Action::Status(503)));
    let registry = leading_to(307, &format!("{}/v2/", second.origin()));
    let answer = Desk::new()
        .send(to(&registry, "GET", "/v2/from"))
        .await
        .expect("mended");
    assert_eq!(answer.status(), 200);
    assert_eq!((registry.requests().len(), second.requests().len()), (2, 2));
}
