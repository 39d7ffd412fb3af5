//! From an index to the images that it offers: nested indexes, children that name no platform, the one that fits best.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::base::Choice;
use crate::base::document::{self, Document, Manifest};
use crate::base::documents::Documents;
use crate::digest::{Descriptor, Digest};
use crate::fault::{Fault, Kind};
use crate::media::{self, DEEPEST};
use crate::platform::Platform;

/// A pointer to a manifest or index: descriptors know type and size, references only the digest.
#[derive(Clone, Debug)]
pub(super) struct Pointer {
    pub(super) digest: Digest,
    pub(super) media_type: Option<String>,
    pub(super) size: Option<u64>,
    pub(super) platform: Option<Platform>,
}

impl Pointer {
    pub(super) fn of(descriptor: &Descriptor) -> Pointer {
        Pointer {
            digest: descriptor.digest,
            media_type: Some(descriptor.media_type.clone()),
            size: Some(descriptor.size),
            platform: descriptor
                .rest
                .get("platform")
                .and_then(Platform::from_value),
        }
    }

    pub(super) fn pinned(digest: Digest) -> Pointer {
        Pointer {
            digest,
            media_type: None,
            size: None,
            platform: None,
        }
    }
}

/// An image that a base offers, with its manifest still unread where the index told the platform.
#[derive(Clone)]
pub(super) struct Offer {
    pub(super) platform: Platform,
    pub(super) pointer: Pointer,
}

/// A walk from an index down to every image that can be told apart by platform. Unknown entries are passed over, because an
/// index may list images that nobody wants here; damage is an error.
pub(super) struct Walk<'a> {
    documents: &'a Documents<'a>,
    seen: BTreeSet<Digest>,
    pub(super) offers: Vec<Offer>,
    /// The first document that had to be opened and is not here: what would have fitted may lie behind it.
    absent: Option<Fault>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(documents: &'a Documents<'a>, root: Digest) -> Walk<'a> {
        Walk {
            documents,
            seen: BTreeSet::from([root]),
            offers: Vec::new(),
            absent: None,
        }
    }

    /// Looks at the children of the outermost index.
    pub(super) fn begin(&mut self, children: &[Descriptor]) -> Result<()> {
        self.enter(children, DEEPEST - 1)
    }

    /// Looks at the children of an index, below which `depth` more may lie.
    fn enter(&mut self, children: &[Descriptor], depth: usize) -> Result<()> {
        for child in children {
            let pointer = Pointer::of(child);
            let unknown = child.rest.contains_key("platform") && pointer.platform.is_none();
            if unknown || !self.seen.insert(child.digest) {
                continue;
            }
            if media::is_index(&child.media_type) {
                self.nested(&pointer, depth)?;
            } else if media::is_manifest(&child.media_type) {
                self.offered(pointer)?;
            }
        }
        Ok(())
    }

    fn nested(&mut self, pointer: &Pointer, depth: usize) -> Result<()> {
        let Some(depth) = depth.checked_sub(1) else {
            let message = format!("its indexes nest deeper than {DEEPEST} levels");
            return Err(Fault::new(Kind::Disk, message).into());
        };
        match self.open("index", pointer)? {
            Some(Document::Index(children)) => self.enter(&children, depth),
            _ => Ok(()),
        }
    }

    /// A child manifest whose entry tells no platform must be opened for its config's.
    fn offered(&mut self, pointer: Pointer) -> Result<()> {
        let platform = match &pointer.platform {
            Some(platform) => Some(platform.clone()),
            None => self.platform_in(&pointer)?,
        };
        self.offers
            .extend(platform.map(|platform| Offer { platform, pointer }));
        Ok(())
    }

    /// The platform that the config of a manifest names; `None` for what is no image, a signature for instance.
    fn platform_in(&mut self, pointer: &Pointer) -> Result<Option<Platform>> {
        let Some(Document::Manifest(manifest)) = self.open("manifest", pointer)? else {
            return Ok(None);
        };
        if !media::is_config(&manifest.config.media_type) {
            return Ok(None);
        }
        let Some(config) = config_here(&manifest, self.documents)? else {
            self.miss("config", &Pointer::of(&manifest.config));
            return Ok(None);
        };
        Ok(Platform::from_value(&config))
    }

    /// The document that a child points at; `None` if it is not here, which is remembered.
    fn open(&mut self, what: &str, pointer: &Pointer) -> Result<Option<Document>> {
        let Some(bytes) = self.documents.manifest(&pointer.digest, pointer.size)? else {
            self.miss(what, pointer);
            return Ok(None);
        };
        let document = document::read(&bytes, pointer.media_type.as_deref());
        document.map(Some).with_context(|| damaged(pointer))
    }

    fn miss(&mut self, what: &str, pointer: &Pointer) {
        let documents = self.documents;
        self.absent
            .get_or_insert_with(|| documents.absent(what, pointer));
    }

    /// The offers that are wanted, each with the platform that it was asked for.
    pub(super) fn chosen(&self, choice: Choice<'_>) -> Result<Vec<Offer>, Fault> {
        let platforms = match choice {
            Choice::These(platforms) => platforms,
            Choice::All => return self.all(),
            Choice::Compilable => return self.compilable(),
        };
        let asked_for = |platform: &Platform| {
            let pointer = self.best(platform)?.pointer.clone();
            let platform = platform.clone();
            Ok(Offer { platform, pointer })
        };
        platforms.iter().map(asked_for).collect()
    }

    /// Every offer; none at all is a refusal.
    fn all(&self) -> Result<Vec<Offer>, Fault> {
        match (self.offers.is_empty(), &self.absent) {
            (false, _) => Ok(self.offers.clone()),
            (true, Some(absent)) => Err(absent.clone()),
            (true, None) => Err(Fault::refused("it has no image for any platform")),
        }
    }

    /// One offer for each platform that can be compiled for, in the order of the index.
    fn compilable(&self) -> Result<Vec<Offer>, Fault> {
        let mut seen = BTreeSet::new();
        let mut offers = self.all()?;
        offers
            .retain(|offer| is_compilable(&offer.platform) && seen.insert(offer.platform.clone()));
        match offers.is_empty() {
            false => Ok(offers),
            true => Err(nothing_compilable(&self.offers)),
        }
    }

    /// The platforms of the others, each once, sorted.
    pub(super) fn left_out(&self) -> Vec<Platform> {
        let platforms = self.offers.iter().map(|offer| &offer.platform);
        let others: BTreeSet<&Platform> = platforms.filter(|one| !is_compilable(one)).collect();
        others.into_iter().cloned().collect()
    }

    /// The same platform to the letter, else the first that will do. None at all is a refusal only if all of the index was seen.
    fn best(&self, wanted: &Platform) -> Result<&Offer, Fault> {
        let exact = self.offers.iter().find(|offer| offer.platform == *wanted);
        let fits = |offer: &&Offer| wanted.accepts(&offer.platform);
        let found = exact.or_else(|| self.offers.iter().find(fits));
        found.ok_or_else(|| match &self.absent {
            Some(absent) => absent
                .clone()
                .because(format!("what is here has no image for {wanted}")),
            None => no_platform(wanted, &self.offers),
        })
    }
}

