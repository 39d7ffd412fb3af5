//! Registries that try to make the program give away what it knows: no secret arrives anywhere but at its own registry, and where
//! that registry's tokens may come from.

use serde_json::{Value, json};

use crate::hostile_stage::{
    COOKIE, DECOY, Elsewhere, IDENTITY, PASSWORD, REGISTRY, Stage, TOKEN, Trap, basic, identity,
    know, password, secrets, whole, write,
};
use crate::internet::PROXY_PASSWORD;
use crate::support::run;
use crate::test_registry::{Action, Rule, Seen};
use crate::warm::script;

/// Places for tokens that are refused: nothing is sent there, and the program ends with 6.
const REALMS: &[&str] = &[
    "http://evil.example/token",
    "http://registry.example/token",
    "HTTP://registry.example:443/token",
    "https://me:pw@evil.example/token",
    "https://registry.example@evil.example/token",
    "https://127.0.0.1:TLS/token",
    "http://127.0.0.1:PLAIN/token",
    "https://localhost:TLS/token",
    "https://LOCALHOST.:TLS/token",
    "https://auth.localhost:TLS/token",
    "https://[::ffff:127.0.0.1]:TLS/token",
    "https://[::ffff:a9fe:a9fe]/token",
    "https://[64:ff9b::7f00:1]:TLS/token",
    "https://2130706433:TLS/token",
    "https://0x7f.1:TLS/token",
    "https://0177.0.0.1:TLS/token",
    "https://127.0.0.1.:TLS/token",
    "https://0:TLS/token",
    "https://%6c%6f%63%61%6c%68%6f%73%74:TLS/token",
    "https://\u{ff4c}ocalhost:TLS/token",
    "https://127\u{3002}0\u{3002}0\u{3002}1:TLS/token",
    "https://169.254.169.254/latest",
    "https://[fd00:ec2::254]/latest",
    "https://[fe80::1]/token",
    "https://100.100.100.200/token",
    "https://metadata.google.internal/token",
    "https://metadata.google.internal./token",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://",
    "https://evil.example:99999/",
];

/// A trap, its text, what the other host does, the exit code, and whether the other host is spoken to at all.
const REDIRECTS: &[&str] = &[
    "TokenRedirect https://evil.example/token Obliges 7 -",
    "TokenRedirect http://registry.example/token Obliges 7 -",
    "BlobRedirect https://evil.example Obliges 0 reached",
    "BlobRedirect https://evil.example Asks 6 reached",
    "BlobRedirect https://registry.example:8443 Obliges 0 reached",
    "BlobRedirect https://registry.example:8443 Asks 6 reached",
    "BlobRedirect https://registry.example.evil.example Asks 6 reached",
    "BlobRedirect http://evil.example Obliges 7 -",
    "BlobRedirect http://registry.example Obliges 7 -",
    "BlobRedirect https://me:pw@evil.example Obliges 7 -",
    "BlobRedirect https://127.0.0.1:TLS Obliges 7 -",
    "BlobRedirect https://169.254.169.254 Obliges 7 -",
    "BlobRedirect https://metadata.google.internal Obliges 7 -",
    "ManifestRedirect https://evil.example/m Asks 6 reached",
    "ManifestRedirect //evil.example/m Asks 6 reached",
    "ManifestRedirect \\\\evil.example\\m Asks 6 reached",
    "ManifestRedirect https://localhost:TLS/m Obliges 7 -",
];

const UPLOADS: &[&str] = &[
    "Location https://evil.example/u?digest=x Obliges 0 reached",
    "Location https://evil.example/u Asks 6 reached",
    "Location //evil.example/u Obliges 0 reached",
    "Location \\\\evil.example/u Obliges 0 reached",
    "Location https://registry.example:8443/u Asks 6 reached",
    "Location https://registry.example.:443/u Obliges 0 reached",
    "Location https://auth.registry.example/u Obliges 0 reached",
    "Location https://xn--rgistry-bya.example/u Obliges 0 reached",
    "Location https://r\u{e9}gistry.example/u Obliges 7 -",
    "Location https://registry.example@evil.example/u Obliges 7 -",
    "Location https://evil.example%2f@registry.example/u Obliges 7 -",
    "Location http://evil.example/u Obliges 7 -",
    "Location http://127.0.0.1:PLAIN/u Obliges 7 -",
    "Location https://127.1:TLS/u Obliges 7 -",
    "Location https://[::ffff:7f00:1]:TLS/u Obliges 7 -",
    "Location ftp://evil.example/u Obliges 7 -",
    "BodyRedirect https://evil.example/b Obliges 0 reached",
    "BodyRedirect https://evil.example/b Asks 6 reached",
    "BodyRedirect http://evil.example/b Obliges 7 -",
    "PutRedirect https://evil.example/m Obliges 0 reached",
    "PutRedirect https://evil.example/m Asks 6 reached",
    "PutRedirect http://evil.example/m Obliges 7 -",
];

