//! B4: every request that a pull or a push costs, line by line, so that one more or one less is seen.
//!
//! Digests are written as what they are, upload sessions as `SESSION`; what travels side by side is sorted. The binaries are small:
//! a blob larger than 4 MiB costs one HEAD more.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::served::{REPOSITORY, Served, served};
use crate::support::{Run, TestEnv, base, hex};
use crate::test_registry::{Action, Auth, Options, Rule, Seen, TestRegistry, TokenAuth};
use crate::warm::{blob, build_online, put};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Digests with their names.
#[derive(Default)]
struct Names(Vec<(String, String)>);

impl Names {
    /// The parts of a base in its registry.
    fn of(base: &Served) -> Names {
        let mut names = Names::default();
        names.add(&json!(base.made.index), "index");
        names.learn(&base.there, (REPOSITORY, &base.made.image), "base");
        names
    }

    fn add(&mut self, digest: &Value, name: &str) {
        let digest = digest.as_str().expect("a digest").to_owned();
        if !self.0.iter().any(|(known, _)| *known == digest) {
            self.0.push((digest, name.to_owned()));
        }
    }

    /// An image, its config and its layers: `one`, `one.config`, `one.layer0`.
    fn learn(
        &mut self,
        registry: &TestRegistry,
        (repository, reference): (&str, &str),
        name: &str,
    ) {
        let bytes = registry.manifest(repository, reference).expect(reference);
        self.add(&json!(format!("sha256:{}", hex(&bytes))), name);
        let manifest: Value = serde_json::from_slice(&bytes).expect("JSON");
        self.add(&manifest["config"]["digest"], &format!("{name}.config"));
        let layers = manifest["layers"].as_array().expect("an image").iter();
        for (number, layer) in layers.enumerate() {
            self.add(&layer["digest"], &format!("{name}.layer{number}"));
        }
    }

    /// `PUT /v2/a/blobs/uploads/SESSION?digest=one.config`, and before it 401 where that was the answer.
    fn line(&self, seen: &Seen) -> String {
        let session = seen.path.split_once("/blobs/uploads/");
        let path = match session.filter(|(_, session)| !session.is_empty()) {
            Some((before, _)) => format!("{before}/blobs/uploads/SESSION"),
            None => seen.path.clone(),
        };
        let pairs = seen
            .query
            .split('&')
            .filter(|pair| !pair.starts_with("_state="));
        let refused = if seen.status == 401 { "401 " } else { "" };
        let line = format!(
            "{refused}{} {path}?{}",
            seen.method,
            pairs.collect::<Vec<_>>().join("&")
        );
        let line = line
            .replace("%3A", ":")
            .replace("%2F", "/")
            .replace("%2C", ",");
        let named = |line: String, (digest, name): &(String, String)| line.replace(digest, name);
        let line = self.0.iter().fold(line, named);
        line.trim_end_matches('?').to_owned()
    }

    /// What was asked since the last time.
    fn asked(&self, registry: &TestRegistry) -> Vec<String> {
        let requests = registry.requests();
        registry.forget_requests();
        requests.iter().map(|seen| self.line(seen)).collect()
    }
}

/// Sorts what lies between the first `before` requests and the last `after`.
fn sorted(mut lines: Vec<String>, before: usize, after: usize) -> Vec<String> {
    let end = lines.len() - after;
    let between = lines.get_mut(before..end);
    between.unwrap_or_default().sort();
    lines
}

/// The two requests that bring a blob which is not there.
fn upload(repository: &str, blob: &str) -> [String; 2] {
    [
        format!("POST /v2/{repository}/blobs/uploads/?mount={blob}&from={repository}"),
        format!("PUT /v2/{repository}/blobs/uploads/SESSION?digest={blob}"),
    ]
}

/// A push as it should be: the tags are asked for, blobs travel side by side, manifests follow.
fn push_of(repository: &str, tags: &[&str], blobs: Vec<String>) -> Vec<String> {
    let manifests = |method: &str| {
        let line = |tag: &&str| format!("{method} /v2/{repository}/manifests/{tag}");
        tags.iter().map(line).collect::<Vec<_>>()
    };
    let all = [manifests("HEAD"), blobs, manifests("PUT")].concat();
    sorted(all, tags.len(), tags.len())
}

/// Builds one of the twins into `team/app`; they differ in their binaries.
fn push_twin(env: &TestEnv, which: &str, (base, arguments): (&Served, &str)) -> Run {
    let workspace = env.path("twins");
    if !workspace.exists() {
        env.workspace("twins");
    }
    let (host, pin) = (base.there.host(), base.pin());
    let command =
        format!("build . -p {which} --bare --repo {host}/team/app --base {pin} {arguments}");
    env.rbuild(&workspace, &command).succeeds()
}

