//! `cache rm`: names and digests that the user is done with, and the blobs that only they needed.
//!
//! What another entry, a kept image or the project's lock needs stays, and a digest that they need is refused.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::cache::roots::{Entry, Needs};
use crate::cache::taken::{Part, Taken};
use crate::digest::Digest;
use crate::fault::Fault;
use crate::reference::Reference;
use crate::store::Store;

/// Takes the entries away that have one of these names or digests. All words are understood before anything goes.
///
/// Errors: `Refused` for a word that means nothing here and for a blob that others need; `Busy` where somebody else is.
pub(crate) fn remove(
    words: &[String],
    parts: &[(Part, &Store)],
    locked: &BTreeSet<Digest>,
) -> Result<Taken> {
    let mut needs = Needs::read(parts, locked)?;
    let mut entries = BTreeSet::new();
    let mut loose = Vec::new();
    for word in words {
        let found = matching(word, &needs);
        match (found.is_empty(), word.parse::<Digest>()) {
            (false, _) => entries.extend(found),
            (true, Ok(digest)) => loose.push((word, digest)),
            (true, Err(_)) => return Err(no_such_entry(word, &needs.entries).into()),
        }
    }
    for (word, digest) in &loose {
        look(word, digest, &needs, &entries)?;
    }
    for entry in entries {
        needs.let_go(entry, &|_| true);
    }
    for (_, digest) in loose {
        for one in needs.below(&digest)? {
            needs.let_loose_go(&one, &|_| true);
        }
    }
    needs.take()
}

/// The entries that a word means: by digest, by the name as it is listed, by the names that a reference may be recorded under.
fn matching(word: &str, needs: &Needs<'_>) -> Vec<usize> {
    let digest = word.parse::<Digest>().ok();
    let reference = word.parse::<Reference>().ok();
    let mut names = vec![word.to_owned()];
    if let Some(reference) = reference {
        names.push(reference.to_string());
        names.extend(
            reference
                .recorded_names()
                .into_iter()
                .filter(|_| reference.digest.is_none()),
        );
    }
    let is_named = |name: &Option<String>| name.as_ref().is_some_and(|name| names.contains(name));
    let entries = needs.entries.iter().enumerate();
    let found = entries.filter(|(_, entry)| {
        digest == Some(entry.digest) || is_named(&entry.name) || is_named(&entry.other)
    });
    found.map(|(place, _)| place).collect()
}

/// Refuses a blob that is not here, or that somebody needs who stays.
fn look(word: &str, digest: &Digest, needs: &Needs<'_>, going: &BTreeSet<usize>) -> Result<()> {
    if !needs.blobs.iter().any(|blobs| blobs.contains_key(digest)) {
        return Err(no_such_entry(word, &needs.entries).into());
    }
    let staying = needs
        .entries
        .iter()
        .enumerate()
        .filter(|(place, _)| !going.contains(place));
    let mut users = staying.filter(|(_, entry)| entry.leads_to(digest));
    if let Some((_, user)) = users.next() {
        let name = user.name.clone().unwrap_or_else(|| user.digest.to_string());
        return Err(Fault::refused(format!("{digest} is a part of `{name}`"))
            .hint(format!("`rbuild cache rm {name}` takes all of it away"))
            .into());
    }
    match needs.is_held(digest) {
        true => Err(Fault::refused(format!("builder.lock needs {digest}")).into()),
        false => Ok(()),
    }
}

/// The error for names that no entry has, with those that look like them.
fn no_such_entry(word: &str, entries: &[Entry]) -> Fault {
    let mut names: Vec<(&str, &str)> = entries
        .iter()
        .filter_map(|entry| Some((entry.name.as_deref()?, entry.part.name())))
        .collect();
    let likeness = |name: &str| {
        let part = if name.contains(word) || word.contains(name) {
            1.0
        } else {
            0.0
        };
        -(strsim::jaro_winkler(name, word) + part)
    };
    names.sort_by(|one, other| {
        likeness(one.0)
            .total_cmp(&likeness(other.0))
            .then(one.cmp(other))
    });
    names.dedup();
    let fault = Fault::refused(format!("the cache has no `{word}`"));
    let fault = names.iter().take(3).fold(fault, |fault, (name, part)| {
        fault.because(format!("it has `{name}` in `{part}`"))
    });
    fault.hint("`rbuild cache ls` lists the bases, which lie in `img`; images that rbuild built lie in `build`, and it does not list them")
}
