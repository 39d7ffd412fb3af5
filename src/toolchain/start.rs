//! The start of a program for glibc, which else comes with a C compiler: `crt1.o`, and the functions of `libc_nonshared.a`.
//!
//! Compiled by the toolchain's own rustc from the sources in `start/`, once for each target and toolchain, into a kit. For glibc 2.34
//! and later: an older one wants more of a program's start than is here, and must never be given this.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::Toolchain;
use crate::digest::Digest;
use crate::fault::Fault;
use crate::json;
use crate::process::Call;
use crate::store::Store;

/// `_start` by the architecture in a triple. ARMv6 is not among them: nobody has run it.
const STARTS: [(&str, &str); 7] = [
    ("x86_64", include_str!("start/x86_64.s")),
    ("aarch64", include_str!("start/aarch64.s")),
    ("armv7", include_str!("start/arm.s")),
    ("i686", include_str!("start/i686.s")),
    ("riscv64gc", include_str!("start/riscv64.s")),
    ("powerpc64le", include_str!("start/powerpc64le.s")),
    ("s390x", include_str!("start/s390x.s")),
];

const NONSHARED: &str = include_str!("start/nonshared.rs");

/// The file with `_start`, and the one with what the shared library lacks; both in the directory of [`files`].
pub(super) const PROGRAM: &str = "crt1.o";
pub(super) const BESIDE: &str = "nonshared.o";

/// The directory that holds [`PROGRAM`] and [`BESIDE`] for `target`, a triple for glibc. Starts rustc when they are not here yet.
pub(super) fn files(toolchain: &Toolchain, target: &str, kits: &Store) -> Result<PathBuf> {
    let start = start(target).ok_or_else(|| unknown(target))?;
    let key = json!({
        "start": start,
        "nonshared": NONSHARED,
        "target": target,
        "rustc": identity(&toolchain.libraries(target)),
    });
    kits.kit("start", &Digest::of(&json::canonical(&key)), |place| {
        fs::write(place.join("start.s"), start)?;
        fs::write(place.join("start.rs"), program(target))?;
        fs::write(place.join("nonshared.rs"), NONSHARED)?;
        compile((toolchain, target), place, ("start.rs", PROGRAM))?;
        compile((toolchain, target), place, ("nonshared.rs", BESIDE))
    })
}

/// Whether a program for `target` can be started without the files of a C compiler.
pub(super) fn is_known(target: &str) -> bool {
    start(target).is_some()
}

fn start(target: &str) -> Option<&'static str> {
    let architecture = target.split('-').next()?;
    let row = STARTS.iter().find(|(name, _)| *name == architecture);
    row.filter(|_| target.contains("-linux-gnu"))
        .map(|(_, start)| *start)
}

fn program(target: &str) -> String {
    let is_x86 = target.starts_with("x86_64") || target.starts_with("i686");
    let options = if is_x86 { "att_syntax, raw" } else { "raw" };
    format!("#![no_std]\ncore::arch::global_asm!(include_str!(\"start.s\"), options({options}));\n")
}

/// The compiler that made the target's library, by the hash in a file's name: the sysroot's path may stay when rustup updates it.
fn identity(libraries: &Path) -> Vec<String> {
    let entries = fs::read_dir(libraries).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("libcore-")).collect();
    names.sort();
    names
}

fn compile(
    (toolchain, target): (&Toolchain, &str),
    place: &Path,
    (source, object): (&str, &str),
) -> Result<()> {
    let call = Call::new(&toolchain.rustc, place)
        .args([source, "-o", object, "--target", target])
        .args(["--edition=2021", "--crate-type=lib", "--emit=obj"])
        .args(["-Copt-level=2", "-Cpanic=abort"]);
    let output = call.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let message = format!("cannot compile the start of a program for `{target}`");
    Err(Fault::refused(message)
        .because(format!("`{call}` says: {said}"))
        .hint("use a newer toolchain, or name a linker in .cargo/config.toml")
        .into())
}

fn unknown(target: &str) -> Fault {
    let known: Vec<&str> = STARTS.iter().map(|(name, _)| *name).collect();
    Fault::refused(format!(
        "cannot start a program for `{target}` without a C compiler"
    ))
    .because(format!("rbuild knows the start of {}", known.join(", ")))
}
