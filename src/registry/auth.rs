//! Who we are to a registry: from a challenge and the user's credentials to a value for `Authorization`.
//!
//! Credentials are looked up by the registry's name, never by what an answer says, and only after the registry itself asked. A wrong
//! password is sent once. Who asks from another origin, after a redirect for instance, gets nothing.

#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use reqwest::Url;
use tokio::sync::{Mutex as Lock, OwnedMutexGuard};

use crate::registry::Listeners;
use crate::registry::auth::words::{nobody, rejected, stranger, whom};
use crate::registry::challenge::{self, Wanted};
use crate::registry::credentials::{Credential, Credentials};
use crate::registry::endpoint::Repository;
use crate::registry::error::{Cause, Error};
use crate::registry::origin::Origin;
use crate::registry::patience::Patience;
use crate::registry::realm;
use crate::registry::scope::Scopes;
use crate::registry::settings::Settings;
use crate::registry::standing::Standing;
use crate::registry::token::Counter;
use crate::registry::transport::{Request, Response, Secret, Transport};
use crate::registry::veil::Veil;

/// More answers to one request are never given: the second brought a scope that was new.
const ROUNDS: u32 = 2;

/// Registry and repository.
type Place = (String, String);

/// What a request needs to be allowed to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing but to be let in: a login.
    Enter,
    Pull,
    Push,
    /// Push, and pull from another repository of the same registry: a mount.
    PushFrom(String),
}

/// A transport, and what is left of patience with it.
pub(super) struct Means<'a> {
    pub(super) transport: &'a Transport,
    pub(super) patience: &'a mut Patience,
}

impl Means<'_> {
    pub(super) async fn send(&mut self, request: Request) -> Result<Response, Error> {
        self.transport.send(request, self.patience).await
    }
}

/// What we were given so far, by registry and repository.
pub(super) struct Keeper {
    credentials: Arc<Credentials>,
    /// Instead of what lies in files: a login that is tried.
    given: Option<Credential>,
    standings: Mutex<BTreeMap<Place, Arc<Lock<Standing>>>>,
    /// Registries whose tokens a credential of ours has brought.
    proven: Mutex<BTreeSet<String>>,
    /// Is told every secret before it is sent.
    veil: Veil,
}

/// A secret that is tried out; while nobody knows whether it is right, nobody else sends it.
pub(super) struct Trial {
    pub(super) secret: Secret,
    standing: Option<OwnedMutexGuard<Standing>>,
}

impl Trial {
    fn sure(secret: Secret) -> Trial {
        Trial {
            secret,
            standing: None,
        }
    }

    /// To be told what was answered. What comes from elsewhere, after a redirect, was asked without the secret and says nothing of it.
    pub(super) fn end(self, answer: &Response) -> Secret {
        let is_told_it = Origin::of(&answer.url).as_ref() == Some(&self.secret.origin);
        if let Some(mut standing) = self.standing.filter(|_| is_told_it) {
            match answer.status() {
                401 => {
                    let error = rejected(&standing);
                    standing.condemn(None, &error);
                }
                _ => standing.accept(),
            }
        }
        self.secret
    }
}

impl Keeper {
    pub(super) fn new(settings: &Settings, listeners: &Listeners, veil: &Veil) -> Keeper {
        Keeper {
            credentials: Arc::new(Credentials::new(settings, &listeners.notes)),
            given: None,
            standings: Mutex::default(),
            proven: Mutex::default(),
            veil: veil.clone(),
        }
    }

    /// A keeper that answers with one credential alone.
    pub(super) fn of(self, credential: Credential) -> Keeper {
        self.veil.learn(credential.words());
        Keeper {
            given: Some(credential),
            ..self
        }
    }

    pub(super) fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    /// What goes with a request to `repository` as far as it is known already. A request for a token is made only where the
    /// repository is known to want one: when it has run out, or was for less.
    pub(super) async fn secret(
        &self,
        (repository, access): (&Repository, &Access),
        means: &mut Means<'_>,
    ) -> Result<Option<Secret>, Error> {
        let Some(standing) = self.met(repository) else {
            return Ok(None);
        };
        let base = means.transport.base(&repository.endpoint.name).await?;
        let mut standing = standing.lock().await;
        let scopes = standing.granted(access);
        let secret = standing.secret((&scopes, &base), means).await?;
        self.veil.learn(secret.iter().flat_map(Secret::words));
        Ok(secret)
    }

