//! A base in a registry, and what is asked for when the program builds on it.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{MadeBase, TestEnv, architecture, base_for, document, tree};
use crate::test_registry::TestRegistry;

/// An image in a registry of its own.
pub(crate) struct Served {
    pub(crate) there: TestRegistry,
    pub(crate) made: MadeBase,
    layout: PathBuf,
}

pub(crate) const REPOSITORY: &str = "team/base";

/// An index over one image, full, called `v1`.
pub(crate) fn served(env: &TestEnv) -> Served {
    served_for(architecture(), env)
}

/// The same, for another architecture than this machine's.
pub(crate) fn served_for(architecture: &str, env: &TestEnv) -> Served {
    let layout = env.path("made");
    let made = base_for(architecture, &layout, (true, &[]));
    Served::new(layout, made)
}

impl Served {
    fn new(layout: PathBuf, made: MadeBase) -> Served {
        let served = Served {
            there: TestRegistry::start(),
            made,
            layout,
        };
        served.give(&served.there, REPOSITORY);
        served
    }

    /// The index with this digest in a layout, full.
    pub(crate) fn of(layout: PathBuf, index: &str) -> Served {
        let image = document(&layout, index)["manifests"][0]["digest"].clone();
        let image = image.as_str().expect("a digest").to_owned();
        let layer = document(&layout, &image)["layers"][0]["digest"].clone();
        let made = MadeBase {
            index: index.to_owned(),
            image,
            layer: layer.as_str().expect("a digest").to_owned(),
        };
        Served::new(layout, made)
    }

    /// Puts the image into a repository of a registry, called `v1`.
    pub(crate) fn give(&self, registry: &TestRegistry, repository: &str) {
        for name in tree(&self.layout.join("blobs/sha256")) {
            let bytes = fs::read(self.layout.join("blobs/sha256").join(&name)).expect("readable");
            let parsed: Option<Value> = serde_json::from_slice(&bytes).ok();
            match parsed
                .as_ref()
                .and_then(|value| value["mediaType"].as_str())
            {
                Some(media_type) => {
                    let digest = format!("sha256:{name}");
                    registry.put_manifest(repository, &digest, media_type, &bytes)
                }
                None => registry.put_blob(repository, &bytes),
            };
        }
        let media_type = "application/vnd.oci.image.index.v1+json";
        registry.put_manifest(repository, "v1", media_type, &self.index());
    }

    /// The bytes of the index.
    pub(crate) fn index(&self) -> Vec<u8> {
        let path = self.made.index.replace(':', "/");
        fs::read(self.layout.join("blobs").join(path)).expect("made")
    }

    /// The layout in which it was made.
    pub(crate) fn layout(&self) -> &PathBuf {
        &self.layout
    }

    /// `HOST/team/base` and what follows.
    pub(crate) fn named(&self, end: &str) -> String {
        format!("{}/{REPOSITORY}{end}", self.there.host())
    }

    pub(crate) fn tag(&self) -> String {
        self.named(":v1")
    }

    pub(crate) fn pin(&self) -> String {
        self.named(&format!("@{}", self.made.index))
    }

    pub(crate) fn config(&self) -> String {
        let manifest = document(&self.layout, &self.made.image);
        manifest["config"]["digest"]
            .as_str()
            .expect("text")
            .to_owned()
    }

    /// What was asked since the last time: `HEAD v1`, `GET sha256:…`.
    pub(crate) fn asked(&self) -> Vec<String> {
        asked(&self.there)
    }
}

pub(crate) fn asked(registry: &TestRegistry) -> Vec<String> {
    let requests = registry.requests().into_iter();
    let lines = requests.map(|seen| {
        let last = seen.path.rsplit('/').next().unwrap_or_default();
        format!("{} {last}", seen.method)
    });
    let lines = lines.collect();
    registry.forget_requests();
    lines
}
