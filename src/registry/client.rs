//! A transport with a keeper of secrets: what pulls and pushes are written in.
//!
//! What callers rely on:
//! - [`Client::send`] answers a 401 by itself: once, and once more if the registry then names a scope that was not asked for.
//!   A 401 that stays is an error with [`Cause::Unauthorized`]; every other status, 403 too, comes back as an answer.
//! - [`Client::upload`] sends a stream once. A token that runs out soon is renewed before. A 401 that comes back as an answer
//!   says "that secret was refused, another one is here": begin a new upload session, never send into the old one, and mind your
//!   patience. When another secret cannot be had, it is an error as above.
//! - [`Client::refusal`] is the error for an answer that the caller gives up on: it says as whom we came.
//! - All of it may be called from several threads at once: one token is asked for, the others wait for it.
//!
//! A secret is never resent to another host: what asks who we are must be the registry itself.
//!
//! [`Cause::Unauthorized`]: crate::registry::error::Cause::Unauthorized

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};

use crate::registry::Listeners;
use crate::registry::auth::{Access, Keeper, Means, Trial};
use crate::registry::credentials::Credential;
use crate::registry::endpoint::Repository;
use crate::registry::error::Error;
use crate::registry::patience::Patience;
use crate::registry::settings::Settings;
use crate::registry::transport::{Payload, Redirects, Request, Response, Secret, Transport};
use crate::registry::veil::Veil;

pub(super) struct Client {
    pub(super) settings: Settings,
    pub(super) listeners: Listeners,
    pub(super) transport: Transport,
    pub(super) keeper: Keeper,
    /// Over all that is said outside.
    pub(super) veil: Veil,
}

/// One request to a repository.
pub(super) struct Ask<'a> {
    pub(super) repository: &'a Repository,
    pub(super) access: Access,
    pub(super) method: Method,
    /// What follows `/v2/<name>/`, or a whole URL that the registry gave.
    pub(super) target: Target,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Can be sent again after a 401; a stream is an [`Client::upload`].
    pub(super) body: Option<Bytes>,
}

#[derive(Clone, Debug)]
pub(super) enum Target {
    Path(String),
    Url(Url),
}

impl Client {
    pub(super) fn new(settings: Settings, listeners: Listeners) -> Client {
        let veil = Veil::default();
        let notes = veil.over_notes(&listeners.notes);
        Client::veiled(settings, Listeners { notes, ..listeners }, veil)
    }

    fn veiled(settings: Settings, listeners: Listeners, veil: Veil) -> Client {
        Client {
            transport: Transport::new(&settings, &listeners),
            keeper: Keeper::new(&settings, &listeners, &veil),
            settings,
            listeners,
            veil,
        }
    }

    /// A client that answers with one credential alone, whatever lies in files.
    pub(super) fn as_somebody(&self, credential: Credential) -> Client {
        let (settings, listeners) = (self.settings.clone(), self.listeners.clone());
        let client = Client::veiled(settings, listeners, self.veil.clone());
        Client {
            keeper: client.keeper.of(credential),
            ..client
        }
    }

    /// Sends a request with what is known about us; a 401 is answered.
    pub(super) async fn send(
        &self,
        ask: &Ask<'_>,
        patience: &mut Patience,
    ) -> Result<Response, Error> {
        let mut secret = self.secret(ask, patience).await?;
        let mut request = self.request(ask).await?;
        request.secret.clone_from(&secret);
        let mut response = self.transport.send(request, patience).await?;
        let mut round = 0;
        while response.status() == 401 {
            let sent = (secret.as_ref(), round);
            let trial = match self.answer(ask, sent, (&response, patience)).await {
                Ok(trial) => trial,
                Err(error) => return Err(quoted(error, response).await),
            };
            let mut request = self.request(ask).await?;
            request.secret = Some(trial.secret.clone());
            response = self.transport.send(request, patience).await?;
            secret = Some(trial.end(&response));
            round += 1;
        }
        Ok(response)
    }

    async fn secret(
        &self,
        ask: &Ask<'_>,
        patience: &mut Patience,
    ) -> Result<Option<Secret>, Error> {
        let mut means = self.means(patience);
        let place = (ask.repository, &ask.access);
        self.keeper.secret(place, &mut means).await
    }

    async fn answer(
        &self,
        ask: &Ask<'_>,
        sent: (Option<&Secret>, u32),
        (refused, patience): (&Response, &mut Patience),
    ) -> Result<Trial, Error> {
        let mut means = self.means(patience);
        let place = (ask.repository, &ask.access);
        self.keeper.answer(place, sent, refused, &mut means).await
    }

    fn means<'a>(&'a self, patience: &'a mut Patience) -> Means<'a> {
        Means {
            transport: &self.transport,
            patience,
        }
    }

    async fn request(&self, ask: &Ask<'_>) -> Result<Request, Error> {
        let registry = &ask.repository.endpoint.name;
        let url = match &ask.target {
            Target::Url(url) => url.clone(),
            Target::Path(path) => ask
                .repository
                .url(&self.transport.base(registry).await?, path)?,
        };
        Ok(Request {
            method: ask.method.clone(),
            url,
            headers: ask.headers.iter().cloned().collect::<HeaderMap>(),
            payload: ask.body.clone().map_or(Payload::Nothing, Payload::Bytes),
            redirects: Redirects::Follow,
            secret: None,
            registry: registry.clone(),
        })
    }

    /// Sends a stream once, with what is known about us: what is refused comes back as an answer, with another secret ready.
    pub(super) async fn upload(
        &self,
        ask: &Ask<'_>,
        (size, body): (u64, reqwest::Body),
        patience: &mut Patience,
    ) -> Result<Response, Error> {
        let secret = self.secret(ask, patience).await?;
        let mut request = self.request(ask).await?;
        request.secret.clone_from(&secret);
        request.payload = Payload::Stream(size, body);
        let response = self.transport.send(request, patience).await?;
        if response.status() == 401 {
            let sent = (secret.as_ref(), 0);
            self.answer(ask, sent, (&response, patience)).await?;
        }
        Ok(response)
    }

    /// The error for an answer that nobody can use, and as whom we came.
    pub(super) async fn refusal(
        &self,
        repository: &Repository,
        response: Response,
        doing: &str,
    ) -> Error {
        let status = response.status();
        let error = response.refused(doing).await;
        match status {
            401 | 403 => self.denied(repository, error).await,
            _ => error,
        }
    }

    /// As whom we came, and the way out.
    pub(super) async fn denied(&self, repository: &Repository, error: Error) -> Error {
        let registry = &repository.endpoint.name;
        error
            .because(self.keeper.whom(repository).await)
            .hint(format!("`rbuild login {registry}` as somebody who may"))
    }
}

/// An error with the registry's words for it, unless somebody has been quoted already.
async fn quoted(error: Error, answer: Response) -> Error {
    let said = "the registry says: ";
    let has_words = |reason: &String| reason.starts_with(said);
    match answer.refusal().await.message.as_str() {
        "" => error,
        _ if error.fault().reasons().iter().any(has_words) => error,
        words => error.because(format!("{said}{words}")),
    }
}
