//! From a path to the endpoint that answers it.

use serde_json::json;

use super::DigestHeader;
use super::answer::Answer;
use super::content::Content;
use super::request::{Request, decoded};
use super::server::Server;
use super::{blobs, files, guard, manifests, names, referrers, tags, tokens, uploads};

/// The endpoints below `/v2/<name>/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Base,
    Catalog,
    Blob(String, String),
    Uploads(String),
    Upload(String, String),
    Manifest(String, String),
    Tags(String),
    Referrers(String, String),
}

impl Route {
    pub(super) fn of(path: &str) -> Option<Route> {
        let path = decoded(path, false);
        let rest = match path.strip_prefix("/v2")? {
            "" | "/" => return Some(Route::Base),
            "/_catalog" => return Some(Route::Catalog),
            rest => rest.strip_prefix('/')?,
        };
        let parts: Vec<&str> = rest.split('/').collect();
        let owned = |name: &[&str], last: &str| (name.join("/"), last.to_owned());
        Some(match parts.as_slice() {
            [name @ .., "tags", "list"] => Route::Tags(name.join("/")),
            [name @ .., "blobs", "uploads", ""] => Route::Uploads(name.join("/")),
            [name @ .., "blobs", "uploads", id] => {
                let (name, id) = owned(name, id);
                Route::Upload(name, id)
            }
            [name @ .., "blobs", digest] => {
                let (name, digest) = owned(name, digest);
                Route::Blob(name, digest)
            }
            [name @ .., "manifests", reference] => {
                let (name, reference) = owned(name, reference);
                Route::Manifest(name, reference)
            }
            [name @ .., "referrers", digest] => {
                let (name, digest) = owned(name, digest);
                Route::Referrers(name, digest)
            }
            _ => return None,
        })
    }

    /// The repository that it is about.
    pub(super) fn repository(&self) -> Option<&str> {
        match self {
            Route::Base | Route::Catalog => None,
            Route::Blob(name, _)
            | Route::Uploads(name)
            | Route::Upload(name, _)
            | Route::Manifest(name, _)
            | Route::Tags(name)
            | Route::Referrers(name, _) => Some(name),
        }
    }
}

/// What the specification says to a request.
pub(super) fn answer(server: &Server, request: &Request, body: Content) -> Answer {
    if request.path == "/token" {
        return tokens::answer(server, request, &body);
    }
    if let Some(file) = files::answer(server, request) {
        return file;
    }
    if let Some(refusal) = guard::refusal(server, request) {
        return refusal;
    }
    guard::used(server, request);
    let Some(route) = Route::of(&request.path) else {
        return Answer::error(404, "NAME_UNKNOWN", "no such endpoint");
    };
    if route.repository().is_some_and(|name| !names::is_name(name)) {
        return Answer::error(400, "NAME_INVALID", "invalid repository name");
    }
    let reads = matches!(request.method.as_str(), "GET" | "HEAD");
    if server.options.read_only && !reads {
        return not_allowed("GET, HEAD");
    }
    let answer = endpoint(server, request, (&route, body));
    let answer = with_digest_header(server.options.digest_header, answer);
    answer.header("Docker-Distribution-Api-Version", "registry/2.0")
}

fn endpoint(server: &Server, request: &Request, (route, body): (&Route, Content)) -> Answer {
    match route {
        Route::Base => base(request),
        Route::Catalog => {
            Answer::new(200).json(&json!({"repositories": server.contents.repositories()}))
        }
        Route::Blob(name, digest) => blobs::answer(server, request, (name, digest)),
        Route::Uploads(name) => uploads::begin(server, request, (name, body)),
        Route::Upload(name, id) => uploads::answer(server, request, (name, id, body)),
        Route::Manifest(name, reference) => {
            manifests::answer(server, request, (name, reference, &body))
        }
        Route::Tags(name) => tags::answer(server, request, name),
        Route::Referrers(name, digest) => referrers::answer(server, request, (name, digest)),
    }
}

fn with_digest_header(kind: DigestHeader, mut answer: Answer) -> Answer {
    const NAME: &str = "Docker-Content-Digest";
    if answer.get(NAME).is_some() {
        match kind {
            DigestHeader::Right => {}
            DigestHeader::Missing => answer.remove(NAME),
            DigestHeader::Empty => answer.set(NAME, ""),
            DigestHeader::Wrong => answer.set(NAME, Content::of(b"else").digest("sha256")),
        }
    }
    answer
}

fn base(request: &Request) -> Answer {
    match request.method.as_str() {
        "GET" | "HEAD" => Answer::new(200).json(&json!({})),
        _ => not_allowed("GET, HEAD"),
    }
}

pub(super) fn not_allowed(methods: &str) -> Answer {
    Answer::error(405, "UNSUPPORTED", "the operation is unsupported").header("Allow", methods)
}
