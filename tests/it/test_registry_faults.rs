//! The test registry can go wrong in every way that a rule names, and only there.

use std::io::ErrorKind;

use crate::talk::{Talk, ask};
use crate::test_registry::{Action, Rule, TestRegistry};

const BLOB: &[u8] = b"0123456789";

/// A registry with one blob in `a`, and the request for it.
fn with_blob() -> (TestRegistry, String) {
    let registry = TestRegistry::start();
    let digest = registry.put_blob("a", BLOB);
    (registry, format!("GET /v2/a/blobs/{digest}"))
}

/// A registry with an upload begun in `a`, and the line of the PUT that would end it with [`BLOB`].
fn with_upload() -> (TestRegistry, String) {
    let registry = TestRegistry::start();
    let begun = ask(&registry.host(), "POST /v2/a/blobs/uploads/");
    let digest = format!("sha256:{}", crate::support::hex(BLOB));
    let line = format!("PUT {}&digest={digest}", begun.location());
    (registry, line)
}

#[test]
fn a_rule_acts_on_the_requests_it_counts_and_on_no_others() {
    let registry = TestRegistry::start();
    let rule = Rule::on("GET", "/v2/*/tags/list").nth(2).times(2);
    registry.rule(rule.then(Action::Status(503)));
    registry.put_blob("a/b", BLOB);
    let mut talk = Talk::to(&registry.host());
    let mut status = |line: &str| talk.ask(line, &[], b"").status;
    let statuses = [1, 2, 3, 4].map(|_| status("GET /v2/a/b/tags/list?n=5"));
    assert_eq!(statuses, [200, 503, 503, 200]);
    assert_eq!(status("HEAD /v2/a/b/tags/list"), 200);
    assert_eq!(status("GET /v2/"), 200);
}

#[test]
fn of_two_rules_the_first_acts_until_it_is_used_up() {
    let registry = TestRegistry::start();
    registry.rule(Rule::on("GET", "/v2/").times(1).then(Action::Status(500)));
    registry.rule(Rule::on("*", "*").then(Action::Status(429)));
    let mut talk = Talk::to(&registry.host());
    let statuses = [1, 2].map(|_| talk.ask("GET /v2/", &[], b"").status);
    assert_eq!(statuses, [500, 429]);
}

#[test]
fn a_rule_may_ask_for_a_query_and_a_header() {
    let registry = TestRegistry::start();
    let rule = Rule::on("GET", "/v2/").query("*x=1*");
    registry.rule(rule.header("Range", "bytes=*").then(Action::Status(416)));
    let mut talk = Talk::to(&registry.host());
    let range = [("range", "bytes=0-")];
    assert_eq!(talk.ask("GET /v2/?a&x=1", &range, b"").status, 416);
    assert_eq!(talk.ask("GET /v2/?a&x=1", &[], b"").status, 200);
    assert_eq!(talk.ask("GET /v2/?x=2", &range, b"").status, 200);
}

#[test]
fn every_request_is_written_down_with_headers_and_status() {
    let registry = TestRegistry::start();
    let mut talk = Talk::to(&registry.host());
    talk.ask("GET /v2/?a=%2B", &[("X-Who", "me")], b"");
    talk.ask("PUT /v2/a/manifests/v1", &[], b"no JSON");
    let seen = registry.requests();
    assert_eq!(seen.len(), 2);
    assert_eq!(
        (seen[0].line().as_str(), seen[0].query.as_str()),
        ("GET /v2/", "a=%2B")
    );
    assert_eq!(seen[0].header("x-who"), Some("me"));
    assert_eq!((seen[1].status, seen[1].body_length), (400, 7));
    assert_eq!(seen[1].body, b"no JSON");
    assert_eq!(registry.count("PUT", "/v2/*"), 1);
    registry.forget_requests();
    assert_eq!(registry.requests().len(), 0);
}

