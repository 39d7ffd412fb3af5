//! One blob, by one request after its session was begun.
//!
//! A session sees one body at most: what was lost on the way, or answered in doubt, begins anew with POST, after a look whether it
//! landed all the same (registries append a second body to the first). One PUT, because GHCR and ECR do not do chunks well; a
//! registry that wants PATCH instead gets one with everything, and so keeps any `OCI-Chunk-Min-Length`.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url};

use crate::digest::{Descriptor, Digest};
use crate::progress::Transfer;
use crate::registry::client::{Ask, Target};
use crate::registry::patience::Patience;
use crate::registry::push::Push;
use crate::registry::push::blobs::Way;
use crate::registry::push::feed::{self, Freight};
use crate::registry::transport::Response;
use crate::registry::transport::limits::HOPS;
use crate::registry::{Cause, Error};

/// What became of a body.
enum End {
    Stored,
    /// It may have landed; what went wrong, and how long the registry wants us to wait.
    InDoubt(Error, Option<Duration>),
    /// It did not land, and may the next time.
    Again(Error),
    /// Where the bytes came from failed; another place may have them.
    SourceFailed,
    /// This registry does not take a body with PUT.
    PatchWanted(Error),
}

impl Push<'_> {
    /// Sends a blob; into `session`, if one has been begun.
    pub(super) async fn upload(
        &self,
        (blob, transfer): (&Descriptor, &Transfer),
        mut session: Option<Url>,
    ) -> Result<Way, Error> {
        let freight = Freight::new((blob, transfer));
        let (mut patience, mut method) = (self.client.transport.patience(), Method::PUT);
        loop {
            let url = match session.take() {
                Some(url) => url,
                None => self.begin(&mut patience).await?,
            };
            let end = self.send(&freight, (&method, url), &mut patience).await?;
            patience.excuse(freight.moved());
            match end {
                End::Stored => return Ok(Way::Uploaded),
                End::PatchWanted(error) if method == Method::PATCH => return Err(error),
                End::PatchWanted(_) => method = Method::PATCH,
                End::SourceFailed => {}
                End::Again(error) => patience.pause(error, None).await?,
                End::InDoubt(error, after) => {
                    if self.has_landed(blob, &mut patience, (error, after)).await? {
                        return Ok(Way::Doubtful);
                    }
                }
            }
        }
    }

    /// Waits as the registry wants it, then looks; also when no other try is left, since what landed needs none.
    async fn has_landed(
        &self,
        blob: &Descriptor,
        patience: &mut Patience,
        (error, after): (Error, Option<Duration>),
    ) -> Result<bool, Error> {
        match patience.pause(error, after).await {
            Ok(()) => self.is_there(blob, patience).await,
            Err(error) => match self.is_there(blob, &mut Patience::once()).await {
                Ok(true) => Ok(true),
                _ => Err(error),
            },
        }
    }

    async fn send(
        &self,
        freight: &Freight<'_>,
        (method, session): (&Method, Url),
        patience: &mut Patience,
    ) -> Result<End, Error> {
        let blob = freight.blob;
        let url = match *method {
            Method::PUT => with_digest(session.clone(), &blob.digest),
            _ => session.clone(),
        };
        let answer = match self.stream(freight, (method, url), patience).await? {
            Ok(answer) if *method == Method::PATCH && matches!(answer.status(), 200..=204) => {
                let next = answer.location()?;
                self.sessions.moved(&session, &next);
                return self.close(blob, next, patience).await;
            }
            Ok(answer) => answer,
            Err(end) => return Ok(end),
        };
        self.judge(answer, &session).await
    }

    /// Ends a session whose bytes are there.
    async fn close(
        &self,
        blob: &Descriptor,
        session: Url,
        patience: &mut Patience,
    ) -> Result<End, Error> {
        let ask = self.body_for(&Method::PUT, with_digest(session.clone(), &blob.digest));
        match self
            .client
            .upload(&ask, (0, reqwest::Body::from("")), patience)
            .await
        {
            Ok(answer) => self.judge(answer, &session).await,
            Err(lost) if lost.cause == Cause::Unreachable => Ok(End::InDoubt(lost, None)),
            Err(error) => Err(error),
        }
    }

    /// Sends the bytes, to another place if the registry says so.
    async fn stream(
        &self,
        freight: &Freight<'_>,
        (method, mut url): (&Method, Url),
        patience: &mut Patience,
    ) -> Result<Result<Response, End>, Error> {
        for _ in 0..HOPS {
            let ask = self.body_for(method, url);
            let answer = match self.stream_to(freight, &ask, patience).await? {
                Ok(answer) => answer,
                Err(end) => return Ok(Err(end)),
            };
            match answer.redirection()? {
                None => return Ok(Ok(answer)),
                Some(other) => url = other,
            }
        }
        let message = format!(
            "an upload to `{}` is redirected without end",
            self.target.endpoint.name
        );
        Err(Error::new(Cause::Protocol, message))
    }

    /// An answer, or what became of the body without one.
    async fn stream_to(
        &self,
        freight: &Freight<'_>,
        ask: &Ask<'_>,
        patience: &mut Patience,
    ) -> Result<Result<Response, End>, Error> {
        let mut source = self.source(freight).await?;
        let (feed, body) = feed::body();
        let answer = self.client.upload(ask, (freight.blob.size, body), patience);
        tokio::pin!(answer);
        let poured = tokio::select! {
            biased;
            answer = &mut answer => return or_lost(answer),
            poured = source.pour(feed, freight) => poured,
        };
        match poured {
            Ok(()) => or_lost(answer.await),
            Err(error) => freight
                .pass_over(&source, error)
                .map(|()| Err(End::SourceFailed)),
        }
    }

    fn body_for(&self, method: &Method, url: Url) -> Ask<'_> {
        let octets = HeaderValue::from_static("application/octet-stream");
        Ask {
            repository: &self.target,
            access: self.access.clone(),
            method: method.clone(),
            target: Target::Url(url),
            headers: vec![(CONTENT_TYPE, octets)],
            body: None,
        }
    }

    async fn judge(&self, answer: Response, session: &Url) -> Result<End, Error> {
        let (status, after) = (answer.status(), answer.retry_after());
        if matches!(status, 200 | 201 | 204) {
            self.sessions.ended(session);
            return Ok(End::Stored);
        }
        let is_passing = answer.is_worth_another_try();
        let refusal = answer.refusal().await;
        let error = refusal.error(&format!(
            "cannot upload to `{}`",
            self.parcel.repository.name()
        ));
        let is_lost = status == 404 && refusal.has("BLOB_UPLOAD_UNKNOWN");
        let is_invalid = status == 400 && refusal.has("BLOB_UPLOAD_INVALID");
        match status {
            401 => Ok(End::Again(error)),
            _ if is_passing => Ok(End::InDoubt(error, after)),
            _ if is_lost => Ok(End::Again(error)),
            404 | 405 => Ok(End::PatchWanted(error)),
            _ if is_invalid => Ok(End::PatchWanted(error)),
            403 => Err(self.client.denied(&self.target, error).await),
            413 => Err(error.hint("the registry, or a proxy before it, limits the size of a request: raise `client_max_body_size` or its like")),
            _ => Err(error),
        }
    }
}

