//! Where an image of an earlier build goes, and under which tags: as typed, else as it was named.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::build::earlier::Earlier;
use crate::fault::Fault;
use crate::plan::NOWHERE;
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
    let to = asked.destination.clone().or_else(|| home.clone());
    let to = to.filter(|to| to.registry != NOWHERE);
    let repository = to.ok_or_else(|| nowhere(asked))?;
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

fn nowhere(asked: &Earlier) -> Fault {
    let typed = &asked.typed;
    Fault::refused(format!("nothing says where to push `{typed}`"))
        .because("it was built without a repository")
        .hint(format!(
            "name one: `rbuild push {typed} registry.example/team/app`"
        ))
}
