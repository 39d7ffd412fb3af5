//! One blob, by one request after its session was begun.
//!
//! A session sees one body at most: what was lost on the way, or answered in doubt, begins anew with POST, after a look whether it
//! landed all the same (registries append a second body to the first). One PUT, because GHCR and ECR do not do chunks well; a
//! registry that wants PATCH instead gets one with everything, and so keeps any `OCI-Chunk-Min-Length`.

use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url};

use crate::digest::{Descriptor, Digest};
use crate::progress::Transfer;
use crate::registry::auth::Access;
use crate::registry::client::{Ask, Target};
use crate::registry::patience::Patience;
use crate::registry::push::blobs::Way;
use crate::registry::push::{Push, feed};
use crate::registry::transport::Response;
use crate::registry::{Cause, Error};

/// Redirects of one body.
const HOPS: usize = 5;

/// What became of a body.
enum End {
    Stored,
    /// It may have landed; what went wrong, and how long the registry wants us to wait.
    InDoubt(Error, Option<Duration>),
    /// It did not land, and may the next time.
    Again(Error),
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
        let (mut patience, mut method) = (self.client.transport.patience(), Method::PUT);
        loop {
            let url = match session.take() {
                Some(url) => url,
                None => self.begin(&mut patience).await?,
            };
            let began = Instant::now();
            let end = self
                .send((blob, transfer), (&method, url), &mut patience)
                .await?;
            patience.excuse(began.elapsed());
            match end {
                End::Stored => return Ok(Way::Uploaded),
                End::PatchWanted(error) if method == Method::PATCH => return Err(error),
                End::PatchWanted(_) => method = Method::PATCH,
                End::Again(error) => patience.pause(error, None).await?,
                End::InDoubt(error, after) => {
                    patience.pause(error, after).await?;
                    if self.is_there(blob, &mut patience).await? {
                        return Ok(Way::Doubtful);
                    }
                }
            }
        }
    }

    async fn send(
        &self,
        body: (&Descriptor, &Transfer),
        (method, session): (&Method, Url),
        patience: &mut Patience,
    ) -> Result<End, Error> {
        let blob = body.0;
        let url = match *method {
            Method::PUT => with_digest(session.clone(), &blob.digest),
            _ => session.clone(),
        };
        let answer = match self.stream(body, (method, url), patience).await? {
            Ok(answer) if *method == Method::PATCH && matches!(answer.status(), 200..=204) => {
                let next = answer.location()?;
                self.sessions.moved(&session, &next);
                return self.close(blob, next, patience).await;
            }
            Ok(answer) => answer,
            Err(lost) => return Ok(End::InDoubt(lost, None)),
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

    /// Sends the bytes, to another place if the registry says so. The inner error is a connection that was lost.
    async fn stream(
        &self,
        body: (&Descriptor, &Transfer),
        (method, mut url): (&Method, Url),
        patience: &mut Patience,
    ) -> Result<Result<Response, Error>, Error> {
        for _ in 0..HOPS {
            match self
                .stream_to(body, &self.body_for(method, url), patience)
                .await
            {
                Err(lost) if lost.cause == Cause::Unreachable => return Ok(Err(lost)),
                Err(error) => return Err(error),
                Ok(answer) => match answer.redirection()? {
                    None => return Ok(Ok(answer)),
                    Some(other) => url = other,
                },
            }
        }
        let message = format!(
            "an upload to `{}` is redirected without end",
            self.target.endpoint.name
        );
        Err(Error::new(Cause::Protocol, message))
    }

    async fn stream_to(
        &self,
        (blob, transfer): (&Descriptor, &Transfer),
        ask: &Ask<'_>,
        patience: &mut Patience,
    ) -> Result<Response, Error> {
        let mut source = self.source(blob).await.map_err(as_final)?;
        let (feed, body) = feed::body();
        let answer = self.client.upload(ask, (blob.size, body), patience);
        tokio::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            poured = source.pour(feed, transfer) => poured.map_err(as_final)?,
        }
        answer.await
    }

    fn body_for(&self, method: &Method, url: Url) -> Ask<'_> {
        let octets = HeaderValue::from_static("application/octet-stream");
        Ask {
            repository: &self.target,
            access: Access::Push,
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

/// A source that cannot be read is no lost upload: another session would not help.
fn as_final(error: Error) -> Error {
    match error.cause {
        Cause::Unreachable => error.with_cause(Cause::Protocol),
        _ => error,
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
