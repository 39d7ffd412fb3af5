//! The door to registries: the only network, and the only room that is async.
//!
//! Outside it is plain functions: each waits for its answer on the caller's thread, so several threads make several requests at once.
//! Nothing is opened, read or started before the first request. No secret leaves this room, not even in a message.

mod auth;
mod challenge;
mod client;
mod credentials;
mod endpoint;
mod error;
mod flights;
mod inward;
mod lacks;
mod login;
mod mirrors;
mod origin;
mod patience;
mod pull;
mod push;
mod reading;
mod realm;
mod scope;
mod settings;
mod standing;
mod together;
mod token;
mod transport;
mod veil;

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::interrupt;
use crate::network::Network;
use crate::notes::Notes;
use crate::progress::Transfers;
use crate::registry::client::Client;
use crate::registry::flights::Flights;

pub(crate) use credentials::Hidden;
pub(crate) use error::{Cause, Error};
pub(crate) use login::{logout, registry_named};
pub(crate) use push::{Origins, Parcel, Sent};
pub(crate) use reading::Fetched;
pub(crate) use settings::{HostSettings, Mirror, Settings};

/// How often a waiting request looks whether the user asked to stop.
const GLANCE: Duration = Duration::from_millis(50);

/// Registries, as far as this run may talk to them; cheap to clone.
#[derive(Clone)]
pub(crate) struct Registry(Arc<Inner>);

struct Inner {
    client: Client,
    /// How many blobs travel at once.
    parallel: usize,
    flights: Flights,
    runtime: OnceLock<Result<Runtime, Error>>,
}

impl Drop for Inner {
    /// A name that is looked up in vain holds a thread for as long as the system likes; nobody waits for that.
    fn drop(&mut self) {
        if let Some(Ok(runtime)) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Whom to tell what happens.
#[derive(Clone, Debug)]
pub(crate) struct Listeners {
    pub(crate) notes: Notes,
    pub(crate) transfers: Transfers,
}

impl Registry {
    /// The one way to registries; opens nothing yet.
    pub(crate) fn connect(
        _permission: Network,
        settings: Settings,
        listeners: Listeners,
    ) -> Registry {
        Registry(Arc::new(Inner {
            parallel: settings.parallel.max(1),
            client: Client::new(settings, listeners),
            flights: Flights::default(),
            runtime: OnceLock::new(),
        }))
    }

    /// Runs one conversation to its end on this thread; a signal ends it. No error that comes out holds a secret.
    fn wait<T>(&self, conversation: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let ended = self.runtime()?.block_on(until(stopped(), conversation));
        ended.map_err(|error| self.client().veil.over_error(&error))
    }

    fn runtime(&self) -> Result<&Runtime, Error> {
        let started = self.0.runtime.get_or_init(start);
        started.as_ref().map_err(Clone::clone)
    }

    /// How many requests are to be made side by side.
    pub(crate) fn parallel(&self) -> usize {
        self.0.parallel
    }

    fn client(&self) -> &Client {
        &self.0.client
    }
}

fn start() -> Result<Runtime, Error> {
    let mut builder = Builder::new_multi_thread();
    let started = builder.worker_threads(2).enable_all().build();
    started.map_err(|error| {
        Error::new(
            Cause::Settings,
            "cannot start threads to speak to registries",
        )
        .because(error.to_string())
        .hint("see `ulimit -u` and `ulimit -n`")
    })
}

/// What a conversation comes to, unless it is to stop before that.
async fn until<T>(
    stopped: impl Future<Output = Error>,
    conversation: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::select! {
        biased;
        result = conversation => result,
        stopped = stopped => Err(stopped),
    }
}

async fn stopped() -> Error {
    loop {
        if let Err(error) = interrupt::check() {
            return Error::new(Cause::Stopped, error.to_string());
        }
        tokio::time::sleep(GLANCE).await;
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Registry")
    }
}
