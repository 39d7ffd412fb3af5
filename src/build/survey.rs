//! What must be known before anything is decided: workspaces, toolchains, bases, how to link; then the plan.
//!
//! Reads, asks cargo and rustc, changes nothing but what the store remembers.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::base::{self, Base, Shelf};
use crate::build::{Tools, layers};
use crate::compile::{self, Job};
use crate::config::{Config, trust};
use crate::fault::Fault;
use crate::plan::request::{Progress, Request};
use crate::plan::wanted::{self, Wanted};
use crate::plan::{self, Known, Plan};
use crate::platform::Platform;
use crate::toolchain::{self, Link, Question, Toolchain};
use crate::workspace::{self, Cargo, Features, Selected, Selection, Workspace};

/// One directory that was pointed at, with its workspace and what was selected there.
struct Area {
    directory: PathBuf,
    cargo: Cargo,
    workspace: Workspace,
    toolchain: Toolchain,
    selected: Vec<Selected>,
}

/// Whether an argument names a directory and not a package.
pub(crate) fn is_path(what: &str) -> bool {
    what.contains(['/', '.'])
}

/// From a request to a plan, or a refusal.
pub(crate) fn plan(request: &Request, config: &Config, tools: &Tools<'_>) -> Result<Plan> {
    request
        .cargo
        .further
        .iter()
        .try_for_each(|flag| trust::flag(flag, "the cargo arguments after `--`"))?;
    let areas: Vec<Area> = pointed_at(request)
        .into_iter()
        .map(|at| area(at, request, tools))
        .collect::<Result<_>>()?;
    let mut wanted = Vec::new();
    let mut jobs = Vec::new();
    for area in &areas {
        for one in wanted_in(area, request, config)? {
            jobs.push(job(&one, area, (request, config, tools))?);
            wanted.push(one);
        }
    }
    for key in wanted::idle_overrides(
        config,
        request,
        &areas
            .iter()
            .map(|area| area.workspace.clone())
            .collect::<Vec<_>>(),
    ) {
        tools.notes.say(format!(
            "`{key}` in baseImageOverrides names no binary here"
        ));
    }
    let known = Known {
        bases: &bases(&wanted, tools)?,
        kodata: &kodata(&wanted),
    };
    let plan = plan::plan(request, config, &wanted, (compile::group(jobs), known))?;
    plan.images.iter().try_for_each(layers::look)?;
    Ok(plan)
}

/// Each directory once, with the packages that were named for it.
fn pointed_at(request: &Request) -> Vec<(PathBuf, Vec<String>)> {
    let (paths, names): (Vec<&String>, Vec<&String>) =
        request.what.iter().partition(|what| is_path(what));
    let mut at: Vec<(PathBuf, Vec<String>)> = Vec::new();
    if paths.is_empty() || !names.is_empty() {
        at.push((
            request.directory.clone(),
            names.into_iter().cloned().collect(),
        ));
    }
    for path in paths {
        let directory = request.directory.join(path);
        if !at.iter().any(|(known, _)| *known == directory) {
            at.push((directory, Vec::new()));
        }
    }
    at
}

fn area(
    (directory, names): (PathBuf, Vec<String>),
    request: &Request,
    tools: &Tools<'_>,
) -> Result<Area> {
    if !directory.is_dir() {
        let message = format!("there is no directory {}", directory.display());
        return Err(Fault::refused(message)
            .hint("name a directory that holds a Cargo.toml, or a package with `-p`")
            .into());
    }
    let directory = directory.canonicalize()?;
    let cargo = cargo(request, tools);
    let rustc = variable(tools, "RUSTC").unwrap_or(OsStr::new("rustc"));
    // rustc answers later than cargo, so it starts first, on this thread.
    let (workspace, toolchain) = std::thread::scope(|scope| {
        let workspace = scope.spawn(|| workspace::read(&cargo, &directory));
        let toolchain = toolchain::probe(rustc, &cargo, &directory, tools.environment);
        (
            workspace.join().expect("a reader does not panic"),
            toolchain,
        )
    });
    let (workspace, toolchain) = (workspace?, toolchain?);
    let manifest = cargo.manifest.as_deref().and_then(Path::parent);
    let mut selection = Selection {
        directory: manifest.unwrap_or(&directory).to_owned(),
        ..request.cargo.selection.clone()
    };
    selection.packages.extend(names);
    let selected = workspace::select(&workspace, &selection, tools.notes)?;
    Ok(Area {
        directory,
        cargo,
        workspace,
        toolchain,
        selected,
    })
}

