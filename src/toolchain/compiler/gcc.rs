//! gcc: the machine's own, a distribution's cross gcc, musl's wrapper around the machine's.
//!
//! Chosen by name, and a name that ends in `-linux-gnu-gcc` never serves musl.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Result;

use super::Answer;
use super::Ask;
use super::Compiler;

/// Each target with the prefix of the cross gcc for glibc and of the one for musl, as distributions name them.
/// Debian's `arm-linux-gnueabihf` is ARMv7, so ARMv6 has none.
const CROSS: [(&str, &str); 14] = [
    ("x86_64-unknown-linux-gnu", "x86_64-linux-gnu-gcc"),
    ("aarch64-unknown-linux-gnu", "aarch64-linux-gnu-gcc"),
    ("armv7-unknown-linux-gnueabihf", "arm-linux-gnueabihf-gcc"),
    ("i686-unknown-linux-gnu", "i686-linux-gnu-gcc"),
    ("riscv64gc-unknown-linux-gnu", "riscv64-linux-gnu-gcc"),
    ("powerpc64le-unknown-linux-gnu", "powerpc64le-linux-gnu-gcc"),
    ("s390x-unknown-linux-gnu", "s390x-linux-gnu-gcc"),
    ("x86_64-unknown-linux-musl", "x86_64-linux-musl-gcc"),
    ("aarch64-unknown-linux-musl", "aarch64-linux-musl-gcc"),
    (
        "armv7-unknown-linux-musleabihf",
        "armv7l-linux-musleabihf-gcc",
    ),
    ("arm-unknown-linux-musleabihf", "arm-linux-musleabihf-gcc"),
    ("i686-unknown-linux-musl", "i686-linux-musl-gcc"),
    ("riscv64gc-unknown-linux-musl", "riscv64-linux-musl-gcc"),
    (
        "powerpc64le-unknown-linux-musl",
        "powerpc64le-linux-musl-gcc",
    ),
];

/// More than musl's script has, in bytes.
const SCRIPT: u64 = 1_024;

/// The distribution's gcc that compiles and links for `target`.
pub(in super::super) fn cross_gcc(target: &str) -> Option<&'static str> {
    let row = CROSS.iter().find(|(triple, _)| *triple == target);
    row.map(|(_, program)| *program)
}

/// Build scripts find the host's own compiler by themselves.
pub(super) fn of_the_host(ask: &Ask<'_>) -> Result<Answer> {
    if ask.target.triple != ask.toolchain.host {
        return Ok(Answer::Strange);
    }
    let has = |program| ask.toolchain.on_path(program);
    if !has("cc") {
        return Ok(Answer::Lacks("`cc` on PATH".to_owned()));
    }
    let cxx = match (ask.needs_cxx(), has("c++"), has("g++")) {
        (false, ..) | (_, true, _) => None,
        (_, _, true) => Some("g++".to_owned()),
        _ => return Ok(Answer::Lacks("`c++` or `g++` on PATH".to_owned())),
    };
    Ok(Answer::Serves(Compiler {
        variables: ask.variables(&[("CXX", cxx)]),
        linker: None,
        name: "`cc`, this machine's own".to_owned(),
    }))
}

/// A gcc that was built for this target and nothing else.
pub(super) fn cross(ask: &Ask<'_>) -> Result<Answer> {
    let Some(gcc) = cross_gcc(ask.target.triple) else {
        return Ok(Answer::Strange);
    };
    let sibling = |end| gcc.trim_end_matches("gcc").to_owned() + end;
    let found = |program: String| ask.toolchain.on_path(&program).then_some(program);
    if let Some(lack) = lack(ask, gcc) {
        return Ok(Answer::Lacks(lack));
    }
    let cxx = found(sibling("g++"));
    if ask.needs_cxx() && cxx.is_none() {
        return Ok(Answer::Lacks(format!(
            "`{}` on PATH, for C++",
            sibling("g++")
        )));
    }
    // rust-lld links C with musl; gcc alone knows where its glibc, or its C++ library, lies.
    let links = !ask.target.is_musl() || ask.needs_cxx();
    Ok(Answer::Serves(Compiler {
        variables: ask.variables(&[
            ("CC", Some(gcc.to_owned())),
            ("CXX", cxx.filter(|_| ask.needs_cxx())),
            ("AR", found(sibling("ar"))),
        ]),
        linker: links.then(|| gcc.to_owned()),
        name: format!("`{gcc}`"),
    }))
}

/// Debian's and Ubuntu's musl-tools: the machine's gcc with musl's headers.
pub(super) fn of_musl(ask: &Ask<'_>) -> Result<Answer> {
    if !ask.target.is_musl() || !ask.is_of_hosts_architecture() {
        return Ok(Answer::Strange);
    }
    if ask.needs_cxx() {
        return Ok(Answer::Lacks("`musl-gcc`, which has no C++".to_owned()));
    }
    if let Some(lack) = lack(ask, "musl-gcc") {
        return Ok(Answer::Lacks(lack));
    }
    Ok(Answer::Serves(Compiler {
        variables: ask.variables(&[("CC", Some("musl-gcc".to_owned()))]),
        linker: None,
        name: "`musl-gcc`".to_owned(),
    }))
}

/// What is missing for `gcc` to run. Debian's musl-dev has a script of that name for every architecture, whose gcc is another package.
fn lack(ask: &Ask<'_>, gcc: &str) -> Option<String> {
    let Some(program) = ask.toolchain.path_of(gcc) else {
        return Some(format!("`{gcc}` on PATH"));
    };
    let real = real_gcc(&program)?;
    let is_there = ask.toolchain.variable("REALGCC").is_some() || ask.toolchain.on_path(&real);
    (!is_there).then(|| format!("`{real}` on PATH, for the script `{gcc}`"))
}

/// Whom musl's script (`obj/musl-gcc` of its Makefile) calls unless `REALGCC` is set; `None`: `program` is no such script.
fn real_gcc(program: &Path) -> Option<String> {
    let mut text = Vec::new();
    let file = File::open(program).ok()?;
    file.take(SCRIPT).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let (_, rest) = text.split_once("${REALGCC:-")?;
    let (real, _) = rest.split_once('}')?;
    Some(real.to_owned())
}
