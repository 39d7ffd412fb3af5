//! Every registry that the matrix rests on starts, and is what its options say: one test for each option.

use crate::clients::Clients;
use crate::feed::{blob, two_platforms};
use crate::registry::{Access, PASSWORD, Program, Registry, RegistryOptions, USER};
use crate::support::{TestEnv, document};
use crate::talk::{Talk, ask};
use crate::test_registry::Authority;

const DISTRIBUTIONS: [Program; 2] = [Program::Distribution2, Program::Distribution3];

fn start(program: Program, change: impl FnOnce(&mut RegistryOptions<'_>)) -> Registry {
    let mut options = RegistryOptions {
        program,
        ..RegistryOptions::default()
    };
    change(&mut options);
    Registry::start_with(&options)
}

/// Pushes two platforms to `HOST/a:v1` with crane, and returns the digest.
fn push(env: &TestEnv, clients: &Clients, host: &str) -> String {
    let source = env.path("source");
    let written = two_platforms(&source);
    let source = source.display().to_string();
    clients
        .crane(&["push", &source, &format!("{host}/a:v1")])
        .succeeds();
    written.index
}

/// The digest of the layer for amd64 of what [`push`] pushed.
fn layer(env: &TestEnv, index: &str) -> String {
    let source = env.path("source");
    assert!(blob(&source, index).exists());
    let manifest = document(&source, index)["manifests"][0]["digest"].clone();
    let manifest = document(&source, manifest.as_str().expect("a digest"));
    manifest["layers"][0]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned()
}

#[test]
#[ignore = "needs crane, docker-registry, registry"]
fn each_program_takes_what_crane_pushes() {
    for program in [
        Program::Distribution2,
        Program::Distribution3,
        Program::Crane,
    ] {
        let env = TestEnv::new();
        let registry = start(program, |_| {});
        let clients = Clients::new(&env);
        let digest = push(&env, &clients, &registry.host);
        let name = format!("{}/a:v1", registry.host);
        assert_eq!(
            clients.crane(&["digest", &name]).succeeds().stdout().trim(),
            digest,
            "{program:?}"
        );
    }
}

#[test]
#[ignore = "needs crane, docker-registry, htpasswd, registry"]
fn a_password_is_asked_for() {
    for program in DISTRIBUTIONS {
        let env = TestEnv::new();
        let registry = start(program, |options| options.access = Access::Htpasswd);
        let refused = ask(&registry.host, "GET /v2/");
        let challenge = refused.header("www-authenticate").expect("a challenge");
        assert!(challenge.starts_with("Basic "), "{challenge}");
        let clients = Clients::new(&env).logged_in(&registry.host, USER, PASSWORD);
        push(&env, &clients, &registry.host);
    }
}

#[test]
#[ignore = "needs docker-registry, openssl, regctl, registry"]
fn a_token_is_asked_for_and_believed() {
    for program in DISTRIBUTIONS {
        let env = TestEnv::new();
        let registry = start(program, |options| options.access = Access::Token);
        let source = env.path("source");
        let written = two_platforms(&source);
        let from = format!("ocidir://{}:base", source.display());
        let to = format!("{}/a:v1", registry.host);
        // crane refuses a realm on another port of loopback.
        let stranger = Clients::new(&env).plain(&registry.host);
        stranger.regctl(&["image", "copy", &from, &to]).ends_with(1);
        let clients = Clients::new(&env)
            .logged_in(&registry.host, USER, PASSWORD)
            .plain(&registry.host);
        clients.regctl(&["image", "copy", &from, &to]).succeeds();
        let digest = stranger
            .regctl(&["image", "digest", &to])
            .succeeds()
            .stdout();
        assert_eq!(digest.trim(), written.index);
        let asked = registry.tokens.as_ref().expect("a token server").requests();
        assert!(asked.iter().all(|seen| seen.path == "/token"));
        assert!(
            asked
                .iter()
                .any(|seen| seen.header("authorization").is_some())
        );
    }
}

#[test]
#[ignore = "needs crane, docker-registry, registry"]
fn tls_comes_from_an_authority_of_the_test() {
    let authority = Authority::new();
    for program in DISTRIBUTIONS {
        let env = TestEnv::new();
        let registry = Registry::start_with(&RegistryOptions {
            program,
            authority: Some(&authority),
            ..RegistryOptions::default()
        });
        let stranger = Clients::new(&env);
        let name = format!("{}/a:v1", registry.host);
        stranger.crane(&["digest", &name]).ends_with(1).says("x509");
        let clients = Clients::new(&env).trusting(&authority.pem());
        push(&env, &clients, &registry.host);
    }
}

#[test]
#[ignore = "needs crane, docker-registry, registry"]
fn a_read_only_registry_serves_the_storage_of_another() {
    for program in DISTRIBUTIONS {
        let env = TestEnv::new();
        let clients = Clients::new(&env);
        let writable = start(program, |_| {});
        let digest = push(&env, &clients, &writable.host);
        let registry = start(program, |options| {
            options.read_only = true;
            options.storage = Some(writable.storage.clone());
        });
        let name = format!("{}/a:v1", registry.host);
        assert_eq!(
            clients.crane(&["digest", &name]).succeeds().stdout().trim(),
            digest
        );
        assert_eq!(ask(&registry.host, "POST /v2/a/blobs/uploads/").status, 405);
    }
}

#[test]
#[ignore = "needs crane, docker-registry, registry"]
fn blobs_are_sent_for_to_another_origin() {
    for program in DISTRIBUTIONS {
        let env = TestEnv::new();
        let clients = Clients::new(&env);
        let registry = start(program, |options| options.redirect = true);
        let digest = push(&env, &clients, &registry.host);
        let layer = layer(&env, &digest);
        let sent = ask(&registry.host, &format!("GET /v2/a/blobs/{layer}"));
        let store = registry.blob_store.as_ref().expect("a store");
        let to = sent.header("location").expect("a location");
        assert_eq!(
            (sent.status, to.starts_with(&store.origin())),
            (307, true),
            "{to}"
        );
        let name = format!("{}/a@{layer}", registry.host);
        let bytes = clients.crane(&["blob", &name]).succeeds().output.stdout;
        assert_eq!(
            bytes,
            std::fs::read(blob(&env.path("source"), &layer)).expect("there")
        );
        assert_eq!(store.count("GET", "*"), 1);
    }
}

#[test]
#[ignore = "needs docker-registry, registry"]
fn locations_are_relative_or_not() {
    for program in DISTRIBUTIONS {
        let location = |relative| {
            let registry = start(program, |options| options.relative_urls = relative);
            let begun = ask(&registry.host, "POST /v2/a/blobs/uploads/");
            begun.header("location").expect("a location").to_owned()
        };
        assert!(location(true).starts_with("/v2/a/blobs/uploads/"));
        assert!(location(false).starts_with("http://127.0.0.1:"));
    }
}

#[test]
#[ignore = "needs crane, docker-registry, registry"]
fn each_program_listens_on_ipv6() {
    for program in [
        Program::Distribution2,
        Program::Distribution3,
        Program::Crane,
    ] {
        let registry = start(program, |options| options.ipv6 = true);
        assert!(registry.host.starts_with("[::1]:"));
        assert_eq!(
            Talk::to(&registry.host).ask("GET /v2/", &[], b"").status,
            200,
            "{program:?}"
        );
    }
}

#[test]
#[ignore = "needs crane, docker-registry, registry"]
fn a_proxy_pulls_through() {
    for program in DISTRIBUTIONS {
        let env = TestEnv::new();
        let clients = Clients::new(&env);
        let origin = start(program, |_| {});
        let digest = push(&env, &clients, &origin.host);
        let proxy = start(program, |options| {
            options.proxy_of = Some(format!("http://{}", origin.host));
        });
        let name = format!("{}/a:v1", proxy.host);
        assert_eq!(
            clients.crane(&["digest", &name]).succeeds().stdout().trim(),
            digest
        );
        drop(origin);
        // It has kept what went through it.
        let line = format!("GET /v2/a/manifests/{digest}");
        let index = [("Accept", "application/vnd.oci.image.index.v1+json")];
        assert_eq!(Talk::to(&proxy.host).ask(&line, &index, b"").status, 200);
    }
}
