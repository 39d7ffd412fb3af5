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

/// A secret that is tried out.
pub(super) struct Trial {
    pub(super) secret: Secret,
}

impl Trial {
    pub(super) fn end(self, _status: u16) -> Secret {
        self.secret
    }
}

impl Keeper {
    pub(super) fn new(_settings: &Settings, _listeners: &Listeners) -> Keeper {
        Keeper
    }

    pub(super) async fn secret(
        &self,
        _repository: &Repository,
        _access: &Access,
        _means: (&Transport, &mut Patience),
    ) -> Result<Option<Secret>, Error> {
        Ok(None)
    }

    pub(super) async fn answer(
        &self,
        (_repository, _access): (&Repository, &Access),
        _sent: (Option<&Secret>, u32),
        refused: Response,
        (_transport, _patience): (&Transport, &mut Patience),
    ) -> Result<Trial, Error> {
        Err(refused.refused("asked who we are").await)
    }

    pub(super) async fn renew(
        &self,
        (_repository, _access): (&Repository, &Access),
        _sent: Option<&Secret>,
        _refused: &Response,
        (_transport, _patience): (&Transport, &mut Patience),
    ) -> Result<(), Error> {
        Err(Error::new(
            crate::registry::error::Cause::Unauthorized,
            "asked who we are",
        ))
    }

    pub(super) async fn whom(&self, _repository: &Repository) -> String {
        "we came as nobody".to_owned()
    }
}
