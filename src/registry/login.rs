//! `rbuild login` and `rbuild logout`: a password that the registry itself found right is kept, and what was kept is forgotten.

use reqwest::Method;

use crate::notes::Notes;
use crate::reference::Reference;
use crate::registry::auth::Access;
use crate::registry::client::{Ask, Client, Target};
use crate::registry::credentials::{Credential, Credentials, Hidden, normal};
use crate::registry::endpoint::{Endpoint, Repository};
use crate::registry::error::{Cause, Error};
use crate::registry::{Registry, Settings};

/// What a login came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    /// Where the password is now: `in FILE`, `by HELPER`.
    pub(crate) kept: String,
    /// Whether the registry asked who we are; if not, nobody knows whether the password is right.
    pub(crate) is_checked: bool,
}

impl Registry {
    /// Tries a user name and password at a registry and keeps them if they are right. `registry` is as [`registry_named`] gives it.
    pub(crate) fn login(
        &self,
        registry: &str,
        (user, password): (&str, &Hidden),
    ) -> Result<Login, Error> {
        let credential = Credential::Password {
            user: user.to_owned(),
            password: password.clone(),
        };
        let client = self.client().as_somebody(credential);
        let is_checked = self.wait(enter(&client, registry))?;
        let credentials = client.keeper.credentials();
        let kept = credentials.keep(registry, (user, password))?;
        Ok(Login { kept, is_checked })
    }
}

/// Asks for nothing but to be let in; says whether there was a door.
async fn enter(client: &Client, registry: &str) -> Result<bool, Error> {
    let repository = Repository {
        endpoint: Endpoint {
            name: registry.to_owned(),
            prefix: String::new(),
        },
        name: String::new(),
    };
    let base = client.transport.base(registry).await?;
    let root = base.join("v2/");
    let ask = Ask {
        repository: &repository,
        access: Access::Enter,
        method: Method::GET,
        target: Target::Url(root.map_err(|error| no_registry(registry, &error.to_string()))?),
        headers: Vec::new(),
        body: None,
    };
    let answer = client.send(&ask, &mut client.transport.patience()).await?;
    match answer.status() {
        200 => Ok(client.keeper.was_asked(&repository)),
        404 => Err(no_registry(registry, "it knows no `/v2/`")),
        _ => {
            let doing = format!("cannot log in to `{registry}`");
            Err(client.refusal(&repository, answer, &doing).await)
        }
    }
}

fn no_registry(registry: &str, why: &str) -> Error {
    Error::new(
        Cause::Protocol,
        format!("there is no registry at `{registry}`"),
    )
    .because(why)
}

/// Forgets what a login kept; `false` when nothing was kept. Opens no connection.
pub(crate) fn logout(settings: &Settings, notes: &Notes, registry: &str) -> Result<bool, Error> {
    let credentials = Credentials::new(settings, notes);
    let removed = credentials.forget(registry)?;
    if credentials.find(registry, "")?.is_some() {
        let files = credentials.files();
        let files: Vec<String> = files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        notes.say(format!(
            "there are still credentials for `{registry}` in one of {}; rbuild writes only the first",
            files.join(", ")
        ));
    }
    Ok(removed)
}

