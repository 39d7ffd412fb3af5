//! Manifests, configs and layers from a registry or its mirrors.
//!
//! Nothing unverified leaves this file, and nothing is held in memory that has no limit.

pub(super) mod announced;
pub(super) mod look;

use std::io::Write;

use reqwest::Method;

use crate::digest::{Descriptor, Digest};
use crate::media::LARGEST_BLOB;
use crate::reference::Reference;
use crate::registry::auth::Access;
use crate::registry::client::Client;
use crate::registry::endpoint::Repository;
use crate::registry::error::{Cause, Error};
use crate::registry::mirrors::first_of;
use crate::registry::reading::Reader;
use crate::registry::transport::Response;
use crate::registry::{Fetched, Registry};
use crate::store::{self, Store};

/// The largest manifest, index or config that is read, in bytes.
const DOCUMENT_LIMIT: usize = 8 * 1024 * 1024;

impl Registry {
    /// What a tag points at now, by HEAD where the registry answers it; `None` when there is no such tag.
    pub(crate) fn look(&self, tag: &Reference) -> Result<Option<Descriptor>, Error> {
        let client = self.client();
        self.wait(first_of(client, tag, async |place| {
            look_at(client, place, tag).await
        }))
    }

    /// The manifest or index of a digest, or of a tag if there is no digest; verified. `None` when the registry has none.
    pub(crate) fn manifest(&self, reference: &Reference) -> Result<Option<Fetched>, Error> {
        let client = self.client();
        self.wait(first_of(client, reference, async |place| {
            let wanted = (name(reference), reference.digest);
            manifest(client, (place, Access::Pull), &wanted).await
        }))
    }

    /// A config, whole and verified; `None` when the registry has none.
    pub(crate) fn document(
        &self,
        repository: &Reference,
        blob: &Descriptor,
    ) -> Result<Option<Vec<u8>>, Error> {
        if blob.size > DOCUMENT_LIMIT as u64 {
            return Err(too_large(&blob.digest.to_string()));
        }
        let client = self.client();
        self.wait(first_of(client, repository, async |place| {
            whole(client, place, blob).await
        }))
    }

    /// Blobs of any size into a store, several at once, each verified; what is there already is not asked for.
    pub(crate) fn fetch(
        &self,
        repository: &Reference,
        blobs: &[Descriptor],
        into: &Store,
    ) -> Result<(), Error> {
        if let Some(blob) = blobs.iter().find(|blob| blob.size > LARGEST_BLOB) {
            return Err(beyond(blob));
        }
        self.together(blobs, async |blob| {
            let _turn = self.0.flights.turn(into, &blob.digest).await;
            match into.holds(blob) {
                true => Ok(()),
                false => self.fetch_one(repository, blob, into).await,
            }
        })
    }

    async fn fetch_one(
        &self,
        repository: &Reference,
        blob: &Descriptor,
        into: &Store,
    ) -> Result<(), Error> {
        let client = self.client();
        let found = first_of(client, repository, async |place| {
            download(client, place, (blob, into)).await
        });
        found.await?.ok_or_else(|| absent(repository, blob))
    }
}

/// What a reference asks for: its digest, or else its tag.
fn name(reference: &Reference) -> String {
    let digest = reference.digest.map(|digest| digest.to_string());
    digest.unwrap_or_else(|| tag(reference))
}

/// What a reference may be looked up by: its tag, or else its digest.
fn tag(reference: &Reference) -> String {
    let digest = || reference.digest.map(|digest| digest.to_string());
    let tag = reference.tag.clone().or_else(digest);
    tag.unwrap_or_else(|| "latest".to_owned())
}

async fn look_at(
    client: &Client,
    place: &Repository,
    reference: &Reference,
) -> Result<Option<Descriptor>, Error> {
    let (tag, mut patience) = (tag(reference), client.transport.patience());
    let pull = (place, Access::Pull);
    if let Some(found) = look::head(client, pull, (&tag, &mut patience)).await? {
        return Ok(Some(found));
    }
    let found = manifest(client, (place, Access::Pull), &(tag, None)).await?;
    Ok(found.map(|found| Descriptor::of(found.media_type, &found.bytes)))
}