/// A connection that was lost leaves a body in doubt; other errors are for good.
fn or_lost(answer: Result<Response, Error>) -> Result<Result<Response, End>, Error> {
    match answer {
        Err(lost) if lost.cause == Cause::Unreachable => Ok(Err(End::InDoubt(lost, None))),
        answer => answer.map(Ok),
    }
}

/// The place with `digest` added to its query, which is kept as it is.
fn with_digest(mut url: Url, digest: &Digest) -> Url {
    let query = match url.query() {
        Some(query) if !query.is_empty() => format!("{query}&digest={digest}"),
        _ => format!("digest={digest}"),
    };
    url.set_query(Some(&query));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r09_the_query_of_a_location_is_kept_byte_for_byte() {
        let digest = Digest::of(b"");
        for query in [
            "_state=a%2Bb&x=%20",
            "q",
            "a=1&a=2&b",
            "x=%2f%2F+",
            "_state=a==",
        ] {
            let url = Url::parse(&format!("http://h/u?{query}")).expect("a URL");
            let with = with_digest(url, &digest);
            assert_eq!(with.as_str(), format!("http://h/u?{query}&digest={digest}"));
        }
        for bare in ["http://h/u", "http://h/u?"] {
            let with = with_digest(Url::parse(bare).expect("a URL"), &digest);
            assert_eq!(with.as_str(), format!("http://h/u?digest={digest}"));
        }
    }
}
