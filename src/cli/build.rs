//! `rbuild build`: request, plan, build, references.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::base::lock;
use crate::build;
use crate::cli::args::BuildArguments;
use crate::cli::bars;
use crate::cli::report;
use crate::cli::request;
use crate::cli::stores;
use crate::cli::workshop::Workshop;
use crate::cli::world::World;
use crate::config::{self, Config};
use crate::fault::Fault;
use crate::notes::Notes;
use crate::plan;
use crate::plan::request::{Progress, Request};
use crate::publish::Receipt;
use crate::store::{self, Store};

/// The variables that name the configuration.
pub(crate) const CONFIG_VARIABLES: &[&str] = &["RBUILD_CONFIG", "KO_CONFIG_PATH"];

pub(crate) fn run(arguments: &BuildArguments, world: &World) -> Result<()> {
    let listeners = bars::listeners(request::progress(arguments));
    let request = request::read(arguments, world)?;
    plan::look(&request)?;
    let workshop = Workshop::open(&request, (&arguments.registry, world), &listeners)?;
    let tools = workshop.tools(world);
    let plan = build::plan(&request, &workshop.config, &tools)?;
    if arguments.dry_run {
        return report::answer(&plan.to_string());
    }
    let done = build::carry_out(&plan, &tools)?;
    if request.progress != Progress::Quiet {
        summary(&done);
    }
    let reference = |image: &build::Built| format!("{}\n", Receipt::of(&image.finished).reference);
    let answered = report::answer(&done.images.iter().map(reference).collect::<String>());
    done.failed.map_or(answered, Err)
}

/// What was built, on standard error.
fn summary(done: &build::Done) {
    for image in &done.images {
        report::tell(&report::escaped_lines(&image.summary()));
    }
    report::tell(&done.laps.to_string());
}

/// The configuration that belongs to the first path, or none.
pub(crate) fn configuration(request: &Request, world: &World) -> Result<Config> {
    load(&start(request, world), world)
}

/// The first path, else the working directory.
pub(crate) fn start(request: &Request, world: &World) -> PathBuf {
    let first = request.what.iter().find(|what| build::is_path(what));
    world.absolute(first.map_or(Path::new("."), Path::new))
}

/// Where builder.lock lies, or would: beside the configuration, else in the root of the workspace around `start`.
pub(crate) fn lock_place(config: &Config, start: &Path) -> PathBuf {
    let beside = config.file.as_ref().and_then(|file| file.parent());
    let directory = beside.map_or_else(|| config::root(start), Path::to_owned);
    directory.join(lock::FILE)
}

/// `RBUILD_CONFIG`, else what is found from `start` upwards, else the defaults.
pub(crate) fn load(start: &Path, world: &World) -> Result<Config> {
    if let Some(config) = load_named(world)? {
        return Ok(config);
    }
    config::find(start)?.map_or_else(|| Ok(Config::default()), |file| config::load(&file))
}

/// `RBUILD_CONFIG` alone.
pub(crate) fn load_named(world: &World) -> Result<Option<Config>> {
    let named = world.text(CONFIG_VARIABLES)?;
    let load =
        |(_, path): (_, String)| config::load(&config::named(&world.absolute(Path::new(&path)))?);
    named.map(load).transpose()
}

/// The store of what rbuild makes and of what `img` cannot keep; a temporary one where the cache cannot be written.
pub(crate) fn build_store(
    world: &World,
    notes: &Notes,
) -> Result<(Store, Option<tempfile::TempDir>)> {
    let store = stores::open(stores::BUILD, world, notes)?;
    let Err(error) = store.writable() else {
        return Ok((store, None));
    };
    if !error.is_unwritable() {
        return Err(error.into());
    }
    let temporary = tempfile::Builder::new()
        .prefix("rbuild-")
        .tempdir_in(&world.temporary);
    let temporary = temporary.map_err(|lost| nowhere(&error, &lost, world))?;
    notes.say(format!(
        "{error}: what is made or fetched is kept for this run only"
    ));
    let store = Store::cache(&temporary.path().join("build"), notes)?;
    store.prepare()?;
    Ok((store, Some(temporary)))
}

fn nowhere(error: &store::Error, lost: &io::Error, world: &World) -> Fault {
    let place = world.temporary.display();
    error
        .fault()
        .because(format!("{place} cannot be written either: {lost}"))
        .hint("or name another directory for temporary files with `TMPDIR`")
}
