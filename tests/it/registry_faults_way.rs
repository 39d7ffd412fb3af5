//! The way to a registry: TLS, proxies, HTTP/2, and connections that go away, against the whole program.

#![expect(clippy::disallowed_types, reason = "proxies of the test")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::front::{Farewell, Front};
use crate::internet::Internet;
use crate::served::{Served, served};
use crate::support::{TestEnv, hex, run};
use crate::test_registry::{Action, Authority, Options, Rule, TestRegistry, Tls};
use crate::warm::build;

/// A world that trusts this authority, by a file that openssl's variable names.
fn trusting(authority: &Authority) -> TestEnv {
    let env = TestEnv::new();
    fs::write(env.path("ca.pem"), authority.pem()).expect("written");
    env
}

fn command(env: &TestEnv, words: &str) -> Command {
    let mut command = env.command(&env.path("home"));
    command.env("SSL_CERT_FILE", env.path("ca.pem"));
    command.args(words.split(' '));
    command
}

/// A registry in https that holds a base.
fn secured(env: &TestEnv, tls: Tls) -> (TestRegistry, Served) {
    let registry = TestRegistry::with(Options {
        tls: Some(tls),
        ..Options::default()
    });
    let base = served(env);
    base.give(&registry, "team/base");
    (registry, base)
}

fn pull(env: &TestEnv, host: &str) -> Command {
    command(env, &format!("cache warm --layers {host}/team/base:v1"))
}

#[test]
fn r11_http_in_a_location_of_an_https_registry_is_made_https_and_told_once() {
    let authority = Authority::new();
    let env = trusting(&authority);
    build(&env, "").succeeds();
    let (registry, _base) = secured(&env, authority.for_loopback());
    registry.rule(Rule::on("POST", "*").then(Action::change(|answer| {
        let location = answer.get("location").expect("there").to_owned();
        answer.set("location", location.replace("https://", "http://"));
    })));
    let host = registry.host();
    let done = run(&mut command(
        &env,
        &format!("push hello {host}/team/app:v1"),
    ))
    .succeeds();
    let told = done.stderr();
    assert_eq!(told.matches("https is kept").count(), 1, "{told}");
    assert_eq!(registry.tags("team/app"), ["v1"]);
}

#[test]
fn r34_a_certificate_that_is_refused_ends_with_7_and_the_reason_and_nothing_goes_in_clear() {
    let (authority, other) = (Authority::new(), Authority::new());
    for (tls, words) in [
        (other.for_loopback(), "not trusted here"),
        (authority.expired(), "expired"),
        (authority.for_names(&["registry.example"]), "is not for"),
    ] {
        let env = trusting(&authority);
        let (registry, _base) = secured(&env, tls);
        let done = run(&mut pull(&env, &registry.host())).ends_with(7);
        done.says(words).says(&registry.host());
        assert_eq!(registry.requests().len(), 0);
    }
}

#[test]
fn r34_an_authority_of_ones_own_is_believed_wherever_it_is_named() {
    let authority = Authority::new();
    let env = trusting(&authority);
    let (registry, _base) = secured(&env, authority.for_loopback());
    let host = registry.host();
    run(&mut pull(&env, &host)).succeeds();
    let docker = env.path(&format!("home/.config/containers/certs.d/{host}"));
    let config = env.path("builder.yaml");
    let yaml = format!(
        "registries: {{\"{host}\": {{ca: {}}}}}\n",
        env.path("ca.pem").display()
    );
    fs::write(&config, yaml).expect("written");
    let words = format!("cache warm --layers {host}/team/base:v1");
    let bare = |env: &TestEnv| {
        let mut command = env.command(&env.path("home"));
        command.env("KOCACHE", env.path("another cache"));
        command.args(words.split(' '));
        command
    };
    run(&mut bare(&env)).ends_with(7);
    run(bare(&env).env("RBUILD_CONFIG", &config)).succeeds();
    fs::create_dir_all(&docker).expect("made");
    fs::copy(env.path("ca.pem"), docker.join("ca.crt")).expect("copied");
    run(&mut bare(&env)).succeeds();
    run(bare(&env).arg("--insecure-registry")).succeeds();
}

/// A proxy that says these bytes to whoever comes, and what it was asked.
fn proxy_saying(words: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("bound").to_string();
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&heard);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
            log.lock().expect("sound").push(text);
            let _ = stream.write_all(words.as_bytes());
        }
    });
    (address, heard)
}

