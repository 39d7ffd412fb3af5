//! The door to blobs: an OCI layout directory, the only place where bytes rest.
//!
//! What is read is checked against its digest, what is written appears whole or not at all, and what other tools keep in the
//! same directory survives. Reading never needs writing, and nothing here follows a link that lies inside the store.
//! This room never touches the network, never reads the clock and never prints.

mod blob;
mod carry;
mod claim;
mod index;
mod kit;
mod layout;
mod leftover;
mod lock;
mod made;
mod mend;
mod quarantine;
mod reach;
mod record;
mod regular;
mod remove;
mod sight;
mod temp;
mod trim;
mod writer;

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use crate::digest::Descriptor;
use crate::digest::Digest;
use crate::fault::Fault;
use crate::fault::Kind;
use crate::notes::Notes;

pub(crate) use blob::Blob;
pub(crate) use carry::{Staging, entries_of};
pub(crate) use claim::Alone;
pub(crate) use index::Entry as IndexEntry;
pub(crate) use leftover::Leftover;
pub(crate) use made::Made;
pub(crate) use reach::Links;
pub(crate) use remove::{Seen, Victims};
pub(crate) use sight::Sight;
pub(crate) use writer::BlobWriter;

/// An OCI layout directory; cheap to clone. Two values for one directory, in one process or in two, get along.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    root: PathBuf,
    role: Role,
    notes: Notes,
    claim: claim::Claim,
    /// How long another rbuild is waited for; for ever without one.
    lock_timeout: Option<Duration>,
}

/// Whose directory it is, and so what may be done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Ours: private, whatever the umask is.
    Cache,
    /// The user's, to be added to: modes are what the umask makes of them.
    Output,
    /// The user's, to be read: nothing in it ever changes.
    Source,
}

impl Store {
    /// A cache of ours. Creates nothing yet; an absent directory is an empty store.
    pub(crate) fn cache(root: &Path, notes: &Notes) -> Result<Store, Error> {
        Store::cache_within(root, notes, None)
    }

    /// As [`Store::cache`]; another rbuild that holds a lock is waited for no longer than `lock_timeout`.
    pub(crate) fn cache_within(
        root: &Path,
        notes: &Notes,
        lock_timeout: Option<Duration>,
    ) -> Result<Store, Error> {
        Store::open(root, Role::Cache, (notes, lock_timeout))
    }

    /// A layout of the user's that images are added to. A directory that is neither empty nor a layout is refused.
    pub(crate) fn output(root: &Path, notes: &Notes) -> Result<Store, Error> {
        let store = Store::open(root, Role::Output, (notes, None))?;
        store.refuse_strangers()?;
        Ok(store)
    }

    /// This store, waiting for locks as long as `other` does.
    pub(crate) fn with_patience_of(self, other: &Store) -> Store {
        Store {
            lock_timeout: other.lock_timeout,
            ..self
        }
    }

    /// A layout that is only read, one to import from for instance: no lock, no quarantine, no repair.
    pub(crate) fn source(root: &Path, notes: &Notes) -> Result<Store, Error> {
        Store::source_within(root, notes, None)
    }

    /// As [`Store::source`]; one who takes things away there is waited for no longer than `lock_timeout`.
    pub(crate) fn source_within(
        root: &Path,
        notes: &Notes,
        lock_timeout: Option<Duration>,
    ) -> Result<Store, Error> {
        Store::open(root, Role::Source, (notes, lock_timeout))
    }

