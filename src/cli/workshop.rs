//! The doors that a command opens before it plans as a build does: configuration, cache, registries.

use std::time::Duration;

use anyhow::Result;

use crate::base::lock::Lock;
use crate::build::Tools;
use crate::cli::build::{build_store, configuration, lock_place, start};
use crate::cli::registries;
use crate::cli::registry_arguments::RegistryArguments;
use crate::cli::stores;
use crate::cli::world::World;
use crate::config::Config;
use crate::notes::Notes;
use crate::plan::request::Request;
use crate::registry::{Listeners, Registry};
use crate::store::Store;

/// What [`Tools`] are lent from.
pub(crate) struct Workshop<'a> {
    pub(crate) config: Config,
    lock: Option<Lock>,
    cache: Store,
    store: Store,
    /// Goes away with the run, where the cache cannot be written.
    _temporary: Option<tempfile::TempDir>,
    registry: Option<Registry>,
    notes: Notes,
    elapsed: Box<dyn Fn() -> Duration + Sync + 'a>,
}

impl<'a> Workshop<'a> {
    pub(crate) fn open(
        request: &Request,
        (arguments, world): (&RegistryArguments, &'a World),
        listeners: &Listeners,
    ) -> Result<Workshop<'a>> {
        let notes = &listeners.notes;
        let config = configuration(request, world)?;
        let lock = Lock::read(&lock_place(&config, &start(request, world)))?;
        let cache = stores::open(stores::IMG, world, notes)?;
        let (store, temporary) = build_store(world, notes)?;
        let settings = registries::settings(arguments, &config, world)?;
        Ok(Workshop {
            config,
            lock,
            cache,
            store,
            _temporary: temporary,
            registry: registries::connect(request.network, settings, listeners),
            notes: notes.clone(),
            elapsed: Box::new(|| world.started.elapsed()),
        })
    }

    pub(crate) fn tools(&'a self, world: &'a World) -> Tools<'a> {
        Tools {
            cache: &self.cache,
            store: &self.store,
            registry: self.registry.as_ref(),
            notes: &self.notes,
            environment: &world.environment,
            now: world.now,
            lock: self.lock.as_ref(),
            elapsed: &*self.elapsed,
        }
    }
}
