//! Cookies of registries that keep a session (Quay, load balancers): for the same origin and this run alone.
//!
//! Never written down, never sent elsewhere. Paths and domains are not looked at: a cookie goes to the origin that set it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};

use crate::registry::origin::Origin;

/// Of one origin, and the bytes of all names and values together.
const MOST: usize = 20;
const BYTES: usize = 8 * 1024;

type Jar = BTreeMap<String, String>;

#[derive(Default)]
pub(super) struct Cookies {
    jars: Mutex<BTreeMap<Origin, Jar>>,
}

impl Cookies {
    /// Keeps what an answer from `url` sets; `Max-Age=0` takes a cookie away.
    pub(super) fn keep(&self, url: &Url, headers: &HeaderMap) {
        let values = headers
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        for (name, value) in values.filter_map(pair) {
            self.put(url, name, value);
        }
    }

    fn put(&self, url: &Url, name: &str, value: Option<&str>) {
        let Some(origin) = Origin::of(url) else {
            return;
        };
        let mut jars = self.jars.lock().expect("nothing panics here");
        let jar = jars.entry(origin).or_default();
        jar.remove(name);
        let taken: usize = jar
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if let Some(value) = value
            && jar.len() < MOST
            && taken + name.len() + value.len() <= BYTES
        {
            jar.insert(name.to_owned(), value.to_owned());
        }
    }

    /// What goes with a request to `url`.
    pub(super) fn of(&self, url: &Url) -> Option<HeaderValue> {
        let jars = self.jars.lock().expect("nothing panics here");
        let jar = jars.get(&Origin::of(url)?)?;
        let pairs: Vec<String> = jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut value = HeaderValue::try_from(pairs.join("; "))
            .ok()
            .filter(|value| !value.is_empty())?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Name, and value unless the cookie has ended.
fn pair(cookie: &str) -> Option<(&str, Option<&str>)> {
    let mut parts = cookie.split(';').map(str::trim);
    let (name, value) = parts.next()?.split_once('=')?;
    let has_ended = parts.any(|part| {
        part.to_ascii_lowercase()
            .strip_prefix("max-age=")
            .is_some_and(is_past)
    });
    (!name.is_empty()).then_some((name, (!has_ended).then_some(value)))
}

fn is_past(seconds: &str) -> bool {
    seconds.starts_with('-') || seconds == "0"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    fn keep(cookies: &Cookies, values: &[&str]) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(SET_COOKIE, value.parse().expect("a value"));
        }
        cookies.keep(&url("https://r.example/v2/"), &headers);
    }

    fn sent(cookies: &Cookies, to: &str) -> Option<String> {
        let value = cookies.of(&url(to))?;
        assert!(value.is_sensitive());
        Some(value.to_str().expect("text").to_owned())
    }

    #[test]
    fn r12_a_cookie_goes_to_the_origin_that_set_it_and_nowhere_else() {
        let cookies = Cookies::default();
        keep(&cookies, &["b=2; Path=/; Secure", "a=1", "=x", "none"]);
        assert_eq!(
            sent(&cookies, "https://r.example:443/other").as_deref(),
            Some("a=1; b=2")
        );
        for other in [
            "http://r.example/",
            "https://r.example:444/",
            "https://a.r.example/",
            "https://cdn.example/",
        ] {
            assert_eq!(sent(&cookies, other), None, "{other}");
        }
    }

    #[test]
    fn a_cookie_that_ends_is_forgotten_and_a_newer_one_wins() {
        let cookies = Cookies::default();
        keep(&cookies, &["a=1", "a=2; Max-Age=60"]);
        assert_eq!(sent(&cookies, "https://r.example/").as_deref(), Some("a=2"));
        keep(&cookies, &["a=; max-age=0"]);
        assert_eq!(sent(&cookies, "https://r.example/"), None);
    }

    #[test]
    fn a_registry_cannot_fill_our_memory_with_cookies() {
        let cookies = Cookies::default();
        let many: Vec<String> = (0..90)
            .map(|number| format!("c{number}={}", "x".repeat(1_000)))
            .collect();
        keep(
            &cookies,
            &many.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        let sent = sent(&cookies, "https://r.example/").expect("some");
        assert!(sent.len() <= BYTES + 4 * MOST, "{}", sent.len());
    }
}
