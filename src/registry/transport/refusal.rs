//! What a registry says when it does not do what it was asked: the error bodies of the distribution specification.
//!
//! Its words are cut here and escaped where they are printed; they are never interpreted.

use serde_json::Value;

use crate::registry::error::{Cause, Error};
use crate::registry::transport::limits::{SHOWN, cut};

/// A status nobody wished for, with what the registry says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::registry) struct Refusal {
    pub(in crate::registry) status: u16,
    /// `MANIFEST_BLOB_UNKNOWN` and the like, as sent; empty when the body is no error document.
    pub(in crate::registry) codes: Vec<String>,
    /// The registry's words on one line, at most 1 KiB; empty when it says nothing.
    pub(in crate::registry) message: String,
    /// What a person may need beside it: quotas, a way out.
    pub(super) hints: Vec<String>,
}

impl Refusal {
    /// Reads an error document `{"errors": [{"code", "message", "detail"}]}`; any other text is the message itself.
    pub(super) fn read(status: u16, body: &[u8]) -> Refusal {
        let errors = errors(body);
        let texts: Vec<String> = match &errors {
            Some(errors) => errors.iter().map(sentence).collect(),
            None => vec![one_line(&String::from_utf8_lossy(body))],
        };
        Refusal {
            status,
            codes: errors.iter().flatten().filter_map(code).collect(),
            message: cut(&texts.join("; "), SHOWN).to_owned(),
            hints: Vec::new(),
        }
    }

    pub(in crate::registry) fn has(&self, code: &str) -> bool {
        self.codes.iter().any(|own| own == code)
    }

    /// The error for it; `doing` says what we were about: `asked for a token`.
    pub(in crate::registry) fn error(&self, doing: &str) -> Error {
        let status = named(self.status);
        let error = Error::new(self.cause(), format!("{doing}: status {status}"));
        let error = match self.message.as_str() {
            "" => error,
            message => error.because(format!("the registry says: {message}")),
        };
        self.hints.iter().fold(error, Error::hint)
    }

    fn cause(&self) -> Cause {
        match self.status {
            401 => Cause::Unauthorized,
            403 => Cause::Denied,
            404 => Cause::Absent,
            413 => Cause::Limit,
            status => Cause::Status(status),
        }
    }
}

/// `503 Service Unavailable`.
pub(super) fn named(status: u16) -> String {
    let reason = reqwest::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason());
    reason.map_or_else(|| status.to_string(), |reason| format!("{status} {reason}"))
}

fn errors(body: &[u8]) -> Option<Vec<Value>> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let errors = document.get("errors")?.as_array()?;
    Some(errors.clone())
}

fn code(error: &Value) -> Option<String> {
    let code = error.get("code")?.as_str()?;
    Some(cut(code, SHOWN).to_owned())
}

/// `DENIED: requested access is denied`, with the detail if that is a text.
fn sentence(error: &Value) -> String {
    let part = |name: &str| error.get(name).and_then(Value::as_str).map(one_line);
    let parts = ["code", "message", "detail"].map(part);
    let said: Vec<String> = parts
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    said.join(": ")
}

fn one_line(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> Refusal {
        Refusal::read(status, body.as_bytes())
    }

    #[test]
    fn codes_and_words_are_taken_from_the_document() {
        let body = r#"{"errors":[{"code":"DENIED","message":"not\nyours","detail":"ask"},{"code":"UNSUPPORTED","detail":{"a":1}}]}"#;
        let refusal = refusal(403, body);
        assert_eq!(refusal.codes, ["DENIED", "UNSUPPORTED"]);
        assert!(refusal.has("DENIED") && !refusal.has("denied"));
        assert_eq!(refusal.message, "DENIED: not yours: ask; UNSUPPORTED");
        let error = refusal.error("cannot push `a`");
        assert_eq!(error.to_string(), "cannot push `a`: status 403 Forbidden");
        assert_eq!(
            error.fault().reasons(),
            ["the registry says: DENIED: not yours: ask; UNSUPPORTED"]
        );
    }

    #[test]
    fn h15_whatever_the_body_is_it_is_one_line_and_short() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"errors":{}}"#,
            r#"{"errors":[1,null,{}]}"#,
            "\x1b]52;c;x\x07",
            "{\"errors\":",
        ] {
            assert!(refusal(500, body).codes.is_empty(), "{body}");
        }
        assert_eq!(
            refusal(500, "<h1>\r\n  bad\tgateway").message,
            "<h1> bad gateway"
        );
        let long = refusal(500, &"é".repeat(60_000));
        assert_eq!(long.message.len(), SHOWN);
        let many = format!(
            r#"{{"errors":[{}]}}"#,
            vec![r#"{"code":"A","message":"b"}"#; 1_000].join(",")
        );
        assert!(refusal(500, &many).message.len() <= SHOWN);
        assert_eq!(Refusal::read(500, b"\xff\xfe").message, "\u{fffd}\u{fffd}");
    }

    #[test]
    fn statuses_become_causes_and_a_silent_registry_has_no_words() {
        for (status, cause) in [
            (401, Cause::Unauthorized),
            (403, Cause::Denied),
            (404, Cause::Absent),
            (413, Cause::Limit),
            (429, Cause::Status(429)),
            (599, Cause::Status(599)),
        ] {
            let error = refusal(status, "").error("asked");
            assert_eq!(error.cause, cause);
            assert!(error.fault().reasons().is_empty());
        }
        assert_eq!(
            refusal(599, "").error("asked").to_string(),
            "asked: status 599"
        );
    }
}
