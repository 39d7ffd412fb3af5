//! B3: what names no registry opens no socket, also where everything is set up to talk: credentials, helpers, proxies, mirrors.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start the program behind strace"
)]

use std::ffi::OsString;
use std::fs;
use std::process::Command;

use crate::served::served;
use crate::support::{Run, TestEnv, run};
use crate::test_registry::{Authority, TestRegistry};
use crate::warm::{build, build_online_behind, pinned_base, script};

/// A world in which every setting invites to talk, and a registry that would hear it.
struct Talkative {
    env: TestEnv,
    ear: TestRegistry,
    /// A base that is in the cache, pinned.
    pin: String,
    variables: Vec<(&'static str, OsString)>,
}

const HELPER: &str = "echo \"$0 $1\" >> \"$0.ran\"; echo '{\"Username\":\"u\",\"Secret\":\"s\"}'";

impl Talkative {
    fn new() -> Talkative {
        let (env, ear) = (TestEnv::new(), TestRegistry::start());
        let (_, pin) = pinned_base(&env);
        let mut variables = proxies(&ear);
        variables.extend([
            ("DOCKER_CONFIG", docker(&env, &ear)),
            ("RBUILD_CONFIG", config(&env, &ear)),
            ("RBUILD_REPO", format!("{}/team", ear.host()).into()),
            ("PATH", path(&env)),
        ]);
        Talkative {
            env,
            ear,
            pin,
            variables,
        }
    }

    /// The wrapper that writes what is executed, and what is asked of a network.
    fn strace(&self) -> Vec<String> {
        let log = self.env.path("trace").display().to_string();
        let words = "strace -f -qq -s 300 -e trace=%network,execve -o";
        let words = words.split(' ').map(str::to_owned);
        words.chain([log]).collect()
    }

    fn traced(&self, command: &mut Command) -> (Run, String) {
        let run = run(command.envs(self.variables.iter().cloned()));
        let trace = fs::read_to_string(self.env.path("trace")).expect("written");
        assert!(trace.contains("execve("), "strace saw something");
        (run, trace)
    }

    fn rbuild(&self, arguments: &str) -> (Run, String) {
        let wrapper = self.strace();
        let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
        let mut command = self.env.wrapped(&self.env.path("home"), &wrapper);
        self.traced(command.args(arguments.split_whitespace()))
    }

    /// `build --push=false` of hello.
    fn build(&self, arguments: &str) -> (Run, String) {
        let wrapper = self.strace();
        let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
        self.traced(&mut build_online_behind(&self.env, &wrapper, arguments))
    }

