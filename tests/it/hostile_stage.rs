//! A public network in which a registry may be hostile, and everybody who could be told a secret.
//!
//! The registry `registry.example` with a token server at `auth.example`; another public host, which has a certificate for many
//! names; this machine in http and in https; and the proxy between them, which sees what goes in clear. All write down what they are
//! sent.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::internet::{Internet, PROXY_PASSWORD};
use crate::served::{Served, served};
use crate::support::{Run, TestEnv, run};
use crate::test_registry::{Action, Auth, Mint, Options, Rule, Seen, TestRegistry, TokenAuth};
use crate::warm::build;

pub(crate) const REGISTRY: &str = "registry.example";
pub(crate) const PASSWORD: &str = "password-9f3a";
pub(crate) const IDENTITY: &str = "identity-7c1e";
pub(crate) const TOKEN: &str = "token-4d2b";
pub(crate) const COOKIE: &str = "cookie-3e3e";
/// What the user gave us for everybody else.
pub(crate) const DECOY: &str = "decoy-55ee";

/// Hosts that the other public host has a certificate for.
const ELSEWHERE: [&str; 12] = [
    "evil.example",
    "registry.example.evil.example",
    "auth.registry.example",
    "registry.example",
    "metadata.google.internal",
    "169.254.169.254",
    "100.100.100.200",
    "10.0.0.1",
    "xn--rgistry-bya.example",
    "fd00:ec2::254",
    "fe80::1",
    "mirror.example",
];

/// Where the registry puts a text that leads elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trap {
    /// In the challenge: where tokens are to be had.
    Realm,
    /// 302 from its own token server.
    TokenRedirect,
    /// 307 for every blob that is pulled.
    BlobRedirect,
    /// 307 for every manifest that is pulled.
    ManifestRedirect,
    /// `Location` of an upload.
    Location,
    /// 307 for the body of an upload.
    BodyRedirect,
    /// 307 for the manifest that is put.
    PutRedirect,
}

impl Trap {
    pub(crate) fn named(name: &str) -> Trap {
        match name {
            "Realm" => Trap::Realm,
            "TokenRedirect" => Trap::TokenRedirect,
            "BlobRedirect" => Trap::BlobRedirect,
            "ManifestRedirect" => Trap::ManifestRedirect,
            "Location" => Trap::Location,
            "BodyRedirect" => Trap::BodyRedirect,
            "PutRedirect" => Trap::PutRedirect,
            other => panic!("no trap is called {other}"),
        }
    }

    /// Whether it waits for those who push.
    pub(crate) fn is_for_pushes(self) -> bool {
        matches!(
            self,
            Trap::Location | Trap::BodyRedirect | Trap::PutRedirect
        )
    }

    /// The requests that it answers, and how.
    fn springs(self, text: &str) -> Option<Rule> {
        let (method, path, status) = match self {
            Trap::Realm | Trap::BlobRedirect => return None,
            Trap::TokenRedirect => ("*", "/token", 302),
            Trap::ManifestRedirect => ("GET", "*/manifests/*", 307),
            Trap::Location => ("POST", "*/blobs/uploads/", 202),
            Trap::BodyRedirect => ("PUT", "*/blobs/uploads/*", 307),
            Trap::PutRedirect => ("PUT", "*/manifests/*", 307),
        };
        let rule = Rule::on(method, path).then(Action::answer(status, &[("location", text)], ""));
        Some(match self {
            Trap::TokenRedirect => rule,
            _ => rule.header("authorization", "Bearer *"),
        })
    }
}

/// What the other host does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    /// Gives what it is asked for and takes what it is given.
    Obliges,
    /// Wants to know who we are.
    Asks,
}

/// Everybody, and the world that the program runs in.
pub(crate) struct Stage {
    pub(crate) env: TestEnv,
    internet: Internet,
    pub(crate) registry: TestRegistry,
    pub(crate) elsewhere: TestRegistry,
    plain: TestRegistry,
    tls: TestRegistry,
    pub(crate) base: Served,
}

