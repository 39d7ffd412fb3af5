//! What lies beside the blobs and is made again when it is gone: kits and records; taken away by whoever prunes.
//!
//! A kit was used last when its directory was written, which every use does; a record when it was written, or read as far as the file
//! system keeps that. Half a kit would be taken for a whole one, so each leaves its place in one step.

use std::fs;
use std::fs::Metadata;
use std::path::Path;
use std::path::PathBuf;

use super::Error;
use super::Store;
use super::claim::Alone;
use super::regular::list;
use super::remove::Seen;
use crate::digest::Digest;

/// A kit or a record.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    /// `kits/linker`, `records/pushed`.
    pub(crate) kind: String,
    pub(crate) key: Digest,
    pub(crate) seen: Seen,
    path: PathBuf,
}

impl Store {
    /// All kits and records here.
    pub(crate) fn made(&self) -> Result<Vec<Made>, Error> {
        let mut made = Vec::new();
        for home in ["kits", "records"] {
            let kinds = list(&self.private(home))?.into_iter();
            for (path, _) in kinds.filter(|(_, found)| found.is_dir()) {
                let kind = path.file_name().unwrap_or_default().display();
                let kind = format!("{home}/{kind}");
                for one in list(&path)? {
                    made.extend(to_made(&kind, one)?);
                }
            }
        }
        Ok(made)
    }

    /// Takes these away.
    pub(crate) fn unmake(&self, _alone: &Alone, made: &[&Made]) -> Result<(), Error> {
        if made.is_empty() {
            return Ok(());
        }
        let temps = self.temp_directory();
        let bin = tempfile::Builder::new()
            .prefix("gone-")
            .tempdir_in(&temps)
            .map_err(|error| Error::of_io("create a directory in", &temps, error))?;
        for (number, one) in made.iter().enumerate() {
            fs::rename(&one.path, bin.path().join(number.to_string()))
                .map_err(|error| Error::of_io("remove", &one.path, error))?;
        }
        Ok(()) // a leftover in the bin goes after a day
    }
}

/// What has no name of ours was put there by somebody else.
fn to_made(kind: &str, (path, found): (PathBuf, Metadata)) -> Result<Option<Made>, Error> {
    let name = path.file_stem().and_then(|name| name.to_str());
    let Some(key) = name.and_then(|name| Digest::of_hex(name.as_bytes())) else {
        return Ok(None);
    };
    let Ok(modified) = found.modified() else {
        return Ok(None);
    };
    let (size, used) = match found.is_dir() {
        true => (size_below(&path)?, modified),
        false => (
            found.len(),
            found.accessed().map_or(modified, |read| read.max(modified)),
        ),
    };
    let seen = Seen {
        size,
        modified: used,
    };
    Ok(Some(Made {
        kind: kind.to_owned(),
        key,
        seen,
        path,
    }))
}

pub(super) fn size_below(directory: &Path) -> Result<u64, Error> {
    let mut size = 0;
    for (path, found) in list(directory)? {
        size += if found.is_dir() {
            size_below(&path)?
        } else {
            found.len()
        };
    }
    Ok(size)
}
