//! Versions of symbols that a program needs of a library, against those that the base's library defines. Pure.

use super::fits::{Home, Program};
use crate::contents::Library;
use crate::fault::Fault;
use crate::toolchain;

/// glibc's versions: `GLIBC_2.36`.
const GLIBC: &str = "GLIBC_";

/// Refuses the highest version that the base's library lacks. A library that defines none at all is taken as it is, as the loader does,
/// and so are versions that are needed weakly.
pub(super) fn look(
    program: Program<'_>,
    (name, library): (&str, &Library),
    home: Home<'_>,
) -> Result<(), Fault> {
    if !library.is_known || library.versions.is_empty() {
        return Ok(());
    }
    let needed = program.facts.versions.iter();
    let needed = needed.filter(|one| one.library == name && !one.is_weak);
    let lacking = needed.filter(|one| !library.versions.contains(&one.version));
    match lacking.max_by_key(|one| order(&one.version)) {
        Some(lacking) => Err(lacks(program, (name, &lacking.version), home)),
        None => Ok(()),
    }
}

fn lacks(program: Program<'_>, (library, version): (&str, &str), home: Home<'_>) -> Fault {
    let (name, base) = (program.name, home.name);
    let symbol = format!("symbol version {version} of {library}");
    let glibc = highest(home);
    let wanted = number(version).filter(|wanted| *wanted > parts(&glibc));
    let (message, newer) = match wanted {
        Some(_) if !glibc.is_empty() => {
            let wanted = &version[GLIBC.len()..];
            let message =
                format!("`{name}` needs glibc {wanted} ({symbol}), the base `{base}` has {glibc}");
            (
                message,
                format!("or choose a base with glibc {wanted} or newer"),
            )
        }
        _ => {
            let message = format!(
                "`{name}` needs the {symbol}, which that of the base `{base}` does not define"
            );
            (message, format!("or choose a base with a newer {library}"))
        }
    };
    let fault = Fault::refused(message)
        .hint("link statically with `libc: musl` in .builder.yaml, which needs nothing of the base")
        .hint(newer);
    if Some(parts(&glibc)) < number(toolchain::OLDEST) {
        return fault;
    }
    // Symbols then cannot exceed the base.
    fault.hint("or let rbuild link against the base's own libc, as it does for pure Rust where no linker is configured")
}

/// The version of glibc that the base has, such as `2.36`; empty if it has none.
fn highest(home: Home<'_>) -> String {
    let libc = home.contents.library("libc.so.6", home.library_path);
    let versions = libc.map(|(_, library)| library.versions.as_slice());
    let glibc = versions
        .unwrap_or_default()
        .iter()
        .filter(|one| number(one).is_some());
    let highest = glibc.max_by_key(|version| order(version));
    highest.map_or(String::new(), |version| version[GLIBC.len()..].to_owned())
}

/// The number of one of glibc's versions; `GLIBC_PRIVATE` and the like have none.
fn number(version: &str) -> Option<Vec<u32>> {
    let number = version.strip_prefix(GLIBC)?;
    number
        .starts_with(|c: char| c.is_ascii_digit())
        .then(|| parts(number))
}

fn order(version: &str) -> Vec<u32> {
    parts(version.rsplit('_').next().unwrap_or_default())
}

/// `2.2.5` as numbers: 2.10 comes after 2.9.
fn parts(number: &str) -> Vec<u32> {
    number
        .split('.')
        .map(|part| part.parse().unwrap_or(0))
        .collect()
}
