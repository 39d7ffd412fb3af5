//! How we stand with one repository: which way it wants to be asked, with whose credentials, and what it gave us so far.
//!
//! Held under one lock, so that a token is asked for once however many threads need it, and a wrong password is sent once.

use std::time::Instant;

use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::registry::auth::{Access, Means};
use crate::registry::credentials::Credential;
use crate::registry::endpoint::Repository;
use crate::registry::error::{Cause, Error};
use crate::registry::origin::Origin;
use crate::registry::scope::Scopes;
use crate::registry::token::{self, Counter, Token};
use crate::registry::transport::Secret;

pub(super) struct Standing {
    pub(super) repository: Repository,
    /// `None` until it has been looked up.
    pub(super) credential: Option<Option<Credential>>,
    /// Where the way was learnt; elsewhere it is unknown.
    origin: Option<Origin>,
    way: Option<Way>,
    /// What was refused for good, for some scopes or for all.
    refused: Vec<(Option<Scopes>, Error)>,
}

enum Way {
    /// The same value for every access; `accepted` once a request with it was not answered with 401.
    Header { value: HeaderValue, accepted: bool },
    Counter {
        counter: Counter,
        tokens: Vec<Token>,
    },
}

impl Standing {
    pub(super) fn new(repository: &Repository) -> Standing {
        Standing {
            repository: repository.clone(),
            credential: None,
            origin: None,
            way: None,
            refused: Vec::new(),
        }
    }

    /// Who we are here, if we are anybody.
    pub(super) fn credential(&self) -> Option<&Credential> {
        self.credential.as_ref()?.as_ref()
    }

    /// The error that an earlier try ended with.
    pub(super) fn verdict(&self, scopes: &Scopes) -> Option<Error> {
        let fits = |(refused, _): &&(Option<Scopes>, Error)| {
            refused.as_ref().is_none_or(|refused| refused == scopes)
        };
        self.refused
            .iter()
            .find(fits)
            .map(|(_, error)| error.clone())
    }

    /// What is asked for an access: without the source of a mount, once that was refused.
    pub(super) fn granted(&self, access: &Access) -> Scopes {
        let name = &self.repository.name;
        let all = Scopes::of(name, access);
        let is_refused = |(refused, _): &(Option<Scopes>, Error)| {
            refused.as_ref().is_some_and(|refused| refused.cover(&all))
        };
        match access {
            Access::PushFrom(_) if self.refused.iter().any(is_refused) => {
                Scopes::of(name, &Access::Push)
            }
            _ => all,
        }
    }

    /// Remembers an error, for some scopes or for all.
    pub(super) fn condemn(&mut self, scopes: Option<Scopes>, error: &Error) {
        self.refused.push((scopes, error.clone()));
    }

    /// Whether no access at all is worth another request.
    pub(super) fn is_shut_out(&self) -> bool {
        self.refused.iter().any(|(scopes, _)| scopes.is_none())
    }

    /// What is known for an access; a token that runs out is renewed, and one for a wider access asked for.
    pub(super) async fn secret(
        &mut self,
        (scopes, base): (&Scopes, &Url),
        means: &mut Means<'_>,
    ) -> Result<Option<Secret>, Error> {
        if self.origin != Origin::of(base) || self.verdict(scopes).is_some() {
            return Ok(None);
        }
        if let Some(secret) = self.known(scopes) {
            return Ok(Some(secret));
        }
        match &self.way {
            Some(Way::Counter { counter, tokens }) => {
                // What the registry once wanted beside it, it will want again.
                let before = tokens.iter().find(|token| token.asked.cover(scopes));
                let scopes = before.map_or(scopes, |token| &token.asked).clone();
                let counter = counter.clone();
                self.fetch((counter, base), scopes, means).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// What can be sent as it is.
    pub(super) fn known(&self, scopes: &Scopes) -> Option<Secret> {
        let value = match self.way.as_ref()? {
            Way::Header { value, .. } => value,
            Way::Counter { tokens, .. } => {
                let now = Instant::now();
                let fits = |token: &&Token| token.asked.cover(scopes) && !token.runs_out(now);
                &tokens.iter().find(fits)?.value
            }
        };
        Some(Secret {
            origin: self.origin.clone()?,
            value: value.clone(),
        })
    }

    /// What the token that was sent had been asked for, if it is one of ours.
    pub(super) fn asked(&self, sent: Option<&Secret>) -> Option<&Scopes> {
        let Some(Way::Counter { tokens, .. }) = &self.way else {
            return None;
        };
        let sent = tokens
            .iter()
            .find(|token| Some(&token.value) == sent.map(|one| &one.value));
        sent.map(|token| &token.asked)
    }

    /// Whether what was sent is the value that goes with every access, and whether it was ever accepted.
    pub(super) fn header_sent(&self, sent: Option<&Secret>) -> Option<bool> {
        match &self.way {
            Some(Way::Header { value, accepted })
                if sent.is_some_and(|one| one.value == *value) =>
            {
                Some(*accepted)
            }
            _ => None,
        }
    }

    pub(super) fn accept(&mut self) {
        if let Some(Way::Header { accepted, .. }) = &mut self.way {
            *accepted = true;
        }
    }

    /// From now on a credential goes with every request.
    pub(super) fn present(&mut self, credential: &Credential, base: &Url) -> Result<Secret, Error> {
        let secret = token::bound(base, credential.header().reveal())?;
        self.origin = Some(secret.origin.clone());
        self.way = Some(Way::Header {
            value: secret.value.clone(),
            accepted: false,
        });
        Ok(secret)
    }

    /// Asks for a token; the ones that it makes superfluous are dropped.
    pub(super) async fn fetch(
        &mut self,
        (counter, base): (Counter, &Url),
        scopes: Scopes,
        means: &mut Means<'_>,
    ) -> Result<Secret, Error> {
        let asked = counter
            .token(scopes.clone(), self.credential(), means)
            .await;
        let token = match asked {
            Ok(token) => token,
            Err(error) => return Err(self.disappointed(scopes, error)),
        };
        let mut tokens = match self.way.take() {
            Some(Way::Counter {
                counter: known,
                tokens,
            }) if known == counter => tokens,
            _ => Vec::new(),
        };
        tokens.retain(|known| !token.asked.cover(&known.asked));
        tokens.push(token.clone());
        self.way = Some(Way::Counter { counter, tokens });
        self.origin = Origin::of(base);
        token_secret(base, token)
    }

    /// A refusal is remembered: for every access as long as these credentials were never good for anything, unless it was about what
    /// was asked for.
    fn disappointed(&mut self, scopes: Scopes, error: Error) -> Error {
        match error.cause {
            Cause::Unauthorized => {
                let never =
                    self.credential().is_some() && self.way.is_none() && !scopes.are_several();
                self.condemn((!never).then_some(scopes), &error);
            }
            Cause::Denied => self.condemn(Some(scopes), &error),
            _ => (),
        }
        error
    }

    #[cfg(test)]
    pub(super) fn age(&mut self, by: std::time::Duration) {
        if let Some(Way::Counter { tokens, .. }) = &mut self.way {
            tokens.iter_mut().for_each(|token| token.age(by));
        }
    }
}

fn token_secret(base: &Url, token: Token) -> Result<Secret, Error> {
    let origin = Origin::of(base).ok_or_else(|| Error::new(Cause::Protocol, "no http URL"))?;
    Ok(Secret {
        origin,
        value: token.value,
    })
}
