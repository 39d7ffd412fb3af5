//! Serves the test registry without faults: `cargo run --example test-registry -- 127.0.0.1:5000`.
//!
//! For other clients, and for the conformance suite of the specification. A second argument `sparse` lets manifests speak of what
//! is not there, which registries may refuse. It ends when it is killed.

mod test_registry;

use std::io::Write;

use test_registry::{Options, TestRegistry};

fn main() {
    let registry = TestRegistry::with(Options {
        address: std::env::args().nth(1),
        sparse: std::env::args().nth(2).as_deref() == Some("sparse"),
        ..Options::default()
    });
    writeln!(std::io::stdout(), "{}", registry.origin()).expect("somebody reads");
    loop {
        std::thread::park();
    }
}
