//! B1: registries that want a password or a token, with credentials that docker, podman, the others and rbuild wrote.

use std::io::Write;
use std::process::Stdio;

use crate::clients::Clients;
use crate::matrix::{DISTRIBUTIONS, Desk, asked, layers_of_base, sent, start};
use crate::registry::{Access, PASSWORD, Program, Registry, USER};
use crate::support::{Run, run};

fn closed(program: Program) -> Registry {
    start(program, |options| options.access = Access::Htpasswd)
}

fn with_tokens(program: Program) -> Registry {
    start(program, |options| options.access = Access::Token)
}

/// `rbuild login` with this password on standard input.
fn login(desk: &Desk, host: &str, password: &str) -> Run {
    let words = ["login", "-u", USER, "--password-stdin", host];
    let mut command = desk.command(&words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().expect("starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(password.as_bytes()).expect("read");
    drop(stdin);
    let output = child.wait_with_output().expect("ends");
    Run { output }
}

#[test]
#[ignore = "needs crane, docker-registry, htpasswd, podman, registry, skopeo"]
fn a_password_of_the_docker_configuration_is_used_and_without_one_nothing_is_sent() {
    for program in DISTRIBUTIONS {
        let registry = closed(program);
        let name = format!("{}/team/hello:v1", registry.host);
        Desk::new()
            .push(&registry.host, "-t v1")
            .ends_with(6)
            .says(&format!("rbuild login {}", registry.host));
        assert_eq!(sent(&registry, 0), [""; 0]);
        let desk = Desk::of_user(&registry);
        let base = desk.give_base(&registry.host);
        let pushed = desk
            .push(&registry.host, &format!("-t v1 --base {base}"))
            .succeeds()
            .says("mounted 1");
        desk.gets_back(&name, &pushed.digest());
    }
}

#[test]
#[ignore = "needs docker-registry, htpasswd"]
fn a_wrong_password_is_shown_once() {
    let registry = closed(Program::Distribution2);
    let desk = Desk::with(|clients| clients.logged_in(&registry.host, USER, "wrong"));
    let refused = desk.push(&registry.host, "").ends_with(6);
    refused.says("user").says("rbuild login");
    let asked = asked(&registry, 0, "team/hello");
    assert_eq!(asked.len(), 2, "without it and with it: {asked:?}");
}

#[test]
#[ignore = "needs crane, docker-registry, htpasswd, podman, registry, skopeo"]
fn what_rbuild_logs_in_is_a_login_for_all_and_ends_for_all() {
    for program in DISTRIBUTIONS {
        let registry = closed(program);
        let desk = Desk::new();
        login(&desk, &registry.host, "wrong").ends_with(6);
        assert!(!desk.clients.auth_file().exists());
        login(&desk, &registry.host, PASSWORD).succeeds();
        let pushed = desk.push(&registry.host, "-t v1").succeeds();
        let name = format!("{}/team/hello:v1", registry.host);
        desk.gets_back(&name, &pushed.digest());
        desk.rbuild(&["logout", &registry.host]).succeeds();
        desk.clients.crane(&["digest", &name]).ends_with(1);
        desk.push(&registry.host, "-t v2").ends_with(6);
    }
}

#[test]
#[ignore = "needs crane, docker-registry, htpasswd, podman, skopeo"]
fn a_login_of_the_others_is_a_login_for_rbuild() {
    let registry = closed(Program::Distribution2);
    let host = registry.host.as_str();
    let user = ["-u", USER, "-p", PASSWORD, host];
    let crane = |clients: &Clients| clients.crane(&[&["auth", "login"], &user[..]].concat());
    let skopeo = |clients: &Clients| clients.skopeo(&[&["login"], &user[..]].concat());
    let podman = |clients: &Clients| {
        let mut command = clients.command("podman");
        run(command.args(["login", "--tls-verify=false"]).args(user))
    };
    let logins: [&dyn Fn(&Clients) -> Run; 3] = [&crane, &skopeo, &podman];
    for (number, log_in) in logins.iter().enumerate() {
        let desk = Desk::new();
        log_in(&desk.clients).succeeds();
        // Two of them think of it as podman's file.
        let mut command = desk.pushing(host, &format!("-t v{number}"));
        if number > 0 {
            command.env_remove("DOCKER_CONFIG");
            command.env("REGISTRY_AUTH_FILE", desk.clients.auth_file());
        }
        let pushed = run(&mut command).succeeds();
        let name = format!("{host}/team/hello:v{number}");
        desk.crane_gets(&name, &pushed.digest());
    }
}

#[test]
#[ignore = "needs docker-registry, openssl, podman, regctl, registry, skopeo"]
fn a_token_lets_a_push_mount_from_a_base_that_it_may_read() {
    for program in DISTRIBUTIONS {
        let registry = with_tokens(program);
        let host = registry.host.as_str();
        let desk = Desk::with(|clients| clients.logged_in(host, USER, PASSWORD).plain(host));
        // crane refuses a realm on another port of loopback.
        let base = give_base(&desk, host);
        let tokens = registry.tokens.as_ref().expect("a token server");
        let stranger = Desk::new();
        stranger
            .push(host, &format!("--base {base}"))
            .ends_with(6)
            .says(&format!("rbuild login {host}"));
        let before = tokens.requests().len();
        let pushed = desk
            .push(host, &format!("--base {base} -t v1"))
            .succeeds()
            .says("mounted 1");
        let asked = tokens.requests().len() - before;
        assert!(asked <= 3, "to pull the base, to push, to mount: {asked}");
        let layer = &layers_of_base(&desk, &base)[0];
        assert!(!sent(&registry, 0).contains(layer));
        let name = format!("{host}/team/hello:v1");
        desk.skopeo_gets(&name, &pushed.digest());
        desk.podman_gets(&name, &pushed.digest());
        let known = desk.clients.regctl(&["image", "digest", &name]);
        assert_eq!(known.succeeds().stdout().trim(), pushed.digest());
    }
}

/// As [`Desk::give_base`], by regctl.
fn give_base(desk: &Desk, host: &str) -> String {
    let source = desk.env.path("source");
    let written = crate::feed::two_platforms(&source);
    let from = format!("ocidir://{}:base", source.display());
    let to = format!("{host}/base:1");
    desk.clients
        .regctl(&["image", "copy", &from, &to])
        .succeeds();
    format!("{host}/base@{}", written.index)
}

#[test]
#[ignore = "needs docker-registry, openssl, registry, skopeo"]
fn strangers_build_on_a_base_that_all_may_pull_with_a_token() {
    for program in DISTRIBUTIONS {
        let (registry, target) = (with_tokens(program), start(program, |_| {}));
        let host = registry.host.as_str();
        let owner = Desk::with(|clients| clients.logged_in(host, USER, PASSWORD).plain(host));
        let base = give_base(&owner, host);
        let stranger = Desk::new();
        let pushed = stranger
            .push(&target.host, &format!("--base {base} -t v1"))
            .succeeds();
        let name = format!("{}/team/hello:v1", target.host);
        stranger.skopeo_gets(&name, &pushed.digest());
    }
}

#[test]
#[ignore = "needs docker-registry, openssl, registry, skopeo"]
fn a_login_is_tried_at_the_token_server_and_serves_a_push() {
    for program in DISTRIBUTIONS {
        let registry = with_tokens(program);
        let desk = Desk::new();
        login(&desk, &registry.host, "wrong").ends_with(6);
        login(&desk, &registry.host, PASSWORD).succeeds();
        let pushed = desk.push(&registry.host, "-t v1").succeeds();
        let name = format!("{}/team/hello:v1", registry.host);
        desk.skopeo_gets(&name, &pushed.digest());
    }
}
