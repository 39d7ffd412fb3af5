//! A push to a registry that fails or lies: what is there afterwards, what is said, and the code that the program ends with.
//!
//! The rows of the fault catalogue that speak of exit codes; what happens on the wire is told by the unit tests of `registry`.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::served::{asked, served};
use crate::support::{Run, TestEnv, run};
use crate::test_registry::{Action, Options, Rule, TestRegistry};
use crate::warm::{build, build_online, temps, wait_until};

const SESSION: &str = "*/blobs/uploads/*";
const MANIFEST: &str = "*/manifests/*";

/// A world that holds an image, to be pushed again and again.
fn world() -> TestEnv {
    let env = TestEnv::new();
    build(&env, "").succeeds();
    env
}

/// `rbuild push` of that image to `team/app:v1` of a registry.
fn push(env: &TestEnv, to: &TestRegistry, options: &str) -> Run {
    let command = format!("push hello {}/team/app:v1{options}", to.host());
    env.rbuild(&env.path("home"), &command)
}

/// A push to a registry with these rules.
fn pushed(env: &TestEnv, rules: Vec<Rule>) -> (TestRegistry, Run) {
    let registry = TestRegistry::start();
    rules.into_iter().for_each(|rule| registry.rule(rule));
    let run = push(env, &registry, "");
    (registry, run)
}

fn on(method: &str, path: &str, action: Action) -> Vec<Rule> {
    vec![Rule::on(method, path).then(action)]
}

/// Every blob below what the tag means is there.
fn assert_whole(registry: &TestRegistry, tag: &str) {
    let bytes = registry.manifest("team/app", tag).expect("there");
    let manifest: Value = serde_json::from_slice(&bytes).expect("JSON");
    let layers = manifest["layers"].as_array().expect("layers").iter();
    for blob in layers.chain([&manifest["config"]]) {
        let digest = blob["digest"].as_str().expect("a digest");
        let found = registry.blob("team/app", digest).expect(digest);
        assert_eq!(crate::support::hex(&found), digest[7..]);
    }
}

fn error(code: &str) -> String {
    json!({"errors": [{"code": code, "message": "so the registry says"}]}).to_string()
}

#[test]
fn r01_each_request_of_a_push_is_tried_again() {
    let env = world();
    for (method, path) in [
        ("HEAD", MANIFEST),
        ("POST", SESSION),
        ("PUT", SESSION),
        ("PUT", MANIFEST),
    ] {
        for action in [
            Action::Status(503),
            Action::Raw(b"HTTP/1.1 429 X\n\n".to_vec()),
        ] {
            let rules = vec![Rule::on(method, path).times(2).then(action)];
            let (registry, run) = pushed(&env, rules);
            run.succeeds();
            assert_whole(&registry, "v1");
            assert_eq!(registry.open_uploads(), 0, "{method} {path}");
        }
    }
}

#[test]
fn r04_a_registry_that_takes_no_body_ends_with_7_and_nothing_is_begun_or_named() {
    let env = world();
    let (registry, run) = pushed(&env, on("PUT", SESSION, Action::Status(500)));
    run.ends_with(7)
        .says("500 Internal Server Error")
        .says(&format!("{}/team/app", registry.host()));
    assert_eq!(registry.tags("team/app"), [""; 0]);
}

#[test]
fn r06_r07_r08_bodies_that_are_lost_on_the_way_arrive_once_in_the_end() {
    let env = world();
    for action in [
        Action::ResetAfterRequestBytes(0),
        Action::ResetAfterRequestBytes(50_000),
        Action::CloseWithoutAnswer,
        Action::PassThenClose,
        Action::Status(504),
    ] {
        let rules = vec![Rule::on("PUT", SESSION).times(3).then(action)];
        let (registry, run) = pushed(&env, rules);
        run.succeeds();
        assert_whole(&registry, "v1");
        let puts = registry.requests().into_iter();
        let puts: Vec<String> = puts
            .filter(|seen| seen.method == "PUT" && seen.path.contains("/uploads/"))
            .map(|seen| seen.path)
            .collect();
        let sessions: BTreeSet<&String> = puts.iter().collect();
        assert_eq!(sessions.len(), puts.len(), "a session saw two bodies");
    }
}

#[test]
fn r10_an_upload_without_a_place_to_go_ends_with_7() {
    let env = world();
    let long = format!("/{}", "x".repeat(9_000));
    for place in [
        "",
        "javascript:alert(1)",
        "http://[",
        "ftp://127.0.0.1/u",
        &long,
    ] {
        let place = place.to_owned();
        let action = Action::change(move |answer| match place.as_str() {
            "" => answer.remove("location"),
            place => answer.set("location", place),
        });
        let (registry, run) = pushed(&env, on("POST", SESSION, action));
        run.ends_with(7).says(&registry.host());
        assert_eq!(registry.count("PUT", "*"), 0);
    }
}

