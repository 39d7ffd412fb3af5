//! Who uses a store: whoever reads or fills it shares a claim for as long as it is open, and whoever takes blobs away has it alone.
//!
//! The file `.rbuild/use` is never removed; the kernel lets go when its holder dies. Where it cannot be made, in a store that is
//! read-only for instance, there is no claim, and nothing can be taken away either.

use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::OnceLock;

use rustix::fs::Access;
use rustix::fs::access;

use super::Error;
use super::Role;
use super::Store;
use super::lock::is_unsupported;
use super::regular;
use super::regular::Found;

/// The claim of one store, shared by its clones.
pub(super) type Claim = Arc<OnceLock<File>>;

/// Proof that nobody else uses the store; dropping it lets others in again.
pub(crate) struct Alone(Claim);

impl Drop for Alone {
    fn drop(&mut self) {
        if let Some(file) = self.0.get() {
            let _ = file.try_lock_shared(); // the store itself stays open
        }
    }
}

impl Store {
    /// Takes a share of the claim, if there is one to be had; waits for one who has it alone, who is soon done.
    pub(super) fn share(&self) -> Result<(), Error> {
        if self.role == Role::Output || self.claim.get().is_some() {
            return Ok(());
        }
        let Some(file) = self.open_claim() else {
            return Ok(());
        };
        let path = self.private("use");
        let tell = || {
            self.notes.say(format!(
                "waiting for `{}`: another rbuild takes things away from there",
                self.root.display()
            ));
        };
        self.wait_for(&path, || file.try_lock_shared(), tell)?;
        drop(self.claim.set(file));
        Ok(())
    }

    /// Whether others know that this store is in use.
    pub(crate) fn is_claimed(&self) -> bool {
        self.claim.get().is_some()
    }

    /// The whole claim, if nobody else has a share of it; never waits, because a build may take long.
    pub(crate) fn alone(&self) -> Result<Alone, Error> {
        self.writable()?;
        let path = self.private("use");
        let Some(file) = self.claim.get() else {
            return Err(Error::Foreign {
                path,
                reason: "cannot be used as a lock file".to_owned(),
            });
        };
        match file.try_lock() {
            Ok(()) => Ok(Alone(Arc::clone(&self.claim))),
            Err(TryLockError::WouldBlock) => Err(Error::Busy {
                path: self.root.clone(),
            }),
            Err(TryLockError::Error(error)) if is_unsupported(&error) => {
                self.notes.say(format!(
                    "the file system of `{}` has no locks; going on without one",
                    path.display()
                ));
                Ok(Alone(Arc::clone(&self.claim)))
            }
            Err(TryLockError::Error(error)) => Err(Error::of_io("lock", &path, error)),
        }
    }

    /// Opened for reading if it is there; made where the store is ours, has begun and can be written.
    fn open_claim(&self) -> Option<File> {
        let path = self.private("use");
        if let Ok(Found::Regular(found)) = regular::open(&path) {
            return Some(found.file);
        }
        let home = self.root.join(".rbuild");
        let may_make = self.role == Role::Cache
            && home.is_dir()
            && access(&home, Access::WRITE_OK | Access::EXEC_OK).is_ok();
        if !may_make {
            return None;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600);
        match regular::open_for(&path, &mut options) {
            Ok(Found::Regular(found)) => Some(found.file),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Home, home};
    use super::*;
    use crate::notes::Notes;

    fn begun() -> Home {
        let home = home();
        home.store.prepare().expect("writable");
        home
    }

    fn again(test: &Home) -> Store {
        Store::cache(test.store.root(), &Notes::recorded()).expect("opens")
    }

    #[test]
    fn nobody_is_alone_while_another_has_the_store_open() {
        let test = begun();
        let reader = again(&test);
        assert!(reader.is_claimed());
        let refused = test.store.alone().err().expect("in use");
        assert!(matches!(refused, Error::Busy { .. }), "{refused}");
        drop(reader);
        let alone = test.store.alone().expect("nobody else");
        drop(alone);
        let reader = again(&test);
        assert!(test.store.alone().is_err());
        drop(reader);
        test.store.alone().expect("nobody else");
    }

    #[test]
    fn a_reader_waits_for_one_who_is_alone_and_a_clone_is_no_other() {
        let test = begun();
        let clone = test.store.clone();
        let alone = clone.alone().expect("nobody else");
        let waiting = std::thread::scope(|scope| {
            let reader = scope.spawn(|| again(&test).is_claimed());
            drop(alone);
            reader.join().expect("no panic")
        });
        assert!(waiting);
    }

    #[test]
    fn a_store_that_nobody_began_has_no_claim_and_gets_none_by_being_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path().join("img");
        std::fs::create_dir_all(root.join("blobs/sha256")).expect("made");
        let opened = Store::cache(&root, &Notes::recorded()).expect("opens");
        assert!(!opened.is_claimed());
        assert!(!root.join(".rbuild").exists());
    }
}
