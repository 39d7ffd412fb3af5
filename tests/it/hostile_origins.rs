//! Registries that try to make the program give away what it knows: no secret arrives anywhere but at its own registry, and where
//! that registry's tokens may come from.
//!
//! Each case is a trap with a text in it. Everybody writes down all that they are sent: the registry, another public host, this
//! machine in http and in https, and the proxy that sees what goes in clear.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::internet::{Internet, PROXY_PASSWORD};
use crate::served::{Served, served};
use crate::support::{Run, TestEnv, run};
use crate::test_registry::{Action, Auth, Mint, Options, Rule, Seen, TestRegistry, TokenAuth};
use crate::warm::build;

const REGISTRY: &str = "registry.example";
const PASSWORD: &str = "password-9f3a";
const IDENTITY: &str = "identity-7c1e";
const TOKEN: &str = "token-4d2b";
/// What the user gave us for everybody else.
const DECOY: &str = "decoy-55ee";

/// Hosts that a text of the table names; one certificate holds for all of them.
const ELSEWHERE: [&str; 12] = [
    "evil.example",
    "registry.example.evil.example",
    "auth.registry.example",
    "registry-example.evil.example",
    "metadata.google.internal",
    "169.254.169.254",
    "100.100.100.200",
    "10.0.0.1",
    "xn--rgistry-bya.example",
    "fd00:ec2::254",
    "fe80::1",
    "mirror.example",
];

/// Where the registry puts the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trap {
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

/// What the other host does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Elsewhere {
    /// Gives what it is asked for and takes what it is given.
    Obliges,
    /// Wants to know who we are.
    Asks,
}

use Elsewhere::{Asks, Obliges};
use Trap::{
    BlobRedirect, BodyRedirect, Location, ManifestRedirect, PutRedirect, Realm, TokenRedirect,
};

