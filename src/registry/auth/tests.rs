//! Every way to be let in, with the exact requests; and every way to be kept out, with what is not sent.

use std::fmt::Write;
use std::sync::Barrier;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::*;
use crate::fault::Kind;
use crate::notes::Notes;
use crate::progress::Transfers;
use crate::registry::client::{Ask, Client, Target};
use crate::registry::endpoint::Endpoint;
use crate::registry::settings::HostSettings;
use crate::testing::test_registry::{
    Action, Auth, Authority, Options, Rule, Seen, TestRegistry, TokenAuth,
};

const NAME: &str = "team/app";
const MANIFEST: &str = "/v2/team/app/manifests/latest";
const UPLOADS: &str = "/v2/team/app/blobs/uploads/";

/// A client with a docker config of its own.
struct Caller {
    client: Client,
    repository: Repository,
    runtime: Runtime,
    _config: tempfile::TempDir,
}

impl Caller {
    /// Somebody with this entry for `host`.
    fn new(host: &str, entry: &Value) -> Caller {
        Caller::with(host, entry, HostSettings::default())
    }

    fn with(host: &str, entry: &Value, own: HostSettings) -> Caller {
        let config = tempfile::tempdir().expect("a directory");
        let path = config.path().join("config.json");
        // Whoever sent this to somebody would be seen.
        let others = json!({"auth": STANDARD.encode("other:geheim")});
        let auths = json!({"auths": {host: entry, "other.example": others}});
        std::fs::write(path, auths.to_string()).expect("written");
        let settings = Settings {
            environment: [("DOCKER_CONFIG".into(), config.path().into())].into(),
            hosts: [(host.to_owned(), own)].into(),
            ..Settings::default()
        };
        let listeners = Listeners {
            notes: Notes::recorded(),
            transfers: Transfers::unwatched(),
        };
        Caller {
            client: Client::new(settings, listeners),
            repository: Repository {
                endpoint: Endpoint {
                    name: host.to_owned(),
                    prefix: String::new(),
                },
                name: NAME.to_owned(),
            },
            runtime: Runtime::new().expect("a runtime"),
            _config: config,
        }
    }

    /// The right user of [`TokenAuth::default`].
    fn user(registry: &TestRegistry) -> Caller {
        Caller::new(&registry.host(), &entry("user", "s3cret"))
    }

    fn nobody(registry: &TestRegistry) -> Caller {
        Caller::new(&registry.host(), &json!({}))
    }

    fn ask(&self, access: &Access, method: &Method, path: &str) -> Ask<'_> {
        Ask {
            repository: &self.repository,
            access: access.clone(),
            method: method.clone(),
            target: Target::Path(path.to_owned()),
            headers: Vec::new(),
            body: None,
        }
    }

    fn send(&self, access: &Access, method: &Method, path: &str) -> Result<Response, Error> {
        let mut patience = Patience::hasty();
        let ask = self.ask(access, method, path);
        self.runtime.block_on(self.client.send(&ask, &mut patience))
    }

    fn look(&self) -> Result<u16, Error> {
        let answer = self.send(&Access::Pull, &Method::GET, "manifests/latest");
        answer.map(|answer| answer.status())
    }

    fn begin(&self, access: &Access) -> Result<u16, Error> {
        let answer = self.send(access, &Method::POST, "blobs/uploads/");
        answer.map(|answer| answer.status())
    }

    /// All that is printed of the error of a look.
    fn refusal(&self) -> String {
        told(&self.look().expect_err("refused"))
    }

    fn age(&self, seconds: u64) {
        let age = Duration::from_secs(seconds);
        let keeper = &self.client.keeper;
        self.runtime.block_on(keeper.age(&self.repository, age));
    }
}

fn entry(user: &str, password: &str) -> Value {
    json!({"auth": STANDARD.encode(format!("{user}:{password}"))})
}

