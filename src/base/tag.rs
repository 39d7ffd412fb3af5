//! What a tag means: the registry's word where there is a network, else the word of the cache, told with its age.
//!
//! A tag that the registry cannot be asked about is taken as recorded, unless the shelf insists; one that it denies is not.

use anyhow::Result;

use crate::base::absent;
use crate::base::asked;
use crate::base::document;
use crate::base::{Choice, Shelf};
use crate::digest::{Descriptor, Digest};

use crate::reference::Reference;
use crate::registry::{Cause, Error, Registry};
use crate::store;

/// The digest of a tag; media type and size are known only where the cache told them.
pub(crate) enum Meaning {
    Recorded(Descriptor),
    Asked(Digest),
}

/// Looks a tag up; the choice is for the hint alone.
pub(crate) fn meaning(tag: &Reference, choice: Choice<'_>, shelf: Shelf<'_>) -> Result<Meaning> {
    match shelf.registry {
        None => recorded(tag, choice, shelf),
        Some(registry) => asked(tag, registry, shelf),
    }
}

fn recorded(tag: &Reference, choice: Choice<'_>, shelf: Shelf<'_>) -> Result<Meaning> {
    let found = shelf.cache.find(&tag.recorded_names())?;
    let found = found.ok_or_else(|| absent::no_such_tag(tag, choice, shelf.cache))?;
    shelf.notes.say(absent::recorded_tag(tag, &found, shelf));
    Ok(Meaning::Recorded(found))
}

fn asked(tag: &Reference, registry: &Registry, shelf: Shelf<'_>) -> Result<Meaning> {
    match registry.look(tag) {
        Ok(Some(found)) => Ok(Meaning::Asked(found.digest)),
        Ok(None) => Err(absent::no_tag_there(tag).into()),
        Err(error) if is_away(error.cause) && !shelf.insists => in_its_absence(tag, error, shelf),
        Err(error) => Err(error.into()),
    }
}

/// Whether nobody could answer, now.
fn is_away(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::Unreachable | Cause::Status(408 | 425 | 429 | 499 | 500..)
    )
}

/// What the cache records, with a note that says why; without a record the error stands.
fn in_its_absence(tag: &Reference, error: Error, shelf: Shelf<'_>) -> Result<Meaning> {
    let Ok(Some(found)) = shelf.cache.find(&tag.recorded_names()) else {
        return Err(error.into());
    };
    let note = absent::recorded_tag(tag, &found, shelf);
    shelf.notes.say(format!("{note}, because {}", why(&error)));
    Ok(Meaning::Recorded(found))
}

/// The error with its reasons, on one line.
fn why(error: &Error) -> String {
    let fault = error.fault();
    let reasons = fault.reasons().iter().cloned();
    let all: Vec<String> = [fault.to_string()].into_iter().chain(reasons).collect();
    all.join(": ")
}

/// What a registry said, to be recorded once all that was asked for is here.
#[must_use]
#[derive(Debug)]
pub(crate) struct News {
    reference: Reference,
    root: Descriptor,
}

impl News {
    /// `bytes` are those of the digest.
    pub(crate) fn of(reference: &Reference, digest: Digest, bytes: &[u8]) -> Result<News> {
        let media_type = document::media_type_of(bytes)?;
        Ok(News {
            reference: reference.clone(),
            root: Descriptor::new(media_type, digest, bytes.len() as u64),
        })
    }

    /// Gives it a name in the cache. A cache that cannot be written is left alone.
    pub(crate) fn record(&self, shelf: Shelf<'_>) -> Result<()> {
        match bound(&self.reference, &self.root, shelf) {
            Err(error) if error.is_unwritable() => {
                shelf.notes.say(absent::unwritable(&error, shelf));
                Ok(())
            }
            done => Ok(done?),
        }
    }
}

fn bound(
    reference: &Reference,
    descriptor: &Descriptor,
    shelf: Shelf<'_>,
) -> Result<(), store::Error> {
    let names = reference.recorded_names();
    let known = shelf.cache.find(&names).ok().flatten();
    if known.is_none_or(|known| known.digest != descriptor.digest) {
        let full = reference.to_string();
        let name = names.first().filter(|_| reference.digest.is_none());
        shelf.cache.sync()?;
        shelf.cache.bind(name.unwrap_or(&full), descriptor)?;
    }
    asked::remember(reference, &descriptor.digest, shelf.cache);
    Ok(())
}
