//! What is found for a registry, what is an error, and what a login leaves behind.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::helper::Helper;
use super::places::Environment;
use super::*;
use crate::fault::Kind;
use crate::process::{Call, Limits};
use crate::registry::error::Cause;

/// A home with a directory of programs, and nothing of ours.
struct Home {
    root: tempfile::TempDir,
    variables: Vec<(String, PathBuf)>,
    notes: Notes,
}

impl Home {
    fn new() -> Home {
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir(root.path().join("bin")).expect("made");
        Home {
            root,
            variables: Vec::new(),
            notes: Notes::recorded(),
        }
    }

    fn docker(config: &Value) -> Home {
        let home = Home::new();
        home.write(".docker/config.json", &config.to_string());
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("readable")
    }

    /// A helper whose verb is `$1`. A child writes it: a file that we have open for writing cannot be run, and a child of another
    /// test may hold it open for us.
    fn helper(&self, name: &str, script: &str) {
        let file = self.path(&format!("bin/docker-credential-{name}"));
        let call = Call::new("sh", self.root.path())
            .args(["-c", "cat >\"$0\" && chmod 700 \"$0\""])
            .arg(file);
        let limits = Limits {
            time: Duration::from_secs(60),
            bytes: 0,
        };
        let script = format!("#!/bin/sh\n{script}\n");
        let answer = call.converse(script.as_bytes(), limits).expect("runs");
        assert!(answer.status.success());
    }

    fn with(mut self, variable: &str, name: &str) -> Home {
        let path = self.path(name);
        self.variables.push((variable.to_owned(), path));
        self
    }

    fn settings(&self) -> Settings {
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        let own = [("PATH".into(), path.into())];
        let further = self.variables.iter();
        let further = further.map(|(name, path)| (OsString::from(name), OsString::from(path)));
        Settings {
            environment: own.into_iter().chain(further).collect(),
            home: Some(self.root.path().to_owned()),
            ..Settings::default()
        }
    }

    fn credentials(&self) -> Credentials {
        Credentials::new(&self.settings(), &self.notes)
    }

    fn find(&self, registry: &str, repository: &str) -> Option<Credential> {
        let found = self.credentials().find(registry, repository);
        found.expect("no failure")
    }

    fn user(&self, registry: &str, repository: &str) -> Option<String> {
        self.find(registry, repository).map(|found| match found {
            Credential::Password { user, .. } | Credential::Identity { user, .. } => user,
            Credential::Token(_) => "registry token".to_owned(),
        })
    }

    /// The error for `r.example/x`, with all that is printed of it.
    fn refusal(&self) -> (Error, String) {
        let error = self.credentials().find("r.example", "x");
        let error = error.expect_err("refused");
        let told = told(&error);
        (error, told)
    }
}

fn told(error: &Error) -> String {
    let fault = error.fault();
    assert_eq!(fault.kind, Kind::Authentication, "exit code 6: {error}");
    let parts = [&[fault.to_string()], fault.reasons(), fault.hints()];
    parts.concat().join("\n")
}

fn auth(user: &str, password: &str) -> Value {
    json!({"auth": STANDARD.encode(format!("{user}:{password}"))})
}

fn password(user: &str, password: &str) -> Option<Credential> {
    Some(Credential::Password {
        user: user.to_owned(),
        password: Hidden::new(password),
    })
}

#[test]
fn every_form_of_an_entry_is_understood() {
    let home = Home::docker(&json!({"auths": {
        "plain.example": {"username": "u", "password": "p:q"},
        "auth.example": auth("u", "p:q"),
        "unpadded.example": {"auth": "dTpwcXI"},
        "identity.example": {"auth": STANDARD.encode("00000000-0000-0000-0000-000000000000:"), "identitytoken": "i"},
        "token.example": {"registrytoken": "t", "auth": STANDARD.encode("u:p")},
        "elsewhere.example": {},
    }}));
    assert_eq!(home.find("plain.example", "x"), password("u", "p:q"));
    assert_eq!(home.find("auth.example", "x"), password("u", "p:q"));
    assert_eq!(home.find("unpadded.example", "x"), password("u", "pqr"));
    let identity = Credential::Identity {
        user: "00000000-0000-0000-0000-000000000000".to_owned(),
        password: Hidden::default(),
        token: Hidden::new("i"),
    };
    assert_eq!(home.find("identity.example", "x"), Some(identity));
    let token = Credential::Token(Hidden::new("t"));
    assert_eq!(home.find("token.example", "x"), Some(token));
    assert_eq!(home.find("elsewhere.example", "x"), None);
    assert_eq!(home.find("other.example", "x"), None);
    assert!(home.notes.all().is_empty(), "{:?}", home.notes.all());
}