#[test]
fn b4_a_cold_pin_costs_three_requests_a_warm_one_none_and_a_tag_one() {
    let env = TestEnv::new();
    let base = served(&env);
    let names = Names::of(&base);
    let pin = format!("--base {}", base.pin());
    build_online(&env, &pin).succeeds();
    let cold = [
        "GET /v2/team/base/manifests/index",
        "GET /v2/team/base/manifests/base",
        "GET /v2/team/base/blobs/base.config",
    ];
    assert_eq!(names.asked(&base.there), cold);
    build_online(&env, &pin).succeeds();
    assert_eq!(names.asked(&base.there), [""; 0]);
    let tag = format!("--base {}", base.tag());
    build_online(&env, &tag).succeeds();
    assert_eq!(
        names.asked(&base.there),
        ["HEAD /v2/team/base/manifests/v1"]
    );
}

#[test]
fn b4_warming_costs_one_request_for_each_document_and_layer_and_then_none_or_one_for_a_tag() {
    let env = TestEnv::new();
    let base = served(&env);
    let names = Names::of(&base);
    let warm = |name: &str| {
        env.rbuild(&env.path("home"), &format!("cache warm --layers {name}"))
            .succeeds();
        names.asked(&base.there)
    };
    let cold = [
        "HEAD /v2/team/base/manifests/v1",
        "GET /v2/team/base/manifests/index",
        "GET /v2/team/base/manifests/base",
        "GET /v2/team/base/blobs/base.config",
        "GET /v2/team/base/blobs/base.layer0",
    ];
    assert_eq!(warm(&base.tag()), cold);
    assert_eq!(warm(&base.tag()), cold[..1]);
    assert_eq!(warm(&base.pin()), [""; 0]);
}

#[test]
fn b4_with_tokens_a_run_costs_one_refusal_and_one_token_for_each_scope_more() {
    let env = TestEnv::new();
    let mut base = served(&env);
    let closed = TestRegistry::with(Options {
        auth: Auth::Token(TokenAuth {
            anonymous_pull: true,
            ..TokenAuth::default()
        }),
        ..Options::default()
    });
    base.give(&closed, REPOSITORY);
    base.there = closed;
    let names = Names::of(&base);
    build_online(&env, &format!("--base {}", base.pin())).succeeds();
    let cold = [
        "401 GET /v2/team/base/manifests/index",
        "GET /token?service=test.registry&scope=repository:team/base:pull",
        "GET /v2/team/base/manifests/index",
        "GET /v2/team/base/manifests/base",
        "GET /v2/team/base/blobs/base.config",
    ];
    assert_eq!(names.asked(&base.there), cold);

    let docker = env.path("home/.docker");
    fs::create_dir_all(&docker).expect("made");
    let auths = json!({"auths": {base.there.host(): {"auth": STANDARD.encode("user:s3cret")}}});
    fs::write(docker.join("config.json"), auths.to_string()).expect("written");
    push_twin(&env, "left", (&base, ""));
    let asked = names.asked(&base.there);
    let extra = |line: &&String| line.starts_with("401 ") || line.starts_with("GET /token");
    let (extra, own): (Vec<_>, Vec<_>) = asked.iter().partition(extra);
    assert_eq!((extra.len(), own.len()), (3, 7), "{asked:#?}");
    push_twin(&env, "left", (&base, ""));
    let again = [
        "401 HEAD /v2/team/app/manifests/latest",
        "GET /token?service=test.registry&scope=repository:team/app:pull,push",
        "HEAD /v2/team/app/manifests/latest",
    ];
    assert_eq!(names.asked(&base.there), again);
}

#[test]
fn b4_a_changed_binary_on_a_mounted_base_costs_seven_requests_the_next_one_six_and_none_one() {
    let env = TestEnv::new();
    let base = served(&env);
    build_online(&env, &format!("--base {}", base.pin())).succeeds();
    base.asked();
    let mut names = Names::of(&base);
    let mut push = |which: &str| {
        push_twin(&env, which, (&base, ""));
        names.learn(&base.there, ("team/app", "latest"), which);
        sorted(names.asked(&base.there), 1, 1)
    };
    let app = |blob| upload("team/app", blob);
    let mounted = ["POST /v2/team/app/blobs/uploads/?mount=base.layer0&from=team/base".to_owned()];
    let first = [&app("left.config")[..], &app("left.layer1"), &mounted].concat();
    let first = push_of("team/app", &["latest"], first);
    assert_eq!(first.len(), 7);
    assert_eq!(push("left"), first);
    let second = [app("right.config"), app("right.layer1")].concat();
    let second = push_of("team/app", &["latest"], second);
    assert_eq!(second.len(), 6);
    assert_eq!(push("right"), second);
    push_twin(&env, "right", (&base, ""));
    assert_eq!(
        names.asked(&base.there),
        ["HEAD /v2/team/app/manifests/latest"]
    );
}

