//! How often and how long something is tried again.
//!
//! One value for one thing that the user waits for, so that tries inside tries do not multiply.

use std::time::{Duration, Instant};

use crate::registry::error::Error;

/// What is left of tries and time.
#[derive(Debug)]
pub(super) struct Patience {
    tries: u32,
    ends: Instant,
    pause: Duration,
}

impl Patience {
    pub(super) fn new() -> Patience {
        Patience {
            tries: 5,
            ends: Instant::now() + Duration::from_secs(120),
            pause: Duration::from_millis(if cfg!(test) { 1 } else { 300 }),
        }
    }

    /// For what has another way: one try.
    pub(super) fn once() -> Patience {
        Patience {
            tries: 1,
            ..Patience::new()
        }
    }

    /// Time in which bytes moved does not count.
    pub(super) fn excuse(&mut self, moved: Duration) {
        self.ends += moved;
    }

    /// Waits before the next try; the error comes back when there is none. `after` is what the registry asked for.
    pub(super) async fn pause(
        &mut self,
        error: Error,
        after: Option<Duration>,
    ) -> Result<(), Error> {
        self.tries = self.tries.saturating_sub(1);
        let pause = after.unwrap_or(self.pause);
        if self.tries == 0 || Instant::now() + pause > self.ends {
            return Err(error);
        }
        self.pause *= 2;
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
