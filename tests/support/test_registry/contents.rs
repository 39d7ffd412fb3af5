//! What a registry holds: blobs, manifests and tags by repository, and uploads that are on their way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::content::Content;

/// Shared between the registries that are to hold the same.
#[derive(Clone, Default)]
pub(crate) struct Contents(Arc<Mutex<Shelves>>);

#[derive(Default)]
struct Shelves {
    repositories: BTreeMap<String, Repository>,
    uploads: BTreeMap<String, Upload>,
    /// How many uploads were ever begun: their names.
    begun: u64,
}

#[derive(Default)]
struct Repository {
    blobs: BTreeMap<String, Content>,
    manifests: BTreeMap<String, Manifest>,
    tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
pub(super) struct Manifest {
    pub(super) media_type: String,
    pub(super) bytes: Arc<[u8]>,
}

impl Manifest {
    pub(super) fn new(media_type: &str, bytes: &[u8]) -> Manifest {
        Manifest {
            media_type: media_type.to_owned(),
            bytes: bytes.into(),
        }
    }
}

/// The bytes that an upload has brought so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Upload {
    pub(super) repository: String,
    pub(super) content: Content,
}

impl Contents {
    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.0.lock().expect("sound")
    }

    /// What `look` finds in a repository that exists.
    fn look<T>(&self, repository: &str, look: impl FnOnce(&Repository) -> Option<T>) -> Option<T> {
        look(self.shelves().repositories.get(repository)?)
    }

    fn change<T>(&self, repository: &str, change: impl FnOnce(&mut Repository) -> T) -> T {
        change(
            self.shelves()
                .repositories
                .entry(repository.to_owned())
                .or_default(),
        )
    }

    pub(super) fn knows(&self, repository: &str) -> bool {
        self.shelves().repositories.contains_key(repository)
    }

    pub(super) fn repositories(&self) -> Vec<String> {
        self.shelves().repositories.keys().cloned().collect()
    }

    pub(super) fn blob(&self, repository: &str, digest: &str) -> Option<Content> {
        self.look(repository, |found| found.blobs.get(digest).cloned())
    }

    pub(super) fn blobs(&self, repository: &str) -> Vec<String> {
        self.look(repository, |found| {
            Some(found.blobs.keys().cloned().collect())
        })
        .unwrap_or_default()
    }

    /// A blob of any repository.
    pub(super) fn blob_anywhere(&self, digest: &str) -> Option<Content> {
        let shelves = self.shelves();
        let mut all = shelves.repositories.values();
        all.find_map(|repository| repository.blobs.get(digest).cloned())
    }

    pub(super) fn put_blob(&self, repository: &str, digest: &str, content: Content) {
        self.change(repository, |found| {
            found.blobs.insert(digest.to_owned(), content)
        });
    }

    pub(super) fn delete_blob(&self, repository: &str, digest: &str) -> bool {
        self.change(repository, |found| found.blobs.remove(digest).is_some())
    }

    /// A manifest by tag or digest, with its digest.
    pub(super) fn manifest(&self, repository: &str, reference: &str) -> Option<(String, Manifest)> {
        self.look(repository, |found| {
            let digest = found.tags.get(reference).map_or(reference, String::as_str);
            let manifest = found.manifests.get(digest)?;
            Some((digest.to_owned(), manifest.clone()))
        })
    }

    pub(super) fn manifests(&self, repository: &str) -> Vec<(String, Manifest)> {
        self.look(repository, |found| {
            Some(found.manifests.clone().into_iter().collect())
        })
        .unwrap_or_default()
    }

    pub(super) fn put_manifest(&self, repository: &str, digest: &str, manifest: Manifest) {
        self.change(repository, |found| {
            found.manifests.insert(digest.to_owned(), manifest)
        });
    }

    /// Takes a manifest away with the tags that point at it.
    pub(super) fn delete_manifest(&self, repository: &str, digest: &str) -> bool {
        self.change(repository, |found| {
            found.tags.retain(|_, target| target != digest);
            found.manifests.remove(digest).is_some()
        })
    }

    pub(super) fn tag(&self, repository: &str, tag: &str, digest: &str) {
        self.change(repository, |found| {
            found.tags.insert(tag.to_owned(), digest.to_owned())
        });
    }

    pub(super) fn delete_tag(&self, repository: &str, tag: &str) -> bool {
        self.change(repository, |found| found.tags.remove(tag).is_some())
    }

    /// In the order of their bytes; `None` for a repository that nothing was ever put into.
    pub(super) fn tags(&self, repository: &str) -> Option<Vec<String>> {
        self.look(repository, |found| {
            Some(found.tags.keys().cloned().collect())
        })
    }

    /// Begins an upload and names it with the shape of a UUID.
    pub(super) fn begin(&self, repository: &str) -> String {
        let mut shelves = self.shelves();
        shelves.begun += 1;
        let id = format!("00000000-0000-4000-8000-{:012x}", shelves.begun);
        let upload = Upload {
            repository: repository.to_owned(),
            content: Content::default(),
        };
        shelves.uploads.insert(id.clone(), upload);
        id
    }

    pub(super) fn upload(&self, repository: &str, id: &str) -> Option<Upload> {
        let shelves = self.shelves();
        let upload = shelves.uploads.get(id)?;
        (upload.repository == repository).then(|| upload.clone())
    }

    /// Adds to an upload, and returns how long it is now.
    pub(super) fn extend(&self, id: &str, more: Content) -> u64 {
        let mut shelves = self.shelves();
        let Some(upload) = shelves.uploads.get_mut(id) else {
            return 0;
        };
        upload.content.append(more);
        upload.content.length()
    }

    /// Ends an upload, and returns what it brought.
    pub(super) fn end(&self, id: &str) -> Option<Content> {
        let upload = self.shelves().uploads.remove(id)?;
        Some(upload.content)
    }

    pub(super) fn open_uploads(&self) -> usize {
        self.shelves().uploads.len()
    }
}
