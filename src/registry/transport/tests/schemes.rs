//! http or https, found out by the first request itself.

use super::*;
use crate::registry::error::Cause;
use crate::registry::settings::HostSettings;
use crate::testing::test_registry::{Action, Authority, Rule};

fn insecure() -> Settings {
    Settings {
        insecure: true,
        ..Settings::default()
    }
}

#[tokio::test]
async fn on_loopback_http_is_spoken_at_once() {
    let registry = TestRegistry::start();
    let desk = Desk::new();
    let base = desk.transport.base(&registry.host()).await.expect("a base");
    assert_eq!(base.as_str(), format!("{}/", registry.origin()));
    assert!(registry.requests().is_empty(), "a base asks for nothing");
    assert_eq!(
        desk.get(&registry.host(), "/v2/").await.expect("an answer"),
        200
    );
    assert_eq!(registry.requests().len(), 1);
}

#[tokio::test]
async fn where_http_is_refused_on_loopback_https_is_spoken_and_remembered() {
    let registry = TestRegistry::https(&Authority::new());
    let desk = Desk::with(&insecure());
    let url = format!("http://{}/v2/", registry.host());
    for _ in 0..2 {
        let answer = desk
            .send(request("GET", &registry.host(), &url))
            .await
            .expect("an answer");
        assert_eq!((answer.status(), answer.url.scheme()), (200, "https"));
    }
    let base = desk.transport.base(&registry.host()).await.expect("a base");
    assert_eq!(base.scheme(), "https");
    let seen = registry.requests();
    assert_eq!(seen.len(), 2);
    assert!(
        seen.iter()
            .all(|seen| seen.header("authorization").is_none()),
        "the secret was for http"
    );
}

#[tokio::test]
async fn the_refusal_of_http_is_noticed_although_a_head_has_no_words() {
    let registry = TestRegistry::https(&Authority::new());
    let desk = Desk::with(&insecure());
    let url = format!("http://{}/v2/a/manifests/v1", registry.host());
    let head = request("HEAD", &registry.host(), &url);
    let answer = desk.send(head).await.expect("an answer");
    assert_eq!((answer.status(), answer.url.scheme()), (404, "https"));
    assert_eq!(
        desk.get(&registry.host(), "/v2/").await.expect("an answer"),
        200
    );
}

#[tokio::test]
async fn a_400_to_a_head_is_an_answer_where_only_http_is_spoken() {
    let registry = TestRegistry::start();
    registry.rule(Rule::on("HEAD", "*").then(Action::Status(400)));
    let desk = Desk::new();
    for _ in 0..2 {
        let head = to(&registry, "HEAD", "/v2/a/manifests/v1");
        let answer = desk.send(head).await.expect("an answer");
        assert_eq!((answer.status(), answer.url.scheme()), (400, "http"));
    }
    assert_eq!(
        desk.get(&registry.host(), "/v2/").await.expect("an answer"),
        200
    );
}

#[tokio::test]
async fn r34_a_certificate_that_is_refused_does_not_lead_back_to_http() {
    let registry = TestRegistry::https(&Authority::new());
    let desk = Desk::new();
    let error = desk
        .get(&registry.host(), "/v2/")
        .await
        .expect_err("not trusted");
    assert_eq!(error.cause, Cause::Unreachable);
    assert!(
        told(&error).contains("not trusted here"),
        "{}",
        told(&error)
    );
    assert!(registry.requests().is_empty());
}

#[tokio::test]
async fn an_insecure_registry_is_asked_in_https_first_and_in_http_then() {
    let registry = TestRegistry::start();
    let (settings, _home) = tls::settings(&registry.host(), &Authority::new());
    let strict = Desk::with(&settings)
        .get(&registry.host(), "/v2/")
        .await
        .expect_err("no TLS");
    assert!(
        told(&strict).contains("no TLS is spoken there"),
        "{}",
        told(&strict)
    );
    let desk = Desk::with(&Settings {
        insecure: true,
        ..settings
    });
    assert_eq!(
        desk.transport
            .base(&registry.host())
            .await
            .expect("a base")
            .scheme(),
        "https"
    );
    assert_eq!(
        desk.get(&registry.host(), "/v2/").await.expect("an answer"),
        200
    );
    assert_eq!(
        desk.transport
            .base(&registry.host())
            .await
            .expect("a base")
            .scheme(),
        "http"
    );
    assert_eq!(registry.requests().len(), 1);
}

