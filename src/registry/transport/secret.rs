//! A value for `Authorization`: bound to one origin, and never shown.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::registry::origin::Origin;

/// A value for `Authorization`, and the only origin that may see it.
#[derive(Clone)]
pub(in crate::registry) struct Secret {
    pub(in crate::registry) origin: Origin,
    /// Marked sensitive.
    pub(in crate::registry) value: HeaderValue,
}

impl Secret {
    pub(super) fn is_for(&self, url: &Url) -> bool {
        Origin::of(url).as_ref() == Some(&self.origin)
    }

    /// Takes the secret out of a text that a registry wrote.
    pub(super) fn blank_out(&self, text: &mut String) {
        for word in self.words().iter().filter(|word| word.len() > 3) {
            *text = text.replace(word.as_str(), "***");
        }
    }

    /// What follows `Bearer` or `Basic`, and the password in the latter.
    pub(in crate::registry) fn words(&self) -> Vec<String> {
        let value = String::from_utf8_lossy(self.value.as_bytes());
        let Some((_scheme, word)) = value.split_once(' ') else {
            return vec![value.into_owned()];
        };
        let decoded = STANDARD.decode(word).unwrap_or_default();
        let pair = String::from_utf8_lossy(&decoded);
        let password = pair
            .split_once(':')
            .map(|(_user, password)| password.to_owned());
        password.into_iter().chain([word.to_owned()]).collect()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Secret(*** for {})", self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(value: &str) -> Secret {
        let url = Url::parse("https://r.example/").expect("a URL");
        Secret {
            origin: Origin::of(&url).expect("an origin"),
            value: HeaderValue::from_str(value).expect("a value"),
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(
            format!("{:?}", secret("Bearer abcdef")),
            "Secret(*** for https://r.example:443)"
        );
    }

    #[test]
    fn what_a_registry_repeats_of_our_secret_is_blanked_out() {
        let mut text = "you sent abcdef".to_owned();
        secret("Bearer abcdef").blank_out(&mut text);
        assert_eq!(text, "you sent ***");
        let basic = STANDARD.encode("user:hunter22");
        let mut text = format!("{basic} is user and hunter22");
        secret(&format!("Basic {basic}")).blank_out(&mut text);
        assert_eq!(text, "*** is user and ***");
        let mut short = "a b c".to_owned();
        secret("Bearer b").blank_out(&mut short);
        assert_eq!(short, "a b c");
    }

    #[test]
    fn a16_a_secret_is_for_the_exact_origin() {
        let secret = secret("Bearer abcdef");
        for (url, is_for) in [
            ("https://r.example:443/x", true),
            ("http://r.example/", false),
            ("https://r.example:444/", false),
            ("https://r.example.evil/", false),
        ] {
            assert_eq!(
                secret.is_for(&Url::parse(url).expect("a URL")),
                is_for,
                "{url}"
            );
        }
    }
}
