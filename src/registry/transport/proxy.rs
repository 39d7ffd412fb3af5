//! Which proxy a URL goes through: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in upper or lower case.
//!
//! Never for this machine. A proxy is shown without its user and password.

use std::ffi::OsStr;
use std::net::IpAddr;

use reqwest::Url;

use crate::registry::error::{Cause, Error};
use crate::registry::inward::is_loopback;
use crate::registry::origin::shown;
use crate::registry::settings::Settings;

/// The proxies of a run.
#[derive(Clone, Default)]
pub(super) struct Proxies {
    https: Option<Proxy>,
    http: Option<Proxy>,
    direct: Vec<Exception>,
}

/// What a variable holds: a URL, or what could not be used as one. No Debug: it may hold a password.
#[derive(Clone)]
struct Proxy {
    variable: String,
    url: Option<Url>,
}

/// An entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Exception {
    All,
    Addresses(IpAddr, u32),
    /// A name and all names below it, perhaps with a port.
    Name(String, Option<u16>),
}

impl Proxies {
    pub(super) fn new(settings: &Settings) -> Proxies {
        let find = |name: &str| {
            variable(settings, name).or_else(|| variable(settings, &name.to_ascii_lowercase()))
        };
        let proxy = |name: &str| {
            find(name).map(|(variable, value)| Proxy {
                url: parse(&value),
                variable,
            })
        };
        let direct = find("NO_PROXY").map(|(_, value)| exceptions(&value));
        Proxies {
            https: proxy("HTTPS_PROXY").or_else(|| proxy("ALL_PROXY")),
            http: proxy("HTTP_PROXY").or_else(|| proxy("ALL_PROXY")),
            direct: direct.unwrap_or_default(),
        }
    }

    /// The proxy for `url`, if it does not go there directly.
    pub(super) fn of(&self, url: &Url) -> Result<Option<Url>, Error> {
        let proxy = match url.scheme() {
            "https" => &self.https,
            _ => &self.http,
        };
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default();
        if is_loopback(host) || self.direct.iter().any(|it| it.holds(host, port)) {
            return Ok(None);
        }
        match proxy {
            None => Ok(None),
            Some(Proxy { url: Some(url), .. }) => Ok(Some(url.clone())),
            Some(Proxy { variable, .. }) => Err(unusable(variable)),
        }
    }
}

fn variable(settings: &Settings, name: &str) -> Option<(String, String)> {
    let value = settings
        .environment
        .get(OsStr::new(name))?
        .to_string_lossy();
    let value = value.trim();
    (!value.is_empty()).then(|| (name.to_owned(), value.to_owned()))
}

fn parse(value: &str) -> Option<Url> {
    let with_scheme = match value.contains("://") {
        true => value.to_owned(),
        false => format!("http://{value}"),
    };
    let url = Url::parse(&with_scheme).ok()?;
    let is_usable = ["http", "https"].contains(&url.scheme()) && url.has_host();
    is_usable.then_some(url)
}

fn unusable(variable: &str) -> Error {
    Error::new(
        Cause::Settings,
        format!("cannot use the proxy that `{variable}` names"),
    )
    .because("it has to be `http://host:port` or `https://host:port`; SOCKS is not spoken")
    .hint(format!(
        "change `{variable}`, or name the registry in `NO_PROXY`"
    ))
}

/// How a proxy is named in messages.
pub(super) fn named(proxy: &Url) -> String {
    shown(proxy).trim_end_matches('/').to_owned()
}

fn exceptions(value: &str) -> Vec<Exception> {
    let parts = value
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts.map(exception).collect()
}

fn exception(text: &str) -> Exception {
    if text == "*" {
        return Exception::All;
    }
    let (address, bits) = text
        .split_once('/')
        .map_or((text, None), |(address, bits)| (address, bits.parse().ok()));
    if let Some(address) = address_of(address) {
        return Exception::Addresses(address, bits.unwrap_or(128));
    }
    let (name, port) = text
        .rsplit_once(':')
        .map_or((text, None), |(name, port)| (name, port.parse().ok()));
    let name = name.trim_start_matches('*').trim_start_matches('.');
    Exception::Name(name.to_ascii_lowercase(), port)
}

