//! What a name points at now, by HEAD.
//!
//! Registries differ in what HEAD is good for; an answer that says too little is no answer, never an error.

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderName, HeaderValue};

use crate::digest::{Descriptor, Digest};
use crate::media::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use crate::registry::auth::Access;
use crate::registry::client::{Ask, Client, Target};
use crate::registry::endpoint::Repository;
use crate::registry::error::{Cause, Error};
use crate::registry::patience::Patience;
use crate::registry::pull::announced;
use crate::registry::transport::Response;

/// A request for a manifest, every kind of it accepted. Registries answer 404 for kinds that are not.
pub(in crate::registry) fn ask<'a>(
    (repository, access): (&'a Repository, Access),
    method: Method,
    name: &str,
) -> Ask<'a> {
    Ask {
        repository,
        access,
        method,
        target: Target::Path(format!("manifests/{name}")),
        headers: vec![(ACCEPT, accepted())],
        body: None::<Bytes>,
    }
}

fn accepted() -> HeaderValue {
    let kinds = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST].join(", ");
    HeaderValue::from_str(&kinds).expect("media types are plain")
}

/// What HEAD tells of a name: type, digest and size, if it tells all of them.
pub(super) async fn head(
    client: &Client,
    place: (&Repository, Access),
    (name, patience): (&str, &mut Patience),
) -> Result<Option<Descriptor>, Error> {
    match client.send(&ask(place, Method::HEAD, name), patience).await {
        Ok(response) if response.status() == 200 => Ok(described(&response)),
        Ok(_) => Ok(None),
        // Some refuse HEAD alone; GET will say whether it is more than that.
        Err(error) if matches!(error.cause, Cause::Unauthorized | Cause::Denied) => Ok(None),
        Err(error) => Err(error),
    }
}

fn described(response: &Response) -> Option<Descriptor> {
    let media_type = announced::media_type(response.header("content-type"))?;
    let size = response.header("content-length")?.parse().ok()?;
    let digest = digest(response)?;
    (announced::is_known(&media_type) && size > 0)
        .then(|| Descriptor::new(media_type, digest, size))
}

/// `Docker-Content-Digest`, if it is of the algorithm that we compute.
pub(in crate::registry) fn digest(response: &Response) -> Option<Digest> {
    response.header(HEADER.as_str())?.trim().parse().ok()
}

const HEADER: HeaderName = HeaderName::from_static("docker-content-digest");
