//! A base from a registry that fails or lies: what the program makes of it, and the code that it ends with.
//!
//! The rows of the fault catalogue that speak of exit codes; what happens on the wire is told by the unit tests of `registry`.

use std::fs;
use std::io::Write;

use serde_json::{Value, json};

use crate::served::{Served, asked, served};
use crate::support::{Run, TestEnv, document, tree};
use crate::test_registry::{Action, Options, Rule, TestRegistry};
use crate::warm::{blob, build_online, faults_of, temps};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const MANIFESTS: &str = "*/manifests/*";
const BLOBS: &str = "*/blobs/*";

/// `rbuild cache warm --layers`, in a world that knows nothing yet.
fn warm(env: &TestEnv, name: &str) -> Run {
    env.rbuild(&env.path("home"), &format!("cache warm --layers {name}"))
}

/// Warms a cold cache with the tag of a base whose registry obeys these rules.
fn pulled(rules: Vec<Rule>) -> (TestEnv, Served, Run) {
    let env = TestEnv::new();
    let base = served(&env);
    rules.into_iter().for_each(|rule| base.there.rule(rule));
    let run = warm(&env, &base.tag());
    (env, base, run)
}

/// As [`pulled`], to this end; the cache holds no lie whatever it is.
fn ends(rules: Vec<Rule>, code: i32) -> (TestEnv, Served, Run) {
    let (env, base, run) = pulled(rules);
    let run = run.ends_with(code);
    assert_eq!(faults_of(&env.cache().join("img")), [""; 0]);
    assert_eq!(temps(&env.path("")), [""; 0]);
    (env, base, run)
}

/// Whether the cache records a name of the base.
fn is_named(env: &TestEnv) -> bool {
    let index = fs::read_to_string(env.cache().join("img/index.json"));
    index.is_ok_and(|index| index.contains("team/base"))
}

fn on(method: &str, path: &str, action: Action) -> Vec<Rule> {
    vec![Rule::on(method, path).then(action)]
}