#[test]
fn r20_what_a_registry_misses_after_all_is_sent_once_more_and_if_it_always_does_the_end_is_7() {
    let env = world();
    let misses = Action::answer(404, &[], &error("MANIFEST_BLOB_UNKNOWN"));
    let once = vec![Rule::on("PUT", MANIFEST).times(1).then(misses.clone())];
    let (registry, run) = pushed(&env, once);
    run.succeeds().says("misses parts of the image");
    assert_whole(&registry, "v1");
    let (registry, run) = pushed(&env, on("PUT", MANIFEST, misses));
    run.ends_with(7).says("so the registry says");
    assert_eq!(registry.tags("team/app"), [""; 0]);
}

#[test]
fn r20_a_body_in_doubt_that_a_head_claims_to_be_there_is_sent_again_when_it_is_missed() {
    let env = world();
    let rules = vec![
        Rule::on("PUT", SESSION)
            .times(1)
            .then(Action::CloseWithoutAnswer),
        Rule::on("HEAD", "*/blobs/sha256:*").then(Action::answer(200, &[], "")),
    ];
    let (registry, run) = pushed(&env, rules);
    run.succeeds();
    assert_whole(&registry, "v1");
}

#[test]
fn r21_a_registry_that_altered_the_manifest_ends_with_5() {
    let env = world();
    let other = format!("sha256:{}", "1".repeat(64));
    let action = Action::pass_with(&[("docker-content-digest", &other)]);
    let (_registry, run) = pushed(&env, on("PUT", MANIFEST, action));
    run.ends_with(5).says("altered the manifest").says(&other);
}

#[test]
fn r22_a_manifest_that_is_too_large_for_the_registry_ends_with_8() {
    let env = world();
    for action in [
        Action::Status(413),
        Action::answer(400, &[], &error("SIZE_INVALID")),
    ] {
        let (registry, run) = pushed(&env, on("PUT", MANIFEST, action));
        run.ends_with(8).says("bytes").says("layers");
        assert_eq!(registry.count("PUT", MANIFEST), 1);
    }
}

#[test]
fn r23_r24_r25_a_registry_that_wants_chunks_gets_one_and_one_that_takes_none_ends_with_7() {
    let env = world();
    let large = |method: &str| Rule::on(method, SESSION).header("content-length", "1*");
    let rules = vec![large("PUT").then(Action::Status(405))];
    let (registry, run) = pushed(&env, rules);
    run.succeeds();
    assert_whole(&registry, "v1");
    let rules = vec![large("P*").then(Action::Status(405))];
    pushed(&env, rules).1.ends_with(7).says("405");
    let chunks = TestRegistry::with(Options {
        least_chunk: Some(4 << 20),
        ..Options::default()
    });
    push(&env, &chunks, "").succeeds();
    assert_eq!(chunks.count("PATCH", "*"), 0);
}

#[test]
fn r29_a_tag_that_cannot_be_put_ends_with_7_and_the_next_run_sends_no_byte() {
    let env = world();
    let (registry, run) = pushed(&env, on("PUT", MANIFEST, Action::Status(500)));
    let digest = build(&env, "").succeeds().digest();
    run.ends_with(7)
        .says(&format!("all blobs of {digest} are in"))
        .says("not put there: v1")
        .says("run the same again");
    let again = TestRegistry::with(Options {
        contents: Some(registry.contents()),
        ..Options::default()
    });
    push(&env, &again, "").succeeds().says("there already 5");
    assert_eq!(again.count("PUT", SESSION), 0);
    assert_whole(&again, "v1");
}

#[test]
fn r30_of_two_tags_the_one_that_is_there_is_told_and_the_end_is_7() {
    let env = world();
    let registry = TestRegistry::start();
    let second = Rule::on("PUT", "/v2/team/app/manifests/v2");
    registry.rule(second.then(Action::Status(500)));
    push(&env, &registry, " -t v1,v2")
        .ends_with(7)
        .says("has these tags: v1")
        .says("not put there: v2");
    assert_eq!(registry.tags("team/app"), ["v1"]);
}

#[test]
fn r31_a_repository_that_has_to_be_made_first_ends_with_7_and_says_so() {
    let env = world();
    let unknown = Action::answer(404, &[], &error("NAME_UNKNOWN"));
    let (registry, run) = pushed(&env, on("POST", SESSION, unknown));
    run.ends_with(7).says("create the repository first");
    assert_eq!(registry.count("PUT", "*"), 0);
}

