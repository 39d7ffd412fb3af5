//! `rbuild cache ls|verify|prune|rm|dir`; `warm`, `export` and `import` have files of their own.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::base::lock;
use crate::base::name::Name;
use crate::cache::{self, Damaged, Limits, Listed, Part, Project, Stays, Taken, Verified};
use crate::cli::amounts::ago;
use crate::cli::bars;
use crate::cli::build;
use crate::cli::cache_arguments::{CacheAction, PruneArguments, RmArguments, VerifyArguments};
use crate::cli::carry;
use crate::cli::registries;
use crate::cli::report;
use crate::cli::stores::{self, BUILD, IMG};
use crate::cli::warm;
use crate::cli::world::World;
use crate::config::Config;
use crate::digest::Digest;
use crate::fault::Fault;
use crate::json;
use crate::network::Network;
use crate::notes::Notes;
use crate::plan;
use crate::plan::request::Progress;
use crate::registry::Registry;
use crate::store::Store;
use crate::words::counted;

/// In bytes; a lock file has a few hundred for each base.
const LOCK_LIMIT: u64 = 8 * 1024 * 1024;
/// So many rows of a list are printed with one call.
const AT_ONCE: usize = 1000;

pub(crate) fn run(action: &CacheAction, world: &World) -> Result<()> {
    match action {
        CacheAction::Warm(arguments) => warm::run(arguments, world),
        CacheAction::Export(arguments) => carry::export(arguments, world),
        CacheAction::Import(arguments) => carry::import(arguments, world),
        CacheAction::Dir => report::answer(&format!("{}\n", world.cache()?.display())),
        CacheAction::Ls => list(world),
        CacheAction::Verify(arguments) => verify(arguments, world),
        CacheAction::Prune(arguments) => prune(arguments, world),
        CacheAction::Rm(arguments) => remove(arguments, world),
    }
}

/// Both stores, to be changed.
fn both(world: &World) -> Result<[(Part, Store); 2]> {
    let notes = report::notes(false);
    Ok([
        (Part::Img, stores::open(IMG, world, &notes)?),
        (Part::Build, stores::open(BUILD, world, &notes)?),
    ])
}

fn list(world: &World) -> Result<()> {
    let notes = report::notes(false);
    let project = project(world, &notes)?;
    let listed = cache::list(&stores::look(IMG, world, &notes)?, &project)?;
    // All rows at once would take as much memory as the list itself.
    listed.chunks(AT_ONCE).try_for_each(|some| {
        let rows = some.iter().map(|one| row(one, world.now));
        report::answer(&rows.collect::<String>())
    })
}

/// What of the cache is needed here. A configuration that cannot be read is the error of a build, not of a question.
fn project(world: &World, notes: &Notes) -> Result<Project> {
    let config = build::load(&world.directory, world).unwrap_or_default();
    let mut project = Project {
        locked: locked(&world.directory)?,
        built_on: cache::built_on(&stores::look(BUILD, world, notes)?)?,
        ..Project::default()
    };
    for text in bases(&config) {
        if let Ok(Name::Reference(reference)) = Name::parse(text, &world.directory) {
            project.pins.extend(reference.digest);
            project.names.insert(reference.to_string());
            project.names.extend(reference.recorded_names());
        }
    }
    Ok(project)
}

fn bases(config: &Config) -> impl Iterator<Item = &String> {
    config
        .default_base_image
        .iter()
        .chain(config.base_image_overrides.values())
}

/// Every digest in the builder.lock of the project that `start` lies in; none without one.
fn locked(start: &Path) -> Result<BTreeSet<Digest>> {
    let places = start.ancestors().map(|place| place.join(lock::FILE));
    let Some(path) = places.into_iter().find(|path| path.is_file()) else {
        return Ok(BTreeSet::new());
    };
    let digests = digests_in(&path);
    digests.with_context(|| format!("cannot read `{}`", path.display()))
}

fn digests_in(path: &Path) -> Result<BTreeSet<Digest>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LOCK_LIMIT).read_to_end(&mut bytes)?;
    let document = json::parse(&bytes).map_err(|error| {
        Fault::refused(format!("it is not strict JSON: {error}"))
            .hint("a lock that cannot be read protects nothing: mend it, or move it away")
    })?;
    let text = document.to_string();
    let words = text
        .split('"')
        .map(|word| word.rsplit('@').next().unwrap_or(word));
    Ok(words.filter_map(|word| word.parse().ok()).collect())
}

fn row(listed: &Listed, now: SystemTime) -> String {
    let state = if listed.full { "full" } else { "metadata" };
    format!(
        "{}\t{}\t{}\t{state}\t{} bytes\t{}\t{}\n",
        or_dash(listed.name.as_deref().map(report::escaped)),
        listed.digest,
        Joined(&listed.platforms),
        listed.size,
        since(listed.recorded, now),
        Joined(&listed.used_by),
    )
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

/// Words with commas between them, or `-`.
struct Joined<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Joined<'_, T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.0.split_first() else {
            return out.write_str("-");
        };
        first.fmt(out)?;
        others.iter().try_for_each(|one| write!(out, ",{one}"))
    }
}