/// The five requests of a cold pull of a tag.
fn requests(base: &Served) -> [(&'static str, String); 5] {
    let manifest = |name: &str| format!("/v2/team/base/manifests/{name}");
    let blob = |name: &str| format!("/v2/team/base/blobs/{name}");
    [
        ("HEAD", manifest("v1")),
        ("GET", manifest(&base.made.index)),
        ("GET", manifest(&base.made.image)),
        ("GET", blob(&base.config())),
        ("GET", blob(&base.made.layer)),
    ]
}

#[test]
fn r01_r05_each_request_of_a_pull_is_tried_again_after_503_and_malformed_answers() {
    let garbled = b"HTTP/1.1 429 Too Many Requests\nContent-Length: 0\n\n".to_vec();
    for number in 0..5 {
        for action in [Action::Status(503), Action::Raw(garbled.clone())] {
            let env = TestEnv::new();
            let base = served(&env);
            let requests = requests(&base);
            let (method, path) = &requests[number];
            base.there
                .rule(Rule::on(method, path).times(2).then(action));
            warm(&env, &base.tag()).succeeds();
            for (other, (method, path)) in requests.iter().enumerate() {
                let expected = if other == number { 3 } else { 1 };
                assert_eq!(base.there.count(method, path), expected, "{method} {path}");
            }
        }
    }
}

#[test]
fn r02_r03_whatever_moment_a_registry_names_a_pull_goes_on_and_ends() {
    for moment in [
        "2",
        "99999999",
        "-1",
        "abc",
        "Sun, 06 Nov 1994 08:49:37 GMT",
    ] {
        let busy = Action::answer(429, &[("retry-after", moment)], "");
        let (_env, base, _run) = ends(vec![Rule::on("GET", BLOBS).times(1).then(busy)], 0);
        assert_eq!(asked(&base.there).len(), 6, "{moment}");
    }
}

#[test]
fn r04_a_registry_that_always_fails_ends_with_7_and_its_last_words() {
    let body = r#"{"errors":[{"code":"UNKNOWN","message":"the disk is full"}]}"#;
    let (_env, base, run) = ends(on("GET", "*", Action::answer(500, &[], body)), 7);
    assert_eq!(base.there.count("GET", "*"), 5);
    run.says("500 Internal Server Error")
        .says("the disk is full")
        .says(&base.there.host());
}

#[test]
fn r13_redirects_in_a_circle_or_without_end_or_inward_end_with_7() {
    for (to, words) in [
        ("/v2/team/base/blobs/again?x=1", "redirects in a circle"),
        ("http://169.254.169.254/latest", "leads into this machine"),
        ("http://169.254.169.254.:80/", "leads into this machine"),
    ] {
        let away = Action::answer(307, &[("location", to)], "");
        let (_env, _base, run) = ends(on("GET", BLOBS, away), 7);
        run.says(words).says("/blobs/");
    }
    let hops = (0..9).map(|hop| {
        let from = format!(
            "*/blobs/{}",
            if hop == 0 {
                "*".to_owned()
            } else {
                hop.to_string()
            }
        );
        let to = (hop + 1).to_string();
        Rule::on("GET", &from)
            .times(1)
            .then(Action::answer(307, &[("location", &to)], ""))
    });
    let (_env, _base, run) = ends(hops.rev().collect(), 7);
    run.says("more than 5 times");
}

#[test]
fn r14_a_head_that_is_refused_or_says_too_little_is_no_matter() {
    let bare = Action::change(|answer| {
        answer.remove("docker-content-digest");
        answer.remove("content-length");
    });
    for action in [
        Action::Status(405),
        Action::Status(404),
        Action::Status(401),
        Action::Status(403),
        bare,
    ] {
        ends(on("HEAD", "*", action), 0);
    }
}

#[test]
fn r15_a_digest_in_a_header_may_be_missing_or_strange_but_not_another() {
    let other = format!("sha256:{}", "1".repeat(64));
    let long = format!("sha512:{}", "a".repeat(128));
    for (told, code) in [("", 0), ("nonsense", 0), (long.as_str(), 0), (&other, 5)] {
        let action = Action::pass_with(&[("docker-content-digest", told)]);
        let (env, _base, run) = ends(on("GET", MANIFESTS, action), code);
        assert_eq!(is_named(&env), code == 0, "{told}");
        if code == 5 {
            run.says(&other).says("found: sha256:");
        }
    }
}

#[test]
fn r16_h05_a_content_type_may_be_vague_but_what_it_names_must_be_so() {
    let docker = "application/vnd.docker.distribution.manifest.list.v2+json";
    for (told, code) in [
        ("text/plain", 0),
        ("", 0),
        (&format!("{INDEX}; charset=utf-8"), 0),
        (MANIFEST, 5),
        (docker, 5),
    ] {
        let action = Action::pass_with(&[("content-type", told)]);
        let rule = Rule::on("GET", MANIFESTS).times(1).then(action);
        let (env, _base, _run) = ends(vec![rule], code);
        assert_eq!(is_named(&env), code == 0, "{told}");
    }
}

/// A registry whose answer to the first GET of a manifest is `bytes`, asked by a pin of what they are not.
#[test]
fn r17_h01_another_manifest_than_the_pinned_one_ends_with_5_and_both_digests() {
    let other = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).to_string();
    let env = TestEnv::new();
    let base = served(&env);
    let action = Action::answer(200, &[("content-type", INDEX)], &other);
    base.there.rule(Rule::on("GET", MANIFESTS).then(action));
    let found = format!("sha256:{}", crate::support::hex(other.as_bytes()));
    warm(&env, &base.pin())
        .ends_with(5)
        .says(&base.made.index)
        .says(&found);
    let held = tree(&env.cache().join("img/blobs"));
    assert_eq!(held, [""; 0]);
}

#[test]
fn r18_a_blob_that_is_wrong_short_long_or_endless_ends_with_5_and_is_not_kept() {
    let env = TestEnv::new();
    let base = served(&env);
    for digest in [base.config(), base.made.layer.clone()] {
        let good = fs::read(blob(&env.path("made"), &digest)).expect("made");
        let mut wrong = good.clone();
        wrong[3] ^= 1;
        let long = [good.as_slice(), b"x"].concat();
        let answer = |body: &[u8]| Action::Answer {
            status: 200,
            headers: Vec::new(),
            body: body.to_vec(),
        };
        let endless = Action::Endless {
            status: 200,
            headers: Vec::new(),
        };
        for action in [
            answer(&wrong),
            answer(&good[1..]),
            answer(&long),
            answer(b""),
            endless,
        ] {
            let path = format!("*/blobs/{digest}");
            let (env, _base, run) = ends(on("GET", &path, action), 5);
            run.says(&digest).says("expected");
            assert!(!blob(&env.cache().join("img"), &digest).exists());
        }
    }
}