/// A manifest from one place, by the name given; it must have the digest, if there is one.
pub(super) async fn manifest(
    client: &Client,
    (place, access): (&Repository, Access),
    wanted: &(String, Option<Digest>),
) -> Result<Option<Fetched>, Error> {
    let (mut patience, ask) = (
        client.transport.patience(),
        look::ask((place, access), Method::GET, &wanted.0),
    );
    loop {
        let response = client.send(&ask, &mut patience).await?;
        let refused = match response.status() {
            200 => read(response, wanted).await.map(Some),
            404 => Ok(None),
            _ => {
                let doing = format!("cannot have `{}`", full_name(place, &wanted.0));
                Err(client.refusal(place, response, &doing).await)
            }
        };
        match refused {
            Err(error) if error.cause == Cause::Unreachable => patience.pause(error, None).await?,
            result => return result,
        }
    }
}

/// `registry/repository:tag`, or `registry/repository@digest`.
fn full_name(place: &Repository, name: &str) -> String {
    let sign = if name.contains(':') { '@' } else { ':' };
    format!("{}/{}{sign}{name}", place.endpoint.name, place.name)
}

async fn read(response: Response, wanted: &(String, Option<Digest>)) -> Result<Fetched, Error> {
    let header = response.header("content-type").map(str::to_owned);
    let told = look::digest(&response);
    let bytes = response.bytes(DOCUMENT_LIMIT).await?;
    let digest = Digest::of(&bytes);
    for expected in wanted.1.into_iter().chain(told) {
        if expected != digest {
            return Err(other(&wanted.0, &expected, &digest));
        }
    }
    let media_type = announced::agreed(header.as_deref(), &bytes)?;
    Ok(Fetched {
        media_type,
        digest,
        bytes,
    })
}

async fn whole(
    client: &Client,
    place: &Repository,
    blob: &Descriptor,
) -> Result<Option<Vec<u8>>, Error> {
    let Some(mut reader) = Reader::open(client, place, blob).await? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    while let Some(more) = reader.next().await? {
        bytes.extend_from_slice(&more);
    }
    Ok(Some(bytes))
}

async fn download(
    client: &Client,
    place: &Repository,
    (blob, into): (&Descriptor, &Store),
) -> Result<Option<()>, Error> {
    let Some(mut reader) = Reader::open(client, place, blob).await? else {
        return Ok(None);
    };
    let transfer = client
        .listeners
        .transfers
        .begin(label("pull", &blob.digest), blob.size);
    let mut writer = into.writer()?.limited(blob.size);
    while let Some(bytes) = reader.next().await? {
        writer
            .write_all(&bytes)
            .map_err(|error| store::Error::of_io("write", into.root(), error))?;
        transfer.at(reader.position());
    }
    writer.finish_as(blob)?;
    transfer.end("pulled");
    Ok(Some(()))
}

/// `push sha256:0123456789ab`.
pub(super) fn label(doing: &str, digest: &Digest) -> String {
    format!("{doing} sha256:{:.12}", digest.hex())
}

fn other(name: &str, expected: &Digest, found: &Digest) -> Error {
    Error::new(
        Cause::Integrity,
        format!("the registry sends another manifest for `{name}`"),
    )
    .because(format!("expected: {expected}"))
    .because(format!("found: {found}"))
}

fn too_large(name: &str) -> Error {
    let message = format!("`{name}` is larger than a document may be, {DOCUMENT_LIMIT} bytes");
    Error::new(Cause::Limit, message)
}

fn beyond(blob: &Descriptor) -> Error {
    let message = format!("{} is larger than a layer may be", blob.digest);
    Error::new(Cause::Limit, message).because(format!(
        "it has {} bytes, and {LARGEST_BLOB} are the most",
        blob.size
    ))
}

fn absent(repository: &Reference, blob: &Descriptor) -> Error {
    let message = format!("`{}` has no blob {}", repository.name(), blob.digest);
    Error::new(Cause::Absent, message)
}
