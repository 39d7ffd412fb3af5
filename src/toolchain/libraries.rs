//! The shared libraries that a Rust program for glibc is linked with, under the names that a linker looks for.
//!
//! At run time there are `libc.so.6` and its kin; `-lc` looks for `libc.so`, which else comes with development files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Result;

/// Beside the loader: what std asks for.
pub(crate) const LIBRARIES: [&str; 3] = ["libc.so.6", "libm.so.6", "libgcc_s.so.1"];

/// Since glibc 2.34 a program's start is a short one, and these are part of `libc.so.6`.
pub(crate) const OLDEST: &str = "GLIBC_2.34";
const MERGED: [&str; 4] = ["dl", "pthread", "rt", "util"];

/// Gives the libraries that lie in `place`, and the loader of that name beside them, the names that `-l` looks for.
pub(crate) fn name_for_linker(place: &Path, loader: &str) -> Result<()> {
    symlink("libm.so.6", place.join("libm.so"))?;
    symlink("libgcc_s.so.1", place.join("libgcc_s.so"))?;
    // `-l:` looks beside this script, a bare name would be looked for in the working directory first.
    let script = format!("GROUP ( -l:libc.so.6 AS_NEEDED ( -l:{loader} ) )\n");
    fs::write(place.join("libc.so"), script)?;
    for name in MERGED {
        fs::write(place.join(format!("lib{name}.a")), "!<arch>\n")?;
    }
    Ok(())
}

/// The last part of a path: the name of a loader.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
