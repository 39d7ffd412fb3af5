//! A transport with a keeper of secrets: what pulls and pushes are written in.

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};

use crate::registry::Listeners;
use crate::registry::auth::{Access, Keeper};
use crate::registry::endpoint::Repository;
use crate::registry::error::Error;
use crate::registry::patience::Patience;
use crate::registry::settings::Settings;
use crate::registry::transport::{Payload, Redirects, Request, Response, Transport};

pub(super) struct Client {
    pub(super) settings: Settings,
    pub(super) listeners: Listeners,
    pub(super) transport: Transport,
    pub(super) keeper: Keeper,
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
        Client {
            transport: Transport::new(&settings, &listeners),
            keeper: Keeper::new(&settings, &listeners),
            settings,
            listeners,
        }
    }

    /// Sends a request with what is known about us; a 401 is answered once.
    pub(super) async fn send(
        &self,
        ask: &Ask<'_>,
        patience: &mut Patience,
    ) -> Result<Response, Error> {
        let secret = self
            .keeper
            .secret(ask.repository, &ask.access, &self.transport)
            .await?;
        let mut request = self.request(ask).await?;
        request.secret.clone_from(&secret);
        let response = self.transport.send(request, patience).await?;
        if response.status() != 401 {
            return Ok(response);
        }
        let place = (ask.repository, &ask.access);
        let fresh = self
            .keeper
            .answer(
                place,
                secret.as_ref(),
                response,
                (&self.transport, patience),
            )
            .await?;
        let mut request = self.request(ask).await?;
        request.secret = Some(fresh);
        self.transport.send(request, patience).await
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

    /// Sends a stream once, with what is known about us: what is refused comes back as an answer.
    pub(super) async fn upload(
        &self,
        ask: &Ask<'_>,
        (size, body): (u64, reqwest::Body),
        patience: &mut Patience,
    ) -> Result<Response, Error> {
        let secret = self
            .keeper
            .secret(ask.repository, &ask.access, &self.transport)
            .await?;
        let mut request = self.request(ask).await?;
        request.secret = secret;
        request.payload = Payload::Stream(size, body);
        self.transport.send(request, patience).await
    }
}
