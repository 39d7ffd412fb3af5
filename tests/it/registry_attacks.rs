//! What a hostile or half-broken registry may try beyond the catalogue: the program ends soon, with a code of its own, without a
//! panic, and believes nothing.

use serde_json::json;

use crate::served::{Served, served};
use crate::support::{Run, TestEnv, document};
use crate::test_registry::{Action, Rule, TestRegistry};
use crate::warm::{build, build_online, faults_of, temps};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const SESSION: &str = "*/blobs/uploads/*";

fn pulled(rules: Vec<Rule>) -> (TestEnv, Served, Run) {
    let env = TestEnv::new();
    let base = served(&env);
    rules.into_iter().for_each(|rule| base.there.rule(rule));
    let command = format!("cache warm --layers {}", base.tag());
    let run = env.rbuild(&env.path("home"), &command);
    assert_sound(&env, &run);
    (env, base, run)
}

/// It ended as it should, and nothing wrong is kept.
fn assert_sound(env: &TestEnv, run: &Run) {
    let code = run.output.status.code();
    assert!(
        matches!(code, Some(0 | 2 | 4..=8)),
        "{code:?}: {}",
        run.stderr()
    );
    assert!(!run.stderr().contains("panicked"), "{}", run.stderr());
    assert!(run.stderr().len() < 20_000, "{}", run.stderr().len());
    assert_eq!(faults_of(&env.cache().join("img")), [""; 0]);
    assert_eq!(temps(&env.path("")), [""; 0]);
}

fn on(method: &str, path: &str, action: Action) -> Vec<Rule> {
    vec![Rule::on(method, path).then(action)]
}

fn raw(text: &str) -> Action {
    Action::Raw(text.as_bytes().to_vec())
}

#[test]
fn answers_that_break_http_end_with_5_or_7_and_are_not_read_without_end() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(10_000));
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
    let wordy = format!("HTTP/1.1 200 {}\r\n\r\n", "y".repeat(1 << 20));
    let early = "HTTP/1.1 103 Early\r\nx: y\r\n\r\n".repeat(100_000);
    for text in [
        many.as_str(),
        &long,
        &wordy,
        &early,
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: xyz\r\n\r\nx",
        "HTTP/1.1 99 X\r\n\r\n",
        "HTTP/1.1 1000 X\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
        "\r\n\r\n\r\n",
        "220 mail.example ESMTP\r\n",
        "SSH-2.0-OpenSSH_9\r\n",
    ] {
        for method in ["HEAD", "GET"] {
            let (_env, _base, run) = pulled(on(method, "*", raw(text)));
            let begin: String = text.chars().take(60).collect();
            let code = run.output.status.code();
            // What an answer to HEAD says of its body is no matter: it has none.
            let is_fine = matches!(code, Some(5 | 7)) || (method == "HEAD" && code == Some(0));
            assert!(is_fine, "{begin:?}: {code:?} {}", run.stderr());
        }
    }
}

#[test]
fn descriptors_that_lie_about_sizes_end_with_5_or_8_before_anything_is_written() {
    for (size, codes) in [
        (json!(0), [5, 5]),
        (json!(u64::MAX), [8, 8]),
        (json!(9_223_372_036_854_775_807_u64), [8, 8]),
        (json!(1_u64 << 50), [8, 8]),
        (json!(-1), [5, 5]),
        (json!("95"), [5, 5]),
        (json!(null), [5, 5]),
    ] {
        for (part, code) in ["layers", "config"].into_iter().zip(codes) {
            let env = TestEnv::new();
            let base = served(&env);
            let mut manifest = document(&env.path("made"), &base.made.image);
            match part {
                "layers" => manifest["layers"][0]["size"] = size.clone(),
                _ => manifest["config"]["size"] = size.clone(),
            }
            let bytes = manifest.to_string();
            base.there
                .put_manifest("team/base", "v1", MANIFEST, bytes.as_bytes());
            let command = format!("cache warm --layers {}", base.tag());
            let run = env.rbuild(&env.path("home"), &command);
            assert_sound(&env, &run);
            let found = run.output.status.code();
            assert_eq!(found, Some(code), "{part} {size}: {}", run.stderr());
        }
    }
}

#[test]
fn a_head_and_a_get_that_disagree_end_with_what_was_verified() {
    let other = format!("sha256:{}", "1".repeat(64));
    for (headers, code) in [
        (vec![("docker-content-digest", other.as_str())], 7),
        (vec![("content-length", "7")], 0),
        (vec![("content-type", MANIFEST)], 0),
    ] {
        let (env, base, run) = pulled(on("HEAD", "*", Action::pass_with(&headers)));
        let run = run.ends_with(code);
        if code == 7 {
            run.says(&other);
            continue;
        }
        build(&env, &format!("--base {}", base.tag())).succeeds();
        build(&env, &format!("--tarball @/t.tar --base {}", base.tag())).succeeds();
    }
}

#[test]
fn an_image_that_lists_one_layer_twice_is_fetched_once_and_built_upon() {
    let env = TestEnv::new();
    let base = served(&env);
    let made = env.path("made");
    let mut config = document(&made, &base.config());
    let mut manifest = document(&made, &base.made.image);
    for list in [&mut config["rootfs"]["diff_ids"], &mut manifest["layers"]] {
        let first = list[0].clone();
        *list = json!([first, first, first]);
    }
    let bytes = config.to_string();
    manifest["config"]["digest"] = json!(base.there.put_blob("team/base", bytes.as_bytes()));
    manifest["config"]["size"] = json!(bytes.len());
    let bytes = manifest.to_string();
    base.there
        .put_manifest("team/base", "v1", MANIFEST, bytes.as_bytes());
    let arguments = format!(
        "--tarball @/t.tar --oci-archive @/a.tar --base {}",
        base.tag()
    );
    build_online(&env, &arguments).succeeds();
    let layer = format!("*/blobs/{}", base.made.layer);
    assert_eq!(base.there.count("GET", &layer), 1);
}