#[test]
fn o08_layers_that_only_the_target_has_are_pushed_by_reference() {
    let env = TestEnv::new();
    let base = served(&env);
    build_online(&env, &format!("--base {}", base.pin())).succeeds();
    let registry = TestRegistry::start();
    let layer = base.made.layer.clone();
    let bytes = base.there.blob("team/base", &layer).expect("there");
    registry.put_blob("team/app", &bytes);
    drop(base);
    push(&env, &registry, "").succeeds().says("there already 1");
    assert_whole(&registry, "v1");
    let empty = TestRegistry::start();
    push(&env, &empty, "")
        .ends_with(7)
        .says(&format!("{layer} is not on this machine"))
        .says("`rbuild cache warm --layers");
    assert_eq!(empty.tags("team/app"), [""; 0]);
}

#[test]
fn k03_a_push_killed_at_any_request_names_nothing_that_is_not_whole_and_the_next_run_completes_it()
{
    let env = world();
    let unhurt = TestRegistry::start();
    push(&env, &unhurt, " -t v1,v2").succeeds();
    let (requests, bytes) = (unhurt.requests().len(), brought(&unhurt));
    for last in 1..=requests {
        let registry = TestRegistry::start();
        let never = Action::Delay(600_000, Box::new(Action::Pass));
        registry.rule(Rule::on("*", "*").nth(last).then(never));
        kill_at(&env, &registry, last);
        for tag in registry.tags("team/app") {
            assert_whole(&registry, &tag);
        }
        let again = TestRegistry::with(Options {
            contents: Some(registry.contents()),
            ..Options::default()
        });
        push(&env, &again, " -t v1,v2").succeeds();
        assert_whole(&again, "v2");
        assert!(brought(&registry) + brought(&again) <= bytes, "at {last}");
        assert_eq!(temps(&env.path("")), [""; 0]);
    }
}

/// Bytes of blobs that were stored.
fn brought(registry: &TestRegistry) -> u64 {
    let requests = registry.requests().into_iter();
    let stored = requests.filter(|seen| seen.status == 201 && seen.path.contains("/uploads/"));
    stored.map(|seen| seen.body_length).sum()
}

/// Starts a push and kills it when the registry has heard so many requests.
fn kill_at(env: &TestEnv, registry: &TestRegistry, requests: usize) {
    let mut child = start(env, registry, " -t v1,v2", true);
    wait_until("the request", || registry.requests().len() >= requests);
    child.kill().expect("killed");
    child.wait().expect("gone");
}

/// A push that runs; its pauses are short, or as long as they are.
fn start(env: &TestEnv, registry: &TestRegistry, options: &str, is_hasty: bool) -> Child {
    let mut command = env.command(&env.path("home"));
    if !is_hasty {
        command.env_remove("RBUILD_TEST_PATIENCE");
    }
    let words = format!("push hello {}/team/app:v1{options}", registry.host());
    command.args(words.split(' '));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("started")
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it runs");
}

#[test]
fn s06_a_push_that_was_stopped_while_the_registry_hung_up_goes_on() {
    let env = world();
    let registry = TestRegistry::start();
    let hangs_up = Action::ResetAfterRequestBytes(0);
    registry.rule(Rule::on("PUT", SESSION).times(4).then(hangs_up));
    let child = start(&env, &registry, "", true);
    wait_until("an upload", || registry.count("PUT", SESSION) > 0);
    signal(&child, Signal::STOP);
    signal(&child, Signal::CONT);
    let output = child.wait_with_output().expect("it ends");
    Run { output }.succeeds();
    assert_whole(&registry, "v1");
}

#[test]
fn s07_a_signal_in_a_pause_that_the_registry_asked_for_ends_the_push_at_once() {
    for (number, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let env = world();
        let registry = TestRegistry::start();
        let busy = Action::answer(429, &[("retry-after", "60")], "");
        registry.rule(Rule::on("PUT", MANIFEST).then(busy));
        let child = start(&env, &registry, "", false);
        wait_until("the pause", || {
            let requests = registry.requests();
            requests.iter().any(|seen| seen.status == 429)
        });
        signal(&child, number);
        let output = child.wait_with_output().expect("it ends");
        Run { output }.ends_with(code);
        assert_eq!(registry.count("PUT", MANIFEST), 1);
        assert_eq!(registry.tags("team/app"), [""; 0]);
    }
}

#[test]
fn b4_an_unchanged_image_is_asked_for_once_though_the_registry_answers_slowly_at_first() {
    let env = world();
    let registry = TestRegistry::start();
    push(&env, &registry, "").succeeds();
    registry.forget_requests();
    registry.rule(Rule::on("HEAD", "*").times(1).then(Action::Status(503)));
    push(&env, &registry, "").succeeds().says("there already 5");
    assert_eq!(asked(&registry), ["HEAD v1", "HEAD v1"]);
    let mut command = env.command(&env.path("home"));
    command.env("RBUILD_OFFLINE", "1");
    let words = format!("push hello {}/team/app:v1", registry.host());
    run(command.args(words.split(' '))).ends_with(2);
    assert_eq!(asked(&registry), [""; 0]);
}
