//! What is tried again, how often, and what is not.

use bytes::Bytes;
use futures_util::stream;

use super::*;
use crate::registry::error::Cause;
use crate::testing::test_registry::{Action, Authority, Rule};

fn failing(times: usize, action: Action) -> TestRegistry {
    let registry = TestRegistry::start();
    registry.rule(Rule::on("*", "/v2/*").times(times).then(action));
    registry
}

fn stream_of(chunks: Vec<Result<Bytes, Error>>) -> reqwest::Body {
    reqwest::Body::wrap_stream(stream::iter(chunks))
}

/// How many tries are left.
async fn left(patience: &mut Patience) -> usize {
    let mut left = 1;
    while patience
        .pause(Error::new(Cause::Unreachable, "no"), None)
        .await
        .is_ok()
    {
        left += 1;
    }
    left
}

#[tokio::test]
async fn r01_503_twice_then_good_is_three_requests_of_any_method() {
    for method in ["GET", "HEAD", "POST", "DELETE"] {
        let registry = failing(2, Action::Status(503));
        let answer = Desk::new()
            .send(to(&registry, method, "/v2/"))
            .await
            .expect("an answer");
        assert!(![503].contains(&answer.status()), "{method}");
        assert_eq!(registry.count(method, "/v2/"), 3);
    }
}

#[tokio::test]
async fn r01_bytes_are_sent_again_with_each_try() {
    let registry = failing(2, Action::Status(503));
    let mut request = to(&registry, "PUT", "/v2/a/manifests/b");
    request.payload = Payload::Bytes(Bytes::from(vec![b'x'; 200_000]));
    Desk::new().send(request).await.expect("an answer");
    let seen = registry.requests();
    let lengths: Vec<u64> = seen.iter().map(|seen| seen.body_length).collect();
    assert_eq!(lengths, [200_000; 3]);
    assert_eq!(seen[0].header("content-length"), Some("200000"));
}

