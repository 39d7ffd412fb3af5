//! The lock of a store: held while `index.json` or the quarantine changes, never while a blob is read or written.
//!
//! The lock file is never removed, because a removed one can be locked twice; the kernel lets go when its holder dies.
//! Where the file system has no locks we go on without: renames stay atomic, only a name can be lost.

use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;

use super::Error;
use super::Role;
use super::Store;
use super::regular;
use super::regular::Found;
use crate::interrupt;

const PAUSE: Duration = Duration::from_millis(20);
/// After this many pauses, one second, the user is told what we wait for.
const SILENT_PAUSES: u32 = 50;

/// Proof that the lock is held; dropping it lets go.
pub(super) struct Lock {
    _file: File,
}

impl Store {
    /// Waits for the lock as long as it takes. The directory of the lock must exist.
    pub(super) fn lock(&self) -> Result<Lock, Error> {
        let path = self.private("lock");
        let file = self.open_lock()?;
        let tell = || {
            self.notes.say(format!(
                "waiting for the lock `{}`, which another rbuild holds",
                path.display()
            ));
        };
        match wait(|| file.try_lock(), tell) {
            Ok(true) => {}
            Ok(false) => self.notes.say(format!(
                "the file system of `{}` has no locks; going on without one",
                path.display()
            )),
            Err(error) => return Err(Error::of_io("lock", &path, error)),
        }
        Ok(Lock { _file: file })
    }

    /// The lock, if the store can be written and nobody else holds it; for readers, who never wait.
    pub(super) fn lock_if_free(&self) -> Option<Lock> {
        if self.role == Role::Source {
            return None;
        }
        self.prepare().ok()?;
        let file = self.open_lock().ok()?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Error(error)) if !is_unsupported(&error) => None,
            _ => Some(Lock { _file: file }),
        }
    }

    fn open_lock(&self) -> Result<File, Error> {
        let path = self.private("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600);
        match regular::open_for(&path, &mut options)? {
            Found::Regular(found) => Ok(found.file),
            Found::Odd(what, _) => Err(Error::Foreign {
                path,
                reason: format!("is {what}, not a lock file"),
            }),
            Found::Nothing => Err(Error::of_io(
                "create",
                &path,
                io::Error::from(io::ErrorKind::NotFound),
            )),
        }
    }
}

/// Tries until it works, telling once after a second; `false` when the file system has no locks.
pub(super) fn wait(
    mut try_lock: impl FnMut() -> Result<(), TryLockError>,
    tell: impl Fn(),
) -> io::Result<bool> {
    let mut pauses = 0_u32;
    loop {
        interrupt::check()?;
        match try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) if is_unsupported(&error) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
        }
        pauses = pauses.saturating_add(1);
        if pauses == SILENT_PAUSES {
            tell();
        }
    }
}

pub(super) fn is_unsupported(error: &io::Error) -> bool {
    let codes = [Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOSYS, Errno::NOLCK];
    error.kind() == io::ErrorKind::Unsupported
        || codes
            .iter()
            .any(|code| error.raw_os_error() == Some(code.raw_os_error()))
}

#[cfg(test)]
mod tests;
