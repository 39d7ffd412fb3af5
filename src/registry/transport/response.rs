//! An answer, and what may be read of it.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Method, Url};

use crate::notes::Notes;
use crate::registry::error::{Cause, Error};
use crate::registry::origin::shown;
use crate::registry::transport::Secret;
use crate::registry::transport::decoding::Decoder;
use crate::registry::transport::limits::{ERROR_BODY, Times};
use crate::registry::transport::refusal::{Refusal, named};
use crate::registry::transport::retry_after::retry_after;
use crate::registry::transport::target;
use crate::registry::transport::trouble::root;

/// An answer whose body has not been read. Unless a stream was sent, its status is never one that another try could mend.
pub(in crate::registry) struct Response {
    pub(in crate::registry) inner: reqwest::Response,
    /// Where the answer came from, after redirects.
    pub(in crate::registry) url: Url,
    pub(super) method: Method,
    /// What the request carried, to be blanked out where the registry repeats it.
    pub(super) secret: Option<Secret>,
    /// Of the body, read already.
    pub(super) ahead: Option<Bytes>,
    pub(super) decoder: Option<Decoder>,
    pub(super) times: Times,
    pub(super) notes: Notes,
}

impl Response {
    pub(in crate::registry) fn status(&self) -> u16 {
        self.inner.status().as_u16()
    }

    /// The first value of that name that is text.
    pub(in crate::registry) fn header(&self, name: &str) -> Option<&str> {
        self.inner.headers().get(name)?.to_str().ok()
    }

    /// How long the registry asks us to wait; not capped yet.
    pub(in crate::registry) fn retry_after(&self) -> Option<Duration> {
        retry_after(self.header("retry-after")?, self.header("date"))
    }

    /// Whether the same request may well be answered otherwise later on.
    pub(in crate::registry) fn is_worth_another_try(&self) -> bool {
        matches!(
            self.status(),
            408 | 425 | 429 | 499 | 500 | 502 | 503 | 504 | 522
        )
    }

    /// Where a body that was sent has to be sent instead; 301 to 303, which would drop it, are an error.
    pub(in crate::registry) fn redirection(&self) -> Result<Option<Url>, Error> {
        let keeps_method = matches!(self.method, Method::GET | Method::HEAD);
        match (self.status(), self.header("location")) {
            (307 | 308, Some(location)) => target::redirect(&self.url, location).map(Some),
            (301..=303, Some(location)) if keeps_method => {
                target::redirect(&self.url, location).map(Some)
            }
            (301..=303 | 307 | 308, _) => Err(self.aimless()),
            _ => Ok(None),
        }
    }

    fn aimless(&self) -> Error {
        let problem = format!(
            "`{} {}` is redirected in a way that cannot be followed",
            self.method,
            shown(&self.url)
        );
        Error::new(Cause::Protocol, problem).because(format!("status {}", named(self.status())))
    }

    /// The `Location` of an upload's answer, for the next request of that upload.
    pub(in crate::registry) fn location(&self) -> Result<Url, Error> {
        let Some(value) = self.header("location") else {
            let problem = format!(
                "`{}` answers to `{}` without a `Location`",
                shown(&self.url),
                self.method
            );
            return Err(Error::new(Cause::Protocol, problem));
        };
        let (url, is_upgraded) = target::upload(&self.url, value)?;
        if is_upgraded {
            let host = url.host_str().unwrap_or_default();
            self.notes.say(format!(
                "`{host}` names itself `http` although it is spoken to with TLS: https is kept"
            ));
        }
        Ok(url)
    }

