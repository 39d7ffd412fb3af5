//! One file, written beside its target and renamed: the target is the old one, the new one, or absent; never half of either.

use std::fs::File;
use std::io::BufWriter;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::Builder;

use crate::fault::{Fault, Kind};

/// Replaces the file at `path` by what `write` writes.
pub(crate) fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
) -> Result<()> {
    if path.is_dir() {
        return Err(Fault::refused(format!("{} is a directory", path.display()))
            .hint("name a file")
            .into());
    }
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    // Created with 0666, of which the umask takes its share, as for any file that a user makes.
    let permissions = std::fs::Permissions::from_mode(0o666);
    let temporary = Builder::new()
        .prefix(".rbuild-")
        .permissions(permissions)
        .tempfile_in(directory);
    let temporary = temporary.map_err(|error| disk(path, &error))?;
    let mut writer = BufWriter::with_capacity(
        1 << 18,
        temporary.reopen().map_err(|error| disk(path, &error))?,
    );
    write(&mut writer).with_context(|| format!("cannot write {}", path.display()))?;
    let file = writer
        .into_inner()
        .map_err(|error| disk(path, error.error()))?;
    file.sync_all().map_err(|error| disk(path, &error))?;
    temporary
        .persist(path)
        .map_err(|error| disk(path, &error.error))?;
    Ok(())
}

fn disk(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(Kind::Disk, format!("cannot write {}", path.display())).because(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn k04_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it() {
        let directory = tempfile::tempdir().expect("temp");
        let path = directory.path().join("out.tar");
        replace(&path, |writer| Ok(writer.write_all(b"old")?)).expect("written");
        let failed = replace(&path, |writer| {
            writer.write_all(b"half")?;
            anyhow::bail!("no more")
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).expect("still there"), b"old");
        assert_eq!(
            std::fs::read_dir(directory.path()).expect("list").count(),
            1
        );
    }

    #[test]
    fn a_directory_is_not_written_over_and_a_missing_one_is_named() {
        let directory = tempfile::tempdir().expect("temp");
        assert!(replace(directory.path(), |_| Ok(())).is_err());
        let error =
            replace(&directory.path().join("no/such/file"), |_| Ok(())).expect_err("missing");
        assert_eq!(error.downcast::<Fault>().expect("a fault").kind, Kind::Disk);
    }
}
