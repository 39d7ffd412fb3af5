//! Machines that lack things: a PATH with everything of this one except what compiles and links, and what a test puts back.

#![expect(
    clippy::disallowed_methods,
    reason = "tests look at the machine and start the program"
)]

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::support::{Run, TestEnv, run};

/// Names of programs that compile, link or serve those that do, without a version.
const TOOLS: [&str; 16] = [
    "ar", "as", "c++", "c89", "c99", "cc", "cpp", "dwp", "gold", "gprof", "ld", "nm", "objcopy",
    "objdump", "ranlib", "strip",
];

/// What the names of others contain: `aarch64-linux-gnu-gcc-12`, `llvm-ar`, `ld.gold`, `cargo-zigbuild`.
const PARTS: [&str; 9] = [
    "gcc", "g++", "clang", "llvm", "lld", "zig", "-linux-", "ld.", "tcc",
];

/// Variables that would choose a compiler.
const VARIABLES: [&str; 7] = [
    "CC",
    "CXX",
    "AR",
    "RANLIB",
    "CFLAGS",
    "CXXFLAGS",
    "TARGET_CC",
];

pub(crate) struct Machine {
    /// Without a space in its path: make files of OpenSSL do not quote the paths of tools.
    programs: tempfile::TempDir,
    cache: Option<tempfile::TempDir>,
}

impl Machine {
    /// rustup's cargo and rustc, a shell and what else lies on PATH, but no C compiler and no linker of any kind.
    pub(crate) fn without_compilers() -> Machine {
        let programs = tempfile::tempdir().expect("a directory");
        for directory in path() {
            link_all(&directory, programs.path());
        }
        let has = |name: &str| programs.path().join(name).exists();
        assert!(has("cargo") && has("sh") && !has("cc") && !has("ld"));
        Machine {
            programs,
            cache: None,
        }
    }

    /// With these programs of this machine, under their own names.
    pub(crate) fn with(self, names: &[&str]) -> Machine {
        for name in names {
            let program = path().into_iter().map(|directory| directory.join(name));
            let program = program.into_iter().find(|program| program.is_file());
            let program = program.unwrap_or_else(|| panic!("`{name}` is not installed"));
            symlink(program, self.programs.path().join(name)).expect("linked");
        }
        self
    }

    /// With a C compiler for this machine itself, as most have one.
    pub(crate) fn with_cc(self) -> Machine {
        self.with(&["cc", "gcc", "ld", "as", "ar"])
    }

    /// With Debian's clang, and with the script for a musl gcc that comes with the musl headers and works only beside a cross gcc.
    pub(crate) fn with_clang(self) -> Machine {
        self.with(&["clang", "llvm-ar", "aarch64-linux-musl-gcc"])
    }

    /// With a cache without a space in its path, for the same reason: the compilers that rbuild makes lie there.
    pub(crate) fn with_plain_cache(mut self) -> Machine {
        self.cache = Some(tempfile::tempdir().expect("a directory"));
        self
    }

    /// With PyPI's zig, as `zig`.
    pub(crate) fn with_zig(self) -> Machine {
        let zig = wheel("ziglang/zig");
        symlink(zig, self.programs.path().join("zig")).expect("linked");
        self
    }

    /// With PyPI's cargo-zigbuild, a script that finds its zig itself.
    pub(crate) fn with_cargo_zigbuild(self) -> Machine {
        let zigbuild = Path::new("/opt/zig/bin/cargo-zigbuild");
        assert!(zigbuild.is_file(), "`.ci/run` makes /opt/zig");
        symlink(zigbuild, self.programs.path().join("cargo-zigbuild")).expect("linked");
        self
    }

    /// The program on this machine, with arguments separated by spaces.
    pub(crate) fn rbuild(&self, env: &TestEnv, directory: &Path, arguments: &str) -> Run {
        let mut command = env.command(directory);
        command.env("PATH", self.programs.path());
        for name in VARIABLES {
            command.env_remove(name);
        }
        if let Some(cache) = &self.cache {
            command.env("KOCACHE", cache.path());
        }
        // zig compiles what it needs of musl once, not once for each test.
        let zig = Path::new(env!("CARGO_TARGET_TMPDIR")).join("zig");
        command.env("ZIG_GLOBAL_CACHE_DIR", zig);
        run(command.args(arguments.split_whitespace()))
    }
}

/// A file of a package that `.ci/run` installed from PyPI.
fn wheel(name: &str) -> PathBuf {
    let versions = fs::read_dir("/opt/zig/lib").expect("`.ci/run` makes /opt/zig");
    let packages = versions.map(|entry| entry.expect("an entry").path().join("site-packages"));
    let mut files = packages.map(|packages| packages.join(name));
    files
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("`{name}` is not in /opt/zig"))
}

fn path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").expect("PATH is set");
    std::env::split_paths(&path).collect()
}

/// Links what is no tool; what comes first on PATH stays.
fn link_all(directory: &Path, programs: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten();
    for name in entries.map(|entry| entry.expect("an entry").file_name()) {
        let link = programs.join(&name);
        if !is_tool(&name) && fs::symlink_metadata(&link).is_err() {
            symlink(directory.join(&name), link).expect("linked");
        }
    }
}

fn is_tool(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '.');
    TOOLS.contains(&bare) || PARTS.iter().any(|part| name.contains(part))
}
