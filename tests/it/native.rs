//! The workspace of programs with C, to be built on some machine for some platform.

use std::fs;
use std::path::{Path, PathBuf};

use crate::debian;
use crate::machines::Machine;
use crate::programs::{program, said, words};
use crate::support::{Run, TestEnv};

/// What each program says, as far as it is known.
pub(crate) const SAYS: [(&str, &str); 6] = [
    ("compress", "zstd 1."),
    ("crypto", "OpenSSL 3."),
    ("database", "sqlite 3."),
    ("heap", "mimalloc gave 1000000"),
    ("plusplus", "C++ counts 5"),
    ("tls", "ring says hello"),
];

pub(crate) struct Native<'a> {
    env: &'a TestEnv,
    directory: PathBuf,
    packages: &'a [&'a str],
}

impl<'a> Native<'a> {
    /// With these packages, all in one call of rbuild.
    pub(crate) fn new(env: &'a TestEnv, packages: &'a [&'a str]) -> Native<'a> {
        Native {
            env,
            directory: env.workspace("native"),
            packages,
        }
    }

    /// As [`Native::new`], with `libc: gnu` on a base with the libraries of Debian's cross gcc for arm64.
    pub(crate) fn for_glibc(env: &'a TestEnv, packages: &'a [&'a str]) -> Native<'a> {
        let native = Native::new(env, packages);
        debian::cross_base(&native.directory.join("base"));
        let entry = |name: &&str| format!("  - {{id: {name}, package: {name}, libc: gnu}}\n");
        let entries: String = packages.iter().map(entry).collect();
        let text = format!("defaultBaseImage: \"oci:base:it\"\nbuilds:\n{entries}");
        fs::write(native.directory.join(".builder.yaml"), text).expect("written");
        native
    }

    pub(crate) fn layout(&self) -> PathBuf {
        self.directory.join("out")
    }

    /// Where the programs' loader lies, for the emulator.
    pub(crate) fn root(&self) -> PathBuf {
        PathBuf::from("/usr/aarch64-linux-gnu")
    }

    pub(crate) fn build(&self, machine: &Machine, platforms: &str) -> Run {
        self.run(machine, platforms, "--oci-layout-path out")
    }

    /// The plan, without a build.
    pub(crate) fn plan(&self, machine: &Machine, platforms: &str) -> Run {
        self.run(machine, platforms, "--dry-run")
    }

    fn run(&self, machine: &Machine, platforms: &str, more: &str) -> Run {
        let packages: String = self
            .packages
            .iter()
            .map(|name| format!(" -p {name}"))
            .collect();
        let build =
            format!("build{packages} --push=false --profile dev --platform {platforms} {more}");
        machine.rbuild(self.env, &self.directory, &build)
    }

    /// Runs every program of the image for this architecture.
    pub(crate) fn all_say(&self, architecture: &str, root: Option<&Path>) {
        for name in self.packages {
            let program = program(&self.layout(), name, architecture);
            let said = said(&words(architecture, root, &program)).stdout();
            let expected = SAYS.iter().find(|(known, _)| known == name);
            let (_, expected) = expected.expect("a program of the workspace");
            assert!(said.starts_with(expected), "{name} says {said}");
        }
    }
}
