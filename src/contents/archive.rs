//! Tar → members, one after the other: ustar, GNU and PAX, as Go's archive/tar and so every container runtime reads them.
//!
//! Nothing is unpacked. Names and records are bounded before they are read; a member's size is never trusted with memory.

use std::io::{self, ErrorKind, Read, Take};

use tar::{EntryType, GnuExtSparseHeader, Header};

use super::unpack::invalid;

const BLOCK: u64 = 512;
/// The most bytes of a PAX header or a long name: attributes of a file have at most 64 KiB each (xattr(7)).
const RECORDS: u64 = 1 << 20;
/// The most members of a layer. The largest images have some hundred thousand files.
pub(super) const MEMBERS: u64 = 4_000_000;

/// One thing in a tar.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// As it is written, whatever that is.
    pub(crate) path: String,
    pub(crate) kind: Kind,
    /// The content's, in bytes.
    pub(crate) size: u64,
    /// Which member it is, counted from 0: what finds it again.
    pub(crate) number: u64,
    /// Whether the content is a list of holes with what is between them.
    pub(crate) is_sparse: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    Link(String),
    HardLink(String),
    /// A device, a FIFO, or what nobody knows.
    Other,
}

/// What precedes a member and says more of it.
#[derive(Default)]
struct Before {
    path: Option<String>,
    link: Option<String>,
    size: Option<u64>,
    is_sparse: bool,
}

pub(crate) struct Archive<R: Read> {
    content: Take<R>,
    padding: u64,
    /// How many there were so far.
    pub(super) members: u64,
    /// Whether its end was seen, a block of zeros: one that is cut off between two members has none.
    pub(crate) is_ended: bool,
}

impl<R: Read> Archive<R> {
    pub(crate) fn new(tar: R) -> Archive<R> {
        Archive {
            content: tar.take(0),
            padding: 0,
            members: 0,
            is_ended: false,
        }
    }

    /// The content of the member that came last.
    pub(crate) fn content(&mut self) -> &mut impl Read {
        &mut self.content
    }

    pub(super) fn into_inner(self) -> R {
        self.content.into_inner()
    }

    /// The next member; what was not read of the last one is passed over. `None` after the two blocks of zeros, or where the bytes end
    /// between two members.
    pub(crate) fn next(&mut self) -> io::Result<Option<Member>> {
        let mut before = Before::default();
        while let Some(header) = self.header()? {
            let kind = header.entry_type();
            let size = match before.size.take() {
                Some(size) if !is_extension(kind) => size,
                _ => header
                    .entry_size()
                    .map_err(|_| invalid("a size is no number"))?,
            };
            self.skip_maps(&header)?;
            self.set_content(size);
            if !is_extension(kind) {
                return self.member(&header, before).map(Some);
            }
            self.extend(&mut before, kind)?;
        }
        Ok(None)
    }

    fn set_content(&mut self, size: u64) {
        self.content.set_limit(size);
        self.padding = (BLOCK - size % BLOCK) % BLOCK;
    }

    /// Passes over the content and what fills its last block.
    fn skip(&mut self) -> io::Result<()> {
        let left = self.content.limit();
        let passed = io::copy(&mut self.content, &mut io::sink())?;
        self.content.set_limit(self.padding);
        let padding = std::mem::take(&mut self.padding);
        let filled = io::copy(&mut self.content, &mut io::sink())?;
        match passed == left && filled == padding {
            true => Ok(()),
            false => Err(cut_off()),
        }
    }

    fn header(&mut self) -> io::Result<Option<Header>> {
        self.skip()?;
        let Some(block) = self.block()? else {
            return Ok(None);
        };
        if block.iter().all(|byte| *byte == 0) {
            self.is_ended = true;
            return Ok(None);
        }
        self.members += 1;
        if self.members > MEMBERS {
            return Err(invalid(format!("it holds more than {MEMBERS} entries")));
        }
        let header = Header::from_byte_slice(&block);
        match header.cksum().ok() == Some(checksum(&block)) {
            true => Ok(Some(header.clone())),
            false => Err(invalid("a header has another checksum than it says")),
        }
    }

