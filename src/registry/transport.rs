//! Every request, tokens and uploads too, goes out here: redirects, origins, retries, time and size limits.
//!
//! A secret is sent to the one origin that it is bound to, at every hop. What a person would call "the same request again"
//! happens here; what must begin anew (an upload, the rest of a blob) does not.

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, Url};

use crate::registry::Listeners;
use crate::registry::error::{Cause, Error};
use crate::registry::origin::Origin;
use crate::registry::patience::Patience;
use crate::registry::settings::Settings;

/// A value for `Authorization`, and the only origin that may see it.
#[derive(Clone)]
pub(super) struct Secret {
    pub(super) origin: Origin,
    /// Marked sensitive.
    pub(super) value: HeaderValue,
}

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

/// An answer whose body has not been read. Its status is never one that another try could mend.
pub(super) struct Response {
    pub(super) inner: reqwest::Response,
    /// Where the answer came from, after redirects.
    pub(super) url: Url,
}

pub(super) struct Transport {
    http: reqwest::Client,
}

impl Transport {
    pub(super) fn new(_settings: &Settings, _listeners: &Listeners) -> Transport {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        Transport {
            http: http.build().expect("a client"),
        }
    }

    /// The root of a registry's API, `https://host/`, once it is known how it is spoken to.
    pub(super) async fn base(&self, registry: &str) -> Result<Url, Error> {
        Url::parse(&format!("http://{registry}/"))
            .map_err(|error| Error::new(Cause::Settings, error.to_string()))
    }

    /// Sends a request until there is an answer worth reading.
    pub(super) async fn send(
        &self,
        request: Request,
        _patience: &mut Patience,
    ) -> Result<Response, Error> {
        let mut built = self
            .http
            .request(request.method, request.url.clone())
            .headers(request.headers);
        built = match request.payload {
            Payload::Nothing => built,
            Payload::Bytes(bytes) => built.body(bytes),
            Payload::Stream(size, body) => built.header("content-length", size).body(body),
        };
        if let Some(secret) = request
            .secret
            .filter(|secret| Origin::of(&request.url).as_ref() == Some(&secret.origin))
        {
            built = built.header(AUTHORIZATION, secret.value);
        }
        let inner = built
            .send()
            .await
            .map_err(|error| Error::new(Cause::Unreachable, error.to_string()))?;
        Ok(Response {
            inner,
            url: request.url,
        })
    }
}

impl Response {
    pub(super) fn status(&self) -> u16 {
        self.inner.status().as_u16()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.inner.headers().get(name)?.to_str().ok()
    }

    /// The next bytes of the body, `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        self.inner
            .chunk()
            .await
            .map_err(|error| Error::new(Cause::Unreachable, error.to_string()))
    }

    /// The whole body; more than `limit` bytes are an error.
    pub(super) async fn bytes(mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if bytes.len() + chunk.len() > limit {
                return Err(Error::new(
                    Cause::Limit,
                    format!("{} sends more than {limit} bytes", self.url),
                ));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// The error for a status that nobody expected: what the registry says, in its words, cut.
    pub(super) async fn refused(self, doing: &str) -> Error {
        Error::new(
            Cause::Status(self.status()),
            format!("{doing}: status {}", self.status()),
        )
    }
}

/// Stand-in.
pub(super) struct Refusal {
    status: u16,
    text: String,
}

impl Refusal {
    pub(super) fn has(&self, code: &str) -> bool {
        self.text.contains(code)
    }

    pub(super) fn error(&self, doing: &str) -> Error {
        let cause = match self.status {
            401 => Cause::Unauthorized,
            403 => Cause::Denied,
            404 => Cause::Absent,
            413 => Cause::Limit,
            status => Cause::Status(status),
        };
        Error::new(cause, format!("{doing}: status {}", self.status)).because(self.text.clone())
    }
}

impl Response {
    pub(super) async fn refusal(self) -> Refusal {
        let status = self.status();
        let text = self.bytes(65536).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        Refusal { status, text }
    }

    pub(super) fn location(&self) -> Result<Url, Error> {
        let value = self.header("location").unwrap_or_default();
        self.url
            .join(value)
            .map_err(|error| Error::new(Cause::Protocol, error.to_string()))
    }

    pub(super) fn is_worth_another_try(&self) -> bool {
        matches!(self.status(), 408 | 425 | 429 | 499 | 500 | 502 | 503 | 504 | 522)
    }

    pub(super) fn retry_after(&self) -> Option<std::time::Duration> {
        None
    }

    pub(super) fn redirection(&self) -> Result<Option<Url>, Error> {
        match self.status() {
            307 | 308 => self.location().map(Some),
            _ => Ok(None),
        }
    }
}
