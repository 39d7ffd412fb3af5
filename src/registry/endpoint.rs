//! One registry, or one mirror of it: where its API lies, and under which name its credentials are kept.

use reqwest::Url;

use crate::reference::Reference;
use crate::registry::error::{Cause, Error};

/// A place that speaks the distribution API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// `host[:port]` as written, `docker.io` for Docker Hub: what credentials and settings are looked up by.
    pub(super) name: String,
    /// What stands before every repository, `hub/` for instance; empty for a registry itself.
    pub(super) prefix: String,
}

/// A repository at an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Repository {
    pub(super) endpoint: Endpoint,
    /// Prefix included.
    pub(super) name: String,
}

impl Repository {
    /// The repository at its own registry.
    pub(super) fn origin(reference: &Reference) -> Repository {
        let endpoint = Endpoint {
            name: reference.registry.clone(),
            prefix: String::new(),
        };
        let name = reference.repository.clone();
        Repository { endpoint, name }
    }

    /// `<base>/v2/<name>/<rest>`; `rest` has been encoded already.
    pub(super) fn url(&self, base: &Url, rest: &str) -> Result<Url, Error> {
        let url = format!("{}v2/{}/{rest}", base, self.name);
        Url::parse(&url).map_err(|error| {
            Error::new(
                Cause::Settings,
                format!("cannot make a URL for `{}`: {error}", self.name),
            )
        })
    }
}