#[test]
fn r32_what_a_proxy_compressed_on_the_way_is_verified_as_what_it_was() {
    for path in [MANIFESTS, BLOBS] {
        for (spoil, code) in [(false, 0), (true, 5)] {
            let env = TestEnv::new();
            let base = served(&env);
            for (_, path) in requests(&base)
                .iter()
                .filter(|(_, request)| fits(path, request))
            {
                let digest = path.rsplit('/').next().expect("a name");
                let name = if digest == "v1" {
                    &base.made.index
                } else {
                    digest
                };
                let mut bytes = fs::read(blob(&env.path("made"), name)).expect("made");
                let place = bytes.len() - 10;
                bytes[place] ^= u8::from(spoil);
                base.there.rule(Rule::on("GET", path).then(Action::Answer {
                    status: 200,
                    headers: vec![("content-encoding".to_owned(), "gzip".to_owned())],
                    body: gzip(&bytes),
                }));
            }
            warm(&env, &base.tag()).ends_with(code);
        }
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    path.contains(pattern.trim_matches('*'))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).expect("in memory");
    gzip.finish().expect("in memory")
}

#[test]
fn h16_l05_a_bomb_and_an_endless_document_end_with_8_and_an_endless_error_with_its_status() {
    let bomb = Action::Answer {
        status: 200,
        headers: vec![("content-encoding".to_owned(), "gzip".to_owned())],
        body: gzip(&vec![b' '; 64 << 20]),
    };
    let endless = |status| Action::Endless {
        status,
        headers: Vec::new(),
    };
    for (action, code) in [
        (bomb, 8),
        (endless(200), 8),
        (endless(403), 6),
        (endless(400), 7),
    ] {
        ends(on("GET", MANIFESTS, action), code);
    }
}

#[test]
fn r33_a_registry_on_ipv6_is_pulled_from_and_what_is_no_registry_is_wrong_usage() {
    let env = TestEnv::new();
    let base = served(&env);
    let there = TestRegistry::with(Options {
        ipv6: true,
        ..Options::default()
    });
    base.give(&there, "team/base");
    warm(&env, &format!("{}/team/base:v1", there.host())).succeeds();
    assert_eq!(asked(&there).len(), 5);
    let port = base.there.host();
    for bad in [
        "::1/team/base:v1",
        "[::1/team/base:v1",
        "127.0.0.1:99999/team/base:v1",
        "127.0.0.1:/team/base:v1",
        &format!("{port}/team/base/"),
        &format!("{port}/team//base"),
        &format!("{port}/"),
        &"a".repeat(10_000),
        "r.example/team/b\u{e4}se",
        "r.example/team/base@sha256:1@sha256:2",
    ] {
        let run = warm(&env, bad).ends_with(2);
        assert!(run.stderr().len() < 6_000, "{}", run.stderr().len());
    }
    assert_eq!(asked(&base.there), [""; 0]);
}

#[test]
fn r36_h15_warnings_and_words_of_a_registry_are_said_once_escaped_and_not_without_end() {
    let hostile = "\u{1b}]52;c;x\u{7}\u{9b}31m\u{202e}\u{200f}\u{61c}\r";
    let warning = |text: &str| ("warning".to_owned(), format!("299 - \"{text}\""));
    let headers: Vec<(String, String)> = (0..50)
        .map(|number| warning(&format!("{number} {}", "w".repeat(500))))
        .chain([warning("once \u{9b}31m\u{202e}")])
        .collect();
    let warns = Action::PassWith {
        headers: headers.into_iter().rev().collect(),
    };
    let (_env, base, run) = ends(on("GET", MANIFESTS, warns), 0);
    let told = run.stderr();
    assert_eq!(told.matches("warns: once").count(), 1, "{told}");
    assert!(told.len() < 6_000, "{}", told.len());
    assert_plain(&run);
    drop(base);
    let body = json!({"errors": [{"code": hostile, "message": hostile, "detail": hostile}]});
    for action in [
        Action::answer(403, &[], &body.to_string()),
        Action::answer(400, &[], hostile),
        Action::answer(401, &[("www-authenticate", "\u{9b}31m \u{202e}")], ""),
        Action::answer(200, &[("content-type", "application/vnd.\u{202e}")], "{}"),
        Action::answer(200, &[], &json!({"mediaType": hostile}).to_string()),
        Action::answer(307, &[("location", "ftp://\u{202e}/")], ""),
    ] {
        let (_env, _base, run) = pulled(on("GET", "*", action));
        assert_ne!(run.output.status.code(), Some(0));
        assert_plain(&run);
    }
}

