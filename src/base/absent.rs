//! What to say when a base cannot be had: what is missing, where it was looked for, what would mend it.
//!
//! Without a network that ends with exit code 4, with one it is the registry that lacks something. Words only: nothing is decided here.

use std::collections::BTreeSet;

use crate::base::asked;
use crate::base::document::{self, Document};
use crate::base::lock;
use crate::base::{Base, Choice, Shelf};
use crate::digest::{Descriptor, Digest};
use crate::fault::{Fault, Kind};
use crate::media;
use crate::platform::{ALL, Platform};
use crate::reference::Reference;
use crate::store::{self, Store};
use crate::words::counted;

/// At most this many digests are listed.
const LISTED: usize = 5;

fn offline(message: impl Into<String>) -> Fault {
    Fault::new(Kind::Offline, message)
}

fn looked_in(store: &Store) -> String {
    format!("it is not in {}", store.root().display())
}

/// The command that fetches metadata, or more with `depth`, for these platforms.
pub(crate) fn warm(depth: &str, name: &str, choice: Choice<'_>) -> String {
    let platforms = match choice {
        Choice::These([]) => String::new(),
        Choice::These(some) => {
            let names: Vec<String> = some.iter().map(ToString::to_string).collect();
            format!("--platform {} ", names.join(","))
        }
        Choice::All | Choice::Compilable => format!("--platform {ALL} "),
    };
    format!("`rbuild cache warm {depth}{platforms}{name}`")
}

fn pull(name: &str, choice: Choice<'_>, store: &Store) -> String {
    format!(
        "run {} once while online, or `crane pull --format oci --annotate-ref {name} {}`",
        warm("", name, choice),
        store.root().display()
    )
}

/// A manifest, index or config that a document points at.
#[derive(Clone, Copy)]
pub(crate) struct Lost<'a> {
    /// The word for it.
    pub(crate) what: &'a str,
    pub(crate) digest: &'a Digest,
    pub(crate) size: Option<u64>,
    /// Whose image it belongs to, where that is known.
    pub(crate) platform: Option<&'a Platform>,
}

impl Lost<'_> {
    fn message(self) -> String {
        let size = self.size.map(|size| format!(" ({size} bytes)"));
        let platform = self.platform.map(|platform| format!(" for {platform}"));
        format!(
            "the {} {}{}{} is missing",
            self.what,
            self.digest,
            size.unwrap_or_default(),
            platform.unwrap_or_default()
        )
    }
}

