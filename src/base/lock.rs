//! `builder.lock`: what the names of the configuration meant when they were pinned.
//!
//! A lock stands over every registry and every record, so it is read strictly and believed in nothing that a digest does not prove:
//! an image that is not the one it lists is an error. Nothing here asks a registry or a clock.

use std::path::Path;

use serde_json::{Value, json};

use crate::base::Base;
use crate::base::lock_reader;
use crate::config::Config;
use crate::digest::Digest;
use crate::fault::Fault;
use crate::json;
use crate::platform::{ALL, Platform, Platforms};
use crate::reference::Reference;

/// How the file is called; it lies beside `.builder.yaml`, or in the root of the workspace without one.
pub(crate) const FILE: &str = "builder.lock";

/// The one version that is read and written.
pub(super) const VERSION: u64 = 1;

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lock {
    /// [`configuration`] of what it was made for.
    pub(crate) configuration: Digest,
    /// Sorted by name, each once.
    pub(crate) bases: Vec<LockedBase>,
}

/// One name, and what it meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LockedBase {
    pub(crate) name: Reference,
    /// Of the index, or of the only image.
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    /// Whether the digest is that of an index.
    pub(crate) is_index: bool,
    /// Who said so.
    pub(crate) source: Source,
    /// When that was, in RFC 3339.
    pub(crate) time: String,
    /// Sorted by platform, each once.
    pub(crate) images: Vec<LockedImage>,
}

/// One platform's image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LockedImage {
    pub(crate) platform: Platform,
    pub(crate) manifest: Digest,
    /// Of the manifest.
    pub(crate) media_type: String,
    pub(crate) config: Digest,
}

/// Where the digest came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The name itself holds it.
    Name,
    Registry,
    /// What the cache had recorded, without a network.
    Cache,
}

impl Source {
    pub(super) const ALL: [Source; 3] = [Source::Name, Source::Registry, Source::Cache];

    pub(super) fn word(self) -> &'static str {
        match self {
            Source::Name => "name",
            Source::Registry => "registry",
            Source::Cache => "cache",
        }
    }
}

/// The checksum of what names bases in a configuration: default base, overrides, platforms. Nothing else changes it.
pub(crate) fn configuration(config: &Config) -> Digest {
    let platforms = match &config.default_platforms {
        Platforms::All => vec![ALL.to_owned()],
        named => named.named().iter().map(ToString::to_string).collect(),
    };
    let value = json!({
        "defaultBaseImage": config.default_base_image,
        "baseImageOverrides": config.base_image_overrides,
        "defaultPlatforms": platforms,
    });
    Digest::of(&json::canonical(&value))
}

impl Lock {
    /// Reads the file at `path`; `None` when there is none. Whatever is wrong with it is a refusal.
    pub(crate) fn read(path: &Path) -> Result<Option<Lock>, Fault> {
        lock_reader::file(path)
    }

    /// The entry of a name.
    pub(crate) fn base(&self, name: &Reference) -> Option<&LockedBase> {
        self.bases.iter().find(|base| base.name == *name)
    }

    /// The reference with the digest that it is pinned to. One that holds a digest is pinned already.
    pub(super) fn pinned(&self, name: &Reference) -> Option<Reference> {
        let base = self.base(name).filter(|_| name.digest.is_none())?;
        Some(Reference {
            digest: Some(base.digest),
            ..name.clone()
        })
    }

    /// Whether it was made for this configuration.
    pub(crate) fn fits(&self, config: &Config) -> bool {
        self.configuration == configuration(config)
    }

    /// Refuses a base whose images are not those that it lists: somebody edited it.
    pub(super) fn check(&self, base: &Base, name: &Reference) -> Result<(), Fault> {
        let Some(locked) = self.base(name) else {
            return Ok(());
        };
        for image in &base.images {
            let listed = locked.images.iter();
            let mut listed = listed.filter(|one| one.platform == image.platform);
            if let Some(other) = listed.find(|one| Some(one.manifest) != image.digest) {
                return Err(differs(locked, other));
            }
        }
        Ok(())
    }

    /// The file: sorted keys, sorted entries, one value a line, so that a change is a short difference.
    pub(crate) fn text(&self) -> String {
        let bases: Vec<Value> = self.bases.iter().map(LockedBase::value).collect();
        let value = json!({"version": VERSION, "configuration": self.configuration.to_string(), "bases": bases});
        format!("{value:#}\n")
    }
}

fn differs(locked: &LockedBase, image: &LockedImage) -> Fault {
    Fault::integrity(format!("{FILE} contradicts itself about `{}`", locked.name))
        .because(format!(
            "for {} it lists {}, which is not what {} holds",
            image.platform, image.manifest, locked.digest
        ))
        .hint("write it anew: `rbuild base update`")
}

impl LockedBase {
    fn value(&self) -> Value {
        let images: Vec<Value> = self.images.iter().map(LockedImage::value).collect();
        let mut value = json!({
            "name": self.name.to_string(),
            "digest": self.digest.to_string(),
            "mediaType": self.media_type,
            "source": self.source.word(),
            "time": self.time,
            "images": images,
        });
        if self.is_index {
            value["index"] = Value::from(self.digest.to_string());
        }
        value
    }

    /// Whether both say the same of the name, whoever said it and when.
    pub(super) fn means(&self, other: &LockedBase) -> bool {
        self.name == other.name && self.digest == other.digest && self.images == other.images
    }
}

impl LockedImage {
    fn value(&self) -> Value {
        json!({
            "platform": self.platform.to_string(),
            "manifest": self.manifest.to_string(),
            "mediaType": self.media_type,
            "config": self.config.to_string(),
        })
    }
}
