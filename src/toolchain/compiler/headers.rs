//! Headers for C with musl that lie on this machine, or where the user says.
//!
//! Only looked up: rbuild brings none along. Headers of the kernel count, headers of glibc never do.

use std::path::Path;
use std::path::PathBuf;

use super::Ask;

/// Each musl target with the directory below `/usr/include` for musl and for glibc, and the cross directory below `/usr`, as Debian names them.
/// Headers do not tell ARMv6 from ARMv7.
const NAMES: [(&str, [&str; 3]); 6] = [
    (
        "x86_64",
        ["x86_64-linux-musl", "x86_64-linux-gnu", "x86_64-linux-gnu"],
    ),
    (
        "aarch64",
        [
            "aarch64-linux-musl",
            "aarch64-linux-gnu",
            "aarch64-linux-gnu",
        ],
    ),
    (
        "arm",
        [
            "arm-linux-musleabihf",
            "arm-linux-gnueabihf",
            "arm-linux-gnueabihf",
        ],
    ),
    (
        "i686",
        ["i386-linux-musl", "i386-linux-gnu", "i686-linux-gnu"],
    ),
    (
        "riscv64",
        [
            "riscv64-linux-musl",
            "riscv64-linux-gnu",
            "riscv64-linux-gnu",
        ],
    ),
    (
        "powerpc64le",
        [
            "powerpc64le-linux-musl",
            "powerpc64le-linux-gnu",
            "powerpc64le-linux-gnu",
        ],
    ),
];

/// What a C compiler needs of musl and of the kernel.
pub(super) struct Headers {
    pub(super) musl: PathBuf,
    /// Directories that hold nothing of any C library, by the name that they are included as: `linux`, `asm`, `asm-generic`.
    pub(super) kernel: Vec<(&'static str, PathBuf)>,
}

/// A directory that the user configured comes first; the error is the place that was looked in.
pub(super) fn find(ask: &Ask<'_>) -> Result<Headers, String> {
    let target = ask.target.triple;
    let own = ask.site.sysroots.get(target);
    let musl = match own {
        Some(directory) => below(directory).ok_or_else(|| {
            format!(
                "stdio.h in include/ of `sysroots.{target}`, {}",
                directory.display()
            )
        })?,
        None => of_machine(ask)?,
    };
    let complete = musl.join("linux").is_dir();
    let kernel = if complete { Vec::new() } else { kernel(ask) };
    Ok(Headers { musl, kernel })
}

fn names(ask: &Ask<'_>) -> Option<[&'static str; 3]> {
    let is_of = |name: &str| {
        let rest = ask.target.triple.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['-', 'v', 'g']))
    };
    let row = NAMES.iter().find(|(name, _)| is_of(name));
    row.map(|(_, names)| *names)
}

fn below(sysroot: &Path) -> Option<PathBuf> {
    let places = ["include", "usr/include"].map(|place| sysroot.join(place));
    places.into_iter().find(|place| is_library(place))
}

fn is_library(place: &Path) -> bool {
    place.join("stdio.h").is_file()
}

fn of_machine(ask: &Ask<'_>) -> Result<PathBuf, String> {
    let [musl, ..] = names(ask).ok_or_else(|| "musl headers".to_owned())?;
    let place = ask.toolchain.root.join("usr/include").join(musl);
    match is_library(&place) {
        true => Ok(place),
        false => Err(format!("musl headers in {}", place.display())),
    }
}

/// The kernel's headers as Debian lays them: one `asm` for each architecture, the rest for all. Those that are missing are left out.
fn kernel(ask: &Ask<'_>) -> Vec<(&'static str, PathBuf)> {
    let Some([_, gnu, cross]) = names(ask) else {
        return Vec::new();
    };
    let usr = ask.toolchain.root.join("usr");
    let (common, cross) = (usr.join("include"), usr.join(cross).join("include"));
    let host = ask.is_of_hosts_architecture().then(|| common.join("asm"));
    let asm = [
        Some(common.join(gnu).join("asm")),
        Some(cross.join("asm")),
        host,
    ];
    let first = |places: Vec<PathBuf>| places.into_iter().find(|place| place.is_dir());
    let of_all = |name| (name, first(vec![common.join(name), cross.join(name)]));
    let found = [
        ("asm", first(asm.into_iter().flatten().collect())),
        of_all("asm-generic"),
        of_all("linux"),
    ];
    let found = found.into_iter();
    found
        .filter_map(|(name, place)| Some((name, place?)))
        .collect()
}
