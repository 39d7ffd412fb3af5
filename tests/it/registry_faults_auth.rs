//! Who is let in, and the code for who is not: the rows of the fault catalogue about credentials, against the whole program.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::hostile_stage::{basic, write};
use crate::served::{Served, served};
use crate::support::{Run, TestEnv, run};
use crate::test_registry::{Action, Auth, Options, Rule, Seen, TestRegistry, TokenAuth};
use crate::warm::{build, script};

const PASSWORD: &str = "s3cret-s3cret";

fn closed(auth: Auth) -> TestRegistry {
    TestRegistry::with(Options {
        auth,
        ..Options::default()
    })
}

fn tokens(change: impl FnOnce(&mut TokenAuth)) -> TestRegistry {
    let mut auth = TokenAuth {
        user: "user".to_owned(),
        password: PASSWORD.to_owned(),
        ..TokenAuth::default()
    };
    change(&mut auth);
    closed(Auth::Token(auth))
}

/// A world whose docker file has this entry for the registry, which holds a base.
fn world(registry: &TestRegistry, entry: &Value) -> (TestEnv, Served) {
    let env = TestEnv::new();
    write(&env, &json!({"auths": {registry.host(): entry}}));
    let base = served(&env);
    base.give(registry, "team/base");
    (env, base)
}

fn user(name: &str, password: &str) -> Value {
    json!({"auth": basic(name, password)})
}

/// Pulls the base. Whatever the end, no secret is printed.
fn pull(env: &TestEnv, registry: &TestRegistry) -> Run {
    let mut command = env.command(&env.path("home"));
    let path = format!("{}:/usr/bin:/bin", env.path("").display());
    command
        .env("PATH", path)
        .args(["cache", "warm", "--layers"]);
    let done = run(command.arg(format!("{}/team/base:v1", registry.host())));
    let told = format!("{}{}", done.stdout(), done.stderr());
    for secret in [PASSWORD, "geheim", "token-1", "Z2VoZWlt"] {
        assert!(!told.contains(secret), "a20: {told}");
    }
    done
}

fn push(env: &TestEnv, registry: &TestRegistry) -> Run {
    build(env, "").succeeds();
    let to = format!("push hello {}/team/app:v1", registry.host());
    env.rbuild(&env.path("home"), &to)
}

fn shown(registry: &TestRegistry) -> usize {
    let requests = registry.requests();
    let with = |seen: &&Seen| seen.header("authorization").is_some();
    requests.iter().filter(with).count()
}

#[test]
fn a01_to_a07_every_way_to_be_let_in_leads_to_the_base() {
    let identity = json!({"auth": basic("user", ""), "identitytoken": "geheim"});
    let knows = |auth: &mut TokenAuth| auth.refresh_token = Some("geheim".to_owned());
    let nobody = |auth: &mut TokenAuth| auth.anonymous_pull = true;
    let by_get = |auth: &mut TokenAuth| auth.post = false;
    let one = |auth: &mut TokenAuth| auth.fields = vec!["access_token"];
    let known = user("user", PASSWORD);
    let both = json!({"auth": basic("user", PASSWORD), "identitytoken": "geheim"});
    for (registry, entry) in [
        (closed(Auth::basic("user", PASSWORD)), &known),
        (tokens(|_| ()), &known),
        (tokens(knows), &identity),
        (tokens(by_get), &both),
        (tokens(nobody), &json!({})),
        (tokens(one), &known),
    ] {
        let (env, _base) = world(&registry, entry);
        pull(&env, &registry).succeeds();
    }
    let registry = tokens(|_| ());
    let asks = [("www-authenticate", "Bearer realm=\"https://x.example/\"")];
    let (env, _base) = world(&registry, &json!({"registrytoken": "geheim"}));
    let preset = Rule::on("*", "*").header("authorization", "Bearer geheim");
    registry.rule(preset.then(Action::answer(404, &[], "")));
    registry.rule(Rule::on("*", "*").then(Action::answer(401, &asks, "")));
    pull(&env, &registry).ends_with(7);
    assert!(shown(&registry) > 0);
}

#[test]
fn a17_a_wrong_password_a_403_and_a_spent_identity_token_end_with_6_after_one_try() {
    let wrong = user("bob", "geheim");
    for registry in [closed(Auth::basic("user", PASSWORD)), tokens(|_| ())] {
        let (env, _base) = world(&registry, &wrong);
        pull(&env, &registry).ends_with(6).says("user `bob`");
        assert_eq!(shown(&registry), 1);
    }
    let registry = closed(Auth::basic("user", PASSWORD));
    let (env, _base) = world(&registry, &user("user", PASSWORD));
    let known = Rule::on("GET", "*").header("authorization", "Basic *");
    registry.rule(known.then(Action::Status(403)));
    pull(&env, &registry).ends_with(6).says("user `user`");
    let registry = tokens(|_| ());
    let spent = json!({"auth": basic("user", ""), "identitytoken": "geheim"});
    let (env, _base) = world(&registry, &spent);
    pull(&env, &registry).ends_with(6).says("identity token");
    assert_eq!(registry.count("*", "/token"), 1);
}

