//! Bodies that something on the way compressed although we ask for `identity`: undone once, piece by piece.
//!
//! Digests are of what comes out. Memory is bounded by the piece: deflate grows at most 1032 times.

use std::io::Write;

use bytes::{Buf, Bytes};
use flate2::write::MultiGzDecoder;
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};

use crate::registry::error::{Cause, Error};

/// What goes into the decompressor at once.
const PIECE: usize = 4 * 1024;

/// A gzip stream in the middle of being read.
pub(super) struct Decoder {
    gzip: MultiGzDecoder<Vec<u8>>,
    waiting: Bytes,
    has_begun: bool,
}

impl Decoder {
    /// What the headers ask for; they no longer tell about the encoded body when it returns.
    pub(super) fn for_headers(
        status: u16,
        headers: &mut HeaderMap,
    ) -> Result<Option<Decoder>, Error> {
        let encodings = encodings(headers);
        match encodings.as_slice() {
            [] => return Ok(None),
            [gzip] if ["gzip", "x-gzip"].contains(&gzip.as_str()) && status != 206 => (),
            _ => return Err(unasked(&encodings.join(", "))),
        }
        headers.remove(CONTENT_ENCODING);
        headers.remove(CONTENT_LENGTH);
        Ok(Some(Decoder {
            gzip: MultiGzDecoder::new(Vec::new()),
            waiting: Bytes::new(),
            has_begun: false,
        }))
    }

    pub(super) fn is_hungry(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn feed(&mut self, encoded: Bytes) {
        self.has_begun = true;
        self.waiting = encoded;
    }

    /// Some of what was fed, decoded; may be empty.
    pub(super) fn take(&mut self) -> Result<Bytes, Error> {
        let size = self.waiting.len().min(PIECE);
        self.gzip
            .write_all(&self.waiting[..size])
            .map_err(|error| broken(&error))?;
        self.waiting.advance(size);
        Ok(std::mem::take(self.gzip.get_mut()).into())
    }

    /// The rest, when the encoded body has ended; no body at all is fine.
    pub(super) fn finish(&mut self) -> Result<Bytes, Error> {
        if self.has_begun {
            self.gzip.try_finish().map_err(|error| broken(&error))?;
        }
        Ok(std::mem::take(self.gzip.get_mut()).into())
    }
}

fn encodings(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let text = values.map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
    let parts: Vec<String> = text.collect();
    let parts = parts
        .iter()
        .flat_map(|value| value.split(','))
        .map(str::trim);
    parts
        .filter(|part| !["", "identity"].contains(part))
        .map(str::to_owned)
        .collect()
}

fn unasked(encodings: &str) -> Error {
    Error::new(
        Cause::Protocol,
        "the answer is encoded in a way that was not asked for",
    )
    .because(format!("`Content-Encoding: {encodings}`"))
}

fn broken(error: &std::io::Error) -> Error {
    Error::new(
        Cause::Protocol,
        "the answer says that it is gzip, but it is not",
    )
    .because(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("in memory");
        encoder.finish().expect("in memory").into()
    }

    fn decoder(status: u16, encoding: &str) -> Result<Option<Decoder>, Error> {
        let mut headers = HeaderMap::new();
        headers.append(CONTENT_ENCODING, encoding.parse().expect("a value"));
        headers.insert(CONTENT_LENGTH, 7.into());
        let decoder = Decoder::for_headers(status, &mut headers)?;
        assert_eq!(headers.is_empty(), decoder.is_some());
        Ok(decoder)
    }

    #[test]
    fn r32_gzip_is_undone_and_its_length_no_longer_told() {
        let mut decoder = decoder(200, "GZIP").expect("known").expect("gzip");
        decoder.feed(gzip(b"hello"));
        let mut plain = decoder.take().expect("gzip").to_vec();
        assert!(decoder.is_hungry());
        plain.extend(decoder.finish().expect("whole"));
        assert_eq!(plain, b"hello");
    }

    #[test]
    fn r32_no_encoding_and_identity_are_left_alone_and_others_refused() {
        assert!(decoder(200, "identity").expect("fine").is_none());
        for encoding in ["br", "gzip, gzip", "deflate"] {
            let error = decoder(200, encoding).err().expect(encoding);
            assert_eq!(error.cause, Cause::Protocol);
        }
        assert!(
            decoder(206, "gzip").is_err(),
            "a part of a gzip stream means nothing"
        );
    }

    #[test]
    fn h16_a_bomb_comes_out_in_bounded_pieces() {
        let bomb = gzip(&vec![0; 64 << 20]);
        let mut decoder = decoder(200, "gzip").expect("known").expect("gzip");
        decoder.feed(bomb);
        let mut all = 0;
        while !decoder.is_hungry() {
            let piece = decoder.take().expect("gzip").len();
            assert!(piece <= 5 << 20, "{piece}");
            all += piece;
        }
        assert_eq!(all + decoder.finish().expect("whole").len(), 64 << 20);
    }

    #[test]
    fn what_is_cut_or_no_gzip_at_all_is_an_error() {
        let mut cut = decoder(200, "gzip").expect("known").expect("gzip");
        cut.feed(gzip(b"hello").slice(..15));
        let fed = cut.take().and_then(|_| cut.finish());
        assert_eq!(fed.expect_err("cut").cause, Cause::Protocol);
        let mut plain = decoder(200, "gzip").expect("known").expect("gzip");
        plain.feed(Bytes::from_static(b"plain text, longer than a header"));
        assert!(plain.take().and_then(|_| plain.finish()).is_err());
    }
}
