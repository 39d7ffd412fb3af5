//! A login at a terminal, which `script` (bsdutils) makes.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start the program and its peers"
)]

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::TestEnv;
use crate::test_registry::{Auth, Options, TestRegistry};

/// What the terminal showed after each of `typed` was typed, once the question before it was there.
///
/// A Ctrl-C goes to the shell too, which would end without a word (dash does): the trap lets it tell how the program ended.
fn at_a_terminal(env: &TestEnv, registry: &str, typed: &[(&str, &str)]) -> String {
    let home = env.path("home");
    let command = format!(
        "trap : INT; '{}' login {registry}; echo code $?; stty -a",
        env!("CARGO_BIN_EXE_rbuild")
    );
    let mut child = Command::new("script")
        .args(["-qfc", &command])
        .arg(env.path("shown"))
        .env("HOME", home)
        .env("SHELL", "/bin/sh")
        .env_remove("DOCKER_CONFIG")
        .current_dir(env.path("."))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("script is installed");
    let mut terminal = child.stdin.take().expect("piped");
    let shown = || std::fs::read_to_string(env.path("shown")).unwrap_or_default();
    for (question, answer) in typed {
        let mut tries = 0;
        while !shown().contains(question) && tries < 600 {
            std::thread::sleep(std::time::Duration::from_millis(50));
            tries += 1;
        }
        terminal.write_all(answer.as_bytes()).expect("typed");
    }
    child.wait().expect("ends");
    shown()
}

#[test]
#[ignore = "needs script"]
fn a20_a_password_that_is_typed_is_not_shown_and_the_echo_comes_back() {
    let registry = TestRegistry::with(Options {
        auth: Auth::basic("user", "s3cret"),
        ..Options::default()
    });
    let asked = format!("user name for {}: ", registry.host());
    let hidden = "password or token for user: ";
    for (password, code) in [("s3cret\n", "code 0"), ("s3c\u{3}", "code 130")] {
        let env = TestEnv::new();
        let typed = [(asked.as_str(), "user\n"), (hidden, password)];
        let shown = at_a_terminal(&env, &registry.host(), &typed);
        assert!(shown.contains(code), "{shown}");
        assert!(!shown.contains("s3c"), "{shown}");
        assert!(shown.contains(" echo "), "{shown}");
    }
}