/// Plays a case and looks at what everybody was told.
fn play(trap: Trap, text: &str, other: Elsewhere, entry: &Value) -> (Option<i32>, bool) {
    let stage = Stage::set(trap, text, other);
    know(&stage.env, entry);
    let about = format!("{trap:?} `{text}` {other:?}");
    let done = match trap.is_for_pushes() {
        true => stage.push(),
        false => stage.pull(""),
    };
    stage.assert_nobody_was_told(&about);
    let told = done.stderr();
    assert!(!stage.is_let_inside(), "{about}\n{told}");
    for secret in secrets() {
        assert!(!told.contains(&secret), "{about}: {told}");
    }
    let is_reached = !stage.elsewhere.requests().is_empty();
    (done.output.status.code(), is_reached)
}

/// Plays a line of a table.
fn play_line(line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let [trap, text, other, code, reached] = words[..] else {
        panic!("not a case: {line}");
    };
    let other = match other {
        "Asks" => Elsewhere::Asks,
        _ => Elsewhere::Obliges,
    };
    let played = play(Trap::named(trap), text, other, &password());
    assert_eq!(played, (code.parse().ok(), reached == "reached"), "{line}");
}

#[test]
fn a09_a10_a_password_follows_no_realm_that_is_refused() {
    for text in REALMS {
        let played = play(Trap::Realm, text, Elsewhere::Obliges, &password());
        assert_eq!(played, (Some(6), false), "{text}");
    }
}

#[test]
fn a09_a10_an_identity_token_follows_no_realm_that_is_refused() {
    for text in REALMS.iter().step_by(5) {
        let played = play(Trap::Realm, text, Elsewhere::Obliges, &identity());
        assert_eq!(played, (Some(6), false), "{text}");
    }
}

#[test]
fn a11_a14_a15_a_secret_follows_no_redirect() {
    REDIRECTS.iter().for_each(|line| play_line(line));
}

#[test]
fn a13_a_secret_follows_no_upload_to_another_origin() {
    UPLOADS.iter().for_each(|line| play_line(line));
}

/// A registry whose blobs lie elsewhere, which is as it should be.
fn usual() -> Stage {
    Stage::set(
        Trap::BlobRedirect,
        "https://evil.example",
        Elsewhere::Obliges,
    )
}

/// All that the registry was sent under one of its names.
fn sent_to(stage: &Stage, host: &str) -> String {
    let requests = stage.registry.requests();
    let there = |seen: &&Seen| seen.header("host") == Some(host);
    requests.iter().filter(there).map(whole).collect()
}

#[test]
fn a08_a_token_server_elsewhere_gets_the_registrys_own_secret_and_nobody_elses() {
    for entry in [password(), identity()] {
        let stage = usual();
        know(&stage.env, &entry);
        stage.pull("").succeeds();
        stage.assert_nobody_was_told("a token server elsewhere");
        let pair = basic("user", PASSWORD);
        let (there, here) = (sent_to(&stage, "auth.example"), sent_to(&stage, REGISTRY));
        assert!(there.contains(&pair) || there.contains(IDENTITY), "{there}");
        assert!(!there.contains(TOKEN) && !there.contains(COOKIE), "{there}");
        assert!(here.contains(TOKEN) && here.contains(COOKIE), "{here}");
        assert!(!here.contains(&pair) && !here.contains(IDENTITY), "{here}");
    }
}

#[test]
fn a08_a_realm_on_a_look_alike_gets_the_secret_of_the_registry_that_names_it_and_no_other() {
    let text = "https://registry.example.evil.example/token";
    let stage = Stage::set(Trap::Realm, text, Elsewhere::Obliges);
    know(&stage.env, &password());
    stage.pull("").ends_with(6);
    let heard: String = stage.elsewhere.requests().iter().map(whole).collect();
    assert!(heard.contains(&basic("user", PASSWORD)));
    assert!(!heard.contains(&basic("other", DECOY)));
    assert!(!heard.contains(TOKEN) && !heard.contains(PROXY_PASSWORD));
}

