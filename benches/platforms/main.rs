//! The price of several platforms, as ratios within one run: four programs for two platforms by one rbuild call, against the one
//! cargo call that compiles the same.
//!
//! `cargo bench --bench platforms` makes its own programs in the target directory, from crates that this project needs anyway. rbuild
//! makes eight layers and images and four indexes of them too; that is part of its time. `-- --quick` takes fewer rounds.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench starts the programs that it measures, and prints what it found"
)]

#[path = "../stopwatch/call.rs"]
#[expect(dead_code, reason = "the other benches need the rest")]
mod call;
#[path = "../stopwatch/measure.rs"]
mod measure;
#[path = "../stopwatch/table.rs"]
#[expect(dead_code, reason = "the other benches need the rest")]
mod table;
mod world;

use std::process::ExitCode;

use crate::measure::{Rounds, beyond, median};
use crate::table::Table;
use crate::world::World;

/// rbuild's time as a share of cargo's.
const LIMIT: f64 = 1.1;

fn main() -> ExitCode {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory");
    let world = World::new(place.path());
    let mut table = Table::default();
    println!("medians, milliseconds, of {} calls of cargo", world.calls());
    table.at_most("calls of cargo build", world.calls() as f64, 1.0);
    cold(&world, if quick { 2 } else { 5 }, &mut table);
    edited(&world, if quick { 5 } else { 15 }, &mut table);
    unchanged(&world, if quick { 5 } else { 20 }, &mut table);
    ExitCode::from(u8::from(!table.holds()))
}

/// Nothing is there: no target directory and no cache. Who begins changes, so that neither always meets the warmer disk.
fn cold(world: &World, rounds: usize, table: &mut Table) {
    let mut seen = Rounds::default();
    for round in 0..rounds {
        world.forget();
        pair(world, round, &mut seen);
    }
    judge("cold", &seen, table);
}

/// What all four programs share has changed: the crates are built, the programs and their layers are not.
fn edited(world: &World, rounds: usize, table: &mut Table) {
    let mut seen = Rounds::default();
    for round in 0..rounds {
        world.edit(round);
        pair(world, round, &mut seen);
    }
    judge("warm, an edit in all four programs", &seen, table);
}

/// Nothing changed: cargo has nothing to do, and what rbuild asks of it besides counts as rbuild's.
fn unchanged(world: &World, rounds: usize, table: &mut Table) {
    let mut seen = Rounds::default();
    for round in 0..rounds {
        pair(world, round, &mut seen);
        seen.add("cargo metadata", world.metadata().time());
    }
    table.section("warm, nothing changed", &seen);
    let over = beyond(
        seen.of("rbuild"),
        &[seen.of("cargo metadata"), seen.of("cargo")],
    );
    table.at_most("milliseconds above cargo", median(&over), 30.0);
}

fn pair(world: &World, round: usize, seen: &mut Rounds) {
    let mut calls = [("cargo", world.cargo()), ("rbuild", world.rbuild())];
    if round % 2 == 1 {
        calls.reverse();
    }
    for (name, call) in calls {
        seen.add(name, call.time());
    }
}

fn judge(title: &str, seen: &Rounds, table: &mut Table) {
    table.section(title, seen);
    let share = median(seen.of("rbuild")) / median(seen.of("cargo"));
    table.at_most("rbuild, as a share of cargo", share, LIMIT);
}
