//! An image into a repository: blobs, then manifests, the index, and the tags last.
//!
//! What a push costs, in requests: each tag is asked for (1), and nothing follows when it means the image already. Else:
//! - Blobs that the tag's present image refers to are there (0); its manifest comes from a store, or is asked for where that can
//!   save more than it costs, when an image has more than three blobs as a rule.
//! - A blob with an origin in the same registry is mounted (1).
//! - Any other is begun with a mount from the repository itself, which says in one request whether it is there (1) and begins the
//!   upload if it is not (2). One larger than 4 MiB is asked for first (1, or 3), since not every registry mounts, and so is any
//!   whose mount was refused.
//! - Each manifest is one, and each further tag is one.
//!
//! A tag is never moved before all that it needs is there. Shortcuts may be wrong: when the registry misses something, all that
//! was not sent is sent, once. Nothing is pushed to a mirror, nor is one asked what is there; a base layer that is streamed from its
//! registry to here may come from one, as in a pull.

mod blobs;
mod feed;
mod known;
mod manifests;
mod sessions;
mod upload;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock};

use crate::digest::{Descriptor, Digest};
use crate::reference::Reference;
use crate::registry::auth::Access;
use crate::registry::client::Client;
use crate::registry::endpoint::Repository;
use crate::registry::pull::look;
use crate::registry::push::blobs::Way;
use crate::registry::push::sessions::Sessions;
use crate::registry::{Cause, Error, Registry};
use crate::store::Store;

/// Where blobs that no store here holds can be mounted or streamed from, by digest.
pub(crate) type Origins = BTreeMap<Digest, Reference>;

/// What is pushed.
pub(crate) struct Parcel<'a> {
    /// Registry and repository; tag and digest are not looked at.
    pub(crate) repository: Reference,
    /// Layers and configs, each once.
    pub(crate) blobs: Vec<Descriptor>,
    /// Manifests by digest, children before the index that lists them; the last one is what the tags will mean.
    pub(crate) manifests: Vec<Descriptor>,
    /// At least one, unless the image is to be found by digest alone.
    pub(crate) tags: Vec<String>,
    /// The stores that hold blobs and manifests, in the order in which they are asked.
    pub(crate) stores: &'a [Store],
    pub(crate) origins: Origins,
    /// Where blobs may be too, in registries that nobody named: for an error alone, never asked.
    pub(crate) unasked: Origins,
}

/// What a push came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Bytes of blobs that travelled.
    pub(crate) bytes: u64,
    pub(crate) uploaded: usize,
    pub(crate) mounted: usize,
    /// Blobs that were there already, all of them when nothing changed.
    pub(crate) present: usize,
}

impl Registry {
    /// Pushes one image.
    pub(crate) fn push(&self, parcel: &Parcel<'_>) -> Result<Sent, Error> {
        let target = Repository::origin(&parcel.repository);
        let push = Push {
            registry: self,
            client: self.client(),
            parcel,
            access: access(self.client(), parcel, &target),
            target,
            sessions: Sessions::default(),
            ways: Mutex::default(),
            healed: OnceLock::new(),
            no_own_mounts: OnceLock::new(),
        };
        let result = push.carry_out();
        push.end_sessions();
        result
    }
}

/// What is asked for from the start: where the password is known to be right, the source of a mount too, so that one token serves.
fn access(client: &Client, parcel: &Parcel<'_>, target: &Repository) -> Access {
    let mut origins = parcel.origins.values().map(Repository::origin);
    let source = origins.find(|one| one.endpoint == target.endpoint && one.name != target.name);
    match source {
        Some(source) if client.keeper.is_proven(target) => Access::PushFrom(source.name),
        _ => Access::Push,
    }
}

/// One push on its way.
struct Push<'a> {
    registry: &'a Registry,
    client: &'a Client,
    parcel: &'a Parcel<'a>,
    target: Repository,
    access: Access,
    sessions: Sessions,
    /// How each blob came to be there, and its size.
    ways: Mutex<BTreeMap<Digest, (Way, u64)>>,
    /// Set once everything was sent again.
    healed: OnceLock<()>,
    /// Set once the registry refused a mount from the repository itself.
    no_own_mounts: OnceLock<()>,
}

/// What the names of the image mean before the push.
#[derive(Default)]
struct Before {
    /// Names that mean something else, or nothing.
    to_move: Vec<String>,
    /// Whether one of them means the image.
    is_there: bool,
    /// Another image that one of them means.
    other: Option<Digest>,
}

impl Push<'_> {
    fn carry_out(&self) -> Result<Sent, Error> {
        let Some(root) = self.parcel.manifests.last() else {
            return Ok(Sent::default());
        };
        self.refuse_large()?;
        let before = self.registry.wait(self.before(root))?;
        match before.is_there {
            true => self.nothing_to_send(),
            false => self.send_all(root, before.other)?,
        }
        self.move_tags(root, &before.to_move)?;
        Ok(self.sent())
    }

    /// Everything that the root needs.
    fn send_all(&self, root: &Descriptor, other: Option<Digest>) -> Result<(), Error> {
        let mut known = match other {
            Some(other) => self.registry.wait(async { Ok(self.known(other).await) })?,
            None => BTreeSet::new(),
        };
        known.extend(self.find_the_rest(&known)?);
        self.send_blobs(&known)?;
        self.put_children(root, &known)
    }

    async fn before(&self, root: &Descriptor) -> Result<Before, Error> {
        let mut before = Before::default();
        for name in self.names(root) {
            match self.means(&name).await? {
                Some(digest) if digest == root.digest => before.is_there = true,
                digest => {
                    before.other = before.other.or(digest);
                    before.to_move.push(name);
                }
            }
        }
        Ok(before)
    }

    /// The names under which the root is put: its tags, or its digest.
    fn names(&self, root: &Descriptor) -> Vec<String> {
        match self.parcel.tags.is_empty() {
            true => vec![root.digest.to_string()],
            false => self.parcel.tags.clone(),
        }
    }

    /// What a name means now, as far as HEAD says: registries that let us push may still refuse to say.
    async fn means(&self, name: &str) -> Result<Option<Digest>, Error> {
        let ask = look::ask(
            (&self.target, self.access.clone()),
            reqwest::Method::HEAD,
            name,
        );
        let mut patience = self.client.transport.patience();
        match self.client.send(&ask, &mut patience).await {
            Ok(response) => Ok(look::digest(&response).filter(|_| response.status() == 200)),
            Err(error) => {
                let client = &self.client;
                client.unless_shut_out(&self.target, error, None).await
            }
        }
    }

    /// The first store that has a document gives it.
    fn document(&self, manifest: &Descriptor) -> Result<Vec<u8>, Error> {
        for store in self.parcel.stores {
            if let Some(bytes) = store.document(&manifest.digest, Some(manifest.size))? {
                return Ok(bytes);
            }
        }
        let message = format!("manifest {} is not on this machine", manifest.digest);
        Err(Error::new(Cause::Missing, message).hint("build the image again"))
    }
}