#[test]
fn a17_nobody_is_told_where_credentials_were_looked_for_and_how_to_log_in() {
    for registry in [closed(Auth::basic("user", PASSWORD)), tokens(|_| ())] {
        let (env, _base) = world(&registry, &json!({}));
        pull(&env, &registry)
            .ends_with(6)
            .says(".docker/config.json")
            .says(&format!("rbuild login {}", registry.host()));
    }
}

#[test]
fn a18_a_helper_that_fails_ends_with_6_and_one_that_knows_nothing_is_nobody() {
    let right = json!({"ServerURL": "", "Username": "user", "Secret": PASSWORD}).to_string();
    for (name, body, code, words) in [
        ("good", format!("echo '{right}'"), 0, ""),
        ("bad", "exit 1".to_owned(), 6, "docker-credential-bad"),
        (
            "none",
            "echo credentials not found in native keychain; exit 1".to_owned(),
            6,
            "rbuild login",
        ),
        (
            "odd",
            "echo '{\"Secret\":\"geheim\"'".to_owned(),
            6,
            "not a JSON object",
        ),
        (
            "loud",
            "exec yes geheim".to_owned(),
            6,
            "docker-credential-loud",
        ),
        ("missing", String::new(), 6, "docker-credential-missing"),
        (
            "../../evil",
            "echo ran > ran".to_owned(),
            6,
            "is not the name of a helper",
        ),
    ] {
        let registry = closed(Auth::basic("user", PASSWORD));
        // What another entry knows is never tried instead.
        let (env, _base) = world(&registry, &user("user", PASSWORD));
        let host = registry.host();
        let others = json!({host.clone(): user("user", PASSWORD)});
        write(&env, &json!({"auths": others, "credHelpers": {host: name}}));
        if !body.is_empty() && !name.contains('/') {
            script(&env.path(&format!("docker-credential-{name}")), &body);
        }
        pull(&env, &registry).ends_with(code).says(words);
        assert_eq!(shown(&registry) > 0, code == 0, "{name}");
    }
}

#[test]
fn a19_a_helper_is_given_no_secret_in_words_or_environment() {
    let registry = closed(Auth::basic("user", PASSWORD));
    let (env, _base) = world(&registry, &json!({}));
    write(
        &env,
        &json!({"credsStore": "spy", "auths": {"other.example": user("u", "geheim")}}),
    );
    let seen = env.path("seen");
    let body = format!(
        "env > '{0}'; tr '\\0' ' ' < /proc/$$/cmdline >> '{0}'; cat /proc/$$/environ >> '{0}'; echo '{1}'",
        seen.display(),
        json!({"Username": "user", "Secret": PASSWORD})
    );
    script(&env.path("docker-credential-spy"), &body);
    pull(&env, &registry).succeeds();
    let seen = fs::read(&seen).expect("it ran");
    let seen = String::from_utf8_lossy(&seen);
    for secret in [
        PASSWORD,
        "geheim",
        &basic("user", PASSWORD),
        &basic("u", "geheim"),
    ] {
        assert!(!seen.contains(secret), "{seen}");
    }
}

#[test]
fn a21_a_token_that_lives_a_moment_is_renewed() {
    for life in [0, 1] {
        let registry = tokens(|auth| auth.said_life = Some(life));
        let (env, _base) = world(&registry, &user("user", PASSWORD));
        pull(&env, &registry).succeeds();
        push(&env, &registry).succeeds();
        assert_eq!(registry.tags("team/app"), ["v1"]);
    }
}

#[test]
fn r28_a_401_in_the_middle_of_everything_is_answered_with_another_token() {
    let registry = tokens(|_| ());
    let (env, _base) = world(&registry, &user("user", PASSWORD));
    let spent = |number: usize| {
        let realm = format!("{}/token", registry.origin());
        let challenge = format!(
            "Bearer realm=\"{realm}\",service=\"test.registry\",nonce=\"{number}\",error=\"invalid_token\""
        );
        let answer = Action::answer(401, &[("www-authenticate", &challenge)], "");
        let known = Rule::on("*", "/v2/*").header("authorization", "Bearer *");
        // A rule does not count what one before it took: every third request.
        registry.rule(known.nth(2 * number + 1).times(1).then(answer));
    };
    (1..=4).for_each(spent);
    pull(&env, &registry).succeeds();
    push(&env, &registry).succeeds();
    assert_eq!(registry.tags("team/app"), ["v1"]);
    let refused = registry.requests().into_iter();
    let refused =
        refused.filter(|seen| seen.status == 401 && seen.header("authorization").is_some());
    assert_eq!(refused.count(), 4);
    assert!(
        registry.tokens_issued() <= 4 + 3,
        "{}",
        registry.tokens_issued()
    );
}

