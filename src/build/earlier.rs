//! Which image of an earlier build is meant, and where it shall go.
//!
//! An image is named as a build printed it. Nothing is made or changed here.

mod whither;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use crate::base::name::{Name, Pick};
use crate::build::Tools;
use crate::digest::{Descriptor, Digest};
use crate::fault::Fault;
use crate::media::REF_NAME;
use crate::plan::{NOWHERE, check_tag, refuse_registry};
use crate::publish::{Destination, Shelves};
use crate::reference::{Reference, is_host};
use crate::store::Store;

/// How many names an error lists.
const MOST_NAMES: usize = 8;

/// The words of a `rbuild push`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a> {
    pub(crate) image: &'a str,
    /// Where they were typed: a relative `oci:` directory lies below it.
    pub(crate) directory: &'a Path,
    pub(crate) destination: Option<&'a str>,
    pub(crate) tags: &'a [String],
    /// For an image that was built without one.
    pub(crate) repository: Option<&'a str>,
    /// The repository was typed for this very image, so it is refused where it says nothing.
    pub(crate) insists: bool,
}

/// What was typed, understood: an image, perhaps a destination, perhaps tags.
#[derive(Clone, Debug)]
pub(crate) struct Earlier {
    typed: String,
    image: Image,
    destination: Option<Reference>,
    tags: Vec<String>,
    repository: Option<String>,
    insists: bool,
}

/// The forms in which an image can be named.
#[derive(Clone, Debug)]
enum Image {
    Digest(Digest),
    Name(Reference),
    Layout(Store, Pick),
}

/// An image that is here, and where it goes.
pub(super) struct Found {
    pub(super) root: Digest,
    pub(super) to: Destination,
    pub(super) shelves: Shelves,
    /// Whether it was built here.
    pub(super) is_ours: bool,
}

impl Earlier {
    pub(crate) fn read(words: &Words<'_>, tools: &Tools<'_>) -> Result<Earlier> {
        words.tags.iter().try_for_each(|tag| check_tag(tag))?;
        let to = words.destination.map(destination).transpose()?;
        let tag = to.as_ref().and_then(|(_, tag)| tag.clone());
        let typed_tags = words.tags.iter().cloned().chain(tag).collect::<Vec<_>>();
        Ok(Earlier {
            typed: words.image.to_owned(),
            image: image(words.image, words.directory, tools)?,
            destination: to.map(|(repository, _)| repository),
            tags: typed_tags,
            repository: words.repository.map(str::to_owned),
            insists: words.insists,
        })
    }

    fn is_by_digest(&self) -> bool {
        match &self.image {
            Image::Digest(_) | Image::Layout(_, Pick::Digest(_)) => true,
            Image::Name(name) => name.digest.is_some(),
            Image::Layout(..) => false,
        }
    }
}

fn image(typed: &str, directory: &Path, tools: &Tools<'_>) -> Result<Image> {
    if typed.starts_with("sha256:") {
        let refused = |error| Fault::refused(format!("`{typed}` is not a digest: {error}"));
        return Ok(Image::Digest(typed.parse().map_err(refused)?));
    }
    if typed.starts_with("oci:")
        && let Name::Layout(directory, pick) = Name::parse(typed, directory)?
    {
        return Ok(Image::Layout(Store::source(&directory, tools.notes)?, pick));
    }
    let refused = |error| {
        Fault::refused(format!("cannot read the image: {error}")).hint(
            "name it as `rbuild build` printed it, by its digest, or as `oci:DIR[:NAME|@DIGEST]`",
        )
    };
    Ok(Image::Name(typed.parse().map_err(refused)?))
}

/// A repository, and the tag if one was typed: one that was not is no `latest` here.
fn destination(typed: &str) -> Result<(Reference, Option<String>)> {
    let refused = |error| Fault::refused(format!("cannot push there: {error}"));
    let reference: Reference = typed.parse().map_err(refused)?;
    if reference.digest.is_some() {
        let fault = Fault::refused(format!(
            "cannot push to `{typed}`: a digest cannot be chosen"
        ));
        return Err(fault.hint("write `REGISTRY/REPOSITORY:TAG`").into());
    }
    refuse_registry(typed.trim_end_matches('/'))?;
    let last = typed.rsplit('/').next().unwrap_or_default();
    let tag = reference.tag.clone().filter(|_| last.contains(':'));
    Ok((reference, tag))
}

