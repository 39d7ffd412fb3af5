//! Where the documents of a base are read: what is on this machine, and behind it the registry where there is a network.
//!
//! The one place of this room that knows of a network. What comes from a registry was verified by its room, and is kept before it is
//! used, so that nothing is fetched twice. Damage is an error without a network; with one it is fetched again.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;

use crate::base::absent::{self, Lost};
use crate::base::walk::Pointer;
use crate::base::{Choice, Shelf, Source};
use crate::digest::{Descriptor, Digest};
use crate::fault::Fault;
use crate::reference::Reference;
use crate::registry::{Error, Registry};
use crate::store::{self, Store};

/// The documents of one base.
pub(crate) struct Documents<'a> {
    home: &'a Store,
    /// Holds what an online run could not keep in `home`.
    spare: Option<&'a Store>,
    remote: Option<Remote<'a>>,
    /// What is asked of a registry by name; none for a layout on disk.
    asked: Option<(&'a Reference, Choice<'a>)>,
    /// How many came from there.
    fetched: AtomicUsize,
}

/// A registry, and what is needed to keep what it gives.
struct Remote<'a> {
    registry: &'a Registry,
    /// Tag and digest are not looked at.
    repository: &'a Reference,
    shelf: Shelf<'a>,
}

/// A document to be had: the word for it, its digest, and its size where that is known.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    what: &'static str,
    digest: &'a Digest,
    size: Option<u64>,
}

/// A media type and bytes.
type Fetched = (String, Vec<u8>);

impl<'a> Documents<'a> {
    /// Those of a layout on disk: no registry stands behind it.
    pub(crate) fn of_layout(home: &'a Store) -> Documents<'a> {
        Documents {
            home,
            spare: None,
            remote: None,
            asked: None,
            fetched: AtomicUsize::new(0),
        }
    }

    /// Those of an image in the cache, and in its registry unless the run is offline.
    pub(crate) fn of_reference(
        repository: &'a Reference,
        choice: Choice<'a>,
        shelf: Shelf<'a>,
    ) -> Documents<'a> {
        let remote = |registry| Remote {
            registry,
            repository,
            shelf,
        };
        Documents {
            home: shelf.cache,
            spare: Some(shelf.spare),
            remote: shelf.registry.map(remote),
            asked: Some((repository, choice)),
            fetched: AtomicUsize::new(0),
        }
    }

    /// Where the layers are to be looked for.
    pub(crate) fn source(&self) -> Source {
        match self.remote {
            Some(_) => Source::Registry(self.home.clone()),
            None => Source::Store(self.home.clone()),
        }
    }

    /// How many may be read side by side.
    pub(crate) fn at_once(&self) -> usize {
        self.remote
            .as_ref()
            .map_or(1, |remote| remote.registry.parallel())
    }

    /// How many documents came from a registry.
    pub(crate) fn fetched(&self) -> usize {
        self.fetched.load(Ordering::Relaxed)
    }

    /// Whether a manifest or index is on this machine.
    pub(crate) fn holds(&self, digest: &Digest) -> Result<bool> {
        let wanted = Wanted {
            what: "manifest",
            digest,
            size: None,
        };
        Ok(self.here(wanted)?.is_some())
    }

    /// A manifest or index; `None` when it is nowhere.
    pub(crate) fn manifest(&self, digest: &Digest, size: Option<u64>) -> Result<Option<Vec<u8>>> {
        let wanted = Wanted {
            what: "manifest",
            digest,
            size,
        };
        self.read(wanted, |remote| {
            let pinned = Reference {
                digest: Some(*digest),
                ..remote.repository.clone()
            };
            let fetched = remote.registry.manifest(&pinned)?;
            Ok(fetched.map(|fetched| (fetched.media_type, fetched.bytes)))
        })
    }

    /// The config of an image; `None` when it is nowhere.
    pub(crate) fn config(&self, config: &Descriptor) -> Result<Option<Vec<u8>>> {
        let wanted = Wanted {
            what: "config",
            digest: &config.digest,
            size: Some(config.size),
        };
        self.read(wanted, |remote| {
            let fetched = remote.registry.document(remote.repository, config)?;
            Ok(fetched.map(|bytes| (config.media_type.clone(), bytes)))
        })
    }

    /// What to say when a document is nowhere.
    pub(crate) fn absent(&self, what: &str, pointer: &Pointer) -> Fault {
        let lost = Lost {
            what,
            digest: &pointer.digest,
            size: pointer.size,
            platform: pointer.platform.as_ref(),
        };
        match (&self.remote, self.asked) {
            (Some(remote), _) => absent::not_served(lost, remote.repository),
            (None, Some(asked)) => absent::of_cache(lost, asked, self.home),
            (None, None) => absent::of_layout(lost, self.home),
        }
    }

    fn read(
        &self,
        wanted: Wanted<'_>,
        fetch: impl FnOnce(&Remote<'_>) -> Result<Option<Fetched>, Error>,
    ) -> Result<Option<Vec<u8>>> {
        if let Some(bytes) = self.here(wanted)? {
            return Ok(Some(bytes));
        }
        let Some(remote) = &self.remote else {
            return Ok(None);
        };
        let Some((media_type, bytes)) = fetch(remote)? else {
            return Ok(None);
        };
        self.fetched.fetch_add(1, Ordering::Relaxed);
        wanted.measure(&bytes)?;
        remote.keep(&media_type, &bytes)?;
        Ok(Some(bytes))
    }

    /// What is on this machine. With a registry behind it, damage counts as absence.
    fn here(&self, wanted: Wanted<'_>) -> Result<Option<Vec<u8>>> {
        for store in [self.home].into_iter().chain(self.spare) {
            match (store.document(wanted.digest, wanted.size), &self.remote) {
                (Ok(None), _) => {}
                (Err(error), Some(remote)) if wanted.is_damaged_in(store, &error) => {
                    remote.tell_damage(wanted);
                }
                (found, _) => return Ok(found?),
            }
        }
        Ok(None)
    }
}

impl Wanted<'_> {
    /// Whether the bytes are wrong, and not merely the size that a pointer claims for good ones.
    fn is_damaged_in(self, store: &Store, error: &store::Error) -> bool {
        matches!(error, store::Error::Corrupt { .. })
            && !matches!(store.document(self.digest, None), Ok(Some(_)))
    }

    fn measure(self, bytes: &[u8]) -> Result<(), Fault> {
        match self.size {
            Some(size) if size != bytes.len() as u64 => Err(Fault::integrity(format!(
                "the {} {} has {} bytes, but {size} were announced",
                self.what,
                self.digest,
                bytes.len()
            ))),
            _ => Ok(()),
        }
    }
}

impl Remote<'_> {
    fn tell_damage(&self, wanted: Wanted<'_>) {
        self.shelf.notes.say(format!(
            "the {} {} is damaged here and is fetched again from `{}`",
            wanted.what,
            wanted.digest,
            self.repository.name()
        ));
    }

    fn keep(&self, media_type: &str, bytes: &[u8]) -> Result<(), store::Error> {
        let Shelf { cache, spare, .. } = self.shelf;
        match cache.put(media_type, bytes) {
            Err(error) if error.is_unwritable() => {
                self.shelf.notes.say(absent::unwritable(&error, self.shelf));
                spare.put(media_type, bytes).map(drop)
            }
            kept => kept.map(drop),
        }
    }
}
