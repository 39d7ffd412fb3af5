//! Several conversations at once, each on a thread of its own.
//!
//! A conversation reads files and hashes on its own thread, so the threads of the runtime are free for connections.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::sync::watch;

use crate::registry::{Cause, Error, Registry};

impl Registry {
    /// Does `work` to every item, as many at a time as the settings say; the first error ends the rest.
    pub(super) fn together<I: Sync>(
        &self,
        items: &[I],
        work: impl AsyncFn(&I) -> Result<(), Error> + Sync,
    ) -> Result<(), Error> {
        let crew = Crew {
            registry: self,
            items,
            work,
            next: AtomicUsize::new(0),
            failure: OnceLock::new(),
            over: watch::Sender::new(false),
        };
        thread::scope(|scope| {
            for _ in 1..self.0.parallel.min(items.len()) {
                scope.spawn(|| crew.take_turns());
            }
            crew.take_turns();
        });
        crew.failure.into_inner().map_or(Ok(()), Err)
    }
}

struct Crew<'a, I, W> {
    registry: &'a Registry,
    items: &'a [I],
    work: W,
    next: AtomicUsize,
    /// The first one.
    failure: OnceLock<Error>,
    over: watch::Sender<bool>,
}

impl<I, W: AsyncFn(&I) -> Result<(), Error>> Crew<'_, I, W> {
    fn take_turns(&self) {
        while let Some(item) = self.items.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if *self.over.borrow() {
                return;
            }
            if let Err(error) = self.registry.wait(self.one(item)) {
                let _ = self.failure.set(error);
                self.over.send_replace(true);
            }
        }
    }

    async fn one(&self, item: &I) -> Result<(), Error> {
        let mut over = self.over.subscribe();
        tokio::select! {
            done = (self.work)(item) => done,
            _ = over.wait_for(|over| *over) => Err(Error::new(Cause::Stopped, "another one failed")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;
    use crate::registry::tests::registry;

    #[test]
    fn every_item_has_its_turn_and_no_more_than_the_limit_at_a_time() {
        let items: Vec<usize> = (0..20).collect();
        let seen = Mutex::new((Vec::new(), 0, 0));
        let enter = |item: usize| {
            let mut now = seen.lock().expect("no panic");
            now.0.push(item);
            now.1 += 1;
            now.2 = now.2.max(now.1);
        };
        registry(4)
            .together(&items, async |item| {
                enter(*item);
                tokio::time::sleep(Duration::from_millis(2)).await;
                seen.lock().expect("no panic").1 -= 1;
                Ok(())
            })
            .expect("all of them");
        let (mut done, left, most) = seen.into_inner().expect("no panic");
        done.sort_unstable();
        assert_eq!(done, items);
        assert_eq!(left, 0);
        assert!((2..=4).contains(&most), "{most} at a time");
    }

    #[test]
    fn the_first_error_ends_what_is_on_its_way_and_what_has_not_begun() {
        let items: Vec<usize> = (0..50).collect();
        let begun = AtomicUsize::new(0);
        let error = registry(2)
            .together(&items, async |item| {
                begun.fetch_add(1, Ordering::Relaxed);
                match item {
                    1 => Err(Error::new(Cause::Denied, "the first")),
                    _ => std::future::pending().await,
                }
            })
            .expect_err("one fails");
        assert_eq!(error.cause, Cause::Denied);
        assert!(
            begun.into_inner() <= 2,
            "the one that fails may be the first"
        );
    }
}
