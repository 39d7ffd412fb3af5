//! What must be known before anything is decided: bases, how to link, what lies in asset directories; then the plan.
//!
//! Reads, asks cargo and rustc, changes nothing but what the store remembers.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Result;

use crate::base::{self, Base, Shelf};
use crate::build::areas::{self, Area};
use crate::build::{Tools, base_layers, layers};
use crate::compile::{self, Job};
use crate::config::Config;
use crate::digest::Descriptor;
use crate::fault::Fault;
use crate::plan::asked::Asked;
use crate::plan::request::{Progress, Request};
use crate::plan::wanted::{self, Wanted};
use crate::plan::{self, BaseKey, Known, Plan};
use crate::platform::Platform;
use crate::publish;
use crate::store::Store;
use crate::toolchain::{self, Link, Question, Site, Toolchain};
use crate::workspace::Workspace;

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
    let workspaces: Vec<&Workspace> = areas.iter().map(|area| &area.workspace).collect();
    asked
        .idle(&workspaces)
        .iter()
        .for_each(|note| tools.notes.say(note));
    let mut wanted = Vec::new();
    let mut jobs = Vec::new();
    for area in &areas {
        let host = area.host(request)?;
        for candidate in area.candidates() {
            let one = wanted::wanted(candidate, asked, &host)?;
            jobs.push(job(&one, area, (asked, tools))?);
            wanted.push(one);
        }
    }
    let known = known(compile::group(jobs), &wanted, (request, tools))?;
    let plan = plan::plan(asked, &wanted, known)?;
    plan.images.iter().try_for_each(layers::look)?;
    look_at_targets(&plan, tools)?;
    base_layers::look(&plan, tools)?;
    Ok(plan)
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

fn job(wanted: &Wanted<'_>, area: &Area, (asked, tools): (Asked<'_>, &Tools<'_>)) -> Result<Job> {
    let flags = wanted.flags(asked);
    let mut env = wanted.env(asked).to_vec();
    let (directory, toolchain) = place(wanted, area, tools)?;
    let toolchain = toolchain.for_build(&env, &flags)?;
    env.extend(quieter(asked.request.progress));
    let link = |platform| link(platform, wanted, &toolchain, (asked, tools));
    Ok(Job {
        links: wanted.platforms.iter().map(link).collect::<Result<_>>()?,
        cargo: area.cargo.clone(),
        directory,
        target_directory: area.workspace.target_directory.clone(),
        profile: wanted.profile(asked).to_owned(),
        features: wanted.features(asked),
        flags,
        env,
        wanted: vec![compile::Wanted::new(
            wanted.candidate.package,
            wanted.candidate.binary,
        )],
    })
}

/// Where cargo runs for a build, and the toolchain there: the `dir` of the configuration if it lies in the workspace.
fn place(wanted: &Wanted<'_>, area: &Area, tools: &Tools<'_>) -> Result<(PathBuf, Toolchain)> {
    let configured = wanted.build.map(|build| build.dir.as_path());
    let within = configured.filter(|dir| dir.starts_with(&area.workspace.root));
    match within.filter(|dir| **dir != *area.directory) {
        None => Ok((area.directory.clone(), area.toolchain.clone())),
        Some(dir) => Ok((dir.to_owned(), areas::probe(&area.cargo, dir, tools)?)),
    }
}

/// How cargo is told what to show; variables, because they change nothing that is compiled.
fn quieter(progress: Progress) -> Option<(String, String)> {
    let (name, value) = match progress {
        Progress::Auto => return None,
        Progress::Plain => ("CARGO_TERM_PROGRESS_WHEN", "never"),
        Progress::Quiet => ("CARGO_TERM_QUIET", "true"),
    };
    Some((name.to_owned(), value.to_owned()))
}

fn link(
    platform: &Platform,
    wanted: &Wanted<'_>,
    toolchain: &Toolchain,
    (asked, tools): (Asked<'_>, &Tools<'_>),
) -> Result<Link> {
    let libc = wanted.build.map(|build| build.libc).unwrap_or_default();
    let target = toolchain::target(toolchain, platform, libc)?;
    target.note.iter().for_each(|note| tools.notes.say(note));
    let workspace = wanted.candidate.workspace;
    let question = Question {
        workspace,
        packages: vec![wanted.candidate.package.id.clone()],
        features: &wanted.features(asked),
        memory: tools.store,
    };
    let needs = toolchain::c_needs(toolchain, &question, &target)?;
    let site = Site {
        root: &workspace.root,
        kits: tools.store,
        sysroots: &asked.config.sysroots,
        packages: std::slice::from_ref(&wanted.candidate.package.directory),
        kindnesses: wanted
            .build
            .map(|build| build.kindnesses)
            .unwrap_or_default(),
    };
    let chosen = toolchain::link(toolchain, &target, &needs, site)?;
    chosen.notes.iter().for_each(|note| tools.notes.say(note));
    Ok(chosen.link)
}

fn known(
    jobs: Vec<Job>,
    wanted: &[Wanted<'_>],
    (request, tools): (&Request, &Tools<'_>),
) -> Result<Known> {
    let bases = bases(wanted, tools)?;
    let needs_layers = !request.targets.is_empty();
    let absent = if needs_layers {
        absent(&bases, tools.store)?
    } else {
        BTreeMap::new()
    };
    Ok(Known {
        jobs,
        bases,
        absent,
        kodata: kodata(wanted),
        registry: tools.registry.cloned(),
    })
}

/// Each base once for each list of platforms.
fn bases(wanted: &[Wanted<'_>], tools: &Tools<'_>) -> Result<BTreeMap<BaseKey, Base>> {
    let shelf = Shelf {
        cache: tools.cache,
        spare: tools.store,
        registry: tools.registry,
        notes: tools.notes,
        now: tools.now,
    };
    let mut bases = BTreeMap::new();
    for one in wanted {
        let key = (one.base.clone(), one.platforms.clone());
        if let Entry::Vacant(free) = bases.entry(key) {
            free.insert(base::resolve(&one.base, &one.platforms, shelf)?);
        }
    }
    Ok(bases)
}

/// What neither the bases' own layouts hold nor `made`, where layers that were fetched earlier lie.
fn absent(
    bases: &BTreeMap<BaseKey, Base>,
    made: &Store,
) -> Result<BTreeMap<BaseKey, Vec<Descriptor>>> {
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
fn kodata(wanted: &[Wanted<'_>]) -> BTreeSet<PathBuf> {
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
