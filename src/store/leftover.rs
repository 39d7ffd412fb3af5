//! What no reader ever looks at: temporary files that nobody finished, and what was put aside because it was damaged.
//!
//! Writers sweep the former as they go; whoever prunes takes both, and tells.

use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use super::Error;
use super::Store;
use super::claim::Alone;
use super::made;
use super::quarantine;
use super::regular::list;
use super::remove::Seen;
use super::trim;

/// A file or a directory.
#[derive(Clone, Debug)]
pub(crate) struct Leftover {
    /// `tmp/new-x7Yd2k`, `quarantine/<hex>.1`.
    pub(crate) name: String,
    pub(crate) seen: Seen,
    /// Whether it was put aside for a look.
    pub(crate) is_evidence: bool,
    path: PathBuf,
}

impl Store {
    /// All that was put aside, and the temporary files that a sweep would take.
    pub(crate) fn leftovers(&self, now: SystemTime) -> Result<Vec<Leftover>, Error> {
        let mut left = self.leftovers_in("tmp")?;
        left.retain(|one| trim::is_stale(now, one.seen.modified));
        let aside = self.leftovers_in("quarantine")?.into_iter();
        left.extend(aside.filter(|one| quarantine::number(&one.path).is_some()));
        left.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(left)
    }

    fn leftovers_in(&self, home: &str) -> Result<Vec<Leftover>, Error> {
        let mut left = Vec::new();
        for (path, found) in list(&self.private(home))? {
            let size = match found.is_dir() {
                true => made::size_below(&path)?,
                false => found.len(),
            };
            let modified = found.modified();
            let modified = modified.map_err(|error| Error::of_io("look at", &path, error))?;
            let name = path.file_name().unwrap_or_default().display();
            left.push(Leftover {
                name: format!("{home}/{name}"),
                seen: Seen { size, modified },
                is_evidence: home == "quarantine",
                path,
            });
        }
        Ok(left)
    }

    /// Takes these away.
    pub(crate) fn discard(&self, _alone: &Alone, left: &[&Leftover]) -> Result<(), Error> {
        if left.is_empty() {
            return Ok(());
        }
        let _lock = self.lock()?;
        for one in left {
            match quarantine::remove(&one.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {} // a writer swept it
                result => result.map_err(|error| Error::of_io("remove", &one.path, error))?,
            }
        }
        Ok(())
    }
}
