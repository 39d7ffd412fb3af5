//! The test registry asks who its clients are, and speaks TLS.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::support::run;
use crate::talk::{Reply, Talk, ask};
use crate::test_registry::{Auth, Authority, Options, TestRegistry, TokenAuth};

fn registry(auth: Auth) -> TestRegistry {
    TestRegistry::with(Options {
        auth,
        ..Options::default()
    })
}

fn basic(credentials: &str) -> String {
    format!("Basic {}", STANDARD.encode(credentials))
}

fn with(host: &str, line: &str, authorization: &str) -> Reply {
    Talk::to(host).ask(line, &[("Authorization", authorization)], b"")
}

/// The `Authorization` for a token that `query` gets.
fn bearer(host: &str, query: &str, credentials: Option<&str>) -> String {
    let line = format!("GET /token?service=test.registry&{query}");
    let reply = match credentials {
        Some(credentials) => with(host, &line, &basic(credentials)),
        None => ask(host, &line),
    };
    let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
    format!("Bearer {}", body["token"].as_str().expect("a token"))
}

#[test]
fn basic_lets_one_user_in() {
    let registry = registry(Auth::basic("user", "pa:ss"));
    let host = registry.host();
    let refused = ask(&host, "GET /v2/");
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.header("www-authenticate"),
        Some("Basic realm=\"test registry\"")
    );
    assert_eq!(with(&host, "GET /v2/", &basic("user:other")).status, 401);
    assert_eq!(with(&host, "GET /v2/", &basic("user:pa:ss")).status, 200);
}

#[test]
fn a_challenge_names_realm_service_and_what_is_needed() {
    let registry = registry(Auth::token("user", "s3cret"));
    let host = registry.host();
    let says = |line: &str| {
        ask(&host, line)
            .header("www-authenticate")
            .expect("a challenge")
            .to_owned()
    };
    let begin = format!("Bearer realm=\"http://{host}/token\",service=\"test.registry\"");
    assert_eq!(says("GET /v2/"), begin);
    assert_eq!(
        says("HEAD /v2/a/b/manifests/v1"),
        format!("{begin},scope=\"repository:a/b:pull\"")
    );
    assert_eq!(
        says("POST /v2/a/b/blobs/uploads/?mount=sha256:x&from=c"),
        format!("{begin},scope=\"repository:a/b:pull,push repository:c:pull\"")
    );
    assert_eq!(
        says("DELETE /v2/a/manifests/v1"),
        format!("{begin},scope=\"repository:a:delete\"")
    );
}

#[test]
fn a_token_is_good_for_what_it_was_asked_for() {
    let registry = registry(Auth::token("user", "s3cret"));
    let host = registry.host();
    let pull = bearer(&host, "scope=repository:a:pull", Some("user:s3cret"));
    assert_eq!(with(&host, "GET /v2/a/tags/list", &pull).status, 404);
    assert_eq!(with(&host, "GET /v2/", &pull).status, 200);
    let refused = with(&host, "POST /v2/a/blobs/uploads/", &pull);
    assert_eq!(refused.status, 401);
    let challenge = refused.header("www-authenticate").expect("a challenge");
    assert!(
        challenge.ends_with(",error=\"insufficient_scope\""),
        "{challenge}"
    );
    let both = "scope=repository:a:pull,push&scope=repository:b:pull";
    let both = bearer(&host, both, Some("user:s3cret"));
    assert_eq!(with(&host, "POST /v2/a/blobs/uploads/", &both).status, 202);
    assert_eq!(registry.tokens_issued(), 2);
}

#[test]
fn tokens_end_by_use_or_when_told() {
    let registry = registry(Auth::Token(TokenAuth {
        uses: Some(2),
        ..TokenAuth::default()
    }));
    let host = registry.host();
    let token = bearer(&host, "", Some("user:s3cret"));
    let statuses = [1, 2, 3].map(|_| with(&host, "GET /v2/", &token).status);
    assert_eq!(statuses, [200, 200, 401]);
    let token = bearer(&host, "", Some("user:s3cret"));
    registry.expire_tokens();
    let refused = with(&host, "GET /v2/", &token);
    let challenge = refused.header("www-authenticate").expect("a challenge");
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
}

#[test]
fn strangers_may_pull_where_that_is_said() {
    let registry = registry(Auth::Token(TokenAuth {
        anonymous_pull: true,
        ..TokenAuth::default()
    }));
    let host = registry.host();
    let token = bearer(&host, "scope=repository:a:pull,push", None);
    assert_eq!(with(&host, "GET /v2/a/tags/list", &token).status, 404);
    assert_eq!(with(&host, "POST /v2/a/blobs/uploads/", &token).status, 401);
    let line = "GET /token?scope=repository:a:pull";
    assert_eq!(with(&host, line, &basic("user:wrong")).status, 401);
}

