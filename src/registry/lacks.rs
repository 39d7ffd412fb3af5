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
use crate::registry::patience::Patience;
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
            let client = self.client();
            let mut patience = client.transport.patience();
            let asked = (&place, Access::Push);
            if !client.has(asked, blob, &mut patience).await? {
                let mut lacking = lacking.lock().expect("nobody panics with it");
                lacking.push(blob.clone());
            }
            Ok(())
        })?;
        Ok(lacking.into_inner().expect("nobody panics with it"))
    }
}

impl Client {
    /// Whether a repository has a blob; an answer that does not say yes is no.
    pub(super) async fn has(
        &self,
        (place, access): (&Repository, Access),
        blob: &Descriptor,
        patience: &mut Patience,
    ) -> Result<bool, Error> {
        let ask = Ask {
            repository: place,
            access,
            method: Method::HEAD,
            target: Target::Path(format!("blobs/{}", blob.digest)),
            headers: Vec::new(),
            body: None,
        };
        match self.send(&ask, patience).await {
            Ok(response) => Ok(response.status() == 200),
            // Some registries refuse HEAD of blobs to those who may push them.
            Err(error) if error.cause == Cause::Denied => Ok(false),
            Err(error) => self.unless_shut_out(place, error, false).await,
        }
    }

    /// `unknown` where a registry that may let us push merely does not say: who is refused altogether asks nothing more.
    pub(super) async fn unless_shut_out<T>(
        &self,
        place: &Repository,
        error: Error,
        unknown: T,
    ) -> Result<T, Error> {
        match error.cause {
            Cause::Unauthorized if !self.keeper.is_shut_out(place).await => Ok(unknown),
            _ => Err(error),
        }
    }
}
