//! The speed of looking at a cache, within one run: `cache verify` of 2 GB in many blobs against as many openssl as there are cores, and
//! `cache ls` of 10 000 entries.
//!
//! `cargo bench --bench cache` makes both caches in the target directory. `-- --quick` takes a quarter of the bytes and fewer rounds.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench starts the programs that it measures, and prints what it found"
)]

#[path = "../stopwatch/call.rs"]
#[expect(dead_code, reason = "the other benches need the rest")]
mod call;
#[path = "../stopwatch/measure.rs"]
#[expect(dead_code, reason = "the other benches need the rest")]
mod measure;
#[path = "../stopwatch/table.rs"]
mod table;
mod world;

use std::path::Path;
use std::process::ExitCode;

use crate::call::Call;
use crate::measure::{Rounds, median};
use crate::table::Table;

/// rbuild's speed as a share of openssl's.
const SHARE: f64 = 0.9;
/// For a list of [`ENTRIES`].
const MILLISECONDS: f64 = 100.0;
const ENTRIES: usize = 10_000;
/// In bytes.
const SIZE: u64 = 2_000_000_000;

fn main() -> ExitCode {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory");
    let mut table = Table::default();
    println!("medians, milliseconds");
    list(
        &place.path().join("list"),
        if quick { 5 } else { 20 },
        &mut table,
    );
    let size = if quick { SIZE / 4 } else { SIZE };
    verify(
        &place.path().join("verify"),
        (size, if quick { 3 } else { 7 }),
        &mut table,
    );
    ExitCode::from(u8::from(!table.holds()))
}

fn rbuild(cache: &Path, arguments: &[&str]) -> Call {
    let words: Vec<&str> = [env!("CARGO_BIN_EXE_rbuild")]
        .iter()
        .chain(arguments)
        .copied()
        .collect();
    Call::new(&words, cache).env("KOCACHE", cache)
}

fn list(cache: &Path, rounds: usize, table: &mut Table) {
    world::entries(cache, ENTRIES);
    let listed = rbuild(cache, &["cache", "ls"]).output();
    assert_eq!(listed.lines().count(), ENTRIES);
    let mut seen = Rounds::default();
    for _ in 0..rounds {
        seen.add("rbuild cache ls", rbuild(cache, &["cache", "ls"]).time());
    }
    table.section("10 000 entries", &seen);
    table.at_most(
        "milliseconds for the list",
        median(seen.of("rbuild cache ls")),
        MILLISECONDS,
    );
}

/// Who begins changes, so that neither always meets the warmer memory.
fn verify(cache: &Path, (size, rounds): (u64, usize), table: &mut Table) {
    world::blobs(cache, size);
    let mut seen = Rounds::default();
    for round in 0..rounds {
        let mut calls = [
            ("openssl", openssl(cache)),
            ("rbuild", rbuild(cache, &["cache", "verify"])),
        ];
        if round % 2 == 1 {
            calls.reverse();
        }
        for (name, call) in calls {
            seen.add(name, call.time());
        }
    }
    table.section(&format!("{size} bytes in many blobs"), &seen);
    let share = median(seen.of("openssl")) / median(seen.of("rbuild"));
    table.at_least("speed, as a share of openssl's", share, SHARE);
}

/// As many at once as there are cores, each with enough files that starting it costs nothing.
fn openssl(cache: &Path) -> Call {
    let line = "find img/blobs/sha256 -type f -print0 | xargs -0 -n 16 -P$(nproc) openssl dgst -sha256 > /dev/null";
    Call::new(&["sh", "-c", line], cache)
}
