//! `/v2/<name>/manifests/<reference>`: end-3, 7 and 9.

use serde_json::Value;

use super::answer::Answer;
use super::content::Content;
use super::contents::Manifest;
use super::names;
use super::request::Request;
use super::routes::not_allowed;
use super::server::Server;

/// What registries take; `distribution` has this limit too.
const LARGEST: u64 = 4 * 1024 * 1024;

pub(super) fn answer(
    server: &Server,
    request: &Request,
    (name, reference, body): (&str, &str, &Content),
) -> Answer {
    let is_digest = names::algorithm(reference).is_some();
    if !is_digest && !names::is_tag(reference) {
        return match reference.contains(':') {
            true => Answer::error(400, "DIGEST_INVALID", "not a digest that is supported"),
            false => Answer::error(404, "MANIFEST_UNKNOWN", "not a tag"),
        };
    }
    match request.method.as_str() {
        "GET" | "HEAD" => read(server, name, reference),
        "PUT" => put(server, request, (name, reference, body)),
        "DELETE" => delete(server, name, reference),
        _ => not_allowed("GET, HEAD, PUT, DELETE"),
    }
}

fn read(server: &Server, name: &str, reference: &str) -> Answer {
    let Some((digest, manifest)) = server.contents.manifest(name, reference) else {
        return unknown(server, name);
    };
    Answer::new(200)
        .header("Content-Type", manifest.media_type)
        .header("ETag", format!("\"{digest}\""))
        .header("Docker-Content-Digest", digest)
        .body(Content::of(&manifest.bytes))
}

fn unknown(server: &Server, name: &str) -> Answer {
    match server.contents.knows(name) {
        true => Answer::error(404, "MANIFEST_UNKNOWN", "manifest unknown to registry"),
        false => Answer::error(404, "NAME_UNKNOWN", "repository name not known to registry"),
    }
}

fn delete(server: &Server, name: &str, reference: &str) -> Answer {
    let deleted = match names::algorithm(reference) {
        Some(_) => server.contents.delete_manifest(name, reference),
        None => server.contents.delete_tag(name, reference),
    };
    match deleted {
        true => Answer::new(202),
        false => unknown(server, name),
    }
}

fn put(
    server: &Server,
    request: &Request,
    (name, reference, body): (&str, &str, &Content),
) -> Answer {
    if body.length() > LARGEST {
        return Answer::error(413, "MANIFEST_INVALID", "manifest is larger than 4 MiB");
    }
    let bytes = body.bytes(0, LARGEST);
    let read = media_type(request).and_then(|media_type| {
        let document = document(&bytes, &media_type)?;
        missing(server, name, &document).map(|()| (media_type, document))
    });
    let (media_type, document) = match read {
        Ok(read) => read,
        Err(refusal) => return *refusal,
    };
    let digest = body.digest(names::algorithm(reference).unwrap_or("sha256"));
    if names::algorithm(reference).is_some() && digest != reference {
        return Answer::error(
            400,
            "DIGEST_INVALID",
            "provided digest did not match content",
        );
    }
    let manifest = Manifest::new(&media_type, &bytes);
    server.contents.put_manifest(name, &digest, manifest);
    let path = format!("/v2/{name}/manifests/{reference}");
    let answer = Answer::new(201)
        .header("Location", server.location(&path))
        .header("Docker-Content-Digest", digest.as_str());
    let answer = tagged(server, request, (name, reference, &digest), answer);
    match document["subject"]["digest"].as_str() {
        Some(subject) => answer.header("OCI-Subject", subject),
        None => answer,
    }
}

/// Sets the tag of the path, or those of the query beside a digest.
fn tagged(
    server: &Server,
    request: &Request,
    (name, reference, digest): (&str, &str, &str),
    answer: Answer,
) -> Answer {
    if names::algorithm(reference).is_none() {
        server.contents.tag(name, reference, digest);
        return answer;
    }
    let mut tags = request.parameters("tag");
    tags.retain(|tag| names::is_tag(tag));
    tags.iter()
        .for_each(|tag| server.contents.tag(name, tag, digest));
    match tags.is_empty() {
        true => answer,
        false => answer.header("OCI-Tag", tags.join(", ")),
    }
}

/// The `Content-Type` without its parameters.
fn media_type(request: &Request) -> Result<String, Box<Answer>> {
    let value = request.header("content-type").unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default().trim();
    match media_type {
        "" => Err(invalid("the content type is missing")),
        media_type => Ok(media_type.to_owned()),
    }
}

fn document(bytes: &[u8], media_type: &str) -> Result<Value, Box<Answer>> {
    let document: Value =
        serde_json::from_slice(bytes).map_err(|_| invalid("the manifest is not JSON"))?;
    if !document.is_object() {
        return Err(invalid("the manifest is not an object"));
    }
    match document["mediaType"].as_str() {
        Some(named) if named != media_type => Err(invalid("media type and content type differ")),
        _ => Ok(document),
    }
}

/// Refuses a manifest that speaks of what is not there; a subject may come later, and foreign layers never come.
fn missing(server: &Server, name: &str, document: &Value) -> Result<(), Box<Answer>> {
    if server.options.sparse {
        return Ok(());
    }
    let list = |field: &str| document[field].as_array().cloned().unwrap_or_default();
    let is_foreign = |descriptor: &Value| {
        let media_type = descriptor["mediaType"].as_str().unwrap_or_default();
        media_type.contains("nondistributable") || media_type.contains("foreign")
    };
    let config = document.get("config").cloned();
    let mut blobs = config.into_iter().chain(list("layers"));
    let lacks_blob = blobs.any(|blob| {
        let digest = blob["digest"].as_str().unwrap_or_default();
        !is_foreign(&blob) && server.contents.blob(name, digest).is_none()
    });
    let lacks_child = list("manifests").iter().any(|child| {
        let digest = child["digest"].as_str().unwrap_or_default();
        server.contents.manifest(name, digest).is_none()
    });
    match lacks_blob || lacks_child {
        true => {
            let message = "manifest references a manifest or blob unknown to registry";
            Err(Box::new(Answer::error(
                400,
                "MANIFEST_BLOB_UNKNOWN",
                message,
            )))
        }
        false => Ok(()),
    }
}

fn invalid(message: &str) -> Box<Answer> {
    Box::new(Answer::error(400, "MANIFEST_INVALID", message))
}