#[test]
#[should_panic(expected = "no rule answers `GET /v2/a/tags/list?n=1`")]
fn a_scripted_registry_fails_the_test_at_a_request_without_a_rule() {
    let registry = TestRegistry::scripted();
    registry.rule(Rule::on("GET", "/v2/").then(Action::answer(200, &[], "{}")));
    assert_eq!(ask(&registry.host(), "GET /v2/").status, 200);
    assert_eq!(ask(&registry.host(), "GET /v2/a/tags/list?n=1").status, 400);
}

#[test]
fn an_answer_by_hand_may_lie_about_its_length() {
    let registry = TestRegistry::start();
    let lie = Action::answer(200, &[("Content-Length", "4"), ("X-A", "b")], "1234567");
    registry.rule(Rule::on("GET", "/v2/").then(lie));
    let reply = ask(&registry.host(), "GET /v2/");
    assert_eq!(
        (reply.header("x-a"), reply.text().as_str()),
        (Some("b"), "1234")
    );
}

#[test]
fn a_good_answer_can_be_changed() {
    let (registry, get) = with_blob();
    let rule = |action| Rule::on("GET", "*").times(1).then(action);
    registry.rule(rule(Action::pass_with(&[
        ("docker-content-digest", "x"),
        ("Connection", "close"),
    ])));
    registry.rule(rule(Action::change(|answer| answer.set_body(b"other"))));
    let mut talk = Talk::to(&registry.host());
    let reply = talk.ask(&get, &[], b"");
    assert_eq!(
        (reply.header("docker-content-digest"), reply.body.as_slice()),
        (Some("x"), BLOB)
    );
    assert_eq!(talk.rest(), (vec![], None));
    assert_eq!(ask(&registry.host(), &get).text(), "other");
}

#[test]
fn one_header_may_come_several_times() {
    let registry = TestRegistry::start();
    let warnings = [("Warning", "299 - \"a\""), ("Warning", "299 - \"b\"")];
    registry.rule(Rule::on("GET", "*").then(Action::pass_with(&warnings)));
    let reply = ask(&registry.host(), "GET /v2/");
    let said = reply.headers.iter().filter(|(name, _)| name == "Warning");
    assert_eq!(said.count(), 2);
}

#[test]
fn a_body_can_be_cut_off_in_order() {
    let (registry, get) = with_blob();
    registry.rule(Rule::on("GET", "*").then(Action::TruncateBody(4)));
    let mut talk = Talk::to(&registry.host());
    talk.send(&get, &[], b"").expect("sent");
    assert_eq!(
        talk.head().expect("a head").header("content-length"),
        Some("10")
    );
    assert_eq!(talk.rest(), (b"0123".to_vec(), None));
}

#[test]
fn a_body_can_be_torn_off() {
    let (registry, get) = with_blob();
    registry.rule(Rule::on("GET", "*").then(Action::ResetAfterResponseBytes(4)));
    let mut talk = Talk::to(&registry.host());
    talk.send(&get, &[], b"").expect("sent");
    let torn = match talk.head() {
        Ok(_) => talk.rest().1,
        Err(error) => Some(error.kind()),
    };
    assert_eq!(torn, Some(ErrorKind::ConnectionReset));
}

#[test]
fn a_body_can_stop_without_an_end() {
    let (registry, get) = with_blob();
    registry.rule(Rule::on("GET", "*").then(Action::StallBody(3)));
    let mut talk = Talk::to(&registry.host());
    talk.send(&get, &[], b"").expect("sent");
    talk.head().expect("a head");
    let mut came = [0; 3];
    talk.read_exact(&mut came).expect("the beginning");
    // It ends with the registry, and with nothing more.
    drop(registry);
    assert_eq!((&came, talk.rest().0), (b"012", vec![]));
}

