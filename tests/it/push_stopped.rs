//! A push that is stopped, or that nobody listens to: no tag moves, no session stays, nothing is left behind.

use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Run, TestEnv, run};
use crate::test_registry::{Action, Rule, TestRegistry};
use crate::warm::{faults_of, pushing, temps, wait_until};

/// What ends a program, and the code it then ends with.
const STOPS: [(Signal, i32); 3] = [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)];

/// Longer than any test waits.
const FOREVER: u64 = 600_000;

fn end(mut child: Child, signal: Signal) -> Run {
    kill_process(Pid::from_child(&child), signal).expect("it runs");
    wait_until("it ends", || child.try_wait().expect("waited").is_some());
    let output = child.wait_with_output().expect("read");
    Run { output }
}

#[test]
fn s01_s02_s04_a_signal_while_a_layer_travels_ends_the_push_without_a_tag() {
    for (signal, code) in STOPS {
        let env = TestEnv::new();
        let registry = TestRegistry::start();
        let pass = Box::new(Action::Pass);
        registry.rule(Rule::on("PUT", "*/blobs/uploads/*").then(Action::Delay(FOREVER, pass)));
        let to = format!("--repo {}/team --image-refs @/refs", registry.host());
        let mut command = pushing(&env, &[], &to);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = child.spawn().expect("started");
        wait_until("a layer travels", || registry.count("PUT", "*/blobs/*") > 0);
        let stopped = end(child, signal).ends_with(code);
        assert_eq!(stopped.stdout(), "");
        assert_eq!(registry.tags("team/hello"), [""; 0]);
        assert!(!env.path("refs").exists());
        assert_eq!(temps(&env.path("")), [""; 0]);
        assert_eq!(faults_of(&env.cache().join("build")), [""; 0]);
    }
}

#[test]
fn s05_a_reader_that_went_away_does_not_undo_a_push_and_does_not_save_one() {
    for (repository, code) in [("team", 0), ("refused", 6)] {
        let env = TestEnv::new();
        let registry = TestRegistry::start();
        registry.rule(Rule::on("PUT", "/v2/refused/*").then(Action::Status(403)));
        let to = format!("--repo {}/{repository}", registry.host());
        for closed in [">&-", "2>&-", ">&- 2>&-", "2>/dev/full"] {
            let script = format!("exec \"$@\" {closed}");
            let mut command = pushing(&env, &["sh", "-c", &script, "sh"], &to);
            run(&mut command).ends_with(code);
        }
        let tags = registry.tags(&format!("{repository}/hello"));
        assert_eq!(tags.len(), usize::from(code == 0));
    }
}

#[test]
fn s05_a_reference_that_cannot_be_printed_ends_with_8_and_the_image_is_there() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    let to = format!("--repo {}/team", registry.host());
    let full = ["sh", "-c", "exec \"$@\" >/dev/full", "sh"];
    run(&mut pushing(&env, &full, &to))
        .ends_with(8)
        .says("standard output");
    assert_eq!(registry.tags("team/hello"), ["latest"]);
}
