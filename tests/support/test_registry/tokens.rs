//! The token server: `GET /token` with Basic, `POST /token` with a form, and which tokens are good.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use serde_json::{Value, json};

use super::answer::Answer;
use super::content::Content;
use super::guard::{self, Need};
use super::request::{Request, pairs};
use super::server::Server;
use super::{Auth, Claims, Mint, TokenAuth};

/// More of a form is not read.
const LARGEST_FORM: u64 = 64 * 1024;

#[derive(Default)]
pub(super) struct Tokens(Mutex<Book>);

#[derive(Default)]
struct Book {
    good: BTreeMap<String, Token>,
    issued: usize,
}

struct Token {
    allows: Vec<(String, String, String)>,
    until: Instant,
    used: usize,
}

impl Tokens {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().expect("sound")
    }

    pub(super) fn issued(&self) -> usize {
        self.book().issued
    }

    /// From now on no token is good that was given before.
    pub(super) fn expire(&self) {
        self.book().good.clear();
    }

    fn issue(&self, auth: &TokenAuth, user: &str, allows: Vec<(String, String, String)>) -> String {
        let claims = Claims {
            user,
            service: &auth.service,
            allows: &allows,
        };
        let minted = auth.mint.as_ref().map(|Mint(mint)| mint(&claims));
        let mut book = self.book();
        book.issued += 1;
        let name = minted.unwrap_or_else(|| format!("token-{}", book.issued));
        let token = Token {
            allows,
            until: Instant::now() + auth.life,
            used: 0,
        };
        book.good.insert(name.clone(), token);
        name
    }

    pub(super) fn used(&self, bearer: &str) {
        if let Some(token) = self.book().good.get_mut(bearer) {
            token.used += 1;
        }
    }

    /// Why a token does not do: the `error` of a challenge.
    pub(super) fn refusal(
        &self,
        bearer: &str,
        needs: &[Need],
        uses: Option<usize>,
    ) -> Option<&'static str> {
        let book = self.book();
        let Some(token) = book.good.get(bearer) else {
            return Some("invalid_token");
        };
        if token.until < Instant::now() || uses.is_some_and(|uses| token.used >= uses) {
            return Some("invalid_token");
        }
        let allows = |(kind, name, action): &Need| {
            token.allows.iter().any(|(own_kind, own_name, own_action)| {
                (own_kind, own_name) == (&(*kind).to_owned(), name)
                    && (own_action == action || own_action == "*")
            })
        };
        (!needs.iter().all(allows)).then_some("insufficient_scope")
    }
}

/// The answer of `/token`.
pub(super) fn answer(server: &Server, request: &Request, body: &Content) -> Answer {
    let Auth::Token(auth) = &server.options.auth else {
        return Answer::error(404, "NAME_UNKNOWN", "no such endpoint");
    };
    match request.method.as_str() {
        "GET" => get(server, request, auth),
        "POST" if auth.post => post(server, auth, body),
        _ => Answer::error(404, "UNSUPPORTED", "no such method"),
    }
}

fn get(server: &Server, request: &Request, auth: &TokenAuth) -> Answer {
    let named = guard::credentials(request);
    let knows = named
        .as_ref()
        .map(|(user, password)| *user == auth.user && *password == auth.password);
    match knows {
        Some(false) => Answer::error(401, "UNAUTHORIZED", "incorrect username or password"),
        knows => grant(server, auth, (&pairs(&request.query), knows.is_some())),
    }
}

/// RFC 6749 as registries speak it: the password grant and the refresh grant.
fn post(server: &Server, auth: &TokenAuth, body: &Content) -> Answer {
    let form = pairs(&String::from_utf8_lossy(&body.bytes(0, LARGEST_FORM)));
    let field = |name: &str| value(&form, name);
    let knows = match field("grant_type") {
        Some("password") => {
            field("username") == Some(&auth.user) && field("password") == Some(&auth.password)
        }
        Some("refresh_token") => {
            field("refresh_token").is_some()
                && field("refresh_token") == auth.refresh_token.as_deref()
        }
        _ => return Answer::new(400).json(&json!({"error": "unsupported_grant_type"})),
    };
    match knows {
        true => grant(server, auth, (&form, true)),
        false => Answer::new(401).json(&json!({"error": "invalid_grant"})),
    }
}

/// A token for what was asked, as far as who asks may have it.
fn grant(server: &Server, auth: &TokenAuth, (asked, known): (&[(String, String)], bool)) -> Answer {
    let scopes = asked.iter().filter(|(name, _)| name == "scope");
    let allows = scopes
        .flat_map(|(_, scopes)| scopes.split_whitespace())
        .flat_map(actions)
        .filter(|(_, _, action)| known || (auth.anonymous_pull && action == "pull"))
        .collect();
    let user = if known { auth.user.as_str() } else { "" };
    let token = server.tokens.issue(auth, user, allows);
    let mut said = json!({});
    auth.fields
        .iter()
        .for_each(|field| said[*field] = Value::from(token.as_str()));
    if let Some(life) = auth.said_life {
        said["expires_in"] = Value::from(life);
    }
    let is_offline = value(asked, "offline_token") == Some("true")
        || value(asked, "access_type") == Some("offline");
    if let (true, Some(refresh)) = (is_offline, &auth.refresh_token) {
        said["refresh_token"] = Value::from(refresh.as_str());
    }
    Answer::new(200).json(&said)
}

/// `repository:a/b:pull,push` as one entry for each action.
fn actions(scope: &str) -> Vec<(String, String, String)> {
    let split = scope.split_once(':').and_then(|(kind, rest)| {
        let (name, actions) = rest.rsplit_once(':')?;
        Some((kind, name, actions))
    });
    let Some((kind, name, actions)) = split else {
        return Vec::new();
    };
    actions
        .split(',')
        .map(|action| (kind.to_owned(), name.to_owned(), action.to_owned()))
        .collect()
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}