    /// What to send after a 401, or an error that says who we were. `sent` is what the refused request carried, and `round` how
    /// often this was asked for the same request.
    pub(super) async fn answer(
        &self,
        (repository, access): (&Repository, &Access),
        (sent, round): (Option<&Secret>, u32),
        refused: &Response,
        means: &mut Means<'_>,
    ) -> Result<Trial, Error> {
        let base = means.transport.base(&repository.endpoint.name).await?;
        if Origin::of(&refused.url) != Origin::of(&base) {
            return Err(stranger(repository, &refused.url));
        }
        let wanted = understood(repository, refused)?;
        let mut standing = self.standing(repository).lock_owned().await;
        let own = standing.granted(access);
        let scopes = own.clone().with(wanted.scopes());
        if let Some(error) = standing.verdict(&scopes) {
            return Err(error);
        }
        let newer = |known: &Secret| round < ROUNDS && differs(known, sent);
        if let Some(known) = standing.known(&own).filter(newer) {
            return Ok(Trial::sure(known));
        }
        exhausted(&mut standing, (sent, round), &scopes)
            .map_err(|error| self.told(&standing, error))?;
        self.identify(&mut standing).await?;
        match (wanted, standing.credential().cloned()) {
            (_, Some(token @ Credential::Token(_))) => present(standing, &token, &base),
            (Wanted::Basic, Some(credential)) => present(standing, &credential, &base),
            (Wanted::Basic, None) => Err(self.unknown(repository)),
            (Wanted::Bearer { realm, service, .. }, _) => {
                let counter = Counter {
                    realm: realm::checked(&realm, &base)?,
                    service,
                    registry: repository.endpoint.name.clone(),
                };
                let place = (counter, &base);
                let secret = self
                    .fetch(&mut standing, place, (access, scopes), means)
                    .await;
                self.veil.learn(secret.iter().flat_map(Secret::words));
                secret
                    .map(Trial::sure)
                    .map_err(|error| self.told(&standing, error))
            }
        }
    }

    /// A token. For a mount, a password that nobody found right yet is shown for less first: a refusal of more would not say what is
    /// wrong. Who may not pull from the source may yet push.
    async fn fetch(
        &self,
        standing: &mut Standing,
        (counter, base): (Counter, &Url),
        (access, scopes): (&Access, Scopes),
        means: &mut Means<'_>,
    ) -> Result<Secret, Error> {
        let place = || (counter.clone(), base);
        if !matches!(access, Access::PushFrom(_)) {
            let secret = standing.fetch(place(), scopes, means).await?;
            self.prove(standing);
            return Ok(secret);
        }
        let less = Scopes::of(&standing.repository.name, &Access::Push);
        if !self.is_proven(&standing.repository) && standing.known(&less).is_none() {
            standing.fetch(place(), less.clone(), means).await?;
            self.prove(standing);
        }
        match standing.fetch(place(), scopes, means).await {
            Err(error) if standing.granted(access) != less => Err(error),
            Err(_) => match standing.known(&less) {
                Some(known) => Ok(known),
                None => standing.fetch(place(), less, means).await,
            },
            found => found,
        }
    }

    fn prove(&self, standing: &Standing) {
        if standing.credential().is_some() {
            let mut proven = self.proven.lock().expect("nobody panics inside");
            proven.insert(standing.repository.endpoint.name.clone());
        }
    }

    /// Whether a password of ours was found right by this registry.
    pub(super) fn is_proven(&self, repository: &Repository) -> bool {
        let proven = self.proven.lock().expect("nobody panics inside");
        proven.contains(&repository.endpoint.name)
    }

    /// Whether who we are was refused for whatever we may ask: nothing that follows can go better.
    pub(super) async fn is_shut_out(&self, repository: &Repository) -> bool {
        match self.met(repository) {
            Some(standing) => standing.lock().await.is_shut_out(),
            None => false,
        }
    }

    /// Whether an access was refused already, though less was not.
    pub(super) async fn is_curbed(&self, repository: &Repository, access: &Access) -> bool {
        match self.met(repository) {
            Some(standing) => {
                let all = Scopes::of(&repository.name, access);
                standing.lock().await.granted(access) != all
            }
            None => false,
        }
    }

