//! Where this machine's dynamic loader finds shared libraries: the directories of `/etc/ld.so.conf`, then the usual ones of distributions.
//!
//! Only looks. Libraries for other machines are passed over, as the loader does it.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::platform::Platform;

/// Files that include files that include files.
const DEEPEST: usize = 4;

/// The first library called `name` that fits `platform`. `root` is `/` but for tests.
pub(super) fn library(root: &Path, platform: &Platform, name: &str) -> Option<PathBuf> {
    let mut places = directories(root, platform)
        .into_iter()
        .map(|place| place.join(name));
    places.find(|place| fits(place, platform))
}

fn directories(root: &Path, platform: &Platform) -> Vec<PathBuf> {
    let mut found = configured(root, Path::new("/etc/ld.so.conf"), DEEPEST);
    if let Some(name) = multiarch(platform) {
        found.extend(["/lib", "/usr/lib"].map(|place| format!("{place}/{name}")));
    }
    found.extend(["/lib64", "/usr/lib64", "/lib", "/usr/lib"].map(str::to_owned));
    found.iter().map(|place| within(root, place)).collect()
}

/// Debian's name for the libraries of a machine.
fn multiarch(platform: &Platform) -> Option<String> {
    let plain = platform.gnu_target()?.replace("-unknown", "");
    let (architecture, rest) = plain.split_once('-')?;
    let architecture = match architecture {
        "i686" => "i386",
        "armv7" => "arm",
        "riscv64gc" => "riscv64",
        other => other,
    };
    Some(format!("{architecture}-{rest}"))
}

fn within(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// The directories that a file such as `/etc/ld.so.conf` names, in its order.
fn configured(root: &Path, file: &Path, depth: usize) -> Vec<String> {
    let text = fs::read_to_string(within(root, &file.to_string_lossy())).unwrap_or_default();
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or(line).trim());
    let mut found = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        match line.strip_prefix("include") {
            Some(pattern) if depth > 0 => found.extend(
                included(root, file, pattern.trim())
                    .iter()
                    .flat_map(|file| configured(root, file, depth - 1)),
            ),
            Some(_) => {}
            None => {
                let words = line.split([' ', '\t', ',', ':']);
                let places = words.map(|word| word.split('=').next().unwrap_or(word));
                found.extend(
                    places
                        .filter(|place| place.starts_with('/'))
                        .map(str::to_owned),
                );
            }
        }
    }
    found
}

/// The files that `pattern` means; a star is known in the last part alone, where every distribution has it.
fn included(root: &Path, file: &Path, pattern: &str) -> Vec<PathBuf> {
    let beside = file.parent().unwrap_or(Path::new("/"));
    let pattern = beside.join(pattern);
    let (Some(directory), Some(name)) = (pattern.parent(), pattern.file_name()) else {
        return Vec::new();
    };
    let name = name.to_string_lossy();
    let Some((start, end)) = name.split_once('*') else {
        return vec![pattern.clone()];
    };
    let entries = fs::read_dir(within(root, &directory.to_string_lossy()));
    let names = entries.into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let mut found: Vec<PathBuf> = names
        .filter(|name| name.starts_with(start) && name.ends_with(end))
        .map(|name| directory.join(name))
        .collect();
    found.sort();
    found
}

/// Whether a file is ELF for the platform's machine and word size.
fn fits(file: &Path, platform: &Platform) -> bool {
    let mut head = [0; 20];
    let read = fs::File::open(file).and_then(|mut file| file.read_exact(&mut head));
    if read.is_err() || !head.starts_with(b"\x7fELF") {
        return false;
    }
    let machine = [head[18], head[19]];
    let machine = match head[5] {
        1 => u16::from_le_bytes(machine),
        _ => u16::from_be_bytes(machine),
    };
    let is_narrow = ["386", "arm"].contains(&platform.architecture.as_str());
    platform.machine() == Some(machine) && (head[4] == 1) == is_narrow
}

#[cfg(test)]
mod tests;
