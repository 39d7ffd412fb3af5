//! An answer before it is written: status, headers, body; and the envelope that errors come in.

use serde_json::{Value, json};

use super::content::Content;
use super::request::header;

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(super) body: Content,
    /// The part of the body to send: start and length.
    pub(super) part: Option<(u64, u64)>,
}

impl Answer {
    pub(super) fn new(status: u16) -> Answer {
        Answer {
            status,
            headers: Vec::new(),
            body: Content::default(),
            part: None,
        }
    }

    pub(super) fn by_hand(status: u16, headers: &[(String, String)], body: &[u8]) -> Answer {
        Answer {
            headers: headers.to_vec(),
            ..Answer::new(status).body(Content::of(body))
        }
    }

    /// An error in the envelope of the specification.
    pub(super) fn error(status: u16, code: &str, message: &str) -> Answer {
        let error = json!({"errors": [{"code": code, "message": message, "detail": null}]});
        Answer::new(status).json(&error)
    }

    /// The error that goes with a status.
    pub(super) fn status(status: u16) -> Answer {
        let code = match status {
            401 => "UNAUTHORIZED",
            403 => "DENIED",
            404 => "NAME_UNKNOWN",
            405 => "UNSUPPORTED",
            429 => "TOOMANYREQUESTS",
            _ => "UNKNOWN",
        };
        match status {
            400.. => Answer::error(status, code, "a rule says so"),
            _ => Answer::new(status),
        }
    }

    pub(super) fn json(self, value: &Value) -> Answer {
        self.header("Content-Type", "application/json")
            .body(Content::of(value.to_string().as_bytes()))
    }

    pub(super) fn body(mut self, body: Content) -> Answer {
        self.body = body;
        self
    }

    pub(super) fn header(mut self, name: &str, value: impl Into<String>) -> Answer {
        self.set(name, value);
        self
    }

    /// Sets a header in the place of one with that name.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.into()));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.headers
            .retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    pub(crate) fn set_body(&mut self, bytes: &[u8]) {
        self.body = Content::of(bytes);
        self.part = None;
    }

    /// Where the bytes to send begin, and how many they are.
    pub(super) fn extent(&self) -> (u64, u64) {
        self.part.unwrap_or((0, self.body.length()))
    }

    /// Status line and headers, ready to be written.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let has_length =
            self.get("content-length").is_some() || self.get("transfer-encoding").is_some();
        if !has_length && self.status != 204 && self.status >= 200 {
            head.push_str(&format!("Content-Length: {}\r\n", self.extent().1));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        307 => "Temporary Redirect",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        416 => "Requested Range Not Satisfiable",
        429 => "Too Many Requests",
        _ => "Status",
    }
}
