//! Where an image is asked for: mirrors in their order, then the registry itself.
//!
//! For pulls alone: what is pushed, and every question about it, goes to the registry itself.

use reqwest::Url;

use crate::reference::Reference;
use crate::registry::client::Client;
use crate::registry::endpoint::{Endpoint, Repository};
use crate::registry::error::{Cause, Error};
use crate::registry::inward::is_loopback;
use crate::registry::settings::{Mirror, Settings};

impl Mirror {
    /// `[REGISTRY=]URL`; nothing or `*` for any registry. A path of the URL stands before every repository.
    pub(crate) fn parse(text: &str) -> Result<Mirror, Error> {
        let (registry, url) = match text.split_once('=') {
            Some((registry, url)) if !registry.contains("://") => (registry, url),
            _ => ("*", text),
        };
        let registry = match registry {
            "" | "*" => None,
            name => Some(normal(name).ok_or_else(|| bad(url, "its registry is not a host"))?),
        };
        let url = address(url)?.to_string().trim_end_matches('/').to_owned();
        Ok(Mirror { registry, url })
    }

    fn serves(&self, registry: &str) -> bool {
        self.registry.as_deref().is_none_or(|own| own == registry)
    }

    fn repository(&self, settings: &Settings, name: &str) -> Result<Repository, Error> {
        let url = address(&self.url)?;
        let host = url.host_str().unwrap_or_default();
        let port = url
            .port()
            .map(|port| format!(":{port}"))
            .unwrap_or_default();
        let endpoint = Endpoint {
            name: format!("{host}{port}"),
            prefix: prefix(&url),
        };
        if url.scheme() == "http" && !may_be_plain(settings, host, &endpoint.name) {
            return Err(
                bad(&self.url, "it is reached without encryption").hint(format!(
                    "write `https://`, or set `insecure: true` for `{}` under `registries`",
                    endpoint.name
                )),
            );
        }
        let name = format!("{}{name}", endpoint.prefix);
        Ok(Repository { endpoint, name })
    }
}

fn may_be_plain(settings: &Settings, host: &str, name: &str) -> bool {
    let set = settings.hosts.get(name).is_some_and(|host| host.insecure);
    set || settings.insecure || is_loopback(host)
}

/// The name that references have for a registry; `None` for what is no host.
fn normal(registry: &str) -> Option<String> {
    let reference: Reference = format!("{registry}/one/two").parse().ok()?;
    (reference.repository == "one/two").then_some(reference.registry)
}

fn prefix(url: &Url) -> String {
    match url.path().trim_matches('/') {
        "" => String::new(),
        path => format!("{path}/"),
    }
}

/// A bad mirror may hold a password: of the URL nothing but its host is ever repeated.
fn address(text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).map_err(|_| bad("", "it is not a URL"))?;
    let shown = url.host_str().unwrap_or_default().to_owned();
    let objection = if !["http", "https"].contains(&url.scheme()) || shown.is_empty() {
        "it does not begin with `https://` and a host"
    } else if !url.username().is_empty() || url.password().is_some() {
        "it holds a user or password: `rbuild login` keeps them"
    } else if url.query().is_some() || url.fragment().is_some() {
        "it holds `?` or `#`"
    } else if !prefix(&url).split_terminator('/').all(is_plain) {
        "its path is not made of lower-case letters, digits, `.`, `_` and `-`"
    } else {
        return Ok(url);
    };
    Err(bad(&shown, objection))
}

fn is_plain(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(plain)
}

fn bad(shown: &str, why: &str) -> Error {
    Error::new(Cause::Settings, format!("mirror `{shown}` cannot be used: {why}"))
        .hint("a mirror is written `https://mirror.example/path`, or `docker.io=https://mirror.example/path` for one registry alone")
}

/// Every place that may be asked for `reference`, in order.
fn places(settings: &Settings, reference: &Reference) -> Result<Vec<Repository>, Error> {
    let mirrors = settings.mirrors.iter();
    let mut places = mirrors
        .filter(|mirror| mirror.serves(&reference.registry))
        .map(|mirror| mirror.repository(settings, &reference.repository))
        .collect::<Result<Vec<_>, Error>>()?;
    if !settings.mirrors_alone {
        places.push(Repository::origin(reference));
    }
    Ok(places)
}

/// Asks one place after the other until one has it; `None` when the registry itself says that there is no such thing, whatever its
/// mirrors failed with, or when every mirror says so where mirrors are alone.
pub(super) async fn first_of<T>(
    client: &Client,
    reference: &Reference,
    ask: impl AsyncFn(&Repository) -> Result<Option<T>, Error>,
) -> Result<Option<T>, Error> {
    let places = places(&client.settings, reference)?;
    let origin = Repository::origin(reference);
    let mut failures = Vec::new();
    for place in &places {
        match ask(place).await {
            Ok(None) if *place != origin => {}
            Ok(found) => {
                tell(client, &failures);
                return Ok(found);
            }
            Err(error) if is_final(error.cause) => return Err(error),
            Err(error) => failures.push((place, error)),
        }
    }
    match places.is_empty() {
        true => Err(nowhere(reference)),
        false => all_failed(reference, failures, places.len()),
    }
}

/// What no other place can mend.
fn is_final(cause: Cause) -> bool {
    matches!(cause, Cause::Store | Cause::Stopped | Cause::Settings)
}

fn tell(client: &Client, failures: &[(&Repository, Error)]) {
    for (place, error) in failures {
        client.listeners.notes.say(format!(
            "mirror `{}` was passed over: {}",
            place.endpoint.name,
            whole(error)
        ));
    }
}

/// An error on one line: its message and reasons.
fn whole(error: &Error) -> String {
    let fault = error.fault();
    let mut parts = vec![fault.to_string()];
    parts.extend(fault.reasons().iter().cloned());
    parts.join(": ")
}

fn all_failed<T>(
    reference: &Reference,
    mut failures: Vec<(&Repository, Error)>,
    places: usize,
) -> Result<Option<T>, Error> {
    let Some((_, last)) = failures.last() else {
        return Ok(None);
    };
    if places == 1 {
        return failures.pop().map_or(Ok(None), |(_, error)| Err(error));
    }
    let message = format!("none of {places} places has `{reference}`");
    let told = failures
        .iter()
        .map(|(place, error)| format!("`{}`: {}", place.endpoint.name, whole(error)));
    Err(told.fold(Error::new(last.cause, message), Error::because))
}

fn nowhere(reference: &Reference) -> Error {
    let message = format!(
        "no mirror serves `{}`, and nothing else may be asked",
        reference.registry
    );
    Error::new(Cause::Settings, message)
        .hint("give a mirror for it with `--mirror`, or leave out `--no-mirror-fallback`")
}
