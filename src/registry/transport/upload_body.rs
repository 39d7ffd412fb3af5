//! A body on its way out, and when it last moved.
//!
//! It is given away in small pieces, so that a slow connection is told from a stalled one.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::registry::transport::limits::{PIECE, Times};

/// When something last happened to a request, and how long nothing may happen now.
#[derive(Clone)]
pub(super) struct Pulse(Arc<Mutex<Beat>>);

struct Beat {
    /// `None` while it is not the registry that is waited for.
    last: Option<Instant>,
    limit: Duration,
}

impl Pulse {
    pub(super) fn new(limit: Duration) -> Pulse {
        let last = Some(Instant::now());
        Pulse(Arc::new(Mutex::new(Beat { last, limit })))
    }

    fn beat(&self, limit: Duration) {
        let last = Some(Instant::now());
        *self.0.lock().expect("nothing panics here") = Beat { last, limit };
    }

    /// Nothing ends until the next beat.
    fn rest(&self) {
        self.0.lock().expect("nothing panics here").last = None;
    }

    /// In a rest it is always later.
    fn ends(&self) -> Instant {
        let beat = self.0.lock().expect("nothing panics here");
        beat.last.unwrap_or_else(Instant::now) + beat.limit
    }

    /// What `answer` comes to; `None` when nothing happened for too long.
    pub(super) async fn watch<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(answer);
        loop {
            let ends = self.ends();
            tokio::select! {
                biased;
                answer = &mut answer => return Some(answer),
                () = tokio::time::sleep_until(ends) => (),
            }
            if self.ends() <= ends {
                return None;
            }
        }
    }
}

/// The body of one request.
pub(super) struct UploadBody {
    inner: reqwest::Body,
    left: u64,
    waiting: Bytes,
    pulse: Pulse,
    times: Times,
}

impl UploadBody {
    /// `size` bytes; the pulse waits for the next piece until the last one is taken, then for the answer.
    pub(super) fn new(
        (size, inner): (u64, reqwest::Body),
        pulse: &Pulse,
        times: Times,
    ) -> UploadBody {
        pulse.beat(times.idle + times.connect);
        UploadBody {
            inner,
            left: size,
            waiting: Bytes::new(),
            pulse: pulse.clone(),
            times,
        }
    }

    fn next_piece(&mut self) -> Bytes {
        let piece = self.waiting.split_to(self.waiting.len().min(PIECE));
        self.left = self.left.saturating_sub(piece.len() as u64);
        let limit = if self.left == 0 {
            self.times.header
        } else {
            self.times.idle
        };
        self.pulse.beat(limit);
        piece
    }
}

impl Body for UploadBody {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        while self.waiting.is_empty() {
            let frame = Pin::new(&mut self.inner).poll_frame(context);
            if frame.is_pending() && self.left > 0 {
                // The source's own limits hold: a slow one says nothing about the registry.
                self.pulse.rest();
            }
            match ready!(frame).transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => self.waiting = data,
                Some(Err(_trailers)) => (),
                None => return Poll::Ready(None),
            }
        }
        Poll::Ready(Some(Ok(Frame::data(self.next_piece()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0 && self.waiting.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
