//! The further binaries of an image (`binaries:` of a build): which they are, and where each lies.
//!
//! Pure. They are compiled as the main binary is, in the same cargo call; labels, entrypoint and name stay the main one's.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use crate::compile::Job;
use crate::config::Build;
use crate::fault::Fault;
use crate::plan::asked::{self, Candidate};
use crate::plan::wanted::Wanted;
use crate::workspace::{Bin, Features, Package};

/// A program of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// Cargo's id of the package.
    pub(crate) package: String,
    pub(crate) binary: String,
    /// In the image.
    pub(crate) path: String,
}

/// The further binaries of a build, each once, sorted by name, without the main one.
pub(super) fn candidates<'a>(
    main: Candidate<'a>,
    build: Option<&'a Build>,
    features: &Features,
) -> Result<Vec<Candidate<'a>>> {
    let names = build.map(|build| build.binaries.as_slice());
    let mut further = Vec::new();
    for name in names.unwrap_or_default() {
        let one = named(main, name)?;
        refuse_lacking(one, features)?;
        further.push(one);
    }
    further.sort_by_key(|one| one.binary);
    further.dedup_by_key(|one| one.binary);
    further.retain(|one| one.binary != main.binary);
    Ok(further)
}

/// The binary of that name: the package's own, else the only one of the workspace.
fn named<'a>(main: Candidate<'a>, name: &str) -> Result<Candidate<'a>> {
    let is_it = |one: &Candidate<'a>| one.binary == name;
    let found: Vec<Candidate<'a>> = asked::all(main.workspace).filter(is_it).collect();
    let own = found.iter().find(|one| one.package.id == main.package.id);
    match (own, found.as_slice()) {
        (Some(own), _) => Ok(*own),
        (None, [one]) => Ok(*one),
        (None, []) => Err(unknown(main, name).into()),
        (None, several) => Err(ambiguous(several, name).into()),
    }
}

fn unknown(main: Candidate<'_>, name: &str) -> Fault {
    let known = asked::all(main.workspace).map(|one| format!("`{}`", one.binary));
    let known: Vec<String> = known.collect();
    Fault::refused(format!("the workspace has no binary `{name}`"))
        .because(format!("`binaries` wants it beside `{}`", main.binary))
        .because(format!("there is {}", known.join(", ")))
        .hint("name binaries of the workspace in `binaries` of .builder.yaml")
}

fn ambiguous(found: &[Candidate<'_>], name: &str) -> Fault {
    let packages: Vec<String> = found
        .iter()
        .map(|one| format!("`{}`", one.package.name))
        .collect();
    Fault::refused(format!("several packages have a binary `{name}`"))
        .because(format!("they are {}", packages.join(", ")))
        .hint("rename one in its `[[bin]]`: `binaries` of .builder.yaml names binaries alone")
}

/// Cargo would leave it out without a word.
fn refuse_lacking(one: Candidate<'_>, features: &Features) -> Result<()> {
    let needed = required(one.package, one.binary);
    let missing = features.missing(one.package, needed);
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("the binary `{}` needs features that are off", one.binary);
    Err(Fault::refused(message)
        .because(format!(
            "`required-features` names `{}`",
            missing.join("`, `")
        ))
        .hint(format!(
            "add `--features {}`, or name them in `features` of the build",
            missing.join(",")
        ))
        .into())
}

fn required<'a>(package: &'a Package, binary: &str) -> &'a [String] {
    let found = package
        .binaries
        .iter()
        .find(|bin: &&Bin| bin.name == binary);
    found
        .map(|bin| bin.required_features.as_slice())
        .unwrap_or_default()
}

/// Where the further binaries go: beside the main one, which lies at `path`.
pub(super) fn programs(wanted: &Wanted<'_>, path: &str) -> Result<Vec<Program>> {
    let directory = Path::new(path).parent().unwrap_or(Path::new("/"));
    let program = |one: &Candidate<'_>| {
        let at = directory.join(one.binary).display().to_string();
        let program = Program {
            package: one.package.id.clone(),
            binary: one.binary.to_owned(),
            path: at,
        };
        match program.path == path {
            true => Err(taken(wanted.candidate, &program).into()),
            false => Ok(program),
        }
    };
    wanted.further.iter().map(program).collect()
}

fn taken(main: Candidate<'_>, program: &Program) -> Fault {
    let message = format!(
        "the binaries `{}` and `{}` would both lie at {}",
        main.binary, program.binary, program.path
    );
    Fault::refused(message).hint("give the main one another `image: {path: …}` in .builder.yaml")
}

/// Refuses two files of one name in cargo's target directory: the later would stand in the images of both.
pub(super) fn refuse_collisions(jobs: &[Job]) -> Result<()> {
    let mut made = BTreeMap::new();
    for job in jobs {
        for (wanted, link) in pairs(job) {
            let key = (&job.target_directory, &wanted.binary, &link.platform);
            match made.insert(key, &wanted.package_id) {
                None => {}
                Some(other) if *other == wanted.package_id => {
                    return Err(two_terms(&wanted.binary).into());
                }
                Some(_) => return Err(twins(&wanted.binary).into()),
            }
        }
    }
    Ok(())
}

fn pairs(job: &Job) -> impl Iterator<Item = (&crate::compile::Wanted, &crate::toolchain::Link)> {
    let links = &job.links;
    let wanted = job.wanted.iter();
    wanted.flat_map(move |wanted| links.iter().map(move |link| (wanted, link)))
}

fn two_terms(binary: &str) -> Fault {
    Fault::refused(format!("the binary `{binary}` would be compiled in two ways"))
        .because("it belongs to two images whose builds differ in profile, features, flags, env or libc")
        .hint("give both entries of `builds` the same, or build the images one after the other with `--bin`")
}

fn twins(binary: &str) -> Fault {
    Fault::refused(format!("two packages of this run have a binary `{binary}`"))
        .because("cargo would write both to one file")
        .hint("rename one in its `[[bin]]`, or build the images one after the other with `-p`")
}

#[cfg(test)]
mod tests;
