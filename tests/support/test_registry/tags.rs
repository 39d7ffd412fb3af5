//! `/v2/<name>/tags/list`: end-8.

use serde_json::json;

use super::answer::Answer;
use super::request::Request;
use super::routes::not_allowed;
use super::server::Server;

pub(super) fn answer(server: &Server, request: &Request, name: &str) -> Answer {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return not_allowed("GET, HEAD");
    }
    let Some(mut tags) = server.contents.tags(name) else {
        return Answer::error(404, "NAME_UNKNOWN", "repository name not known to registry");
    };
    let most = match request.parameter("n").map(|n| n.parse::<usize>()) {
        None => usize::MAX,
        Some(Ok(most)) => most,
        Some(Err(_)) => {
            return Answer::error(400, "PAGINATION_NUMBER_INVALID", "`n` is not a number");
        }
    };
    if let Some(last) = request.parameter("last") {
        tags.retain(|tag| *tag > last);
    }
    let more = tags.len() > most;
    tags.truncate(most);
    let answer = Answer::new(200).json(&json!({"name": name, "tags": tags}));
    match tags.last() {
        Some(last) if more => {
            let next = format!("/v2/{name}/tags/list?n={most}&last={last}");
            answer.header("Link", format!("<{next}>; rel=\"next\""))
        }
        _ => answer,
    }
}
