//! A token server for real registries: the test registry's, with tokens that `openssl` signs.

#![expect(
    clippy::disallowed_methods,
    reason = "openssl signs, and registries look at the clock"
)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::registry::{PASSWORD, USER};
use crate::support::run;
use crate::test_registry::{Auth, Claims, Mint, Options, Seen, TestRegistry, TokenAuth};

pub(crate) const SERVICE: &str = "test.registry";
pub(crate) const ISSUER: &str = "test issuer";

/// How long a token is good, in seconds.
const LIFE: u64 = 300;

/// Gives tokens to [`USER`], and tokens to pull to everybody.
pub(crate) struct TokenServer {
    server: TestRegistry,
    certificate: PathBuf,
}

impl TokenServer {
    /// Its key and certificate are written below `root`.
    pub(crate) fn start(root: &Path) -> TokenServer {
        let (key, certificate) = (root.join("token.key"), root.join("token.crt"));
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
        ]);
        openssl
            .args(["-subj", "/CN=test tokens", "-keyout"])
            .arg(&key);
        run(openssl.arg("-out").arg(&certificate)).succeeds();
        let chain = chain(&certificate);
        let mint = Mint::new(move |claims| signed(&key, &chain, claims));
        let server = TestRegistry::with(Options {
            auth: Auth::Token(TokenAuth {
                user: USER.to_owned(),
                password: PASSWORD.to_owned(),
                service: SERVICE.to_owned(),
                anonymous_pull: true,
                said_life: Some(LIFE),
                mint: Some(mint),
                ..TokenAuth::default()
            }),
            ..Options::default()
        });
        TokenServer {
            server,
            certificate,
        }
    }

    pub(crate) fn realm(&self) -> String {
        format!("{}/token", self.server.origin())
    }

    /// What the registry believes tokens by.
    pub(crate) fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// Every request for a token so far.
    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.server.requests()
    }
}

/// The certificate as a token carries it.
fn chain(certificate: &Path) -> String {
    let mut openssl = Command::new("openssl");
    let der = run(openssl
        .args(["x509", "-outform", "DER", "-in"])
        .arg(certificate))
    .succeeds();
    STANDARD.encode(der.output.stdout)
}

/// A JWT by RS256, as the token specification of distribution wants it.
fn signed(key: &Path, chain: &str, claims: &Claims<'_>) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("after 1970").as_secs();
    let header = json!({"typ": "JWT", "alg": "RS256", "x5c": [chain]});
    let claims = json!({
        "iss": ISSUER, "sub": claims.user, "aud": claims.service, "jti": "one",
        "iat": now, "nbf": now - 5, "exp": now + LIFE, "access": access(claims),
    });
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", encoded(&header), encoded(&claims));
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature(key, &text)))
}

fn access(claims: &Claims<'_>) -> Vec<Value> {
    let entry = |(kind, name, action): &(String, String, String)| json!({"type": kind, "name": name, "actions": [action]});
    claims.allows.iter().map(entry).collect()
}

fn signature(key: &Path, text: &str) -> Vec<u8> {
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", "-sha256", "-sign"]).arg(key);
    let pipes = openssl.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = pipes.spawn().expect("openssl is installed");
    let mut input = child.stdin.take().expect("piped");
    input.write_all(text.as_bytes()).expect("openssl reads");
    drop(input);
    child.wait_with_output().expect("openssl ends").stdout
}
