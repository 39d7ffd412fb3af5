//! `/v2/<name>/referrers/<digest>`: end-12.

use serde_json::{Value, json};

use super::answer::Answer;
use super::content::Content;
use super::contents::Manifest;
use super::names;
use super::request::Request;
use super::routes::not_allowed;
use super::server::Server;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub(super) fn answer(server: &Server, request: &Request, (name, digest): (&str, &str)) -> Answer {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return not_allowed("GET, HEAD");
    }
    if names::algorithm(digest).is_none() {
        return Answer::error(400, "DIGEST_INVALID", "not a digest that is supported");
    }
    let wanted = request.parameter("artifactType");
    let all = server.contents.manifests(name);
    let referrers: Vec<Value> = all
        .iter()
        .filter_map(|(own, manifest)| descriptor((own, manifest), digest))
        .filter(|found| {
            wanted
                .as_ref()
                .is_none_or(|wanted| found["artifactType"] == wanted.as_str())
        })
        .collect();
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": referrers});
    let answer = Answer::new(200)
        .header("Content-Type", INDEX)
        .body(Content::of(index.to_string().as_bytes()));
    match wanted {
        Some(_) => answer.header("OCI-Filters-Applied", "artifactType"),
        None => answer,
    }
}

/// What a list says of a manifest whose subject is `subject`.
fn descriptor((digest, manifest): (&str, &Manifest), subject: &str) -> Option<Value> {
    let document: Value = serde_json::from_slice(&manifest.bytes).ok()?;
    if document["subject"]["digest"] != subject {
        return None;
    }
    let mut descriptor = json!({
        "mediaType": manifest.media_type,
        "digest": digest,
        "size": manifest.bytes.len(),
    });
    let said = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let kind = [&document["artifactType"], &document["config"]["mediaType"]];
    if let Some(kind) = kind.into_iter().find(|kind| said(kind)) {
        descriptor["artifactType"] = kind.clone();
    }
    if document["annotations"].is_object() {
        descriptor["annotations"] = document["annotations"].clone();
    }
    Some(descriptor)
}
