//! What a registry wants to see: the `WWW-Authenticate` headers of a 401 (RFC 9110, 11.6.1).
//!
//! Several challenges, in one header or several, of any scheme; what is not understood is passed over. Never fails: a header that makes
//! no sense holds no challenge. Written here because `http-auth` 0.1 refuses the token68 form, so that a `Negotiate` with data
//! would hide the `Bearer` behind it.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

use crate::registry::scope::Scopes;

/// More challenges than this are not looked at.
const MOST: usize = 32;

/// One challenge; scheme and names of parameters in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The first parameter of that name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What we answer: a token if that can be had, else a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

impl Wanted {
    /// What the registry says that the request needs.
    pub(super) fn scopes(&self) -> Scopes {
        match self {
            Wanted::Bearer {
                scope: Some(scope), ..
            } => Scopes::parse(scope),
            _ => Scopes::default(),
        }
    }
}

/// The challenge that we answer; else the schemes that were named.
pub(super) fn wanted(challenges: &[Challenge]) -> Result<Wanted, Vec<String>> {
    let bearer = challenges
        .iter()
        .filter(|challenge| challenge.scheme == "bearer")
        .find_map(bearer);
    let basic = || challenges.iter().find(|one| one.scheme == "basic");
    bearer
        .or_else(|| basic().map(|_| Wanted::Basic))
        .ok_or_else(|| challenges.iter().map(|one| one.scheme.clone()).collect())
}

/// `None` without a realm: nobody says where the token is to be had.
fn bearer(challenge: &Challenge) -> Option<Wanted> {
    let owned = |name| challenge.get(name).map(str::to_owned);
    Some(Wanted::Bearer {
        realm: owned("realm").filter(|realm| !realm.is_empty())?,
        service: owned("service"),
        scope: owned("scope"),
    })
}

/// All challenges of an answer, in order.
pub(super) fn read(headers: &HeaderMap) -> Vec<Challenge> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .flat_map(|value| parse(&String::from_utf8_lossy(value.as_bytes())))
        .take(MOST)
        .collect()
}

/// The challenges of one header.
fn parse(header: &str) -> Vec<Challenge> {
    let mut rest = header;
    let mut found: Vec<Challenge> = Vec::new();
    while found.len() <= MOST {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        let Some((word, after)) = token(rest) else {
            break;
        };
        rest = match (parameter(after), found.last_mut()) {
            (Some((value, after)), Some(challenge)) => {
                challenge.parameters.push((word, value));
                after
            }
            (Some((_, after)), None) => after,
            (None, _) => {
                found.push(Challenge {
                    scheme: word,
                    parameters: Vec::new(),
                });
                past_token68(after)
            }
        };
    }
    found
}

/// A token of RFC 9110 in lower case, and what follows; what cannot begin one is skipped.
fn token(text: &str) -> Option<(String, &str)> {
    let start = text.find(is_token)?;
    let text = &text[start..];
    let (word, rest) = text.split_at(text.find(|c| !is_token(c)).unwrap_or(text.len()));
    Some((word.to_ascii_lowercase(), rest))
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

/// The value after `=`, and what follows; `None` when there is no `=`.
fn parameter(text: &str) -> Option<(String, &str)> {
    let value = text.trim_start().strip_prefix('=')?.trim_start();
    if let Some(quoted) = value.strip_prefix('"') {
        return Some(unquoted(quoted));
    }
    let end = value.find(|c: char| c == ',' || c.is_whitespace());
    let (value, rest) = value.split_at(end.unwrap_or(value.len()));
    Some((value.to_owned(), rest))
}

/// A quoted string from behind its first quote; one that does not end goes on to the end.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    (value, "")
}

