//! What is said when a registry does not let us in: as whom we came, who asked, and what would mend it.
//!
//! Words only: nothing is decided here, and no secret is in them.

use reqwest::Url;

use crate::registry::endpoint::Repository;
use crate::registry::error::{Cause, Error};
use crate::registry::origin::Origin;
use crate::registry::standing::Standing;

/// Somebody else than the registry asks who we are.
pub(super) fn stranger(repository: &Repository, url: &Url) -> Error {
    let registry = &repository.endpoint.name;
    let place = Origin::of(url).map_or("another place".to_owned(), |origin| format!("`{origin}`"));
    Error::new(
        Cause::Unauthorized,
        format!("{place} wants to know who we are"),
    )
    .because(format!(
        "`{registry}` sent us there, and credentials are for `{registry}` alone"
    ))
}

/// What was sent is not good enough.
pub(super) fn rejected(standing: &Standing) -> Error {
    let Repository { endpoint, name } = &standing.repository;
    let registry = &endpoint.name;
    match standing.credential() {
        None => nobody(&standing.repository),
        Some(credential) => {
            let message = format!("`{registry}` does not let {} in", credential.shown());
            let error = Error::new(Cause::Unauthorized, message)
                .hint(format!("`rbuild login {registry}` as somebody who may"));
            match name.as_str() {
                "" => error,
                name => error.because(format!("it was asked for `{name}`")),
            }
        }
    }
}

pub(super) fn nobody(repository: &Repository) -> Error {
    let registry = &repository.endpoint.name;
    Error::new(
        Cause::Unauthorized,
        format!("`{registry}` wants to know who we are, and there are no credentials for it"),
    )
    .hint(format!("`rbuild login {registry}`"))
}

pub(super) fn whom(standing: &Standing) -> String {
    match &standing.credential {
        Some(Some(credential)) => format!("we came as {}", credential.shown()),
        Some(None) => format!(
            "we came as nobody: there are no credentials for `{}`",
            standing.repository.endpoint.name
        ),
        None => "we did not say who we are".to_owned(),
    }
}