#[test]
fn tokens_can_be_had_by_post() {
    let registry = registry(Auth::Token(TokenAuth {
        refresh_token: Some("refresh me".to_owned()),
        fields: vec!["access_token"],
        said_life: None,
        ..TokenAuth::default()
    }));
    let host = registry.host();
    let post = |form: &str| Talk::to(&host).ask("POST /token", &[], form.as_bytes());
    let form = "scope=repository%3Aa%3Apull&access_type=offline";
    let granted = post(&format!(
        "grant_type=password&username=user&password=s3cret&{form}"
    ));
    let granted: Value = serde_json::from_slice(&granted.body).expect("JSON");
    assert_eq!(granted["refresh_token"], "refresh me");
    assert_eq!(
        (&granted["token"], &granted["expires_in"]),
        (&Value::Null, &Value::Null)
    );
    let token = granted["access_token"].as_str().expect("a token");
    let token = format!("Bearer {token}");
    assert_eq!(with(&host, "GET /v2/a/tags/list", &token).status, 404);
    assert_eq!(
        post("grant_type=refresh_token&refresh_token=refresh+me").status,
        200
    );
    assert_eq!(
        post("grant_type=refresh_token&refresh_token=other").status,
        401
    );
    assert_eq!(post("grant_type=magic").status, 400);
}

#[test]
fn a_token_server_may_lie_elsewhere_and_know_no_post() {
    let registry = registry(Auth::Token(TokenAuth {
        address: Some("127.0.0.2:0".to_owned()),
        post: false,
        ..TokenAuth::default()
    }));
    let elsewhere = registry.token_host();
    assert!(elsewhere.starts_with("127.0.0.2:"));
    let refused = ask(&registry.host(), "GET /v2/");
    let challenge = refused.header("www-authenticate").expect("a challenge");
    assert!(
        challenge.contains(&format!("realm=\"http://{elsewhere}/token\"")),
        "{challenge}"
    );
    let token = bearer(&elsewhere, "", Some("user:s3cret"));
    assert_eq!(with(&registry.host(), "GET /v2/", &token).status, 200);
    assert_eq!(ask(&elsewhere, "POST /token").status, 404);
    let tokens = registry.requests();
    let asked = tokens
        .iter()
        .find(|seen| seen.path == "/token")
        .expect("asked");
    assert_eq!(asked.header("host"), Some(elsewhere.as_str()));
}

#[test]
fn who_waits_with_the_body_is_refused_before_it() {
    let registry = registry(Auth::basic("user", "s3cret"));
    let mut talk = Talk::to(&registry.host());
    let head = "Host: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n";
    talk.write(format!("POST /v2/a/blobs/uploads/ HTTP/1.1\r\n{head}").as_bytes())
        .expect("sent");
    assert_eq!(talk.reply(false).expect("an answer").status, 401);
    assert_eq!(registry.requests()[0].body_length, 0);
}

#[test]
fn http_where_https_is_spoken_is_told_so_and_tls_where_http_is() {
    let registry = TestRegistry::https(&Authority::new());
    assert!(registry.origin().starts_with("https://127.0.0.1:"));
    let reply = ask(&registry.host(), "GET /v2/");
    assert_eq!(reply.status, 400);
    let plain = TestRegistry::start();
    let mut talk = Talk::to(&plain.host());
    talk.write(&[0x16, 3, 1, 0, 200]).expect("sent");
    assert_eq!(talk.head().expect("an answer").status, 400);
    assert_eq!(registry.requests().len() + plain.requests().len(), 0);
}

#[test]
#[ignore = "needs curl"]
fn tls_is_spoken_with_certificates_of_an_own_authority() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let (authority, strangers) = (Authority::new(), Authority::new());
    let ca = write("ca.crt", &authority.pem());
    let client = authority.for_names(&[]);
    let certificate = write("client.crt", &client.certificate);
    let key = write("client.key", &client.key);
    let curl = |tls, arguments: &[&str]| {
        let registry = TestRegistry::with(Options {
            tls: Some(tls),
            ..Options::default()
        });
        let url = format!("{}/v2/", registry.origin());
        let all = [&["-sf", "--cacert", &ca, &url], arguments].concat();
        run(&mut crate::support::command("curl", &all))
            .output
            .status
            .code()
    };
    assert_eq!(curl(authority.for_loopback(), &[]), Some(0));
    let unknown = Some(60);
    assert_eq!(curl(strangers.for_loopback(), &[]), unknown);
    assert_eq!(curl(authority.for_names(&["example.test"]), &[]), unknown);
    assert_eq!(curl(authority.expired(), &[]), unknown);
    let mut demanding = authority.for_loopback();
    demanding.client_authority = Some(authority.pem());
    assert_ne!(curl(demanding.clone(), &[]), Some(0));
    assert_eq!(
        curl(demanding, &["--cert", &certificate, "--key", &key]),
        Some(0)
    );
}
