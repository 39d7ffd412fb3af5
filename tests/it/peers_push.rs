//! Pushes to real registries, and what other programs find there: the same digest, sound to every one of them.

use crate::clients::Clients;
use crate::registry::{Access, PASSWORD, Program, Registry, RegistryOptions, USER};
use crate::support::{Run, TestEnv, peer, run};
use crate::test_registry::Authority;
use crate::warm::{build, pushing};

const ALL: [Program; 3] = [
    Program::Distribution2,
    Program::Distribution3,
    Program::Crane,
];
const DISTRIBUTIONS: [Program; 2] = [Program::Distribution2, Program::Distribution3];

fn start(program: Program, change: impl FnOnce(&mut RegistryOptions<'_>)) -> Registry {
    let mut options = RegistryOptions {
        program,
        ..RegistryOptions::default()
    };
    change(&mut options);
    Registry::start_with(&options)
}

/// A build that pushes to `HOST/team`, with the credentials and the authority of these clients.
fn push(env: &TestEnv, clients: &Clients, host: &str, authority: Option<&Authority>) -> Run {
    let mut command = pushing(env, &[], &format!("--repo {host}/team -t v1"));
    let docker = clients.auth_file();
    command.env("DOCKER_CONFIG", docker.parent().expect("a directory"));
    if let Some(authority) = authority {
        let file = env.path("authority.pem");
        std::fs::write(&file, authority.pem()).expect("written");
        command.env("SSL_CERT_FILE", file);
    }
    run(&mut command)
}

/// crane finds the image under its tag, and nothing wrong with it.
fn is_sound(clients: &Clients, name: &str, pushed: &Run) {
    let digest = clients.crane(&["digest", name]).succeeds().stdout();
    assert_eq!(digest.trim(), pushed.digest(), "{name}");
    clients.crane(&["validate", "--remote", name]).succeeds();
}

#[test]
#[ignore = "needs crane, docker-registry, registry, skopeo"]
fn v05_what_is_pushed_is_pulled_back_with_the_same_digest() {
    for program in ALL {
        let env = TestEnv::new();
        let registry = start(program, |_| {});
        let clients = Clients::new(&env);
        let pushed = push(&env, &clients, &registry.host, None).succeeds();
        let name = format!("{}/team/hello:v1", registry.host);
        is_sound(&clients, &name, &pushed);
        let copy = env.path("copy").display().to_string();
        let (from, to) = (format!("docker://{name}"), format!("dir:{copy}"));
        clients.skopeo(&["copy", &from, &to]).succeeds();
        let manifest = std::fs::read(env.path("copy/manifest.json")).expect("copied");
        let digest = format!("sha256:{}", crate::support::hex(&manifest));
        assert_eq!(digest, pushed.digest(), "{program:?}");
        let again = push(&env, &clients, &registry.host, None).succeeds();
        again.says("there already 5");
    }
}

#[test]
#[ignore = "needs crane, docker-registry, registry"]
fn a_kept_image_and_one_of_a_layout_are_pushed_too() {
    for program in ALL {
        let env = TestEnv::new();
        let registry = start(program, |_| {});
        let clients = Clients::new(&env);
        let kept = build(&env, "").succeeds();
        for repository in ["one", "two"] {
            let name = format!("{}/team/{repository}:v1", registry.host);
            let mut command = env.command(&env.path("home"));
            run(command.args(["push", "hello", &name])).succeeds();
            is_sound(&clients, &name, &kept);
        }
    }
}

#[test]
#[ignore = "needs crane, docker-registry, registry"]
fn layers_of_a_base_are_mounted_in_a_real_registry_or_pass_through_from_another() {
    for program in DISTRIBUTIONS {
        let env = TestEnv::new();
        let (near, far) = (start(program, |_| {}), start(program, |_| {}));
        let clients = Clients::new(&env);
        let base = crate::support::base(&env.path("base"), true, &["v1"]);
        let layout = env.path("base").display().to_string();
        let name = format!("{}/base:v1", near.host);
        peer("crane", &["push", &layout, &name]);
        for (target, word) in [(&near, "mounted 1"), (&far, "sent 3 (")] {
            let arguments = format!(
                "--repo {}/team -t v1 --base {}/base:v1",
                target.host, near.host
            );
            let pushed = run(&mut pushing(&env, &[], &arguments)).succeeds();
            let name = format!("{}/team/hello:v1", target.host);
            is_sound(&clients, &name, &pushed);
            pushed.says(word);
        }
        assert!(!crate::warm::blob(&env.cache().join("build"), &base.layer).exists());
    }
}

#[test]
#[ignore = "needs crane, docker-registry, htpasswd, openssl, registry"]
fn who_may_push_is_asked_and_nobody_else_may() {
    for program in DISTRIBUTIONS {
        for access in [Access::Htpasswd, Access::Token] {
            let env = TestEnv::new();
            let registry = start(program, |options| options.access = access);
            let stranger = Clients::new(&env);
            let refused = push(&env, &stranger, &registry.host, None).ends_with(6);
            assert!(!refused.stderr().contains(PASSWORD));
            let wrong = Clients::new(&env).logged_in(&registry.host, USER, "wrong");
            push(&env, &wrong, &registry.host, None).ends_with(6);
            let clients = Clients::new(&env).logged_in(&registry.host, USER, PASSWORD);
            let pushed = push(&env, &clients, &registry.host, None).succeeds();
            assert!(!pushed.stderr().contains(PASSWORD));
            push(&env, &clients, &registry.host, None)
                .succeeds()
                .says("there already 5");
        }
    }
}

#[test]
#[ignore = "needs crane, docker-registry, registry"]
fn tls_of_an_own_authority_is_believed_when_it_is_named_and_never_else() {
    let authority = Authority::new();
    for program in DISTRIBUTIONS {
        let env = TestEnv::new();
        let registry = Registry::start_with(&RegistryOptions {
            program,
            authority: Some(&authority),
            ..RegistryOptions::default()
        });
        let clients = Clients::new(&env).trusting(&authority.pem());
        push(&env, &clients, &registry.host, None).ends_with(7);
        let pushed = push(&env, &clients, &registry.host, Some(&authority)).succeeds();
        is_sound(
            &clients,
            &format!("{}/team/hello:v1", registry.host),
            &pushed,
        );
    }
}

#[test]
#[ignore = "needs crane, docker-registry, registry"]
fn relative_locations_redirected_blobs_and_ipv6_are_taken() {
    for program in DISTRIBUTIONS {
        let changes: [fn(&mut RegistryOptions<'_>); 3] = [
            |options| options.relative_urls = true,
            |options| options.redirect = true,
            |options| options.ipv6 = true,
        ];
        for change in changes {
            let env = TestEnv::new();
            let registry = start(program, change);
            let clients = Clients::new(&env);
            let pushed = push(&env, &clients, &registry.host, None).succeeds();
            is_sound(
                &clients,
                &format!("{}/team/hello:v1", registry.host),
                &pushed,
            );
        }
    }
}

#[test]
#[ignore = "needs docker-registry, registry"]
fn a_registry_that_is_read_only_says_so() {
    for program in DISTRIBUTIONS {
        let env = TestEnv::new();
        let registry = start(program, |options| options.read_only = true);
        let clients = Clients::new(&env);
        let refused = push(&env, &clients, &registry.host, None).ends_with(7);
        assert_eq!(refused.stdout(), "");
        refused.says("405");
    }
}
