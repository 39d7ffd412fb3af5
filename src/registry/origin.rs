//! Scheme, host and port: what may share a secret (RFC 6454).

use std::fmt;

use reqwest::Url;

/// The origin of a URL, its port always written out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Origin {
    scheme: String,
    /// Lower case, IPv6 in brackets.
    host: String,
    port: u16,
}

impl Origin {
    /// `None` for what is neither http nor https.
    pub(super) fn of(url: &Url) -> Option<Origin> {
        Some(Origin {
            scheme: url.scheme().to_owned(),
            host: url.host_str()?.to_ascii_lowercase(),
            port: url.port_or_known_default()?,
        })
        .filter(|origin| ["http", "https"].contains(&origin.scheme.as_str()))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

/// A URL as it may be shown: no user, no query, which can hold a signature, no fragment.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Option<Origin> {
        Origin::of(&Url::parse(url).expect("a URL"))
    }

    #[test]
    fn a_default_port_that_is_dropped_is_the_same_origin() {
        assert_eq!(origin("https://Host/a"), origin("https://host:443/b?c"));
        assert_eq!(origin("http://host"), origin("http://host:80"));
        assert_eq!(
            origin("http://[::1]:5/").map(|it| it.to_string()),
            Some("http://[::1]:5".to_owned())
        );
    }

    #[test]
    fn another_scheme_host_or_port_is_another_origin() {
        for other in [
            "http://host:443/",
            "https://host:444/",
            "https://a.host/",
            "https://host./",
        ] {
            assert_ne!(origin("https://host/"), origin(other), "{other}");
        }
        assert_eq!(origin("ftp://host/"), None);
        assert_eq!(origin("data:x"), None);
    }

    #[test]
    fn what_is_shown_of_a_url_holds_no_secret() {
        let url = Url::parse("https://u:p@host/v2/a?X-Signature=s#f").expect("a URL");
        assert_eq!(shown(&url), "https://host/v2/a");
    }
}