#[test]
fn r35_a_proxy_that_asks_who_we_are_or_dies_ends_with_7_and_is_named_without_its_secret() {
    for (words, tries, reason) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
            1,
            "407",
        ),
        (
            "HTTP/1.1 200 Connection established\r\n\r\n",
            5,
            "through the proxy",
        ),
        ("HTTP/1.1 503 Busy\r\n\r\n", 5, "through the proxy"),
        ("", 5, "through the proxy"),
    ] {
        let env = TestEnv::new();
        let (proxy, heard) = proxy_saying(words);
        let mut pull = env.command(&env.path("home"));
        pull.env("HTTPS_PROXY", format!("http://me:pr0xy-secret@{proxy}"));
        pull.args(["cache", "warm", "registry.example/team/base:v1"]);
        let done = run(&mut pull).ends_with(7).says(reason).says(&proxy);
        assert!(!done.stderr().contains("pr0xy"), "{}", done.stderr());
        let heard = heard.lock().expect("sound");
        assert!(
            heard
                .iter()
                .all(|head| head.starts_with("CONNECT registry.example:443 "))
        );
        assert_eq!(heard.len(), tries, "{words}");
    }
}

#[test]
fn r35_this_machine_and_what_no_proxy_names_are_reached_without_the_proxy() {
    let env = TestEnv::new();
    let (proxy, heard) = proxy_saying("");
    let base = served(&env);
    let proxied = |name: &str, no_proxy: &str| {
        let mut pull = env.command(&env.path("home"));
        for variable in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"] {
            pull.env(variable, format!("http://{proxy}"));
        }
        pull.env("NO_PROXY", no_proxy);
        run(pull.args(["cache", "warm", name]))
    };
    proxied(&base.tag(), "").succeeds();
    // Nobody has this name; the point is who is asked for it.
    for (no_proxy, asked) in [
        ("other.invalid", true),
        ("example.invalid", false),
        ("*", false),
    ] {
        heard.lock().expect("sound").clear();
        proxied("registry.example.invalid/a/b:v1", no_proxy).ends_with(7);
        assert_eq!(
            !heard.lock().expect("sound").is_empty(),
            asked,
            "{no_proxy}"
        );
    }
}

#[test]
fn r35_a_registry_behind_a_proxy_is_pulled_from_through_the_tunnel() {
    let (env, internet) = (TestEnv::new(), Internet::new());
    let tls = internet.authority.for_names(&["registry.example"]);
    let (registry, _base) = secured(&env, tls);
    internet.lead("registry.example:443", &registry);
    let mut pull = env.command(&env.path("home"));
    pull.args(["cache", "warm", "--layers", "registry.example/team/base:v1"]);
    run(internet.given_to(&env, &mut pull)).succeeds();
    assert!(
        internet
            .heard()
            .iter()
            .all(|head| head.starts_with("CONNECT "))
    );
}

#[test]
fn r26_a_registry_that_closes_after_each_answer_or_speaks_http_1_0_is_no_trouble() {
    for close in [true, false] {
        let env = TestEnv::new();
        build(&env, "").succeeds();
        let registry = TestRegistry::start();
        if close {
            let closes = Action::pass_with(&[("connection", "close")]);
            registry.rule(Rule::on("*", "*").then(closes));
        } else {
            let ok = b"HTTP/1.0 404 Not Found\r\n\r\n".to_vec();
            registry.rule(Rule::on("HEAD", "*").then(Action::Raw(ok)));
        }
        let words = format!("push hello {}/team/app:v1", registry.host());
        env.rbuild(&env.path("home"), &words).succeeds();
        assert_eq!(registry.tags("team/app"), ["v1"]);
    }
}

/// Pushes through a front that goes away at its request number `last`; says how many requests and connections there were.
fn pushed_through(env: &TestEnv, authority: &Authority, end: (Farewell, usize)) -> (usize, usize) {
    let registry = TestRegistry::with(Options {
        relative_locations: true,
        ..Options::default()
    });
    let front = Front::of(&registry, authority, end);
    let done = run(&mut command(
        env,
        &format!("push hello {}/team/app:v1", front.host),
    ));
    assert_eq!(
        done.output.status.code(),
        Some(0),
        "{end:?}\n{}",
        done.stderr()
    );
    assert_eq!(registry.tags("team/app"), ["v1"]);
    let manifest = registry.manifest("team/app", "v1").expect("there");
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    for layer in manifest["layers"].as_array().expect("layers") {
        let digest = layer["digest"].as_str().expect("a digest");
        let bytes = registry.blob("team/app", digest).expect(digest);
        assert_eq!(hex(&bytes), digest[7..], "{end:?}");
    }
    (front.requests(), front.connections())
}

#[test]
fn r26_a_goaway_in_the_middle_of_a_push_means_another_connection_and_a_whole_image() {
    let authority = Authority::new();
    let env = trusting(&authority);
    build(&env, "").succeeds();
    let (requests, connections) = pushed_through(&env, &authority, (Farewell::InOrder, 0));
    assert_eq!(connections, 1);
    for last in 1..=requests {
        let (_, connections) = pushed_through(&env, &authority, (Farewell::AtOnce, last));
        assert!(connections >= 2, "{last}");
    }
    for last in (1..=requests).step_by(4) {
        pushed_through(&env, &authority, (Farewell::InOrder, last));
        pushed_through(&env, &authority, (Farewell::OfOne, last));
    }
}
