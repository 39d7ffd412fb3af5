//! A directory or file of the user → entries: `kodata/` and assets.
//!
//! A symbolic link becomes what it points to, and only if that lies inside the source's root. What cannot rest in an image as a
//! plain file or directory is refused: sockets, FIFOs, devices, links that dangle, lead out or go in circles, names that are
//! not UTF-8. Nothing is opened here except directories. Modes come from the style, never from the user's umask.

use std::ffi::OsStr;
use std::fs;
use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Result;

use super::Entry;
use super::quoted;
use crate::fault::Fault;
use crate::fault::Kind;
use crate::interrupt;

/// Links that fan out can make a huge tree of a few directories, without a circle anywhere.
const MOST_ENTRIES: usize = 1_000_000;

/// How the entries of a tree look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    /// For every file; without it 0755 for files that somebody may execute and 0644 for others. Directories are 0755.
    pub(crate) mode: Option<u32>,
    /// User and group of everything from `to` on downwards.
    pub(crate) owner: (u64, u64),
}

/// The entries of `from`, sorted by path: a directory's content goes below `to`; a file goes to `to`, or below it if `to` ends
/// with `/`. Links (and `from` itself) may not lead out of `root`. Every refusal names the path as it was reached.
pub(crate) fn entries(root: &Path, from: &Path, to: &str, style: &Style) -> Result<Vec<Entry>> {
    let walk = Walk {
        root: resolve(root)?,
        style,
        most: MOST_ENTRIES,
    };
    walk.entries(from, to)
}

struct Walk<'a> {
    /// Resolved.
    root: PathBuf,
    style: &'a Style,
    most: usize,
}

/// One stop of the walk.
struct Stop {
    /// The path as the user knows it, with links in it.
    shown: PathBuf,
    /// Where it is, free of links.
    real: PathBuf,
    /// Where it goes in the image; empty for the image's root.
    to: String,
    above: Option<Rc<Stop>>,
}

impl Walk<'_> {
    fn entries(&self, from: &Path, to: &str) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut ahead = vec![self.start(from, to)?];
        while let Some(stop) = ahead.pop() {
            interrupt::check()?;
            if entries.len() + ahead.len() >= self.most {
                return Err(self.too_many(from).into());
            }
            let (entry, children) = self.visit(&Rc::new(stop))?;
            entries.extend(entry);
            ahead.extend(children.into_iter().rev());
        }
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(entries)
    }

    fn start(&self, from: &Path, to: &str) -> Result<Stop> {
        let real = self.resolve_inside(from)?;
        let name = from.file_name().filter(|_| to.ends_with('/'));
        let to = match name {
            Some(name) if !real.is_dir() => format!("{to}{}", text(name, from)?),
            _ => to.trim_end_matches('/').to_owned(),
        };
        Ok(Stop {
            shown: from.to_owned(),
            real,
            to,
            above: None,
        })
    }

    /// The entry of this stop (none for the image's root) and the stops below it.
    fn visit(&self, stop: &Rc<Stop>) -> Result<(Option<Entry>, Vec<Stop>)> {
        let metadata =
            fs::symlink_metadata(&stop.real).map_err(|error| unreadable(&stop.shown, &error))?;
        if metadata.is_file() {
            let mode = self.style.mode.unwrap_or_else(|| mode_of(&metadata));
            let entry = Entry::file(&stop.to, &stop.real)?.with_mode(mode);
            return Ok((Some(entry.with_owner(self.style.owner)), Vec::new()));
        }
        if !metadata.is_dir() {
            return Err(special(&stop.shown, &metadata).into());
        }
        refuse_circle(stop)?;
        let children = self.children(stop)?;
        if stop.to.is_empty() {
            return Ok((None, children));
        }
        let entry = Entry::directory(&stop.to)?.with_owner(self.style.owner);
        Ok((Some(entry), children))
    }

    /// In the order of their names, so that the walk meets the same trouble first on every machine.
    fn children(&self, stop: &Rc<Stop>) -> Result<Vec<Stop>> {
        let failed = |error| unreadable(&stop.shown, &error);
        let mut found = fs::read_dir(&stop.real)
            .and_then(Iterator::collect::<io::Result<Vec<_>>>)
            .map_err(failed)?;
        found.sort_by_key(fs::DirEntry::file_name);
        let mut children = Vec::new();
        for child in found {
            let shown = stop.shown.join(child.file_name());
            let name = text(&child.file_name(), &shown)?.to_owned();
            let linked = child.file_type().map_err(failed)?.is_symlink();
            children.push(Stop {
                real: match linked {
                    true => self.resolve_inside(&shown)?,
                    false => child.path(),
                },
                to: format!("{}/{name}", stop.to),
                shown,
                above: Some(Rc::clone(stop)),
            });
        }
        Ok(children)
    }

    fn resolve_inside(&self, shown: &Path) -> Result<PathBuf, Fault> {
        let real = resolve(shown)?;
        if real.starts_with(&self.root) {
            return Ok(real);
        }
        Err(
            Fault::refused(format!("{} leads out of its root", quoted(shown)))
                .because(format!("it is {}", quoted(&real)))
                .because(format!(
                    "only what lies below {} may be taken",
                    quoted(&self.root)
                )),
        )
    }

    fn too_many(&self, from: &Path) -> Fault {
        Fault::refused(format!("{} holds too much for one layer", quoted(from)))
            .because(format!("it has more than {} entries", self.most))
            .hint("look for links to directories that hold links to directories")
    }
}

