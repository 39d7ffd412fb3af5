//! What a pull brings back: documents whole, blobs piece by piece, all of it verified.
//!
//! A body that breaks is taken up where it ended, with the running hash kept: by `Range` where the registry answers it as it
//! should (206 with a fitting `Content-Range`), else from the start, with what came already passed over.
//! Never read: more than the size that was promised, and the `urls` of a descriptor.

use std::io::{self, Sink, Write};

use bytes::{Buf, Bytes};
use reqwest::Method;
use reqwest::header::{HeaderValue, RANGE};

use crate::digest::{Descriptor, Digest, Hashing};
use crate::registry::auth::Access;
use crate::registry::client::{Ask, Client, Target};
use crate::registry::endpoint::Repository;
use crate::registry::error::{Cause, Error};
use crate::registry::patience::Patience;
use crate::registry::transport::Response;

/// A body that brought so many bytes before it broke has earned new patience: large blobs end all the same.
const PROGRESS: u64 = 1024 * 1024;

/// A manifest or index as the registry gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fetched {
    pub(crate) media_type: String,
    /// Of the bytes, computed here.
    pub(crate) digest: Digest,
    pub(crate) bytes: Vec<u8>,
}

/// A blob on its way. The piece with the last byte is handed out only when the digest is right.
pub(super) struct Reader<'a> {
    client: &'a Client,
    place: Repository,
    blob: &'a Descriptor,
    body: Response,
    /// Of the next byte to be handed out.
    position: u64,
    /// Bytes of this body that came in an earlier one.
    pass_over: u64,
    /// Bytes that came since the last break.
    moved: u64,
    hash: Hashing<Sink>,
    patience: Patience,
    done: bool,
}

