//! Files of a directory: the storage that another registry sends its clients to.

use std::fs::File;

use super::answer::Answer;
use super::content::Content;
use super::ranges;
use super::request::{Request, decoded};
use super::server::Server;

/// The file at the path of a request, or `None` where the registry itself shall answer.
pub(super) fn answer(server: &Server, request: &Request) -> Option<Answer> {
    let root = server.options.files.as_ref()?;
    let path = decoded(&request.path, false);
    if path.starts_with("/v2/") {
        return None;
    }
    let is_plain = !path.split('/').any(|part| part == "..");
    let file = File::open(root.join(path.trim_start_matches('/'))).ok();
    let answer = match file.filter(|_| is_plain) {
        Some(file) => Answer::new(200)
            .header("Content-Type", "application/octet-stream")
            .body(Content::of_file(file)),
        None => Answer::new(404),
    };
    Some(ranges::applied(answer, request))
}
