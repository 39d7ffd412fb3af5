//! Bytes of a blob on their way into a request: from a store, or from the registry that has them.
//!
//! Never the whole blob in memory, never on disk. Whoever reads verifies: the last piece is not handed on when the digest is wrong,
//! and the connection breaks instead.

use std::collections::VecDeque;
use std::io::{self, Read};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::digest::Descriptor;
use crate::interrupt;
use crate::progress::Transfer;
use crate::registry::mirrors::first_of;
use crate::registry::push::Push;
use crate::registry::reading::Reader;
use crate::registry::{Cause, Error};
use crate::store::{self, Blob};

/// What is read from a store at once, in bytes.
const PIECE: usize = 256 * 1024;
/// Pieces that wait for the network.
const WAITING: usize = 2;

/// Where bytes come from; opened anew for each try.
pub(super) enum Source<'a> {
    Here(Box<Near>),
    Far(Box<Reader<'a>>),
}

impl Source<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        match self {
            Source::Here(near) => near.next(),
            Source::Far(reader) => reader.next().await,
        }
    }

    /// Moves everything into `feed`; stops when nobody listens any more.
    pub(super) async fn pour(&mut self, feed: Feed, transfer: &Transfer) -> Result<(), Error> {
        let mut moved = 0;
        loop {
            match self.next().await {
                Ok(None) => return Ok(()),
                Ok(Some(bytes)) => {
                    moved += bytes.len() as u64;
                    if feed.0.send(Ok(bytes)).await.is_err() {
                        return Ok(());
                    }
                    transfer.at(moved);
                }
                Err(error) => {
                    let _ = feed
                        .0
                        .send(Err(io::Error::other("the blob is damaged")))
                        .await;
                    return Err(error);
                }
            }
        }
    }
}

/// A blob of a store.
pub(super) struct Near {
    blob: Blob,
    /// Of the store, for an error.
    name: String,
    /// Pieces handed out, the oldest first: what nobody reads any more is filled again, for new memory costs more than its bytes.
    lent: VecDeque<Bytes>,
}

impl Near {
    fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let mut piece = self.buffer();
        let read = self.blob.read(&mut piece);
        match (read, interrupt::check()) {
            (_, Err(stopped)) => Err(Error::new(Cause::Stopped, stopped.to_string())),
            (Err(error), _) => Err(store::Error::of_io("read", self.name.as_ref(), error).into()),
            (Ok(0), _) => Ok(None),
            (Ok(count), _) => {
                piece.truncate(count);
                let piece = piece.freeze();
                self.lent.push_back(piece.clone());
                Ok(Some(piece))
            }
        }
    }

    fn buffer(&mut self) -> BytesMut {
        let oldest = self.lent.pop_front().map(Bytes::try_into_mut);
        let mut buffer = match oldest {
            Some(Ok(free)) => free,
            Some(Err(lent)) => {
                self.lent.push_front(lent);
                BytesMut::new()
            }
            None => BytesMut::new(),
        };
        buffer.resize(PIECE, 0);
        buffer
    }
}

/// The near end of a request's body.
pub(super) struct Feed(Sender<io::Result<Bytes>>);

pub(super) fn body() -> (Feed, reqwest::Body) {
    let (feed, mut pieces): (_, Receiver<io::Result<Bytes>>) = mpsc::channel(WAITING);
    let stream = stream::poll_fn(move |context| pieces.poll_recv(context));
    (Feed(feed), reqwest::Body::wrap_stream(stream))
}

impl<'p> Push<'p> {
    /// The bytes of a blob: the first store that has it, else its origin.
    pub(super) async fn source<'a>(&'a self, blob: &'a Descriptor) -> Result<Source<'a>, Error> {
        for store in self.parcel.stores {
            if let Some(found) = store.blob(blob)? {
                return Ok(Source::Here(Box::new(Near {
                    blob: found,
                    name: store.root().display().to_string(),
                    lent: VecDeque::new(),
                })));
            }
        }
        let Some(origin) = self.parcel.origins.get(&blob.digest) else {
            return Err(gone(blob));
        };
        let found = first_of(self.client, origin, async |place| {
            Reader::open(self.client, place, blob).await
        });
        let reader = found.await?.ok_or_else(|| gone(blob))?;
        Ok(Source::Far(Box::new(reader)))
    }
}

fn gone(blob: &Descriptor) -> Error {
    let message = format!(
        "blob {} is neither on this machine nor where the base image came from",
        blob.digest
    );
    Error::new(Cause::Missing, message)
        .hint("bring the base image's layers with `rbuild cache warm --layers NAME`")
}
