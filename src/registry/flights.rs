//! One request for one blob, however many threads want it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use crate::digest::Digest;
use crate::store::Store;

/// What is being fetched now, and into which store.
#[derive(Default)]
pub(super) struct Flights(Mutex<BTreeMap<Key, Weak<Turn<()>>>>);

/// The root of a store, and a blob.
type Key = (PathBuf, Digest);

impl Flights {
    /// Waits until nobody else fetches this blob into this store. Look then whether it is there.
    pub(super) async fn turn(&self, store: &Store, digest: &Digest) -> OwnedMutexGuard<()> {
        let key = (store.root().to_owned(), *digest);
        self.of(key).lock_owned().await
    }

    fn of(&self, key: Key) -> Arc<Turn<()>> {
        let mut flights = self.0.lock().expect("nobody panics with it");
        flights.retain(|_, flight| flight.strong_count() > 0);
        if let Some(flight) = flights.get(&key).and_then(Weak::upgrade) {
            return flight;
        }
        let flight = Arc::default();
        flights.insert(key, Arc::downgrade(&flight));
        flight
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn one_blob_is_fetched_by_one_at_a_time_and_two_blobs_by_two() {
        let (home, flights) = (testing::store(), Flights::default());
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        let held = flights.turn(&home.store, &one).await;
        let _free = flights.turn(&home.store, &other).await;
        let short = Duration::from_millis(10);
        let second = tokio::time::timeout(short, flights.turn(&home.store, &one));
        assert!(second.await.is_err(), "it waits");
        drop(held);
        let _now = flights.turn(&home.store, &one).await;
        assert_eq!(flights.0.lock().expect("no panic").len(), 2);
    }
}
