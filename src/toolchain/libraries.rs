//! The shared libraries that a Rust program for glibc is linked with, under the names that a linker looks for.
//!
//! At run time there are `libc.so.6` and its kin; `-lc` looks for `libc.so`, which else comes with development files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::digest::Digest;
use crate::store::Store;

/// Beside the loader: what std asks for.
pub(crate) const LIBRARIES: [&str; 3] = ["libc.so.6", "libm.so.6", "libgcc_s.so.1"];

/// Since glibc 2.34 a program's start is a short one, and these are part of `libc.so.6`.
pub(crate) const OLDEST: &str = "GLIBC_2.34";
const MERGED: [&str; 4] = ["dl", "pthread", "rt", "util"];
/// What musl has in its one library, and others in these: it installs empty ones too (`EMPTY_LIB_NAMES` of its Makefile).
const OF_MUSL: [&str; 8] = [
    "crypt", "dl", "m", "pthread", "resolv", "rt", "util", "xnet",
];

/// Gives the libraries that lie in `place`, and the loader of that name beside them, the names that `-l` looks for.
pub(crate) fn name_for_linker(place: &Path, loader: &str) -> Result<()> {
    symlink("libm.so.6", place.join("libm.so"))?;
    symlink("libgcc_s.so.1", place.join("libgcc_s.so"))?;
    // `-l:` looks beside this script, a bare name would be looked for in the working directory first.
    let script = format!("GROUP ( -l:libc.so.6 AS_NEEDED ( -l:{loader} ) )\n");
    fs::write(place.join("libc.so"), script)?;
    empty(place, &MERGED)
}

/// The directory of a kit with [`empty_for_musl`].
pub(super) fn of_musl(kits: &Store) -> Result<PathBuf> {
    let key = Digest::of(OF_MUSL.join(" ").as_bytes());
    kits.kit("musl-libraries", &key, empty_for_musl)
}

/// Gives `place` libraries without anything in them, for programs for musl that are linked with `-lm` and the like.
pub(super) fn empty_for_musl(place: &Path) -> Result<()> {
    empty(place, &OF_MUSL)
}

fn empty(place: &Path, names: &[&str]) -> Result<()> {
    for name in names {
        fs::write(place.join(format!("lib{name}.a")), "!<arch>\n")?;
    }
    Ok(())
}

/// The last part of a path: the name of a loader.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
