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
