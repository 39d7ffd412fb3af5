//! Without a network: what works, what is refused, and that nobody is asked.
//!
//! That no socket is opened is proved with strace, in `peers_strace.rs`.

#![expect(
    clippy::disallowed_types,
    reason = "a listener shows that nobody connects"
)]

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use crate::support::{TestEnv, base, run, tree};
use crate::warm::{blob, build, build_behind, hello, pinned_base, script};

/// A place to connect to, in which nobody is waiting.
fn trap() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    listener.set_nonblocking(true).expect("set");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, address)
}

fn with_proxies<'a>(command: &'a mut Command, address: &str) -> &'a mut Command {
    for name in [
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "ALL_PROXY",
        "https_proxy",
        "http_proxy",
        "all_proxy",
    ] {
        command.env(name, address);
    }
    command.env("NO_PROXY", "").env("no_proxy", "")
}

#[test]
fn o04_a_proxy_is_never_asked() {
    let env = TestEnv::new();
    let (_, pin) = pinned_base(&env);
    let expected = build(&env, &pin).succeeds().digest();
    let (listener, address) = trap();
    let mut command = env.command(hello());
    let arguments = format!("build . --push=false {pin}");
    let built = run(with_proxies(command.args(arguments.split(' ')), &address)).succeeds();
    assert_eq!(built.digest(), expected);
    let cold = TestEnv::new();
    let mut command = build_behind(&cold, &[], &pin);
    run(with_proxies(&mut command, &address)).ends_with(4);
    assert!(listener.accept().is_err(), "somebody connected");
}

#[test]
fn o05_a_cold_cache_names_the_reference_the_digest_and_the_command_and_nothing_is_compiled() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let digest = format!("sha256:{}", "a".repeat(64));
    let command = format!(
        "build . --push=false --offline --oci-archive a.tar --base r.example/team/base:v1@{digest}"
    );
    let refused = env
        .rbuild(&hello, &command)
        .ends_with(4)
        .says(&format!("r.example/team/base:v1@{digest}"))
        .says(&digest)
        .says("crane pull --format oci --annotate-ref r.example/team/base:v1")
        .says(&env.cache().join("img").display().to_string());
    assert_eq!(refused.stdout(), "");
    assert!(!hello.join("target").exists() && !hello.join("a.tar").exists());
}

#[test]
fn o06_a_tag_is_taken_as_recorded_with_its_age_and_refused_without_a_record() {
    let env = TestEnv::new();
    let img = env.cache().join("img");
    let made = base(&img, true, &["r.example/base:v1"]);
    let by_pin = build(&env, &format!("--base r.example/base:v1@{}", made.index)).succeeds();
    let by_name = build(&env, "--base r.example/base:v1")
        .succeeds()
        .says("minutes ago")
        .says(&made.index);
    assert!(
        by_pin.stdout().starts_with("rbuild.local/hello@")
            && by_name.stdout().starts_with("rbuild.local/hello@")
    );
    build(&env, "--base r.example/base:v2")
        .ends_with(4)
        .says("records no name")
        .says(&made.index);
    build(&env, "--base r.example/other:v1").ends_with(4);
}

#[test]
fn o07_an_output_that_needs_layers_that_are_not_here_lists_them_with_their_sizes() {
    let env = TestEnv::new();
    let workspace = env.workspace("hello");
    let img = env.cache().join("img");
    let made = base(&img, false, &[]);
    assert!(!blob(&img, &made.layer).exists());
    let pin = format!("--base r.example/base@{}", made.index);
    for output in [
        "--tarball a.tar",
        "--oci-archive a.tar",
        "--oci-layout-path out",
    ] {
        env.rbuild(
            &workspace,
            &format!("build . --push=false --offline {output} {pin}"),
        )
        .ends_with(4)
        .says(&made.layer)
        .says("1 in all")
        .says("bytes");
        let untouched = ["target", "a.tar", "out"]
            .iter()
            .all(|name| !workspace.join(name).exists());
        assert!(untouched, "{output}");
    }
    build(&env, &pin).succeeds();
}

#[test]
fn o09_a_configured_credential_helper_is_never_run() {
    let env = TestEnv::new();
    let (_, pin) = pinned_base(&env);
    let docker = env.path("docker");
    let programs = env.path("bin");
    fs::create_dir(&docker).expect("made");
    fs::create_dir(&programs).expect("made");
    let config = r#"{"credsStore": "evil", "credHelpers": {"r.example": "evil"}, "auths": {"r.example": {}}}"#;
    fs::write(docker.join("config.json"), config).expect("written");
    script(
        &programs.join("docker-credential-evil"),
        &format!("touch '{}'", env.path("was-run").display()),
    );
    let path = std::env::join_paths(
        [programs]
            .into_iter()
            .chain(std::env::split_paths(env!("PATH"))),
    )
    .expect("a path");
    for arguments in [pin.as_str(), "--base r.example/no/such:tag"] {
        let mut command = build_behind(&env, &[], arguments);
        run(command.env("DOCKER_CONFIG", &docker).env("PATH", &path));
    }
    assert!(!env.path("was-run").exists());
}

#[test]
fn o10_a_crate_that_is_not_here_is_cargos_error_and_nothing_is_fetched() {
    let env = TestEnv::new();
    let workspace = env.workspace("hello");
    let manifest = fs::read_to_string(workspace.join("Cargo.toml")).expect("readable");
    fs::write(
        workspace.join("Cargo.toml"),
        format!("{manifest}\n[dependencies]\nserde = \"1\"\n"),
    )
    .expect("written");
    fs::remove_file(workspace.join("Cargo.lock")).expect("removed");
    let cargo_home = env.path("cargo-home");
    fs::create_dir(&cargo_home).expect("made");
    let (listener, address) = trap();
    let mut command = env.command(&workspace);
    command.env("CARGO_HOME", &cargo_home).args([
        "build",
        ".",
        "--push=false",
        "--offline",
        "--oci-archive",
        "a.tar",
    ]);
    let failed = run(with_proxies(&mut command, &address))
        .ends_with(3)
        .says("no matching package named `serde` found");
    assert_eq!(failed.stdout(), "");
    assert!(listener.accept().is_err(), "somebody connected");
    assert!(!workspace.join("a.tar").exists());
    let fetched = tree(&cargo_home.join("registry"));
    assert!(
        !fetched.iter().any(|name| name.ends_with(".crate")),
        "{fetched:?}"
    );
}