/// A registry as it is typed: `host[:port]`, perhaps with `https://` before it; Docker Hub by any of its names.
pub(crate) fn registry_named(typed: &str) -> Result<String, Error> {
    let name = normal(typed);
    let read = format!("{name}/x/y").parse::<Reference>();
    let is_registry = read.is_ok_and(|read| read.registry == name && read.repository == "x/y");
    if is_registry && !typed.starts_with("http://") {
        return Ok(name);
    }
    let shown = typed.rsplit('@').next().unwrap_or_default();
    Err(
        Error::new(Cause::Settings, format!("`{shown}` is no registry"))
            .hint("name it as images do: `ghcr.io`, `registry.example:5000`, `docker.io`"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::registry::tests;
    use crate::testing::test_registry::{Action, Auth, Options, Rule, TestRegistry};

    struct Home(tempfile::TempDir);

    impl Home {
        fn new() -> Home {
            Home(tempfile::tempdir().expect("a directory"))
        }

        fn settings(&self) -> Settings {
            Settings {
                home: Some(self.0.path().to_owned()),
                parallel: 1,
                ..Settings::default()
            }
        }

        fn login(&self, registry: &TestRegistry, password: &str) -> Result<Login, Error> {
            let face = tests::with(self.settings());
            face.login(&registry.host(), ("user", &Hidden::new(password)))
        }

        fn auths(&self) -> Value {
            let file = self.0.path().join(".docker/config.json");
            let text = std::fs::read_to_string(file).unwrap_or("{}".to_owned());
            let config: Value = serde_json::from_str(&text).expect("JSON");
            config["auths"].clone()
        }
    }

    fn asking(auth: Auth) -> TestRegistry {
        TestRegistry::with(Options {
            auth,
            ..Options::default()
        })
    }

    #[test]
    fn a_password_that_is_right_is_kept_and_used() {
        for auth in [Auth::basic("user", "s3cret"), Auth::token("user", "s3cret")] {
            let (home, registry) = (Home::new(), asking(auth));
            let login = home.login(&registry, "s3cret").expect("let in");
            assert!(login.is_checked, "{}", login.kept);
            let auths = json!({registry.host(): {"auth": "dXNlcjpzM2NyZXQ="}});
            assert_eq!(home.auths(), auths);
        }
    }

    #[test]
    fn a17_a_password_that_is_wrong_is_tried_once_and_not_kept() {
        for auth in [Auth::basic("user", "s3cret"), Auth::token("user", "s3cret")] {
            let (home, registry) = (Home::new(), asking(auth));
            let error = home.login(&registry, "geheim").expect_err("refused");
            assert_eq!(error.cause, Cause::Unauthorized);
            assert_eq!(home.auths(), Value::Null);
            let requests = registry.requests();
            let tried = |seen: &&_| {
                crate::testing::test_registry::Seen::header(seen, "authorization").is_some()
            };
            assert_eq!(requests.iter().filter(tried).count(), 1);
        }
    }

    #[test]
    fn a_registry_that_does_not_ask_is_told_apart_from_none() {
        let (home, registry) = (Home::new(), TestRegistry::start());
        assert!(!home.login(&registry, "p").expect("let in").is_checked);
        let registry = TestRegistry::scripted();
        registry.rule(Rule::on("GET", "/v2/").then(Action::Status(404)));
        let error = home.login(&registry, "p").expect_err("no registry");
        assert!(
            error.to_string().starts_with("there is no registry at"),
            "{error}"
        );
    }

    #[test]
    fn a_logout_forgets_and_says_what_it_cannot_forget() {
        let (home, registry) = (Home::new(), asking(Auth::basic("user", "s3cret")));
        home.login(&registry, "s3cret").expect("let in");
        let notes = Notes::recorded();
        let logout = || logout(&home.settings(), &notes, &registry.host()).expect("forgotten");
        assert!(logout() && !logout());
        assert_eq!(home.auths(), json!({}));
        assert!(notes.all().is_empty());
        let podman = home.0.path().join(".config/containers");
        std::fs::create_dir_all(&podman).expect("made");
        let auths = json!({"auths": {registry.host(): {"auth": "dXNlcjpzM2NyZXQ="}}});
        std::fs::write(podman.join("auth.json"), auths.to_string()).expect("written");
        assert!(!logout());
        assert!(
            notes
                .all()
                .iter()
                .any(|note| note.contains("still credentials"))
        );
    }

    #[test]
    fn a_registry_is_named_as_images_name_it() {
        for (typed, name) in [
            ("ghcr.io", "ghcr.io"),
            ("https://GHCR.io/", "ghcr.io"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("localhost:5000", "localhost:5000"),
        ] {
            assert_eq!(registry_named(typed).expect(typed), name);
        }
        for bad in [
            "",
            "ghcr.io/team",
            "x y",
            "http://ghcr.io",
            "https://u:geheim@ghcr.io",
            "-",
        ] {
            let error = registry_named(bad).expect_err(bad);
            assert!(!error.to_string().contains("geheim"), "{error}");
        }
    }
}