#[test]
fn a23_the_longest_namespace_wins_and_docker_hub_has_many_names() {
    let home = Home::docker(&json!({"auths": {
        "quay.example": auth("host", "p"),
        "quay.example/org": auth("org", "p"),
        "quay.example/org/web": auth("web", "p"),
        "https://R.example/v1/": auth("scheme", "p"),
        "https://index.docker.io/v1/": auth("hub", "p"),
        "docker.io/team": auth("team", "p"),
        "port.example:5000": auth("port", "p"),
    }}));
    let found = |registry, repository| home.user(registry, repository).unwrap_or_default();
    assert_eq!(found("quay.example", "org/web"), "web");
    assert_eq!(found("quay.example", "org/web/deeper"), "web");
    assert_eq!(found("quay.example", "org/website"), "org");
    assert_eq!(found("quay.example", "other/web"), "host");
    assert_eq!(found("r.example", "x"), "scheme");
    assert_eq!(found("docker.io", "library/debian"), "hub");
    assert_eq!(found("docker.io", "team/web"), "team");
    assert_eq!(found("port.example:5000", "x"), "port");
    assert_eq!(found("port.example", "x"), "");
    assert_eq!(found("port.example:5001", "x"), "");
    assert_eq!(found("evil-quay.example", "org"), "");
    assert_eq!(found("quay.example.evil", "org"), "");
}

#[test]
fn the_files_are_read_in_order_and_the_first_that_names_the_registry_counts() {
    let auths = |user: &str, others: &[&str]| {
        let entry = |host: &&str| ((*host).to_owned(), auth(user, "p"));
        let auths: serde_json::Map<String, Value> = others.iter().map(entry).collect();
        json!({ "auths": auths }).to_string()
    };
    let home = Home::new().with("XDG_RUNTIME_DIR", "run");
    home.write(".docker/config.json", &auths("docker", &["a.example"]));
    home.write(
        "run/containers/auth.json",
        &auths("run", &["a.example", "b.example"]),
    );
    home.write(
        ".config/containers/auth.json",
        &auths("home", &["a.example", "b.example", "c.example"]),
    );
    let users = ["a", "b", "c"].map(|host| home.user(&format!("{host}.example"), "x"));
    assert_eq!(
        users.map(Option::unwrap_or_default),
        ["docker", "run", "home"]
    );
    let home = home.with("REGISTRY_AUTH_FILE", "named.json");
    home.write("named.json", &auths("named", &["b.example"]));
    assert_eq!(home.user("b.example", "x").as_deref(), Some("named"));
    assert_eq!(home.user("c.example", "x"), None);
    let home = home.with("DOCKER_CONFIG", "docker");
    assert_eq!(home.user("a.example", "x"), None);
}

#[test]
fn a18_a_helper_is_told_the_server_on_standard_input_and_its_answer_counts() {
    let home = Home::docker(&json!({
        "credHelpers": {"r.example": "own", "docker.io": "own", "n.example": "none"},
        "credsStore": "all",
        "auths": {"r.example": auth("file", "p"), "n.example": auth("file", "p"), "f.example": auth("file", "p")},
    }));
    home.helper(
        "own",
        r#"printf '{"Username":"%s by own","Secret":"s"}' "$(cat)""#,
    );
    home.helper(
        "none",
        "echo credentials not found in native keychain; exit 1",
    );
    home.helper(
        "all",
        r#"host=$(cat); case $host in s.example) printf '{"Username":"<token>","Secret":"i"}';; *) echo credentials not found in native keychain; exit 1;; esac"#,
    );
    let found = |registry| home.user(registry, "x").unwrap_or_default();
    assert_eq!(found("r.example"), "r.example by own");
    assert_eq!(found("docker.io"), "https://index.docker.io/v1/ by own");
    assert_eq!(
        found("n.example"),
        "",
        "its own helper has nothing: anonymous"
    );
    assert_eq!(found("f.example"), "file");
    let identity = Credential::Identity {
        user: "<token>".to_owned(),
        password: Hidden::default(),
        token: Hidden::new("i"),
    };
    assert_eq!(home.find("s.example", "x"), Some(identity));
    assert_eq!(found("unknown.example"), "");
}

/// A home whose helper for `r.example` does this, while others have a password for it.
fn with_helper(script: &str) -> Home {
    let home = Home::docker(&json!({
        "credHelpers": {"r.example": "own"},
        "auths": {"r.example": auth("file", "p"), "https://index.docker.io/v1/": auth("hub", "p")},
    }));
    let auths = json!({"auths": {"r.example": auth("podman", "p")}});
    home.write(".config/containers/auth.json", &auths.to_string());
    home.helper("own", script);
    home
}

