//! What an ELF file says of itself: machine, loader, libraries it needs, versions it defines and needs.
//!
//! Reads what the section headers point at, and no code. Lists and names are bounded: a file that goes beyond them is not understood.

use std::fs;

use anyhow::{Context, Result, ensure};
use object::Endianness;
use object::elf;
use object::elf::{FileHeader32, FileHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionTable};
use object::read::{ReadCache, ReadRef, SectionIndex, StringTable};

/// The most libraries or versions that are read, and the most bytes of each name. glibc's libc.so.6 defines about fifty versions.
const MOST: usize = 4096;
const NAME: usize = 4096;

/// Offset of the byte that tells 32 from 64 bits, and its value for the latter (System V ABI, `EI_CLASS`).
const CLASS: u64 = 4;
const CLASS_64: u8 = 2;

/// A version that a library must define.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Needed {
    /// `libc.so.6`
    pub(crate) library: String,
    /// `GLIBC_2.36`
    pub(crate) version: String,
    /// Without it the program starts all the same.
    pub(crate) is_weak: bool,
}

/// An ELF file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// `e_machine`.
    pub(crate) machine: u16,
    pub(crate) is_64: bool,
    /// Whether the lists are complete. They are not where the section headers are gone or make no sense.
    pub(crate) is_known: bool,
    /// The dynamic loader, if it asks for one.
    pub(crate) interpreter: Option<String>,
    /// `DT_NEEDED`, in the file's order.
    pub(crate) needed: Vec<String>,
    /// Directories of `DT_RUNPATH`, or of `DT_RPATH` where there is none; `$ORIGIN` not replaced.
    pub(crate) runpath: Vec<String>,
    /// Versions that it defines.
    pub(crate) defined: Vec<String>,
    /// Versions that it needs of others.
    pub(crate) versions: Vec<Needed>,
}

/// What is looked at: only a library says more without naming a loader.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Program,
    Library,
}

/// A shared object that is in memory.
pub(crate) fn library(data: &[u8]) -> Result<Facts> {
    match is_64(data)? {
        true => parse::<FileHeader64<Endianness>, _>(data, Kind::Library),
        false => parse::<FileHeader32<Endianness>, _>(data, Kind::Library),
    }
}

/// A program of any size: what is not asked for is not read. Of one without a dynamic loader the headers are all that is read.
pub(crate) fn program(file: fs::File) -> Result<Facts> {
    let data = &ReadCache::new(file);
    match is_64(data)? {
        true => parse::<FileHeader64<Endianness>, _>(data, Kind::Program),
        false => parse::<FileHeader32<Endianness>, _>(data, Kind::Program),
    }
}

/// Machine and class alone, from the first bytes of a file.
pub(super) fn head(start: &[u8]) -> Option<(u16, bool)> {
    let order = start.get(5)?;
    let machine: [u8; 2] = start.get(18..20)?.try_into().ok()?;
    let machine = match order {
        2 => u16::from_be_bytes(machine),
        _ => u16::from_le_bytes(machine),
    };
    Some((machine, start[4] == CLASS_64))
}

fn is_64<'data, R: ReadRef<'data>>(data: R) -> Result<bool> {
    let class = data.read_bytes_at(CLASS, 1).ok();
    Ok(class.context("the file is too short")? == [CLASS_64])
}

fn parse<'data, Elf, R>(data: R, kind: Kind) -> Result<Facts>
where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = Elf::parse(data)?;
    let endian = header.endian()?;
    let mut facts = Facts {
        machine: header.e_machine(endian).0,
        is_64: header.is_type_64(),
        ..Facts::default()
    };
    let mut is_dynamic = false;
    for segment in header.program_headers(endian, data)? {
        is_dynamic |= segment.p_type(endian) == elf::PT_DYNAMIC;
        if let Some(path) = segment.interpreter(endian, data)? {
            facts.interpreter = Some(text(path)?);
        }
    }
    if kind == Kind::Program && facts.interpreter.is_none() {
        facts.is_known = true;
        return Ok(facts);
    }
    // What strips sections leaves a program that runs: of that one we know less.
    let sections = header.sections(endian, data).ok();
    let file = sections.map(|sections| File {
        sections,
        endian,
        data,
    });
    facts.is_known = match file {
        Some(file) => facts.fill(&file).is_ok_and(|found| found || !is_dynamic),
        None => !is_dynamic,
    };
    Ok(facts)
}

