//! Looks at what was linked: the right machine, and no dynamic loader where the base has none.
//!
//! Reads the headers of the file and not the file. What a dynamic program needs of its base is compared in `fits.rs`.

use std::fs::File;

use super::Binary;
use crate::contents::elf::{self, Facts};
use crate::fault::Fault;
use crate::platform::Platform;
use crate::toolchain::Link;
use anyhow::Context;
use anyhow::Result;

/// Holds `binary` against the machine that it was linked for. What it needs of its base comes back.
pub(crate) fn check(binary: &Binary, link: &Link) -> Result<Facts> {
    let header = read(binary)?;
    let platform = &link.platform;
    if Some(header.machine) != platform.machine() || header.is_64 != is_64(platform) {
        return Err(wrong_machine(binary, platform, &header).into());
    }
    Ok(header)
}

/// Whether the dynamic loader, if it needs one, is one that bases for this platform have: for a base that nobody has looked into.
pub(crate) fn guess(binary: &Binary, link: &Link, facts: &Facts) -> Result<(), Fault> {
    let platform = &link.platform;
    match &facts.interpreter {
        Some(loader) if link.is_static => Err(not_static(binary, loader)),
        Some(loader) if Some(loader.as_str()) != platform.loader() => {
            Err(strange_loader(binary, platform, loader))
        }
        _ => Ok(()),
    }
}

/// What the linked file says of itself.
fn read(binary: &Binary) -> Result<Facts> {
    elf::program(File::open(&binary.file)?)
        .with_context(|| format!("cannot read {} as a linux program", binary.file.display()))
}

fn is_64(platform: &Platform) -> bool {
    !["386", "arm"].contains(&platform.architecture.as_str())
}

fn wrong_machine(binary: &Binary, platform: &Platform, header: &Facts) -> Fault {
    let needed = platform
        .machine()
        .map_or("another machine", |machine| name(machine, is_64(platform)));
    let linked = name(header.machine, header.is_64);
    Fault::refused(format!("`{}` was linked for {linked} but {platform} needs {needed}", binary.name))
        .because(format!("looked at {}", binary.file.display()))
        .hint("look for a `linker` or `-C linker` in .cargo/config.toml or RUSTFLAGS that is meant for another target")
}

fn name(machine: u16, is_64: bool) -> &'static str {
    match (machine, is_64) {
        (3, _) => "x86",
        (21, true) => "ppc64le",
        (22, true) => "s390x",
        (40, _) => "arm",
        (62, true) => "x86-64",
        (62, false) => "x32",
        (183, true) => "aarch64",
        (243, true) => "riscv64",
        _ => "a machine that rbuild does not know",
    }
}

/// Linked on a machine that keeps its loader elsewhere, as Nix does, or against musl.
fn strange_loader(binary: &Binary, platform: &Platform, loader: &str) -> Fault {
    let message = format!(
        "`{}` needs the dynamic loader {loader}, which images for {platform} do not have",
        binary.name
    );
    let usual = platform.loader().unwrap_or("another one");
    Fault::refused(message)
        .because(format!("their loader is {usual}"))
        .hint("look for `-C link-arg` or a `linker` in .cargo/config.toml or RUSTFLAGS, or use `libc: musl`")
}

fn not_static(binary: &Binary, loader: &str) -> Fault {
    let message = format!(
        "`{}` needs the dynamic loader {loader}, which a static base does not have",
        binary.name
    );
    Fault::refused(message)
        .because(format!("looked at {}", binary.file.display()))
        .hint("look for `-C target-feature=-crt-static` in .cargo/config.toml or RUSTFLAGS")
        .hint("or use `libc: gnu` and a base image with glibc")
}