/// Message, reasons and hints; no secret is in them, and the exit code is 6.
fn told(error: &Error) -> String {
    let fault = error.fault();
    assert_eq!(fault.kind, Kind::Authentication, "{error}");
    let parts = [&[fault.to_string()], fault.reasons(), fault.hints()];
    let told = parts.concat().join("\n");
    for secret in ["s3cret", "geheim", "Z2Vo", "dXNlcj", "token-1"] {
        assert!(!told.contains(secret), "a20: {told}");
    }
    told
}

fn tokens(change: impl FnOnce(&mut TokenAuth)) -> TestRegistry {
    let mut auth = TokenAuth::default();
    change(&mut auth);
    TestRegistry::with(Options {
        auth: Auth::Token(auth),
        ..Options::default()
    })
}

fn holding(registry: TestRegistry) -> TestRegistry {
    registry.put_manifest(NAME, "latest", crate::media::OCI_MANIFEST, b"{}");
    registry
}

/// `GET /path Basic→200`, one a line.
fn log(registry: &TestRegistry) -> Vec<String> {
    registry.requests().iter().map(line).collect()
}

fn line(seen: &Seen) -> String {
    let secret = seen.header("authorization").unwrap_or("-");
    let scheme = secret.split(' ').next().unwrap_or_default();
    let mut line = format!("{} {scheme} {}", seen.line(), seen.status);
    if !seen.query.is_empty() {
        let query = seen
            .query
            .replace("%3A", ":")
            .replace("%2F", "/")
            .replace("%2C", ",");
        write!(line, " {query}").expect("a text");
    }
    line
}

fn basic() -> TestRegistry {
    holding(TestRegistry::with(Options {
        auth: Auth::basic("user", "s3cret"),
        ..Options::default()
    }))
}

/// A registry where only rules answer: 401 with these headers to whoever comes without a secret.
fn challenging(headers: &[(&str, &str)]) -> TestRegistry {
    let registry = TestRegistry::scripted();
    let refusal = Action::answer(401, headers, "");
    registry.rule(
        Rule::on("*", "/v2/*")
            .header("authorization", "")
            .then(refusal),
    );
    registry
}

#[test]
fn a01_basic_is_sent_once_it_is_asked_for_and_at_once_from_then_on() {
    let registry = basic();
    let caller = Caller::user(&registry);
    assert_eq!(caller.look().expect("let in"), 200);
    assert_eq!(caller.look().expect("let in"), 200);
    assert_eq!(caller.begin(&Access::Push).expect("let in"), 202);
    assert_eq!(
        log(&registry),
        [
            format!("GET {MANIFEST} - 401"),
            format!("GET {MANIFEST} Basic 200"),
            format!("GET {MANIFEST} Basic 200"),
            format!("POST {UPLOADS} Basic 202"),
        ]
    );
}

#[test]
fn a02_a_token_is_asked_for_with_basic_and_serves_until_more_is_needed() {
    let registry = holding(tokens(|_| ()));
    let caller = Caller::user(&registry);
    assert_eq!(caller.look().expect("let in"), 200);
    assert_eq!(caller.look().expect("let in"), 200);
    let mount = Access::PushFrom("base/os".to_owned());
    assert_eq!(caller.begin(&mount).expect("let in"), 202);
    assert_eq!(caller.begin(&Access::Push).expect("let in"), 202);
    assert_eq!(caller.look().expect("let in"), 200);
    let service = "service=test.registry&scope=repository:team/app";
    assert_eq!(
        log(&registry),
        [
            format!("GET {MANIFEST} - 401"),
            format!("GET /token Basic 200 {service}:pull"),
            format!("GET {MANIFEST} Bearer 200"),
            format!("GET {MANIFEST} Bearer 200"),
            format!("GET /token Basic 200 {service}:pull,push&scope=repository:base/os:pull"),
            format!("POST {UPLOADS} Bearer 202"),
            format!("POST {UPLOADS} Bearer 202"),
            format!("GET {MANIFEST} Bearer 200"),
        ]
    );
}

fn identity() -> Value {
    let mut entry = entry("user", "s3cret");
    entry["identitytoken"] = Value::from("geheim");
    entry
}

