//! The rust toolchain at hand, and how it links for a platform.
//!
//! One `rustc --print sysroot --print host-tuple`; everything else is looked up in the sysroot, in cargo's configuration and in the
//! environment, which comes in as a value. Nothing is compiled here, and nothing is installed but by `install.rs` when that was asked for: what
//! is missing is named with its command.

mod base_linker;
mod compiler;
mod flags;
mod gnu;
mod health;
mod host_linker;
mod install;
mod kindnesses;
mod libraries;
mod link;
mod loader;
mod needs;
mod script;
mod settings;
mod start;
mod wrapper;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;

use crate::fault::Fault;
use crate::process::Call;
use crate::workspace::Cargo;

use settings::Settings;

pub(crate) use base_linker::BaseLibraries;
pub(crate) use base_linker::is_wanted as takes_base;
pub(crate) use health::c_compiler;
pub(crate) use install::Missing;
pub(crate) use install::install;
pub(crate) use install::missing;
pub(crate) use install::not_installed;
pub(crate) use libraries::LIBRARIES;
pub(crate) use libraries::OLDEST;
pub(crate) use libraries::file_name;
pub(crate) use libraries::name_for_linker;
pub(crate) use link::Chosen;
pub(crate) use link::Link;
pub(crate) use link::PURE;
pub(crate) use link::Site;
pub(crate) use link::Target;
pub(crate) use link::link;
pub(crate) use link::linker_variable;
pub(crate) use link::target;
pub(crate) use needs::CNeed;
pub(crate) use needs::Question;
pub(crate) use needs::c_needs;

/// Environment variables by name.
pub(crate) type Environment = BTreeMap<OsString, OsString>;

/// What compiles in one directory: `rust-toolchain.toml` and `.cargo/config.toml` may differ in the next.
#[derive(Clone, Debug)]
pub(crate) struct Toolchain {
    pub(crate) sysroot: PathBuf,
    /// The triple that rustc itself runs on.
    pub(crate) host: String,
    pub(crate) cargo_home: PathBuf,
    /// The root of the file system, where this machine's libraries and headers lie.
    root: PathBuf,
    /// The compiler itself, without rustup's proxy.
    rustc: PathBuf,
    directory: PathBuf,
    cargo: Cargo,
    environment: Environment,
    settings: Settings,
}

/// Asks `rustc` (the value of `RUSTC`, or `rustc`) about itself and reads cargo's configuration, both as seen from `directory`.
pub(crate) fn probe(
    rustc: &OsStr,
    cargo: &Cargo,
    directory: &Path,
    environment: &Environment,
) -> Result<Toolchain> {
    let (sysroot, host) = ask(rustc, directory)?;
    let cargo_home = cargo_home(directory, environment)?;
    let rustc = own_rustc(&sysroot, rustc);
    let place = settings::Place {
        directory,
        cargo_home: &cargo_home,
        rustc: &rustc,
        host: &host,
    };
    let settings = Settings::load(cargo, &place, environment)?;
    Ok(Toolchain {
        sysroot,
        host,
        cargo_home,
        root: PathBuf::from("/"),
        rustc,
        directory: directory.to_owned(),
        cargo: cargo.clone(),
        environment: environment.clone(),
        settings,
    })
}