    /// The next bytes of the body, `None` at its end.
    pub(in crate::registry) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(mut decoder) = self.decoder.take() else {
            return self.raw_chunk().await;
        };
        let chunk = self.decoded_chunk(&mut decoder).await;
        self.decoder = Some(decoder);
        chunk
    }

    /// Whether the body is not handed on as it came: positions in the two have nothing to do with each other.
    pub(in crate::registry) fn is_decoded(&self) -> bool {
        self.decoder.is_some()
    }

    async fn decoded_chunk(&mut self, decoder: &mut Decoder) -> Result<Option<Bytes>, Error> {
        loop {
            if decoder.is_hungry() {
                match self.raw_chunk().await? {
                    Some(encoded) => decoder.feed(encoded),
                    None => return Ok(Some(decoder.finish()?).filter(|rest| !rest.is_empty())),
                }
            }
            let decoded = decoder.take()?;
            if !decoded.is_empty() {
                return Ok(Some(decoded));
            }
        }
    }

    async fn raw_chunk(&mut self) -> Result<Option<Bytes>, Error> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        let chunk = tokio::time::timeout(self.times.idle, self.inner.chunk()).await;
        chunk
            .map_err(|_| self.broken(format!("nothing came for {} s", self.times.idle.as_secs())))?
            .map_err(|error| self.broken(root(&error)))
    }

    /// Whether a TLS port says that it was spoken to in plain http; in a sentence of its own, as each server has one.
    pub(super) async fn asks_for_tls(&mut self) -> bool {
        if self.status() != 400 || self.url.scheme() != "http" || self.decoder.is_some() {
            return false;
        }
        let mut body = Vec::new();
        let _ = tokio::time::timeout(self.times.header, self.read_error(&mut body)).await;
        let text = String::from_utf8_lossy(&body).to_ascii_lowercase();
        self.ahead = Some(body.into()).filter(|body: &Bytes| !body.is_empty());
        // Go, nginx, Apache, Tomcat.
        [
            "http request to an https server",
            "plain http",
            "requires tls",
        ]
        .iter()
        .any(|words| text.contains(words))
    }

    fn broken(&self, reason: String) -> Error {
        let problem = format!("the answer of `{}` broke off", shown(&self.url));
        Error::new(Cause::Unreachable, problem).because(reason)
    }

    /// The whole body; more than `limit` bytes, or more time than a document may take, are an error.
    pub(in crate::registry) async fn bytes(mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let time = self.times.document;
        match tokio::time::timeout(time, self.read_whole(limit)).await {
            Ok(bytes) => bytes,
            Err(_) => Err(self.broken(format!("not whole after {} s", time.as_secs_f32()))),
        }
    }

    async fn read_whole(&mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if bytes.len() + chunk.len() > limit {
                let problem = format!("`{}` sends more than {limit} bytes", shown(&self.url));
                return Err(Error::new(Cause::Limit, problem));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// The error for a status that nobody expected: what the registry says, in its words, cut.
    pub(in crate::registry) async fn refused(self, doing: &str) -> Error {
        self.refusal().await.error(doing)
    }

    /// The status with what the registry says about it. A body that breaks off or does not come is as none.
    pub(in crate::registry) async fn refusal(mut self) -> Refusal {
        let mut body = Vec::new();
        let _ = tokio::time::timeout(self.times.header, self.read_error(&mut body)).await;
        let mut refusal = Refusal::read(self.status(), &body);
        if let Some(secret) = &self.secret {
            secret.blank_out(&mut refusal.message);
        }
        refusal.hints.extend(self.quota());
        refusal
    }

    async fn read_error(&mut self, body: &mut Vec<u8>) {
        while let Ok(Some(chunk)) = self.chunk().await {
            let left = ERROR_BODY - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(left)]);
            if body.len() == ERROR_BODY {
                return;
            }
        }
    }

    /// What a registry with quotas says of them (Docker Hub's `ratelimit-remaining: 0;w=21600`).
    fn quota(&self) -> Option<String> {
        if self.status() != 429 {
            return None;
        }
        let left = self.header("ratelimit-remaining").unwrap_or("unknown");
        Some(format!(
            "too many requests (quota left: {left}); wait, log in with `rbuild login`, or use a mirror"
        ))
    }
}