#[test]
fn a03_an_identity_token_is_exchanged_by_post() {
    let registry = holding(tokens(|auth| {
        auth.refresh_token = Some("geheim".to_owned());
    }));
    let caller = Caller::new(&registry.host(), &identity());
    assert_eq!(caller.look().expect("let in"), 200);
    assert_eq!(
        log(&registry),
        [
            format!("GET {MANIFEST} - 401"),
            "POST /token - 200".to_owned(),
            format!("GET {MANIFEST} Bearer 200"),
        ]
    );
    let form = String::from_utf8(registry.requests()[1].body.clone()).expect("a form");
    assert_eq!(
        form,
        "grant_type=refresh_token&service=test.registry&client_id=rbuild&scope=repository%3Ateam%2Fapp%3Apull&refresh_token=geheim"
    );
}

#[test]
fn a04_where_post_is_not_known_the_token_is_asked_for_by_get() {
    for status in [404, 405, 400] {
        let registry = holding(tokens(|_| ()));
        registry.rule(Rule::on("POST", "/token").then(Action::Status(status)));
        let caller = Caller::new(&registry.host(), &identity());
        assert_eq!(caller.look().expect("let in"), 200);
        let log = log(&registry);
        assert_eq!(log[1], format!("POST /token - {status}"));
        assert!(log[2].starts_with("GET /token Basic 200 "), "{log:?}");
        assert_eq!(log.len(), 4);
    }
}

#[test]
fn a05_nobody_gets_a_token_too() {
    let registry = holding(tokens(|auth| auth.anonymous_pull = true));
    let caller = Caller::nobody(&registry);
    assert_eq!(caller.look().expect("let in"), 200);
    assert!(log(&registry)[1].starts_with("GET /token - 200 "));
    let error = caller.begin(&Access::Push).expect_err("refused");
    let told = told(&error);
    let host = registry.host();
    assert!(told.contains("there are no credentials for it"), "{told}");
    assert!(told.contains(&format!("`rbuild login {host}`")), "{told}");
}

#[test]
fn a06_a_token_by_either_name_is_taken() {
    for field in ["access_token", "token"] {
        let registry = holding(tokens(|auth| auth.fields = vec![field]));
        assert_eq!(Caller::user(&registry).look().expect("let in"), 200);
    }
}

#[test]
fn a07_a_registry_token_is_sent_as_it_is() {
    let registry = challenging(&[(
        "www-authenticate",
        "Bearer realm=\"https://nowhere.example/\"",
    )]);
    let ours = Rule::on("GET", "/v2/*").header("authorization", "Bearer preset");
    registry.rule(ours.then(Action::answer(200, &[], "")));
    let caller = Caller::new(&registry.host(), &json!({"registrytoken": "preset"}));
    assert_eq!(caller.look().expect("let in"), 200);
    assert_eq!(caller.look().expect("let in"), 200);
    assert_eq!(registry.requests().len(), 3);
}

#[test]
fn a08_a12_tokens_may_come_from_another_host_and_only_it_sees_the_password() {
    let registry = holding(tokens(|auth| auth.address = Some("127.0.0.2:0".to_owned())));
    assert_eq!(Caller::user(&registry).look().expect("let in"), 200);
    for seen in registry.requests() {
        let secret = seen.header("authorization").unwrap_or_default();
        let is_counter = seen.header("host") == Some(&registry.token_host());
        assert_eq!(secret.starts_with("Basic"), is_counter, "{}", line(&seen));
    }
}

#[test]
fn a09_a_place_for_tokens_without_encryption_is_not_asked_for_an_encrypted_registry() {
    let elsewhere = TestRegistry::scripted();
    let authority = Authority::new();
    let directory = tempfile::tempdir().expect("a directory");
    let ca = directory.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).expect("written");
    let registry = TestRegistry::with(Options {
        tls: Some(authority.for_loopback()),
        auth: Auth::Token(TokenAuth {
            realm: Some(format!("http://{}/token", elsewhere.host())),
            ..TokenAuth::default()
        }),
        ..Options::default()
    });
    let own = HostSettings {
        ca: Some(ca),
        ..HostSettings::default()
    };
    let caller = Caller::with(&registry.host(), &entry("user", "s3cret"), own);
    assert!(caller.refusal().contains("without encryption"));
    assert!(elsewhere.requests().is_empty());
    assert_eq!(registry.requests().len(), 1);
}

