//! What lies below an entry, as far as it is here: the blobs in the order in which they may appear, and what is missing.
//!
//! Documents are hashed and read, layers are only looked for. Nothing is fetched and nothing changed. Bounds are those of
//! `base::document` (children, layers), [`DEEPEST`] and [`LARGEST_BLOB`].

use std::collections::BTreeSet;

use anyhow::{Context, Result};

use crate::base::document::{self, Document, Manifest};
use crate::digest::{Descriptor, Digest};
use crate::fault::{Fault, Kind};
use crate::media::{self, DEEPEST, LARGEST_BLOB};
use crate::platform::{Platform, Platforms};
use crate::store::Store;

/// What was found below one entry.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    /// All that is here and wanted: layers and config before their manifest, manifests before their index.
    pub(crate) blobs: Vec<Descriptor>,
    /// Layers of the images here that are not here.
    pub(crate) layers: Vec<Descriptor>,
    /// Wanted images that are not here, or whose config is not.
    pub(crate) images: Vec<Descriptor>,
    /// Those whose manifest and config are here.
    pub(crate) platforms: BTreeSet<Platform>,
    seen: BTreeSet<Digest>,
}

impl Reached {
    /// Whether the blob of the entry itself is here.
    pub(crate) fn has_root(&self) -> bool {
        !self.blobs.is_empty()
    }

    /// Whether images lack no layer, and there are images.
    pub(crate) fn is_full(&self) -> bool {
        self.layers.is_empty() && !self.platforms.is_empty()
    }
}

/// Looks at all that is in one of the stores below `entry`, of the platforms that are wanted; `Host` means whatever is here.
pub(crate) fn reach(entry: &Descriptor, wanted: &Platforms, stores: &[Store]) -> Result<Reached> {
    let mut walk = Walk {
        stores,
        wanted,
        reached: Reached::default(),
    };
    walk.document(entry, DEEPEST)
        .with_context(|| format!("cannot carry {}", entry.digest))?;
    Ok(walk.reached)
}

struct Walk<'a> {
    stores: &'a [Store],
    wanted: &'a Platforms,
    reached: Reached,
}

impl Walk<'_> {
    fn document(&mut self, entry: &Descriptor, depth: usize) -> Result<()> {
        if !self.reached.seen.insert(entry.digest) {
            return Ok(());
        }
        let announced = Some(entry.media_type.as_str()).filter(|kind| !kind.is_empty());
        let known = announced.is_none_or(|kind| media::is_index(kind) || media::is_manifest(kind));
        if !known {
            return self.opaque(entry);
        }
        let Some(bytes) = self.read(entry)? else {
            self.absent(entry);
            return Ok(());
        };
        match document::read(&bytes, announced)? {
            Document::Index(_) if depth == 0 => return Err(too_deep(entry).into()),
            Document::Index(children) => self.children(&children, depth - 1)?,
            Document::Manifest(manifest) if self.is_wanted(&manifest, entry)? => {
                self.image(&manifest, entry)?;
            }
            Document::Manifest(_) => return Ok(()),
        }
        self.reached.blobs.push(entry.bare());
        Ok(())
    }

    fn children(&mut self, children: &[Descriptor], depth: usize) -> Result<()> {
        for child in children {
            if self.wants(child) {
                self.document(child, depth)?;
            }
        }
        Ok(())
    }

    /// What rbuild cannot look into, a signature of an unknown kind for instance: carried as it is.
    fn opaque(&mut self, entry: &Descriptor) -> Result<()> {
        refuse_large(entry)?;
        if self.has(entry)? {
            self.reached.blobs.push(entry.bare());
        }
        Ok(())
    }

    /// One of another size, or one that is no file, is damage and not absence.
    fn has(&self, blob: &Descriptor) -> Result<bool> {
        for store in self.stores {
            if store.blob(blob)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn read(&self, document: &Descriptor) -> Result<Option<Vec<u8>>> {
        for store in self.stores {
            if let Some(bytes) = store.document(&document.digest, Some(document.size))? {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// Attestations and the like are images of no platform: nobody misses them.
    fn absent(&mut self, entry: &Descriptor) {
        if media::is_manifest(&entry.media_type) && announced(entry).is_none_or(|one| one.is_real())
        {
            self.reached.images.push(entry.clone());
        }
    }

    /// Whether a child may be of a platform that is wanted; one that does not say which is looked into.
    fn wants(&self, child: &Descriptor) -> bool {
        match (self.wanted, announced(child)) {
            (Platforms::These(wanted), Some(Announced::Platform(offered))) => {
                wanted.iter().any(|one| one.accepts(&offered))
            }
            (Platforms::These(_), Some(Announced::Nothing)) => false,
            _ => true,
        }
    }

    fn is_wanted(&self, manifest: &Manifest, entry: &Descriptor) -> Result<bool> {
        let Platforms::These(wanted) = self.wanted else {
            return Ok(true);
        };
        let offered = self.platform(manifest, entry)?;
        Ok(offered.is_some_and(|offered| wanted.iter().any(|one| one.accepts(&offered))))
    }

    fn image(&mut self, manifest: &Manifest, entry: &Descriptor) -> Result<()> {
        for layer in &manifest.layers {
            refuse_large(layer)?;
            match self.has(layer)? {
                true => self.add(layer),
                false if media::is_foreign(&layer.media_type) => {}
                false => self.reached.layers.push(layer.bare()),
            }
        }
        refuse_large(&manifest.config)?;
        match self.has(&manifest.config)? {
            true => self.add(&manifest.config),
            false => {
                self.absent(entry);
                return Ok(());
            }
        }
        let platform = self.platform(manifest, entry)?;
        self.reached.platforms.extend(platform);
        Ok(())
    }

    fn add(&mut self, blob: &Descriptor) {
        if self.reached.seen.insert(blob.digest) {
            self.reached.blobs.push(blob.bare());
        }
    }

    /// As its index says, else as its config does.
    fn platform(&self, manifest: &Manifest, entry: &Descriptor) -> Result<Option<Platform>> {
        match announced(entry) {
            Some(Announced::Platform(platform)) => return Ok(Some(platform)),
            Some(Announced::Nothing) => return Ok(None),
            None if !media::is_config(&manifest.config.media_type) => return Ok(None),
            None => {}
        }
        let Some(bytes) = self.read(&manifest.config)? else {
            return Ok(None);
        };
        let config = document::config(&bytes, manifest.layers.len())?;
        Ok(Platform::from_value(&config))
    }
}

/// The platform that a descriptor announces.
enum Announced {
    Platform(Platform),
    /// `unknown/unknown`: no image to run.
    Nothing,
}

impl Announced {
    fn is_real(&self) -> bool {
        matches!(self, Announced::Platform(_))
    }
}

fn announced(entry: &Descriptor) -> Option<Announced> {
    let value = entry.rest.get("platform")?;
    match value.get("os").and_then(serde_json::Value::as_str) {
        Some("unknown") => Some(Announced::Nothing),
        _ => Platform::from_value(value).map(Announced::Platform),
    }
}

fn refuse_large(blob: &Descriptor) -> Result<(), Fault> {
    match blob.size <= LARGEST_BLOB {
        true => Ok(()),
        false => Err(Fault::new(
            Kind::Disk,
            format!(
                "the blob {} says that it has {} bytes",
                blob.digest, blob.size
            ),
        )
        .because(format!("no layer may have more than {LARGEST_BLOB}"))),
    }
}

fn too_deep(entry: &Descriptor) -> Fault {
    let message = format!(
        "the index {} lies more than {DEEPEST} indexes deep",
        entry.digest
    );
    Fault::new(Kind::Disk, message)
}
