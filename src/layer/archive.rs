//! Entries → tar: sorted, parents present, USTAR with PAX records only where USTAR has no room.
//!
//! The tar crate lays out header blocks; its builder is not used, because that one follows links, writes sparse entries where the
//! file system has holes, and spells long names GNU's way. Every byte follows from the entries and the content of their files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use anyhow::Result;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use tar::{EntryType, Header};

use super::Content;
use super::Entry;
use super::quoted;
use crate::fault::Fault;
use crate::fault::Kind;
use crate::interrupt;

const BLOCK: usize = 512;

/// Large enough that a system call costs nothing, small enough that what was read is still in the core's cache when it is hashed.
const STEP: usize = 256 << 10;

/// Writes the tar of `entries`, whatever their order, to `out`.
pub(super) fn write(entries: &[Entry], out: &mut impl Write) -> Result<()> {
    for (path, entry) in ordered(entries)? {
        match entry {
            Some(entry) => append(entry, out)?,
            None => out.write_all(&Member::parent(path).headers())?,
        }
    }
    Ok(out.write_all(&[0; 2 * BLOCK])?)
}

/// By path, which puts parents before their children; `None` is a parent that no entry names.
fn ordered(entries: &[Entry]) -> Result<BTreeMap<&str, Option<&Entry>>, Fault> {
    let mut all = BTreeMap::new();
    for entry in entries {
        if let Some(Some(other)) = all.insert(entry.path.as_str(), Some(entry)) {
            return Err(twice(other, entry));
        }
    }
    for entry in entries {
        for parent in parents(&entry.path) {
            match all.entry(parent).or_insert(None) {
                Some(other) if other.content != Content::Directory => {
                    return Err(twice(other, entry));
                }
                _ => {}
            }
        }
    }
    Ok(all)
}

/// `a/b/c` has the parents `a` and `a/b`.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end])
}

fn twice(first: &Entry, second: &Entry) -> Fault {
    let describe = |entry: &Entry| {
        let path = entry.path.escape_debug();
        match &entry.content {
            Content::Directory => format!("`/{path}` is a directory"),
            Content::File(source) => format!("`/{path}` is the file {}", quoted(source)),
            Content::Bytes(_) => format!("`/{path}` is a file that rbuild makes itself"),
        }
    };
    let path = first.path.escape_debug();
    Fault::refused(format!("two things want to be `/{path}` in one layer"))
        .because(describe(first))
        .because(describe(second))
}

fn append(entry: &Entry, out: &mut impl Write) -> Result<()> {
    let member = Member::of(entry);
    match &entry.content {
        Content::Directory => out.write_all(&member.headers())?,
        Content::Bytes(bytes) => {
            let size = bytes.len() as u64;
            out.write_all(&Member { size, ..member }.headers())?;
            out.write_all(bytes)?;
            pad(size, out)?;
        }
        Content::File(source) => {
            let (file, size) = open(source)?;
            out.write_all(&Member { size, ..member }.headers())?;
            copy(file, size, source, out)?;
            pad(size, out)?;
        }
    }
    Ok(())
}

fn pad(size: u64, out: &mut impl Write) -> Result<()> {
    let rest = (size % BLOCK as u64) as usize;
    Ok(out.write_all(&[0; BLOCK][..(BLOCK - rest) % BLOCK])?)
}

/// The file and its length, both from one open: no link at its end is followed, and a FIFO does not make us wait.
fn open(source: &Path) -> Result<(File, u64), Fault> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(source, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::LOOP) => return Err(irregular(source, "it is a symbolic link")),
        Err(Errno::NXIO) => return Err(irregular(source, "it is a socket or a device")),
        Err(error) => return Err(unreadable(source, &error.into())),
    };
    let metadata = file
        .metadata()
        .map_err(|error| unreadable(source, &error))?;
    if !metadata.is_file() {
        return Err(irregular(source, "it is a directory, a FIFO or a device"));
    }
    Ok((file, metadata.len()))
}

/// Copies exactly `size` bytes, and fails when the file has fewer or more of them by now.
fn copy(mut file: File, size: u64, source: &Path, out: &mut impl Write) -> Result<()> {
    let mut buffer = vec![0; size.clamp(1, STEP as u64) as usize];
    let mut left = size;
    while left > 0 {
        interrupt::check()?;
        let step = left.min(STEP as u64) as usize;
        file.read_exact(&mut buffer[..step])
            .map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => changed(source),
                _ => unreadable(source, &error),
            })?;
        out.write_all(&buffer[..step])?;
        left -= step as u64;
    }
    match file.read(&mut buffer[..1]) {
        Ok(0) => Ok(()),
        Ok(_) => Err(changed(source).into()),
        Err(error) => Err(unreadable(source, &error).into()),
    }
}