/// Finds the image and decides where it goes.
pub(super) fn find(asked: &Earlier, tools: &Tools<'_>) -> Result<Found> {
    let store = match &asked.image {
        Image::Layout(layout, _) => layout,
        _ => tools.store,
    };
    let (root, home) = root(asked, store)?;
    let names = names(store, &root)?;
    let mut shelves = vec![tools.store.clone(), tools.cache.clone()];
    if let Image::Layout(layout, _) = &asked.image {
        shelves.insert(0, layout.clone());
    }
    Ok(Found {
        to: whither::where_to(asked, home, &names)?,
        root,
        shelves: Shelves(shelves),
        is_ours: !matches!(asked.image, Image::Layout(..)),
    })
}

/// The digest that is meant, with the name under which it was found.
fn root(asked: &Earlier, store: &Store) -> Result<(Digest, Option<Reference>)> {
    let found = match &asked.image {
        Image::Digest(digest) => here(digest, store)?.map(|root| (root, None)),
        Image::Name(name) => named(name, &asked.typed, store)?,
        Image::Layout(_, pick) => picked(pick, store)?,
    };
    found.ok_or_else(|| unknown(asked, store).into())
}

fn here(digest: &Digest, store: &Store) -> Result<Option<Digest>> {
    Ok(store.document(digest, None)?.map(|_| *digest))
}

/// By digest if there is one; a name without a registry may be one that had none. A digest says nothing about the name before it:
/// one without a registry would be taken for one of Docker Hub.
fn named(
    name: &Reference,
    typed: &str,
    store: &Store,
) -> Result<Option<(Digest, Option<Reference>)>> {
    if let Some(digest) = &name.digest {
        let home = names_registry(typed).then(|| name.clone());
        return Ok(here(digest, store)?.map(|root| (root, home)));
    }
    let nowhere = format!("{NOWHERE}/{typed}").parse::<Reference>().ok();
    for name in [Some(name.clone()), nowhere].into_iter().flatten() {
        if let Some(entry) = store.find(&name.recorded_names())? {
            return Ok(Some((entry.digest, Some(name))));
        }
    }
    Ok(None)
}

fn names_registry(typed: &str) -> bool {
    typed.split_once('/').is_some_and(|(host, _)| is_host(host))
}

fn picked(pick: &Pick, layout: &Store) -> Result<Option<(Digest, Option<Reference>)>> {
    let root = match pick {
        Pick::Digest(digest) => here(digest, layout)?,
        Pick::Named(name) => layout
            .find(std::slice::from_ref(name))?
            .map(|entry| entry.digest),
        Pick::Only => only(&layout.entries()?)?,
    };
    let name = match pick {
        Pick::Named(name) => full(name),
        _ => None,
    };
    Ok(root.map(|root| (root, name)))
}

fn only(entries: &[Descriptor]) -> Result<Option<Digest>> {
    let digests: BTreeSet<Digest> = entries.iter().map(|entry| entry.digest).collect();
    if digests.len() > 1 {
        let fault = Fault::refused(format!("the layout holds {} images", digests.len()));
        return Err(fault
            .hint("choose one: `oci:DIR:NAME` or `oci:DIR@sha256:…`")
            .into());
    }
    Ok(digests.into_iter().next())
}

/// A recorded name that begins with a registry.
fn full(name: &str) -> Option<Reference> {
    names_registry(name).then(|| name.parse().ok())?
}

/// All names that the store has for an image.
fn names(store: &Store, root: &Digest) -> Result<Vec<Reference>> {
    let entries = store.entries()?.into_iter();
    let entries = entries.filter(|entry| entry.digest == *root);
    Ok(entries
        .filter_map(|entry| full(entry.annotation(REF_NAME)?))
        .collect())
}

fn unknown(asked: &Earlier, store: &Store) -> Fault {
    let place = store.root().display();
    let mut fault = Fault::refused(format!("there is no image `{}` in {place}", asked.typed));
    let names = store.entries().unwrap_or_default().into_iter();
    let names = names.filter_map(|entry| entry.annotation(REF_NAME).map(str::to_owned));
    let mut names: Vec<String> = names.collect();
    let more = names.len().saturating_sub(MOST_NAMES);
    names.truncate(MOST_NAMES);
    for name in &names {
        fault = fault.because(format!("there is `{name}`"));
    }
    if names.is_empty() {
        fault = fault.because("there is none at all");
    }
    if more > 0 {
        fault = fault.because(format!("and {more} more"));
    }
    fault.hint("build it first: `rbuild build . --push=false`")
}

#[cfg(test)]
mod tests;
