//! The directories that were pointed at: their workspaces, toolchains and what was selected there.
//!
//! One `cargo metadata` and one `rustc` for each workspace, side by side. Nothing is decided here but what a path means.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::build::Tools;
use crate::fault::Fault;
use crate::plan::asked::{Asked, Candidate};
use crate::plan::request::Request;
use crate::platform::Platform;
use crate::toolchain::{self, Toolchain};
use crate::workspace::{self, Cargo, Package, Selected, Selection, Workspace};

/// A workspace with what was selected in it.
pub(crate) struct Area {
    /// Where cargo runs.
    pub(crate) directory: PathBuf,
    pub(crate) cargo: Cargo,
    pub(crate) workspace: Workspace,
    pub(crate) toolchain: Toolchain,
    selected: Vec<Selected>,
}

/// Whether an argument names a directory and not a package.
pub(crate) fn is_path(what: &str) -> bool {
    what.contains(['/', '.'])
}

/// The workspaces that the request points at, each once.
pub(crate) fn areas(asked: Asked<'_>, tools: &Tools<'_>) -> Result<Vec<Area>> {
    let mut areas: Vec<Area> = Vec::new();
    for (directory, names) in pointed_at(asked.request)? {
        match areas.iter_mut().find(|area| area.holds(&directory)) {
            Some(area) => area.add(&directory, asked, tools)?,
            None => areas.push(Area::read(directory, names, asked, tools)?),
        }
    }
    Ok(areas)
}

/// Each directory once, with the packages that were named for it.
fn pointed_at(request: &Request) -> Result<Vec<(PathBuf, Vec<String>)>> {
    let (paths, names): (Vec<&String>, Vec<&String>) =
        request.what.iter().partition(|what| is_path(what));
    let mut at: Vec<(PathBuf, Vec<String>)> = Vec::new();
    if paths.is_empty() || !names.is_empty() {
        let names = names.into_iter().cloned().collect();
        at.push((real(&request.directory)?, names));
    }
    for path in paths {
        let directory = real(&request.directory.join(path))?;
        if !at.iter().any(|(known, _)| *known == directory) {
            at.push((directory, Vec::new()));
        }
    }
    Ok(at)
}

fn real(directory: &Path) -> Result<PathBuf> {
    if directory.is_dir() {
        return Ok(directory.canonicalize()?);
    }
    let message = format!("there is no directory {}", directory.display());
    Err(Fault::refused(message)
        .hint("name a directory that holds a Cargo.toml, or a package with `-p`")
        .into())
}

impl Area {
    fn read(
        directory: PathBuf,
        names: Vec<String>,
        asked: Asked<'_>,
        tools: &Tools<'_>,
    ) -> Result<Area> {
        let cargo = cargo(asked.request, tools);
        // rustc answers later than cargo, so it starts first, on this thread.
        let (workspace, toolchain) = std::thread::scope(|scope| {
            let workspace = scope.spawn(|| workspace::read(&cargo, &directory));
            let toolchain = probe(&cargo, &directory, tools);
            let workspace = workspace.join().expect("a reader does not panic");
            (workspace, toolchain)
        });
        let (workspace, toolchain) = (workspace?, toolchain?);
        let mut area = Area {
            directory,
            cargo,
            workspace,
            toolchain,
            selected: Vec::new(),
        };
        let manifest = area.cargo.manifest.as_deref().and_then(Path::parent);
        let start = manifest.unwrap_or(&area.directory).to_owned();
        area.select((&start, names), asked, tools)?;
        Ok(area)
    }

    /// Whether a directory is this workspace's root or one of its packages.
    fn holds(&self, directory: &Path) -> bool {
        let mut packages = self.workspace.packages.iter();
        self.workspace.root == directory || packages.any(|package| package.directory == directory)
    }

    /// A second directory of the same workspace: one cargo call serves both, from the root.
    fn add(&mut self, directory: &Path, asked: Asked<'_>, tools: &Tools<'_>) -> Result<()> {
        if self.directory != self.workspace.root {
            self.directory.clone_from(&self.workspace.root);
            self.toolchain = probe(&self.cargo, &self.directory, tools)?;
        }
        self.select((directory, Vec::new()), asked, tools)
    }

    fn select(
        &mut self,
        (directory, names): (&Path, Vec<String>),
        asked: Asked<'_>,
        tools: &Tools<'_>,
    ) -> Result<()> {
        let typed = &asked.request.cargo.selection;
        let mut selection = Selection {
            directory: directory.to_owned(),
            ..typed.clone()
        };
        selection.packages.extend(names);
        let workspace = &self.workspace;
        let features = |package: &Package, binary: &str| {
            let build = asked.build(Candidate {
                workspace,
                package,
                binary,
            });
            asked.features(build.ok().flatten())
        };
        let selected = workspace::select(workspace, &selection, &features, tools.notes)?;
        let known: Vec<Selected> = self.selected.clone();
        self.selected
            .extend(selected.into_iter().filter(|one| !known.contains(one)));
        Ok(())
    }

    /// The binaries that were selected.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = Candidate<'_>> {
        self.selected.iter().map(|selected| Candidate {
            workspace: &self.workspace,
            package: &self.workspace.packages[selected.package],
            binary: &selected.binary,
        })
    }

    /// The platform that is built for when none is named.
    pub(crate) fn host(&self, request: &Request) -> Result<Platform> {
        let host = Platform::of_host(&self.toolchain.host);
        let host = host.or_else(|| request.platforms.named().first().cloned());
        Ok(host.ok_or_else(|| {
            let message = format!("no platform goes with the host `{}`", self.toolchain.host);
            Fault::refused(message).hint("name one with `--platform`")
        })?)
    }
}

/// The toolchain that serves `directory`.
pub(crate) fn probe(cargo: &Cargo, directory: &Path, tools: &Tools<'_>) -> Result<Toolchain> {
    toolchain::probe(rustc(tools), cargo, directory, tools.environment)
}

/// `$RUSTC`, or `rustc`.
pub(super) fn rustc<'a>(tools: &Tools<'a>) -> &'a OsStr {
    variable(tools, "RUSTC").unwrap_or(OsStr::new("rustc"))
}

fn variable<'a>(tools: &Tools<'a>, name: &str) -> Option<&'a OsStr> {
    let value = tools
        .environment
        .get(OsStr::new(name))
        .map(OsString::as_os_str);
    value.filter(|value| !value.is_empty())
}

/// How cargo is called for a request.
pub(super) fn cargo(request: &Request, tools: &Tools<'_>) -> Cargo {
    let absolute = |path: &PathBuf| request.directory.join(path);
    Cargo {
        program: PathBuf::from(variable(tools, "CARGO").unwrap_or(OsStr::new("cargo"))),
        network: request.network,
        manifest: request.cargo.manifest.as_ref().map(absolute),
        target_directory: request.cargo.target_directory.as_ref().map(absolute),
        flags: request.cargo.resolution.clone(),
    }
}
