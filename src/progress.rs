//! Bytes on their way, told while they move.
//!
//! A stage tells a listener; how it is shown is `cli`'s affair. Nothing here prints, and nothing depends on being heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What happens to one transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A label such as `push sha256:0123456789ab`, and the bytes that will move.
    Begun { id: u64, label: String, size: u64 },
    /// So many bytes in all; fewer than before when the transfer began anew.
    At { id: u64, bytes: u64 },
    /// In a word: `pushed`, `mounted`, `there already`, `failed`.
    Ended { id: u64, how: &'static str },
}

/// Hands out transfers; cheap to clone, and may be used from several threads.
#[derive(Clone)]
pub(crate) struct Transfers {
    listen: Arc<dyn Fn(&Event) + Send + Sync>,
    last: Arc<AtomicU64>,
}

impl Transfers {
    pub(crate) fn to(listen: impl Fn(&Event) + Send + Sync + 'static) -> Transfers {
        Transfers {
            listen: Arc::new(listen),
            last: Arc::default(),
        }
    }

    /// Transfers that nobody watches.
    pub(crate) fn unwatched() -> Transfers {
        Transfers::to(|_| ())
    }

    pub(crate) fn begin(&self, label: impl Into<String>, size: u64) -> Transfer {
        let id = self.last.fetch_add(1, Ordering::Relaxed);
        let label = label.into();
        (self.listen)(&Event::Begun { id, label, size });
        Transfer {
            all: self.clone(),
            id,
            ended: false,
        }
    }
}

impl std::fmt::Debug for Transfers {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Transfers")
    }
}

/// One transfer; it failed unless it is ended otherwise.
pub(crate) struct Transfer {
    all: Transfers,
    id: u64,
    ended: bool,
}

impl Transfer {
    pub(crate) fn at(&self, bytes: u64) {
        (self.all.listen)(&Event::At { id: self.id, bytes });
    }

    pub(crate) fn end(mut self, how: &'static str) {
        self.ended = true;
        (self.all.listen)(&Event::Ended { id: self.id, how });
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if !self.ended {
            let (id, how) = (self.id, "failed");
            (self.all.listen)(&Event::Ended { id, how });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_transfer_that_nobody_ends_has_failed() {
        let heard: Arc<Mutex<Vec<Event>>> = Arc::default();
        let writer = Arc::clone(&heard);
        let transfers =
            Transfers::to(move |event| writer.lock().expect("test").push(event.clone()));
        transfers.begin("push a", 3).at(1);
        transfers.begin("push b", 3).end("mounted");
        let heard = heard.lock().expect("test");
        assert!(heard.contains(&Event::Ended {
            id: 0,
            how: "failed"
        }));
        assert!(heard.contains(&Event::Ended {
            id: 1,
            how: "mounted"
        }));
        assert_eq!(heard.len(), 5);
    }
}
