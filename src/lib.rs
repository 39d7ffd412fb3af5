//! rbuild: Rust programs into OCI container images.
//!
//! The modules, floor by floor; a module names only modules on a strictly lower floor (held by `tests/floors.rs`).

mod base;
mod buildcache;
mod compile;
mod config;
mod digest;
mod fault;
mod interrupt;
mod json;
mod layer;
mod media;
mod network;
mod notes;
mod platform;
mod process;
mod reference;
mod store;
mod toolchain;
mod workspace;
