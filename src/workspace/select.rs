//! Which binaries of a workspace a request means: cargo's own rules, then one binary per image. Which packages is said in `packages`.
//!
//! Pure: it looks at what [`super::read`] brought and at nothing else. It never builds, and it never guesses: what cannot be meant is refused.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;

use super::Bin;
use super::Features;
use super::Package;
use super::Workspace;
use super::packages;
use super::packages::closest;
use super::packages::list;
use super::packages::names;
use crate::fault::Fault;
use crate::notes::Notes;

/// What was asked for, in cargo's spelling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// `-p`: a name, `name@version`, or a package id.
    pub(crate) packages: Vec<String>,
    /// `--workspace`.
    pub(crate) workspace: bool,
    /// `--exclude`, in the spelling of `-p`.
    pub(crate) exclude: Vec<String>,
    /// `--bin`.
    pub(crate) binaries: Vec<String>,
    /// `--bins`.
    pub(crate) all_binaries: bool,
    /// Where the user pointed; decides when neither `-p` nor `--workspace` does.
    pub(crate) directory: PathBuf,
    pub(crate) features: Features,
}

/// The features that are on for a binary of a package.
pub(crate) type FeaturesOf<'a> = &'a dyn Fn(&Package, &str) -> Features;

/// One binary to build: the index of its package in [`Workspace::packages`], and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selected {
    pub(crate) package: usize,
    pub(crate) binary: String,
}

/// The binaries that `selection` means, in the workspace's order; at least one, no name twice.
///
/// `features` tells what is on for a binary: a configuration may add to what was typed.
pub(crate) fn select(
    workspace: &Workspace,
    selection: &Selection,
    features: FeaturesOf<'_>,
    notes: &Notes,
) -> Result<Vec<Selected>> {
    let packages = packages::meant(workspace, selection)?;
    check_names(workspace, &packages, &selection.binaries)?;
    check_features(workspace, &packages, (selection, features))?;
    let mut selected = Vec::new();
    for package in &packages {
        for binary in binaries(&workspace.packages[*package], selection, features, notes)? {
            let package = *package;
            selected.push(Selected { package, binary });
        }
    }
    if selected.is_empty() {
        return Err(nothing(workspace, &packages).into());
    }
    refuse_twins(workspace, &selected)?;
    Ok(selected)
}

/// `--bin` names must exist somewhere among the packages.
fn check_names(workspace: &Workspace, packages: &[usize], asked: &[String]) -> Result<()> {
    let packages = packages.iter().map(|index| &workspace.packages[*index]);
    let known: Vec<&str> = packages
        .flat_map(|package| &package.binaries)
        .map(|bin| bin.name.as_str())
        .collect();
    let Some(unknown) = asked.iter().find(|name| !known.contains(&name.as_str())) else {
        return Ok(());
    };
    let there = if known.is_empty() {
        "there is none".to_owned()
    } else {
        format!("there is {}", list(&known))
    };
    let fault =
        Fault::refused(format!("no selected package has a binary `{unknown}`")).because(there);
    Err(match closest(unknown, known.into_iter()) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None => fault,
    }
    .into())
}

/// Features must exist somewhere in the workspace. Which package is meant, and what belongs to a dependency, is cargo's business.
fn check_features(
    workspace: &Workspace,
    packages: &[usize],
    (selection, features): (&Selection, FeaturesOf<'_>),
) -> Result<(), Fault> {
    let there = workspace.packages.iter();
    let there = there.flat_map(|package| package.features.keys());
    let known: BTreeSet<&str> = there.map(String::as_str).chain(["default"]).collect();
    for package in packages.iter().map(|index| &workspace.packages[*index]) {
        let bins = package.binaries.iter();
        for bin in bins.filter(|bin| wants(package, bin, selection)) {
            let on = features(package, &bin.name);
            let mut own = on.names.iter().filter(|name| !name.contains(['/', ':']));
            if let Some(unknown) = own.find(|name| !known.contains(name.as_str())) {
                return Err(no_feature(unknown, &known));
            }
        }
    }
    Ok(())
}

fn no_feature(unknown: &str, known: &BTreeSet<&str>) -> Fault {
    let fault = Fault::refused(format!(
        "no package of the workspace has a feature `{unknown}`"
    ));
    match closest(unknown, known.iter().copied()) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None => fault.hint("look for it under `[features]` of the Cargo.toml"),
    }
}

fn binaries(
    package: &Package,
    selection: &Selection,
    features: FeaturesOf<'_>,
    notes: &Notes,
) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for bin in package
        .binaries
        .iter()
        .filter(|bin| wants(package, bin, selection))
    {
        let on = features(package, &bin.name);
        let missing = on.missing(package, &bin.required_features);
        if missing.is_empty() {
            names.push(bin.name.clone());
        } else if selection.binaries.contains(&bin.name) {
            return Err(lacking(bin, &missing).into());
        } else {
            notes.say(format!(
                "`{}` is left out: it needs the features {}",
                bin.name,
                list(&missing)
            ));
        }
    }
    Ok(names)
}

fn wants(package: &Package, bin: &Bin, selection: &Selection) -> bool {
    if !selection.binaries.is_empty() && !selection.all_binaries {
        return selection.binaries.contains(&bin.name);
    }
    let only = package
        .default_run
        .as_ref()
        .filter(|_| !selection.all_binaries);
    only.is_none_or(|name| *name == bin.name)
}

fn lacking(bin: &Bin, missing: &[&str]) -> Fault {
    Fault::refused(format!(
        "the binary `{}` needs features that are off",
        bin.name
    ))
    .because(format!("`required-features` names {}", list(missing)))
    .hint(format!("add `--features {}`", missing.join(",")))
}

fn nothing(workspace: &Workspace, packages: &[usize]) -> Fault {
    let packages: Vec<Package> = packages
        .iter()
        .map(|index| workspace.packages[*index].clone())
        .collect();
    let fault = Fault::refused("there is no binary to build").because(format!(
        "looked at {} in {}",
        names(&packages),
        workspace.root.display()
    ));
    let with = workspace
        .packages
        .iter()
        .filter(|package| !package.binaries.is_empty());
    let with: Vec<&str> = with.map(|package| package.name.as_str()).collect();
    if with.is_empty() {
        return fault.hint("an image needs a program: a src/main.rs, or a `[[bin]]` in Cargo.toml");
    }
    fault.hint(format!(
        "packages with binaries: {}; name one with `-p`",
        list(&with)
    ))
}

/// Two images of one name, and cargo would write both to one file.
fn refuse_twins(workspace: &Workspace, selected: &[Selected]) -> Result<()> {
    for (position, one) in selected.iter().enumerate() {
        let earlier = selected[..position]
            .iter()
            .find(|other| other.binary == one.binary);
        let Some(other) = earlier else { continue };
        let name = |selected: &Selected| workspace.packages[selected.package].name.clone();
        return Err(Fault::refused(format!(
            "two selected packages have a binary `{}`",
            one.binary
        ))
        .because(format!("they are `{}` and `{}`", name(other), name(one)))
        .hint("select one of them with `-p`, or rename one in its `[[bin]]`")
        .into());
    }
    Ok(())
}