fn irregular(source: &Path, reason: &str) -> Fault {
    Fault::refused(format!("{} is not a regular file", quoted(source))).because(reason)
}

fn unreadable(source: &Path, error: &io::Error) -> Fault {
    Fault::new(Kind::Disk, format!("cannot read {}", quoted(source))).because(error.to_string())
}

fn changed(source: &Path) -> Fault {
    Fault::new(
        Kind::Other,
        format!("{} changed while it was read", quoted(source)),
    )
    .because("its length is no longer what it was when it was opened")
    .hint("run the command again when nothing else writes to it")
}

/// What the headers of one entry say.
struct Member {
    /// With a `/` at the end if it is a directory.
    path: String,
    kind: EntryType,
    mode: u32,
    owner: (u64, u64),
    size: u64,
}

impl Member {
    fn of(entry: &Entry) -> Member {
        let (kind, slash) = match &entry.content {
            Content::Directory => (EntryType::Directory, "/"),
            Content::File(_) | Content::Bytes(_) => (EntryType::Regular, ""),
        };
        Member {
            path: format!("{}{slash}", entry.path),
            kind,
            mode: entry.mode,
            owner: entry.owner,
            size: 0,
        }
    }

    /// A directory that no entry names: 0755, root, 1970.
    fn parent(path: &str) -> Member {
        Member {
            path: format!("{path}/"),
            kind: EntryType::Directory,
            mode: 0o755,
            owner: (0, 0),
            size: 0,
        }
    }

    /// The header block, after a PAX header if one is needed. A field without room is zero or cut off, and a record holds the truth.
    fn headers(&self) -> Vec<u8> {
        let mut records = Records::default();
        let mut header = Header::new_ustar();
        header.set_entry_type(self.kind);
        header.set_mode(self.mode);
        header.set_uid(records.number("uid", self.owner.0, 7));
        header.set_gid(records.number("gid", self.owner.1, 7));
        header.set_size(records.number("size", self.size, 11));
        header.set_mtime(0);
        let ustar = header.as_ustar_mut().expect("it was made as one");
        match split(&self.path) {
            Some((prefix, name)) => {
                fill(&mut ustar.prefix, prefix);
                fill(&mut ustar.name, name);
            }
            None => fill(&mut ustar.name, records.text("path", &self.path)),
        }
        header.set_cksum();
        [records.block().as_slice(), header.as_bytes()].concat()
    }
}

/// Prefix and name as USTAR stores them: ASCII, at most 155 and 100 bytes, with the `/` between them left out.
fn split(path: &str) -> Option<(&str, &str)> {
    if !path.is_ascii() {
        return None;
    }
    if path.len() <= 100 {
        return Some(("", path));
    }
    let cut = |(at, _)| (&path[..at], &path[at + 1..]);
    path.match_indices('/')
        .map(cut)
        .find(|(prefix, name)| prefix.len() <= 155 && (1..=100).contains(&name.len()))
}

/// Copies as much of the ASCII part of `text` as the field holds.
fn fill(field: &mut [u8], text: &str) {
    for (place, byte) in field.iter_mut().zip(text.bytes()) {
        *place = if byte.is_ascii() { byte } else { b'_' };
    }
}

/// The records of a PAX extended header (POSIX pax, "pax Extended Header"), in the order in which they were added.
#[derive(Default)]
struct Records(Vec<u8>);

impl Records {
    /// `value` if it fits in so many octal digits, else zero and a record.
    fn number(&mut self, key: &str, value: u64, digits: u32) -> u64 {
        if value < 1 << (3 * digits) {
            return value;
        }
        self.text(key, &value.to_string());
        0
    }

    /// Adds `LENGTH KEY=VALUE`, where the length counts its own digits too.
    fn text<'v>(&mut self, key: &str, value: &'v str) -> &'v str {
        let rest = key.len() + value.len() + " =\n".len();
        let mut length = rest;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        self.0.extend(format!("{length} {key}={value}\n").bytes());
        value
    }

    /// Header and records, padded; nothing if there are no records.
    fn block(mut self) -> Vec<u8> {
        if self.0.is_empty() {
            return self.0;
        }
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::XHeader);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(self.0.len() as u64);
        let ustar = header.as_ustar_mut().expect("it was made as one");
        fill(&mut ustar.name, "PaxHeaders.0/entry");
        header.set_cksum();
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
        [header.as_bytes(), self.0.as_slice()].concat()
    }
}

#[cfg(test)]
mod tests;
