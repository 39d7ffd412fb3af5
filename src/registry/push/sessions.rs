//! Upload sessions: begun by POST, or by a mount that was not to be; ended by DELETE when nobody goes on with them.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use reqwest::{Method, Url};

use crate::digest::Descriptor;
use crate::registry::Error;
use crate::registry::auth::Access;
use crate::registry::client::{Ask, Target};
use crate::registry::origin::Origin;
use crate::registry::patience::Patience;
use crate::registry::push::Push;
use crate::registry::transport::Response;

/// How long a push that is over bothers about what it left behind.
const FAREWELL: Duration = Duration::from_secs(2);

pub(super) const CREATE: &str = "create the repository first; ECR does not create it on push";

const READ_ONLY: &str =
    "it takes no images: it is read-only for now, or pulls through from a registry that does";

/// Where sessions lie that were begun and not ended.
#[derive(Default)]
pub(super) struct Sessions(Mutex<BTreeSet<String>>);

impl Sessions {
    fn begun(&self, url: &Url) {
        self.0
            .lock()
            .expect("nobody panics with it")
            .insert(url.to_string());
    }

    pub(super) fn ended(&self, url: &Url) {
        self.0
            .lock()
            .expect("nobody panics with it")
            .remove(url.as_str());
    }

    /// The same session, at another place; one that we would not end stays so.
    pub(super) fn moved(&self, from: &Url, to: &Url) {
        self.ended(from);
        if Origin::of(from) == Origin::of(to) {
            self.begun(to);
        }
    }

    fn take(&self) -> Vec<Url> {
        let urls = std::mem::take(&mut *self.0.lock().expect("nobody panics with it"));
        urls.iter().filter_map(|url| Url::parse(url).ok()).collect()
    }
}

/// What a question came to.
pub(super) enum Begun<T> {
    There(T),
    /// Bytes have to travel; into that session, if there is one already.
    Session(Option<Url>),
}

impl Push<'_> {
    /// Mounts a blob from a repository of the same registry. Whatever is not understood is as if it were not there.
    pub(super) async fn mount<T>(
        &self,
        blob: &Descriptor,
        from: &str,
        there: T,
    ) -> Result<Begun<T>, Error> {
        let is_own = from == self.target.name;
        let access = match is_own {
            true => self.access.clone(),
            false => Access::PushFrom(from.to_owned()),
        };
        if self.client.keeper.is_curbed(&self.target, &access).await {
            return Ok(Begun::Session(None));
        }
        let ask = self.post(access, &format!("?mount={}&from={from}", blob.digest));
        let answer = self.client.send(&ask, &mut Patience::once()).await;
        Ok(match answer {
            Ok(answer) if answer.status() == 201 => Begun::There(there),
            Ok(answer) if answer.status() == 202 => Begun::Session(self.session(&answer).ok()),
            Ok(answer) if is_own && matches!(answer.status(), 400..500) => {
                let _ = self.no_own_mounts.set(());
                Begun::Session(None)
            }
            _ => Begun::Session(None),
        })
    }

    /// Begins a session.
    pub(super) async fn begin(&self, patience: &mut Patience) -> Result<Url, Error> {
        let ask = self.post(self.access.clone(), "");
        let answer = self.client.send(&ask, patience).await?;
        match answer.status() {
            202 => self.session(&answer),
            _ => Err(self.refused_to_begin(answer).await),
        }
    }

    fn session(&self, answer: &Response) -> Result<Url, Error> {
        let url = answer.location()?;
        // Elsewhere a DELETE would be a request of the registry's choice to somebody else.
        if Origin::of(&url) == Origin::of(&answer.url) {
            self.sessions.begun(&url);
        }
        Ok(url)
    }

    fn post(&self, access: Access, query: &str) -> Ask<'_> {
        Ask {
            repository: &self.target,
            access,
            method: Method::POST,
            target: Target::Path(format!("blobs/uploads/{query}")),
            headers: Vec::new(),
            body: Some(Bytes::new()),
        }
    }

    async fn refused_to_begin(&self, answer: Response) -> Error {
        let name = self.parcel.repository.name();
        let status = answer.status();
        let doing = format!("cannot begin an upload to `{name}`");
        let error = self.client.refusal(&self.target, answer, &doing).await;
        match status {
            404 => error.hint(CREATE),
            405 => error.hint(READ_ONLY),
            _ => error,
        }
    }

    /// Ends what was begun and not finished, as well as that goes, also after a signal.
    pub(super) fn end_sessions(&self) {
        let sessions = self.sessions.take();
        if sessions.is_empty() {
            return;
        }
        let all = join_all(sessions.into_iter().map(|url| self.end(url)));
        let farewell = async { tokio::time::timeout(FAREWELL, all).await };
        let _ = self.registry.runtime().map(|it| it.block_on(farewell));
    }

    async fn end(&self, url: Url) {
        let ask = Ask {
            repository: &self.target,
            access: self.access.clone(),
            method: Method::DELETE,
            target: Target::Url(url),
            headers: Vec::new(),
            body: None,
        };
        let _ = self.client.send(&ask, &mut Patience::once()).await;
    }
}
