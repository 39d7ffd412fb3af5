//! Who we are to a registry: from a challenge and the user's credentials to a value for `Authorization`.

use crate::registry::Listeners;
use crate::registry::endpoint::Repository;
use crate::registry::error::Error;
use crate::registry::patience::Patience;
use crate::registry::settings::Settings;
use crate::registry::transport::{Response, Secret, Transport};

/// What a request needs to be allowed to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Pull,
    Push,
    /// Push, and pull from another repository of the same registry: a mount.
    PushFrom(String),
}

/// What we were given so far, by registry and access.
pub(super) struct Keeper;

impl Keeper {
    pub(super) fn new(_settings: &Settings, _listeners: &Listeners) -> Keeper {
        Keeper
    }

    /// What goes with a request to `repository` as far as it is known already; no request is made unless a token has run out.
    pub(super) async fn secret(
        &self,
        _repository: &Repository,
        _access: &Access,
        _transport: &Transport,
    ) -> Result<Option<Secret>, Error> {
        Ok(None)
    }

    /// What to send after a 401: `Some` if it is worth another try, an error that says who we were otherwise.
    /// `sent` is what the refused request carried.
    pub(super) async fn answer(
        &self,
        (_repository, _access): (&Repository, &Access),
        _sent: Option<&Secret>,
        refused: Response,
        (_transport, _patience): (&Transport, &mut Patience),
    ) -> Result<Secret, Error> {
        Err(refused.refused("asked who we are").await)
    }
}
