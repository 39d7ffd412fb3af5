//! HTTP clients, one for each way of speaking TLS, made when the first request needs it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Proxy, Url, retry};

use crate::registry::error::{Cause, Error};
use crate::registry::settings::Settings;
use crate::registry::transport::limits::{HEADERS, Times};
use crate::registry::transport::names::Names;
use crate::registry::transport::proxy::{Proxies, named};
use crate::registry::transport::tls::Roots;
use crate::registry::transport::trust::Trust;

pub(super) struct Clients {
    roots: Roots,
    proxies: Proxies,
    /// `None` is for plain http, which needs no certificates.
    made: Mutex<BTreeMap<Option<Trust>, Client>>,
}

impl Clients {
    pub(super) fn new(settings: &Settings, proxies: &Proxies) -> Clients {
        Clients {
            roots: Roots::new(settings),
            proxies: proxies.clone(),
            made: Mutex::default(),
        }
    }

    /// The client for `url`, whose host is trusted as `trust` says.
    pub(super) fn of(
        &self,
        url: &Url,
        trust: impl FnOnce() -> Trust,
        times: Times,
    ) -> Result<Client, Error> {
        let proxy = self.proxies.of(url)?;
        let proxy = proxy.filter(|proxy| proxy.scheme() == "https");
        let trust = (url.scheme() == "https" || proxy.is_some()).then(trust);
        if let (Some(proxy), Some(Trust { insecure: true, .. })) = (proxy, &trust) {
            return Err(unchecked(&proxy));
        }
        let mut made = self.made.lock().expect("nothing panics here");
        if let Some(client) = made.get(&trust) {
            return Ok(client.clone());
        }
        let client = self.make(trust.as_ref(), times)?;
        made.insert(trust, client.clone());
        Ok(client)
    }

    fn make(&self, trust: Option<&Trust>, times: Times) -> Result<Client, Error> {
        let config = match trust {
            Some(trust) => self.roots.config(trust)?,
            // Never used; without a provider reqwest would look for one.
            None => self.roots.config(&Trust {
                insecure: true,
                ..Trust::default()
            })?,
        };
        plain(self.proxies.clone(), times)
            .tls_backend_preconfigured(config)
            .build()
            .map_err(|error| unusable(&error))
    }
}

/// All that reqwest would do by itself is off: it is done here, in one place.
fn plain(proxies: Proxies, times: Times) -> ClientBuilder {
    let through = move |url: &Url| proxies.of(url).ok().flatten();
    Client::builder()
        .user_agent(concat!("rbuild/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .retry(retry::never())
        .no_proxy()
        .proxy(Proxy::custom(through))
        .referer(false)
        .connect_timeout(times.connect)
        .dns_resolver(Names)
        .http2_max_header_list_size(u32::try_from(HEADERS).unwrap_or(u32::MAX))
        .http2_adaptive_window(true)
}

/// One client checks the registry and its proxy alike, and a proxy that nobody checks would be shown its password.
fn unchecked(proxy: &Url) -> Error {
    let message = format!(
        "`{}` would not be checked, because the registry behind it is not",
        named(proxy)
    );
    Error::new(Cause::Settings, message)
        .hint("name the registry's certificate as `ca` under `registries` instead of `insecure`")
        .hint("or name the registry in `NO_PROXY`")
}

fn unusable(error: &reqwest::Error) -> Error {
    Error::new(Cause::Settings, "cannot make an HTTP client").because(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn clients(proxy: &str) -> Clients {
        let environment = [(OsString::from("HTTPS_PROXY"), OsString::from(proxy))];
        let settings = Settings {
            environment: environment.into(),
            ..Settings::default()
        };
        Clients::new(&settings, &Proxies::new(&settings))
    }

    fn asked(proxy: &str, insecure: bool) -> Result<Client, Error> {
        let url = Url::parse("https://registry.example/v2/").expect("a URL");
        let trust = || Trust {
            insecure,
            ..Trust::default()
        };
        clients(proxy).of(&url, trust, Times::default())
    }

    #[test]
    fn a_proxy_that_speaks_tls_is_checked_or_not_used() {
        asked("https://proxy.example:8443", false).expect("checked");
        let error = asked("https://us:pass@proxy.example:8443", true).expect_err("refused");
        let said = format!("{error:?}");
        assert_eq!(error.cause, Cause::Settings);
        assert!(said.contains("https://proxy.example:8443"), "{said}");
        assert!(!said.contains("pass@"), "{said}");
        asked("http://proxy.example:8080", true).expect("nothing to be checked");
    }
}
