//! The speed of the main job, as ratios within one run: rbuild against cargo alone and against real ko.
//!
//! `cargo bench` makes its worlds, runs everything interleaved, prints medians with their limits and fails when one does not hold.
//! `cargo bench -- --quick` takes fewer rounds. Never compare figures of two runs: a busy machine is slow for everyone.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a bench starts the programs that it measures and a registry for one of them, and prints what it found"
)]

#[path = "../stopwatch/call.rs"]
mod call;
mod go_world;
#[path = "../stopwatch/measure.rs"]
mod measure;
mod rust_world;
#[path = "../stopwatch/table.rs"]
mod table;

use std::path::Path;
use std::process::ExitCode;

use crate::go_world::GoWorld;
use crate::measure::{Rounds, beyond, median};
use crate::rust_world::RustWorld;
use crate::table::Table;

const MILLION: usize = 1_000_000;

/// The size of the large programs: this much machine code lies in each.
const LARGE: usize = 100 * MILLION;

fn main() -> ExitCode {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let rounds = if quick { 5 } else { 20 };
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory");
    let mut table = Table::default();
    println!("medians of {rounds} rounds, milliseconds");
    let go = GoWorld::prepare(place.path());
    if let Err(why) = &go {
        println!("nothing is compared with ko: {why}");
    }
    let go = go.as_ref().ok();
    unchanged(place.path(), go, rounds, &mut table);
    large(place.path(), go, rounds, &mut table);
    // Not `exit`: what is dropped here ends the registry and removes the worlds.
    ExitCode::from(u8::from(!table.holds()))
}

/// (a) Nothing changed since the last build.
fn unchanged(place: &Path, go: Option<&GoWorld>, rounds: usize, table: &mut Table) {
    let hello = RustWorld::hello(&place.join("hello"));
    let mut seen = Rounds::default();
    for _ in 0..rounds {
        seen.add("cargo metadata", hello.metadata().time());
        seen.add("cargo build", hello.cargo().time());
        seen.add("rbuild", hello.rbuild().time());
        if let Some(go) = go {
            seen.add("rbuild, ko's base", hello.rbuild_on(go).time());
            seen.add("ko", go.small.ko().time());
        }
    }
    table.section("nothing changed, a small program", &seen);
    let over = beyond(
        seen.of("rbuild"),
        &[seen.of("cargo metadata"), seen.of("cargo build")],
    );
    table.at_most("milliseconds above cargo", median(&over), 15.0);
    let children = hello.rbuild().children();
    table.at_most("direct child processes", children as f64, 3.0);
    if go.is_some() {
        let share = median(seen.of("rbuild, ko's base")) / median(seen.of("ko"));
        table.at_most("time as a share of ko's", share, 0.5);
    }
}

/// (b) and (c): a binary of 100 MB, its layer made, and then remembered.
fn large(place: &Path, go: Option<&GoWorld>, rounds: usize, table: &mut Table) {
    let code = rust_world::machine_code(LARGE);
    let rust = RustWorld::large(&place.join("large"), &code);
    let mut seen = Rounds::default();
    let go = go.map(|go| go.large(place, &code));
    for _ in 0..rounds {
        rust.forget_layers();
        seen.add("rbuild, first", rust.rbuild().time());
        seen.add("rbuild, again", rust.rbuild().time());
        seen.add("cargo metadata", rust.metadata().time());
        seen.add("cargo build", rust.cargo().time());
        if let Some(go) = &go {
            go.forget_layers();
            seen.add("ko, first", go.ko().time());
            seen.add("ko, again", go.ko().time());
        }
    }
    table.section("a program of 100 MB", &seen);
    let ours = beyond(seen.of("rbuild, first"), &[seen.of("rbuild, again")]);
    let (tar, blob) = rust.layer();
    println!("  rbuild's layer: {tar} bytes as {blob}");
    if let Some(go) = &go {
        let kos = beyond(seen.of("ko, first"), &[seen.of("ko, again")]);
        table.at_least(
            "speed of a new layer against ko's",
            median(&kos) / median(&ours),
            3.0,
        );
        let (ko_tar, ko_blob) = (go.binary_size(), go.layer());
        println!("  ko's layer: {ko_tar} bytes as {ko_blob}");
        let share = (blob as f64 / tar as f64) / (ko_blob as f64 / ko_tar as f64);
        table.at_most("compressed size against ko's", share, 1.0);
    }
    rust.forget_layers();
    let peak = rust.rbuild().peak_memory() as f64 / MILLION as f64;
    table.at_most("peak memory with a new layer, MB", peak, 64.0);
    let over = beyond(
        seen.of("rbuild, again"),
        &[seen.of("cargo metadata"), seen.of("cargo build")],
    );
    table.at_most("again: milliseconds above cargo", median(&over), 60.0);
}
