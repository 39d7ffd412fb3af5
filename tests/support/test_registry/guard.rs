//! Who may do what: 401 with a challenge to everybody else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::answer::Answer;
use super::request::Request;
use super::routes::Route;
use super::server::Server;
use super::{Auth, TokenAuth};

/// Type, name and action that a request needs: `("repository", "team/app", "pull")`.
pub(super) type Need = (&'static str, String, &'static str);

/// The answer to a request that must not be obeyed.
pub(super) fn refusal(server: &Server, request: &Request) -> Option<Answer> {
    match &server.options.auth {
        Auth::Anonymous => None,
        Auth::Basic { user, password } => {
            let named = credentials(request);
            let knows = named.is_some_and(|(name, secret)| name == *user && secret == *password);
            (!knows).then(|| unauthorized("Basic realm=\"test registry\""))
        }
        Auth::Token(token) => {
            let needs = needs(request);
            let refused = match bearer(request) {
                None => Some(""),
                Some(bearer) => server.tokens.refusal(bearer, &needs, token.uses),
            };
            refused.map(|error| unauthorized(&challenge(server, token, &needs, error)))
        }
    }
}

/// Counts the use of a request's token.
pub(super) fn used(server: &Server, request: &Request) {
    if let Some(bearer) = bearer(request) {
        server.tokens.used(bearer);
    }
}

fn bearer(request: &Request) -> Option<&str> {
    request.header("authorization")?.strip_prefix("Bearer ")
}

/// User and password of a request.
pub(super) fn credentials(request: &Request) -> Option<(String, String)> {
    let encoded = request.header("authorization")?.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn needs(request: &Request) -> Vec<Need> {
    let Some(route) = Route::of(&request.path) else {
        return Vec::new();
    };
    if route == Route::Catalog {
        return vec![("registry", "catalog".to_owned(), "*")];
    }
    let Some(name) = route.repository() else {
        return Vec::new();
    };
    let actions: &[&'static str] = match request.method.as_str() {
        "GET" | "HEAD" if matches!(route, Route::Upload(..)) => &["pull", "push"],
        "GET" | "HEAD" => &["pull"],
        "DELETE" if !matches!(route, Route::Upload(..)) => &["delete"],
        _ => &["pull", "push"],
    };
    let own = |action: &&'static str| ("repository", name.to_owned(), *action);
    let mut needs: Vec<Need> = actions.iter().map(own).collect();
    if matches!(route, Route::Uploads(_))
        && let Some(from) = request.parameter("from")
    {
        needs.push(("repository", from, "pull"));
    }
    needs
}

fn challenge(server: &Server, token: &TokenAuth, needs: &[Need], error: &str) -> String {
    let own = format!("{}://{}/token", server.scheme(), server.token_host());
    let realm = token.realm.as_ref().unwrap_or(&own);
    let mut challenge = format!("Bearer realm=\"{realm}\",service=\"{}\"", token.service);
    if !needs.is_empty() {
        challenge.push_str(&format!(",scope=\"{}\"", scopes(needs)));
    }
    if !error.is_empty() {
        challenge.push_str(&format!(",error=\"{error}\""));
    }
    challenge
}

/// `repository:a/b:pull,push repository:c/d:pull`
fn scopes(needs: &[Need]) -> String {
    let mut scopes: Vec<(String, Vec<&str>)> = Vec::new();
    for (kind, name, action) in needs {
        let resource = format!("{kind}:{name}");
        match scopes.iter_mut().find(|(known, _)| *known == resource) {
            Some((_, actions)) => actions.push(action),
            None => scopes.push((resource, vec![action])),
        }
    }
    let written: Vec<String> = scopes
        .iter()
        .map(|(resource, actions)| format!("{resource}:{}", actions.join(",")))
        .collect();
    written.join(" ")
}

pub(super) fn unauthorized(challenge: &str) -> Answer {
    Answer::error(401, "UNAUTHORIZED", "authentication required")
        .header("WWW-Authenticate", challenge)
}
