//! What is read of answers: no more than it may be, decoded once, and the words of errors.

use std::io::Write;

use super::*;
use crate::registry::error::Cause;
use crate::testing::test_registry::{Action, Rule};

fn answering(action: Action) -> TestRegistry {
    let registry = TestRegistry::start();
    registry.rule(Rule::on("GET", "/v2/x").then(action));
    registry
}

async fn answer(action: Action) -> (Response, TestRegistry) {
    let registry = answering(action);
    let response = Desk::new()
        .send(to(&registry, "GET", "/v2/x"))
        .await
        .expect("an answer");
    (response, registry)
}

fn endless(status: u16) -> Action {
    let headers = Vec::new();
    Action::Endless { status, headers }
}

#[tokio::test]
async fn l05_an_endless_body_is_read_up_to_its_limit() {
    let (response, _registry) = answer(endless(200)).await;
    let error = response.bytes(1 << 20).await.expect_err("endless");
    assert_eq!(error.cause, Cause::Limit);
    assert!(
        error.to_string().contains("more than 1048576 bytes"),
        "{error}"
    );
    let (response, _registry) = answer(Action::answer(200, &[], "four")).await;
    assert_eq!(response.bytes(4).await.expect("just fits"), b"four");
}

#[tokio::test]
async fn l05_an_endless_error_is_read_up_to_its_limit() {
    let (response, _registry) = answer(endless(404)).await;
    let refusal = response.refusal().await;
    assert_eq!((refusal.status, refusal.message.as_str()), (404, ""));
}

#[tokio::test]
async fn r27_a_body_that_stalls_is_given_up_and_one_that_is_short_too() {
    for action in [
        Action::StallBody(3),
        Action::TruncateBody(3),
        Action::ResetAfterResponseBytes(3),
    ] {
        let registry = TestRegistry::start();
        let digest = registry.put_blob("a", &[7; 100_000]);
        registry.rule(Rule::on("GET", "/v2/a/blobs/*").then(action));
        let request = to(&registry, "GET", &format!("/v2/a/blobs/{digest}"));
        let response = Desk::hurried().send(request).await.expect("a head");
        let error = response.bytes(1 << 20).await.expect_err("too short");
        assert_eq!(error.cause, Cause::Unreachable);
        assert!(told(&error).contains("broke off"), "{}", told(&error));
    }
}

#[tokio::test]
async fn r32_a_gzip_encoding_is_undone_and_its_length_not_told() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&[b'x'; 300_000]).expect("in memory");
    let encoded = Action::Answer {
        status: 200,
        headers: vec![("Content-Encoding".to_owned(), "gzip".to_owned())],
        body: gzip.finish().expect("in memory"),
    };
    let (response, registry) = answer(encoded).await;
    assert_eq!(response.header("content-length"), None);
    assert_eq!(
        response.bytes(300_000).await.expect("decoded"),
        [b'x'; 300_000]
    );
    let head = Desk::new()
        .send(to(&registry, "HEAD", "/v2/x"))
        .await
        .expect("an answer");
    assert_eq!(head.bytes(0).await.expect("no body"), b"");
}

#[tokio::test]
async fn r32_an_encoding_that_nobody_asked_for_is_refused() {
    let registry = answering(Action::answer(200, &[("Content-Encoding", "br")], "x"));
    let error = Desk::new()
        .send(to(&registry, "GET", "/v2/x"))
        .await
        .err()
        .expect("refused");
    assert_eq!(error.cause, Cause::Protocol);
    assert_eq!(registry.requests().len(), 1);
}

#[tokio::test]
async fn headers_of_more_than_64_kib_are_refused() {
    let long = "a".repeat(66_000);
    let registry = answering(Action::answer(200, &[("X-Long", &long)], ""));
    let error = Desk::new()
        .send(to(&registry, "GET", "/v2/x"))
        .await
        .err()
        .expect("refused");
    assert_eq!(error.cause, Cause::Protocol);
    let fine = "a".repeat(60_000);
    let (response, _registry) = answer(Action::answer(200, &[("X-Long", &fine)], "")).await;
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn h15_the_words_of_an_error_are_cut_and_codes_can_be_asked_for() {
    let long = r"\u001b]52;c;x\u0007".repeat(10_000);
    let body = format!(r#"{{"errors":[{{"code":"NAME_UNKNOWN","message":"{long}"}}]}}"#);
    let (response, _registry) = answer(Action::answer(404, &[], &body)).await;
    let refusal = response.refusal().await;
    assert!(refusal.message.len() <= 1024, "{}", refusal.message.len());
    let (response, _registry) = answer(Action::Status(404)).await;
    let refusal = response.refusal().await;
    assert!(refusal.has("NAME_UNKNOWN"));
    assert_eq!(refusal.error("asked for `x`").cause, Cause::Absent);
}

#[tokio::test]
async fn a20_a_registry_that_repeats_our_secret_does_not_make_us_show_it() {
    let (response, _registry) =
        answer(Action::answer(403, &[], &format!("you sent {TOKEN}"))).await;
    let error = response.refused("asked for `x`").await;
    let told = told(&error);
    assert!(
        told.contains("you sent Bearer ***") && !told.contains("s3cret"),
        "{told}"
    );
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_told() {
    let registry = answering(Action::answer(
        429,
        &[("RateLimit-Remaining", "0;w=21600")],
        "",
    ));
    let error = Desk::new()
        .send(to(&registry, "GET", "/v2/x"))
        .await
        .err()
        .expect("429");
    assert!(
        told(&error).contains("quota left: 0;w=21600"),
        "{}",
        told(&error)
    );
}

#[tokio::test]
async fn r36_warnings_are_said_once_in_a_run() {
    let warnings: Vec<(&str, &str)> = vec![("Warning", "299 - \"old \\\"client\\\"\""); 50];
    let registry = answering(Action::answer(200, &warnings, ""));
    let desk = Desk::new();
    for _ in 0..2 {
        desk.send(to(&registry, "GET", "/v2/x"))
            .await
            .expect("an answer");
    }
    assert_eq!(
        desk.notes.all(),
        [format!("`{}` warns: old \"client\"", registry.host())]
    );
}

/// A server that answers with a body that goes on forever, slowly.
async fn dripping() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let host = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.expect("a client");
        let _ = connection.read(&mut [0; 4096]).await;
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n";
        let mut written = connection.write_all(head).await;
        while written.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            written = connection.write_all(b"x").await;
        }
    });
    host
}

#[tokio::test]
async fn r27_a_document_that_comes_byte_by_byte_has_an_end() {
    let host = dripping().await;
    let mut desk = Desk::new();
    desk.transport.times.document = Duration::from_millis(50);
    let request = request("GET", &host, &format!("http://{host}/v2/x"));
    let response = desk.send(request).await.expect("a head");
    let error = response.bytes(1 << 20).await.expect_err("no end");
    assert_eq!(error.cause, Cause::Unreachable);
    assert!(
        told(&error).contains("not whole after 0.05 s"),
        "{}",
        told(&error)
    );
}
