//! Media types and the annotations that name an image: which exist, which belong together, and which layer type fits which base.
//!
//! A Docker base stays Docker and an OCI base stays OCI, because some registries refuse a mixture. Strings, never enums:
//! a type that rbuild does not know must survive.

pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
pub(crate) const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// The annotation of an entry of a layout's index that names it.
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// containerd's annotation for the full name of an image.
pub(crate) const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// How many indexes are followed from one to the next, the first one counted; no image needs more than two.
pub(crate) const DEEPEST: usize = 4;

/// The most bytes of a blob that travels, as it is compressed.
pub(crate) const LARGEST_BLOB: u64 = 64 << 30;

/// The two families of image documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Oci,
    Docker,
}

impl Family {
    /// The family of a manifest or index; `None` for anything else (Docker schema 1, artifacts of unknown type).
    pub(crate) fn of(media_type: &str) -> Option<Family> {
        match media_type {
            OCI_INDEX | OCI_MANIFEST => Some(Family::Oci),
            DOCKER_LIST | DOCKER_MANIFEST => Some(Family::Docker),
            _ => None,
        }
    }

    pub(crate) fn index(self) -> &'static str {
        self.choose(OCI_INDEX, DOCKER_LIST)
    }

    pub(crate) fn manifest(self) -> &'static str {
        self.choose(OCI_MANIFEST, DOCKER_MANIFEST)
    }

    pub(crate) fn config(self) -> &'static str {
        self.choose(OCI_CONFIG, DOCKER_CONFIG)
    }

    /// A gzip layer.
    pub(crate) fn layer(self) -> &'static str {
        self.choose(OCI_LAYER, DOCKER_LAYER)
    }

    fn choose(self, oci: &'static str, docker: &'static str) -> &'static str {
        match self {
            Family::Oci => oci,
            Family::Docker => docker,
        }
    }
}

pub(crate) fn is_index(media_type: &str) -> bool {
    matches!(media_type, OCI_INDEX | DOCKER_LIST)
}

pub(crate) fn is_manifest(media_type: &str) -> bool {
    matches!(media_type, OCI_MANIFEST | DOCKER_MANIFEST)
}

/// Of an image; signatures and other artifacts have configs of other types.
pub(crate) fn is_config(media_type: &str) -> bool {
    matches!(media_type, OCI_CONFIG | DOCKER_CONFIG)
}

/// A layer that its licence keeps out of registries: it is pulled from where its descriptor says, and never pushed.
pub(crate) fn is_foreign(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.oci.image.layer.nondistributable.")
        || media_type == "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
}

/// Docker's first manifest format, which has no digests of its content worth the name.
pub(crate) fn is_schema1(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.docker.distribution.manifest.v1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_keeps_to_itself() {
        for family in [Family::Oci, Family::Docker] {
            assert_eq!(Family::of(family.index()), Some(family));
            assert_eq!(Family::of(family.manifest()), Some(family));
            assert!(is_index(family.index()) && !is_index(family.manifest()));
            assert!(is_manifest(family.manifest()) && !is_manifest(family.config()));
            assert!(is_config(family.config()) && !is_config(family.layer()));
        }
        assert_eq!(Family::of(OCI_LAYER), None);
    }
}