fn since(time: Option<SystemTime>, now: SystemTime) -> String {
    or_dash(time.map(|time| ago(now.duration_since(time).unwrap_or_default())))
}

fn remove(arguments: &RmArguments, world: &World) -> Result<()> {
    let parts = both(world)?;
    let parts: Vec<(Part, &Store)> = parts.iter().map(|(part, store)| (*part, store)).collect();
    let locked = locked(&world.directory)?;
    let taken = cache::remove(&arguments.images, &parts, &locked)?;
    tell_what_stays(&taken, &locked);
    tell(&taken, world.now, "freed")
}

fn prune(arguments: &PruneArguments, world: &World) -> Result<()> {
    let parts = both(world)?;
    let parts: Vec<(Part, &Store)> = parts.iter().map(|(part, store)| (*part, store)).collect();
    let limits = Limits {
        keep: arguments.keep_duration,
        max_used: arguments.max_used,
        min_free: arguments.min_free,
        dry_run: arguments.dry_run,
        now: world.now,
    };
    let taken = cache::prune(&parts, &locked(&world.directory)?, &limits)?;
    let word = if arguments.dry_run {
        "would free"
    } else {
        "freed"
    };
    if let Some(stays) = &taken.stays {
        tell_why(stays);
    }
    tell(&taken, world.now, word)
}

/// A limit that was not reached is no error: another run may reach it.
fn tell_why(stays: &Stays) {
    let reasons = stays.reasons();
    let reasons = match reasons.is_empty() {
        true => "nothing of the cache".to_owned(),
        false => reasons.join(", "),
    };
    report::notes(false).say(format!(
        "the limit is missed by {} bytes; what stays: {reasons}",
        stays.excess
    ));
}

/// A name went, and freed less than one would think.
fn tell_what_stays(taken: &Taken, locked: &BTreeSet<Digest>) {
    let digests = taken.gone.iter().filter_map(|gone| gone.digest);
    for digest in digests.filter(|digest| locked.contains(digest)) {
        report::notes(false).say(format!(
            "{} names {digest}, so what it needs stays",
            lock::FILE,
        ));
    }
}

/// A line for each that went: name or `-`, digest or `-`, bytes, last use; and the sum.
fn tell(taken: &Taken, now: SystemTime, word: &str) -> Result<()> {
    let line = |gone: &cache::Gone| {
        let name = or_dash(gone.name.as_deref().map(report::escaped));
        format!(
            "{name}\t{}\t{} bytes\t{}\n",
            or_dash(gone.digest.map(|digest| digest.to_string())),
            gone.bytes,
            since(gone.used, now)
        )
    };
    let lines: String = taken.gone.iter().map(line).collect();
    let sum: u64 = taken.gone.iter().map(|gone| gone.bytes).sum();
    for digest in &taken.unknown {
        report::notes(false).say(format!(
            "{digest} is damaged and may need any blob, so none was taken away: run `rbuild cache verify --repair`, or `rbuild cache rm {digest}`"
        ));
    }
    report::answer(&format!("{lines}{word} {sum} bytes\n"))
}

fn verify(arguments: &VerifyArguments, world: &World) -> Result<()> {
    let registry = match arguments.repair {
        true => Some(door(arguments, world)?),
        false => None,
    };
    let notes = report::notes(false);
    let mut damaged = Vec::new();
    for part in [IMG, BUILD] {
        let store = stores::look(part, world, &notes)?;
        let mut found = cache::verify(&store)?;
        report::answer(&sentence(store.root(), &found))?;
        if let Some(registry) = &registry {
            found.damaged = repair(part, (&found.damaged, registry), world)?;
        }
        let place = |one: Damaged| (store.root().to_owned(), one);
        damaged.extend(found.damaged.into_iter().map(place));
    }
    match damaged.is_empty() {
        true => Ok(()),
        false => Err(damage(&damaged, &world.cache()?).into()),
    }
}

/// The way to registries, which an offline run has not.
fn door(arguments: &VerifyArguments, world: &World) -> Result<Registry> {
    let listeners = bars::listeners(Progress::Auto);
    let config = build::load(&world.directory, world)?;
    let settings = registries::settings(&arguments.registry, &config, world)?;
    let network = Network::unless(world.flag("RBUILD_OFFLINE")?);
    let registry = registries::connect(network, settings, &listeners);
    Ok(registry.ok_or_else(|| {
        plan::refuse_offline("repair", "`RBUILD_OFFLINE`", "unset it for this command")
    })?)
}

