//! What the tests of this room share.

use crate::network::Network;
use crate::notes::Notes;
use crate::progress::Transfers;
use crate::registry::{Listeners, Registry, Settings};

/// A client that moves `parallel` blobs at a time.
pub(super) fn registry(parallel: usize) -> Registry {
    with(Settings {
        parallel,
        ..Settings::default()
    })
}

pub(super) fn with(settings: Settings) -> Registry {
    let listeners = Listeners {
        notes: Notes::recorded(),
        transfers: Transfers::unwatched(),
    };
    let online = Network::unless(false).expect("online");
    Registry::connect(online, settings, listeners)
}