#[tokio::test]
async fn one_registry_can_be_insecure_alone() {
    let registry = TestRegistry::https(&Authority::new());
    let mut settings = Settings::default();
    let own = HostSettings {
        insecure: true,
        ..HostSettings::default()
    };
    settings.hosts.insert(registry.host(), own);
    let desk = Desk::with(&settings);
    assert_eq!(
        desk.get(&registry.host(), "/v2/").await.expect("an answer"),
        200
    );
    let other = TestRegistry::https(&Authority::new());
    assert!(desk.get(&other.host(), "/v2/").await.is_err());
}

#[tokio::test]
async fn a_registry_that_hangs_up_on_the_first_request_is_asked_again_in_http() {
    for action in [
        Action::CloseWithoutAnswer,
        Action::Raw(b"\x15\x03\x01\x00\x02\x02\x46".to_vec()),
    ] {
        let registry = TestRegistry::start();
        registry.rule(Rule::on("GET", "/v2/").times(1).then(action));
        let desk = Desk::new();
        assert_eq!(
            desk.get(&registry.host(), "/v2/").await.expect("an answer"),
            200
        );
        assert_eq!(registry.requests().len(), 2);
        assert_eq!(
            desk.transport
                .base(&registry.host())
                .await
                .expect("a base")
                .scheme(),
            "http"
        );
    }
}

#[tokio::test]
async fn a_400_of_another_kind_comes_back_with_its_body() {
    let registry = TestRegistry::start();
    registry.rule(Rule::on("GET", "/v2/").then(Action::answer(
        400,
        &[],
        "see https://docs.example",
    )));
    let answer = Desk::new()
        .send(to(&registry, "GET", "/v2/"))
        .await
        .expect("an answer");
    assert_eq!(
        answer.bytes(100).await.expect("a body"),
        b"see https://docs.example"
    );
    assert_eq!(registry.requests().len(), 1);
}

#[tokio::test]
async fn r33_ipv6_and_localhost_names_are_reached() {
    let ipv6 = TestRegistry::with(crate::testing::test_registry::Options {
        ipv6: true,
        ..Default::default()
    });
    assert_eq!(
        Desk::new()
            .get(&ipv6.host(), "/v2/")
            .await
            .expect("an answer"),
        200
    );
    let registry = TestRegistry::start();
    let port = registry.host().replace("127.0.0.1", "registry.localhost");
    assert_eq!(
        Desk::new().get(&port, "/v2/").await.expect("an answer"),
        200
    );
}

#[tokio::test]
async fn where_neither_is_spoken_the_first_failure_is_told() {
    let parrot = Parrot::saying(&[b"garbage\r\n\r\n"]).await;
    let error = Desk::new()
        .get(&parrot.host, "/v2/")
        .await
        .expect_err("neither");
    assert!(
        told(&error).contains(&format!("`GET http://{}/v2/`", parrot.host)),
        "{}",
        told(&error)
    );
    assert_eq!(parrot.heard().len(), 10, "five tries of both");
}

/// A port where http is answered with the way to https (Harbor, nginx's `error_page 497`), and how often that was said.
async fn port_that_wants_tls(registry: &TestRegistry) -> (String, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let host = listener.local_addr().expect("bound").to_string();
    let (target, own, said) = (registry.host(), host.clone(), Arc::new(Mutex::new(0)));
    let counted = Arc::clone(&said);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            serve_tls_alone(connection, &own, (&target, &counted)).await;
        }
    });
    (host, said)
}

async fn serve_tls_alone(mut from: TcpStream, own: &str, (target, said): (&str, &Mutex<usize>)) {
    let mut first = [0];
    let _ = from.peek(&mut first).await;
    if first[0] == 0x16 {
        let mut to = TcpStream::connect(target).await.expect("there");
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut from, &mut to).await });
        return;
    }
    *said.lock().expect("test") += 1;
    let head = format!(
        "HTTP/1.1 308 Permanent Redirect\r\nLocation: https://{own}/v2/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let _ = from.read(&mut [0; 4096]).await;
    let _ = from.write_all(head.as_bytes()).await;
    let _ = from.shutdown().await;
}

#[tokio::test]
async fn a_registry_that_sends_http_to_its_own_https_is_spoken_to_in_https_from_then_on() {
    let registry = TestRegistry::https(&Authority::new());
    let (host, said) = port_that_wants_tls(&registry).await;
    let desk = Desk::with(&insecure());
    for _ in 0..2 {
        assert_eq!(desk.get(&host, "/v2/").await.expect("an answer"), 200);
    }
    assert_eq!(*said.lock().expect("test"), 1);
    let base = desk.transport.base(&host).await.expect("a base");
    assert_eq!(base.scheme(), "https");
    let seen = registry.requests();
    let secrets: Vec<Option<&str>> = seen
        .iter()
        .map(|seen| seen.header("authorization"))
        .collect();
    assert_eq!(secrets, [None, Some(TOKEN)], "the first one was for http");
}