    /// Looks up who we are, once.
    async fn identify(&self, standing: &mut Standing) -> Result<(), Error> {
        if standing.credential.is_some() {
            return Ok(());
        }
        if self.given.is_some() {
            standing.credential = Some(self.given.clone());
            return Ok(());
        }
        let credentials = Arc::clone(&self.credentials);
        let Repository { endpoint, name } = standing.repository.clone();
        let found =
            tokio::task::spawn_blocking(move || credentials.find(&endpoint.name, &name)).await;
        let found = found.map_err(|error| Error::new(Cause::Unauthorized, error.to_string()))?;
        let found = found.inspect_err(|error| standing.condemn(None, error))?;
        self.veil.learn(found.iter().flat_map(Credential::words));
        standing.credential = Some(found);
        Ok(())
    }

    /// Whether the registry ever wanted to know who we are.
    pub(super) fn was_asked(&self, repository: &Repository) -> bool {
        self.met(repository).is_some()
    }

    /// As whom we came, for an error.
    pub(super) async fn whom(&self, repository: &Repository) -> String {
        match self.met(repository) {
            Some(standing) => whom(&*standing.lock().await),
            None => "we did not say who we are".to_owned(),
        }
    }

    /// An error of somebody whom nobody knows says where credentials were looked for.
    fn told(&self, standing: &Standing, error: Error) -> Error {
        match standing.credential() {
            Some(_) => error,
            None => error.because(self.looked_in()),
        }
    }

    fn unknown(&self, repository: &Repository) -> Error {
        nobody(repository).because(self.looked_in())
    }

    fn looked_in(&self) -> String {
        let files = self.credentials.files();
        let shown: Vec<String> = files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        format!("credentials were looked for in {}", shown.join(", "))
    }

    fn met(&self, repository: &Repository) -> Option<Arc<Lock<Standing>>> {
        let standings = self.standings.lock().expect("nobody panics inside");
        standings.get(&key(repository)).cloned()
    }

    fn standing(&self, repository: &Repository) -> Arc<Lock<Standing>> {
        let mut standings = self.standings.lock().expect("nobody panics inside");
        let new = || Arc::new(Lock::new(Standing::new(repository)));
        Arc::clone(standings.entry(key(repository)).or_insert_with(new))
    }
}

fn key(repository: &Repository) -> Place {
    (repository.endpoint.name.clone(), repository.name.clone())
}

/// The challenge that we can answer.
fn understood(repository: &Repository, refused: &Response) -> Result<Wanted, Error> {
    let challenges = challenge::read(refused.inner.headers());
    let registry = &repository.endpoint.name;
    challenge::wanted(&challenges).map_err(|schemes| match schemes.as_slice() {
        [] => Error::new(
            Cause::Unauthorized,
            format!("`{registry}` refuses us and does not say what it wants to see"),
        )
        .because("its answer 401 has no `WWW-Authenticate` that could be understood"),
        schemes => Error::new(
            Cause::Unauthorized,
            format!("`{registry}` wants to be shown what rbuild does not know"),
        )
        .because(format!("it asks for: {}", schemes.join(", ")))
        .because("rbuild knows bearer and basic"),
    })
}

/// An error when nothing new could be sent.
fn exhausted(
    standing: &mut Standing,
    (sent, round): (Option<&Secret>, u32),
    scopes: &Scopes,
) -> Result<(), Error> {
    let asked = standing.asked(sent);
    let stale = round > 0 && asked.is_some_and(|asked| asked.cover(scopes));
    let header = standing.header_sent(sent);
    if !stale && round < ROUNDS && header.is_none() {
        return Ok(());
    }
    let error = rejected(standing);
    // One that was good before may be asked for too much now: that says nothing about the next access.
    if header == Some(false) {
        standing.condemn(None, &error);
    }
    Err(error)
}

fn present(
    mut standing: OwnedMutexGuard<Standing>,
    credential: &Credential,
    base: &Url,
) -> Result<Trial, Error> {
    let secret = standing.present(credential, base)?;
    Ok(Trial {
        secret,
        standing: Some(standing),
    })
}

fn differs(known: &Secret, sent: Option<&Secret>) -> bool {
    sent.is_none_or(|sent| sent.value != known.value || sent.origin != known.origin)
}

#[cfg(test)]
impl Keeper {
    /// As if all tokens had been received earlier.
    pub(super) async fn age(&self, repository: &Repository, by: std::time::Duration) {
        let standing = self.met(repository).expect("met before");
        standing.lock().await.age(by);
    }
}
