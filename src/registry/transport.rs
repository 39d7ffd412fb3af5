//! Every request, tokens and uploads too, goes out here: redirects, origins, retries, time and size limits.
//!
//! A secret is sent to the one origin that it is bound to, at every hop. What a person would call "the same request again"
//! happens here; what must begin anew (an upload, the rest of a blob) does not.

mod clients;
mod cookies;
mod decoding;
mod der;
mod exchange;
pub(super) mod limits;
mod names;
mod proxy;
mod refusal;
mod response;
mod retry_after;
mod scheme;
mod secret;
mod speaking;
mod target;
#[cfg(test)]
mod tests;
mod tls;
mod tls_trouble;
mod trouble;
mod trust;
mod upload_body;
mod verifier;
mod warnings;

use std::ffi::OsStr;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, Url};

use crate::notes::Notes;
use crate::registry::Listeners;
use crate::registry::error::Error;
use crate::registry::origin::shown;
use crate::registry::patience::Patience;
use crate::registry::settings::Settings;
use crate::registry::transport::clients::Clients;
use crate::registry::transport::cookies::Cookies;
use crate::registry::transport::limits::Times;
use crate::registry::transport::proxy::Proxies;
use crate::registry::transport::scheme::Schemes;
use crate::registry::transport::trouble::{Kind, Trouble};
use crate::registry::transport::trust::Trusts;
use crate::registry::transport::warnings::Warnings;

pub(super) use refusal::Refusal;
pub(super) use response::Response;
pub(super) use secret::Secret;

/// What travels with a request.
pub(super) enum Payload {
    Nothing,
    /// Can be sent again.
    Bytes(Bytes),
    /// Is sent once: a failure comes back to whoever knows how to begin anew.
    Stream(u64, reqwest::Body),
}

/// Whether a redirect is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Redirects {
    Follow,
    /// It is an error.
    Refuse,
}

pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) payload: Payload,
    pub(super) redirects: Redirects,
    pub(super) secret: Option<Secret>,
    /// Whose settings (TLS, http) hold: the name of an [`super::endpoint::Endpoint`].
    pub(super) registry: String,
}

/// The one way out. Nothing is read, opened or looked up before the first request.
pub(super) struct Transport {
    clients: Clients,
    cookies: Cookies,
    proxies: Proxies,
    schemes: Schemes,
    trusts: Trusts,
    warnings: Warnings,
    notes: Notes,
    times: Times,
    is_hasty: bool,
}

impl Transport {
    pub(super) fn new(settings: &Settings, listeners: &Listeners) -> Transport {
        let proxies = Proxies::new(settings);
        Transport {
            clients: Clients::new(settings, &proxies),
            cookies: Cookies::default(),
            proxies,
            schemes: Schemes::default(),
            trusts: Trusts::new(settings),
            warnings: Warnings::new(),
            notes: listeners.notes.clone(),
            times: Times::default(),
            is_hasty: is_hasty(settings),
        }
    }

    /// Patience for one thing that the user waits for.
    pub(super) fn patience(&self) -> Patience {
        match self.is_hasty {
            true => Patience::hasty(),
            false => Patience::new(),
        }
    }

    /// The root of a registry's API, `https://host/`. No request is made: where it is not certain whether http or https is
    /// spoken, this is what is tried first, and [`Transport::send`] changes it in a request where need be.
    pub(super) async fn base(&self, registry: &str) -> Result<Url, Error> {
        let schemes = self.schemes.of(registry, &self.trusts.of(registry));
        scheme::base(registry, schemes[0])
    }

    /// Sends a request until there is an answer worth reading; a stream is sent once, and [`Cause::Unreachable`] then means that
    /// another session may do better.
    ///
    /// [`Cause::Unreachable`]: crate::registry::error::Cause::Unreachable
    pub(super) async fn send(
        &self,
        request: Request,
        patience: &mut Patience,
    ) -> Result<Response, Error> {
        let mut request = request;
        if matches!(request.payload, Payload::Stream(..)) {
            return self
                .attempt(&mut request)
                .await
                .map_err(Trouble::of_a_stream);
        }
        loop {
            match self.attempt(&mut request).await {
                Ok(response) if response.is_worth_another_try() => {
                    let after = response.retry_after();
                    let doing = format!("`{} {}`", request.method, shown(&response.url));
                    patience
                        .pause(response.refused(&doing).await, after)
                        .await?;
                }
                Ok(response) => return Ok(response),
                Err(trouble) => pause(trouble, patience).await?,
            }
        }
    }
}

/// Whether a test of the program asked for pauses that take no time; a released program does not look.
fn is_hasty(settings: &Settings) -> bool {
    let asked = settings.environment.get(OsStr::new("RBUILD_TEST_PATIENCE"));
    cfg!(debug_assertions) && asked.is_some_and(|value| value == "hasty")
}

async fn pause(trouble: Trouble, patience: &mut Patience) -> Result<(), Error> {
    match trouble.kind {
        Kind::Final => Err(trouble.error),
        Kind::ClosedDoor => patience.knock_again(trouble.error).await,
        Kind::Passing | Kind::Garbled => patience.pause(trouble.error, None).await,
    }
}
