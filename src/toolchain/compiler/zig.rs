//! zig as a C compiler: it brings the headers of musl for every architecture.
//!
//! Build scripts get scripts of a kit, because `zig cc` rejects the triples that the cc crate hands to a clang. rust-lld still links,
//! unless there is C++: then zig links, which has a C++ library and builds it at the first use. Where zig keeps what it builds
//! (`ZIG_GLOBAL_CACHE_DIR`) is the user's.

use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;

use super::super::script;
use super::super::script::quoted;
use super::Answer;
use super::Ask;
use super::Compiler;
use crate::digest::Digest;

/// rustc takes a linker's way to speak from its name.
const LINKER: &str = "link-gcc";

/// A compiler out of zig.
pub(super) fn as_compiler(ask: &Ask<'_>) -> Result<Answer> {
    let Some(target) = target(ask) else {
        return Ok(Answer::Strange);
    };
    let Some(zig) = find(ask) else {
        return Ok(Answer::Lacks(
            "zig as `ZIG`, as `CARGO_ZIGBUILD_ZIG_PATH`, as `zig` on PATH and as Python's `ziglang`".to_owned(),
        ));
    };
    let kit = kit(ask, &zig, target)?;
    let tool = |name: &str| kit.join(name).into_os_string().into_string().ok();
    let cxx = ask.needs_cxx();
    Ok(Answer::Serves(Compiler {
        variables: ask.variables(&[
            ("CC", tool("cc")),
            ("AR", tool("ar")),
            ("RANLIB", tool("ranlib")),
            ("CXX", tool("c++").filter(|_| cxx)),
        ]),
        linker: tool(LINKER).filter(|_| cxx),
        name: format!("zig, {}", zig.display()),
    }))
}

/// zig's word for a musl target.
fn target(ask: &Ask<'_>) -> Option<&'static str> {
    let architecture = ask.target.triple.split('-').next()?;
    let name = match architecture {
        _ if !ask.target.is_musl() => return None,
        "x86_64" => "x86_64-linux-musl",
        "aarch64" => "aarch64-linux-musl",
        "armv7" => "arm-linux-musleabihf -mcpu=generic+v7a+vfp3d16+thumb2-neon",
        "arm" => "arm-linux-musleabihf -mcpu=generic+v6+strict_align+vfp2-d32",
        "i686" => "x86-linux-musl -mcpu=pentium4",
        "riscv64gc" => "riscv64-linux-musl",
        "powerpc64le" => "powerpc64le-linux-musl",
        _ => return None,
    };
    Some(name)
}

/// In the order in which cargo-zigbuild and people look for it. Python is never started.
fn find(ask: &Ask<'_>) -> Option<PathBuf> {
    let toolchain = ask.toolchain;
    let named = |name| {
        let program = toolchain.variable(name)?.to_str()?;
        toolchain.path_of(program)
    };
    named("ZIG")
        .or_else(|| named("CARGO_ZIGBUILD_ZIG_PATH"))
        .or_else(|| toolchain.path_of("zig"))
        .or_else(|| of_python(ask))
}

/// The program inside of the package `ziglang`, where `python3` or the user's own directory have it.
fn of_python(ask: &Ask<'_>) -> Option<PathBuf> {
    let python = ask.toolchain.path_of("python3");
    let prefix = |program: &Path| program.parent()?.parent().map(Path::to_owned);
    let real = python.as_ref().and_then(|path| path.canonicalize().ok());
    let home = ask
        .toolchain
        .variable("HOME")
        .map(|home| Path::new(home).join(".local"));
    let prefixes = [
        python.as_deref().and_then(prefix),
        home,
        real.as_deref().and_then(prefix),
    ];
    let mut libraries = prefixes.into_iter().flatten().flat_map(|prefix| {
        let local = prefix.join("local/lib");
        [prefix.join("lib"), local]
    });
    libraries.find_map(|library| in_library(&library))
}

/// `lib/python3.11/site-packages`, or Debian's `dist-packages`.
fn in_library(library: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(library).ok()?.flatten();
    let is_python = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("python3"))
    };
    let mut versions: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(is_python)
        .collect();
    versions.sort();
    let packages = versions.iter().rev().flat_map(|version| {
        ["site-packages", "dist-packages"].map(|packages| version.join(packages))
    });
    let mut programs = packages.map(|packages| packages.join("ziglang/zig"));
    programs.find(|program| program.is_file())
}

/// The directory with `cc`, `c++`, `ar`, `ranlib` and the linker.
fn kit(ask: &Ask<'_>, zig: &Path, target: &str) -> Result<PathBuf> {
    let zig = quoted(zig.to_str().context("the path of zig is not UTF-8")?);
    let scripts = [
        ("cc", compile(&zig, "cc", target)),
        ("c++", compile(&zig, "c++", target)),
        ("ar", format!("#!/bin/sh\nexec {zig} ar \"$@\"\n")),
        ("ranlib", format!("#!/bin/sh\nexec {zig} ranlib \"$@\"\n")),
        (LINKER, link(&zig, target)),
    ];
    let all: String = scripts.iter().map(|(_, text)| text.as_str()).collect();
    ask.site
        .kits
        .kit("zig", &Digest::of(all.as_bytes()), |place| {
            scripts
                .iter()
                .try_for_each(|(name, text)| script::write(place, name, text))
        })
}

/// Without rust's triple and the words for processors that zig does not take.
fn compile(zig: &str, tool: &str, target: &str) -> String {
    let words = r#"    --target=*|-march=arm*|-march=i?86|-mfpu=*|-mfloat-abi=*) ;;
    -target|--target) shift; left=$((left - 1)) ;;"#;
    script_of((zig, tool), target, words)
}

/// What rustc says to a gcc, without rust's own startup files, C library and compiler library: zig brings each of them.
fn link(zig: &str, target: &str) -> String {
    let words = r#"    */self-contained/*.o|*/self-contained/*.a|*/libcompiler_builtins-*.rlib) ;;
    --target=*|-nostartfiles|-nodefaultlibs|-lgcc|-lgcc_s|-lc) ;;
    -lgcc_eh) set -- "$@" -lunwind ;;
    -lstdc++) set -- "$@" -lc++ ;;"#;
    script_of((zig, "c++"), target, words)
}

/// A script that runs a tool of zig with other words. By itself zig would write debug information with paths of this machine, and
/// traps for undefined behaviour that call a library which nobody links.
fn script_of((zig, tool): (&str, &str), target: &str, words: &str) -> String {
    format!(
        r#"#!/bin/sh
# zig {tool} for {target}, made by rbuild
left=$#
while [ "$left" -gt 0 ]; do
  word=$1
  shift
  left=$((left - 1))
  case $word in
{words}
    *) set -- "$@" "$word" ;;
  esac
done
exec {zig} {tool} -target {target} -g0 -fno-sanitize=undefined "$@"
"#
    )
}