#[test]
fn b4_each_tag_more_costs_one_question_and_one_manifest_more() {
    let env = TestEnv::new();
    let base = served(&env);
    build_online(&env, &format!("--base {}", base.pin())).succeeds();
    base.asked();
    push_twin(&env, "left", (&base, "-t v1"));
    let mut names = Names::of(&base);
    names.learn(&base.there, ("team/app", "v1"), "left");
    names.asked(&base.there);
    push_twin(&env, "left", (&base, "-t v1,v2,v3"));
    let lines = ["HEAD v1", "HEAD v2", "HEAD v3", "PUT v2", "PUT v3"];
    let lines = lines.map(|line| line.replace(' ', " /v2/team/app/manifests/"));
    assert_eq!(names.asked(&base.there), lines);
}

#[test]
fn b4_what_another_repository_of_the_registry_was_given_is_mounted_from_there() {
    let env = TestEnv::new();
    let base = served(&env);
    let host = base.there.host();
    push_twin(&env, "left", (&base, ""));
    let mut names = Names::of(&base);
    names.learn(&base.there, ("team/app", "latest"), "left");
    let promote = |to: &str| {
        names.asked(&base.there);
        let command = format!("push {host}/team/app:latest {host}/{to}:v1");
        let run = env.rbuild(&env.path("home"), &command).succeeds();
        (run, sorted(names.asked(&base.there), 1, 1))
    };
    let mount = |to: &str, blob: &str, from: &str| {
        format!("POST /v2/{to}/blobs/uploads/?mount={blob}&from={from}")
    };
    let (run, asked) = promote("prod/app");
    run.says("mounted 3");
    let blobs = vec![
        mount("prod/app", "base.layer0", "team/base"),
        mount("prod/app", "left.layer1", "team/app"),
        mount("prod/app", "left.config", "team/app"),
    ];
    assert_eq!(asked, push_of("prod/app", &["v1"], blobs));
    assert_eq!(promote("prod/app").1, ["HEAD /v2/prod/app/manifests/v1"]);

    let refused = Rule::on("POST", "/v2/other/*").query("*from=prod/app");
    base.there.rule(refused.then(Action::Status(403)));
    let (run, asked) = promote("other/app");
    run.says("sent 2 (");
    // Refused for mounts, the registry is asked for each blob before it is sent.
    assert_eq!(asked.len(), 11, "{asked:#?}");
}

#[test]
fn b4_an_index_of_two_platforms_costs_one_manifest_for_each_and_one_for_itself() {
    let env = TestEnv::new();
    let layout = env.path("home/two");
    let own = base(&layout, true, &[]);
    let read = |digest: &str| -> Value {
        serde_json::from_slice(&fs::read(blob(&layout, digest)).expect("made")).expect("JSON")
    };
    let mut index = read(&own.index);
    let mut manifest = read(&own.image);
    let config = put(
        &layout,
        br#"{"os":"linux","architecture":"s390x","rootfs":{"type":"layers","diff_ids":[]}}"#,
    );
    manifest["config"]["digest"] = json!(config);
    manifest["config"]["size"] = json!(78);
    manifest["layers"] = json!([]);
    let bytes = manifest.to_string();
    let other = put(&layout, bytes.as_bytes());
    let mut entry = index["manifests"][0].clone();
    (entry["digest"], entry["size"]) = (json!(other), json!(bytes.len()));
    entry["platform"]["architecture"] = json!("s390x");
    index["manifests"]
        .as_array_mut()
        .expect("a list")
        .push(entry);
    let root = put(&layout, index.to_string().as_bytes());
    let top = json!({"schemaVersion": 2, "manifests": [{"mediaType": INDEX, "digest": root, "size": index.to_string().len()}]});
    fs::write(layout.join("index.json"), top.to_string()).expect("written");

    let registry = TestRegistry::start();
    let push = format!("push oci:two {}/team/two:v1", registry.host());
    env.rbuild(&env.path("home"), &push).succeeds();
    let mut names = Names::default();
    names.learn(&registry, ("team/two", &own.image), "one");
    names.learn(&registry, ("team/two", &other), "other");
    let blobs = ["one.config", "one.layer0", "other.config"].map(|blob| upload("team/two", blob));
    let mut expected = push_of("team/two", &["v1"], blobs.concat());
    let children = ["one", "other"].map(|name| format!("PUT /v2/team/two/manifests/{name}"));
    expected.splice(7..7, children);
    assert_eq!(expected.len(), 10);
    let asked = sorted(names.asked(&registry), 1, 3);
    assert_eq!(sorted(asked, 7, 1), expected);
    env.rbuild(&env.path("home"), &push).succeeds();
    assert_eq!(names.asked(&registry), ["HEAD /v2/team/two/manifests/v1"]);
}
