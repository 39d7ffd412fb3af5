//! Ctrl-C and its kin: children end, loops stop, temporary files go away, the exit code tells.
//!
//! The first signal asks; after two seconds, or at a second signal, the process ends at once. Nothing torn can remain even then,
//! because every file is renamed into place.

#![expect(
    clippy::disallowed_methods,
    reason = "this file ends the process when asking was not enough"
)]

use std::time::Duration;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXCPU, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::interrupt;
use crate::process;

/// How long a stop may take before it is forced.
const PATIENCE: Duration = Duration::from_secs(2);

/// Starts to watch for signals, on a thread of its own.
pub(crate) fn watch() -> Result<()> {
    let watched = [SIGINT, SIGTERM, SIGHUP, SIGXCPU, SIGXFSZ];
    let mut signals = Signals::new(watched).context("cannot watch for signals")?;
    std::thread::spawn(move || {
        // A file that may not grow is the error of the write, which has a path: the signal alone would end the process without a word.
        signals
            .forever()
            .filter(|signal| *signal != SIGXFSZ)
            .for_each(stop);
    });
    Ok(())
}

fn stop(signal: i32) {
    if !interrupt::raise(signal) {
        end(signal);
    }
    process::end_all(false);
    std::thread::spawn(move || {
        std::thread::sleep(PATIENCE);
        end(signal);
    });
}

fn end(signal: i32) -> ! {
    process::end_all(true);
    std::process::exit(128 + signal)
}
