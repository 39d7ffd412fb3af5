//! `rbuild cache warm`: images of registries into the cache.
//!
//! Each image is tried, whatever became of the others; the last error is the answer.

use std::path::Path;

use anyhow::Result;

use crate::base::name::Name;
use crate::base::{Choice, Shelf};
use crate::cache::warm::{Depth, Warmed, warm};
use crate::cli::args::WarmArguments;
use crate::cli::bars;
use crate::cli::build;
use crate::cli::registries;
use crate::cli::report;
use crate::cli::request;
use crate::cli::world::World;
use crate::config::Config;
use crate::fault::Fault;
use crate::interrupt;
use crate::network::Network;
use crate::plan::request::Progress;
use crate::platform::{Platform, Platforms};
use crate::reference::Reference;
use crate::store::Store;

pub(crate) fn run(arguments: &WarmArguments, world: &World) -> Result<()> {
    let listeners = bars::listeners(Progress::Auto);
    let notes = &listeners.notes;
    let config = build::load(&world.absolute(Path::new(".")), world)?;
    let platforms = platforms(arguments, &config, world)?;
    let names = arguments.images.iter();
    let names: Vec<Name> = names
        .map(|text| Name::parse(text, &world.directory))
        .collect::<Result<_>>()?;
    let mut settings = registries::settings(&arguments.registry, &config, world)?;
    settings.parallel = arguments.jobs.map_or(settings.parallel, usize::from);
    let network = Network::unless(world.flag("RBUILD_OFFLINE")?);
    let registry = registries::connect(network, settings, &listeners);
    let cache = Store::cache(&world.cache()?.join("img"), notes)?;
    cache.writable()?;
    let shelf = Shelf {
        cache: &cache,
        spare: &cache,
        registry: registry.as_ref(),
        notes,
        now: world.now,
    };
    let depth = match arguments.layers {
        true => Depth::Layers,
        false => Depth::Metadata,
    };
    let choice = match &platforms {
        Platforms::All => Choice::All,
        named => Choice::These(named.named()),
    };
    each(&names, (choice, depth), shelf)
}

fn each(names: &[Name], order: (Choice<'_>, Depth), shelf: Shelf<'_>) -> Result<()> {
    let mut failed: Option<anyhow::Error> = None;
    for name in names {
        interrupt::check()?;
        let Some(error) = one(name, order, shelf).err() else {
            continue;
        };
        if let Some(earlier) = failed.replace(error) {
            report::failure(&earlier);
        }
    }
    failed.map_or(Ok(()), Err)
}

fn one(name: &Name, order: (Choice<'_>, Depth), shelf: Shelf<'_>) -> Result<()> {
    let Name::Reference(reference) = name else {
        shelf.notes.say(format!(
            "`{name}` needs no warming: no registry is asked for it"
        ));
        return Ok(());
    };
    let warmed = warm(reference, order, shelf)?;
    report::answer(&format!("{}\n", warmed.pin))?;
    report::tell(&report::escaped(&summary(reference, order.1, &warmed)));
    Ok(())
}

/// `debian:13: metadata and layers of linux/amd64, linux/arm64; 2 layers fetched, 30000000 bytes`.
fn summary(reference: &Reference, depth: Depth, warmed: &Warmed) -> String {
    let platforms: Vec<String> = warmed.platforms.iter().map(ToString::to_string).collect();
    let (what, fetched) = match depth {
        Depth::Metadata => ("metadata", String::new()),
        Depth::Layers => (
            "metadata and layers",
            format!(
                "; {} layers fetched, {} bytes",
                warmed.fetched, warmed.bytes
            ),
        ),
    };
    format!("{reference}: {what} of {}{fetched}", platforms.join(", "))
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