impl<'a> Reader<'a> {
    /// Begins to read; `None` when there is no such blob.
    pub(super) async fn open(
        client: &'a Client,
        place: &Repository,
        blob: &'a Descriptor,
    ) -> Result<Option<Reader<'a>>, Error> {
        let mut patience = client.transport.patience();
        let body = request(client, (place, blob), None, &mut patience).await?;
        let reader = Reader {
            client,
            place: place.clone(),
            blob,
            body,
            position: 0,
            pass_over: 0,
            moved: 0,
            hash: Hashing::new(io::sink()),
            patience,
            done: false,
        };
        match reader.body.status() {
            404 => Ok(None),
            200 => reader.refuse_other_length().map(|()| Some(reader)),
            _ => Err(refusal(client, (place, blob), reader.body).await),
        }
    }

    fn refuse_other_length(&self) -> Result<(), Error> {
        let encoded = self.body.header("content-encoding").is_some();
        let length = self.body.header("content-length").filter(|_| !encoded);
        match length.and_then(|length| length.parse::<u64>().ok()) {
            Some(length) if length != self.blob.size => {
                Err(self.damaged(format!("{length} bytes are sent")))
            }
            _ => Ok(()),
        }
    }

    /// Who sends it.
    pub(super) fn place(&self) -> &Repository {
        &self.place
    }

    /// How many bytes were handed out.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next bytes; `None` when all were handed out.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while !self.done {
            match self.body.chunk().await {
                Ok(Some(bytes)) => match self.take(bytes).await? {
                    bytes if bytes.is_empty() => {}
                    bytes => return Ok(Some(bytes)),
                },
                Ok(None) if self.position == self.blob.size => self.verify()?,
                Ok(None) => {
                    let short = self.damaged(format!("the end after {} bytes", self.position));
                    self.take_up(short).await?;
                }
                Err(error) if error.cause == Cause::Unreachable => self.take_up(error).await?,
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn take(&mut self, mut bytes: Bytes) -> Result<Bytes, Error> {
        let known = bytes
            .len()
            .min(usize::try_from(self.pass_over).unwrap_or(usize::MAX));
        bytes.advance(known);
        self.pass_over -= known as u64;
        let count = bytes.len() as u64;
        if count > self.blob.size - self.position {
            return Err(self.damaged("more bytes than that"));
        }
        self.hash
            .write_all(&bytes)
            .map_err(|error| self.damaged(error.to_string()))?;
        self.moved += count;
        self.position += count;
        if count > 0 && self.position == self.blob.size {
            self.refuse_more().await?;
            self.verify()?;
        }
        Ok(bytes)
    }

    async fn refuse_more(&mut self) -> Result<(), Error> {
        match self.body.chunk().await {
            Ok(Some(more)) if !more.is_empty() => Err(self.damaged("more bytes than that")),
            _ => Ok(()),
        }
    }

    fn verify(&mut self) -> Result<(), Error> {
        let hash = std::mem::replace(&mut self.hash, Hashing::new(io::sink()));
        let (digest, _) = hash.finish();
        self.done = true;
        match digest == self.blob.digest {
            true => Ok(()),
            false => Err(self.damaged(digest.to_string())),
        }
    }

    /// Goes on after a break, `error`, where the last body ended.
    async fn take_up(&mut self, error: Error) -> Result<(), Error> {
        if self.moved >= PROGRESS {
            self.patience = self.client.transport.patience();
        }
        self.moved = 0;
        self.patience.pause(error, None).await?;
        // Of a body that somebody encoded on the way, no range can be asked for.
        let is_plain = !self.body.is_decoded();
        let from = Some(self.position).filter(|position| *position > 0 && is_plain);
        let mut body = self.request(from).await?;
        if from.is_some() && matches!(body.status(), 206 | 416) && !self.fits(&body) {
            body = self.request(None).await?;
        }
        self.pass_over = match (body.status(), from) {
            (206, Some(_)) => 0,
            (200, _) => self.position,
            _ => return Err(refusal(self.client, (&self.place, self.blob), body).await),
        };
        self.body = body;
        Ok(())
    }

    /// Whether what comes begins where we are (RFC 9110, 14.4).
    fn fits(&self, body: &Response) -> bool {
        let fit = || {
            let range = body.header("content-range")?.strip_prefix("bytes ")?;
            let (range, whole) = range.split_once('/')?;
            let (first, _) = range.split_once('-')?;
            let same = whole == "*" || whole.parse() == Ok(self.blob.size);
            (same && first.parse() == Ok(self.position)).then_some(())
        };
        body.status() == 206 && fit().is_some()
    }

    async fn request(&mut self, from: Option<u64>) -> Result<Response, Error> {
        let of = (&self.place, self.blob);
        request(self.client, of, from, &mut self.patience).await
    }

    fn damaged(&self, found: impl Into<String>) -> Error {
        let place = &self.place.endpoint.name;
        Error::new(
            Cause::Integrity,
            format!("`{place}` does not send the blob that it was asked for"),
        )
        .because(format!(
            "expected: {} of {} bytes",
            self.blob.digest, self.blob.size
        ))
        .because(format!("found: {}", found.into()))
    }
}

async fn request(
    client: &Client,
    (place, blob): (&Repository, &Descriptor),
    from: Option<u64>,
    patience: &mut Patience,
) -> Result<Response, Error> {
    let range = from.map(|from| format!("bytes={from}-"));
    let range = range.and_then(|range| HeaderValue::try_from(range).ok());
    let ask = Ask {
        repository: place,
        access: Access::Pull,
        method: Method::GET,
        target: Target::Path(format!("blobs/{}", blob.digest)),
        headers: range.map(|range| (RANGE, range)).into_iter().collect(),
        body: None,
    };
    client.send(&ask, patience).await
}

async fn refusal(
    client: &Client,
    (place, blob): (&Repository, &Descriptor),
    body: Response,
) -> Error {
    let (registry, repository) = (&place.endpoint.name, &place.name);
    let doing = format!("cannot have `{registry}/{repository}@{}`", blob.digest);
    client.refusal(place, body, &doing).await
}
