//! Bytes of a blob: in memory while they are few, in a file without a name beyond that.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use sha2::{Digest, Sha256, Sha512};

/// Beyond this many bytes a file holds them.
const MOST_IN_MEMORY: usize = 32 * 1024 * 1024;

/// Cheap to clone; a clone of a file must not be added to.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Memory(Arc<Vec<u8>>),
    File(Arc<File>, u64),
}

impl Default for Content {
    fn default() -> Content {
        Content::Memory(Arc::default())
    }
}

impl Content {
    pub(super) fn of(bytes: &[u8]) -> Content {
        Content::Memory(Arc::new(bytes.to_vec()))
    }

    /// What is in a file, which must stay as it is.
    pub(super) fn of_file(file: File) -> Content {
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        Content::File(Arc::new(file), length)
    }

    pub(super) fn length(&self) -> u64 {
        match self {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::File(_, length) => *length,
        }
    }

    pub(super) fn add(&mut self, more: &[u8]) {
        if let Content::Memory(bytes) = self {
            if bytes.len() + more.len() <= MOST_IN_MEMORY {
                Arc::make_mut(bytes).extend_from_slice(more);
                return;
            }
            let mut file = tempfile::tempfile().expect("a temporary file");
            file.write_all(bytes).expect("room for a blob");
            *self = Content::File(Arc::new(file), bytes.len() as u64);
        }
        if let Content::File(file, length) = self {
            file.write_all_at(more, *length).expect("room for a blob");
            *length += more.len() as u64;
        }
    }

    /// Adds all of `other`; what is empty becomes it.
    pub(super) fn append(&mut self, other: Content) {
        if self.length() == 0 {
            *self = other;
        } else {
            other
                .each(0, other.length(), |piece| {
                    self.add(piece);
                    Ok(())
                })
                .expect("adding does not fail");
        }
    }

    /// `length` bytes from `start` on, or what there is of them.
    pub(super) fn bytes(&self, start: u64, length: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.each(start, length, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })
        .expect("collecting does not fail");
        bytes
    }

    /// Hands out `length` bytes from `start` on in pieces.
    pub(super) fn each(
        &self,
        start: u64,
        length: u64,
        mut take: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        let end = start.saturating_add(length).min(self.length());
        match self {
            Content::Memory(bytes) => {
                let range = usize::try_from(start).unwrap_or(usize::MAX)
                    ..usize::try_from(end).unwrap_or(usize::MAX);
                bytes.get(range).map_or(Ok(()), take)
            }
            Content::File(file, _) => {
                let mut buffer = vec![0; 256 * 1024];
                let mut at = start;
                while at < end {
                    let most = usize::try_from(end - at)
                        .unwrap_or(usize::MAX)
                        .min(buffer.len());
                    let taken = file.read_at(&mut buffer[..most], at)?;
                    take(&buffer[..taken])?;
                    at += taken as u64;
                }
                Ok(())
            }
        }
    }

    /// `sha256:…` or `sha512:…`.
    pub(super) fn digest(&self, algorithm: &str) -> String {
        let hash = match algorithm {
            "sha512" => self.hash(Sha512::new()),
            _ => self.hash(Sha256::new()),
        };
        format!("{algorithm}:{hash}")
    }

    fn hash(&self, mut hasher: impl Digest) -> String {
        self.each(0, self.length(), |piece| {
            hasher.update(piece);
            Ok(())
        })
        .expect("hashing does not fail");
        let hash = hasher.finalize();
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