/// The path free of links. What it names is not opened.
fn resolve(shown: &Path) -> Result<PathBuf, Fault> {
    fs::canonicalize(shown).map_err(|error| match error.kind() {
        ErrorKind::NotFound => missing(shown),
        _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            Fault::refused(format!("the link {} goes in circles", quoted(shown)))
        }
        _ => unreadable(shown, &error),
    })
}

fn missing(shown: &Path) -> Fault {
    match fs::read_link(shown) {
        Ok(target) => Fault::refused(format!("the link {} leads nowhere", quoted(shown)))
            .because(format!("it points to {}", quoted(&target))),
        Err(_) => Fault::refused(format!("{} does not exist", quoted(shown))),
    }
}

/// Refuses a directory that the walk is already inside of.
fn refuse_circle(stop: &Stop) -> Result<(), Fault> {
    let mut chain = vec![quoted(&stop.shown)];
    let mut above = stop.above.as_deref();
    while let Some(place) = above {
        chain.push(quoted(&place.shown));
        if place.real == stop.real {
            chain.reverse();
            return Err(Fault::refused(format!(
                "the link {} goes in circles",
                quoted(&stop.shown)
            ))
            .because(chain.join(" leads to "))
            .because(format!("first and last are both {}", quoted(&stop.real))));
        }
        above = place.above.as_deref();
    }
    Ok(())
}

fn mode_of(metadata: &Metadata) -> u32 {
    match metadata.permissions().mode() & 0o111 {
        0 => 0o644,
        _ => 0o755,
    }
}

fn text<'n>(name: &'n OsStr, shown: &Path) -> Result<&'n str, Fault> {
    name.to_str().ok_or_else(|| {
        Fault::refused(format!("the name of {} is not UTF-8", quoted(shown)))
            .because("names in an image are text")
    })
}

fn special(shown: &Path, metadata: &Metadata) -> Fault {
    let kind = metadata.file_type();
    let what = match () {
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () if kind.is_symlink() => "a link now and was none a moment ago",
        () => "a device",
    };
    Fault::refused(format!("{} cannot go into an image", quoted(shown)))
        .because(format!("it is {what}"))
}

fn unreadable(shown: &Path, error: &io::Error) -> Fault {
    Fault::new(Kind::Disk, format!("cannot read {}", quoted(shown))).because(error.to_string())
}

#[cfg(test)]
mod tests;