#[test]
fn a_mirror_that_asks_gets_its_own_secret_and_the_registry_never_sees_it() {
    let mirror = "mirror-66dd";
    for knows in [true, false] {
        let stage = Stage::set(Trap::BlobRedirect, "https://evil.example", Elsewhere::Asks);
        stage.elsewhere.forget_requests();
        let mut auths = json!({REGISTRY: password()});
        if knows {
            auths["mirror.example"] = json!({"auth": basic("other", mirror)});
        }
        write(&stage.env, &json!({ "auths": auths }));
        stage
            .pull(" --mirror https://mirror.example/hub")
            .ends_with(6);
        stage.assert_nobody_was_told("a mirror");
        let pair = basic("other", mirror);
        let heard: String = stage.elsewhere.requests().iter().map(whole).collect();
        assert_eq!(heard.contains(&pair), knows, "{heard}");
        for seen in stage.registry.requests() {
            assert!(!whole(&seen).contains(&pair), "{seen:?}");
        }
    }
}

#[test]
fn a18_a_helper_is_asked_for_the_registry_alone_whatever_it_and_the_answers_say() {
    let stage = usual();
    let asked = stage.env.path("asked");
    let answer =
        json!({"ServerURL": "https://evil.example", "Username": "user", "Secret": PASSWORD});
    let body = format!(
        "cat >> '{}'\necho >> '{0}'\necho '{answer}'",
        asked.display()
    );
    script(&stage.env.path("docker-credential-test"), &body);
    write(&stage.env, &json!({"credsStore": "test"}));
    let mut command = stage.command("cache warm --layers");
    command.env(
        "PATH",
        format!("{}:/usr/bin:/bin", stage.env.path("").display()),
    );
    command.arg(format!("{REGISTRY}/team/base@{}", stage.base.made.index));
    run(&mut command).succeeds();
    stage.assert_nobody_was_told("a helper");
    let asked = std::fs::read_to_string(asked).expect("asked");
    assert_eq!(asked, format!("{REGISTRY}\n"));
}

#[test]
fn a23_h21_only_the_registry_itself_is_meant_by_its_name_in_any_case_and_never_with_a_user_in_it() {
    let stage = usual();
    let mut auths = json!({"Registry.EXAMPLE": password()});
    auths["registry.example.evil.example"] = json!({"auth": basic("other", DECOY)});
    write(&stage.env, &json!({ "auths": auths }));
    let index = &stage.base.made.index;
    let name = format!("REGISTRY.example/team/base@{index}");
    run(&mut stage.command(&format!("cache warm {name}"))).succeeds();
    stage.assert_nobody_was_told("another case");
    stage.registry.forget_requests();
    for user in [
        format!("user:{PASSWORD}@{REGISTRY}/team/base:v1"),
        format!("https://user:{PASSWORD}@{REGISTRY}/team/base:v1"),
        format!("{REGISTRY}/team/base:v1@{PASSWORD}@{index}"),
    ] {
        let refused = run(&mut stage.command(&format!("cache warm {user}"))).ends_with(2);
        assert!(!refused.stderr().contains(PASSWORD), "{}", refused.stderr());
    }
    assert!(stage.registry.requests().is_empty());
}

#[test]
fn a_secret_that_holds_a_line_break_is_no_header_of_its_own() {
    let stage = usual();
    let token = "token\r\nx-evil: 1";
    write(
        &stage.env,
        &json!({"auths": {REGISTRY: {"registrytoken": token}}}),
    );
    stage.pull("").ends_with(6);
    let seen = stage.registry.requests();
    assert!(seen.iter().all(|seen| seen.header("x-evil").is_none()));
    assert!(
        seen.iter()
            .all(|seen| seen.header("authorization").is_none())
    );
}

#[test]
fn a16_who_is_sent_back_to_the_registry_may_say_there_who_it_is() {
    let stage = Stage::set(
        Trap::ManifestRedirect,
        "https://evil.example/back",
        Elsewhere::Obliges,
    );
    let path = format!("https://{REGISTRY}/there");
    let back = Action::answer(307, &[("location", &path)], "");
    stage.elsewhere.rule(Rule::on("GET", "/back").then(back));
    know(&stage.env, &password());
    stage.pull("").ends_with(7);
    stage.assert_nobody_was_told("there and back");
    let there: Vec<Seen> = stage.registry.requests();
    let there = there.iter().find(|seen| seen.path == "/there");
    let secret = there.and_then(|seen| seen.header("authorization"));
    assert_eq!(secret, Some(format!("Bearer {TOKEN}").as_str()));
}
