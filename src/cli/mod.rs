//! The command line: arguments and the world in, one command, a report and an exit code out.
//!
//! Nothing is decided here that a stage could decide; each command is a file of its own.

mod amounts;
mod args;
mod bars;
mod base;
mod build;
mod cache;
mod cache_arguments;
mod carry;
mod config;
mod doctor;
mod doctor_arguments;
mod login;
mod push;
mod registries;
mod registry_arguments;
mod report;
mod request;
mod signals;
mod stores;
mod terminal;
mod warm;
mod workshop;
mod world;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{CommandFactory, Parser};

use crate::cli::args::{Arguments, Command};
use crate::cli::world::World;
use crate::interrupt;

/// Runs the program with its arguments, the program's own name first.
pub(crate) fn run(arguments: Vec<OsString>) -> ExitCode {
    let parsed = match Arguments::try_parse_from(arguments) {
        Ok(parsed) => parsed,
        Err(error) => return usage(&error),
    };
    let seconds = parsed.lock_timeout.map(u64::from);
    let given = |world| World {
        lock_timeout: seconds.map(Duration::from_secs),
        ..world
    };
    let result = signals::watch()
        .and_then(|()| World::read())
        .map(given)
        .inspect(choose_colours)
        .and_then(|world| command(parsed.command, &world));
    match (result, interrupt::signal()) {
        (_, Some(signal)) => ExitCode::from(128 + u8::try_from(signal).unwrap_or(0)),
        (Ok(()), None) => ExitCode::SUCCESS,
        (Err(error), None) => ExitCode::from(report::failure(&error)),
    }
}

fn choose_colours(world: &World) {
    if world.variable("NO_COLOR").is_some() {
        report::without_colour();
    }
}

/// Help and version are answers; everything else is wrong usage.
fn usage(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    if error.use_stderr() {
        ExitCode::from(2)
    } else {
        ExitCode::from(if printed.is_ok() { 0 } else { 8 })
    }
}

fn command(command: Command, world: &World) -> Result<()> {
    match command {
        Command::Build(arguments) => build::run(&arguments, world),
        Command::Doctor(arguments) => doctor::run(*arguments, world),
        Command::Push(arguments) => push::run(&arguments, world),
        Command::Cache { action } => cache::run(&action, world),
        Command::Base { action } => base::run(&action, world),
        Command::Config {
            action: args::ConfigAction::Show(arguments),
        } => config::show(&arguments, world),
        Command::Login(arguments) => login::login(&arguments, world),
        Command::Logout(arguments) => login::logout(&arguments, world),
        Command::Completions { shell } => completions(shell),
        Command::Version => report::answer(&format!("rbuild {}\n", env!("CARGO_PKG_VERSION"))),
    }
}

fn completions(shell: clap_complete::Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "rbuild", &mut script);
    report::answer(&String::from_utf8_lossy(&script))
}
