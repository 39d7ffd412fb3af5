//! `rbuild base ls|pin|update`: what the configured bases are, and builder.lock.
//!
//! Nothing is decided here about a base: `base` resolves and pins, `plan` says which bases there are, `config` finds the bytes.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::base::lock::{self, Lock, LockedBase};
use crate::base::name::Name;
use crate::base::{self, Base, Choice, Resolved, Shelf};
use crate::cli::args::{BaseAction, BaseArguments, PinArguments};
use crate::cli::bars;
use crate::cli::build;
use crate::cli::registries;
use crate::cli::report;
use crate::cli::request;
use crate::cli::stores;
use crate::cli::world::World;
use crate::config::{self, Config};
use crate::fault::Fault;
use crate::network::Network;
use crate::notes::Notes;
use crate::outfile;
use crate::plan::request::Progress;
use crate::plan::{Configured, configured};
use crate::platform::Platforms;
use crate::reference::Reference;
use crate::registry::Registry;
use crate::store::Store;
use crate::timestamp;

/// What the three commands work with.
struct Desk {
    config: Config,
    configured: Vec<Configured>,
    platforms: Platforms,
    /// Of builder.lock.
    place: PathBuf,
    lock: Option<Lock>,
    cache: Store,
    /// Holds what the cache cannot keep.
    spare: Store,
    /// Goes away with the run, where the cache cannot be written.
    _temporary: Option<tempfile::TempDir>,
    registry: Option<Registry>,
    notes: Notes,
    /// Now, unless SOURCE_DATE_EPOCH says otherwise.
    time: String,
}

pub(crate) fn run(action: &BaseAction, world: &World) -> Result<()> {
    match action {
        BaseAction::Ls(arguments) => ls(&Desk::open(arguments, world)?, world),
        BaseAction::Pin(arguments) => pin(arguments, world),
        BaseAction::Update(arguments) => update(&Desk::open(arguments, world)?, world),
    }
}

impl Desk {
    fn open(arguments: &BaseArguments, world: &World) -> Result<Desk> {
        let start = world.absolute(&arguments.path);
        if !start.exists() {
            let message = format!("there is no {}", arguments.path.display());
            return Err(Fault::refused(message).into());
        }
        let listeners = bars::listeners(Progress::Auto);
        let config = build::load(&start, world)?;
        let settings = registries::settings(&arguments.registry, &config, world)?;
        let offline = arguments.offline || world.flag("RBUILD_OFFLINE")?;
        let place = build::lock_place(&config, &start);
        let named = request::platforms(&arguments.platform, world)?;
        let (spare, temporary) = build::build_store(world, &listeners.notes)?;
        Ok(Desk {
            configured: configured(&config, request::default_base(world)?, &world.directory)?,
            platforms: named.or(&config.default_platforms),
            lock: Lock::read(&place)?,
            place,
            cache: stores::open(stores::IMG, world, &listeners.notes)?,
            spare,
            _temporary: temporary,
            registry: registries::connect(Network::unless(offline), settings, &listeners),
            notes: listeners.notes,
            time: timestamp::rfc3339(world.seconds()?),
            config,
        })
    }

    fn shelf<'a>(&'a self, lock: Option<&'a Lock>, world: &World) -> Shelf<'a> {
        Shelf {
            cache: &self.cache,
            spare: &self.spare,
            registry: self.registry.as_ref(),
            notes: &self.notes,
            now: world.now,
            lock,
            insists: false,
        }
    }

    /// A lock is for every machine: where nobody named platforms, it holds all of them.
    fn choice(&self) -> Choice<'_> {
        match &self.platforms {
            Platforms::These(platforms) => Choice::These(platforms),
            Platforms::All | Platforms::Host => Choice::Compilable,
        }
    }

    /// What the configuration names and a registry has.
    fn references(&self) -> Vec<Reference> {
        let names = self.configured.iter().map(|one| &one.name);
        names
            .filter_map(|name| match name {
                Name::Reference(reference) => Some(reference.clone()),
                _ => None,
            })
            .collect()
    }

    /// What a lock would say now; the one of the shelf is what it may go on saying.
    fn pinned(&self, shelf: Shelf<'_>) -> Result<Lock> {
        let order = (self.choice(), &self.config);
        base::pin(&self.references(), order, (shelf, &self.time))
    }

    /// What somebody else wrote meanwhile is not written over, unless it says the same.
    fn write(&self, lock: &Lock) -> Result<()> {
        let there = Lock::read(&self.place)?;
        let lock = lock.clone().after(there.as_ref());
        let is_new = there.as_ref() != Some(&lock);
        if is_new && there != self.lock {
            return Err(changed(&self.place).into());
        }
        if is_new {
            outfile::rewrite(&self.place, lock.text().as_bytes())?;
        }
        let done = match is_new {
            true => "wrote",
            false => "nothing new in",
        };
        let line = format!("{done} {}", self.place.display());
        report::tell(&report::escaped(&line));
        Ok(())
    }
}

