//! How often and how long something is tried again.
//!
//! One value for one thing that the user waits for, so that tries inside tries do not multiply.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use crate::registry::error::Error;

/// Tries of one thing in all.
const TRIES: u32 = 5;
/// Tries when nobody answers at the door: connection refused, no address for the name.
const TRIES_AT_A_CLOSED_DOOR: u32 = 2;
/// From the first try to the last one's beginning.
const IN_ALL: Duration = Duration::from_secs(120);
/// The first pause; each is twice the one before.
const FIRST: Duration = Duration::from_millis(300);
const LONGEST: Duration = Duration::from_secs(10);
/// No registry can make us wait longer than this at once.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

const CLOSED: &str = "look for a slip in the name; a network may need `HTTPS_PROXY`";

/// The way out where a registry fails now.
pub(super) const LATER: &str = "run the same again later: what is there is not sent twice";

/// What is left of tries and time.
#[derive(Debug)]
pub(super) struct Patience {
    tries: u32,
    /// Tries that were made.
    made: u32,
    closed_doors: u32,
    ends: Instant,
    pause: Duration,
    /// So many times shorter is a pause slept than it counts; 1 but in tests.
    haste: u32,
}

impl Patience {
    /// Pauses take no time in unit tests; they count all the same.
    pub(super) fn new() -> Patience {
        if cfg!(test) {
            Patience::hasty()
        } else {
            Patience::at(1)
        }
    }

    /// As if time went a thousand times faster in pauses, for tests.
    pub(super) fn hasty() -> Patience {
        Patience::at(1_000)
    }

    #[cfg(test)]
    pub(super) fn in_earnest() -> Patience {
        Patience::at(1)
    }

    fn at(haste: u32) -> Patience {
        Patience {
            tries: TRIES,
            made: 0,
            closed_doors: TRIES_AT_A_CLOSED_DOOR,
            ends: Instant::now() + IN_ALL,
            pause: FIRST,
            haste,
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
        match self.next(after) {
            None => Err(self.told(error)),
            Some(pause) => {
                tokio::time::sleep(pause / self.haste).await;
                Ok(())
            }
        }
    }

    /// Waits for something that is no try of ours.
    pub(super) async fn rest(&self, time: Duration) {
        tokio::time::sleep(time / self.haste).await;
    }

    /// What was tried, and what a person can do; nothing where another way is left.
    fn told(&self, error: Error) -> Error {
        match self.made {
            0 | 1 => error,
            tries => error
                .because(format!("it was tried {tries} times"))
                .hint(LATER),
        }
    }

    /// As [`Patience::pause`], for a door that stays closed: a second try is the last one.
    pub(super) async fn knock_again(&mut self, error: Error) -> Result<(), Error> {
        self.closed_doors = self.closed_doors.saturating_sub(1);
        match self.closed_doors {
            0 if error.fault().hints().is_empty() => Err(error.hint(CLOSED)),
            0 => Err(error),
            _ => self.pause(error, None).await,
        }
    }

    /// The next pause, counted as taken; `None` when tries or time have run out.
    fn next(&mut self, after: Option<Duration>) -> Option<Duration> {
        self.tries = self.tries.saturating_sub(1);
        self.made += 1;
        let own = with_jitter(self.pause);
        let pause = after.map_or(own, |after| after.min(LONGEST_ASKED).max(own));
        self.pause = (self.pause * 2).min(LONGEST);
        let fits = self.tries > 0 && Instant::now() + pause <= self.ends;
        // What is not slept is taken off the end, so that a hasty test counts as a slow run does.
        self.ends -= pause - pause / self.haste;
        fits.then_some(pause)
    }
}

/// A quarter more or less, so that clients that failed together do not come back together.
fn with_jitter(pause: Duration) -> Duration {
    let percent = 75 + RandomState::new().hash_one(()) % 51;
    pause * u32::try_from(percent).unwrap_or(100) / 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::error::Cause;

    fn failure() -> Error {
        Error::new(Cause::Unreachable, "no")
    }

    fn seconds(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn r01_gaps_grow_and_there_are_five_tries() {
        let mut patience = Patience::hasty();
        let pauses: Vec<Duration> = std::iter::from_fn(|| patience.next(None)).collect();
        assert_eq!(pauses.len(), 4);
        for (pause, nominal) in pauses.iter().zip([300, 600, 1_200, 2_400]) {
            let bounds =
                Duration::from_millis(nominal * 3 / 4)..=Duration::from_millis(nominal * 5 / 4);
            assert!(bounds.contains(pause), "{pause:?} for {nominal}");
        }
    }

    #[test]
    fn r02_a_pause_is_never_shorter_than_what_the_registry_asked_for() {
        let mut patience = Patience::hasty();
        assert_eq!(patience.next(seconds(2)), seconds(2));
        assert!(patience.next(seconds(0)) > seconds(0));
    }

    #[test]
    fn r03_a_minute_is_the_most_that_a_registry_can_ask_for_and_it_counts() {
        let mut patience = Patience::hasty();
        assert_eq!(patience.next(seconds(99_999_999)), seconds(60));
        assert_eq!(patience.next(seconds(59)), seconds(59));
        assert_eq!(patience.next(seconds(2)), None);
    }

    #[test]
    fn a_pause_does_not_grow_beyond_ten_seconds() {
        let mut patience = Patience {
            tries: 100,
            ..Patience::hasty()
        };
        let pauses: Vec<Duration> = std::iter::from_fn(|| patience.next(None)).collect();
        assert!(pauses.len() > 10 && pauses.len() < 40, "{}", pauses.len());
        assert!(pauses.iter().all(|pause| *pause <= LONGEST * 5 / 4));
        assert!(pauses.iter().sum::<Duration>() <= IN_ALL);
    }

    #[tokio::test]
    async fn a_closed_door_is_tried_twice() {
        let mut patience = Patience::hasty();
        assert!(patience.knock_again(failure()).await.is_ok());
        assert!(patience.knock_again(failure()).await.is_err());
    }

    #[tokio::test]
    async fn the_error_comes_back_when_patience_is_used_up() {
        let mut patience = Patience {
            tries: 1,
            ..Patience::hasty()
        };
        let error = patience
            .pause(failure(), None)
            .await
            .expect_err("no try left");
        assert_eq!(error.cause, Cause::Unreachable);
    }

    #[test]
    fn jitter_differs_from_one_pause_to_the_next() {
        let pauses: std::collections::BTreeSet<Duration> = (0..50)
            .map(|_| with_jitter(Duration::from_secs(1)))
            .collect();
        assert!(pauses.len() > 1);
    }
}
