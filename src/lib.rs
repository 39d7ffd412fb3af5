//! rbuild: Rust programs into OCI container images, without Docker, a daemon or privileges, and without a network where it can.
//!
//! A straight line: `cli` reads a request, `build` surveys, `plan` decides, then compile, layer, image, publish. The modules below
//! stand on floors; each names only modules on a strictly lower floor (`tests/floors.rs`). `docs/architecture.md` is the map.

mod base;
mod build;
mod buildcache;
mod bundle;
mod cache;
mod cli;
mod compile;
mod config;
mod contents;
mod digest;
mod fault;
mod image;
mod interrupt;
mod json;
mod layer;
mod media;
mod network;
mod notes;
mod outfile;
mod plan;
mod platform;
mod process;
mod progress;
mod publish;
mod reference;
mod registry;
mod store;
#[cfg(test)]
mod testing;
mod timestamp;
mod toolchain;
mod words;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program; `arguments` begin with the program's own name.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    cli::run(arguments)
}