    fn has_run_a_helper(&self) -> bool {
        self.env.path("bin/docker-credential-chatty.ran").exists()
    }
}

/// For every scheme, in both spellings.
fn proxies(ear: &TestRegistry) -> Vec<(&'static str, OsString)> {
    let names = [
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
    ];
    names.map(|name| (name, ear.origin().into())).into()
}

/// A docker configuration with a password for one registry and helpers for all others.
fn docker(env: &TestEnv, ear: &TestRegistry) -> OsString {
    let directory = env.path("docker");
    fs::create_dir(&directory).expect("made");
    let text = format!(
        r#"{{"auths": {{"{}": {{"auth": "dTpw"}}}}, "credsStore": "chatty", "credHelpers": {{"r.example": "chatty"}}}}"#,
        ear.host()
    );
    fs::write(directory.join("config.json"), text).expect("written");
    directory.into()
}

fn config(env: &TestEnv, ear: &TestRegistry) -> OsString {
    let ca = env.path("ca.pem");
    fs::write(&ca, Authority::new().pem()).expect("written");
    let origin = ear.origin();
    let text = format!(
        "mirrors:\n  \"*\": [{origin}]\n  r.example: [{origin}]\nregistries:\n  r.example: {{ca: ca.pem}}\n  old.example: {{insecure: true}}\n"
    );
    let file = env.path("settings.yaml");
    fs::write(&file, text).expect("written");
    file.into()
}

/// With a helper in front that tells when it ran.
fn path(env: &TestEnv) -> OsString {
    let bin = env.path("bin");
    fs::create_dir(&bin).expect("made");
    script(&bin.join("docker-credential-chatty"), HELPER);
    let path = std::env::var_os("PATH").expect("there is one");
    let all = [bin].into_iter().chain(std::env::split_paths(&path));
    std::env::join_paths(all).expect("a path")
}

/// Lines with a socket that could reach beyond this machine's processes.
fn outward(trace: &str) -> Vec<&str> {
    let families = ["AF_INET", "AF_NETLINK", "AF_PACKET"];
    let is_outward = |line: &&str| families.iter().any(|family| line.contains(family));
    trace.lines().filter(is_outward).collect()
}

#[test]
#[ignore = "needs strace"]
fn o04_o09_o11_no_command_without_a_registry_opens_a_socket_or_runs_a_helper() {
    let world = Talkative::new();
    build(&world.env, &world.pin).succeeds();
    let pinned = world.pin.strip_prefix("--base ").expect("a pin");
    for arguments in [
        format!("cache warm --layers {pinned} builtin:static scratch"),
        "cache ls".to_owned(),
        "cache verify".to_owned(),
        "cache dir".to_owned(),
        "config show".to_owned(),
        "completions bash".to_owned(),
        "completions zsh".to_owned(),
        "completions fish".to_owned(),
        "version".to_owned(),
        "--version".to_owned(),
        "--help".to_owned(),
        "help push".to_owned(),
        "login --help".to_owned(),
        "logout --help".to_owned(),
        "push --help".to_owned(),
        "cache warm --help".to_owned(),
    ] {
        let (run, trace) = world.rbuild(&arguments);
        run.succeeds();
        assert_eq!(outward(&trace), [""; 0], "{arguments}");
        assert!(!trace.contains("docker-credential"), "{arguments}");
    }
    assert!(!world.has_run_a_helper());
    assert_eq!(world.ear.requests().len(), 0);
}

#[test]
#[ignore = "needs strace"]
fn o04_o09_a_build_that_does_not_push_opens_no_socket_however_much_is_set_up() {
    let world = Talkative::new();
    let files = "--oci-archive @/a.tar --tarball @/t.tar --oci-layout-path @/l --image-refs @/r";
    let plain = build(&TestEnv::new(), "").succeeds().digest();
    for (arguments, digest) in [
        (format!("{} {files}", world.pin), None),
        (String::new(), Some(&plain)),
        ("--dry-run".to_owned(), None),
        (format!("{} --no-mirror-fallback", world.pin), None),
        (format!("{} --insecure-registry", world.pin), None),
        ("--mirror http://127.0.0.1:1 -t v1".to_owned(), Some(&plain)),
    ] {
        let (run, trace) = world.build(&arguments);
        let run = run.succeeds();
        assert_eq!(outward(&trace), [""; 0], "{arguments}");
        assert!(!trace.contains("docker-credential"), "{arguments}");
        if let Some(digest) = digest {
            assert!(run.stdout().contains(digest), "{}", run.stdout());
        }
    }
    assert!(!world.has_run_a_helper());
    assert_eq!(world.ear.requests().len(), 0);
}

#[test]
#[ignore = "needs strace"]
fn o05_offline_no_command_opens_a_socket_even_if_it_names_a_registry() {
    let mut world = Talkative::new();
    let offline = ("RBUILD_OFFLINE", "1".into());
    world.variables.push(offline);
    build(&world.env, "").succeeds();
    let absent =
        "r.example/absent@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for (arguments, code) in [
        (format!("cache warm {absent}"), 4),
        ("push hello r.example/team/hello:v1".to_owned(), 2),
        ("login -u me --password-stdin r.example".to_owned(), 2),
    ] {
        let (run, trace) = world.rbuild(&arguments);
        run.ends_with(code);
        assert_eq!(outward(&trace), [""; 0], "{arguments}");
        assert!(!trace.contains("docker-credential"), "{arguments}");
    }
    let (run, trace) = world.build(&format!("--base {absent}"));
    run.ends_with(4);
    assert_eq!(outward(&trace), [""; 0]);
    assert!(!world.has_run_a_helper());
    assert_eq!(world.ear.requests().len(), 0);
}

#[test]
#[ignore = "needs strace"]
fn a_logout_opens_no_socket_and_runs_the_one_helper_that_keeps_the_password() {
    let world = Talkative::new();
    let (run, trace) = world.rbuild("logout r.example");
    run.succeeds();
    assert_eq!(outward(&trace), [""; 0]);
    let ran = fs::read_to_string(world.env.path("bin/docker-credential-chatty.ran"));
    let ran = ran.expect("it keeps the password");
    let verbs = ran.lines().map(|line| line.rsplit(' ').next());
    // It asks whether something is left.
    let verbs: Vec<&str> = verbs.flatten().collect();
    assert_eq!(verbs, ["erase", "get"]);
    assert_eq!(world.ear.requests().len(), 0);
    let file = world.env.path("docker/config.json");
    let text = format!(
        r#"{{"auths": {{"{}": {{"auth": "dTpw"}}}}}}"#,
        world.ear.host()
    );
    fs::write(&file, text).expect("written");
    let (run, trace) = world.rbuild(&format!("logout {}", world.ear.host()));
    run.succeeds();
    assert_eq!(outward(&trace), [""; 0]);
    let left = fs::read_to_string(&file).expect("there");
    assert!(!left.contains("dTpw"), "{left}");
    assert_eq!(world.ear.requests().len(), 0);
}

/// The scan can fail: the same commands, once a base has to be asked for.
#[test]
#[ignore = "needs strace"]
fn what_names_a_registry_is_seen_to_open_a_socket() {
    let world = Talkative::new();
    let elsewhere = TestEnv::new();
    let base = served(&elsewhere);
    let (run, trace) = world.rbuild(&format!("cache warm {}", base.tag()));
    run.succeeds();
    assert!(!outward(&trace).is_empty(), "{trace}");
}
