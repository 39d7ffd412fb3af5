//! What was asked, in order of arrival, and how much of it at the same time.

use std::sync::Mutex;

use super::request::{Request, header};

/// Of longer bodies only the beginning is kept.
const KEPT_OF_A_BODY: u64 = 64 * 1024;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// As sent, without the query.
    pub(crate) path: String,
    /// As sent, without the question mark.
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    /// How many bytes of the body came.
    pub(crate) body_length: u64,
    /// The body, or its first 64 KiB.
    pub(crate) body: Vec<u8>,
    /// 0 while there is no answer, and when none was given.
    pub(crate) status: u16,
}

impl Seen {
    /// The first header of that name, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// `GET /v2/`
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

#[derive(Default)]
pub(super) struct Log(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    seen: Vec<Seen>,
    /// Forgotten ones, so that numbers stay.
    before: usize,
    unexpected: Vec<String>,
    uploads: usize,
    most_uploads: usize,
}

impl Log {
    /// Writes a request down and numbers it.
    pub(super) fn arrived(&self, request: &Request) -> usize {
        let mut entries = self.entries();
        entries.seen.push(Seen {
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            headers: request.headers.clone(),
            body_length: 0,
            body: Vec::new(),
            status: 0,
        });
        entries.before + entries.seen.len() - 1
    }

    pub(super) fn brought(&self, number: usize, body: &super::content::Content) {
        self.change(number, |seen| {
            seen.body_length = body.length();
            seen.body = body.bytes(0, KEPT_OF_A_BODY);
        });
    }

    pub(super) fn answered(&self, number: usize, status: u16) {
        self.change(number, |seen| seen.status = status);
    }

    fn change(&self, number: usize, change: impl FnOnce(&mut Seen)) {
        let mut entries = self.entries();
        let place = number.checked_sub(entries.before);
        if let Some(seen) = place.and_then(|place| entries.seen.get_mut(place)) {
            change(seen);
        }
    }

    pub(super) fn unexpected(&self, request: &Request) {
        let line = format!("`{} {}?{}`", request.method, request.path, request.query);
        self.entries().unexpected.push(line);
    }

    pub(super) fn take_unexpected(&self) -> Vec<String> {
        std::mem::take(&mut self.entries().unexpected)
    }

    pub(super) fn upload_began(&self) {
        let mut entries = self.entries();
        entries.uploads += 1;
        entries.most_uploads = entries.most_uploads.max(entries.uploads);
    }

    pub(super) fn upload_ended(&self) {
        self.entries().uploads -= 1;
    }

    pub(super) fn most_at_once(&self) -> usize {
        self.entries().most_uploads
    }

    pub(super) fn all(&self) -> Vec<Seen> {
        self.entries().seen.clone()
    }

    pub(super) fn clear(&self) {
        let mut entries = self.entries();
        entries.before += entries.seen.len();
        entries.seen.clear();
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.0.lock().expect("sound")
    }
}