/// A push of a world's image to a registry with these rules.
fn pushed(env: &TestEnv, rules: Vec<Rule>) -> (TestRegistry, Run) {
    let registry = TestRegistry::start();
    rules.into_iter().for_each(|rule| registry.rule(rule));
    let to = format!("push hello {}/team/app:v1", registry.host());
    let run = env.rbuild(&env.path("home"), &to);
    assert_sound(env, &run);
    (registry, run)
}

fn world() -> TestEnv {
    let env = TestEnv::new();
    build(&env, "").succeeds();
    env
}

#[test]
fn answers_that_come_before_a_body_was_sent_end_the_push_or_begin_it_anew() {
    let env = world();
    for (status, code) in [
        (201, 7),
        (202, 7),
        (200, 7),
        (401, 6),
        (403, 6),
        (413, 8),
        (503, 7),
        (307, 7),
        (418, 7),
    ] {
        let early = Action::AnswerEarly {
            status,
            headers: Vec::new(),
            body: b"early".to_vec(),
        };
        let (registry, run) = pushed(&env, on("PUT", SESSION, early));
        assert_eq!(
            run.output.status.code(),
            Some(code),
            "{status}: {}",
            run.stderr()
        );
        assert_eq!(registry.tags("team/app"), [""; 0], "{status}");
    }
}

#[test]
fn every_status_that_there_is_ends_a_push_with_a_code_of_its_own() {
    let env = world();
    let statuses = [
        200, 204, 205, 206, 226, 299, 300, 304, 305, 399, 400, 402, 409, 410, 416, 421, 426, 451,
        499, 501, 505, 511, 599, 600, 999,
    ];
    for (method, path) in [
        ("HEAD", "*"),
        ("POST", SESSION),
        ("PUT", SESSION),
        ("PUT", "*/manifests/*"),
    ] {
        for status in statuses {
            let answer = Action::answer(status, &[], "");
            let (registry, run) = pushed(&env, on(method, path, answer));
            let is_there = registry.tags("team/app") == ["v1"];
            let is_good = run.output.status.success();
            assert!(
                !is_good || is_there || method == "PUT",
                "{method} {path} {status}"
            );
        }
    }
}

#[test]
fn a_session_on_another_host_is_not_deleted_there() {
    let env = world();
    let other = TestRegistry::start();
    other.rule(Rule::on("PUT", "*").then(Action::Status(403)));
    let place = format!("{}/intranet/thing", other.origin());
    let action = Action::change(move |answer| answer.set("location", place.as_str()));
    let (_registry, run) = pushed(&env, on("POST", SESSION, action));
    run.ends_with(6);
    assert_eq!(other.count("DELETE", "*"), 0);
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }
}

/// An answer as the registry would give it, spoilt in a few places.
fn spoilt(dice: &mut Dice, good: &[u8]) -> Action {
    const BITS: [&[u8]; 12] = [
        b"\r\n",
        b"\n",
        b"\0",
        b"\"",
        b"{",
        b"}}",
        b"-1",
        b"9999999999999999999",
        b"sha256:",
        b"\xff",
        b"\x1b[2J",
        b"null",
    ];
    let mut bytes = good.to_vec();
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(bytes.len().max(1));
        match dice.roll(4) {
            0 => bytes.truncate(at),
            1 => bytes[at] ^= 1 << dice.roll(8),
            _ => drop(bytes.splice(at..at, BITS[dice.roll(BITS.len())].iter().copied())),
        }
        if bytes.is_empty() {
            break;
        }
    }
    Action::Raw(bytes)
}

#[test]
fn h23_spoilt_answers_to_any_request_end_a_pull_or_a_push_without_a_panic() {
    let mut dice = Dice(42);
    let world = world();
    for round in 0..80 {
        let env = TestEnv::new();
        let base = served(&env);
        let name = if round % 2 == 0 {
            &base.made.index
        } else {
            &base.made.image
        };
        let body = document(&env.path("made"), name).to_string();
        let kind = if round % 2 == 0 { "index" } else { "manifest" };
        let good = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.{kind}.v1+json\r\nDocker-Content-Digest: {name}\r\nContent-Length: {}\r\nWarning: 299 - \"x\"\r\n\r\n{body}",
            body.len()
        );
        let path = format!("*/{name}");
        base.there
            .rule(Rule::on("GET", &path).then(spoilt(&mut dice, good.as_bytes())));
        let command = format!("cache warm {}", base.tag());
        let run = env.rbuild(&env.path("home"), &command);
        assert_sound(&env, &run);
        let good = "HTTP/1.1 202 Accepted\r\nLocation: /v2/team/app/blobs/uploads/x?a=b\r\nRetry-After: 1\r\nWWW-Authenticate: Bearer realm=\"/t\",service=\"s\"\r\nContent-Length: 0\r\n\r\n";
        let rule = Rule::on("POST", SESSION).then(spoilt(&mut dice, good.as_bytes()));
        pushed(&world, vec![rule]);
    }
}
