//! Which blobs a repository lacks: asked before anything is made that would go there.
//!
//! One HEAD for each, to the registry itself; mirrors have no say in what can be pushed. Nothing is sent.

use std::sync::Mutex;

use reqwest::Method;

use crate::digest::Descriptor;
use crate::reference::Reference;
use crate::registry::auth::Access;
use crate::registry::client::{Ask, Client, Target};
use crate::registry::endpoint::Repository;
use crate::registry::{Cause, Error, Registry};

impl Registry {
    /// Those of `blobs` that `repository` does not have, in any order. Tag and digest of the reference are not looked at.
    pub(crate) fn lacks(
        &self,
        repository: &Reference,
        blobs: &[Descriptor],
    ) -> Result<Vec<Descriptor>, Error> {
        let place = Repository::origin(repository);
        let lacking = Mutex::new(Vec::new());
        self.together(blobs, async |blob| {
            if !has(self.client(), &place, blob).await? {
                let mut lacking = lacking.lock().expect("nobody panics with it");
                lacking.push(blob.clone());
            }
            Ok(())
        })?;
        Ok(lacking.into_inner().expect("nobody panics with it"))
    }
}

/// Asked with the right to push, as the push will be.
async fn has(client: &Client, place: &Repository, blob: &Descriptor) -> Result<bool, Error> {
    let ask = Ask {
        repository: place,
        access: Access::Push,
        method: Method::HEAD,
        target: Target::Path(format!("blobs/{}", blob.digest)),
        headers: Vec::new(),
        body: None,
    };
    match client.send(&ask, &mut client.transport.patience()).await {
        Ok(response) => Ok(response.status() == 200),
        // Some registries refuse HEAD of blobs to those who may push them.
        Err(error) if error.cause == Cause::Unauthorized => Ok(false),
        Err(error) => Err(error),
    }
}
