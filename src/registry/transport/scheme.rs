//! http or https: https, except on this machine and where the user gave leave; what was found out is remembered.
//!
//! Nothing is asked for its own sake: the first request of a registry shows which one is spoken there.

use std::collections::BTreeMap;
use std::sync::Mutex;

use reqwest::Url;

use crate::registry::error::{Cause, Error};
use crate::registry::inward;
use crate::registry::origin::Origin;
use crate::registry::transport::trust::Trust;

/// Docker Hub's name, and the host of its API.
const HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// What was found out, by name of a registry.
#[derive(Default)]
pub(super) struct Schemes {
    known: Mutex<BTreeMap<String, &'static str>>,
}

impl Schemes {
    /// The schemes to try, the first first; one alone when it is certain.
    pub(super) fn of(&self, registry: &str, trust: &Trust) -> &'static [&'static str] {
        let known = self.known.lock().expect("nothing panics here");
        match known.get(registry) {
            Some(&"http") => &["http"],
            Some(_) => &["https"],
            None => allowed(registry, trust),
        }
    }

    /// Remembers what `registry` speaks.
    pub(super) fn settle(&self, registry: &str, url: &Url) {
        let scheme = if url.scheme() == "http" {
            "http"
        } else {
            "https"
        };
        let mut known = self.known.lock().expect("nothing panics here");
        known.insert(registry.to_owned(), scheme);
    }
}

fn allowed(registry: &str, trust: &Trust) -> &'static [&'static str] {
    match inward::is_loopback(without_port(registry)) && !trust.has_material() {
        true => &["http", "https"],
        false if trust.insecure => &["https", "http"],
        false => &["https"],
    }
}

/// Whether what is asked in https may be asked in http instead: where the user gave leave, and https is what we try first ourselves.
pub(super) fn may_fall_back(registry: &str, trust: &Trust) -> bool {
    allowed(registry, trust) == ["https", "http"]
}

fn without_port(registry: &str) -> &str {
    match registry.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => registry,
    }
}

/// `<scheme>://<registry>/`.
pub(super) fn base(registry: &str, scheme: &str) -> Result<Url, Error> {
    let host = if registry == HUB.0 { HUB.1 } else { registry };
    let problem = || {
        Error::new(
            Cause::Settings,
            format!("`{registry}` is not the name of a registry"),
        )
    };
    let url = Url::parse(&format!("{scheme}://{host}/"))
        .map_err(|error| problem().because(error.to_string()))?;
    let rest = [
        url.query(),
        url.fragment(),
        url.password(),
        Some(url.username()).filter(|user| !user.is_empty()),
    ];
    let is_plain = url.path() == "/" && rest.iter().all(Option::is_none);
    is_plain.then_some(url).ok_or_else(problem)
}

/// Whether `url` lies on the registry itself, and not where it sent us to.
pub(super) fn is_own(registry: &str, url: &Url) -> bool {
    let own = base(registry, url.scheme());
    own.is_ok_and(|own| Origin::of(&own) == Origin::of(url))
}

/// The same place with another scheme.
pub(super) fn switched(registry: &str, url: &Url, scheme: &str) -> Result<Url, Error> {
    let mut switched = base(registry, scheme)?;
    switched.set_path(url.path());
    switched.set_query(url.query());
    Ok(switched)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(registry: &str, trust: &Trust) -> &'static [&'static str] {
        Schemes::default().of(registry, trust)
    }

    fn base_of(registry: &str) -> Option<String> {
        base(registry, "https").ok().map(|url| url.to_string())
    }

    #[test]
    fn http_is_for_loopback_without_certificates_and_for_insecure_registries() {
        let plain = Trust::default();
        for registry in [
            "localhost",
            "localhost:5000",
            "a.localhost:1",
            "127.0.0.1:5000",
            "127.1.2.3",
            "[::1]:5000",
            "[::1]",
        ] {
            assert_eq!(tried(registry, &plain), ["http", "https"], "{registry}");
        }
        for registry in [
            "10.0.0.1:5000",
            "192.168.0.1",
            "r.example",
            "localhost.example:5000",
            "docker.io",
            "[fe80::1]:5000",
        ] {
            assert_eq!(tried(registry, &plain), ["https"], "{registry}");
        }
        let with_ca = Trust {
            authorities: vec!["ca.pem".into()],
            ..Trust::default()
        };
        assert_eq!(tried("localhost:5000", &with_ca), ["https"]);
        let insecure = Trust {
            insecure: true,
            ..Trust::default()
        };
        assert_eq!(tried("r.example", &insecure), ["https", "http"]);
        assert_eq!(tried("localhost", &insecure), ["http", "https"]);
    }

    #[test]
    fn what_was_found_out_is_remembered_for_that_registry_alone() {
        let schemes = Schemes::default();
        let url = base("localhost:5000", "https").expect("a base");
        schemes.settle("localhost:5000", &url);
        assert_eq!(schemes.of("localhost:5000", &Trust::default()), ["https"]);
        assert_eq!(
            schemes.of("localhost:5001", &Trust::default()),
            ["http", "https"]
        );
    }

    #[test]
    fn r33_a_base_is_host_and_port_and_nothing_else() {
        assert_eq!(
            base_of("r.example:5000").as_deref(),
            Some("https://r.example:5000/")
        );
        assert_eq!(
            base_of("docker.io").as_deref(),
            Some("https://registry-1.docker.io/")
        );
        assert_eq!(
            base_of("[::1]:5000").as_deref(),
            Some("https://[::1]:5000/")
        );
        assert_eq!(base_of("R.Example").as_deref(), Some("https://r.example/"));
        for wrong in ["", "a/b", "u@h", "u:p@h", "h?q", "h#f", "h:99999", "::1"] {
            assert_eq!(base_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_switch_keeps_path_query_and_port() {
        let url = Url::parse("http://localhost/v2/a?b=%2B").expect("a URL");
        let https = switched("localhost", &url, "https").expect("a URL");
        assert_eq!(https.as_str(), "https://localhost/v2/a?b=%2B");
        let url = Url::parse("http://localhost:443/v2/").expect("a URL");
        assert!(is_own("localhost:443", &url));
        assert_eq!(
            switched("localhost:443", &url, "https")
                .expect("a URL")
                .as_str(),
            "https://localhost/v2/"
        );
        assert!(!is_own("localhost:5000", &url));
    }
}
