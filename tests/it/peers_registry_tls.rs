//! B1: registries with TLS whose authority nobody knows, until it is told in one of the ways that there are.

use std::fs;
use std::path::Path;

use crate::matrix::{DISTRIBUTIONS, Desk, asked, start};
use crate::registry::{Program, Registry, RegistryOptions};
use crate::support::run;
use crate::test_registry::Authority;

fn https(program: Program, authority: &Authority) -> Registry {
    Registry::start_with(&RegistryOptions {
        program,
        authority: Some(authority),
        ..RegistryOptions::default()
    })
}

/// A desk whose other clients trust the authority, so that what rbuild pushed can be looked at.
fn desk(authority: &Authority) -> Desk {
    Desk::with(|clients| clients.trusting(&authority.pem()))
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    fs::write(path, text).expect("written");
}

#[test]
#[ignore = "needs docker-registry, registry"]
fn an_authority_that_nobody_told_us_of_is_refused_with_the_ways_out_and_http_is_not_tried() {
    let (authority, other) = (Authority::new(), Authority::new());
    for program in DISTRIBUTIONS {
        let registry = https(program, &authority);
        let desk = Desk::new();
        let refused = desk.push(&registry.host, "").ends_with(7);
        refused.says(&registry.host).says("certificate").says("ca");
        let mut misled = desk.pushing(&registry.host, "");
        let file = desk.env.path("other.pem");
        write(&file, &other.pem());
        run(misled.env("SSL_CERT_FILE", &file)).ends_with(7);
        assert_eq!(registry.asked(), [""; 0]);
    }
}

#[test]
#[ignore = "needs crane, docker-registry, podman, registry, skopeo"]
fn ssl_cert_file_names_the_authority() {
    let authority = Authority::new();
    for program in DISTRIBUTIONS {
        let registry = https(program, &authority);
        let desk = desk(&authority);
        let file = desk.env.path("ca.pem");
        write(&file, &authority.pem());
        let base = desk.give_base(&registry.host);
        let mut command = desk.pushing(&registry.host, &format!("-t v1 --base {base}"));
        let pushed = run(command.env("SSL_CERT_FILE", &file)).succeeds();
        let name = format!("{}/team/hello:v1", registry.host);
        desk.gets_back(&name, &pushed.digest());
        pushed.says("mounted 1");
    }
}

#[test]
#[ignore = "needs crane, docker-registry, podman, registry, skopeo"]
fn the_configuration_names_the_authority_of_one_registry() {
    let authority = Authority::new();
    for program in DISTRIBUTIONS {
        let (registry, other) = (https(program, &authority), https(program, &authority));
        let desk = desk(&authority);
        let config = desk.env.path("settings/.builder.yaml");
        write(&desk.env.path("settings/ca.pem"), &authority.pem());
        let line = format!("registries:\n  \"{}\": {{ca: ca.pem}}\n", registry.host);
        write(&config, &line);
        let mut command = desk.pushing(&registry.host, "-t v1");
        let pushed = run(command.env("RBUILD_CONFIG", &config)).succeeds();
        let name = format!("{}/team/hello:v1", registry.host);
        desk.gets_back(&name, &pushed.digest());
        let mut command = desk.pushing(&other.host, "-t v1");
        run(command.env("RBUILD_CONFIG", &config)).ends_with(7);
        // The other sub-commands read it too.
        let there = format!("{}/again:v1", registry.host);
        for words in [&["push", &name, &there][..], &["cache", "warm", &name]] {
            let mut command = desk.command(words);
            run(command.env("RBUILD_CONFIG", &config)).succeeds();
        }
        desk.crane_gets(&there, &pushed.digest());
    }
}

#[test]
#[ignore = "needs crane, docker-registry, podman, registry, skopeo"]
fn the_directories_of_docker_and_podman_name_the_authority_of_one_registry() {
    let authority = Authority::new();
    for (program, place) in [
        (Program::Distribution2, ".docker"),
        (Program::Distribution3, ".config/containers"),
    ] {
        let registry = https(program, &authority);
        let desk = desk(&authority);
        let home = desk.env.path("home").join(place).join("certs.d");
        write(&home.join(&registry.host).join("ca.crt"), &authority.pem());
        let pushed = desk.push(&registry.host, "-t v1").succeeds();
        let name = format!("{}/team/hello:v1", registry.host);
        desk.gets_back(&name, &pushed.digest());
    }
}

#[test]
#[ignore = "needs crane, docker-registry, registry"]
fn insecure_asks_for_no_authority_and_speaks_tls_all_the_same() {
    let authority = Authority::new();
    for program in DISTRIBUTIONS {
        let registry = https(program, &authority);
        let desk = desk(&authority);
        let pushed = desk
            .push(&registry.host, "--insecure-registry -t v1")
            .succeeds();
        let name = format!("{}/team/hello:v1", registry.host);
        desk.crane_gets(&name, &pushed.digest());
        let plain = asked(&registry, 0, "team/hello");
        assert!(
            !plain.iter().any(|line| line.ends_with(" 400")),
            "{plain:?}"
        );
    }
}

#[test]
#[ignore = "needs crane, docker-registry"]
fn a_base_behind_tls_goes_to_a_registry_without_and_back() {
    let authority = Authority::new();
    let (closed, open) = (
        https(Program::Distribution2, &authority),
        start(Program::Distribution2, |_| {}),
    );
    let desk = desk(&authority);
    let file = desk.env.path("ca.pem");
    write(&file, &authority.pem());
    for (from, to) in [(&closed, &open), (&open, &closed)] {
        let base = desk.give_base(&from.host);
        let mut command = desk.pushing(&to.host, &format!("-t v1 --base {base}"));
        let pushed = run(command.env("SSL_CERT_FILE", &file)).succeeds();
        let name = format!("{}/team/hello:v1", to.host);
        desk.crane_gets(&name, &pushed.digest());
        pushed.says("sent 3 (");
    }
}
