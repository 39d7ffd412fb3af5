//! One file or directory, written beside its target and renamed: the target is the old one, the new one, or absent; never half of either.
//!
//! A link is followed and stays; the file that it leads to is replaced. Devices, pipes and directories are never replaced.

use std::fs;
use std::fs::{File, Metadata};
use std::io;
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{Access, access};
use tempfile::{Builder, TempDir};

use crate::fault::{Fault, Kind};

/// As many as Linux follows.
const MOST_LINKS: usize = 40;

/// Refuses a target that [`replace`] could not write, as far as that can be seen without writing.
pub(crate) fn look(path: &Path) -> Result<()> {
    let place = place(path)?;
    let directory = directory_of(&place);
    if !directory.is_dir() {
        return Err(no_directory(path, directory).into());
    }
    access(directory, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| disk(path, &error.into()).hint("name a file in a directory of yours"))?;
    Ok(())
}

/// Where the bytes go: the path, or the file that its links lead to. Nothing but a regular file or nothing may be there.
fn place(path: &Path) -> Result<PathBuf> {
    if let Ok(found) = fs::metadata(path)
        && !found.is_file()
    {
        return Err(odd(path, what(&found)).into());
    }
    let mut place = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::symlink_metadata(&place) {
            Ok(found) if found.is_symlink() => place = follow(path, &place)?,
            Err(error) if !is_absence(&error) => return Err(disk(path, &error).into()),
            _ => return Ok(place),
        }
    }
    Err(odd(path, "a link that leads to itself").into())
}

/// One link further. Those of the system, `/dev/stdout` for instance, name what is open already, which cannot be replaced.
fn follow(path: &Path, link: &Path) -> Result<PathBuf> {
    if link.starts_with("/dev") || link.starts_with("/proc") {
        return Err(odd(path, "a link to what is open already").into());
    }
    let to = fs::read_link(link).map_err(|error| disk(path, &error))?;
    Ok(directory_of(link).join(to))
}

fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}

fn what(found: &Metadata) -> &'static str {
    if found.is_dir() {
        "a directory"
    } else {
        "a device, a pipe or a socket"
    }
}

fn odd(path: &Path, what: &str) -> Fault {
    Fault::refused(format!("{} is {what}", path.display()))
        .hint("name a regular file, or one that is not there yet")
}

fn no_directory(path: &Path, directory: &Path) -> Fault {
    Fault::new(Kind::Disk, format!("cannot write {}", path.display()))
        .because(format!("there is no directory {}", directory.display()))
        .hint(format!("make it first: `mkdir -p {}`", directory.display()))
}

fn directory_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Replaces the file at `path` by what `write` writes.
pub(crate) fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
) -> Result<()> {
    put((path, &place(path)?), None, write)
}

/// Replaces the content of the small file at `path`; a file that is there keeps its mode.
pub(crate) fn rewrite(path: &Path, bytes: &[u8]) -> Result<()> {
    let place = place(path)?;
    let mode = fs::metadata(&place).ok().map(|found| found.permissions());
    put((path, &place), mode, |writer| {
        let written = writer.write_all(bytes);
        Ok(written.map_err(|error| disk(path, &error))?)
    })
}

/// `place` is where the bytes of `path` go; `mode` is what the umask has no say in.
fn put(
    (path, place): (&Path, &Path),
    mode: Option<fs::Permissions>,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
) -> Result<()> {
    // Created with 0666, of which the umask takes its share, as for any file that a user makes.
    let permissions = fs::Permissions::from_mode(0o666);
    let temporary = Builder::new()
        .prefix(".rbuild-")
        .permissions(permissions)
        .tempfile_in(directory_of(place));
    let temporary = temporary.map_err(|error| disk(path, &error))?;
    let mut writer = BufWriter::with_capacity(
        1 << 18,
        temporary.reopen().map_err(|error| disk(path, &error))?,
    );
    write(&mut writer).with_context(|| format!("cannot write {}", path.display()))?;
    let file = writer
        .into_inner()
        .map_err(|error| disk(path, error.error()))?;
    mode.map_or(Ok(()), |mode| file.set_permissions(mode))
        .and_then(|()| file.sync_all())
        .map_err(|error| disk(path, &error))?;
    temporary
        .persist(place)
        .map_err(|error| disk(path, &error.error))?;
    Ok(())
}

/// A directory beside the place that it is going to take; it goes away unless it is renamed. Nothing, or an empty directory, may be there.
pub(crate) fn beside(place: &Path) -> Result<TempDir> {
    refuse_taken(place)?;
    let directory = directory_of(place);
    if !directory.is_dir() {
        return Err(no_directory(place, directory).into());
    }
    let permissions = fs::Permissions::from_mode(0o777);
    let made = Builder::new()
        .prefix(".rbuild-")
        .permissions(permissions)
        .tempdir_in(directory);
    Ok(made.map_err(|error| disk(place, &error))?)
}

