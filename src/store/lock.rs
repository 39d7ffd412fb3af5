//! The lock of a store: held while `index.json` or the quarantine changes, never while a blob is read or written.
//!
//! The lock file is never removed, because a removed one can be locked twice; the kernel lets go when its holder dies.
//! Where the file system has no locks we go on without: renames stay atomic, only a name can be lost.

use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
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

/// How a wait ended.
#[derive(Debug, PartialEq, Eq)]
enum Waited {
    Locked,
    /// The file system has no locks.
    Unsupported,
    /// As long as the user allows, and somebody holds it still.
    TooLong,
}

impl Store {
    /// Waits for the lock. The directory of the lock must exist.
    pub(super) fn lock(&self) -> Result<Lock, Error> {
        let path = self.private("lock");
        let file = self.open_lock()?;
        let tell = || {
            self.notes.say(format!(
                "waiting for the lock `{}`, which another rbuild holds",
                path.display()
            ));
        };
        if !self.wait_for(&path, || file.try_lock(), tell)? {
            self.notes.say(format!(
                "the file system of `{}` has no locks; going on without one",
                path.display()
            ));
        }
        Ok(Lock { _file: file })
    }

    /// Tries until it works, as long as the user allows, telling once after a second; `false` when the file system has no locks.
    pub(super) fn wait_for(
        &self,
        path: &Path,
        try_lock: impl FnMut() -> Result<(), TryLockError>,
        tell: impl Fn(),
    ) -> Result<bool, Error> {
        match wait(try_lock, self.lock_timeout, tell) {
            Ok(Waited::Locked) => Ok(true),
            Ok(Waited::Unsupported) => Ok(false),
            Ok(Waited::TooLong) => Err(Error::Held {
                path: path.to_owned(),
                waited: self.lock_timeout.unwrap_or_default(),
            }),
            Err(error) => Err(Error::of_io("lock", path, error)),
        }
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

/// Time is counted in pauses: this room reads no clock.
fn wait(
    mut try_lock: impl FnMut() -> Result<(), TryLockError>,
    timeout: Option<Duration>,
    tell: impl Fn(),
) -> io::Result<Waited> {
    let most = timeout.map(|time| time.as_millis() / PAUSE.as_millis());
    let mut pauses = 0_u32;
    loop {
        interrupt::check()?;
        match try_lock() {
            Ok(()) => return Ok(Waited::Locked),
            Err(TryLockError::Error(error)) if is_unsupported(&error) => {
                return Ok(Waited::Unsupported);
            }
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {}
        }
        if most.is_some_and(|most| u128::from(pauses) >= most) {
            return Ok(Waited::TooLong);
        }
        thread::sleep(PAUSE);
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
