//! `/v2/<name>/blobs/uploads/`: end-4, 5, 6, 11, 13 and 14.
//!
//! The location of an upload carries a state that says how much has come: a location that is out of date is refused, as
//! `distribution` does, and so is one whose query was not given back byte for byte.

use super::answer::Answer;
use super::content::Content;
use super::names;
use super::request::Request;
use super::routes::{Route, not_allowed};
use super::server::Server;

/// POST: a mount, a whole blob, or a session.
pub(super) fn begin(server: &Server, request: &Request, (name, body): (&str, Content)) -> Answer {
    if request.method != "POST" {
        return not_allowed("POST");
    }
    match (request.parameter("mount"), request.parameter("digest")) {
        (Some(digest), _) => {
            mounted(server, request, (name, &digest)).unwrap_or_else(|| session(server, name))
        }
        (None, Some(digest)) => store(server, (name, &digest), body),
        (None, None) => session(server, name),
    }
}

/// A blob that is there already, in the repository that was named or in any.
fn mounted(server: &Server, request: &Request, (name, digest): (&str, &str)) -> Option<Answer> {
    if server.options.refuse_mounts {
        return None;
    }
    let content = match request.parameter("from") {
        Some(from) => server.contents.blob(&from, digest),
        None => server.contents.blob_anywhere(digest),
    };
    server.contents.put_blob(name, digest, content?);
    Some(created(server, name, digest))
}

fn session(server: &Server, name: &str) -> Answer {
    let id = server.contents.begin(name);
    let mut answer = accepted(server, 202, (name, &id), 0);
    if let Some(least) = server.options.least_chunk {
        answer.set("OCI-Chunk-Min-Length", least.to_string());
    }
    if server.options.cookies {
        answer.set("Set-Cookie", format!("{}; Path=/", cookie(&id)));
    }
    answer
}

fn cookie(id: &str) -> String {
    format!("upload={id}")
}

/// All that is asked of a session.
pub(super) fn answer(
    server: &Server,
    request: &Request,
    (name, id, body): (&str, &str, Content),
) -> Answer {
    let lacks_cookie = server.options.cookies && !request.says("cookie", &cookie(id));
    let upload = server.contents.upload(name, id);
    let Some(upload) = upload.filter(|_| !lacks_cookie) else {
        return Answer::error(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown to registry");
    };
    let length = upload.content.length();
    match request.method.as_str() {
        "GET" => accepted(server, 204, (name, id), length),
        "DELETE" => {
            server.contents.end(id);
            Answer::new(204)
        }
        "PATCH" | "PUT" => match refusal(server, request, (length, &body)) {
            Some(answer) => answer,
            None if request.method == "PATCH" => {
                let length = server.contents.extend(id, body);
                accepted(server, 202, (name, id), length)
            }
            None => finish(server, request, (name, id, body)),
        },
        _ => not_allowed("GET, PATCH, PUT, DELETE"),
    }
}

/// What a request that broke off brought is part of the upload, as with real registries.
pub(super) fn broken_off(server: &Server, request: &Request, body: Content) {
    if let Some(Route::Upload(name, id)) = Route::of(&request.path)
        && server.contents.upload(&name, &id).is_some()
    {
        server.contents.extend(&id, body);
    }
}

/// Why bytes cannot be added: not the next ones, or sent to a location that is out of date.
fn refusal(server: &Server, request: &Request, (length, body): (u64, &Content)) -> Option<Answer> {
    if let Some(range) = request.header("content-range") {
        let Some((start, end)) = numbers(range) else {
            return Some(Answer::error(
                400,
                "BLOB_UPLOAD_INVALID",
                "invalid content range",
            ));
        };
        if start != length {
            let message = format!("the next byte is {length}");
            return Some(Answer::error(416, "BLOB_UPLOAD_INVALID", &message));
        }
        if end.checked_sub(start).map(|last| last + 1) != Some(body.length()) {
            return Some(Answer::error(
                400,
                "SIZE_INVALID",
                "range and length differ",
            ));
        }
    } else if !request.query.split('&').any(|pair| pair == state(length)) {
        let message = "the location is out of date, or its query was changed";
        return Some(Answer::error(404, "BLOB_UPLOAD_INVALID", message));
    }
    let least = server.options.least_chunk.unwrap_or(0);
    // The last chunk may be shorter, so a chunk is too short only once another one follows.
    let too_short = request.method == "PATCH" && length > 0 && length % least.max(1) != 0;
    too_short.then(|| Answer::error(416, "SIZE_INVALID", "a chunk was too short"))
}

fn numbers(range: &str) -> Option<(u64, u64)> {
    let (start, end) = range.split_once('-')?;
    Some((start.parse().ok()?, end.parse().ok()?))
}

fn finish(server: &Server, request: &Request, (name, id, body): (&str, &str, Content)) -> Answer {
    let Some(digest) = request.parameter("digest") else {
        return Answer::error(400, "DIGEST_INVALID", "the digest is missing");
    };
    server.contents.extend(id, body);
    let content = server.contents.end(id).unwrap_or_default();
    store(server, (name, &digest), content)
}

fn store(server: &Server, (name, digest): (&str, &str), content: Content) -> Answer {
    let Some(algorithm) = names::algorithm(digest) else {
        return Answer::error(400, "DIGEST_INVALID", "not a digest that is supported");
    };
    if content.digest(algorithm) != digest {
        let message = "provided digest did not match uploaded content";
        return Answer::error(400, "DIGEST_INVALID", message);
    }
    server.contents.put_blob(name, digest, content);
    created(server, name, digest)
}

fn created(server: &Server, name: &str, digest: &str) -> Answer {
    Answer::new(201)
        .header(
            "Location",
            server.location(&format!("/v2/{name}/blobs/{digest}")),
        )
        .header("Docker-Content-Digest", digest)
}

fn accepted(server: &Server, status: u16, (name, id): (&str, &str), length: u64) -> Answer {
    let path = format!("/v2/{name}/blobs/uploads/{id}?{}", state(length));
    // Nothing cannot be said as a range; `distribution` says this.
    let end = length.saturating_sub(1);
    Answer::new(status)
        .header("Location", server.location(&path))
        .header("Range", format!("0-{end}"))
        .header("Docker-Upload-UUID", id)
}

/// A parameter with characters that a client must not decode and encode again in another way.
fn state(length: u64) -> String {
    format!("_state=at%2B{length}%3D")
}
