//! `rbuild login` and `rbuild logout` as they are typed, and that no secret is ever printed.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use crate::support::TestEnv;
use crate::test_registry::{Auth, Authority, Options, Seen, TestRegistry};

/// What must be printed nowhere: the password, and `user:PASSWORD` in base64.
const SECRETS: [&str; 2] = ["s3cret-s3cret", "dXNlcjpzM2NyZXQtczNjcmV0"];

fn closed(auth: Auth) -> TestRegistry {
    TestRegistry::with(Options {
        auth,
        ..Options::default()
    })
}

fn rbuild(env: &TestEnv, arguments: &[&str], input: &str) -> Output {
    fed(env.command(&env.path(".")).args(arguments), input)
}

/// What a command says that is given `input`; no secret, whatever it is.
fn fed(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .env("RUST_LOG", "trace")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut stdin = child.stdin.take().expect("piped");
    // A program that refuses before it reads closes its end.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("ends");
    for secret in SECRETS {
        let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(!told.contains(secret), "a20: {told}");
    }
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a20_a_login_is_kept_for_its_owner_and_no_secret_is_printed() {
    for auth in [
        Auth::basic("user", SECRETS[0]),
        Auth::token("user", SECRETS[0]),
    ] {
        let (env, registry) = (TestEnv::new(), closed(auth));
        let login = ["login", "-u", "user", "--password-stdin", &registry.host()];
        let output = rbuild(&env, &login, &format!("{}\n", SECRETS[0]));
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(output.stdout.is_empty());
        assert!(text(&output.stderr).contains("as `user`; the password is kept in "));
        let file = env.path("home/.docker/config.json");
        let mode = std::fs::metadata(&file).expect("written").permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        assert!(
            std::fs::read_to_string(&file)
                .expect("text")
                .contains(SECRETS[1])
        );
        let output = rbuild(&env, &["logout", &registry.host()], "");
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(
            !std::fs::read_to_string(&file)
                .expect("text")
                .contains(SECRETS[1])
        );
    }
}

#[test]
fn a17_a_login_with_a_wrong_password_ends_with_6_after_one_try() {
    for auth in [Auth::basic("user", "other"), Auth::token("user", "other")] {
        let (env, registry) = (TestEnv::new(), closed(auth));
        let login = ["login", "-u", "user", "--password-stdin", &registry.host()];
        let output = rbuild(&env, &login, SECRETS[0]);
        assert_eq!(output.status.code(), Some(6));
        assert!(text(&output.stderr).contains("user `user`"));
        assert!(!env.path("home/.docker").exists());
        let tried = |seen: &Seen| seen.header("authorization").is_some();
        let tries = registry
            .requests()
            .iter()
            .filter(|seen| tried(seen))
            .count();
        assert_eq!(tries, 1);
    }
}

#[test]
fn a_login_does_not_obey_the_checkout_that_it_stands_in_but_the_file_that_is_named() {
    let env = TestEnv::new();
    let registry = TestRegistry::with(Options {
        auth: Auth::basic("user", SECRETS[0]),
        tls: Some(Authority::new().for_loopback()),
        ..Options::default()
    });
    let found = format!(
        "registries: {{'{}': {{insecure: true}}}}\n",
        registry.host()
    );
    std::fs::write(env.path(".builder.yaml"), found).expect("written");
    let login = [
        "login",
        "--username",
        "user",
        "--password-stdin",
        &registry.host(),
    ];
    let refused = rbuild(&env, &login, SECRETS[0]);
    assert_eq!(refused.status.code(), Some(7), "{}", text(&refused.stderr));
    assert!(registry.requests().is_empty());
    let mut command = env.command(&env.path("home"));
    command.env("RBUILD_CONFIG", env.path(".builder.yaml"));
    let taken = fed(command.args(login), SECRETS[0]);
    assert!(taken.status.success(), "{}", text(&taken.stderr));
    let note = format!("certificates of `{}` are not checked: ", registry.host());
    assert_eq!(text(&taken.stderr).matches(&note).count(), 1);
}

#[test]
fn a_login_without_a_network_is_wrong_usage_as_a_push_is() {
    let env = TestEnv::new();
    let mut command = env.command(&env.path("home"));
    command.env("RBUILD_OFFLINE", "1");
    let login = ["login", "-u", "u", "--password-stdin", "r.example"];
    let refused = fed(command.args(login), "p");
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
}

#[test]
fn what_cannot_be_a_login_is_refused_before_anything_is_asked() {
    let env = TestEnv::new();
    for (arguments, input, code) in [
        (
            &["login", "-u", "u", "--password-stdin", "ghcr.io/team"][..],
            "p",
            2,
        ),
        (
            &["login", "-u", "u", "--password-stdin", "127.0.0.1:1"],
            "",
            2,
        ),
        (
            &["login", "-u", "a:b", "--password-stdin", "127.0.0.1:1"],
            "p",
            2,
        ),
        (
            &["login", "-u", "u", "--password", "p", "127.0.0.1:1"],
            "",
            2,
        ),
        (&["logout", "no registry"], "", 2),
    ] {
        let output = rbuild(&env, arguments, input);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
    }
}
