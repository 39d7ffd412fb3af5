//! HTTP clients, one for each way of speaking TLS, made when the first request needs it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Proxy, Url, retry};

use crate::registry::error::{Cause, Error};
use crate::registry::settings::Settings;
use crate::registry::transport::limits::{HEADERS, Times};
use crate::registry::transport::names::Names;
use crate::registry::transport::proxy::Proxies;
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
        let proxy_speaks_tls = self
            .proxies
            .of(url)?
            .is_some_and(|proxy| proxy.scheme() == "https");
        let trust = (url.scheme() == "https" || proxy_speaks_tls).then(trust);
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

fn unusable(error: &reqwest::Error) -> Error {
    Error::new(Cause::Settings, "cannot make an HTTP client").because(error.to_string())
}