/// What the cache does not have of an image that is partly there.
pub(crate) fn of_cache(
    lost: Lost<'_>,
    (reference, choice): (&Reference, Choice<'_>),
    cache: &Store,
) -> Fault {
    offline(lost.message()).because(looked_in(cache)).hint(pull(
        &reference.to_string(),
        choice,
        cache,
    ))
}

/// As [`of_cache`], for a layout on disk.
pub(crate) fn of_layout(lost: Lost<'_>, layout: &Store) -> Fault {
    let mend = format!(
        "copy the image to {} again, whole, with the tool that wrote it",
        layout.root().display()
    );
    offline(lost.message())
        .because(looked_in(layout))
        .hint(mend)
}

/// What neither the cache nor the registry has.
pub(crate) fn not_served(lost: Lost<'_>, repository: &Reference) -> Fault {
    Fault::new(Kind::Registry, lost.message())
        .because(format!(
            "neither `{}` nor a mirror of it has it",
            repository.name()
        ))
        .hint("it may have been deleted there: name another tag or digest")
}

/// A tag that the registry does not know.
pub(crate) fn no_tag_there(tag: &Reference) -> Fault {
    let name = tag.tag.as_deref().unwrap_or_default();
    let message = format!("there is no tag `{name}` in `{}`", tag.name());
    Fault::new(Kind::Registry, message)
        .hint("look for a slip in the name; a repository that is not yours to see may be denied in the same words")
}

/// The note for a cache that keeps nothing: the same whatever could not be written there.
pub(crate) fn unwritable(error: &store::Error, shelf: Shelf<'_>) -> String {
    let fault = error.fault();
    let why = fault.reasons().first().cloned().unwrap_or_default();
    format!(
        "{} cannot be written ({why}): what is fetched is kept in {} instead",
        shelf.cache.root().display(),
        shelf.spare.root().display()
    )
}

/// A tag that no entry of the cache carries. The digests that are here, and the pin to write, are the way out.
pub(crate) fn no_such_tag(reference: &Reference, choice: Choice<'_>, cache: &Store) -> Fault {
    let fault = offline(format!("the cache records no name `{reference}`"))
        .because(format!("it was looked for in {}", cache.root().display()));
    let pull = pull(&reference.to_string(), choice, cache);
    let entries = cache.entries().unwrap_or_default();
    if entries.is_empty() {
        return fault.because("the cache is empty").hint(pull);
    }
    let nameless = entries.iter().filter(|entry| may_be(entry, reference));
    let nameless: BTreeSet<String> = nameless.map(|entry| entry.digest.to_string()).collect();
    let Some(first) = nameless.first() else {
        return fault
            .because("what the cache holds has other names")
            .hint(pull);
    };
    let listed: Vec<&str> = nameless.iter().take(LISTED).map(String::as_str).collect();
    let more = match nameless.len() {
        count if count > LISTED => format!(" and {} more", count - LISTED),
        _ => String::new(),
    };
    fault
        .because(format!(
            "the cache holds {}{more}, without that name",
            listed.join(", ")
        ))
        .hint(format!(
            "pin what you mean: `{}@{first}`, if that is the image",
            reference.name()
        ))
        .hint(pull)
}

/// Whether an entry may be an image of this repository: it has no full name, or one of the repository.
fn may_be(entry: &Descriptor, reference: &Reference) -> bool {
    let Some(name) = entry.annotation(media::REF_NAME) else {
        return true;
    };
    let name = name.strip_prefix("index.").unwrap_or(name);
    let rest = name.strip_prefix(&reference.name());
    !name.contains('/') || rest.is_some_and(|rest| rest.starts_with([':', '@']))
}

/// A pinned digest whose blob is not here; an image of the platform may be, if only that was pulled.
pub(crate) fn pin_not_here(reference: &Reference, choice: Choice<'_>, cache: &Store) -> Fault {
    let mut fault = offline(format!(
        "the manifest or index it is pinned to is missing: {}",
        digest(reference)
    ))
    .because(looked_in(cache));
    let images = images_here(reference, choice.platforms(), cache);
    for (platform, digest) in &images {
        fault = fault.because(format!("an image for {platform} is here: {digest}"));
    }
    if let [(_, digest)] = images.as_slice() {
        fault = fault.hint(format!(
            "if that is the image you want, pin it: `{}@{digest}`",
            reference.name()
        ));
    }
    fault.hint(pull(&reference.to_string(), choice, cache))
}

/// The same error, with where its digest was written.
pub(crate) fn locked(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<Fault>() {
        Ok(fault) => fault.because(format!("{} pins it", lock::FILE)).into(),
        Err(error) => error,
    }
}

fn digest(reference: &Reference) -> String {
    reference
        .digest
        .map_or_else(String::new, |digest| digest.to_string())
}

/// The single images that the cache holds for one of `platforms`.
fn images_here(
    reference: &Reference,
    platforms: &[Platform],
    cache: &Store,
) -> Vec<(Platform, Digest)> {
    let entries = cache.entries().unwrap_or_default();
    let mut images: Vec<(Platform, Digest)> = entries
        .iter()
        .filter(|entry| may_be(entry, reference))
        .filter_map(|entry| image_platform(entry, cache))
        .collect();
    images.retain(|(offered, _)| platforms.iter().any(|wanted| wanted.accepts(offered)));
    images.sort();
    images.dedup();
    images.truncate(LISTED);
    images
}

fn image_platform(entry: &Descriptor, cache: &Store) -> Option<(Platform, Digest)> {
    if !media::is_manifest(&entry.media_type) {
        return None;
    }
    if let Some(platform) = entry.rest.get("platform").and_then(Platform::from_value) {
        return Some((platform, entry.digest));
    }
    let bytes = cache.document(&entry.digest, Some(entry.size)).ok()??;
    let Ok(Document::Manifest(manifest)) = document::read(&bytes, None) else {
        return None;
    };
    let config = cache.document(&manifest.config.digest, None).ok()??;
    let config = document::config(&config, manifest.layers.len()).ok()?;
    Some((Platform::from_value(&config)?, entry.digest))
}

/// Layers that nobody may be asked for.
pub(crate) fn layers(base: &Base, absent: &[Descriptor]) -> Fault {
    let message = format!("layers of `{}` are not here", base.name);
    let fault = absent.iter().fold(offline(message), |fault, layer| {
        fault.because(format!("missing {} ({} bytes)", layer.digest, layer.size))
    });
    base.way_to_layers().into_iter().fold(fault, Fault::hint)
}

/// An `oci:DIR:NAME` whose name no entry carries.
pub(crate) fn no_such_name(name: &str, store: &Store) -> Fault {
    let entries = store.entries().unwrap_or_default();
    let fault = offline(format!("no entry is named `{name}`"))
        .because(format!("it was looked for in {}", store.root().display()));
    with_choices(fault, &entries).hint("write the name as it is recorded: `oci:DIR:NAME`")
}

/// An `oci:DIR` that is not there: a slip in the path, which no network mends.
pub(crate) fn no_directory(store: &Store) -> Fault {
    Fault::refused(format!("there is no directory {}", store.root().display()))
        .hint("`oci:DIR` names a directory of this machine that is an OCI layout")
}

/// An `oci:DIR` that holds nothing.
pub(crate) fn empty_layout(store: &Store) -> Fault {
    offline(format!("{} holds no image", store.root().display()))
        .hint("an OCI layout has an index.json that lists its images")
}

/// An `oci:DIR` that holds several images.
pub(crate) fn several_entries(entries: &[Descriptor], store: &Store) -> Fault {
    let fault = Fault::refused(format!(
        "{} holds {} images",
        store.root().display(),
        entries.len()
    ));
    with_choices(fault, entries).hint("choose one with `oci:DIR:NAME` or `oci:DIR@sha256:…`")
}

fn with_choices(fault: Fault, entries: &[Descriptor]) -> Fault {
    entries.iter().take(LISTED).fold(fault, |fault, entry| {
        let name = entry
            .annotation(media::REF_NAME)
            .unwrap_or("without a name");
        fault.because(format!("it holds {} {name}", entry.digest))
    })
}

/// The note for a tag that was taken from the cache as recorded, with its age.
pub(crate) fn recorded_tag(reference: &Reference, found: &Descriptor, shelf: Shelf<'_>) -> String {
    let recorded = asked::time(reference, &found.digest, shelf.cache)
        .or_else(|| shelf.cache.recorded_at(&found.digest)) // another tool's name
        .and_then(|time| shelf.now.duration_since(time).ok());
    let age = recorded.map_or_else(|| "at an unknown time".to_owned(), |age| ago(age.as_secs()));
    format!(
        "`{reference}` is taken as recorded in the cache {age}: {}",
        found.digest
    )
}

fn ago(seconds: u64) -> String {
    match seconds {
        0..3_600 => format!("{} ago", counted(seconds / 60, "minute")),
        3_600..172_800 => format!("{} ago", counted(seconds / 3_600, "hour")),
        _ => format!("{} ago", counted(seconds / 86_400, "day")),
    }
}
