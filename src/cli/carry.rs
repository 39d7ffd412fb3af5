//! `rbuild cache export` and `rbuild cache import`: images out of the cache to be carried, and into it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cache::entry;
use crate::cache::export::{self, Carried, Order, Place};
use crate::cache::import::{self, Imported, Names};
use crate::cli::cache_arguments::{ExportArguments, ImportArguments};
use crate::cli::report;
use crate::cli::request;
use crate::cli::stores;
use crate::cli::world::World;
use crate::digest::Descriptor;
use crate::fault::Fault;
use crate::notes::Notes;
use crate::outfile;
use crate::platform::Platforms;
use crate::words::counted;

/// At most this many images are told about one by one.
const TOLD: usize = 20;

pub(crate) fn export(arguments: &ExportArguments, world: &World) -> Result<()> {
    let notes = report::notes(false);
    let to = Ending::of(&arguments.to, world);
    to.look()?;
    let order = Order {
        images: &arguments.images,
        platforms: platforms(&arguments.platform, world)?,
        is_full: arguments.layers,
    };
    let img = stores::look(stores::IMG, world, &notes)?;
    let build = stores::look(stores::BUILD, world, &notes)?;
    let cargo = export::load(&order, (&img, &build))?;
    tell_partial(&cargo.carried, &notes);
    tell_left(&cargo.left, &notes);
    match &to {
        Ending::Stream => return cargo.write(Place::Stream(&mut report::raw_answer()?), &notes),
        Ending::Tar(file) => cargo.write(Place::File(file), &notes)?,
        Ending::Directory(directory) => cargo.write(Place::Directory(directory), &notes)?,
    }
    answer(&cargo.carried)
}

pub(crate) fn import(arguments: &ImportArguments, world: &World) -> Result<()> {
    let notes = report::notes(false);
    let cache = stores::open(stores::IMG, world, &notes)?;
    let names = match arguments.trust_names {
        true => Names::Trusted,
        false => Names::Ignored,
    };
    if arguments.from == Path::new("-") {
        cache.writable()?;
        let imported = import::archive(io::stdin().lock(), names, &cache);
        return tell(
            &imported.context("cannot import what standard input gave")?,
            &notes,
        );
    }
    let from = world.absolute(&arguments.from);
    let found = fs::metadata(&from).map_err(|error| unreadable(&from, &error))?;
    let imported = if found.is_dir() {
        cache.writable()?;
        import::layout(&from, (names, &notes), &cache)?
    } else if found.is_file() {
        cache.writable()?;
        let file = File::open(&from).map_err(|error| unreadable(&from, &error))?;
        import::archive(file, names, &cache)
            .with_context(|| format!("cannot import {}", from.display()))?
    } else {
        return Err(odd(&from).into());
    };
    tell(&imported, &notes)
}

/// What the name of an export means.
enum Ending {
    Stream,
    Tar(PathBuf),
    Directory(PathBuf),
}

impl Ending {
    fn of(path: &Path, world: &World) -> Ending {
        let is_tar = path.extension().is_some_and(|extension| extension == "tar");
        match path == Path::new("-") {
            true => Ending::Stream,
            false if is_tar && !path.is_dir() => Ending::Tar(world.absolute(path)),
            false => Ending::Directory(world.absolute(path)),
        }
    }

    /// Refuses what cannot be written, before anything is read.
    fn look(&self) -> Result<()> {
        match self {
            Ending::Stream => report::raw_answer().map(drop),
            Ending::Tar(file) => outfile::look(file),
            Ending::Directory(directory) if is_packed(directory) => Err(packed(directory).into()),
            Ending::Directory(directory) => outfile::refuse_taken(directory),
        }
    }
}

fn is_packed(path: &Path) -> bool {
    let name = path.to_string_lossy();
    [".tgz", ".tar.gz", ".tar.zst", ".tar.xz"]
        .iter()
        .any(|end| name.ends_with(end))
}

fn packed(path: &Path) -> Fault {
    Fault::refused(format!("{} would be a packed archive", path.display()))
        .because("layers are packed already: packing them again saves nothing")
        .hint("name a file that ends in `.tar`")
}

/// What was typed alone: a carried cache has nothing to do with what is built by default.
fn platforms(typed: &[String], world: &World) -> Result<Platforms> {
    match typed.is_empty() {
        true => Ok(Platforms::Host),
        false => request::platforms(typed, world),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::NotFound => Fault::refused(format!("there is no {}", path.display())),
        _ => Fault::new(
            crate::fault::Kind::Disk,
            format!("cannot read {}", path.display()),
        )
        .because(error.to_string()),
    }
}

fn odd(path: &Path) -> Fault {
    Fault::refused(format!(
        "{} is neither a file nor a directory",
        path.display()
    ))
    .hint("a stream is read from standard input: `… | rbuild cache import -`")
}

/// One line for each image on standard output, what could surprise on standard error.
fn tell(imported: &Imported, notes: &Notes) -> Result<()> {
    tell_partial(&imported.carried, notes);
    tell_left(&imported.left, notes);
    if !imported.unrecorded.is_empty() {
        notes.say(format!(
            "names were not recorded: {}; `--trust-names` records what the source says",
            listed(&imported.unrecorded)
        ));
    }
    answer(&imported.carried)
}

fn answer(carried: &[Carried]) -> Result<()> {
    let lines = carried
        .iter()
        .map(|one| format!("{}\n", entry::pin(&one.entry)));
    report::answer(&lines.collect::<String>())
}

fn tell_partial(carried: &[Carried], notes: &Notes) {
    let partial: Vec<String> = carried
        .iter()
        .filter(|one| !one.reached.is_full())
        .map(|one| match one.reached.layers.len() {
            0 => export::title(&one.entry),
            count => format!(
                "{} ({} missing)",
                export::title(&one.entry),
                counted(count, "layer")
            ),
        })
        .collect();
    if !partial.is_empty() {
        notes.say(format!("metadata without all layers: {}", listed(&partial)));
    }
}

fn tell_left(left: &[Descriptor], notes: &Notes) {
    let names: Vec<String> = left.iter().map(export::title).collect();
    if !names.is_empty() {
        notes.say(format!(
            "left out, because it is not there: {}",
            listed(&names)
        ));
    }
}

fn listed(names: &[String]) -> String {
    let first: Vec<&str> = names.iter().take(TOLD).map(String::as_str).collect();
    match names.len().checked_sub(TOLD) {
        Some(more) if more > 0 => format!("{} and {more} more", first.join(", ")),
        _ => first.join(", "),
    }
}