fn pin(arguments: &PinArguments, world: &World) -> Result<()> {
    let desk = Desk::open(&arguments.base, world)?;
    if arguments.in_place {
        return in_place(&desk, world);
    }
    let lock = desk.pinned(desk.shelf(desk.lock.as_ref(), world))?;
    desk.write(&lock)?;
    report::answer(&lock.bases.iter().map(pin_of).collect::<String>())
}

/// `NAME:TAG@DIGEST`, as it could stand in .builder.yaml.
fn pin_of(base: &LockedBase) -> String {
    let pinned = Reference {
        digest: Some(base.digest),
        ..base.name.clone()
    };
    format!("{pinned}\n")
}

fn in_place(desk: &Desk, world: &World) -> Result<()> {
    let file = desk.config.file.as_deref().ok_or_else(no_file)?;
    let before = config::bytes(file)?;
    let lock = desk.pinned(desk.shelf(desk.lock.as_ref(), world))?;
    let after = config::pinned(file, &before, &|text| written(text, &lock))?;
    if config::bytes(file)? != before {
        return Err(changed(file).into());
    }
    match after == before {
        true => report::tell(&format!(
            "nothing to pin in {}",
            report::escaped(&file.display().to_string())
        )),
        false => {
            outfile::rewrite(file, &after)?;
            report::tell(&format!(
                "wrote {}",
                report::escaped(&file.display().to_string())
            ));
            outdated(desk);
        }
    }
    report::answer(&lock.bases.iter().map(pin_of).collect::<String>())
}

/// A name of the configuration with its digest behind it, otherwise as it was; `None` for what is pinned or needs no pin.
fn written(text: &str, lock: &Lock) -> Option<String> {
    let Ok(Name::Reference(name)) = Name::parse(text, Path::new("/")) else {
        return None;
    };
    let digest = lock.base(&name).filter(|_| name.digest.is_none())?.digest;
    let implied = name.tag.as_deref() == Some("latest") && !text.ends_with(":latest");
    let tag = if implied { ":latest" } else { "" };
    Some(format!("{text}{tag}@{digest}"))
}

fn outdated(desk: &Desk) {
    if desk.lock.is_some() {
        desk.notes.say(format!(
            "{} was made for what .builder.yaml said before: `rbuild base pin` makes it fit",
            lock::FILE
        ));
    }
}

fn no_file() -> Fault {
    Fault::refused("there is no .builder.yaml to write digests into")
        .hint("`rbuild base pin` without `--in-place` writes builder.lock")
}

fn changed(file: &Path) -> Fault {
    Fault::refused(format!("{} changed meanwhile", file.display()))
        .because("somebody wrote it while this command looked the bases up; it stays as it is now")
        .hint("run the command again")
}

fn update(desk: &Desk, world: &World) -> Result<()> {
    // An update that nobody was asked for is none, unless the user said so.
    let shelf = Shelf {
        insists: true,
        ..desk.shelf(None, world)
    };
    let lock = desk.pinned(shelf)?;
    desk.write(&lock)?;
    let changes = lock.changes(desk.lock.as_ref()).into_iter();
    report::answer(&changes.map(|line| line + "\n").collect::<String>())
}

fn ls(desk: &Desk, world: &World) -> Result<()> {
    let shelf = desk.shelf(desk.lock.as_ref(), world);
    let mut failed = None;
    let mut lines = String::new();
    for one in &desk.configured {
        let found = listed(&one.name, desk, shelf).unwrap_or_else(|error| {
            let earlier: Option<anyhow::Error> = failed.replace(error);
            if let Some(earlier) = earlier {
                report::failure(&earlier);
            }
            ["-", "-", "-"].map(str::to_owned)
        });
        let fields = [one.key.clone(), one.name.to_string()].into_iter();
        let fields = fields.chain(found).map(|field| report::escaped(&field));
        lines += &(fields.collect::<Vec<_>>().join("\t") + "\n");
    }
    report::answer(&lines)?;
    failed.map_or(Ok(()), Err)
}

/// Digest, platforms, and who says so.
fn listed(name: &Name, desk: &Desk, shelf: Shelf<'_>) -> Result<[String; 3]> {
    let Name::Reference(name) = name else {
        return Ok(["-", "-", "no registry"].map(str::to_owned));
    };
    let Resolved { base, .. } = base::resolve_reference(name, desk.choice(), shelf)?;
    let who = match (
        &name.digest,
        desk.lock.as_ref().and_then(|lock| lock.base(name)),
    ) {
        (Some(_), _) => "pin",
        (None, Some(_)) => "lock",
        (None, None) if desk.registry.is_some() => "registry",
        (None, None) => "record",
    };
    let digest = base
        .digest()
        .map_or_else(|| "-".to_owned(), |one| one.to_string());
    Ok([digest, platforms(&base), who.to_owned()])
}

fn platforms(base: &Base) -> String {
    let names: Vec<String> = base
        .images
        .iter()
        .map(|one| one.platform.to_string())
        .collect();
    names.join(",")
}
