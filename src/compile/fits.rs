//! A linked program against the libraries of its base: whether it starts there. Pure: values in, a refusal out.
//!
//! What is asked is what the dynamic loader asks before `main` (ld.so(8)): the loader itself, every library, also those that libraries
//! need, and every version of the program. In doubt it fits: what is refused here would not start.

use std::collections::{BTreeSet, VecDeque};

use super::versions;
use crate::contents::elf::Facts;
use crate::contents::{Contents, Library};
use crate::fault::Fault;

/// A base image, as a program finds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home<'a> {
    /// As the user named it.
    pub(crate) name: &'a str,
    pub(crate) contents: &'a Contents,
    /// The directories of its `LD_LIBRARY_PATH`.
    pub(crate) library_path: &'a [String],
    /// Paths that the image has beside its base, with a `/` in front: assets.
    pub(crate) added: &'a BTreeSet<String>,
}

impl Home<'_> {
    /// Whether an asset has that name, wherever it lies.
    fn adds(&self, library: &str) -> bool {
        let name = |path: &String| path.rsplit('/').next() == Some(library);
        self.added.iter().any(name)
    }
}

/// A program, and where it will lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program<'a> {
    pub(crate) name: &'a str,
    /// In the image: `/app/web`.
    pub(crate) path: &'a str,
    pub(crate) facts: &'a Facts,
}

/// A library that somebody asks for.
struct Wish<'a> {
    library: &'a str,
    /// Who needs it: a library of the base, or the program itself.
    by: Option<&'a str>,
    directories: Vec<String>,
}

/// Names that musl's loader takes for itself (ldso/dynlink.c, `reserved`).
const MUSL: [&str; 7] = ["c", "pthread", "rt", "m", "dl", "util", "xnet"];

/// Refuses a program that would not start on its base.
pub(crate) fn fits(program: Program<'_>, home: Home<'_>) -> Result<(), Fault> {
    let Some(loader) = &program.facts.interpreter else {
        return Ok(());
    };
    let is_ours = |library: &Library| {
        (library.machine, library.is_64) == (program.facts.machine, program.facts.is_64)
    };
    if !home.contents.file(loader).is_some_and(is_ours) && !home.added.contains(loader) {
        return Err(no_loader(program, loader, home));
    }
    let shared = shared(program, loader, home);
    let mut seen = BTreeSet::new();
    let mut ahead: VecDeque<Wish<'_>> = wishes(
        &program.facts.needed,
        None,
        &program.facts.runpath,
        program.path,
    );
    while let Some(wish) = ahead.pop_front() {
        if is_loader(loader, wish.library) || !seen.insert(wish.library.to_owned()) {
            continue;
        }
        let more = [&wish.directories, shared.as_slice()].concat();
        if home.adds(wish.library) {
            continue; // nobody has looked into it
        }
        let Some((path, library)) = home.contents.library_like(wish.library, &more, is_ours) else {
            return Err(no_library(program, &wish, home));
        };
        if wish.by.is_none() {
            versions::look(program, (wish.library, library), home)?;
        }
        ahead.extend(wishes(
            &library.needed,
            Some(wish.library),
            &library.runpath,
            &path,
        ));
    }
    Ok(())
}

/// What the file at `path` asks for.
fn wishes<'a>(
    needed: &'a [String],
    by: Option<&'a str>,
    runpath: &[String],
    path: &str,
) -> VecDeque<Wish<'a>> {
    let directories = expanded(runpath, path);
    let wish = |library| Wish {
        library,
        by,
        directories: directories.clone(),
    };
    needed.iter().map(|name| wish(name.as_str())).collect()
}

/// Directories in which every library is looked for. Those of the program are among them because `DT_RPATH` is inherited.
fn shared(program: Program<'_>, loader: &str, home: Home<'_>) -> Vec<String> {
    let own = expanded(&program.facts.runpath, program.path);
    let usual = match is_musl(loader) {
        true => vec![directory(loader), "/usr/local/lib".to_owned()],
        false => vec![directory(loader)],
    };
    [&own, home.library_path, &usual].concat()
}

/// The directories of a RUNPATH of the file at `path`.
fn expanded(runpath: &[String], path: &str) -> Vec<String> {
    let origin = directory(path);
    let replaced = |one: &String| {
        one.replace("${ORIGIN}", &origin)
            .replace("$ORIGIN", &origin)
    };
    runpath.iter().map(replaced).collect()
}

fn directory(path: &str) -> String {
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    directory.to_owned()
}

/// Whether the library is the loader, which is there already. musl's is all of libc.
fn is_loader(loader: &str, library: &str) -> bool {
    let own = loader.rsplit('/').next();
    let part = library
        .strip_prefix("lib")
        .and_then(|name| name.split_once(".so"));
    let is_part =
        || part.is_some_and(|(name, _)| MUSL.contains(&name) || name.starts_with("c.musl-"));
    own == Some(library) || (is_musl(loader) && is_part())
}

/// Whether a dynamic loader is musl's.
fn is_musl(loader: &str) -> bool {
    loader.starts_with("/lib/ld-musl-")
}

fn no_loader(program: Program<'_>, loader: &str, home: Home<'_>) -> Fault {
    let message = format!(
        "`{}` needs the dynamic loader {loader}, which the base `{}` does not have",
        program.name, home.name
    );
    let others = home.contents.loaders();
    let reason = match others.is_empty() {
        true => "there is no dynamic loader in it at all".to_owned(),
        false => format!("it has {}", others.join(", ")),
    };
    let libc = if is_musl(loader) { "musl" } else { "glibc" };
    Fault::refused(message)
        .because(reason)
        .hint("link statically with `libc: musl` in .builder.yaml, which needs nothing of the base")
        .hint(format!("or choose a base with {libc} for this platform"))
}

fn no_library(program: Program<'_>, wish: &Wish<'_>, home: Home<'_>) -> Fault {
    let message = match wish.by {
        None => format!(
            "`{}` needs {}, which the base `{}` does not have",
            program.name, wish.library, home.name
        ),
        Some(by) => format!(
            "`{}` needs {by}, that needs {}, and the base `{}` does not have it",
            program.name, wish.library, home.name
        ),
    };
    let mut fault = Fault::refused(message).because(
        "looked in its library directories, those of its `ld.so.conf` and `LD_LIBRARY_PATH`, and the program's RUNPATH",
    );
    if let Some(package) = package(wish.library) {
        fault = fault.because(format!(
            "Debian and Ubuntu have it in the package `{package}`"
        ));
    }
    fault
        .hint(format!("choose a base with {}", wish.library))
        .hint("or link statically with `libc: musl` in .builder.yaml, which needs nothing of the base")
}

/// Debian's package, where library and package have gone together for years.
fn package(library: &str) -> Option<&'static str> {
    Some(match library {
        "libgcc_s.so.1" => "libgcc-s1",
        "libstdc++.so.6" => "libstdc++6",
        "libpq.so.5" => "libpq5",
        "libsqlite3.so.0" => "libsqlite3-0",
        "libz.so.1" => "zlib1g",
        "libc.so.6" | "libm.so.6" | "libdl.so.2" | "libpthread.so.0" => "libc6",
        _ => return None,
    })
}
