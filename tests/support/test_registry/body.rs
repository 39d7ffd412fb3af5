//! The body of a request: by length or in chunks, taken piece by piece.

use std::io::{BufRead, Error, ErrorKind, Read, Result};

use super::content::Content;
use super::request::Request;

/// How much of a body is still to come.
pub(super) enum Body {
    Sized(u64),
    /// Bytes left in this chunk; `None` between chunks.
    Chunked(Option<u64>),
    Ended,
}

impl Body {
    pub(super) fn of(request: &Request) -> Body {
        if request.says("transfer-encoding", "chunked") {
            return Body::Chunked(None);
        }
        let length = request
            .header("content-length")
            .and_then(|length| length.parse().ok());
        match length.unwrap_or(0) {
            0 => Body::Ended,
            length => Body::Sized(length),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self, Body::Ended)
    }

    /// Adds to `content` until the end, or until it holds `most` bytes.
    pub(super) fn read(
        &mut self,
        reader: &mut impl BufRead,
        content: &mut Content,
        most: u64,
    ) -> Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        while content.length() < most {
            let room = usize::try_from(most - content.length())
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            let taken = self.piece(reader, &mut buffer[..room])?;
            if taken == 0 {
                break;
            }
            content.add(&buffer[..taken]);
        }
        Ok(())
    }

    /// The next bytes; none at the end.
    fn piece(&mut self, reader: &mut impl BufRead, buffer: &mut [u8]) -> Result<usize> {
        match *self {
            Body::Ended => Ok(0),
            Body::Sized(left) => {
                let taken = some(reader, buffer, left)?;
                *self = match left - taken as u64 {
                    0 => Body::Ended,
                    left => Body::Sized(left),
                };
                Ok(taken)
            }
            Body::Chunked(Some(left)) => {
                let taken = some(reader, buffer, left)?;
                *self = Body::Chunked(match left - taken as u64 {
                    0 => end_of_chunk(reader)?,
                    left => Some(left),
                });
                Ok(taken)
            }
            Body::Chunked(None) => {
                *self = match length_of_chunk(reader)? {
                    0 => end_of_trailer(reader)?,
                    length => Body::Chunked(Some(length)),
                };
                self.piece(reader, buffer)
            }
        }
    }
}

fn some(reader: &mut impl Read, buffer: &mut [u8], left: u64) -> Result<usize> {
    let most = usize::try_from(left)
        .unwrap_or(usize::MAX)
        .min(buffer.len());
    match reader.read(&mut buffer[..most])? {
        0 => Err(Error::from(ErrorKind::UnexpectedEof)),
        taken => Ok(taken),
    }
}

fn length_of_chunk(reader: &mut impl BufRead) -> Result<u64> {
    let line = line(reader)?;
    let digits = line.split(';').next().unwrap_or_default().trim();
    u64::from_str_radix(digits, 16).map_err(|_| Error::from(ErrorKind::InvalidData))
}

fn end_of_chunk(reader: &mut impl BufRead) -> Result<Option<u64>> {
    line(reader).map(|_| None)
}

fn end_of_trailer(reader: &mut impl BufRead) -> Result<Body> {
    while !line(reader)?.trim().is_empty() {}
    Ok(Body::Ended)
}

fn line(reader: &mut impl BufRead) -> Result<String> {
    let mut text = String::new();
    match reader.take(4096).read_line(&mut text)? {
        0 => Err(Error::from(ErrorKind::UnexpectedEof)),
        _ => Ok(text),
    }
}
