//! HTTP by hand from the client's side: what tests of the test registry need to see of an answer, errors of the connection too.

#![expect(
    clippy::disallowed_types,
    reason = "tests talk to registries on loopback"
)]

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::time::Duration;

/// One connection, kept from one request to the next.
pub(crate) struct Talk {
    host: String,
    reader: BufReader<TcpStream>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The path and query of `Location`, for the next request.
    pub(crate) fn location(&self) -> String {
        let location = self.header("location").expect("a location");
        let rest = location
            .split_once("://")
            .map_or(location, |(_, rest)| rest);
        rest[rest.find('/').expect("a path")..].to_owned()
    }
}

impl Talk {
    pub(crate) fn to(host: &str) -> Talk {
        let stream = TcpStream::connect(host).unwrap_or_else(|error| panic!("{host}: {error}"));
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a timeout");
        Talk {
            host: host.to_owned(),
            reader: BufReader::new(stream),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// Sends a request with a body of known length; an answer is read by [`Talk::reply`].
    pub(crate) fn send(&mut self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<()> {
        let mut head = format!("{line} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let chunked = headers.iter().any(|(name, _)| *name == "Transfer-Encoding");
        if !chunked {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        self.write(head.as_bytes())?;
        self.write(body)
    }

    /// Reads an answer to the end of its body.
    pub(crate) fn reply(&mut self, is_head: bool) -> Result<Reply> {
        let mut reply = self.head()?;
        let length = reply.header("content-length").map(str::parse::<usize>);
        if let (Some(Ok(length)), false) = (length, is_head) {
            reply.body = vec![0; length];
            self.reader.read_exact(&mut reply.body)?;
        }
        Ok(reply)
    }

    /// Reads status and headers.
    pub(crate) fn head(&mut self) -> Result<Reply> {
        let first = self.line()?;
        let words = first.strip_prefix("HTTP/1.").map(|rest| rest.split(' '));
        let status = words.and_then(|mut words| words.nth(1)?.parse().ok());
        let mut reply = Reply {
            status: status.ok_or_else(|| Error::new(ErrorKind::InvalidData, first))?,
            headers: Vec::new(),
            body: Vec::new(),
        };
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(": ") else {
                return Ok(reply);
            };
            reply.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// All that comes until the connection ends in order, or the error that it ends with.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, Option<ErrorKind>) {
        let mut bytes = Vec::new();
        let ended = self.reader.read_to_end(&mut bytes);
        (bytes, ended.err().map(|error| error.kind()))
    }

    pub(crate) fn read_exact(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.reader.read_exact(bytes)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line)? {
            0 => Err(Error::from(ErrorKind::UnexpectedEof)),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    /// Sends a request and reads its answer.
    pub(crate) fn ask(&mut self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.send(line, headers, body).expect("sent");
        self.reply(line.starts_with("HEAD")).expect("an answer")
    }
}

/// One request without a body or headers, on a connection of its own.
pub(crate) fn ask(host: &str, line: &str) -> Reply {
    Talk::to(host).ask(line, &[], b"")
}
