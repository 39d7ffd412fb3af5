//! Where an image of an earlier build goes, and under which tags: as typed, else as it was named.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::build::earlier::{Earlier, MOST_NAMES};
use crate::fault::Fault;
use crate::plan::{self, NOWHERE};
use crate::publish::Destination;
use crate::reference::Reference;

/// The destination that was typed, else the repository that the image was named in; tags likewise, else `latest`. An image that was
/// given by its digest gets no tag that nobody named.
pub(super) fn where_to(
    asked: &Earlier,
    home: Option<Reference>,
    names: &[Reference],
) -> Result<Destination> {
    let home = home.or_else(|| sole(names));
    let to = match &asked.destination {
        Some(typed) => Some(typed.clone()),
        None => named(asked, home.as_ref())?,
    };
    let to = to.filter(|to| to.registry != NOWHERE);
    let repository = to.ok_or_else(|| nowhere(asked, home.as_ref(), names))?;
    let mut tags = asked.tags.clone();
    if tags.is_empty() {
        tags = tags_of(home.as_ref(), names);
    }
    if tags.is_empty() && !asked.is_by_digest() {
        tags.push("latest".to_owned());
    }
    let mut seen = BTreeSet::new();
    tags.retain(|tag| seen.insert(tag.clone()));
    Ok(Destination { repository, tags })
}

/// Where its name says; without a registry it is a name in the repository of the flag or the environment.
fn named(asked: &Earlier, home: Option<&Reference>) -> Result<Option<Reference>> {
    match (home, &asked.repository) {
        (Some(home), Some(repository)) if home.registry == NOWHERE => {
            plan::name_in(repository, &home.repository).map(Some)
        }
        (Some(home), _) if home.registry == NOWHERE => Ok(None),
        (Some(home), _) if asked.insists => Err(settled(asked, home).into()),
        (home, _) => Ok(home.cloned()),
    }
}

fn settled(asked: &Earlier, home: &Reference) -> Fault {
    let typed = &asked.typed;
    Fault::refused(format!("`{typed}` was built for `{}`", home.name()))
        .because("`--repo` is for an image that was built without a repository")
        .hint(format!(
            "name the place: `rbuild push {typed} registry.example/team/app`, or leave `--repo` out"
        ))
}

/// The repository that all names have in common.
fn sole(names: &[Reference]) -> Option<Reference> {
    let first = names.first()?;
    let same = names.iter().all(|name| name.name() == first.name());
    same.then(|| Reference {
        tag: None,
        ..first.clone()
    })
}

/// The tag by which the image was found, else those that it was built with.
fn tags_of(home: Option<&Reference>, names: &[Reference]) -> Vec<String> {
    if let Some(tag) = home.and_then(|home| home.tag.clone()) {
        return vec![tag];
    }
    let of_home = |name: &&Reference| home.is_some_and(|home| home.name() == name.name());
    let tags = names.iter().filter(of_home);
    tags.filter_map(|name| name.tag.clone()).collect()
}

fn nowhere(asked: &Earlier, home: Option<&Reference>, names: &[Reference]) -> Fault {
    let typed = &asked.typed;
    let fault = Fault::refused(format!("nothing says where to push `{typed}`"));
    let repositories: BTreeSet<String> = names.iter().map(Reference::name).collect();
    let hint = format!("name one: `rbuild push {typed} registry.example/team/app`");
    if home.is_some() {
        return fault
            .because("it was built without a repository")
            .hint(hint)
            .hint("or set `RBUILD_REPO=registry.example/team`, or add `--repo`");
    }
    let why = match repositories.is_empty() {
        true => "no name that is known here means it".to_owned(),
        false => format!("it has names in {} repositories", repositories.len()),
    };
    let listed = repositories.iter().take(MOST_NAMES);
    let listed = listed.map(|name| format!("one is `{name}`"));
    listed.fold(fault.because(why), Fault::because).hint(hint)
}