#[test]
fn a18_a_helper_that_fails_is_an_error_and_nobody_else_is_asked() {
    for (script, why) in [
        ("echo no network; exit 1", "it says: no network"),
        ("exit 3", "it ended with exit status: 3"),
        ("kill -9 $$", "it ended with signal: 9"),
        ("echo garbage", "its answer is not a JSON object"),
        ("echo '{\"Username\":\"u\"}'", "no `Username` and `Secret`"),
        ("yes", "says more than 65536 bytes"),
        ("head -c 1000000000 /dev/zero", "says more than 65536 bytes"),
    ] {
        let (error, told) = with_helper(script).refusal();
        assert_eq!(error.cause, Cause::Unauthorized);
        assert!(
            told.starts_with("credential helper `docker-credential-own` fails for `r.example`")
        );
        assert!(told.contains(why), "{script}: {told}");
    }
}

#[test]
fn a18_a_helper_that_is_not_there_is_named() {
    let home = with_helper("");
    fs::remove_file(home.path("bin/docker-credential-own")).expect("removed");
    let (_, told) = home.refusal();
    assert!(
        told.contains("there is no program `docker-credential-own`"),
        "{told}"
    );
    assert!(!told.contains("rustup"), "{told}");
}

#[test]
fn a18_a_helper_that_hangs_is_given_up() {
    let home = with_helper("sleep 300");
    let settings = home.settings();
    let helper = Helper::new("own", &Environment::of(&settings)).expect("a name");
    let error = helper.hurried(Duration::from_millis(100)).get("r.example");
    let told = told(&error.expect_err("too late"));
    assert!(told.contains("gives no answer in 100ms"), "{told}");
}

#[test]
fn a18_the_name_of_a_helper_is_no_path() {
    for name in ["../../evil", "a/b", "a b", "a\0", "ü"] {
        let home = Home::docker(&json!({"credHelpers": {"r.example": name}}));
        let (_, told) = home.refusal();
        assert!(
            told.contains("`credHelpers.r.example` is not the name of a helper"),
            "{told}"
        );
    }
    let home = Home::docker(&json!({"credsStore": "", "credHelpers": {"r.example": ""}}));
    assert_eq!(home.find("r.example", "x"), None);
}

#[test]
fn a19_no_child_gets_a_secret_by_argument_or_environment() {
    let home = with_helper("cat >/dev/null; tr '\\0' '\\n' </proc/$$/cmdline >\"$HOME/seen\"; tr '\\0' '\\n' </proc/$$/environ >>\"$HOME/seen\"; echo credentials not found; exit 1")
        .with("HOME", "");
    let credentials = home.credentials();
    let secret = Hidden::new("geheim");
    credentials
        .keep("r.example", ("u", &secret))
        .expect_err("the helper fails");
    let seen = home.read("seen");
    assert!(seen.contains("docker-credential-own\nstore\n"), "{seen}");
    assert!(
        !seen.contains("geheim") && !seen.contains("Z2VoZWlt"),
        "{seen}"
    );
}

#[test]
fn a20_what_a_helper_says_is_not_repeated_when_it_could_be_the_secret() {
    for script in [
        "echo '{\"Username\":\"u\",\"Secret\":\"geheim\"}'; exit 1",
        "echo '{\"Username\":\"u\",\"Secret\":\"geheim\"'",
        "echo 'token: geheim'; exit 1",
        "echo 'hm'; echo 'the secret is geheim'; exit 1",
    ] {
        let (_, told) = with_helper(script).refusal();
        assert!(!told.contains("geheim"), "{told}");
    }
}

#[test]
fn a22_a_file_that_cannot_be_used_is_named_with_the_place() {
    for (text, why) in [
        ("{\"auths\": {,}}", "line 1 column 12"),
        ("[]", "it is not a JSON object"),
        ("{\"auths\": []}", "`auths` is not an object"),
        (
            "{\"auths\": {\"r.example\": 1}}",
            "`auths.r.example` is not an object",
        ),
        (
            "{\"auths\": {\"r.example\": {\"auth\": \"%\"}}}",
            "an `auth` that is not base64",
        ),
        (
            "{\"auths\": {\"r.example\": {\"auth\": \"bm90aGluZw==\"}}}",
            "not `user:password`",
        ),
        (
            "{\"auths\": {\"r.example\": {\"password\": 1}}}",
            "a field that is not a text",
        ),
        ("{\"auths\": {}, \"auths\": {}}", "duplicate key"),
        ("{\"credsStore\": 1}", "`credsStore` is not a text"),
        ("{\"credHelpers\": []}", "`credHelpers` is not an object"),
    ] {
        let home = Home::new();
        home.write(".docker/config.json", text);
        let (_, told) = home.refusal();
        let path = home.path(".docker/config.json").display().to_string();
        assert!(told.contains(&path) && told.contains(why), "{text}: {told}");
    }
    let home = Home::new();
    fs::create_dir_all(home.path(".docker/config.json")).expect("made");
    assert!(home.refusal().1.contains("directory"));
}