#[tokio::test]
async fn r01_each_passing_status_is_tried_again_and_no_other() {
    for status in [408, 425, 429, 499, 500, 502, 503, 504, 522] {
        let registry = failing(1, Action::Status(status));
        let desk = Desk::new();
        assert_eq!(
            desk.get(&registry.host(), "/v2/").await.expect("mended"),
            200
        );
    }
    for status in [400, 401, 403, 404, 405, 409, 413, 416, 501, 505, 599] {
        let registry = failing(1, Action::Status(status));
        let answered = Desk::new().get(&registry.host(), "/v2/").await;
        assert_eq!(answered.expect("an answer"), status);
        assert_eq!(registry.requests().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn r03_what_the_registry_asks_for_counts_against_the_two_minutes() {
    let seconds = [("Retry-After", "50")];
    let date = [
        ("Retry-After", "Sun, 06 Nov 1994 08:50:27 GMT"),
        ("Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ];
    for headers in [&seconds[..], &date[..]] {
        let registry = failing(99, Action::answer(429, headers, ""));
        let error = Desk::new()
            .get(&registry.host(), "/v2/")
            .await
            .expect_err("no end");
        assert_eq!(error.cause, Cause::Status(429));
        assert_eq!(
            registry.requests().len(),
            3,
            "two waits of 50 s fit into 120 s"
        );
    }
}

#[tokio::test]
async fn r03_nonsense_and_what_lies_in_the_past_is_ignored() {
    for nonsense in ["-1", "abc", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        let headers = [
            ("Retry-After", nonsense),
            ("Date", "Sun, 06 Nov 1994 08:49:38 GMT"),
        ];
        let registry = failing(99, Action::answer(503, &headers, ""));
        Desk::new()
            .get(&registry.host(), "/v2/")
            .await
            .expect_err("no end");
        assert_eq!(registry.requests().len(), 5, "{nonsense}");
    }
}

#[tokio::test]
async fn r04_500_forever_ends_after_five_tries_with_the_last_words() {
    let body = r#"{"errors":[{"code":"UNKNOWN","message":"disk full"}]}"#;
    let registry = failing(99, Action::answer(500, &[], body));
    let error = Desk::new()
        .get(&registry.host(), "/v2/a?sig=s3")
        .await
        .expect_err("no end");
    assert_eq!(error.cause, Cause::Status(500));
    let told = told(&error);
    assert!(
        told.contains("500 Internal Server Error") && told.contains("UNKNOWN: disk full"),
        "{told}"
    );
    assert!(
        told.contains(&format!("`GET {}/v2/a`", registry.origin())) && !told.contains("s3"),
        "{told}"
    );
    assert_eq!(registry.requests().len(), 5);
}

#[tokio::test]
async fn r05_a_malformed_answer_is_tried_again() {
    for malformed in [
        &b"HTTP/1.1 429 Too Many Requests\nServer: x\nContent-Length: 0\n\n"[..],
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\n",
        b"\x00\x01\x02 garbage\r\n\r\n",
        b"",
    ] {
        let registry = TestRegistry::start();
        registry.rule(
            Rule::on("GET", "/v2/")
                .nth(2)
                .times(1)
                .then(Action::Raw(malformed.to_vec())),
        );
        let desk = Desk::new();
        for _ in 0..2 {
            assert_eq!(
                desk.get(&registry.host(), "/v2/").await.expect("mended"),
                200
            );
        }
        assert_eq!(registry.requests().len(), 3, "{malformed:?}");
    }
}

#[tokio::test]
async fn r26_connections_that_end_after_each_answer_are_no_trouble() {
    let answers: [&[u8]; 3] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\n\r\nok",
    ];
    for answer in answers {
        let parrot = Parrot::saying(&[answer]).await;
        let desk = Desk::new();
        for _ in 0..3 {
            let request = request("GET", &parrot.host, &format!("http://{}/v2/", parrot.host));
            let response = desk.send(request).await.expect("an answer");
            assert_eq!(response.bytes(10).await.expect("a body"), b"ok");
        }
        assert_eq!(parrot.heard().len(), 3);
    }
}

#[tokio::test]
async fn a_closed_port_and_a_name_without_address_are_tried_twice() {
    let port = closed_port().await;
    for (registry, url, why) in [
        (
            port.as_str(),
            format!("http://{port}/v2/"),
            "connection refused",
        ),
        (
            "nobody.invalid",
            "https://nobody.invalid/v2/".to_owned(),
            "there is no address for `nobody.invalid`",
        ),
    ] {
        let mut patience = Patience::hasty();
        let sent = Desk::new()
            .transport
            .send(request("GET", registry, &url), &mut patience)
            .await;
        let error = sent.err().expect("nobody answers");
        assert_eq!(error.cause, Cause::Unreachable);
        assert!(told(&error).contains(why), "{}", told(&error));
        assert!(told(&error).contains(&format!("cannot get an answer from `{registry}`")));
        assert_eq!(left(&mut patience).await, 4, "one pause was taken");
    }
}

#[tokio::test]
async fn a_stream_is_sent_once_and_every_status_comes_back() {
    let registry = failing(99, Action::answer(503, &[("Retry-After", "7")], ""));
    let mut request = to(&registry, "PUT", "/v2/a/blobs/uploads/1");
    request.payload = Payload::Stream(3, stream_of(vec![Ok(Bytes::from_static(b"abc"))]));
    let answer = Desk::new().send(request).await.expect("an answer");
    assert!(answer.is_worth_another_try());
    assert_eq!(answer.retry_after(), Some(Duration::from_secs(7)));
    let seen = registry.requests();
    assert_eq!((seen.len(), seen[0].body_length), (1, 3));
    assert_eq!(seen[0].header("content-length"), Some("3"));
}

#[tokio::test]
async fn r06_a_stream_that_is_torn_comes_back_as_unreachable_after_one_try() {
    let registry = failing(99, Action::ResetAfterRequestBytes(10));
    let mut request = to(&registry, "PUT", "/v2/a/blobs/uploads/1");
    let chunks = (0..64)
        .map(|_| Ok(Bytes::from(vec![0; 64 * 1024])))
        .collect();
    request.payload = Payload::Stream(4 << 20, stream_of(chunks));
    let error = Desk::new().send(request).await.err().expect("torn");
    assert_eq!(error.cause, Cause::Unreachable);
    assert_eq!(registry.requests().len(), 1);
}

#[tokio::test]
async fn the_error_of_a_stream_comes_back_as_it_was() {
    let registry = TestRegistry::start();
    let mut request = to(&registry, "PUT", "/v2/a/blobs/uploads/1");
    let chunks = vec![
        Ok(Bytes::from_static(b"abc")),
        Err(Error::new(Cause::Integrity, "altered")),
    ];
    request.payload = Payload::Stream(6, stream_of(chunks));
    let error = Desk::new().send(request).await.err().expect("an error");
    assert_eq!(
        (error.cause, error.to_string()),
        (Cause::Integrity, "altered".to_owned())
    );
}

#[tokio::test]
async fn r27_a_registry_that_never_answers_is_given_up() {
    let registry = failing(99, Action::Delay(600_000, Box::new(Action::Pass)));
    let error = Desk::hurried()
        .get(&registry.host(), "/v2/")
        .await
        .expect_err("silence");
    assert_eq!(error.cause, Cause::Unreachable);
    assert!(
        told(&error).contains("no answer within 0.04 s"),
        "{}",
        told(&error)
    );
    assert_eq!(registry.requests().len(), 5);
}

#[tokio::test]
async fn r27_s06_an_upload_that_stalls_is_given_up() {
    let registry = failing(99, Action::Delay(600_000, Box::new(Action::Pass)));
    let mut request = to(&registry, "PUT", "/v2/a/blobs/uploads/1");
    let endless = stream::repeat_with(|| Ok::<_, Error>(Bytes::from_static(&[0; 1 << 16])));
    request.payload = Payload::Stream(1 << 40, reqwest::Body::wrap_stream(endless));
    let error = Desk::hurried().send(request).await.err().expect("stalled");
    assert_eq!(error.cause, Cause::Unreachable);
}

#[tokio::test]
async fn a_request_says_who_we_are_and_wants_nothing_encoded() {
    let registry = TestRegistry::start();
    let _ = Desk::new()
        .send(to(&registry, "POST", "/v2/a/blobs/uploads/"))
        .await;
    let seen = &registry.requests()[0];
    assert_eq!(
        seen.header("user-agent"),
        Some(concat!("rbuild/", env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    assert_eq!(seen.header("content-length"), Some("0"));
    assert_eq!(seen.header("authorization"), Some(TOKEN));
}

#[tokio::test]
async fn s07_a_wait_that_the_registry_asked_for_ends_at_once_when_we_are_to_stop() {
    let registry = failing(99, Action::answer(429, &[("Retry-After", "60")], ""));
    let desk = Desk::new();
    let mut patience = Patience::in_earnest();
    let stopped = async {
        while registry.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Error::new(Cause::Stopped, "stopped by signal 2")
    };
    let conversation = desk
        .transport
        .send(to(&registry, "GET", "/v2/"), &mut patience);
    let ended = crate::registry::until(stopped, conversation).await;
    assert_eq!(ended.err().expect("stopped").cause, Cause::Stopped);
    assert_eq!(registry.requests().len(), 1);
}

#[tokio::test]
async fn a_body_of_nothing_says_its_length_once() {
    for method in ["POST", "PUT", "PATCH"] {
        for payload in [
            Payload::Nothing,
            Payload::Bytes(Bytes::new()),
            Payload::Stream(0, reqwest::Body::from("")),
            Payload::Stream(0, stream_of(Vec::new())),
        ] {
            let registry = TestRegistry::start();
            let mut request = to(&registry, method, "/v2/a/blobs/uploads/1");
            request.headers.insert("content-length", 0.into());
            request.payload = payload;
            Desk::new().send(request).await.expect("an answer");
            let seen = &registry.requests()[0];
            let lengths = seen.headers.iter();
            let lengths: Vec<&str> = lengths
                .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map(|(_, value)| value.as_str())
                .collect();
            assert_eq!(lengths, ["0"], "{method}");
        }
    }
}

#[tokio::test]
async fn what_ends_a_stream_for_good_is_not_taken_for_a_lost_connection() {
    let registry = TestRegistry::https(&Authority::new());
    let (desk, _home) = tls::trusting(&registry.host(), &Authority::new());
    let mut request = to(&registry, "PUT", "/v2/a/blobs/uploads/1");
    request.payload = Payload::Stream(3, reqwest::Body::from("abc"));
    let error = desk.send(request).await.err().expect("not trusted");
    assert_eq!(error.cause, Cause::Protocol, "{}", told(&error));
    assert!(
        told(&error).contains("not trusted here"),
        "{}",
        told(&error)
    );
}
