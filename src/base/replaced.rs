//! A small file of the user's, replaced in one step: the old one or the new one, never half of either.
//!
//! A link stays and the file that it leads to is replaced; the mode of that file is kept.

use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::Builder;

use crate::fault::{Fault, Kind};

/// Writes `bytes` to the file at `path`. Errors: [`Kind::Disk`], and what was there is whole.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    replaced(path, bytes).map_err(|error| {
        Fault::new(Kind::Disk, format!("cannot write {}", path.display()))
            .because(error.to_string())
    })
}

fn replaced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let place = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        found => found?,
    };
    let mode = match fs::metadata(&place) {
        Ok(found) if found.is_file() => Some(found.permissions()),
        Ok(_) => return Err(io::Error::other("it is not a regular file")),
        Err(_) => None,
    };
    // A new file is made with 0666, of which the umask takes its share.
    let mut file = Builder::new()
        .prefix(".rbuild-")
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(place.parent().unwrap_or(Path::new("/")))?;
    file.write_all(bytes)?;
    if let Some(mode) = mode {
        file.as_file().set_permissions(mode)?;
    }
    file.as_file().sync_all()?;
    file.persist(&place).map(drop).map_err(|error| error.error)
}
