//! The tests of the binary, one program for all of them.
//!
//! Files whose names begin with `peers_` need real peers; their tests are ignored unless asked for, and `.ci/run` asks.

mod build;
mod support;