impl Stage {
    /// In `text`, `PLAIN` and `TLS` are ports of this machine.
    pub(crate) fn set(trap: Trap, text: &str, other: Elsewhere) -> Stage {
        let (env, internet) = (TestEnv::new(), Internet::new());
        let plain = TestRegistry::start();
        let tls = TestRegistry::https(&internet.authority);
        let text = with_ports(text, &plain, &tls);
        let base = served(&env);
        let registry = registry(&internet, trap, &text, &base);
        let elsewhere = elsewhere(&internet, other, &base);
        internet.lead("registry.example:443", &registry);
        internet.lead("auth.example:443", &registry);
        internet.lead("*", &elsewhere);
        for there in [&plain, &tls] {
            let token = Action::answer(200, &[], "{\"token\":\"of this machine\"}");
            there.rule(Rule::on("*", "*").then(token));
        }
        Stage {
            env,
            internet,
            registry,
            elsewhere,
            plain,
            tls,
            base,
        }
    }

    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = self.env.command(&self.env.path("home"));
        self.internet.given_to(&self.env, &mut command);
        command.args(arguments.split(' '));
        command
    }

    pub(crate) fn pull(&self, options: &str) -> Run {
        let name = format!("{REGISTRY}/team/base@{}", self.base.made.index);
        run(&mut self.command(&format!("cache warm --layers{options} {name}")))
    }

    pub(crate) fn push(&self) -> Run {
        build(&self.env, "-t v1").succeeds();
        run(&mut self.command(&format!(
            "push rbuild.local/hello:v1 {REGISTRY}/team/app:v1"
        )))
    }

    /// Whether anything arrived on this machine's own ports.
    pub(crate) fn is_let_inside(&self) -> bool {
        [&self.plain, &self.tls]
            .iter()
            .any(|there| !there.requests().is_empty())
    }

    /// All that arrived at a place where no secret belongs.
    fn strangers(&self) -> Vec<String> {
        let others = [&self.elsewhere, &self.plain, &self.tls];
        let requests = others.iter().flat_map(|other| other.requests());
        let mut heard: Vec<String> = requests.map(|seen| whole(&seen)).collect();
        heard.extend(self.internet.heard().iter().map(|head| unproxied(head)));
        heard
    }

    pub(crate) fn assert_nobody_was_told(&self, case: &str) {
        for text in self.strangers() {
            for secret in secrets() {
                assert!(!text.contains(&secret), "{case}: `{secret}` in\n{text}");
            }
        }
        for seen in self.registry.requests() {
            let text = whole(&seen);
            assert!(!text.contains(DECOY), "{case}: another's secret in {text}");
            assert!(!text.contains(PROXY_PASSWORD), "{case}: the proxy's");
        }
    }
}

fn with_ports(text: &str, plain: &TestRegistry, tls: &TestRegistry) -> String {
    let port = |of: &TestRegistry| of.host().rsplit(':').next().expect("a port").to_owned();
    text.replace("PLAIN", &port(plain))
        .replace("TLS", &port(tls))
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    STANDARD.encode(format!("{user}:{password}"))
}

/// The secrets of a run, in every way in which they travel.
pub(crate) fn secrets() -> Vec<String> {
    let plain = [PASSWORD, IDENTITY, TOKEN, DECOY, COOKIE];
    let encoded = [PASSWORD, IDENTITY, DECOY, PROXY_PASSWORD].map(|secret| STANDARD.encode(secret));
    let pairs = [
        basic("user", PASSWORD),
        basic("user", IDENTITY),
        basic("other", DECOY),
    ];
    let all = plain.map(str::to_owned).into_iter().chain(encoded);
    all.chain(pairs)
        .map(|secret| secret.trim_end_matches('=').to_owned())
        .collect()
}

