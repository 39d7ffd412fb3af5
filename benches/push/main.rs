//! The speed of a push, as ratios within one run: rbuild against crane, skopeo and real ko, to one distribution on loopback.
//!
//! `cargo bench --bench push` pushes an image of two layers, 100 MB, that is built already: to a registry that has nothing at all,
//! again, and to another repository there. Each tool has an empty registry of its own in each round, since some remember where they
//! pushed a blob. Tools that are not on PATH are left out, and the bench says so. `-- --quick` takes fewer rounds.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a bench starts the programs that it measures and a registry for them, and prints what it found"
)]

#[path = "../stopwatch/call.rs"]
mod call;
mod image;
mod ko;
#[path = "../stopwatch/measure.rs"]
#[expect(dead_code, reason = "the other bench needs the rest")]
mod measure;
mod registry;
#[path = "../stopwatch/table.rs"]
#[expect(dead_code, reason = "the other bench needs the rest")]
mod table;
mod tools;

use std::path::Path;
use std::process::ExitCode;

use crate::call::Call;
use crate::ko::Ko;
use crate::measure::{Rounds, median};
use crate::registry::Registry;
use crate::table::Table;
use crate::tools::{Tool, is_on_path};

/// The push of one program to a name.
type Push<'a> = Box<dyn Fn(&str) -> Call + 'a>;

/// In bytes, of each of the two layers.
const LAYER: usize = 50_000_000;

fn main() -> ExitCode {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory");
    let Some(registry) = Registry::start(place.path()) else {
        println!("nothing is measured: neither `registry` nor `docker-registry` is on PATH");
        return ExitCode::SUCCESS;
    };
    image::write(&place.path().join("image"), LAYER);
    let mut tools = Tool::all(place.path());
    tools.retain(|tool| is_on_path(tool.program) || left_out(tool.program));
    let ko = Ko::prepare(place.path(), &registry.host, 2 * LAYER);
    let mut pushes: Vec<(&'static str, Push<'_>)> = Vec::new();
    for tool in &tools {
        pushes.push((tool.name, Box::new(|target| tool.push(target))));
    }
    if let Some(ko) = &ko {
        pushes.push((ko::NAME, Box::new(|target| ko.push(target))));
    }
    let seen = measured(&pushes, place.path(), if quick { 5 } else { 20 });
    println!("medians, milliseconds, to {}", registry.program);
    let mut table = Table::default();
    judge(&mut table, "a registry that has nothing", &seen[0]);
    judge(&mut table, "nothing changed", &seen[1]);
    judge(&mut table, "another repository there", &seen[2]);
    let push = || tools[0].push(&format!("{}/rbuild/watched", registry.host));
    let peak = push().peak_memory() as f64 / 1_000_000.0;
    table.at_most("peak memory of a push, MB", peak, 64.0);
    table.at_most("child processes of a push", push().children() as f64, 0.0);
    ExitCode::from(u8::from(!table.holds()))
}

/// What each program takes for a first push, the same again, and one to another repository.
fn measured(pushes: &[(&'static str, Push<'_>)], place: &Path, rounds: usize) -> [Rounds; 3] {
    let mut seen = [(); 3].map(|()| Rounds::default());
    for _ in 0..rounds {
        for (name, push) in pushes {
            let registry = Registry::start(place).expect("there is one");
            let targets = ["first", "first", "other"];
            for (target, seen) in targets.iter().zip(&mut seen) {
                seen.add(
                    name,
                    push(&format!("{}/{name}/{target}", registry.host)).time(),
                );
            }
        }
    }
    seen
}

/// Says which peer is missing; rbuild itself never is.
fn left_out(program: &str) -> bool {
    println!("`{program}` is not on PATH and is left out");
    false
}

fn judge(table: &mut Table, title: &str, seen: &Rounds) {
    table.section(title, seen);
    let others = seen.all().filter(|(name, _)| **name != "rbuild");
    let fastest = others
        .map(|(_, figures)| median(figures))
        .fold(f64::INFINITY, f64::min);
    let share = median(seen.of("rbuild")) / fastest;
    table.at_most("rbuild, as a share of the fastest", share, 0.8);
}
