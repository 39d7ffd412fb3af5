//! clang with musl's headers: it compiles for every architecture, and lacks nothing but the headers.
//!
//! Build scripts get a script of a kit instead of `CFLAGS_<target>`: the user's own flags stay as they are, a path may hold spaces, and
//! configure scripts and CMake can link their trial programs with the C library of the rust target. No C++: clang alone has no
//! C++ library for musl.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;

use super::super::libraries;
use super::super::script;
use super::super::script::quoted;
use super::Answer;
use super::Ask;
use super::Compiler;
use super::headers;
use super::headers::Headers;
use crate::digest::Digest;

/// Versions whose programs distributions call `clang-14` and the like, the newest first.
const VERSIONS: std::ops::RangeInclusive<u32> = 14..=22;

/// A compiler out of any clang.
pub(super) fn with_musl_headers(ask: &Ask<'_>) -> Result<Answer> {
    if !ask.target.is_musl() {
        return Ok(Answer::Strange);
    }
    if ask.needs_cxx() {
        return Ok(Answer::Lacks(
            "clang, which has no C++ library for musl".to_owned(),
        ));
    }
    let Some(clang) = find(ask, "clang") else {
        return Ok(Answer::Lacks("`clang` on PATH".to_owned()));
    };
    let headers = match headers::find(ask) {
        Ok(headers) => headers,
        Err(place) => return Ok(Answer::Lacks(format!("{place}, for `clang`"))),
    };
    let Some(ar) = archiver(ask) else {
        return Ok(Answer::Lacks(
            "`llvm-ar` or `ar` on PATH, for `clang`".to_owned(),
        ));
    };
    let kit = kit(ask, (&clang, &ar), &headers)?;
    let kit = kit
        .to_str()
        .context("the path of the build cache is not UTF-8")?;
    Ok(Answer::Serves(Compiler {
        variables: ask.variables(&[
            ("CC", Some(format!("{kit}/clang"))),
            ("AR", Some(ar)),
            ("RANLIB", Some(format!("{kit}/ranlib"))),
        ]),
        linker: None,
        name: format!("clang with the musl headers of {}", headers.musl.display()),
    }))
}

/// `name`, or else the newest `name-<version>`, on PATH.
fn find(ask: &Ask<'_>, name: &str) -> Option<String> {
    let versioned = VERSIONS.rev().map(|version| format!("{name}-{version}"));
    let mut programs = std::iter::once(name.to_owned()).chain(versioned);
    let path = programs.find_map(|program| ask.toolchain.path_of(&program))?;
    path.into_os_string().into_string().ok()
}

/// GNU ar makes archives of any ELF machine too, with the index that linkers need.
fn archiver(ask: &Ask<'_>) -> Option<String> {
    let own = ask.toolchain.own_program("llvm-ar");
    find(ask, "llvm-ar")
        .or_else(|| own?.into_os_string().into_string().ok())
        .or_else(|| find(ask, "ar"))
}

/// The directory of the scripts that are clang for the target, and ranlib: who has an ar need not have one by that name.
fn kit(ask: &Ask<'_>, (clang, ar): (&str, &str), headers: &Headers) -> Result<PathBuf> {
    let text = wrapper(ask, clang, headers)?;
    let ranlib = format!("#!/bin/sh\nexec {} s \"$@\"\n", quoted(ar));
    let links: Vec<String> = headers
        .kernel
        .iter()
        .map(|(name, place)| format!("{name} {}", place.display()))
        .collect();
    let key = Digest::of(format!("{text}\n{ranlib}\n{}", links.join("\n")).as_bytes());
    ask.site.kits.kit("clang", &key, |place| {
        script::write(place, "clang", &text)?;
        script::write(place, "ranlib", &ranlib)?;
        std::fs::create_dir(place.join("lib"))?;
        libraries::empty_for_musl(&place.join("lib"))?;
        link_headers(place, headers)
    })
}

fn link_headers(place: &Path, headers: &Headers) -> Result<()> {
    let include = place.join("include");
    std::fs::create_dir(&include)?;
    for (name, directory) in &headers.kernel {
        symlink(directory, include.join(name))?;
    }
    Ok(())
}

/// What a later `--target` says is the same in rust's words. Trial programs take what the processor lacks from rust's compiler library,
/// which names a function of the standard library for unwinding that no C program calls. Words that mean "do not link" come from clang's manual.
fn wrapper(ask: &Ask<'_>, clang: &str, headers: &Headers) -> Result<String> {
    let musl = headers
        .musl
        .to_str()
        .context("the path of the musl headers is not UTF-8")?;
    let libraries = ask.toolchain.libraries(ask.target.triple);
    let libraries = libraries
        .to_str()
        .context("the path of the toolchain is not UTF-8")?;
    let linker = ask.toolchain.own_program("gcc-ld/ld.lld");
    let linker = linker.and_then(|path| path.into_os_string().into_string().ok());
    let linker = linker.map_or("-fuse-ld=lld".to_owned(), |path| {
        quoted(&format!("--ld-path={path}"))
    });
    Ok(format!(
        r#"#!/bin/sh
# clang for {triple}, made by rbuild
here=${{0%/*}}
lib={libraries}
links=yes
for word do
  case $word in
    -c|-S|-E|-M|-MM|-fsyntax-only|-shared|-r|-v|--version|-dump*|-print*|-###) links= ;;
  esac
done
set -- --target={triple} -nostdlibinc -isystem {musl} -isystem "$here/include" -Wno-unused-command-line-argument "$@"
if [ "$links" ]; then
  set -- "$@" {linker} -static -nostdlib -Wl,--defsym=rust_eh_personality=0 -L"$here/lib" "$lib/self-contained/crt1.o" "$lib/self-contained/crti.o" -L"$lib/self-contained" -lc "$lib"/libcompiler_builtins-*.rlib "$lib/self-contained/crtn.o"
fi
exec {clang} "$@"
"#,
        triple = triple(ask.target.triple),
        libraries = quoted(libraries),
        musl = quoted(musl),
        clang = quoted(clang),
    ))
}

/// LLVM has no word for `gc`, rust's name for the usual set of RISC-V extensions.
fn triple(target: &str) -> String {
    target.replacen("riscv64gc", "riscv64", 1)
}