/// What could not be mended. What rbuild made itself is put aside, because it makes it again.
fn repair(
    part: &str,
    (damaged, registry): (&[Damaged], &Registry),
    world: &World,
) -> Result<Vec<Damaged>> {
    if damaged.is_empty() {
        return Ok(Vec::new());
    }
    let store = stores::open(part, world, &report::notes(false))?;
    if part == BUILD {
        damaged
            .iter()
            .try_for_each(|one| store.put_aside(&one.digest))?;
        return Ok(Vec::new());
    }
    let left = cache::repair(&store, damaged, registry)?;
    let mended = damaged.iter().filter(|one| !left.contains(one));
    let line = |one: &Damaged| format!("{} was fetched again\n", one.digest);
    report::answer(&mended.map(line).collect::<String>())?;
    Ok(left)
}

fn damage(damaged: &[(PathBuf, Damaged)], root: &Path) -> Fault {
    let fault = Fault::integrity(match damaged.len() {
        1 => "1 blob does not match its digest".to_owned(),
        count => format!("{count} blobs do not match their digest"),
    });
    let reason = |(place, one): &(PathBuf, Damaged)| {
        format!(
            "in {}: expected {}, found {}",
            place.display(),
            one.digest,
            one.found
        )
    };
    let fault = damaged.iter().map(reason).fold(fault, Fault::because);
    let lies_in = |part: &str| {
        let place = root.join(part);
        damaged.iter().any(|one| one.0 == place).then_some(place)
    };
    let fault = match lies_in(IMG) {
        Some(img) => of_elsewhere(fault, &img),
        None => fault,
    };
    lies_in(BUILD).into_iter().fold(fault, |fault, place| {
        fault.hint(format!(
            "what lies in {0} rbuild makes again: `rm -r {0}` harms nothing",
            place.display()
        ))
    })
}

/// The ways to bases that were pulled.
fn of_elsewhere(fault: Fault, img: &Path) -> Fault {
    fault
        .hint("`rbuild cache verify --repair` fetches again, while online, what a name of the cache leads to")
        .hint(format!(
            "where no name leads to it, remove the file in {}, then pull its image again: other tools pass over a file that is there",
            img.join("blobs/sha256").display()
        ))
}

fn sentence(root: &Path, found: &Verified) -> String {
    let dangling = match found.dangling.len() {
        0 => String::new(),
        _ => format!(
            "; named but not here: {}",
            found
                .dangling
                .iter()
                .map(|name| report::escaped(name))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    format!(
        "{}: {}, {}, {} damaged{dangling}\n",
        root.display(),
        counted(found.blobs, "blob"),
        counted(found.bytes, "byte"),
        found.damaged.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_about_a_damaged_cache_changes_nothing_in_it() {
        let root = tempfile::tempdir().expect("a directory");
        let notes = Notes::recorded();
        let store = Store::cache(&root.path().join("img"), &notes).expect("opens");
        let found = store
            .put(crate::media::OCI_MANIFEST, b"{}")
            .expect("written");
        store.bind("x", &found).expect("bound");
        let blob = store.root().join("blobs/sha256").join(found.digest.hex());
        std::fs::remove_file(&blob).expect("removed");
        std::fs::write(&blob, b"[]").expect("written");
        std::fs::write(store.root().join("index.json"), b"torn").expect("written");
        let cache = root.path().display().to_string();
        let world = World::of(&[("KOCACHE", &cache)]);
        let store = stores::look(IMG, &world, &notes).expect("opens");
        let listed = cache::list(&store, &Project::default()).expect("listed");
        assert!(listed.iter().all(|one| !one.full));
        let damaged = cache::verify(&store).expect("verified").damaged;
        assert_eq!(damaged.len(), 1);
        assert_eq!(damaged[0].digest, found.digest);
        assert_eq!(damaged[0].found, Digest::of(b"[]").to_string());
        assert_eq!(std::fs::read(&blob).expect("still there"), b"[]");
        let index = std::fs::read(store.root().join("index.json"));
        assert_eq!(index.expect("still there"), b"torn");
    }

    #[test]
    fn every_digest_of_a_lock_counts_and_a_torn_lock_is_an_error() {
        let root = tempfile::tempdir().expect("a directory");
        let inner = root.path().join("a/b");
        std::fs::create_dir_all(&inner).expect("made");
        assert!(locked(&inner).expect("none").is_empty());
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let lock = format!(r#"{{"bases":[{{"digest":"{one}","source":"r.example/x@{two}"}}]}}"#);
        std::fs::write(root.path().join("builder.lock"), lock).expect("written");
        assert_eq!(locked(&inner).expect("read"), BTreeSet::from([one, two]));
        std::fs::write(root.path().join("builder.lock"), "torn").expect("written");
        assert!(locked(&inner).is_err());
    }
}