/// The trap, its text, the other host, the exit code, and whether the other host is spoken to at all. In a text `PLAIN` and `TLS` are
/// ports of this machine.
type Case = (Trap, &'static str, Elsewhere, i32, bool);

const REALMS: &[Case] = &[
    (Realm, "http://evil.example/token", Obliges, 6, false),
    (Realm, "http://registry.example/token", Obliges, 6, false),
    (
        Realm,
        "HTTP://registry.example:443/token",
        Obliges,
        6,
        false,
    ),
    (Realm, "https://me:pw@evil.example/token", Obliges, 6, false),
    (
        Realm,
        "https://registry.example@evil.example/token",
        Obliges,
        6,
        false,
    ),
    (Realm, "https://127.0.0.1:TLS/token", Obliges, 6, false),
    (Realm, "http://127.0.0.1:PLAIN/token", Obliges, 6, false),
    (Realm, "https://localhost:TLS/token", Obliges, 6, false),
    (Realm, "https://LOCALHOST.:TLS/token", Obliges, 6, false),
    (Realm, "https://auth.localhost:TLS/token", Obliges, 6, false),
    (
        Realm,
        "https://[::ffff:127.0.0.1]:TLS/token",
        Obliges,
        6,
        false,
    ),
    (Realm, "https://[::ffff:a9fe:a9fe]/token", Obliges, 6, false),
    (
        Realm,
        "https://[64:ff9b::7f00:1]:TLS/token",
        Obliges,
        6,
        false,
    ),
    (Realm, "https://2130706433:TLS/token", Obliges, 6, false),
    (Realm, "https://0x7f.1:TLS/token", Obliges, 6, false),
    (Realm, "https://0177.0.0.1:TLS/token", Obliges, 6, false),
    (Realm, "https://127.0.0.1.:TLS/token", Obliges, 6, false),
    (Realm, "https://0:TLS/token", Obliges, 6, false),
    (
        Realm,
        "https://%6c%6f%63%61%6c%68%6f%73%74:TLS/token",
        Obliges,
        6,
        false,
    ),
    (
        Realm,
        "https://\u{ff4c}ocalhost:TLS/token",
        Obliges,
        6,
        false,
    ),
    (
        Realm,
        "https://127\u{3002}0\u{3002}0\u{3002}1:TLS/token",
        Obliges,
        6,
        false,
    ),
    (Realm, "https://169.254.169.254/latest", Obliges, 6, false),
    (Realm, "https://[fd00:ec2::254]/latest", Obliges, 6, false),
    (Realm, "https://[fe80::1]/token", Obliges, 6, false),
    (Realm, "https://100.100.100.200/token", Obliges, 6, false),
    (
        Realm,
        "https://metadata.google.internal/token",
        Obliges,
        6,
        false,
    ),
    (
        Realm,
        "https://metadata.google.internal./token",
        Obliges,
        6,
        false,
    ),
    (Realm, "file:///etc/passwd", Obliges, 6, false),
    (Realm, "javascript:alert(1)", Obliges, 6, false),
    (Realm, "https://", Obliges, 6, false),
    (Realm, "https://evil.example:99999/", Obliges, 6, false),
];

const REDIRECTS: &[Case] = &[
    (
        TokenRedirect,
        "https://evil.example/token",
        Obliges,
        7,
        false,
    ),
    (
        TokenRedirect,
        "http://registry.example/token",
        Obliges,
        7,
        false,
    ),
    (BlobRedirect, "https://evil.example", Obliges, 0, true),
    (BlobRedirect, "https://evil.example", Asks, 6, true),
    (
        BlobRedirect,
        "https://registry.example:8443",
        Obliges,
        0,
        true,
    ),
    (BlobRedirect, "https://registry.example:8443", Asks, 6, true),
    (
        BlobRedirect,
        "https://registry.example.evil.example",
        Asks,
        6,
        true,
    ),
    (BlobRedirect, "http://evil.example", Obliges, 7, false),
    (BlobRedirect, "http://registry.example", Obliges, 7, false),
    (
        BlobRedirect,
        "https://me:pw@evil.example",
        Obliges,
        7,
        false,
    ),
    (BlobRedirect, "https://127.0.0.1:TLS", Obliges, 7, false),
    (BlobRedirect, "https://169.254.169.254", Obliges, 7, false),
    (
        BlobRedirect,
        "https://metadata.google.internal",
        Obliges,
        7,
        false,
    ),
    (ManifestRedirect, "https://evil.example/m", Asks, 6, true),
    (ManifestRedirect, "//evil.example/m", Asks, 6, true),
    (ManifestRedirect, "\\\\evil.example\\m", Asks, 6, true),
    (
        ManifestRedirect,
        "https://localhost:TLS/m",
        Obliges,
        7,
        false,
    ),
];

const UPLOADS: &[Case] = &[
    (
        Location,
        "https://evil.example/u?digest=x",
        Obliges,
        0,
        true,
    ),
    (Location, "https://evil.example/u", Asks, 6, true),
    (Location, "//evil.example/u", Obliges, 0, true),
    (Location, "\\\\evil.example/u", Obliges, 0, true),
    (Location, "https://registry.example:8443/u", Asks, 6, true),
    (
        Location,
        "https://registry.example.:443/u",
        Obliges,
        0,
        true,
    ),
    (
        Location,
        "https://auth.registry.example/u",
        Obliges,
        0,
        true,
    ),
    (
        Location,
        "https://xn--rgistry-bya.example/u",
        Obliges,
        0,
        true,
    ),
    (
        Location,
        "https://r\u{e9}gistry.example/u",
        Obliges,
        7,
        false,
    ),
    (
        Location,
        "https://registry.example@evil.example/u",
        Obliges,
        7,
        false,
    ),
    (
        Location,
        "https://evil.example%2f@registry.example/u",
        Obliges,
        7,
        false,
    ),
    (Location, "http://evil.example/u", Obliges, 7, false),
    (Location, "http://127.0.0.1:PLAIN/u", Obliges, 7, false),
    (Location, "https://127.1:TLS/u", Obliges, 7, false),
    (Location, "https://[::ffff:7f00:1]:TLS/u", Obliges, 7, false),
    (Location, "ftp://evil.example/u", Obliges, 7, false),
    (BodyRedirect, "https://evil.example/b", Obliges, 0, true),
    (BodyRedirect, "https://evil.example/b", Asks, 6, true),
    (BodyRedirect, "http://evil.example/b", Obliges, 7, false),
    (PutRedirect, "https://evil.example/m", Obliges, 0, true),
    (PutRedirect, "https://evil.example/m", Asks, 6, true),
    (PutRedirect, "http://evil.example/m", Obliges, 7, false),
];

/// Everybody, and the world that the program runs in.
struct Stage {
    env: TestEnv,
    internet: Internet,
    registry: TestRegistry,
    elsewhere: TestRegistry,
    plain: TestRegistry,
    tls: TestRegistry,
    base: Served,
}

impl Stage {
    /// Everybody in their places, with a token server that the registry may have.
    fn set((trap, text, other, ..): Case) -> Stage {
        let (env, internet) = (TestEnv::new(), Internet::new());
        let (plain, tls) = (
            TestRegistry::start(),
            TestRegistry::https(&internet.authority),
        );
        let text = with_ports(text, &plain, &tls);
        let base = served(&env);
        let (registry, elsewhere) = (
            registry(&internet, trap, &text, &base),
            elsewhere(&internet, other, &base),
        );
        internet.lead("registry.example:443", &registry);
        internet.lead("auth.example:443", &registry);
        internet.lead("*", &elsewhere);
        for there in [&plain, &tls] {
            there.rule(obliging());
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

    fn command(&self, arguments: &str) -> Command {
        let mut command = self.env.command(&self.env.path("home"));
        self.internet.given_to(&self.env, &mut command);
        command.args(arguments.split(' '));
        command
    }

    fn pull(&self) -> Run {
        let name = format!("{REGISTRY}/team/base@{}", self.base.made.index);
        run(&mut self.command(&format!("cache warm --layers {name}")))
    }

    fn push(&self) -> Run {
        build(&self.env, "-t v1").succeeds();
        run(&mut self.command(&format!(
            "push rbuild.local/hello:v1 {REGISTRY}/team/app:v1"
        )))
    }

    /// All that arrived at a place where no secret belongs.
    fn strangers(&self) -> Vec<String> {
        let others = [&self.elsewhere, &self.plain, &self.tls];
        let mut heard: Vec<String> = others
            .iter()
            .flat_map(|other| other.requests())
            .map(|seen| whole(&seen))
            .collect();
        heard.extend(self.internet.heard().iter().map(|head| unproxied(head)));
        heard
    }

    fn assert_nobody_was_told(&self, case: &str) {
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

/// The secrets of one run, in every way in which they travel.
fn secrets() -> Vec<String> {
    let mut secrets: Vec<String> = [PASSWORD, IDENTITY, TOKEN, DECOY]
        .map(str::to_owned)
        .to_vec();
    for secret in [PASSWORD, IDENTITY, DECOY, PROXY_PASSWORD] {
        secrets.push(STANDARD.encode(secret));
    }
    for (user, secret) in [("user", PASSWORD), ("user", IDENTITY), ("other", DECOY)] {
        let pair = STANDARD.encode(format!("{user}:{secret}"));
        secrets.push(pair.trim_end_matches('=').to_owned());
    }
    secrets
}

/// A request as text: line, headers, body.
fn whole(seen: &Seen) -> String {
    let headers: String = seen
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    let body = String::from_utf8_lossy(&seen.body);
    format!(
        "{} {} {}\n{headers}\n{body}",
        seen.method, seen.path, seen.query
    )
}

/// What a proxy was sent, without what was for itself.
fn unproxied(head: &str) -> String {
    let is_own = |line: &&str| {
        line.to_ascii_lowercase()
            .starts_with("proxy-authorization:")
    };
    head.lines()
        .filter(|line| !is_own(line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// 200 with a token for whoever asks, whatever for.
fn obliging() -> Rule {
    Rule::on("*", "*").then(Action::answer(200, &[], "{\"token\":\"of another\"}"))
}

fn registry(internet: &Internet, trap: Trap, text: &str, base: &Served) -> TestRegistry {
    let realm = match trap {
        Realm => text.to_owned(),
        _ => "https://auth.example/token".to_owned(),
    };
    let registry = TestRegistry::with(Options {
        tls: Some(internet.authority.for_names(&[REGISTRY, "auth.example"])),
        relative_locations: true,
        sparse: true,
        redirect_blobs_to: (trap == BlobRedirect).then(|| text.to_owned()),
        auth: Auth::Token(TokenAuth {
            user: "user".to_owned(),
            password: PASSWORD.to_owned(),
            refresh_token: Some(IDENTITY.to_owned()),
            realm: Some(realm),
            mint: Some(Mint::new(|_| TOKEN.to_owned())),
            ..TokenAuth::default()
        }),
        ..Options::default()
    });
    base.give(&registry, "team/base");
    if let Some((method, path)) = springs(trap) {
        let (location, status) = (text.to_owned(), status(trap));
        let action = match status {
            202 => Action::change(move |answer| answer.set("location", location.as_str())),
            _ => Action::answer(status, &[("location", text)], ""),
        };
        let rule = Rule::on(method, path).then(action);
        registry.rule(match trap {
            TokenRedirect => rule,
            _ => rule.header("authorization", "Bearer *"),
        });
    }
    registry
}

/// What sets a trap off.
fn springs(trap: Trap) -> Option<(&'static str, &'static str)> {
    match trap {
        Realm | BlobRedirect => None,
        TokenRedirect => Some(("*", "/token")),
        ManifestRedirect => Some(("GET", "*/manifests/*")),
        Location => Some(("POST", "*/blobs/uploads/")),
        BodyRedirect => Some(("PUT", "*/blobs/uploads/*")),
        PutRedirect => Some(("PUT", "*/manifests/*")),
    }
}

fn status(trap: Trap) -> u16 {
    match trap {
        TokenRedirect => 302,
        Location => 202,
        _ => 307,
    }
}

/// Somebody with a certificate for every name of the table.
fn elsewhere(internet: &Internet, other: Elsewhere, base: &Served) -> TestRegistry {
    let names = [&ELSEWHERE[..], &[REGISTRY]].concat();
    let elsewhere = TestRegistry::with(Options {
        tls: Some(internet.authority.for_names(&names)),
        ..Options::default()
    });
    base.give(&elsewhere, "team/base");
    if other == Asks {
        let challenge = "Basic realm=\"x\", Bearer realm=\"https://evil.example/token\"";
        let asks = Action::answer(401, &[("www-authenticate", challenge)], "");
        elsewhere.rule(Rule::on("*", "*").then(asks));
    }
    elsewhere.rule(Rule::on("PUT", "*").then(Action::Status(201)));
    elsewhere.rule(Rule::on("*", "/token").then(Action::answer(200, &[], "{\"token\":\"x\"}")));
    elsewhere
}

/// Writes docker's file: this entry for the registry, and a decoy for everybody else.
fn know(env: &TestEnv, entry: &Value) {
    let decoy = json!({"auth": STANDARD.encode(format!("other:{DECOY}"))});
    let mut auths = json!({REGISTRY: entry});
    let others = ELSEWHERE.iter().chain(&[
        "auth.example",
        "127.0.0.1",
        "localhost",
        "https://index.docker.io/v1/",
        "registry.example:8443",
    ]);
    for other in others {
        auths[*other] = decoy.clone();
    }
    write(env, &json!({ "auths": auths }));
}

fn write(env: &TestEnv, config: &Value) {
    use std::os::unix::fs::PermissionsExt;
    let file = env.path("home/.docker/config.json");
    std::fs::create_dir_all(file.parent().expect("a directory")).expect("made");
    std::fs::write(&file, config.to_string()).expect("written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("set");
}

fn password() -> Value {
    json!({"auth": STANDARD.encode(format!("user:{PASSWORD}"))})
}

fn identity() -> Value {
    json!({"auth": STANDARD.encode("user:"), "identitytoken": IDENTITY})
}

/// Plays a case and looks at what everybody was told.
fn play(case: Case, entry: &Value) {
    let (trap, text, other, code, is_reached) = case;
    let stage = Stage::set(case);
    know(&stage.env, entry);
    let about = format!("{trap:?} `{text}` {other:?}");
    let done = match trap {
        Location | BodyRedirect | PutRedirect => stage.push(),
        _ => stage.pull(),
    };
    stage.assert_nobody_was_told(&about);
    let told = done.stderr();
    assert_eq!(done.output.status.code(), Some(code), "{about}\n{told}");
    let reached = !stage.elsewhere.requests().is_empty();
    assert_eq!(reached, is_reached, "{about}\n{told}");
    assert!(stage.plain.requests().is_empty(), "{about}\n{told}");
    assert!(stage.tls.requests().is_empty(), "{about}\n{told}");
    for secret in secrets() {
        assert!(!told.contains(&secret), "{about}: {told}");
    }
}

#[test]
fn a08_a09_a10_a_password_or_identity_token_follows_no_realm_that_is_refused() {
    for case in REALMS {
        play(*case, &password());
    }
    for case in REALMS.iter().step_by(5) {
        play(*case, &identity());
    }
}

#[test]
fn a11_a14_a15_a_secret_follows_no_redirect() {
    for case in REDIRECTS {
        play(*case, &password());
    }
}

#[test]
fn a13_a_secret_follows_no_upload_to_another_origin() {
    for case in UPLOADS {
        play(*case, &password());
    }
}

#[test]
fn a08_a_token_server_elsewhere_gets_the_registrys_own_secret_and_nobody_elses() {
    for entry in [password(), identity()] {
        let stage = Stage::set((BlobRedirect, "https://evil.example", Obliges, 0, true));
        know(&stage.env, &entry);
        stage.pull().succeeds();
        stage.assert_nobody_was_told("a token server elsewhere");
        let requests = stage.registry.requests();
        let at = |host: &'static str| {
            let there = move |seen: &&Seen| seen.header("host") == Some(host);
            requests.iter().filter(there).map(whole).collect::<String>()
        };
        let (there, here) = (at("auth.example"), at(REGISTRY));
        let (pair, token) = (STANDARD.encode(format!("user:{PASSWORD}")), TOKEN);
        assert!(there.contains(&pair) || there.contains(IDENTITY), "{there}");
        assert!(!there.contains(token), "{there}");
        assert!(here.contains(token), "{here}");
        assert!(!here.contains(&pair) && !here.contains(IDENTITY), "{here}");
    }
}

#[test]
fn a_realm_on_a_look_alike_is_given_the_secret_of_the_registry_that_names_it_and_no_other() {
    let text = "https://registry.example.evil.example/token";
    let stage = Stage::set((Realm, text, Obliges, 6, true));
    know(&stage.env, &password());
    stage.pull().ends_with(6);
    let heard: String = stage.elsewhere.requests().iter().map(whole).collect();
    assert!(heard.contains(&STANDARD.encode(format!("user:{PASSWORD}"))));
    assert!(!heard.contains(&STANDARD.encode(format!("other:{DECOY}"))));
    assert!(!heard.contains(TOKEN) && !heard.contains(PROXY_PASSWORD));
}