fn address_of(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

impl Exception {
    fn holds(&self, host: &str, port: Option<u16>) -> bool {
        match self {
            Exception::All => true,
            Exception::Addresses(network, bits) => {
                address_of(host).is_some_and(|it| lies_in(it, *network, *bits))
            }
            Exception::Name(name, wanted) => {
                let below = host.strip_suffix(name.as_str());
                let is_named = below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                is_named && wanted.is_none_or(|wanted| Some(wanted) == port)
            }
        }
    }
}

fn lies_in(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let differ = match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            u128::from((one.to_bits() ^ other.to_bits()).reverse_bits())
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).reverse_bits(),
        _ => return false,
    };
    differ.trailing_zeros() >= bits || differ == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(environment: &[(&str, &str)]) -> Proxies {
        let environment = environment
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        Proxies::new(&Settings {
            environment: environment.collect(),
            ..Settings::default()
        })
    }

    fn through(environment: &[(&str, &str)], url: &str) -> Option<String> {
        let url = Url::parse(url).expect("a URL");
        let proxy = proxies(environment).of(&url).expect("usable");
        proxy.map(|proxy| named(&proxy))
    }

    #[test]
    fn r35_each_scheme_has_its_proxy_and_upper_case_wins() {
        let environment = [
            ("HTTPS_PROXY", "http://a:1"),
            ("https_proxy", "http://b:1"),
            ("http_proxy", "c:1"),
        ];
        assert_eq!(
            through(&environment, "https://r.example/").as_deref(),
            Some("http://a:1")
        );
        assert_eq!(
            through(&environment, "http://r.example/").as_deref(),
            Some("http://c:1")
        );
        assert_eq!(
            through(&[("all_proxy", "https://u:p@d:1")], "https://r.example/").as_deref(),
            Some("https://d:1")
        );
        assert_eq!(through(&[("HTTPS_PROXY", "")], "https://r.example/"), None);
        assert_eq!(
            through(&[("HTTP_PROXY", "a:1")], "https://r.example/"),
            None
        );
    }

    #[test]
    fn r35_this_machine_is_never_reached_through_a_proxy() {
        for url in [
            "http://localhost:5000/",
            "https://127.0.0.1/",
            "http://[::1]:1/",
            "https://a.localhost/",
        ] {
            assert_eq!(through(&[("ALL_PROXY", "http://a:1")], url), None, "{url}");
        }
    }

    #[test]
    fn r35_no_proxy_names_hosts_domains_ports_and_networks() {
        for (exception, url, is_direct) in [
            ("r.example", "https://r.example/", true),
            ("r.example", "https://a.r.example/", true),
            (".example", "https://r.example/", true),
            ("*.example", "https://r.example/", true),
            ("example", "https://rexample/", false),
            ("r.example:5000", "https://r.example:5000/", true),
            ("r.example:443", "https://r.example/", true),
            ("r.example:5000", "https://r.example/", false),
            ("a, R.EXAMPLE ,b", "https://r.example/", true),
            ("*", "https://r.example/", true),
            ("10.0.0.0/8", "https://10.9.9.9/", true),
            ("10.0.0.0/8", "https://11.0.0.0/", false),
            ("10.1.2.3", "https://10.1.2.3:5000/", true),
            ("10.1.2.3", "https://10.1.2.4/", false),
            ("fd00::/8", "https://[fd12::1]/", true),
            ("[fd12::1]", "https://[fd12::1]/", true),
            ("fd00::/8", "https://[fe12::1]/", false),
            ("0.0.0.0/0", "https://1.2.3.4/", true),
            ("0.0.0.0/0", "https://[fd12::1]/", false),
            ("", "https://r.example/", false),
        ] {
            let environment = [("ALL_PROXY", "http://a:1"), ("no_proxy", exception)];
            assert_eq!(
                through(&environment, url).is_none(),
                is_direct,
                "{exception} {url}"
            );
        }
    }

    #[test]
    fn r35_a_proxy_that_cannot_be_used_is_named_by_its_variable_without_its_secret() {
        let url = Url::parse("https://r.example/").expect("a URL");
        for value in [
            "socks5://u:secret@a:1",
            "http://u:secret@:1",
            "http://a:99999/secret",
        ] {
            let error = proxies(&[("https_proxy", value)])
                .of(&url)
                .expect_err(value);
            let said = format!("{error} {:?}", error.fault());
            assert!(
                said.contains("`https_proxy`") && !said.contains("secret"),
                "{said}"
            );
            assert_eq!(error.cause, Cause::Settings);
        }
    }
}