fn is_compilable(platform: &Platform) -> bool {
    platform.gnu_target().is_some()
}

fn nothing_compilable(offers: &[Offer]) -> Fault {
    Fault::refused("it has no image for any platform that rbuild can compile for")
        .because(format!("it offers {}", offered(offers)))
        .because(format!(
            "rbuild compiles for {}",
            Platform::known().join(", ")
        ))
        .hint("choose another base with `--base`")
}

fn no_platform(wanted: &Platform, offers: &[Offer]) -> Fault {
    Fault::refused(format!("it has no image for {wanted}"))
        .because(format!("it offers {}", offered(offers)))
        .hint("choose one of these with `--platform`, or another base with `--base`")
}

/// Every platform of an index, as part of a sentence.
fn offered(offers: &[Offer]) -> String {
    let names: BTreeSet<String> = offers
        .iter()
        .map(|offer| offer.platform.to_string())
        .collect();
    if names.is_empty() {
        return "nothing".to_owned();
    }
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// The config of a manifest, held against it; `None` when it is nowhere.
pub(super) fn config_here(manifest: &Manifest, documents: &Documents<'_>) -> Result<Option<Value>> {
    let config = &manifest.config;
    let Some(bytes) = documents.config(config)? else {
        return Ok(None);
    };
    let read = document::config(&bytes, manifest.layers.len());
    read.map(Some)
        .with_context(|| format!("the config {} is damaged", config.digest))
}

pub(super) fn damaged(pointer: &Pointer) -> String {
    format!("cannot use the manifest {}", pointer.digest)
}