fn ask(rustc: &OsStr, directory: &Path) -> Result<(PathBuf, String)> {
    let both = ["--print", "sysroot", "--print", "host-tuple"];
    let output = Call::new(rustc, directory).args(both).output()?;
    if !output.status.success() {
        return ask_older(rustc, directory, &String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout).context("rustc's sysroot is not UTF-8")?;
    let lines: Vec<&str> = text.lines().collect();
    match lines.as_slice() {
        [sysroot, host] => Ok((PathBuf::from(sysroot), (*host).to_owned())),
        _ => Err(unusable(rustc, &text).into()),
    }
}

/// `host-tuple` is known since Rust 1.84; a project may pin an older one.
fn ask_older(rustc: &OsStr, directory: &Path, said: &str) -> Result<(PathBuf, String)> {
    if !said.contains("print request") {
        return Err(unusable(rustc, said).into());
    }
    let sysroot = Call::new(rustc, directory)
        .args(["--print", "sysroot"])
        .output()?;
    let version = Call::new(rustc, directory).arg("-vV").output()?;
    let sysroot = String::from_utf8_lossy(&sysroot.stdout).trim().to_owned();
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    match host {
        Some(host) if !sysroot.is_empty() => Ok((PathBuf::from(sysroot), host.to_owned())),
        _ => Err(unusable(rustc, said).into()),
    }
}

fn unusable(rustc: &OsStr, said: &str) -> Fault {
    Fault::refused(format!(
        "`{}` does not say where its libraries are",
        rustc.display()
    ))
    .because(format!("it says: {}", said.trim()))
    .hint("install a toolchain with `rustup toolchain install stable`, or set `RUSTC`")
}

/// rustc without rustup's proxy, which would look for `rust-toolchain.toml` in our working directory and not in the workspace's.
fn own_rustc(sysroot: &Path, asked: &OsStr) -> PathBuf {
    let own = sysroot.join("bin/rustc");
    if own.is_file() {
        own
    } else {
        PathBuf::from(asked)
    }
}

/// Where cargo keeps crates, by cargo's own rule.
fn cargo_home(directory: &Path, environment: &Environment) -> Result<PathBuf> {
    let set = |name: &str| {
        environment
            .get(OsStr::new(name))
            .filter(|value| !value.is_empty())
    };
    match (set("CARGO_HOME"), set("HOME")) {
        (Some(home), _) => Ok(directory.join(home)),
        (None, Some(home)) => Ok(Path::new(home).join(".cargo")),
        (None, None) => Err(Fault::refused("cargo's home directory is not known")
            .because("neither `CARGO_HOME` nor `HOME` is set")
            .hint("set `CARGO_HOME` to a directory for downloaded crates")
            .into()),
    }
}

impl Toolchain {
    /// The same toolchain for a build with variables of its own, which may be rustflags, a linker or a C compiler, and with cargo flags of its
    /// own, of which those that guard Cargo.lock hold for questions to cargo too. No process is started.
    pub(crate) fn for_build(
        &self,
        variables: &[(String, String)],
        flags: &[String],
    ) -> Result<Toolchain> {
        let mut other = self.clone();
        let guards =
            |flag: &&String| ["--locked", "--frozen", "--offline"].contains(&flag.as_str());
        other
            .cargo
            .flags
            .extend(flags.iter().filter(guards).cloned());
        if variables.is_empty() {
            return Ok(other);
        }
        let added = variables
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        other.environment.extend(added);
        let place = settings::Place {
            directory: &self.directory,
            cargo_home: &self.cargo_home,
            rustc: &self.rustc,
            host: &self.host,
        };
        other.settings = Settings::load(&self.cargo, &place, &other.environment)?;
        Ok(other)
    }

    /// Whether the standard library for `target` is here.
    pub(crate) fn has(&self, target: &str) -> bool {
        self.libraries(target).is_dir()
    }

    fn libraries(&self, target: &str) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(target).join("lib")
    }

    /// A program that lies among the toolchain's own.
    fn own_program(&self, name: &str) -> Option<PathBuf> {
        let programs = self
            .sysroot
            .join("lib/rustlib")
            .join(&self.host)
            .join("bin");
        Some(programs.join(name)).filter(|path| path.is_file())
    }

    /// A variable of the environment, or of the `[env]` table that cargo hands to build scripts. Empty is unset.
    fn variable(&self, name: &str) -> Option<&OsStr> {
        let inherited = self
            .environment
            .get(OsStr::new(name))
            .map(OsString::as_os_str);
        inherited
            .or_else(|| self.settings.variable(name))
            .filter(|value| !value.is_empty())
    }

    fn on_path(&self, program: &str) -> bool {
        self.path_of(program).is_some()
    }

    /// Where a program lies; one with a `/` is a path already, from the directory of the build.
    fn path_of(&self, program: &str) -> Option<PathBuf> {
        if program.contains('/') {
            return Some(self.directory.join(program)).filter(|path| path.is_file());
        }
        let path = self.environment.get(OsStr::new("PATH"))?;
        let places = std::env::split_paths(path);
        let mut places = places.map(|place| self.directory.join(place).join(program));
        places.find(|place| place.is_file())
    }
}

#[cfg(test)]
pub(crate) use tests::link_at;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_base_linker;
#[cfg(test)]
mod tests_cargo;
#[cfg(test)]
mod tests_compiler;
#[cfg(test)]
mod tests_host_linker;
#[cfg(test)]
mod tests_install;
#[cfg(test)]
mod tests_kindnesses;
#[cfg(test)]
mod tests_needs;
#[cfg(test)]
mod tests_start;