#[test]
fn a10_a_realm_with_a_password_in_it_is_refused() {
    let realm = "Bearer realm=\"http://u:geheim@127.0.0.1:1/token\"";
    let registry = challenging(&[("www-authenticate", realm)]);
    assert!(
        Caller::user(&registry)
            .refusal()
            .contains("a user name or a password")
    );
    assert_eq!(registry.requests().len(), 1);
}

#[test]
fn a11_a_place_for_tokens_that_sends_us_elsewhere_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = TestRegistry::scripted();
        let registry = holding(tokens(|_| ()));
        let location = format!("{}/token", elsewhere.origin());
        let away = Action::answer(status, &[("location", &location)], "");
        registry.rule(Rule::on("GET", "/token").then(away));
        let error = Caller::user(&registry).look().expect_err("refused");
        assert!(error.to_string().contains("not followed"), "{error}");
        assert!(elsewhere.requests().is_empty());
        assert_eq!(registry.count("GET", "/token"), 1);
    }
}

#[test]
fn a15_who_asks_from_another_place_after_a_redirect_gets_nothing() {
    for challenge in ["Basic realm=x", "Bearer realm=\"/token\""] {
        let elsewhere = challenging(&[("www-authenticate", challenge)]);
        let registry = basic();
        let location = format!("{}{MANIFEST}", elsewhere.origin());
        let away = Action::answer(307, &[("location", &location)], "");
        registry.rule(
            Rule::on("GET", MANIFEST)
                .header("authorization", "Basic *")
                .then(away),
        );
        let caller = Caller::user(&registry);
        let told = caller.refusal();
        assert!(
            told.contains(&elsewhere.host()) && told.contains("sent us there"),
            "{told}"
        );
        assert_eq!(log(&elsewhere), [format!("GET {MANIFEST} - 401")]);
        assert_eq!(
            caller.begin(&Access::Push).expect("a good password"),
            202,
            "what others ask says nothing about the password"
        );
    }
}

/// Eight threads at once, each with the same question.
fn crowd<T: Send>(question: impl Fn() -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(8);
    let one = || {
        barrier.wait();
        question()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, T>| thread.join().expect("no panic");
        threads.into_iter().map(join).collect()
    })
}

#[test]
fn n10_one_token_is_asked_for_however_many_threads_need_it() {
    let registry = holding(tokens(|_| ()));
    let caller = Caller::user(&registry);
    for round in 1..=3 {
        let found = crowd(|| caller.look().expect("let in"));
        assert_eq!(found, [200; 8]);
        assert_eq!(registry.tokens_issued(), round);
        caller.age(281);
    }
}

#[test]
fn n10_one_token_is_asked_for_when_all_threads_are_refused() {
    let registry = holding(tokens(|_| ()));
    let caller = Caller::user(&registry);
    caller.look().expect("let in");
    registry.expire_tokens();
    assert_eq!(crowd(|| caller.look().expect("let in")), [200; 8]);
    assert_eq!(registry.tokens_issued(), 2);
}

#[test]
fn a17_a_wrong_password_is_sent_once_however_many_threads_ask() {
    let entry = entry("bob", "geheim");
    let registry = basic();
    let caller = Caller::new(&registry.host(), &entry);
    let answers = crowd(|| told(&caller.look().expect_err("refused")));
    let told = caller.refusal();
    assert!(told.contains("does not let user `bob` in"), "{told}");
    assert!(answers.iter().all(|answer| answer.contains("user `bob`")));
    let with = |seen: &&Seen| seen.header("authorization").is_some();
    assert_eq!(registry.requests().iter().filter(with).count(), 1);
}

#[test]
fn a17_a_wrong_password_is_sent_once_for_a_token() {
    let registry = holding(tokens(|_| ()));
    let caller = Caller::new(&registry.host(), &entry("bob", "geheim"));
    crowd(|| caller.look().expect_err("refused"));
    let told = told(&caller.begin(&Access::Push).expect_err("refused"));
    assert!(told.contains("gives no token to user `bob`"), "{told}");
    assert!(told.contains("incorrect username or password"), "{told}");
    assert_eq!(registry.count("*", "/token"), 1);
}

