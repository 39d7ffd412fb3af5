//! The tests of the binary, one program for all of them.
//!
//! Files whose names begin with `peers_` need real peers; their tests are ignored unless asked for, and `.ci/run` asks.

mod bases_online;
mod build;
mod cache_faults;
mod cache_warm;
mod crowd;
mod engines;
mod feed;
mod hostile;
mod mutations;
mod offline;
mod peers_air_gap;
mod peers_crane;
mod peers_kill;
mod peers_ko;
mod peers_large;
mod peers_mounts;
mod peers_reproducible;
mod peers_run;
mod peers_skopeo;
mod peers_strace;
mod peers_valid;
mod registry;
mod served;
mod signals;
mod strange_layouts;
mod support;
mod test_registry_behaves;
mod warm;

#[path = "../support/test_registry/mod.rs"]
mod test_registry;
