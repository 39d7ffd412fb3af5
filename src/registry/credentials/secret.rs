//! Secrets as values that do not show themselves.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A text that only `reveal` gives away.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Hidden(String);

impl Hidden {
    pub(crate) fn new(text: impl Into<String>) -> Hidden {
        Hidden(text.into())
    }

    /// The secret itself: for a header, a form or a helper, nothing else.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

/// Who we are, for one registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    Password {
        user: String,
        password: Hidden,
    },
    /// An OAuth 2 refresh token; `password` is what lies beside it, mostly empty.
    Identity {
        user: String,
        password: Hidden,
        token: Hidden,
    },
    /// A bearer token, sent as it is.
    Token(Hidden),
}

impl Credential {
    /// For messages.
    pub(crate) fn shown(&self) -> String {
        match self {
            Credential::Password { user, .. } => format!("user `{user}`"),
            Credential::Identity { user, .. } if user.is_empty() || user == "<token>" => {
                "an identity token".to_owned()
            }
            Credential::Identity { user, .. } => format!("user `{user}` with an identity token"),
            Credential::Token(_) => "a registry token".to_owned(),
        }
    }

    /// The value of `Authorization` without any exchange: `Basic`, and `Bearer` for a registry token.
    pub(crate) fn header(&self) -> Hidden {
        match self {
            Credential::Password { user, password } => basic(user, password),
            Credential::Identity {
                user,
                password,
                token,
            } => basic(user, if password.is_empty() { token } else { password }),
            Credential::Token(token) => Hidden(format!("Bearer {}", token.reveal())),
        }
    }

    /// Every text that nobody may read.
    pub(in crate::registry) fn words(&self) -> Vec<String> {
        let header = self.header();
        let encoded = header.reveal().split(' ').next_back().map(str::to_owned);
        let plain = match self {
            Credential::Password { password, .. } => vec![password],
            Credential::Identity {
                password, token, ..
            } => vec![password, token],
            Credential::Token(token) => vec![token],
        };
        let plain = plain.into_iter().map(|hidden| hidden.reveal().to_owned());
        let words = plain.chain(encoded);
        words.filter(|word| !word.is_empty()).collect()
    }

    /// `text` without what nobody may read: servers repeat what they were sent.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let words = self.words().into_iter();
        words.fold(text.to_owned(), |text, word| text.replace(&word, "***"))
    }
}

/// RFC 7617.
fn basic(user: &str, password: &Hidden) -> Hidden {
    let pair = format!("{user}:{}", password.reveal());
    Hidden(format!("Basic {}", STANDARD.encode(pair)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> [Credential; 3] {
        let user = || "bob".to_owned();
        [
            Credential::Password {
                user: user(),
                password: Hidden::new("geheim"),
            },
            Credential::Identity {
                user: user(),
                password: Hidden::default(),
                token: Hidden::new("geheim"),
            },
            Credential::Token(Hidden::new("geheim")),
        ]
    }

    #[test]
    fn a20_no_secret_shows_itself() {
        for credential in all() {
            let shown = format!(
                "{credential:?} {:?} {}",
                credential.header(),
                credential.shown()
            );
            assert!(
                !shown.contains("geheim") && !shown.contains("Z2Vo"),
                "{shown}"
            );
            assert!(shown.contains("***"), "{shown}");
        }
    }

    #[test]
    fn a20_what_a_server_repeats_is_scrubbed() {
        for credential in all() {
            let header = credential.header();
            let text = format!("bob came with {} and geheim", header.reveal());
            let scrubbed = credential.scrub(&text);
            assert!(!scrubbed.contains("geheim"), "{scrubbed}");
            assert!(!scrubbed.contains("Ym9i"), "{scrubbed}");
            assert!(scrubbed.starts_with("bob came with "), "{scrubbed}");
        }
    }

    #[test]
    fn a_header_is_basic_or_the_registry_token_itself() {
        let headers = all().map(|one| one.header().reveal().to_owned());
        let basic = "Basic Ym9iOmdlaGVpbQ==";
        assert_eq!(headers, [basic, basic, "Bearer geheim"]);
    }
}