    /// What may not be read yet is no error here: the read that needs it says so.
    fn open(
        root: &Path,
        role: Role,
        (notes, lock_timeout): (&Notes, Option<Duration>),
    ) -> Result<Store, Error> {
        let store = Store {
            root: root.to_owned(),
            role,
            notes: notes.clone(),
            claim: claim::Claim::default(),
            lock_timeout,
        };
        match store.inspect().and_then(|()| store.share()) {
            Ok(()) | Err(Error::Denied { .. }) => Ok(store),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A blob of any size, to be hashed while it is read; `None` when it is not here.
    pub(crate) fn blob(&self, descriptor: &Descriptor) -> Result<Option<Blob>, Error> {
        Blob::open(self, descriptor)
    }

    /// A writer for a blob whose digest is not known yet, or not trusted yet.
    pub(crate) fn writer(&self) -> Result<BlobWriter, Error> {
        BlobWriter::start(self)
    }
}

/// Why a store could not do what it was asked; every one names the path.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Bytes, or a file, that are not what their name says.
    #[error("`{}` is not what its name says", path.display())]
    Corrupt {
        path: PathBuf,
        expected: String,
        found: String,
    },
    /// What another program made and we neither understand nor touch, or what goes beyond a limit of ours.
    #[error("`{}` {reason}", path.display())]
    Foreign { path: PathBuf, reason: String },
    /// A directory that cannot serve as the store the user named it for.
    #[error("`{}` {reason}", path.display())]
    Refused {
        path: PathBuf,
        reason: String,
        hint: String,
    },
    /// No permission, or a file system that is mounted read-only.
    #[error("no permission to {action} `{}`", path.display())]
    Denied {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// No space, or a quota is used up.
    #[error("no space to {action} `{}`", path.display())]
    Full {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Something is to be taken away where others read or write.
    #[error("`{}` is in use by another rbuild", path.display())]
    Busy { path: PathBuf },
    /// A lock that was waited for as long as the user allows.
    #[error("another rbuild holds `{}` still, after {} s", path.display(), waited.as_secs())]
    Held { path: PathBuf, waited: Duration },
    #[error("cannot {action} `{}`", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl Error {
    /// The error for an input/output error met while doing `action` to `path`; one that already carries an [`Error`] gives it back.
    pub(crate) fn of_io(action: &'static str, path: &Path, source: io::Error) -> Error {
        let path = path.to_owned();
        let kind = source.kind();
        match source.downcast::<Error>() {
            Ok(error) => error,
            Err(source) if is_denial(kind) => Error::Denied {
                action,
                path,
                source,
            },
            Err(source) if is_shortage(kind) => Error::Full {
                action,
                path,
                source,
            },
            Err(source) => Error::Io {
                action,
                path,
                source,
            },
        }
    }

    /// Whether the directory merely cannot be written, so that a run that could do without it may go on.
    pub(crate) fn is_unwritable(&self) -> bool {
        matches!(
            self,
            Error::Denied { .. } | Error::Full { .. } | Error::Io { .. }
        )
    }

    /// The blob that is wrong, if that is the error.
    pub(crate) fn damaged(&self) -> Option<Digest> {
        let Error::Corrupt { path, .. } = self else {
            return None;
        };
        let name = path.file_name()?.to_str()?;
        format!("sha256:{name}").parse().ok()
    }

    /// The same for people, with the exit code as its kind.
    pub(crate) fn fault(&self) -> Fault {
        let message = self.to_string();
        match self {
            Error::Corrupt {
                expected, found, ..
            } => Fault::integrity(message)
                .because(format!("expected: {expected}"))
                .because(format!("found: {found}"))
                .hint("pull the image again while online, with `rbuild cache warm NAME` or the tool that brought it")
                .hint("what lies in `build` of the cache rbuild makes again: `rm -r` of that directory harms nothing"),
            Error::Foreign { .. } => Fault::new(Kind::Disk, message)
                .hint("nothing was changed; move it away, or use another directory"),
            Error::Refused { hint, .. } => Fault::refused(message).hint(hint),
            Error::Denied { source, .. } => Fault::new(Kind::Disk, message)
                .because(source.to_string())
                .because(format!(
                    "this process runs as uid {}",
                    rustix::process::getuid().as_raw()
                ))
                .hint("give that user the right, or use another directory"),
            Error::Full { source, .. } => Fault::new(Kind::Disk, message)
                .because(source.to_string())
                .hint("free some space there (`build` in the cache may always be deleted), or use another directory"),
            Error::Busy { .. } => Fault::new(Kind::Disk, message)
                .because("nothing is taken away while somebody may need it; nothing was changed")
                .hint("try again when that run is done"),
            Error::Held { path, .. } => Fault::new(Kind::Disk, message)
                .because("it may be stopped, at work on a slow disk, or on another machine that shares the cache")
                .hint(format!("`fuser -v '{}'` names it: end it, or let it go on with `kill -CONT PID`", path.display()))
                .hint("wait longer, with a larger `--lock-timeout` or without one; to remove the file helps nobody, because a lock is no file"),
            Error::Io { source, .. } => {
                Fault::new(Kind::Disk, message).because(source.to_string())
            }
        }
    }
}

/// The blob that an error says is wrong, wherever in its chain, if it is one.
pub(crate) fn damaged(error: &anyhow::Error) -> Option<Digest> {
    error.chain().find_map(damaged_in)
}

fn damaged_in(cause: &(dyn std::error::Error + 'static)) -> Option<Digest> {
    if let Some(error) = cause.downcast_ref::<Error>() {
        return error.damaged();
    }
    // An I/O error hides what it was made from.
    damaged_in(cause.downcast_ref::<io::Error>()?.get_ref()?)
}

/// For readers and writers of std: the kind is kept, the error is inside.
impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match &error {
            Error::Corrupt { .. } => io::ErrorKind::InvalidData,
            Error::Foreign { .. }
            | Error::Refused { .. }
            | Error::Busy { .. }
            | Error::Held { .. } => io::ErrorKind::Other,
            Error::Denied { source, .. }
            | Error::Full { source, .. }
            | Error::Io { source, .. } => source.kind(),
        };
        io::Error::new(kind, error)
    }
}

fn is_denial(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(kind, PermissionDenied | ReadOnlyFilesystem)
}

fn is_shortage(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(kind, StorageFull | QuotaExceeded | FileTooLarge)
}
