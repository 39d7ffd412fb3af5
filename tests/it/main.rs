//! The tests of the binary, one program for all of them.
//!
//! Files whose names begin with `peers_` need real peers; their tests are ignored unless asked for, and `.ci/run` asks.

mod bases_online;
mod build;
mod cache_faults;
mod cache_warm;
mod clients;
mod crowd;
mod engines;
mod feed;
mod front;
mod hostile;
mod hostile_origins;
mod hostile_stage;
mod internet;
mod login;
mod mutations;
mod offline;
mod peers_air_gap;
mod peers_crane;
mod peers_kill;
mod peers_ko;
mod peers_large;
mod peers_login;
mod peers_mounts;
mod peers_pull;
mod peers_registries;
mod peers_reproducible;
mod peers_run;
mod peers_skopeo;
mod peers_strace;
mod peers_test_registry;
mod peers_tls;
mod peers_valid;
mod push;
mod push_earlier;
mod push_stopped;
mod registry;
mod registry_attacks;
mod registry_config;
mod registry_faults_auth;
mod registry_faults_cache;
mod registry_faults_pull;
mod registry_faults_push;
mod registry_faults_way;
mod registry_tokens;
mod secrets;
mod served;
mod signals;
mod strange_layouts;
mod support;
mod talk;
mod test_registry_auth;
mod test_registry_behaves;
mod test_registry_faults;
mod warm;

#[path = "../support/test_registry/mod.rs"]
mod test_registry;
