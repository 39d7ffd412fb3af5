//! Pulls and pushes against a registry inside the test, and what these tests share.

mod mirrored;
mod pulling;
mod pushing;
mod pushing_faults;
mod pushing_sources;

use serde_json::json;

use crate::digest::Descriptor;
use crate::media;
use crate::network::Network;
use crate::notes::Notes;
use crate::progress::Transfers;
use crate::reference::Reference;
use crate::registry::push::{Origins, Parcel};
use crate::registry::{Listeners, Registry, Settings};
use crate::store::Store;
use crate::testing::test_registry::TestRegistry;

/// A client that moves `parallel` blobs at a time.
pub(super) fn registry(parallel: usize) -> Registry {
    with(Settings {
        parallel,
        ..Settings::default()
    })
}

pub(super) fn with(settings: Settings) -> Registry {
    noted(settings).0
}

/// A client, and what it says.
pub(super) fn noted(settings: Settings) -> (Registry, Notes) {
    let listeners = Listeners {
        notes: Notes::recorded(),
        transfers: Transfers::unwatched(),
    };
    let (online, notes) = (
        Network::unless(false).expect("online"),
        listeners.notes.clone(),
    );
    (Registry::connect(online, settings, listeners), notes)
}

pub(super) fn name(server: &TestRegistry, rest: &str) -> Reference {
    format!("{}/{rest}", server.host()).parse().expect("a name")
}

/// `size` bytes that no other seed gives and nobody compresses.
pub(super) fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(size).collect()
}

/// The bytes of a manifest over a config and layers.
pub(super) fn manifest(config: &Descriptor, layers: &[Descriptor]) -> Vec<u8> {
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media::OCI_MANIFEST,
        "config": config.to_value(),
        "layers": layers.iter().map(Descriptor::to_value).collect::<Vec<_>>(),
    });
    manifest.to_string().into_bytes()
}

/// An image in a store, with what a push must know of it.
pub(super) struct Image {
    pub(super) blobs: Vec<Descriptor>,
    pub(super) manifests: Vec<Descriptor>,
}

/// An image of these layers; its config says which they are.
pub(super) fn image(store: &Store, layers: &[&[u8]]) -> Image {
    let layers: Vec<Descriptor> = layers
        .iter()
        .map(|bytes| store.put(media::OCI_LAYER, bytes).expect("put"))
        .collect();
    let ids: Vec<String> = layers
        .iter()
        .map(|layer| layer.digest.to_string())
        .collect();
    let config = json!({"rootfs": {"diff_ids": ids}}).to_string();
    let config = store
        .put(media::OCI_CONFIG, config.as_bytes())
        .expect("put");
    let manifest = manifest(&config, &layers);
    let manifest = store.put(media::OCI_MANIFEST, &manifest).expect("put");
    let blobs = layers.into_iter().chain([config]).collect();
    Image {
        blobs,
        manifests: vec![manifest],
    }
}

/// An index over images.
pub(super) fn index(store: &Store, images: Vec<Image>) -> Image {
    let children: Vec<Descriptor> = images
        .iter()
        .flat_map(|image| image.manifests.clone())
        .collect();
    let index = json!({
        "schemaVersion": 2,
        "mediaType": media::OCI_INDEX,
        "manifests": children.iter().map(Descriptor::to_value).collect::<Vec<_>>(),
    });
    let index = store
        .put(media::OCI_INDEX, index.to_string().as_bytes())
        .expect("put");
    Image {
        blobs: images.into_iter().flat_map(|image| image.blobs).collect(),
        manifests: children.into_iter().chain([index]).collect(),
    }
}

/// A parcel for `repository:tag,tag` of the server.
pub(super) fn parcel<'a>(
    server: &TestRegistry,
    (repository, tags): (&str, &[&str]),
    image: &Image,
    stores: &'a [Store],
) -> Parcel<'a> {
    Parcel {
        repository: name(server, repository),
        blobs: image.blobs.clone(),
        manifests: image.manifests.clone(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        stores,
        origins: Origins::new(),
        unasked: Origins::new(),
    }
}

/// The requests so far: method, what follows the repository without the identity of sessions, and status.
pub(super) fn spoken(server: &TestRegistry) -> Vec<String> {
    let requests = server.requests();
    let line = |seen: &crate::testing::test_registry::Seen| {
        let path = seen.path.split("/v2/").last().unwrap_or_default();
        let kind = ["manifests", "blobs/uploads", "blobs"]
            .into_iter()
            .find(|kind| path.contains(&format!("/{kind}/")))
            .unwrap_or(path);
        let mount = if seen.query.contains("mount=") {
            "?mount"
        } else {
            ""
        };
        format!("{} {kind}{mount} {}", seen.method, seen.status)
    };
    requests.iter().map(line).collect()
}

/// What another tool would find: every manifest below `reference`, and every blob of it.
pub(super) fn assert_whole(server: &TestRegistry, repository: &str, reference: &str) {
    let bytes = server
        .manifest(repository, reference)
        .unwrap_or_else(|| panic!("{reference} is not there"));
    let value: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    for child in value["manifests"].as_array().into_iter().flatten() {
        assert_whole(
            server,
            repository,
            child["digest"].as_str().expect("a digest"),
        );
    }
    let layers = value["layers"].as_array().into_iter().flatten();
    for blob in layers.chain(value.get("config")) {
        let digest = blob["digest"].as_str().expect("a digest");
        let found = server
            .blob(repository, digest)
            .unwrap_or_else(|| panic!("{digest} is not there"));
        assert_eq!(crate::digest::Digest::of(&found).to_string(), digest);
    }
}

#[test]
fn s06_nobody_waits_at_the_end_for_a_name_that_is_looked_up_in_vain() {
    let registry = registry(1);
    let (release, held) = std::sync::mpsc::channel();
    let patience = std::time::Duration::from_secs(20);
    let lookup = move || held.recv_timeout(patience);
    registry.runtime().expect("threads").spawn_blocking(lookup);
    drop(registry);
    release.send(()).expect("it is looked up still");
}
