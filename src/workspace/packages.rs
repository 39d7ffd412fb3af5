//! Which packages of a workspace a request means, by cargo's rules: by name, all of them, or by the directory that was pointed at.
//!
//! Pure but for resolving symbolic links in paths.

use std::path::Path;
use std::path::PathBuf;

use anyhow::Result;

use super::Package;
use super::Selection;
use super::Workspace;
use crate::fault::Fault;

/// The packages that `selection` means, as indices in the workspace's order.
pub(super) fn meant(workspace: &Workspace, selection: &Selection) -> Result<Vec<usize>> {
    let mut chosen = if selection.workspace {
        (0..workspace.packages.len()).collect()
    } else if selection.packages.is_empty() {
        at(workspace, &selection.directory)?
    } else {
        named(workspace, &selection.packages)?
    };
    let excluded = named(workspace, &selection.exclude)?;
    chosen.retain(|package| !excluded.contains(package));
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

/// As cargo started there: the package whose Cargo.toml is the nearest above, or the default members at the root.
fn at(workspace: &Workspace, directory: &Path) -> Result<Vec<usize>> {
    let directory = real(directory);
    let root = real(&workspace.root);
    let depth = |package: &Package| real(&package.directory).components().count();
    let mine = |package: &&Package| directory.starts_with(real(&package.directory));
    let nearest = workspace
        .packages
        .iter()
        .filter(mine)
        .max_by_key(|package| depth(package));
    match nearest.filter(|package| real(&package.directory) != root) {
        Some(package) => Ok(index(workspace, &package.id).into_iter().collect()),
        None if directory.starts_with(&root) => Ok(defaults(workspace)),
        None => Err(Fault::refused(format!(
            "no package of the workspace is at {}",
            directory.display()
        ))
        .because(format!(
            "the workspace at {} has {}",
            root.display(),
            names(&workspace.packages)
        ))
        .hint("name a package with `-p`")
        .into()),
    }
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn defaults(workspace: &Workspace) -> Vec<usize> {
    let members = workspace.default_members.iter();
    members.filter_map(|id| index(workspace, id)).collect()
}

fn index(workspace: &Workspace, id: &str) -> Option<usize> {
    workspace
        .packages
        .iter()
        .position(|package| package.id == id)
}

fn named(workspace: &Workspace, specs: &[String]) -> Result<Vec<usize>> {
    let one = |spec: &String| {
        let is_meant = |package: &Package| means(spec, package);
        let found = workspace.packages.iter().position(is_meant);
        found.ok_or_else(|| unknown_package(workspace, spec).into())
    };
    specs.iter().map(one).collect()
}

/// `name`, `name@version` with as many parts of the version as were typed, or the whole id.
fn means(spec: &str, package: &Package) -> bool {
    match spec.split_once('@') {
        _ if spec == package.id => true,
        None => spec == package.name,
        Some((name, version)) => {
            let rest = package.version.strip_prefix(version);
            name == package.name
                && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        }
    }
}

fn unknown_package(workspace: &Workspace, spec: &str) -> Fault {
    let name = spec.split('@').next().unwrap_or(spec);
    let fault = Fault::refused(format!("the workspace has no package `{spec}`")).because(format!(
        "{} has {}",
        workspace.root.display(),
        names(&workspace.packages)
    ));
    match closest(
        name,
        workspace
            .packages
            .iter()
            .map(|package| package.name.as_str()),
    ) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None => fault,
    }
}

/// The known name that `name` was probably meant to be.
pub(super) fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.map(|candidate| (strsim::jaro_winkler(name, candidate), candidate));
    let best = scored.max_by(|one, other| one.0.total_cmp(&other.0));
    best.filter(|(score, _)| *score > 0.8)
        .map(|(_, candidate)| candidate)
}

/// Packages as part of a sentence.
pub(super) fn names(packages: &[Package]) -> String {
    match packages {
        [] => "no package".to_owned(),
        [one] => format!("the package `{}`", one.name),
        many => format!(
            "the packages {}",
            list(
                &many
                    .iter()
                    .map(|package| package.name.as_str())
                    .collect::<Vec<_>>()
            )
        ),
    }
}

pub(super) fn list(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
