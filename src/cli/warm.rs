//! `rbuild cache warm`: images of registries into the cache; without a name those that the configuration and builder.lock name.
//!
//! Each image is tried, whatever became of the others; the last error is the answer.

use std::path::Path;

use anyhow::Result;

use crate::base::lock::Lock;
use crate::base::name::Name;
use crate::base::{Choice, Shelf};
use crate::cache::warm::{Depth, Order, Warmed, warm};
use crate::cli::bars;
use crate::cli::build;
use crate::cli::cache_arguments::WarmArguments;
use crate::cli::registries;
use crate::cli::report;
use crate::cli::request;
use crate::cli::stores;
use crate::cli::world::World;
use crate::config::Config;
use crate::fault::Fault;
use crate::interrupt;
use crate::network::Network;
use crate::plan::configured;
use crate::plan::request::Progress;
use crate::platform::{Platform, Platforms};
use crate::words;

pub(crate) fn run(arguments: &WarmArguments, world: &World) -> Result<()> {
    let listeners = bars::listeners(Progress::Auto);
    let notes = &listeners.notes;
    let here = world.absolute(Path::new("."));
    let config = build::load(&here, world)?;
    let platforms = platforms(arguments, &config, world)?;
    let names = arguments.images.iter();
    let mut names: Vec<Name> = names
        .map(|text| Name::parse(text, &world.directory))
        .collect::<Result<_>>()?;
    let mut lock = None;
    if names.is_empty() {
        lock = Lock::read(&build::lock_place(&config, &here))?;
        names = of_the_project(&config, lock.as_ref(), world)?;
    }
    let mut settings = registries::settings(&arguments.registry, &config, world)?;
    settings.parallel = arguments.jobs.map_or(settings.parallel, usize::from);
    let offline = arguments.offline || world.flag("RBUILD_OFFLINE")?;
    let network = Network::unless(offline);
    let registry = registries::connect(network, settings, &listeners);
    let cache = stores::open(stores::IMG, world, notes)?;
    cache.writable()?;
    let shelf = Shelf {
        cache: &cache,
        spare: &cache,
        registry: registry.as_ref(),
        notes,
        now: world.now,
        lock: lock.as_ref(),
        insists: true,
    };
    let order = Order {
        choice: match &platforms {
            Platforms::All => Choice::All,
            named => Choice::These(named.named()),
        },
        depth: match arguments.layers {
            true => Depth::Layers,
            false => Depth::Metadata,
        },
        force: arguments.force,
    };
    each(&names, (order, arguments.keep_going), shelf)
}

/// The bases of the configuration, then those of the lock, each once.
fn of_the_project(config: &Config, lock: Option<&Lock>, world: &World) -> Result<Vec<Name>> {
    let configured = configured(config, request::default_base(world)?, &world.directory)?;
    let locked = lock.into_iter().flat_map(|lock| &lock.bases);
    let locked = locked.map(|base| Name::Reference(base.name.clone()));
    let mut names: Vec<Name> = Vec::new();
    for name in configured.into_iter().map(|one| one.name).chain(locked) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

fn each(names: &[Name], (order, keeps_going): (Order<'_>, bool), shelf: Shelf<'_>) -> Result<()> {
    let mut failed: Option<anyhow::Error> = None;
    let mut table = Vec::new();
    for name in names {
        let done = one(name, order, shelf);
        // What was stopped has not failed.
        interrupt::check()?;
        table.extend(row(name, &done));
        let Some(error) = done.err() else {
            continue;
        };
        if let Some(earlier) = failed.replace(error) {
            report::failure(&earlier);
        }
    }
    for line in table {
        report::tell(&report::escaped(&line));
    }
    match failed {
        Some(error) if keeps_going => {
            report::failure(&error);
            Ok(())
        }
        failed => failed.map_or(Ok(()), Err),
    }
}

/// What it came to, in words; nothing for what needs no warming.
fn one(name: &Name, order: Order<'_>, shelf: Shelf<'_>) -> Result<Option<String>> {
    let Name::Reference(reference) = name else {
        shelf.notes.say(format!(
            "`{name}` needs no warming: no registry is asked for it"
        ));
        return Ok(None);
    };
    let warmed = warm(reference, order, shelf)?;
    report::answer(&format!("{}\n", warmed.pin))?;
    Ok(Some(summary(order.depth, &warmed)))
}

/// `debian:13  failed: there is no tag …`.
fn row(name: &Name, done: &Result<Option<String>>) -> Option<String> {
    let what = match done {
        Ok(summary) => summary.clone()?,
        Err(error) => format!("failed: {}", error.root_cause()),
    };
    Some(format!("{name}  {what}"))
}

/// `warmed: metadata and layers of linux/amd64, linux/arm64; 2 layers fetched, 30000000 bytes`.
fn summary(depth: Depth, warmed: &Warmed) -> String {
    let status = match warmed.was_there() {
        true => "there already",
        false => "warmed",
    };
    let platforms: Vec<String> = warmed.platforms.iter().map(ToString::to_string).collect();
    let (what, fetched) = match (depth, warmed.fetched) {
        (Depth::Metadata, 0) => ("metadata", String::new()),
        (Depth::Metadata, fetched) => ("metadata", counted(fetched, warmed.bytes)),
        (Depth::Layers, fetched) => ("metadata and layers", counted(fetched, warmed.bytes)),
    };
    format!("{status}: {what} of {}{fetched}", platforms.join(", "))
}

fn counted(layers: usize, bytes: u64) -> String {
    format!(
        "; {} fetched, {}",
        words::counted(layers, "layer"),
        words::counted(bytes, "byte")
    )
}

/// As for a build: flag, environment, configuration, this machine's architecture.
fn platforms(arguments: &WarmArguments, config: &Config, world: &World) -> Result<Platforms> {
    let named = request::platforms(&arguments.platform, world)?;
    match named.or(&config.default_platforms) {
        Platforms::Host => Ok(Platforms::These(vec![host()?])),
        named => Ok(named),
    }
}

fn host() -> Result<Platform, Fault> {
    let name = format!("linux/{}", std::env::consts::ARCH);
    name.parse().map_err(|_| {
        Fault::refused(format!("`{name}` is not a platform")).hint("name one with `--platform`")
    })
}