#[test]
fn a22_an_entry_of_another_registry_may_be_as_broken_as_it_likes() {
    let home = Home::docker(
        &json!({"auths": {"r.example": auth("u", "p"), "other.example": {"auth": "%"}}}),
    );
    assert_eq!(home.find("r.example", "x"), password("u", "p"));
}

#[test]
fn a22_a_file_that_others_can_read_is_told_when_secrets_lie_in_it() {
    let readable = |home: &Home| {
        let path = home.path(".docker/config.json");
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("set");
        home.find("r.example", "x");
        home.notes.all()
    };
    let home = Home::docker(&json!({"auths": {"r.example": auth("u", "p")}}));
    let notes = readable(&home);
    assert!(
        notes[0].contains("others can read it: `chmod 600 "),
        "{notes:?}"
    );
    let home = Home::docker(&json!({"auths": {"r.example": {}}, "credsStore": ""}));
    assert!(readable(&home).is_empty());
}

#[test]
fn an_empty_file_says_nothing() {
    let mut home = Home::new();
    home.variables
        .push(("REGISTRY_AUTH_FILE".to_owned(), "/dev/null".into()));
    assert_eq!(home.find("r.example", "x"), None);
}

#[test]
fn a_login_keeps_every_other_field_and_the_file_for_its_owner() {
    let home = Home::docker(&json!({
        "auths": {"r.example": auth("old", "old"), "https://r.example/v1/": auth("older", "p"), "o.example": auth("o", "p")},
        "HttpHeaders": {"X": "y"}, "detachKeys": "ctrl-e", "plugins": {"n": 1.5},
    }));
    let kept = home
        .credentials()
        .keep("r.example", ("u", &Hidden::new("p:ü")));
    assert!(kept.expect("kept").ends_with("config.json, in plain text"));
    assert_eq!(home.find("r.example", "x"), password("u", "p:ü"));
    let written: Value = serde_json::from_str(&home.read(".docker/config.json")).expect("JSON");
    assert_eq!(written["plugins"]["n"], 1.5);
    assert_eq!(written["HttpHeaders"]["X"], "y");
    assert_eq!(written["auths"]["o.example"], auth("o", "p"));
    assert_eq!(written["auths"].as_object().expect("an object").len(), 2);
    let mode = fs::metadata(home.path(".docker/config.json")).expect("there");
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    assert_eq!(
        fs::read_dir(home.path(".docker")).expect("there").count(),
        1
    );
}