/// Refuses a place where something is, links not followed: a rename would not reach what they lead to.
pub(crate) fn refuse_taken(place: &Path) -> Result<()> {
    let taken = |what: &str| {
        Fault::refused(format!("{} {what}", place.display()))
            .hint("name a directory that is not there yet, or is empty")
    };
    match fs::symlink_metadata(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(disk(place, &error).into()),
        Ok(found) if !found.is_dir() => Err(taken("is no directory").into()),
        Ok(_) => match fs::read_dir(place)
            .map_err(|error| disk(place, &error))?
            .next()
        {
            None => Ok(()),
            Some(_) => Err(taken("is not empty").into()),
        },
    }
}

fn disk(path: &Path, error: &io::Error) -> Fault {
    Fault::new(Kind::Disk, format!("cannot write {}", path.display())).because(error.to_string())
}

#[cfg(test)]
mod tests {
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
        assert_eq!(fs::read(&path).expect("still there"), b"old");
        assert_eq!(fs::read_dir(directory.path()).expect("list").count(), 1);
    }

    #[test]
    fn a_link_stays_and_the_file_that_it_leads_to_is_replaced() {
        let directory = tempfile::tempdir().expect("temp");
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("far")).expect("made");
        fs::write(at("far/old"), "old").expect("written");
        std::os::unix::fs::symlink("far/old", at("link")).expect("made");
        std::os::unix::fs::symlink("link", at("second")).expect("made");
        std::os::unix::fs::symlink("far/absent", at("dangling")).expect("made");
        for (link, file) in [("second", "far/old"), ("dangling", "far/absent")] {
            look(&at(link)).expect(link);
            replace(&at(link), |writer| Ok(writer.write_all(b"new")?)).expect(link);
            assert_eq!(fs::read(at(file)).expect(link), b"new");
            assert!(at(link).is_symlink(), "{link}");
        }
        assert_eq!(fs::read_dir(at("far")).expect("list").count(), 2);
    }

    #[test]
    fn a_file_that_is_rewritten_keeps_its_mode_and_its_link() {
        let directory = tempfile::tempdir().expect("temp");
        let at = |name: &str| directory.path().join(name);
        fs::write(at("file"), "old").expect("written");
        fs::set_permissions(at("file"), fs::Permissions::from_mode(0o640)).expect("set");
        std::os::unix::fs::symlink("file", at("link")).expect("made");
        rewrite(&at("link"), b"new").expect("rewritten");
        assert_eq!(fs::read(at("file")).expect("read"), b"new");
        let found = fs::metadata(at("file")).expect("there");
        assert_eq!(found.permissions().mode() & 0o777, 0o640);
        assert!(at("link").is_symlink());
        rewrite(&at("fresh"), b"new").expect("a new one");
        assert_eq!(fs::read_dir(directory.path()).expect("list").count(), 3);
    }

    #[test]
    fn what_is_no_file_is_refused_before_and_while_it_is_written() {
        let directory = tempfile::tempdir().expect("temp");
        let looped = directory.path().join("loop");
        std::os::unix::fs::symlink("loop", &looped).expect("made");
        let null = directory.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &null).expect("made");
        let paths = [
            Path::new("/dev/null"),
            Path::new("/dev/stdout"),
            directory.path(),
            &looped,
            &null,
        ];
        for path in paths {
            let seen = look(path).expect_err("seen");
            let written = replace(path, |_| Ok(())).expect_err("refused");
            for error in [seen, written] {
                let fault = error.downcast::<Fault>().expect("a fault");
                assert_eq!(fault.kind, Kind::Refused, "{}", path.display());
                assert!(fault.hints()[0].contains("regular file"));
            }
        }
    }

    #[test]
    fn a_look_names_the_missing_directory_and_writes_nothing() {
        let directory = tempfile::tempdir().expect("temp");
        look(&directory.path().join("new")).expect("could be written");
        let file = directory.path().join("file");
        fs::write(&file, "x").expect("written");
        for below in ["no/such/file", "file/below"] {
            let error = look(&directory.path().join(below)).expect_err(below);
            let fault = error.downcast::<Fault>().expect("a fault");
            assert_eq!(fault.kind, Kind::Disk);
            assert!(fault.reasons()[0].contains("there is no directory"));
        }
        assert_eq!(fs::read_dir(directory.path()).expect("list").count(), 1);
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