/// What follows a scheme, without the token68 that may stand there.
fn past_token68(text: &str) -> &str {
    let data = text.trim_start();
    let is_data = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    let rest = data.trim_start_matches(is_data).trim_start_matches('=');
    let ends = rest.trim_start().starts_with(',') || rest.trim_start().is_empty();
    if ends && data.len() < text.len() {
        rest
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn shown(header: &str) -> Vec<String> {
        let show = |challenge: &Challenge| {
            let parameters = challenge.parameters.iter();
            let parameters: Vec<String> = parameters.map(|(k, v)| format!("{k}={v}")).collect();
            format!("{} {}", challenge.scheme, parameters.join("|"))
        };
        parse(header).iter().map(show).collect()
    }

    #[test]
    fn a_challenge_is_read_however_it_is_written() {
        for header in [
            r#"Bearer realm="https://a.example/token",service="r.example",scope="repository:x:pull,push""#,
            r#"BEARER Realm = "https://a.example/token" , SERVICE="r.example",scope = "repository:x:pull,push""#,
            r#"bearer realm="https://a.example/token" service=r.example scope="repository:x:pull,push""#,
            r#",, Bearer realm="https:\/\/a.example\/token",service=r.example,, scope="repository:x:pull,pus\h","#,
        ] {
            assert_eq!(
                shown(header),
                [
                    "bearer realm=https://a.example/token|service=r.example|scope=repository:x:pull,push"
                ],
                "{header}"
            );
        }
    }

    #[test]
    fn several_challenges_and_token68_are_told_apart() {
        assert_eq!(
            shown(
                r#"Negotiate, NTLM TlRMTVNTUAAC==, Digest realm="a, Basic realm=x", nonce=1, Basic realm="r""#
            ),
            [
                "negotiate ",
                "ntlm ",
                "digest realm=a, Basic realm=x|nonce=1",
                "basic realm=r"
            ]
        );
        assert_eq!(
            shown("Negotiate YII/a+b=, Bearer realm=https://a.example/t?x=1,service=s"),
            [
                "negotiate ",
                "bearer realm=https://a.example/t?x=1|service=s"
            ]
        );
        assert_eq!(shown("Basic"), ["basic "]);
        assert_eq!(shown(r#"realm="lost", Basic"#), ["basic "]);
        assert_eq!(shown(r#"Bearer realm="no end"#), ["bearer realm=no end"]);
    }

    #[test]
    fn a_token_is_preferred_to_a_password_and_others_are_passed_over() {
        let wants = |header: &str| wanted(&parse(header));
        let bearer = Wanted::Bearer {
            realm: "https://a/".to_owned(),
            service: None,
            scope: Some("s".to_owned()),
        };
        assert_eq!(
            wants("Digest realm=x, Basic realm=y, Bearer realm=https://a/,scope=s"),
            Ok(bearer)
        );
        assert_eq!(wants("Negotiate, basic realm=x"), Ok(Wanted::Basic));
        assert_eq!(
            wants("Bearer service=x, Basic"),
            Ok(Wanted::Basic),
            "a realm is needed"
        );
        assert_eq!(
            wants("Negotiate, Digest realm=x"),
            Err(vec!["negotiate".to_owned(), "digest".to_owned()])
        );
        assert_eq!(wants(""), Err(vec![]));
    }

    #[test]
    fn all_headers_are_read_even_those_that_are_not_ascii() {
        let mut headers = HeaderMap::new();
        headers.append(
            WWW_AUTHENTICATE,
            HeaderValue::from_bytes(b"Negotiate \xff").expect("a header"),
        );
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=x"));
        assert_eq!(wanted(&read(&headers)), Ok(Wanted::Basic));
    }

    #[test]
    fn h23_no_header_makes_the_parser_panic_or_run_on() {
        const PIECES: [&str; 16] = [
            "Bearer ",
            "Basic",
            "realm",
            "=",
            "\"",
            "\\",
            ",",
            " ",
            "é",
            "\u{0}",
            "a/b==",
            "scope=\"x\"",
            "\t",
            "~",
            "Digest",
            "\u{202e}",
        ];
        let mut state = 7_u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(state >> 33).expect("31 bits")
        };
        for _ in 0..20_000 {
            let count = next() % 24;
            let header: String = (0..count).map(|_| PIECES[next() % PIECES.len()]).collect();
            let found = parse(&header);
            assert!(
                found
                    .iter()
                    .all(|one| one.scheme.is_ascii() && !one.scheme.is_empty()),
                "{header}"
            );
        }
        assert!(parse(&"a ".repeat(100_000)).len() <= MOST + 1);
    }
}