#[test]
fn a_request_can_be_torn_at_every_byte_and_the_upload_keeps_what_came() {
    for most in [0, 1, 5, 9, 10] {
        let (registry, put) = with_upload();
        let rule = Rule::on("PUT", "/v2/a/blobs/uploads/*").times(1);
        registry.rule(rule.then(Action::ResetAfterRequestBytes(most)));
        let mut talk = Talk::to(&registry.host());
        let sent = talk.send(&put, &[], BLOB);
        let torn = sent.and_then(|()| talk.head().map(|_| ()));
        let kind = torn.expect_err("torn").kind();
        let is_torn = matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
        assert!(is_torn, "after {most}: {kind}");
        assert_eq!(registry.requests()[1].body_length, most);
        let again = Talk::to(&registry.host()).ask(&put, &[], BLOB);
        // The same session again is refused, unless nothing had come.
        assert_eq!(
            again.status,
            if most == 0 { 201 } else { 404 },
            "{}",
            again.text()
        );
        assert_eq!(registry.open_uploads(), usize::from(most != 0));
    }
}

#[test]
fn a_request_can_be_read_and_left_without_an_answer() {
    let (registry, put) = with_upload();
    registry.rule(
        Rule::on("PUT", "*")
            .times(1)
            .then(Action::CloseWithoutAnswer),
    );
    registry.rule(Rule::on("PUT", "*").times(1).then(Action::PassThenClose));
    let digest = format!("sha256:{}", crate::support::hex(BLOB));
    for is_there in [false, true] {
        let mut talk = Talk::to(&registry.host());
        talk.send(&put, &[], BLOB).expect("sent");
        assert_eq!(talk.rest(), (vec![], None));
        assert_eq!(registry.blob("a", &digest).is_some(), is_there);
    }
}

#[test]
fn bytes_that_are_no_answer_can_be_sent() {
    let registry = TestRegistry::start();
    let raw = b"HTTP/1.1 429 Too Many\nRetry-After: 0\n\n".to_vec();
    registry.rule(Rule::on("GET", "*").then(Action::Raw(raw.clone())));
    let mut talk = Talk::to(&registry.host());
    talk.send("GET /v2/", &[], b"").expect("sent");
    assert_eq!(talk.rest(), (raw, None));
}

#[test]
fn a_body_without_end_comes_until_the_client_goes() {
    let (registry, get) = with_blob();
    let endless = Action::Endless {
        status: 200,
        headers: vec![],
    };
    registry.rule(Rule::on("GET", "*").then(endless));
    let mut talk = Talk::to(&registry.host());
    talk.send(&get, &[], b"").expect("sent");
    assert_eq!(
        talk.head().expect("a head").header("transfer-encoding"),
        Some("chunked")
    );
    let mut piece = vec![0; 8 * 1024 * 1024];
    talk.read_exact(&mut piece).expect("more than any limit");
}

#[test]
fn an_answer_may_come_before_the_body() {
    let (registry, put) = with_upload();
    let early = Action::AnswerEarly {
        status: 413,
        headers: vec![],
        body: b"too large".to_vec(),
    };
    registry.rule(Rule::on("PUT", "*").times(1).then(early));
    let mut talk = Talk::to(&registry.host());
    talk.write(format!("{put} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n").as_bytes())
        .expect("sent");
    assert_eq!(talk.reply(false).expect("before the body").status, 413);
    talk.write(BLOB).expect("the body is still taken");
    assert_eq!(talk.ask(&put, &[], BLOB).status, 201);
}

#[test]
fn a_delay_waits_before_the_body_and_ends_with_the_registry() {
    let registry = TestRegistry::start();
    let never = Action::Delay(3_600_000, Box::new(Action::Pass));
    registry.rule(Rule::on("GET", "/v2/").times(1).then(never));
    let soon = Action::Delay(1, Box::new(Action::Status(503)));
    registry.rule(Rule::on("GET", "/v2/").then(soon));
    let mut waiting = Talk::to(&registry.host());
    waiting.send("GET /v2/", &[], b"").expect("sent");
    while registry.requests().is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(ask(&registry.host(), "GET /v2/").status, 503);
    assert_eq!(registry.requests()[0].status, 0);
    drop(registry);
    assert!(waiting.head().is_err());
}