fn variable<'a>(tools: &Tools<'a>, name: &str) -> Option<&'a OsStr> {
    tools
        .environment
        .get(OsStr::new(name))
        .map(OsString::as_os_str)
        .filter(|value| !value.is_empty())
}

fn cargo(request: &Request, tools: &Tools<'_>) -> Cargo {
    let absolute = |path: &PathBuf| request.directory.join(path);
    Cargo {
        program: PathBuf::from(variable(tools, "CARGO").unwrap_or(OsStr::new("cargo"))),
        network: request.network,
        manifest: request.cargo.manifest.as_ref().map(absolute),
        target_directory: request.cargo.target_directory.as_ref().map(absolute),
        flags: request.cargo.resolution.clone(),
    }
}

fn wanted_in<'a>(area: &'a Area, request: &Request, config: &'a Config) -> Result<Vec<Wanted<'a>>> {
    let host = Platform::of_host(&area.toolchain.host);
    let host = host
        .or_else(|| request.platforms.first().cloned())
        .ok_or_else(|| {
            Fault::refused(format!(
                "no platform goes with the host `{}`",
                area.toolchain.host
            ))
            .hint("name one with `--platform`")
        })?;
    let join = |selected: &Selected| {
        let package = &area.workspace.packages[selected.package];
        wanted::wanted(
            (&area.workspace, package, &selected.binary),
            request,
            config,
            &host,
        )
    };
    area.selected.iter().map(join).collect()
}

fn job(
    wanted: &Wanted<'_>,
    area: &Area,
    (request, config, tools): (&Request, &Config, &Tools<'_>),
) -> Result<Job> {
    let features = wanted.features(request);
    let mut env = wanted.env(config).to_vec();
    let toolchain = area
        .toolchain
        .for_build(&env, &wanted.flags(request, config))?;
    env.extend(quieter(request.progress));
    let link = |platform| link((platform, wanted), &toolchain, (&features, tools));
    Ok(Job {
        links: wanted.platforms.iter().map(link).collect::<Result<_>>()?,
        cargo: area.cargo.clone(),
        directory: area.directory.clone(),
        target_directory: area.workspace.target_directory.clone(),
        profile: wanted.profile(request).to_owned(),
        flags: wanted.flags(request, config),
        features: features.clone(),
        env,
        wanted: vec![compile::Wanted::new(wanted.package, &wanted.binary)],
    })
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
    (platform, wanted): (&Platform, &Wanted<'_>),
    toolchain: &Toolchain,
    (features, tools): (&Features, &Tools<'_>),
) -> Result<Link> {
    let libc = wanted.build.map(|build| build.libc).unwrap_or_default();
    let target = toolchain::target(toolchain, platform, libc)?;
    target.note.iter().for_each(|note| tools.notes.say(note));
    let packages = vec![wanted.package.id.clone()];
    let question = Question {
        workspace: wanted.workspace,
        packages,
        features,
        memory: tools.store,
    };
    let needs = toolchain::c_needs(toolchain, &question, &target)?;
    toolchain::link(toolchain, &target, &wanted.workspace.root, &needs)
}

/// Each base once for each list of platforms.
fn bases(
    wanted: &[Wanted<'_>],
    tools: &Tools<'_>,
) -> Result<BTreeMap<(base::name::Name, Vec<Platform>), Base>> {
    let shelf = Shelf {
        cache: tools.cache,
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

/// The packages that have a `kodata/`.
fn kodata(wanted: &[Wanted<'_>]) -> BTreeSet<PathBuf> {
    let has = |directory: &&Path| directory.join("kodata").is_dir();
    wanted
        .iter()
        .map(|one| one.package.directory.as_path())
        .filter(has)
        .map(Path::to_owned)
        .collect()
}
