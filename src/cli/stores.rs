//! The stores of the cache: which directory each is, and how long those who hold their locks are waited for.

use anyhow::Result;

use crate::cli::world::World;
use crate::notes::Notes;
use crate::store::Store;

/// `img`: bases.
pub(crate) const IMG: &str = "img";
/// `build`: what rbuild made.
pub(crate) const BUILD: &str = "build";

/// One to be added to, or taken from.
pub(crate) fn open(part: &str, world: &World, notes: &Notes) -> Result<Store> {
    let root = world.cache()?.join(part);
    Ok(Store::cache_within(&root, notes, world.lock_timeout)?)
}

/// One only to be looked at: nothing is mended or moved away by a question.
pub(crate) fn look(part: &str, world: &World, notes: &Notes) -> Result<Store> {
    let root = world.cache()?.join(part);
    Ok(Store::source_within(&root, notes, world.lock_timeout)?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_typed_about_locks_counts_for_both_ways_of_opening() {
        let root = tempfile::tempdir().expect("a directory");
        let cache = root.path().display().to_string();
        let world = World {
            lock_timeout: Some(Duration::ZERO),
            ..World::of(&[("KOCACHE", &cache)])
        };
        let notes = Notes::recorded();
        let store = open(IMG, &world, &notes).expect("opens");
        store.prepare().expect("writable");
        let alone = store.alone().expect("nobody else");
        let refused = [open(IMG, &world, &notes), look(IMG, &world, &notes)];
        for one in refused {
            let error = format!("{:#}", one.expect_err("held"));
            assert!(error.contains("/img/.rbuild/use"), "{error}");
        }
        drop(alone);
        look(IMG, &world, &notes).expect("opens");
        assert_eq!(
            open(BUILD, &world, &notes).expect("opens").root(),
            root.path().join("build")
        );
    }
}