impl Facts {
    /// Reads the sections; says whether there is one for the dynamic loader.
    fn fill<'data, Elf, R>(&mut self, file: &File<'data, Elf, R>) -> Result<bool>
    where
        Elf: FileHeader<Endian = Endianness>,
        R: ReadRef<'data>,
    {
        self.defined = file.defined()?;
        self.versions = file.versions()?;
        let Some((entries, strings)) = file.sections.dynamic(file.endian, file.data)? else {
            return Ok(false);
        };
        let strings = file.strings(strings)?;
        self.take_dynamic::<Elf, R>(entries, file.endian, &strings)?;
        Ok(true)
    }

    fn take_dynamic<'data, Elf: FileHeader<Endian = Endianness>, R: ReadRef<'data>>(
        &mut self,
        entries: &[Elf::Dyn],
        endian: Endianness,
        strings: &StringTable<'data, R>,
    ) -> Result<()> {
        let mut rpath = Vec::new();
        for entry in entries {
            let value: u64 = entry.d_val(endian).into();
            let string = || name(strings, value);
            match entry.d_tag(endian) {
                elf::DT_NULL => break,
                elf::DT_NEEDED => push(&mut self.needed, string()?)?,
                elf::DT_RUNPATH => self.runpath = directories(&string()?),
                elf::DT_RPATH => rpath = directories(&string()?),
                _ => {}
            }
        }
        if self.runpath.is_empty() {
            self.runpath = rpath;
        }
        Ok(())
    }
}

struct File<'data, Elf: FileHeader, R: ReadRef<'data>> {
    sections: SectionTable<'data, Elf, R>,
    endian: Endianness,
    data: R,
}

impl<'data, Elf: FileHeader<Endian = Endianness>, R: ReadRef<'data>> File<'data, Elf, R> {
    fn strings(&self, section: SectionIndex) -> Result<StringTable<'data, R>> {
        Ok(self.sections.strings(self.endian, self.data, section)?)
    }

    fn defined(&self) -> Result<Vec<String>> {
        let mut defined = Vec::new();
        let Some((mut all, strings)) = self.sections.gnu_verdef(self.endian, self.data)? else {
            return Ok(defined);
        };
        let strings = self.strings(strings)?;
        while let Some((definition, mut names)) = all.next()? {
            let is_own_name = definition
                .vd_flags
                .get(self.endian)
                .contains(elf::VER_FLG_BASE);
            if let Some(first) = names.next()?
                && !is_own_name
            {
                push(&mut defined, text(first.name(self.endian, strings)?)?)?;
            }
        }
        Ok(defined)
    }

    fn versions(&self) -> Result<Vec<Needed>> {
        let mut versions = Vec::new();
        let Some((mut all, strings)) = self.sections.gnu_verneed(self.endian, self.data)? else {
            return Ok(versions);
        };
        let strings = self.strings(strings)?;
        while let Some((library, mut names)) = all.next()? {
            let library = text(library.file(self.endian, strings)?)?;
            while let Some(version) = names.next()? {
                let needed = Needed {
                    library: library.clone(),
                    version: text(version.name(self.endian, strings)?)?,
                    is_weak: version
                        .vna_flags
                        .get(self.endian)
                        .contains(elf::VER_FLG_WEAK),
                };
                push(&mut versions, needed)?;
            }
        }
        Ok(versions)
    }
}

fn push<T>(list: &mut Vec<T>, one: T) -> Result<()> {
    ensure!(list.len() < MOST, "a list has more than {MOST} entries");
    list.push(one);
    Ok(())
}

fn name<'data, R: ReadRef<'data>>(strings: &StringTable<'data, R>, at: u64) -> Result<String> {
    let at = u32::try_from(at)?;
    let bytes = strings.get(at).ok().context("a name lies nowhere")?;
    text(bytes)
}

fn text(bytes: &[u8]) -> Result<String> {
    ensure!(bytes.len() <= NAME, "a name has more than {NAME} bytes");
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

fn directories(list: &str) -> Vec<String> {
    let parts = list.split(':').filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}
