//! `rbuild push`: an image of an earlier build to a registry.

use anyhow::Result;
use tempfile::TempDir;

use crate::build::{self, Earlier, Words};
use crate::cli::args::PushArguments;
use crate::cli::bars;
use crate::cli::build::{build_store, load};
use crate::cli::registries;
use crate::cli::report;
use crate::cli::request;
use crate::cli::stores;
use crate::cli::world::World;
use crate::fault::Fault;
use crate::network::Network;
use crate::plan;
use crate::plan::request::Progress;
use crate::store::Store;

pub(crate) fn run(arguments: &PushArguments, world: &World) -> Result<()> {
    let progress = request::shown(arguments.quiet, arguments.progress);
    let listeners = bars::listeners(progress);
    let network = Network::unless(world.flag("RBUILD_OFFLINE")?);
    let config = load(&world.directory, world)?;
    let mut settings = registries::settings(&arguments.registry, &config, world)?;
    settings.parallel = arguments.jobs.map_or(settings.parallel, usize::from);
    let registry = registries::connect(network, settings, &listeners).ok_or_else(offline)?;
    let elapsed = || world.started.elapsed();
    let store = stores::open(stores::BUILD, world, &listeners.notes)?;
    let tools = build::Tools {
        cache: &stores::open(stores::IMG, world, &listeners.notes)?,
        store: &store,
        registry: Some(&registry),
        notes: &listeners.notes,
        environment: &world.environment,
        now: world.now,
        lock: None,
        elapsed: &elapsed,
    };
    let repository = world.text(request::REPOSITORY_VARIABLES)?;
    let repository = repository.map(|(_, text)| text);
    let words = Words {
        image: &arguments.image,
        directory: &world.directory,
        destination: arguments.destination.as_deref(),
        tags: &arguments.tags,
        repository: arguments.repo.as_deref().or(repository.as_deref()),
        insists: arguments.repo.is_some(),
    };
    let earlier = Earlier::read(&words, &tools)?;
    let (made, _temporary) = made(world, &store);
    let pushed = build::push_earlier(&earlier, &registry, &tools, &made)?;
    if progress != Progress::Quiet {
        let line = build::pushed(&pushed.name, &pushed.sent);
        let seconds = elapsed().as_secs_f64();
        report::tell(&format!("{} in {seconds:.2} s", report::escaped(&line)));
    }
    report::answer(&format!("{}\n", pushed.receipt.reference))
}

/// Where what an image lacks can be made: the cache may be read-only. That nothing can be written is an error only when it must be.
fn made(world: &World, store: &Store) -> (Store, Option<TempDir>) {
    build_store(world, &report::notes(true)).unwrap_or_else(|_| (store.clone(), None))
}

fn offline() -> Fault {
    plan::refuse_offline("push", "`RBUILD_OFFLINE`", "unset it for this command")
}
