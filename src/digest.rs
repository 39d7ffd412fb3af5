//! Digests and descriptors: how blobs are named, measured and pointed at.
//!
//! A [`Digest`] is 32 bytes, never text: a path built from it cannot leave its directory (CVE-2024-3727).
//! A [`Descriptor`] keeps every field that it does not know. This file never reads a file by itself.

use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// What one read takes of bytes that are only hashed: few calls, and still in the processor's cache.
const READ_BUFFER: usize = 128 * 1024;

/// A SHA-256 digest, the only algorithm that rbuild reads or writes (OCI image-spec, descriptor.md).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    /// The digest of bytes in memory.
    pub(crate) fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// The digest and the length in bytes of everything `reader` gives.
    pub(crate) fn of_reader(reader: &mut impl Read) -> io::Result<(Digest, u64)> {
        let mut hasher = Hashing::new(io::sink());
        let mut buffered = BufReader::with_capacity(READ_BUFFER, reader);
        io::copy(&mut buffered, &mut hasher)?;
        Ok(hasher.finish())
    }

    /// 64 lower-case hexadecimal digits: the file name of the blob.
    pub(crate) fn hex(&self) -> String {
        self.hex_bytes().map(char::from).iter().collect()
    }

    /// As [`Digest::hex`], for whoever names thousands of files.
    pub(crate) fn hex_bytes(&self) -> [u8; 64] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_mut(2).zip(self.0) {
            pair.copy_from_slice(&[byte >> 4, byte & 15].map(|half| DIGITS[usize::from(half)]));
        }
        hex
    }

    /// The digest that a blob's file is named after; `None` for another name.
    pub(crate) fn of_hex(hex: &[u8]) -> Option<Digest> {
        if hex.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks(2)) {
            *byte = hex_value(pair[0])? << 4 | hex_value(pair[1])?;
        }
        Some(Digest(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = self.hex_bytes();
        out.write_str("sha256:")?;
        out.write_str(std::str::from_utf8(&hex).expect("digits"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// Why a text is not a digest; at most 80 characters of the text are repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest of the form sha256: and 64 lower-case hexadecimal digits")]
pub(crate) struct BadDigest(String);

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Digest, BadDigest> {
        let hex = text.strip_prefix("sha256:").map(str::as_bytes);
        hex.and_then(Digest::of_hex)
            .ok_or_else(|| BadDigest(text.chars().take(80).collect()))
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl TryFrom<String> for Digest {
    type Error = BadDigest;

    fn try_from(text: String) -> Result<Digest, BadDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

/// A writer that hashes and counts what passes through it.
pub(crate) struct Hashing<W> {
    inner: W,
    sha: Sha256,
    size: u64,
}

impl<W: Write> Hashing<W> {
    pub(crate) fn new(inner: W) -> Hashing<W> {
        Hashing {
            inner,
            sha: Sha256::new(),
            size: 0,
        }
    }

    /// The digest and the length in bytes of all that was written.
    pub(crate) fn finish(self) -> (Digest, u64) {
        self.finish_inner().1
    }

    /// As [`Hashing::finish`], with the inner writer handed back.
    pub(crate) fn finish_inner(self) -> (W, (Digest, u64)) {
        (self.inner, (Digest(self.sha.finalize().into()), self.size))
    }

    /// How many bytes have passed so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn inner(&self) -> &W {
        &self.inner
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sha.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A pointer to a blob (OCI image-spec, descriptor.md); `rest` holds every further field as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub(crate) struct Descriptor {
    #[serde(rename = "mediaType")]
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    /// In bytes.
    pub(crate) size: u64,
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

impl TryFrom<Map<String, Value>> for Descriptor {
    type Error = String;

    fn try_from(fields: Map<String, Value>) -> Result<Descriptor, String> {
        let (mut media_type, mut digest, mut size) = (None, None, None);
        let mut rest = Map::new();
        for (key, value) in fields {
            match (key.as_str(), value) {
                ("mediaType", Value::String(text)) => media_type = Some(text),
                ("digest", Value::String(text)) => digest = Some(text),
                ("size", Value::Number(number)) => size = number.as_u64(),
                (_, value) => drop(rest.insert(key, value)),
            }
        }
        let lack = |name: &str| format!("its `{name}` is missing or wrong");
        let digest = digest.ok_or_else(|| lack("digest"))?;
        Ok(Descriptor {
            media_type: media_type.ok_or_else(|| lack("mediaType"))?,
            digest: digest
                .parse()
                .map_err(|error: BadDigest| error.to_string())?,
            size: size.ok_or_else(|| lack("size"))?,
            rest,
        })
    }
}

impl Descriptor {
    pub(crate) fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Descriptor {
        Descriptor {
            media_type: media_type.into(),
            digest,
            size,
            rest: Map::new(),
        }
    }

    /// The descriptor of bytes in memory.
    pub(crate) fn of(media_type: impl Into<String>, bytes: &[u8]) -> Descriptor {
        Descriptor::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }

    /// By hand, because an index has thousands of them, and serde would put each together from copies.
    pub(crate) fn from_value(value: Value) -> Result<Descriptor, String> {
        match value {
            Value::Object(fields) => Descriptor::try_from(fields),
            _ => Err("it is not an object".to_owned()),
        }
    }

    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.rest.get("annotations")?.get(key)?.as_str()
    }

    /// The same descriptor with one more annotation, or another value for it.
    pub(crate) fn annotated(mut self, key: &str, value: &str) -> Descriptor {
        let annotations = self
            .rest
            .entry("annotations")
            .or_insert_with(|| Value::Object(Map::new()));
        if !annotations.is_object() {
            *annotations = Value::Object(Map::new());
        }
        annotations[key] = Value::from(value);
        self
    }

    /// The same descriptor with the field `key` set, `platform` for instance.
    pub(crate) fn with(mut self, key: &str, value: Value) -> Descriptor {
        self.rest.insert(key.to_owned(), value);
        self
    }

    /// Media type, digest and size alone: what a manifest needs of a layer or config.
    pub(crate) fn bare(&self) -> Descriptor {
        Descriptor::new(self.media_type.clone(), self.digest, self.size)
    }

    pub(crate) fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("a descriptor is plain JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_digest_reads_and_prints_the_one_form_there_is() {
        assert_eq!(EMPTY.parse::<Digest>().expect("valid"), Digest::of(b""));
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
    }

    #[test]
    fn h02_no_other_text_is_a_digest() {
        let upper = EMPTY.to_uppercase().replace("SHA256", "sha256");
        let long = format!("{EMPTY}0");
        let huge = format!("sha256:{}", "a".repeat(1_000_000));
        let nul = EMPTY.replace("b855", "b85\0");
        for bad in [
            "",
            "sha256:",
            "sha256:../../x",
            "foo:bar",
            "md5:00",
            &EMPTY[..70],
            &upper,
            &long,
            &huge,
            &nul,
        ] {
            let error = bad.parse::<Digest>().expect_err(bad).to_string();
            assert!(error.len() < 200, "{} bytes", error.len());
        }
        assert!(EMPTY.replace("sha256", "sha512").parse::<Digest>().is_err());
    }

    #[test]
    fn a_reader_is_hashed_and_counted() {
        let (digest, size) = Digest::of_reader(&mut &b"hello"[..]).expect("reads");
        assert_eq!((digest, size), (Digest::of(b"hello"), 5));
    }

    #[test]
    fn h03_sizes_that_no_file_can_have_do_not_parse() {
        for size in ["-1", "1e30", "18446744073709551616", "\"5\"", "1.5"] {
            let text = format!(r#"{{"mediaType":"x","digest":"{EMPTY}","size":{size}}}"#);
            assert!(serde_json::from_str::<Descriptor>(&text).is_err(), "{size}");
        }
    }

    #[test]
    fn a_descriptor_keeps_what_it_does_not_know() {
        let text = format!(
            r#"{{"data":"aGk=","digest":"{EMPTY}","mediaType":"x","size":0,"vendor":{{"a":1}}}}"#
        );
        let descriptor: Descriptor = serde_json::from_str(&text).expect("valid");
        assert_eq!(descriptor.to_value().to_string(), text);
        let annotated = descriptor.annotated("k", "v");
        assert_eq!(annotated.annotation("k"), Some("v"));
        assert_eq!(annotated.bare().rest.len(), 0);
    }
}