/// Nothing that moves a cursor, on either stream.
fn assert_plain(run: &Run) {
    for text in [run.stdout(), run.stderr()] {
        let is_harmful = |c: char| {
            (c.is_control() && c != '\n')
                || matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!text.contains(is_harmful), "{text:?}");
    }
}

/// A base whose image is `change`d, in a registry of its own, named by its tag.
fn altered(env: &TestEnv, change: impl Fn(&mut Value)) -> Served {
    let base = served(env);
    let mut manifest = document(&env.path("made"), &base.made.image);
    change(&mut manifest);
    let bytes = manifest.to_string();
    base.there
        .put_manifest("team/base", "v1", MANIFEST, bytes.as_bytes());
    base
}

#[test]
fn h12_the_urls_of_a_descriptor_are_never_asked() {
    let (env, trap) = (TestEnv::new(), TestRegistry::start());
    let url = format!("{}/layer", trap.origin());
    let base = altered(&env, |manifest| {
        manifest["layers"][0]["urls"] = json!([url, "http://169.254.169.254/latest"]);
        manifest["config"]["urls"] = json!([url]);
    });
    warm(&env, &base.tag()).succeeds();
    let (lacking, other) = (base.made.layer.clone(), TestEnv::new());
    base.there.delete_blob("team/base", &lacking);
    warm(&other, &base.tag()).ends_with(7).says(&lacking);
    assert_eq!(asked(&trap), [""; 0]);
}

#[test]
fn h13_the_data_of_a_descriptor_is_never_used_unverified() {
    use base64::Engine;
    let other = json!({"os": "linux", "architecture": "s390x", "rootfs": {"type": "layers", "diff_ids": []}});
    let data = base64::engine::general_purpose::STANDARD.encode(other.to_string());
    let env = TestEnv::new();
    let base = altered(&env, |manifest| {
        manifest["config"]["data"] = json!(data);
        manifest["layers"][0]["data"] = json!(data);
    });
    let built = build_online(
        &env,
        &format!("--oci-layout-path @/out --base {}", base.tag()),
    );
    let digest = built.succeeds().digest();
    let (_, config) = crate::support::image(&env.path("out"), &digest);
    assert_eq!(config["config"]["User"], "7", "of the true config");
    let layer = fs::read(blob(&env.path("out"), &base.made.layer)).expect("there");
    assert_eq!(crate::support::hex(&layer), base.made.layer[7..]);
}

#[test]
fn h14_a_config_of_another_number_of_layers_ends_with_5_and_unknown_fields_survive() {
    let env = TestEnv::new();
    let base = altered(&env, |manifest| {
        let layer = manifest["layers"][0].clone();
        manifest["layers"] = json!([layer, layer]);
    });
    build_online(&env, &format!("--base {}", base.tag())).ends_with(5);
    let env = TestEnv::new();
    let base = served(&env);
    let mut config = document(&env.path("made"), &base.config());
    config["config"]["Env"] = json!(["PATH=/bin", "odd"]);
    config["x-unknown"] = json!({"kept": [1, 2]});
    let config = config.to_string();
    let mut manifest = document(&env.path("made"), &base.made.image);
    manifest["config"]["digest"] = json!(base.there.put_blob("team/base", config.as_bytes()));
    manifest["config"]["size"] = json!(config.len());
    let bytes = manifest.to_string();
    base.there
        .put_manifest("team/base", "v1", MANIFEST, bytes.as_bytes());
    let arguments = format!("--oci-layout-path @/out --base {}", base.tag());
    let digest = build_online(&env, &arguments).succeeds().digest();
    let (_, config) = crate::support::image(&env.path("out"), &digest);
    assert_eq!(config["x-unknown"], json!({"kept": [1, 2]}));
    let variables = config["config"]["Env"].as_array().expect("a list");
    assert!(variables.contains(&json!("odd")), "{variables:?}");
}
