//! `/v2/<name>/blobs/<digest>`: end-2 and end-10.

use super::answer::Answer;
use super::request::Request;
use super::routes::not_allowed;
use super::server::Server;
use super::{names, ranges};

pub(super) fn answer(server: &Server, request: &Request, (name, digest): (&str, &str)) -> Answer {
    if names::algorithm(digest).is_none() {
        return Answer::error(400, "DIGEST_INVALID", "not a digest that is supported");
    }
    match request.method.as_str() {
        "GET" | "HEAD" => read(server, request, (name, digest)),
        "DELETE" if server.contents.delete_blob(name, digest) => Answer::new(202),
        "DELETE" => unknown(),
        _ => not_allowed("GET, HEAD, DELETE"),
    }
}

fn read(server: &Server, request: &Request, (name, digest): (&str, &str)) -> Answer {
    let Some(content) = server.contents.blob(name, digest) else {
        return unknown();
    };
    if let Some(origin) = &server.options.redirect_blobs_to {
        return Answer::new(307).header("Location", format!("{origin}{}", request.path));
    }
    let whole = Answer::new(200)
        .header("Content-Type", "application/octet-stream")
        .header("Accept-Ranges", "bytes")
        .header("Docker-Content-Digest", digest)
        .header("ETag", format!("\"{digest}\""))
        .body(content);
    ranges::applied(whole, request)
}

fn unknown() -> Answer {
    Answer::error(404, "BLOB_UNKNOWN", "blob unknown to registry")
}
