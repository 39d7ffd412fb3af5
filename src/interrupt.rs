//! Whether the user asked us to stop.
//!
//! A signal belongs to the process, so this is the one piece of global state. Long loops ask [`check`] and return its error, so that
//! temporary files go away on the way out. This file never ends the process.

use std::io;
use std::sync::atomic::{AtomicI32, Ordering};

static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// Remembers that `signal` arrived; the first one counts. Says whether it was the first.
pub(crate) fn raise(signal: i32) -> bool {
    SIGNAL
        .compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst)
        .is_ok()
}

/// The signal that arrived, if one did.
pub(crate) fn signal() -> Option<i32> {
    match SIGNAL.load(Ordering::SeqCst) {
        0 => None,
        signal => Some(signal),
    }
}

/// An error when the user asked us to stop. Its kind is not `Interrupted`, which std's copy loops would retry.
pub(crate) fn check() -> io::Result<()> {
    match signal() {
        None => Ok(()),
        Some(signal) => Err(io::Error::other(format!("stopped by signal {signal}"))),
    }
}
