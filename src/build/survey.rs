//! What must be known before anything is decided: bases, how to link, what lies in asset directories; then the plan.
//!
//! Reads, asks cargo and rustc, changes nothing but what the store remembers.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Result;

use crate::base::{self, Base, Choice, Shelf};
use crate::build::areas::{self, Area};
use crate::build::groups::{self, Decided, Ground, Group};
use crate::build::{Tools, base_layers, fits, layers, targets};
use crate::compile::{self, Job};
use crate::config::Config;
use crate::digest::Descriptor;
use crate::fault::Fault;
use crate::plan::asked::Asked;
use crate::plan::request::Request;
use crate::plan::wanted::{self, Wanted};
use crate::plan::{self, BaseKey, Known, Plan};
use crate::publish;
use crate::store::Store;
use crate::workspace::Workspace;

/// Every base that is wanted, resolved.
pub(crate) type Bases = BTreeMap<BaseKey, Base>;

/// Flags of cargo build that rbuild gives itself, with what to use instead.
const OURS: [(&str, &str); 4] = [
    ("--target", "`--platform`"),
    (
        "--target-dir",
        "rbuild's own `--target-dir`, before the `--`",
    ),
    (
        "--manifest-path",
        "rbuild's own `--manifest-path`, before the `--`",
    ),
    (
        "--message-format",
        "nothing: rbuild reads cargo's messages itself",
    ),
];

/// From a request to a plan, or a refusal.
pub(crate) fn plan(request: &Request, config: &Config, tools: &Tools<'_>) -> Result<Plan> {
    let asked = Asked { request, config };
    request
        .cargo
        .further
        .iter()
        .try_for_each(|flag| refuse_ours(flag))?;
    let areas = areas::areas(asked, tools)?;
    tell_what_is_idle(&areas, asked, tools);
    let wanted = wanted(&areas, asked)?;
    let mut groups = groups::groups(&wanted, asked, tools)?;
    // What no base changes is refused before a base is asked for.
    targets::look(&groups, request)?;
    groups
        .iter_mut()
        .try_for_each(|group| group.prepare(asked, tools))?;
    let wanted: Vec<&Wanted<'_>> = wanted.iter().map(|(_, one)| one).collect();
    let unpinned = plan::look_at_lock(asked, &wanted, tools.lock)?;
    unpinned.iter().for_each(|note| tools.notes.say(note));
    let bases = &bases(&wanted, tools)?;
    if request.precache && !request.dry_run {
        base_layers::precache(bases, tools)?;
    }
    let groups = groups::settled(groups, bases);
    targets::look(&groups, request)?;
    decided(
        &groups,
        &wanted,
        Ground {
            asked,
            tools,
            bases,
        },
    )
}

