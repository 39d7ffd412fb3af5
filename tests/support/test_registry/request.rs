//! The head of a request, as it came over the wire.

use std::io::{BufRead, Error, ErrorKind, Read, Result};

/// More than any client sends; beyond it the connection is given up.
const LONGEST_HEAD: u64 = 256 * 1024;

/// Who greets with this wants TLS; there may be no line to wait for.
const BEGIN_OF_TLS: u8 = 0x16;

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// As sent: nothing is decoded.
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: Vec<(String, String)>,
    /// Whether the client wants no other answer on this connection.
    pub(super) is_last: bool,
}

impl Request {
    /// The next head, or `None` when the client has ended the connection in order.
    pub(super) fn read(reader: &mut impl BufRead) -> Result<Option<Request>> {
        if reader.fill_buf()?.first() == Some(&BEGIN_OF_TLS) {
            return Err(malformed());
        }
        let mut head = reader.take(LONGEST_HEAD);
        let Some(first) = line(&mut head)? else {
            return Ok(None);
        };
        let mut words = first.split(' ').map(str::to_owned);
        let (Some(method), Some(target), Some(version)) =
            (words.next(), words.next(), words.next())
        else {
            return Err(malformed());
        };
        let mut headers = Vec::new();
        loop {
            let text = line(&mut head)?.ok_or_else(malformed)?;
            if text.is_empty() {
                break;
            }
            let (name, value) = text.split_once(':').ok_or_else(malformed)?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let (path, query) = split(&target);
        let mut request = Request {
            method,
            path,
            query,
            headers,
            is_last: version == "HTTP/1.0",
        };
        request.is_last |= request.says("connection", "close");
        Ok(Some(request))
    }

    /// The first header of that name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// Whether a header has this word, in any case.
    pub(super) fn says(&self, name: &str, word: &str) -> bool {
        self.header(name)
            .is_some_and(|value| value.to_ascii_lowercase().contains(word))
    }

    /// A parameter of the query, decoded.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        self.parameters(name).into_iter().next()
    }

    pub(super) fn parameters(&self, name: &str) -> Vec<String> {
        pairs(&self.query)
            .into_iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value)
            .collect()
    }
}

/// The parameters of a query or of a form, decoded.
pub(super) fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decoded(key, true), decoded(value, true)))
        .collect()
}

/// Undoes `%41`, and `+` for a space where it means one.
pub(super) fn decoded(text: &str, plus_is_space: bool) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%')
            .then(|| std::str::from_utf8(after.get(..2)?).ok())
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let plain = if first == b'+' && plus_is_space {
            b' '
        } else {
            first
        };
        bytes.push(escaped.unwrap_or(plain));
        rest = if escaped.is_some() {
            &after[2..]
        } else {
            after
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// Path and query of a target; a proxy's absolute form loses scheme and host.
fn split(target: &str) -> (String, String) {
    let local = match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => rest
            .find('/')
            .map_or("/", |slash| rest.get(slash..).unwrap_or("/")),
        _ => target,
    };
    let (path, query) = local.split_once('?').unwrap_or((local, ""));
    (path.to_owned(), query.to_owned())
}

/// A line without its end, or `None` at the end of everything.
fn line(reader: &mut impl BufRead) -> Result<Option<String>> {
    let mut bytes = Vec::new();
    reader.read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let ended = bytes.pop() == Some(b'\n');
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    match ended {
        true => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        false => Err(malformed()),
    }
}

fn malformed() -> Error {
    Error::new(ErrorKind::InvalidData, "not a request")
}