#[test]
fn a17_an_identity_token_that_is_no_good_any_more_is_sent_once() {
    let error = r#"{"error": "invalid_grant", "error_description": "geheim"}"#;
    for status in [400, 401, 403] {
        let registry = holding(tokens(|_| ()));
        let refusal = Action::answer(status, &[], error);
        registry.rule(Rule::on("POST", "/token").then(refusal));
        let told = Caller::new(&registry.host(), &identity()).refusal();
        assert!(
            told.contains("user `user` with an identity token"),
            "{told}"
        );
        assert_eq!(registry.count("*", "/token"), 1);
    }
}

#[test]
fn r19_a_token_that_is_denied_for_more_says_nothing_about_less() {
    let registry = holding(tokens(|_| ()));
    let denied = Rule::on("GET", "/token").query("*base*");
    registry.rule(denied.then(Action::Status(403)));
    let caller = Caller::user(&registry);
    let mount = Access::PushFrom("base/os".to_owned());
    for access in [&mount, &mount, &Access::Push] {
        assert_eq!(caller.begin(access).expect("let in with less"), 202);
    }
    let asked = registry.requests();
    let for_base = asked
        .iter()
        .filter(|seen| seen.path == "/token" && seen.query.contains("base"));
    assert!(for_base.count() <= 1, "asked for more at most once");
}

#[test]
fn a17_a_registry_that_forbids_says_to_whom() {
    let registry = basic();
    registry.rule(
        Rule::on("POST", "*")
            .header("authorization", "Basic *")
            .then(Action::Status(403)),
    );
    let caller = Caller::user(&registry);
    let answer = caller.send(&Access::Push, &Method::POST, "blobs/uploads/");
    let answer = answer.expect("an answer, not an error");
    assert_eq!(answer.status(), 403);
    let refusal = caller
        .client
        .refusal(&caller.repository, answer, "cannot push");
    let told = told(&caller.runtime.block_on(refusal));
    assert!(
        told.starts_with("cannot push: status 403 Forbidden"),
        "{told}"
    );
    assert!(told.contains("we came as user `user`"), "{told}");
    assert_eq!(registry.requests().len(), 2);
}

#[test]
fn a21_a_token_that_runs_out_is_renewed_before_a_stream_begins() {
    let registry = holding(tokens(|_| ()));
    let caller = Caller::user(&registry);
    caller.begin(&Access::Push).expect("let in");
    for (age, issued) in [(279, 1), (2, 2)] {
        caller.age(age);
        let ask = caller.ask(&Access::Push, &Method::POST, "blobs/uploads/");
        let mut patience = Patience::hasty();
        let upload = caller
            .client
            .upload(&ask, (0, reqwest::Body::from("")), &mut patience);
        assert_eq!(caller.runtime.block_on(upload).expect("sent").status(), 202);
        assert_eq!(registry.tokens_issued(), issued);
    }
}

#[test]
fn a21_a_stream_that_is_refused_comes_back_with_another_token_ready() {
    let registry = holding(tokens(|_| ()));
    let caller = Caller::user(&registry);
    caller.begin(&Access::Push).expect("let in");
    registry.expire_tokens();
    let upload = || {
        let ask = caller.ask(&Access::Push, &Method::POST, "blobs/uploads/");
        let mut patience = Patience::hasty();
        let upload = caller
            .client
            .upload(&ask, (0, reqwest::Body::from("")), &mut patience);
        caller.runtime.block_on(upload).expect("sent").status()
    };
    assert_eq!((upload(), upload()), (401, 202));
    assert_eq!(registry.tokens_issued(), 2);
}

#[test]
fn a24_a_scope_that_the_registry_adds_is_asked_for_once() {
    let registry = holding(tokens(|_| ()));
    let caller = Caller::user(&registry);
    caller.look().expect("let in");
    assert_eq!(caller.begin(&Access::Pull).expect("let in"), 202);
    let scope = "service=test.registry&scope=repository:team/app:pull,push";
    assert_eq!(log(&registry)[4], format!("GET /token Basic 200 {scope}"));
    assert_eq!(registry.tokens_issued(), 2);
}

