//! Which way each blob takes: it is there, it is mounted, or its bytes travel.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::digest::{Descriptor, Digest};
use crate::reference::Reference;
use crate::registry::patience::Patience;
use crate::registry::pull::label;
use crate::registry::push::feed::BRING;
use crate::registry::push::sessions::Begun;
use crate::registry::push::{Push, Sent};
use crate::registry::{Cause, Error};

/// A larger blob is asked for before its upload begins, in bytes.
const ASKED_FOR: u64 = 4 * 1024 * 1024;

/// How a blob came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Uploaded,
    /// The answer to its body was lost, and the registry says that it is there.
    Doubtful,
    Mounted,
    Present,
}

impl Push<'_> {
    /// Blobs whose bytes nobody here can give must be there: which are. An error names those that are not.
    pub(super) fn find_the_rest(
        &self,
        known: &BTreeSet<Digest>,
    ) -> Result<BTreeSet<Digest>, Error> {
        let rest: Vec<Descriptor> = self
            .each_once()
            .into_iter()
            .filter(|blob| !known.contains(&blob.digest) && !self.has_source(blob))
            .collect();
        let missing = Mutex::new(Vec::new());
        self.registry.together(&rest, async |blob| {
            if !self
                .is_there(blob, &mut self.client.transport.patience())
                .await?
            {
                missing
                    .lock()
                    .expect("nobody panics with it")
                    .push(blob.clone());
            }
            Ok(())
        })?;
        let missing = missing.into_inner().expect("nobody panics with it");
        match missing.is_empty() {
            true => Ok(rest.iter().map(|blob| blob.digest).collect()),
            false => Err(self.nowhere(&missing)),
        }
    }

    fn nowhere(&self, missing: &[Descriptor]) -> Error {
        let bytes = missing
            .iter()
            .fold(0, |sum: u64, blob| sum.saturating_add(blob.size));
        let message = format!(
            "{} of the image's blobs ({bytes} bytes) are neither on this machine nor in `{}`",
            missing.len(),
            self.parcel.repository.name()
        );
        let named = missing
            .iter()
            .map(|blob| format!("missing: {} of {} bytes", blob.digest, blob.size));
        let error = named.fold(Error::new(Cause::Missing, message), Error::because);
        let bases = missing
            .iter()
            .filter_map(|blob| self.parcel.unasked.get(&blob.digest));
        let bases: BTreeSet<&Reference> = bases.collect();
        match bases.is_empty() {
            true => error.hint(BRING),
            false => bases.into_iter().fold(error, unasked),
        }
    }

    fn has_source(&self, blob: &Descriptor) -> bool {
        self.parcel.origins.contains_key(&blob.digest)
            || self.parcel.stores.iter().any(|store| store.holds(blob))
    }

    /// The largest first: they take longest.
    fn each_once(&self) -> Vec<Descriptor> {
        let mut seen = BTreeSet::new();
        let mut blobs = self.parcel.blobs.clone();
        blobs.retain(|blob| seen.insert(blob.digest));
        blobs.sort_by_key(|blob| std::cmp::Reverse(blob.size));
        blobs
    }

    pub(super) fn send_blobs(&self, known: &BTreeSet<Digest>) -> Result<(), Error> {
        self.registry.together(&self.each_once(), async |blob| {
            let is_known = known.contains(&blob.digest);
            self.bring(blob, is_known).await
        })
    }

    /// Sends what was only taken to be there, and what was mounted.
    pub(super) fn send_blobs_again(&self) -> Result<(), Error> {
        let ways = self.ways.lock().expect("nobody panics with it").clone();
        let is_sent =
            |blob: &Descriptor| matches!(ways.get(&blob.digest), Some((Way::Uploaded, _)));
        let mut blobs = self.each_once();
        blobs.retain(|blob| !is_sent(blob) && self.has_source(blob));
        self.registry.together(&blobs, async |blob| {
            let transfer = self
                .client
                .listeners
                .transfers
                .begin(label("push", &blob.digest), blob.size);
            let way = self.upload((blob, &transfer), None).await?;
            self.record(blob, way);
            transfer.end("pushed");
            Ok(())
        })
    }

    async fn bring(&self, blob: &Descriptor, is_known: bool) -> Result<(), Error> {
        let transfer = self
            .client
            .listeners
            .transfers
            .begin(label("push", &blob.digest), blob.size);
        let begun = match is_known {
            true => Begun::There(Way::Present),
            false => self.begin_cheaply(blob).await?,
        };
        let way = match begun {
            Begun::There(way) => way,
            Begun::Session(url) => self.upload((blob, &transfer), url).await?,
        };
        self.record(blob, way);
        transfer.end(match way {
            Way::Uploaded | Way::Doubtful => "pushed",
            Way::Mounted => "mounted",
            Way::Present => "there already",
        });
        Ok(())
    }

    /// Avoids that bytes travel, with one request; with a look where a mount was not understood.
    async fn begin_cheaply(&self, blob: &Descriptor) -> Result<Begun<Way>, Error> {
        let (own, may_mount) = (&self.target.name, self.no_own_mounts.get().is_none());
        let begun = match self.neighbour(blob) {
            Some(from) if from.repository != *own => {
                self.mount(blob, &from.repository, Way::Mounted).await?
            }
            None if may_mount && blob.size <= ASKED_FOR => {
                self.mount(blob, own, Way::Present).await?
            }
            _ => Begun::Session(None),
        };
        let mut patience = self.client.transport.patience();
        match begun {
            Begun::Session(None) if self.is_there(blob, &mut patience).await? => {
                Ok(Begun::There(Way::Present))
            }
            begun => Ok(begun),
        }
    }

    /// The repository of the same registry that has the blob.
    fn neighbour(&self, blob: &Descriptor) -> Option<&Reference> {
        let origin = self.parcel.origins.get(&blob.digest)?;
        (origin.registry == self.parcel.repository.registry).then_some(origin)
    }

    fn record(&self, blob: &Descriptor, way: Way) {
        let mut ways = self.ways.lock().expect("nobody panics with it");
        ways.insert(blob.digest, (way, blob.size));
    }

    pub(super) fn sent(&self) -> Sent {
        let mut sent = Sent::default();
        for (way, size) in self.ways.lock().expect("nobody panics with it").values() {
            match way {
                Way::Uploaded | Way::Doubtful => {
                    sent.uploaded += 1;
                    sent.bytes += size;
                }
                Way::Mounted => sent.mounted += 1,
                Way::Present => sent.present += 1,
            }
        }
        sent
    }

    pub(super) fn nothing_to_send(&self) {
        self.parcel
            .blobs
            .iter()
            .for_each(|blob| self.record(blob, Way::Present));
    }

    /// Whether the target has a blob.
    pub(super) async fn is_there(
        &self,
        blob: &Descriptor,
        patience: &mut Patience,
    ) -> Result<bool, Error> {
        let place = (&self.target, self.access.clone());
        self.client.has(place, blob, patience).await
    }
}

/// An image says that its base is elsewhere; only the user says that our credentials may be shown there.
fn unasked(error: Error, base: &Reference) -> Error {
    error
        .because(format!(
            "the image names the base `{base}`, in a registry that you did not name: it is not asked"
        ))
        .hint(format!(
            "if you trust it, bring its layers first: `rbuild cache warm --layers {base}`"
        ))
}
