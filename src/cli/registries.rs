//! From flags, configuration and environment to the registries that a run may talk to.
//!
//! Nothing is opened here: a run without a request to a registry never starts a client.

use crate::cli::world::World;
use crate::config::Config;
use crate::network::Network;
use crate::notes::Notes;
use crate::progress::Transfers;
use crate::registry::{Listeners, Registry, Settings};

/// How many blobs travel at once.
const PARALLEL: usize = 4;

/// Registries, unless the run is offline.
pub(crate) fn connect(
    network: Option<Network>,
    config: &Config,
    (world, notes): (&World, &Notes),
) -> Option<Registry> {
    let listeners = Listeners {
        notes: notes.clone(),
        transfers: Transfers::unwatched(),
    };
    Some(Registry::connect(
        network?,
        settings(config, world),
        listeners,
    ))
}

fn settings(_config: &Config, world: &World) -> Settings {
    Settings {
        environment: world.environment.clone(),
        parallel: PARALLEL,
        ..Settings::default()
    }
}