#[test]
fn a_first_login_makes_the_file_and_docker_hub_gets_the_key_that_docker_reads() {
    let home = Home::new();
    let keep = |registry| home.credentials().keep(registry, ("u", &Hidden::new("p")));
    keep("docker.io").expect("kept");
    keep("r.example").expect("kept");
    let written: Value = serde_json::from_str(&home.read(".docker/config.json")).expect("JSON");
    let keys: Vec<&String> = written["auths"]
        .as_object()
        .expect("an object")
        .keys()
        .collect();
    assert_eq!(keys, ["https://index.docker.io/v1/", "r.example"]);
    let mode = fs::metadata(home.path(".docker"))
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_login_writes_through_a_link_and_never_into_a_file_that_it_cannot_read() {
    let home = Home::new();
    home.write("dotfiles/docker.json", "{\"detachKeys\": \"x\"}");
    fs::create_dir(home.path(".docker")).expect("made");
    symlink(
        home.path("dotfiles/docker.json"),
        home.path(".docker/config.json"),
    )
    .expect("linked");
    let keep = || {
        home.credentials()
            .keep("r.example", ("u", &Hidden::new("p")))
    };
    keep().expect("kept");
    assert!(
        fs::symlink_metadata(home.path(".docker/config.json"))
            .expect("there")
            .is_symlink()
    );
    assert!(home.read("dotfiles/docker.json").contains("detachKeys"));
    home.write("dotfiles/docker.json", "{torn");
    keep().expect_err("not understood");
    assert_eq!(home.read("dotfiles/docker.json"), "{torn");
}

#[test]
fn a_login_takes_null_for_nothing() {
    let home = Home::docker(&json!({"auths": null, "detachKeys": "x"}));
    let keep = home
        .credentials()
        .keep("r.example", ("u", &Hidden::new("p")));
    keep.expect("kept");
    assert_eq!(home.find("r.example", "x"), password("u", "p"));
    let other = Home::docker(&json!({"auths": null}));
    assert!(!other.credentials().forget("r.example").expect("nothing"));
}

#[test]
fn a_login_makes_the_file_that_a_link_leads_to() {
    for target in ["../dotfiles/docker.json", "../dotfiles/link"] {
        let home = Home::new();
        fs::create_dir(home.path(".docker")).expect("made");
        fs::create_dir(home.path("dotfiles")).expect("made");
        symlink("docker.json", home.path("dotfiles/link")).expect("linked");
        symlink(target, home.path(".docker/config.json")).expect("linked");
        let keep = home
            .credentials()
            .keep("r.example", ("u", &Hidden::new("p")));
        keep.expect("kept");
        let link = fs::symlink_metadata(home.path(".docker/config.json")).expect("there");
        assert!(link.is_symlink());
        assert!(home.read("dotfiles/docker.json").contains("r.example"));
        assert_eq!(home.find("r.example", "x"), password("u", "p"));
    }
}

#[test]
fn logins_at_once_all_keep_what_they_were_told() {
    let home = Home::new();
    let names: Vec<String> = (0..16).map(|one| format!("r{one}.example")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| {
                let credentials = home.credentials();
                let kept = credentials.keep(name, ("u", &Hidden::new("p")));
                kept.expect("kept");
            });
        }
    });
    for name in &names {
        assert_eq!(home.find(name, "x"), password("u", "p"), "{name}");
    }
}

#[test]
fn a_helper_keeps_and_forgets_where_one_is_named() {
    let home = Home::docker(&json!({"credsStore": "all"})).with("HOME", "");
    home.helper("all", "cat >\"$HOME/told-$1\"");
    let credentials = home.credentials();
    let kept = credentials.keep("docker.io", ("u", &Hidden::new("p\"q")));
    assert_eq!(
        kept.expect("kept"),
        "by credential helper `docker-credential-all`"
    );
    let stored: Value = serde_json::from_str(&home.read("told-store")).expect("JSON");
    let server = "https://index.docker.io/v1/";
    assert_eq!(
        stored,
        json!({"ServerURL": server, "Username": "u", "Secret": "p\"q"})
    );
    assert!(!home.read(".docker/config.json").contains("auth\""));
    assert!(credentials.forget("docker.io").expect("forgotten"));
    assert_eq!(home.read("told-erase"), server);
}

#[test]
fn a_logout_removes_every_spelling_and_nothing_else() {
    let home = Home::docker(&json!({"x": 1, "auths": {
        "docker.io": auth("u", "p"), "https://index.docker.io/v1/": auth("u", "p"), "o.example": auth("o", "p"),
    }}));
    assert!(home.credentials().forget("docker.io").expect("forgotten"));
    assert!(
        !home
            .credentials()
            .forget("docker.io")
            .expect("nothing there")
    );
    assert_eq!(home.user("docker.io", "x"), None);
    assert_eq!(home.user("o.example", "x").as_deref(), Some("o"));
    assert!(home.read(".docker/config.json").contains("\"x\": 1"));
    assert!(
        !Home::new()
            .credentials()
            .forget("r.example")
            .expect("no file")
    );
}

#[test]
fn h23_no_config_makes_the_reader_panic() {
    const PIECES: [&str; 18] = [
        "{",
        "}",
        "\"auths\":",
        "\"r.example\":",
        "\"auth\":",
        "\"dTpw\"",
        ",",
        "[",
        "]",
        "null",
        "1",
        "\"credsStore\":",
        "\"credHelpers\":",
        "\"../x\"",
        "\"\"",
        "\"https://r.example/v1/\":",
        "\\",
        "\u{0}",
    ];
    let mut state = 11_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(state >> 33).expect("31 bits")
    };
    let home = Home::new();
    for round in 0..3_000 {
        let count = next() % 14;
        let middle: String = (0..count).map(|_| PIECES[next() % PIECES.len()]).collect();
        let text = if round % 2 == 0 {
            middle
        } else {
            format!("{{\"auths\":{{\"r.example\":{{{middle}}}}}}}")
        };
        home.write(".docker/config.json", &text);
        if let Err(error) = home.credentials().find("r.example", "x") {
            assert!(told(&error).contains("config.json"), "{text}");
        }
    }
}