#[test]
fn a24_a_registry_that_wants_ever_more_is_given_up() {
    let registry = tokens(|_| ());
    for scope in ["a", "b", "c", "d"] {
        let origin = registry.origin();
        let challenge = format!(
            "Bearer realm=\"{origin}/token\",scope=\"repository:team/app:{scope}\",error=\"insufficient_scope\""
        );
        let more = Action::answer(401, &[("www-authenticate", &challenge)], "");
        registry.rule(Rule::on("GET", "/v2/*").times(1).then(more));
    }
    let told = Caller::user(&registry).refusal();
    assert!(told.contains("does not let user `user` in"), "{told}");
    assert_eq!(
        (
            registry.count("GET", "/token"),
            registry.count("GET", "/v2/*")
        ),
        (2, 3)
    );
}

#[test]
fn a_registry_that_asks_only_those_who_write_is_answered_there() {
    let registry = TestRegistry::scripted();
    registry.rule(Rule::on("GET", MANIFEST).then(Action::answer(200, &[], "{}")));
    let challenge = [("www-authenticate", "Basic realm=x")];
    let refusal = Action::answer(401, &challenge, "");
    registry.rule(
        Rule::on("POST", "*")
            .header("authorization", "")
            .then(refusal),
    );
    registry.rule(Rule::on("POST", "*").then(Action::Status(202)));
    let caller = Caller::user(&registry);
    assert_eq!(caller.look().expect("for all"), 200);
    assert_eq!(caller.begin(&Access::Push).expect("let in"), 202);
    assert_eq!(registry.requests().len(), 3);
}

#[test]
fn schemes_that_we_do_not_know_are_passed_over_or_named() {
    let headers = [
        ("www-authenticate", "Negotiate YII=, NTLM"),
        ("www-authenticate", "BASIC realm=x"),
    ];
    let registry = challenging(&headers);
    registry.rule(Rule::on("GET", "*").then(Action::answer(200, &[], "")));
    assert_eq!(Caller::user(&registry).look().expect("let in"), 200);
    let told = Caller::user(&challenging(&headers[..1])).refusal();
    assert!(told.contains("it asks for: negotiate, ntlm"), "{told}");
}

#[test]
fn a_401_without_a_challenge_is_one_clear_error() {
    for headers in [&[][..], &[("www-authenticate", ",,=\"")]] {
        let registry = challenging(headers);
        let told = Caller::user(&registry).refusal();
        assert!(told.contains("does not say what it wants to see"), "{told}");
        assert_eq!(registry.requests().len(), 1);
    }
}

#[test]
fn without_credentials_the_places_that_were_looked_in_are_named() {
    let registry = basic();
    let told = Caller::nobody(&registry).refusal();
    assert!(told.contains("there are no credentials for it"), "{told}");
    assert!(
        told.contains("looked for in ") && told.contains("config.json"),
        "{told}"
    );
    assert_eq!(registry.requests().len(), 1);
}

#[test]
fn a22_a_config_that_cannot_be_used_matters_only_where_it_is_needed() {
    let open = holding(TestRegistry::start());
    let closed = basic();
    for registry in [&open, &closed] {
        let caller = Caller::user(registry);
        std::fs::write(caller._config.path().join("config.json"), "{torn").expect("written");
        match caller.look() {
            Ok(status) => assert_eq!((status, registry.host()), (200, open.host())),
            Err(error) => assert!(told(&error).contains("cannot use the credentials in ")),
        }
    }
    assert_eq!(closed.requests().len(), 1);
}

#[test]
fn l05_an_answer_without_end_is_no_token() {
    let registry = holding(tokens(|_| ()));
    let endless = Action::Endless {
        status: 200,
        headers: Vec::new(),
    };
    registry.rule(Rule::on("GET", "/token").then(endless));
    let error = Caller::user(&registry).look().expect_err("refused");
    assert_eq!(error.cause, Cause::Limit);
}