/// The plan of groups whose bases and targets are here. What a user should know of its links is said last: a refusal needs no note.
pub(super) fn decided(
    groups: &[Group<'_>],
    wanted: &[&Wanted<'_>],
    ground: Ground<'_>,
) -> Result<Plan> {
    let tools = ground.tools;
    let decided = groups.iter().map(|group| group.decided(ground));
    let decided: Vec<Decided> = decided.collect::<Result<_>>()?;
    let (jobs, notes): (Vec<Job>, Vec<Vec<String>>) =
        decided.into_iter().map(|one| (one.job, one.notes)).unzip();
    let known = known(compile::group(jobs), wanted, ground)?;
    let plan = plan::plan(ground.asked, wanted, known)?;
    plan.images.iter().try_for_each(layers::look)?;
    look_at_targets(&plan, tools)?;
    base_layers::look(&plan, tools)?;
    notes
        .iter()
        .flatten()
        .for_each(|note| tools.notes.say(note));
    Ok(plan)
}

pub(super) fn tell_what_is_idle(areas: &[Area], asked: Asked<'_>, tools: &Tools<'_>) {
    let workspaces: Vec<&Workspace> = areas.iter().map(|area| &area.workspace).collect();
    let idle = asked.idle(&workspaces);
    idle.iter().for_each(|note| tools.notes.say(note));
}

/// Everything that was selected, in the order of the areas.
pub(super) fn wanted<'a>(
    areas: &'a [Area],
    asked: Asked<'a>,
) -> Result<Vec<(&'a Area, Wanted<'a>)>> {
    let mut wanted = Vec::new();
    for area in areas {
        let host = area.host(asked.request)?;
        for candidate in area.candidates() {
            wanted.push((area, wanted::wanted(candidate, asked, &host)?));
        }
    }
    Ok(wanted)
}

/// Every place that will be written to.
fn look_at_targets(plan: &Plan, tools: &Tools<'_>) -> Result<()> {
    let mut files = plan.references_file.iter().chain(&plan.metadata_file);
    files.try_for_each(|file| publish::look_at_file(file))?;
    let mut targets = plan.targets.iter();
    targets.try_for_each(|target| publish::look(target, tools.notes))
}

fn refuse_ours(flag: &str) -> Result<()> {
    let name = flag.split('=').next().unwrap_or_default();
    let Some((_, instead)) = OURS.iter().find(|(ours, _)| *ours == name) else {
        return Ok(());
    };
    Err(
        Fault::refused(format!("`{name}` after `--` would work against rbuild"))
            .hint(format!("use {instead}"))
            .into(),
    )
}

fn known(jobs: Vec<Job>, wanted: &[&Wanted<'_>], ground: Ground<'_>) -> Result<Known> {
    let Ground {
        asked,
        tools,
        bases,
    } = ground;
    let needs_layers = asked.request.precache || !asked.request.targets.is_empty();
    let absent = if needs_layers {
        absent(bases, tools.store)?
    } else {
        BTreeMap::new()
    };
    Ok(Known {
        without_loader: fits::without_loader(&jobs, bases, (wanted, tools))?,
        jobs,
        bases: bases.clone(),
        absent,
        kodata: kodata(wanted),
        registry: tools.registry.cloned(),
    })
}

/// Where bases are looked for.
pub(super) fn shelf<'a>(tools: &Tools<'a>) -> Shelf<'a> {
    Shelf {
        cache: tools.cache,
        spare: tools.store,
        registry: tools.registry,
        notes: tools.notes,
        now: tools.now,
        lock: tools.lock,
        insists: false,
    }
}

/// Each base once for each list of platforms.
pub(super) fn bases(wanted: &[&Wanted<'_>], tools: &Tools<'_>) -> Result<Bases> {
    let mut bases = BTreeMap::new();
    for one in wanted {
        if let Entry::Vacant(free) = bases.entry(one.base_key()) {
            let choice = Choice::of(&one.platforms);
            free.insert(base::resolve(&one.base, choice, shelf(tools))?);
        }
    }
    Ok(bases)
}

/// What neither the bases' own layouts hold nor `made`, where layers that were fetched earlier lie.
fn absent(bases: &Bases, made: &Store) -> Result<BTreeMap<BaseKey, Vec<Descriptor>>> {
    let mut absent: BTreeMap<BaseKey, Vec<Descriptor>> = BTreeMap::new();
    for (key, base) in bases {
        for image in &base.images {
            let layers = image.absent()?.into_iter();
            absent
                .entry(key.clone())
                .or_default()
                .extend(layers.filter(|layer| !made.uses(layer)));
        }
    }
    Ok(absent)
}

/// The `kodata/` directories that are there.
fn kodata(wanted: &[&Wanted<'_>]) -> BTreeSet<PathBuf> {
    let beside = wanted
        .iter()
        .map(|one| one.candidate.package.directory.join("kodata"));
    beside.filter(|directory| directory.is_dir()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rbuild_tells_cargo_itself_is_not_taken_after_the_dashes() {
        for bad in [
            "--target",
            "--target=x86_64-unknown-linux-gnu",
            "--message-format=json",
        ] {
            assert!(refuse_ours(bad).is_err(), "{bad}");
        }
        for good in ["--timings", "--config", "-Zbuild-std", "a b"] {
            assert!(refuse_ours(good).is_ok(), "{good}");
        }
    }
}