#[test]
fn a22_a_file_that_cannot_be_used_ends_with_6_where_it_is_needed_and_only_there() {
    for text in [
        "{",
        "[]",
        "{\"auths\": 1}",
        "\u{0}",
        "{\"auths\": {}}trailing",
    ] {
        let registry = closed(Auth::basic("user", PASSWORD));
        let (env, base) = world(&registry, &json!({}));
        let file = env.path("home/.docker/config.json");
        fs::write(&file, text).expect("written");
        let shown = file.display().to_string();
        pull(&env, &registry).ends_with(6).says(&shown);
        env.rbuild(&env.path("home"), &format!("cache warm {}", base.tag()))
            .succeeds();
    }
}

#[test]
fn a22_a_file_that_others_can_read_works_and_is_told() {
    let registry = closed(Auth::basic("user", PASSWORD));
    let (env, _base) = world(&registry, &user("user", PASSWORD));
    let file = env.path("home/.docker/config.json");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("set");
    pull(&env, &registry)
        .succeeds()
        .says(&file.display().to_string());
}

#[test]
fn a23_the_entry_of_the_longest_namespace_is_the_one_that_counts() {
    let registry = closed(Auth::basic("user", PASSWORD));
    let (env, _base) = world(&registry, &json!({}));
    let host = registry.host();
    let auths = json!({
        host.clone(): user("wrong", "geheim"),
        format!("{host}/team"): user("user", PASSWORD),
        format!("{host}/team/other"): user("wrong", "geheim"),
    });
    write(&env, &json!({ "auths": auths }));
    pull(&env, &registry).succeeds();
}

#[test]
fn a24_a_registry_that_wants_ever_more_scopes_ends_with_6_after_one_merge() {
    let registry = tokens(|_| ());
    let (env, _base) = world(&registry, &user("user", PASSWORD));
    let realm = format!("{}/token", registry.origin());
    for scope in ["a", "b", "c", "d", "e", "f"] {
        let challenge = format!(
            "Bearer realm=\"{realm}\",scope=\"repository:team/base:{scope}\",error=\"insufficient_scope\""
        );
        let more = Action::answer(401, &[("www-authenticate", &challenge)], "");
        registry.rule(Rule::on("*", "/v2/*").times(1).then(more));
    }
    pull(&env, &registry).ends_with(6).says("user `user`");
    assert!(registry.count("GET", "/token") <= 3);
}

#[test]
fn r19_a_mount_that_the_token_server_denies_does_not_fail_the_push() {
    let registry = tokens(|_| ());
    let (env, base) = world(&registry, &user("user", PASSWORD));
    // Everybody may look; who pushes needs a token, and none is given for the source of a mount.
    registry.rule(Rule::on("HEAD", "*").times(1).then(Action::Status(404)));
    let denied = Rule::on("GET", "/token").query("*team%2Fbase*");
    registry.rule(denied.then(Action::Status(403)));
    let spelled = Rule::on("GET", "/token").query("*team/base*");
    registry.rule(spelled.then(Action::Status(403)));
    let pin = format!("{}/team/base@{}", registry.host(), base.made.index);
    for line in ["cache warm --layers", "cache warm"] {
        let mirror = format!("{}={}", registry.host(), base.there.origin());
        let command = format!("{line} --mirror {mirror} {pin}");
        env.rbuild(&env.path("home"), &command).succeeds();
    }
    let words = format!("--base {pin} --repo {}/team", registry.host());
    let done = run(&mut crate::warm::pushing(&env, &[], &words));
    let asked = registry.requests();
    assert!(asked.iter().any(|seen| seen.status == 403), "{asked:?}");
    done.succeeds();
    assert_eq!(registry.tags("team/hello"), ["latest"]);
}

#[test]
fn l05_an_endless_token_ends_with_an_error_and_is_not_read_to_its_end() {
    let registry = tokens(|_| ());
    let (env, _base) = world(&registry, &user("user", PASSWORD));
    for status in [200, 401] {
        let endless = Action::Endless {
            status,
            headers: Vec::new(),
        };
        registry.rule(Rule::on("GET", "/token").times(1).then(endless));
        let code = pull(&env, &registry).output.status.code();
        assert!(matches!(code, Some(6 | 8)), "{code:?}");
    }
}
