//! No secret in anything that the program writes: standard output and error, files, images, the cache; and none on its way through
//! the words of a registry that repeats what it was told.

use std::fs;
use std::io::Read;
use std::path::Path;

use serde_json::json;

use crate::hostile_stage::write;
use crate::served::served;
use crate::support::{Run, TestEnv, run, tree};
use crate::test_registry::{Action, Auth, Mint, Options, Rule, TestRegistry, TokenAuth};
use crate::warm::{pushing, script};

const PASSWORD: &str = "s3cret-s3cret-s3cret";
/// `user:PASSWORD` in base64.
const PAIR: &str = "dXNlcjpzM2NyZXQtczNjcmV0LXMzY3JldA==";
const TOKEN: &str = "token-of-77777";

fn assert_none_in(text: &[u8], what: &str) {
    for secret in [PASSWORD, PAIR, TOKEN] {
        let found = text
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(
            !found,
            "`{secret}` in {what}: {}",
            String::from_utf8_lossy(text)
        );
    }
}

/// What was printed.
fn assert_silent(run: Run, what: &str) -> Run {
    assert_none_in(&run.output.stdout, what);
    assert_none_in(&run.output.stderr, what);
    run
}

/// Every file below, layers also as what they hold; docker's file is where the secret belongs.
fn assert_no_file_tells(directory: &Path) {
    for name in tree(directory) {
        let bytes = fs::read(directory.join(&name)).unwrap_or_default();
        if name.ends_with(".docker/config.json") {
            continue;
        }
        assert_none_in(&bytes, &name);
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let mut inside = Vec::new();
            let _ = flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut inside);
            assert_none_in(&inside, &name);
        }
    }
}

fn closed(auth: Auth) -> TestRegistry {
    TestRegistry::with(Options {
        auth,
        ..Options::default()
    })
}

fn tokens() -> Auth {
    Auth::Token(TokenAuth {
        user: "user".to_owned(),
        password: PASSWORD.to_owned(),
        mint: Some(Mint::new(|_| TOKEN.to_owned())),
        ..TokenAuth::default()
    })
}

/// A world that knows the user of this registry.
fn knowing(registry: &TestRegistry) -> TestEnv {
    let env = TestEnv::new();
    write(&env, &json!({"auths": {registry.host(): {"auth": PAIR}}}));
    env
}

fn rbuild(env: &TestEnv, arguments: &str) -> Run {
    let mut command = env.command(&env.path("home"));
    command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "1");
    let done = run(command.args(arguments.split(' ')));
    assert_silent(done, arguments)
}

#[test]
fn a20_no_command_writes_a_secret_anywhere() {
    for auth in [tokens(), Auth::basic("user", PASSWORD)] {
        let registry = closed(auth);
        let env = knowing(&registry);
        let base = served(&env);
        base.give(&registry, "team/base");
        let pin = format!("{}/team/base@{}", registry.host(), base.made.index);
        let outputs = format!(
            "--repo {}/team --base {pin} -t v1,v2 --metadata-file @/meta.json --image-refs @/refs --oci-archive @/a.tar --tarball @/t.tar --oci-layout-path @/out --progress plain",
            registry.host()
        );
        let mut build = pushing(&env, &[], &outputs);
        build.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "1");
        assert_silent(run(&mut build), "build").succeeds();
        for arguments in [
            format!("cache warm --layers {pin}"),
            "cache ls".to_owned(),
            "cache verify".to_owned(),
            format!("push {}/team/hello:v1 {0}/other/app:v3", registry.host()),
            "config show".to_owned(),
        ] {
            rbuild(&env, &arguments).succeeds();
        }
        assert_no_file_tells(&env.path(""));
        for repository in ["team/hello", "other/app"] {
            for blob in registry.blobs(repository) {
                let bytes = registry.blob(repository, &blob).expect("there");
                assert_none_in(&bytes, &blob);
            }
        }
        rbuild(&env, &format!("logout {}", registry.host())).succeeds();
    }
}

/// Ways to say again what was heard, in an answer to whoever comes with a secret.
fn echoes(token: &str) -> Vec<(&'static str, Action)> {
    let all = format!("{PASSWORD} {PAIR} {token}");
    let path = format!("/{PASSWORD}/{PAIR}/{token}");
    let warning = format!("299 - \"{all}\"");
    let error = json!({"errors": [{"code": PASSWORD, "message": all, "detail": all}]}).to_string();
    let quoted = |text: &str| format!("{{\"mediaType\":\"{text}\"}}");
    let answer = |status, header: (&str, &str), body: &str| Action::answer(status, &[header], body);
    vec![
        ("a warning", Action::pass_with(&[("warning", &warning)])),
        ("words", answer(400, ("x", "y"), &all)),
        ("an error", answer(403, ("x", "y"), &error)),
        ("a teapot", answer(418, ("x", "y"), &error)),
        ("patience", answer(503, ("x", "y"), &error)),
        (
            "a way",
            answer(307, ("location", &format!("http://169.254.1.1{path}")), ""),
        ),
        (
            "a scheme",
            answer(307, ("location", &format!("x:{path}")), ""),
        ),
        ("schemes", answer(401, ("www-authenticate", &all), "")),
        (
            "a scope",
            answer(
                401,
                ("www-authenticate", &format!("Bearer realm=\"x:{path}\"")),
                "",
            ),
        ),
        (
            "a place",
            answer(
                202,
                ("location", &format!("ftp://{PASSWORD}.example{path}")),
                "",
            ),
        ),
        (
            "a kind",
            answer(
                200,
                ("content-type", &format!("application/vnd.{all}")),
                &quoted(&all),
            ),
        ),
        (
            "a digest",
            answer(200, ("docker-content-digest", &all), &quoted(&all)),
        ),
        ("an encoding", answer(200, ("content-encoding", &all), &all)),
        ("a moment", answer(429, ("ratelimit-remaining", &all), &all)),
    ]
}

#[test]
fn a20_a_registry_that_repeats_a_secret_does_not_make_the_program_print_it() {
    for (auth, token) in [(tokens(), TOKEN), (Auth::basic("user", PASSWORD), "none")] {
        for (what, action) in echoes(token) {
            let registry = closed(auth.clone());
            let env = knowing(&registry);
            let base = served(&env);
            base.give(&registry, "team/base");
            let known = Rule::on("*", "/v2/*").header("authorization", "B*");
            registry.rule(known.then(action));
            let name = registry.host();
            let pulled = rbuild(&env, &format!("cache warm {name}/team/base:v1"));
            let is_good = pulled.output.status.success();
            assert_eq!(is_good, what == "a warning", "{what}: {}", pulled.stderr());
            let image = format!("oci:../made@{}", base.made.index);
            let pushed = rbuild(&env, &format!("push {image} {name}/a/b:v1"));
            assert!(pushed.stderr().contains(&name), "{}", pushed.stderr());
        }
    }
}

#[test]
fn a19_a_compiler_and_all_that_it_starts_is_given_no_secret_of_ours() {
    let registry = closed(tokens());
    let env = knowing(&registry);
    let seen = env.path("seen");
    let spy = format!(
        "env > '{0}'; tr '\\0' ' ' < /proc/$PPID/cmdline >> '{0}'; exit 1",
        seen.display()
    );
    let cargo = script(&env.path("spy"), &spy);
    let mut build = pushing(&env, &[], &format!("--repo {}/team", registry.host()));
    assert_silent(run(build.env("CARGO", &cargo)), "a build");
    assert_none_in(
        &fs::read(&seen).expect("it ran"),
        "the environment of cargo",
    );
}
