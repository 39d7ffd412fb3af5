//! Bytes of a blob on their way into a request: from a store, or from the registry that has them.
//!
//! Never the whole blob in memory, never on disk. Whoever reads verifies: the last piece is not handed on when the digest is wrong,
//! and the connection breaks instead.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::digest::Descriptor;
use crate::interrupt;
use crate::progress::Transfer;
use crate::registry::endpoint::Repository;
use crate::registry::mirrors::first_of;
use crate::registry::push::Push;
use crate::registry::reading::Reader;
use crate::registry::{Cause, Error};
use crate::store::{self, Blob};

/// What is read from a store at once, in bytes; measured: smaller ones cost wake-ups, larger ones leave the processor's cache.
const PIECE: usize = 256 * 1024;
/// Pieces that wait for the network.
const WAITING: usize = 4;

/// A blob that travels, perhaps more than once.
pub(super) struct Freight<'a> {
    pub(super) blob: &'a Descriptor,
    pub(super) transfer: &'a Transfer,
    /// Places that began to send it and failed for good, and how.
    failed: Mutex<Vec<(Repository, Error)>>,
    movement: Mutex<Movement>,
}

/// When the first piece was taken, and when the last.
#[derive(Default)]
struct Movement(Option<(Instant, Instant)>);

impl Movement {
    fn piece(&mut self, now: Instant) {
        let first = self.0.map_or(now, |(first, _)| first);
        self.0 = Some((first, now));
    }

    fn length(&self) -> Duration {
        self.0.map_or(Duration::ZERO, |(first, last)| last - first)
    }
}

impl<'a> Freight<'a> {
    pub(super) fn new((blob, transfer): (&'a Descriptor, &'a Transfer)) -> Freight<'a> {
        Freight {
            blob,
            transfer,
            failed: Mutex::default(),
            movement: Mutex::default(),
        }
    }

    fn taken(&self) {
        let mut movement = self.movement.lock().expect("nobody panics with it");
        movement.piece(Instant::now());
    }

    /// How long bytes moved since this was last asked; silence before and after them is not in it.
    pub(super) fn moved(&self) -> Duration {
        let mut movement = self.movement.lock().expect("nobody panics with it");
        std::mem::take(&mut *movement).length()
    }

    /// Asks the place of `source` no more; the error comes back when there can be no other place.
    pub(super) fn pass_over(&self, source: &Source<'_>, error: Error) -> Result<(), Error> {
        let Source::Far(reader) = source else {
            return Err(error);
        };
        let mut failed = self.failed.lock().expect("nobody panics with it");
        failed.push((reader.place().clone(), error));
        Ok(())
    }

    fn failure(&self, place: &Repository) -> Option<Error> {
        let failed = self.failed.lock().expect("nobody panics with it");
        let of_place = failed.iter().find(|(other, _)| other == place);
        of_place.map(|(_, error)| error.clone())
    }
}

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
    pub(super) async fn pour(&mut self, feed: Feed, freight: &Freight<'_>) -> Result<(), Error> {
        let mut moved = 0;
        loop {
            match self.next().await {
                Ok(None) => return Ok(()),
                Ok(Some(bytes)) => {
                    moved += bytes.len() as u64;
                    if feed.0.send(Ok(bytes)).await.is_err() {
                        return Ok(());
                    }
                    freight.taken();
                    freight.transfer.at(moved);
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
        let read = fill(&mut self.blob, &mut piece);
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

/// Reads until `buffer` is full, or nothing is left. Of a damaged blob nothing is given that was read with its end.
fn fill(blob: &mut Blob, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match blob.read(&mut buffer[count..])? {
            0 => break,
            more => count += more,
        }
    }
    Ok(count)
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
    pub(super) async fn source<'a>(&'a self, freight: &Freight<'a>) -> Result<Source<'a>, Error> {
        let blob = freight.blob;
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
            match freight.failure(place) {
                Some(error) => Err(error),
                None => Reader::open(self.client, place, blob).await,
            }
        });
        let here = |error: Error| {
            error
                .because(format!("{} is not on this machine", blob.digest))
                .hint(BRING)
        };
        let reader = found.await.map_err(here)?.ok_or_else(|| gone(blob))?;
        Ok(Source::Far(Box::new(reader)))
    }
}

/// The mend for layers that are nowhere.
pub(super) const BRING: &str =
    "bring the base image's layers with `rbuild cache warm --layers NAME`";

fn gone(blob: &Descriptor) -> Error {
    let message = format!(
        "blob {} is neither on this machine nor where the base image came from",
        blob.digest
    );
    Error::new(Cause::Missing, message).hint(BRING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r06_only_the_time_between_the_first_and_the_last_piece_is_movement() {
        let mut movement = Movement::default();
        assert_eq!(movement.length(), Duration::ZERO);
        let start = Instant::now();
        for seconds in [60, 61, 65] {
            movement.piece(start + Duration::from_secs(seconds));
        }
        assert_eq!(movement.length(), Duration::from_secs(5));
    }
}
