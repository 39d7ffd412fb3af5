//! The rustflags of a build: what the user set, and path remapping so that the same sources give the same bytes everywhere.
//!
//! Measured: CARGO_HOME, the clone's directory, the sysroot and even the presence of the rust-src component change the binary without
//! it. What a program takes from `env!("CARGO_MANIFEST_DIR")` cannot be remapped, and the symbols of a path dependency outside
//! the workspace root depend on its absolute path.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use super::Toolchain;

/// No library that holds the hash is near this size, in bytes.
const LARGEST_SCANNED: u64 = 1 << 20;

/// One `--remap-path-prefix` for each place of this machine that rustc writes into binaries. rustc takes the last that
/// matches, so the longest prefix comes last: CARGO_HOME may lie in the workspace or the other way round.
pub(super) fn remaps(toolchain: &Toolchain, root: &Path, target: &str) -> Vec<String> {
    let mut places = vec![
        (toolchain.cargo_home.clone(), "/cargo".to_owned()),
        (toolchain.sysroot.clone(), "/toolchain".to_owned()),
        (root.to_owned(), "/workspace".to_owned()),
    ];
    places.extend(library_sources(toolchain, target));
    for (path, name) in places.clone() {
        let real = path.canonicalize().ok().filter(|real| *real != path);
        places.extend(real.map(|real| (real, name)));
    }
    places.sort_by_key(|(path, name)| (path.as_os_str().len(), path.clone(), name.clone()));
    let flag = |(path, name): &(PathBuf, String)| {
        Some(format!("--remap-path-prefix={}={name}", path.to_str()?))
    };
    places.iter().filter_map(flag).collect()
}

/// With rust-src installed rustc names the library's generic code by the files on this machine, without it by `/rustc/<commit>`.
fn library_sources(toolchain: &Toolchain, target: &str) -> Option<(PathBuf, String)> {
    let sources = toolchain.sysroot.join("lib/rustlib/src/rust");
    if !sources.is_dir() {
        return None;
    }
    Some((sources, commit_name(&toolchain.libraries(target))?))
}

/// `/rustc/<commit>` as the installed library carries it; asking rustc would cost another process. Small files first: the first few do.
fn commit_name(libraries: &Path) -> Option<String> {
    let entries = fs::read_dir(libraries).ok()?.flatten();
    let sized = entries.filter_map(|entry| Some((entry.metadata().ok()?.len(), entry.path())));
    let is_library = |(size, path): &(u64, PathBuf)| {
        *size < LARGEST_SCANNED && path.extension().is_some_and(|end| end == "rlib")
    };
    let mut files: Vec<_> = sized.filter(is_library).collect();
    files.sort();
    files.iter().find_map(|(_, file)| commit_in(file))
}

fn commit_in(file: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    fs::File::open(file)
        .ok()?
        .take(LARGEST_SCANNED)
        .read_to_end(&mut bytes)
        .ok()?;
    let prefix = b"/rustc/";
    let length = prefix.len() + 40;
    let is_name = |window: &&[u8]| {
        window.starts_with(prefix) && window[prefix.len()..].iter().all(u8::is_ascii_hexdigit)
    };
    let name = bytes.windows(length).find(is_name)?;
    String::from_utf8(name.to_vec()).ok()
}