    fn block(&mut self) -> io::Result<Option<[u8; BLOCK as usize]>> {
        let mut block = [0; BLOCK as usize];
        let mut filled = 0;
        self.content.set_limit(BLOCK);
        while filled < block.len() {
            match self.content.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(cut_off()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(block))
    }

    /// The blocks after a GNU header whose list of holes did not fit.
    fn skip_maps(&mut self, header: &Header) -> io::Result<()> {
        let is_long = |header: &Header| header.as_gnu().is_some_and(tar::GnuHeader::is_extended);
        let mut goes_on = header.entry_type() == EntryType::GNUSparse && is_long(header);
        while goes_on {
            let block = self.block()?.ok_or_else(cut_off)?;
            let mut map = GnuExtSparseHeader::new();
            map.as_mut_bytes().copy_from_slice(&block);
            goes_on = map.is_extended();
        }
        Ok(())
    }

    fn member(&mut self, header: &Header, before: Before) -> io::Result<Member> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let own_link = || text(&header.link_name_bytes().unwrap_or_default());
        let link = before.link.unwrap_or_else(own_link);
        let path = before.path.unwrap_or_else(|| text(&header.path_bytes()));
        let kind = match header.entry_type() {
            EntryType::Symlink => Kind::Link(link),
            EntryType::Link => Kind::HardLink(link),
            EntryType::Directory => Kind::Directory,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                file_or_directory(&path)
            }
            _ => Kind::Other,
        };
        if is_header_only(header.entry_type()) {
            self.set_content(0);
        }
        Ok(Member {
            path,
            kind,
            size: self.content.limit(),
            number: self.members,
            is_sparse: before.is_sparse || header.entry_type() == EntryType::GNUSparse,
        })
    }

    fn extend(&mut self, before: &mut Before, kind: EntryType) -> io::Result<()> {
        if self.content.limit() > RECORDS {
            return Err(invalid(format!(
                "a name or a header has more than {RECORDS} bytes"
            )));
        }
        let mut bytes = Vec::new();
        self.content.read_to_end(&mut bytes)?;
        if self.content.limit() > 0 {
            return Err(cut_off());
        }
        match kind {
            EntryType::GNULongName => before.path = Some(long(&bytes)),
            EntryType::GNULongLink => before.link = Some(long(&bytes)),
            EntryType::XHeader => before.take(&bytes)?,
            _ => {}
        }
        Ok(())
    }
}

impl Before {
    /// PAX records: `length key=value\n` (POSIX.1, pax, "pax Extended Header").
    fn take(&mut self, mut records: &[u8]) -> io::Result<()> {
        let bad = || invalid("a PAX header is not made of records");
        while !records.is_empty() {
            let space = records.iter().take(20).position(|byte| *byte == b' ');
            let space = space.ok_or_else(bad)?;
            let length: usize = number(&records[..space]).ok_or_else(bad)?;
            let record = records.get(space + 1..length).ok_or_else(bad)?;
            let record = record.strip_suffix(b"\n").ok_or_else(bad)?;
            let equals = record.iter().position(|byte| *byte == b'=');
            let (key, value) = record.split_at(equals.ok_or_else(bad)?);
            self.set(key, &value[1..])?;
            records = &records[length..];
        }
        Ok(())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let text = || Some(String::from_utf8_lossy(value).into_owned());
        match key {
            b"path" if !self.is_sparse => self.path = text(),
            b"GNU.sparse.name" => self.path = text(),
            b"linkpath" => self.link = text(),
            b"size" => {
                let size = number(value).ok_or_else(|| invalid("a size is no number"))?;
                self.size = Some(size);
            }
            _ => {}
        }
        self.is_sparse |= key.starts_with(b"GNU.sparse.");
        Ok(())
    }
}

fn number<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

fn long(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned()
}

fn is_extension(kind: EntryType) -> bool {
    kind.is_gnu_longname()
        || kind.is_gnu_longlink()
        || kind.is_pax_local_extensions()
        || kind.is_pax_global_extensions()
}

/// Old tars mark a directory by the end of its name.
fn file_or_directory(path: &str) -> Kind {
    match path.ends_with('/') {
        true => Kind::Directory,
        false => Kind::File,
    }
}

/// What these say of a size is left from the file that they were made of.
fn is_header_only(kind: EntryType) -> bool {
    kind.is_character_special()
        || kind.is_block_special()
        || kind.is_fifo()
        || kind.is_dir()
        || kind.is_symlink()
        || kind.is_hard_link()
}

/// The sum of all bytes, those of the checksum itself counted as spaces.
fn checksum(block: &[u8; BLOCK as usize]) -> u32 {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    sum(&block[..148]) + 8 * u32::from(b' ') + sum(&block[156..])
}

fn cut_off() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "it ends within an entry")
}