/// A request as text: line, headers, body.
pub(crate) fn whole(seen: &Seen) -> String {
    let headers = seen.headers.iter();
    let headers: String = headers
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    let body = String::from_utf8_lossy(&seen.body);
    format!(
        "{} {}?{}\n{headers}\n{body}",
        seen.method, seen.path, seen.query
    )
}

/// What a proxy was sent, without what was for itself.
fn unproxied(head: &str) -> String {
    let is_own = |line: &&str| {
        line.to_ascii_lowercase()
            .starts_with("proxy-authorization:")
    };
    let lines: Vec<&str> = head.lines().filter(|line| !is_own(line)).collect();
    lines.join("\n")
}

fn registry(internet: &Internet, trap: Trap, text: &str, base: &Served) -> TestRegistry {
    let realm = match trap {
        Trap::Realm => text,
        _ => "https://auth.example/token",
    };
    let registry = TestRegistry::with(Options {
        tls: Some(internet.authority.for_names(&[REGISTRY, "auth.example"])),
        relative_locations: true,
        sparse: true,
        redirect_blobs_to: (trap == Trap::BlobRedirect).then(|| text.to_owned()),
        auth: Auth::Token(TokenAuth {
            user: "user".to_owned(),
            password: PASSWORD.to_owned(),
            refresh_token: Some(IDENTITY.to_owned()),
            realm: Some(realm.to_owned()),
            mint: Some(Mint::new(|_| TOKEN.to_owned())),
            ..TokenAuth::default()
        }),
        ..Options::default()
    });
    base.give(&registry, "team/base");
    trap.springs(text)
        .into_iter()
        .for_each(|rule| registry.rule(rule));
    let cookie = format!("session={COOKIE}; Domain=example; Path=/");
    let sets = Action::pass_with(&[("set-cookie", &cookie)]);
    registry.rule(Rule::on("*", "*/manifests/*").then(sets));
    registry
}

/// Somebody with a certificate for every name of the table.
fn elsewhere(internet: &Internet, other: Elsewhere, base: &Served) -> TestRegistry {
    let elsewhere = TestRegistry::with(Options {
        tls: Some(internet.authority.for_names(&ELSEWHERE)),
        ..Options::default()
    });
    base.give(&elsewhere, "team/base");
    if other == Elsewhere::Asks {
        let challenge = "Basic realm=\"x\", Bearer realm=\"https://evil.example/token\"";
        let asks = Action::answer(401, &[("www-authenticate", challenge)], "");
        elsewhere.rule(Rule::on("*", "*").then(asks));
    }
    elsewhere.rule(Rule::on("PUT", "*").then(Action::Status(201)));
    let token = Action::answer(200, &[], "{\"token\":\"of another\"}");
    elsewhere.rule(Rule::on("*", "/token").then(token));
    elsewhere
}

/// Writes docker's file: this entry for the registry, and a decoy for everybody else.
pub(crate) fn know(env: &TestEnv, entry: &Value) {
    let decoy = json!({"auth": basic("other", DECOY)});
    let mut auths = json!({});
    let others = [
        "auth.example",
        "127.0.0.1",
        "localhost",
        "https://index.docker.io/v1/",
        "registry.example:8443",
    ];
    for other in ELSEWHERE.iter().chain(&others) {
        auths[*other] = decoy.clone();
    }
    auths[REGISTRY] = entry.clone();
    write(env, &json!({ "auths": auths }));
}

/// Docker's file, for its owner alone.
pub(crate) fn write(env: &TestEnv, config: &Value) {
    use std::os::unix::fs::PermissionsExt;
    let file = env.path("home/.docker/config.json");
    std::fs::create_dir_all(file.parent().expect("a directory")).expect("made");
    std::fs::write(&file, config.to_string()).expect("written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("set");
}

pub(crate) fn password() -> Value {
    json!({"auth": basic("user", PASSWORD)})
}

pub(crate) fn identity() -> Value {
    json!({"auth": basic("user", ""), "identitytoken": IDENTITY})
}
