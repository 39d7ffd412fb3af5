//! `.builder.yaml` → [`Config`]: found, read, checked and made absolute.
//!
//! Whatever the file says wrongly is refused with `file:line:column` and a way out (exit code 2); nothing is ignored. The file
//! is not trusted with more than cargo's own configuration is ([`trust`]). The environment and the flags, which win over the
//! file, are not looked at here, and no text of a value that may be a secret is repeated.

mod base;
mod convert;
mod find;
mod in_place;
mod key_reader;
mod keys;
mod near;
mod node;
mod objection;
mod parse;
mod reader;
mod rules;
pub(crate) mod settings;
pub(crate) mod trust;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Result;

use crate::fault::Fault;
use crate::platform::Platforms;

/// What a `.builder.yaml` says; the default is what no file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Config {
    /// The file itself; `None` when there is none.
    pub(crate) file: Option<PathBuf>,
    /// `builtin:static`, `scratch`, `oci:` or an image name, as written; a directory is meant from the file.
    pub(crate) default_base_image: Option<String>,
    /// By package, package/bin or path of a package, as written.
    pub(crate) base_image_overrides: BTreeMap<String, String>,
    /// Unnamed when absent.
    pub(crate) default_platforms: Platforms,
    pub(crate) default_env: Vec<(String, String)>,
    pub(crate) default_flags: Vec<String>,
    /// By `host[:port]`, as `reference::registry` spells it.
    pub(crate) registries: BTreeMap<String, RegistrySettings>,
    /// URLs by registry or `*`, in the order in which they are asked.
    pub(crate) mirrors: BTreeMap<String, Vec<String>>,
    /// Whether layers of bases that are used stay in the cache of bases.
    pub(crate) cache_base_layers: bool,
    /// Absolute directories by rust target; they need not exist.
    pub(crate) sysroots: BTreeMap<String, PathBuf>,
    pub(crate) builds: Vec<Build>,
    /// The file's own words, for [`Config::settings`].
    pub(crate) written: node::Node,
}

/// One entry of `registries`; paths are absolute and need not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RegistrySettings {
    pub(crate) insecure: bool,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// One entry of `builds`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Build {
    /// No two builds have the same.
    pub(crate) id: Option<String>,
    /// Absolute: cargo runs there. It need not exist.
    pub(crate) dir: PathBuf,
    pub(crate) package: Option<String>,
    pub(crate) bin: Option<String>,
    /// Names of further binaries, as written.
    pub(crate) binaries: Vec<String>,
    pub(crate) profile: Option<String>,
    pub(crate) features: Vec<String>,
    /// Replaces `default_flags`, also when empty.
    pub(crate) flags: Option<Vec<String>>,
    /// Replaces `default_env`, also when empty.
    pub(crate) env: Option<Vec<(String, String)>>,
    pub(crate) libc: Libc,
    pub(crate) kindnesses: Kindnesses,
    pub(crate) image: ImageSettings,
    pub(crate) assets: Vec<Asset>,
}

/// What the image configuration is to say; what is absent comes from the base.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ImageSettings {
    /// Parses as a repository.
    pub(crate) name: Option<String>,
    /// Absolute, without `..`.
    pub(crate) path: Option<String>,
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) user: Option<String>,
    /// Absolute, without `..`.
    pub(crate) working_dir: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    /// Always with the protocol, such as `8080/tcp`.
    pub(crate) ports: Vec<String>,
    /// Absolute, without `..`.
    pub(crate) volumes: Vec<String>,
    pub(crate) stop_signal: Option<String>,
}

/// Files for the image, a layer of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asset {
    /// Absolute, below the directory of the file as far as its text goes; links are the layer's to judge.
    pub(crate) from: PathBuf,
    /// Absolute, without `..`.
    pub(crate) to: String,
    /// At most `0o7777`.
    pub(crate) mode: Option<u32>,
    pub(crate) owner: (u64, u64),
}

/// The C library that a binary is linked with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Libc {
    /// musl where rustup has it for the platform, else glibc, static too.
    #[default]
    Auto,
    Musl,
    Gnu,
}

/// Small things that are done for known crates, unless they are switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kindnesses {
    pub(crate) jemalloc_pages: bool,
    pub(crate) sqlx_offline: bool,
    pub(crate) musl_allocator: bool,
}

impl Default for Kindnesses {
    fn default() -> Self {
        Kindnesses {
            jemalloc_pages: true,
            sqlx_offline: true,
            musl_allocator: true,
        }
    }
}

/// The configuration that holds for `start`, an absolute path of a directory or file: the nearest one upwards, as far as the
/// first directory that holds `.git` or a workspace's Cargo.toml. `None` when there is none, or no such path.
/// The result has no symbolic links in its directory. Two files side by side are refused.
pub(crate) fn find(start: &Path) -> Result<Option<PathBuf>> {
    find::upwards(start)
}

/// The directory of the project around `start` where no configuration says so: the root of the workspace, else the nearest package,
/// else `start` itself.
pub(crate) fn root(start: &Path) -> PathBuf {
    find::root(start)
}

/// The file that RBUILD_CONFIG means: `path` itself, or the one in the directory `path`.
pub(crate) fn named(path: &Path) -> Result<PathBuf> {
    find::named(path)
}

/// Reads the configuration in `file`, an absolute path. Every error is a refusal.
pub(crate) fn load(file: &Path) -> Result<Config> {
    let node = node(file, &bytes(file)?)?;
    Ok(placed(convert::config(&real(file), node)))
}

/// The bytes of a configuration.
pub(crate) fn bytes(file: &Path) -> Result<Vec<u8>> {
    let read = read_bounded(file).map_err(|error| {
        Fault::refused(format!(
            "cannot read the configuration `{}`",
            file.display()
        ))
        .because(error.to_string())
    });
    Ok(read?)
}

/// `bytes` of `file` with the names of bases replaced for which `pin` has another one, and no other byte changed. A name that is
/// written by an alias, behind an anchor, as a block or with escapes is refused.
pub(crate) fn pinned(
    file: &Path,
    bytes: &[u8],
    pin: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<u8>> {
    let node = node(file, bytes)?;
    let text = str::from_utf8(bytes)?;
    let pinned = in_place::pinned(text, &node, pin).map_err(|misfit| {
        let in_place::Misfit { path, line, wanted } = misfit;
        Fault::refused(format!(
            "{}:{line}: cannot write a digest into `{path}`",
            file.display()
        ))
        .because("the name is not written there plainly or in quotes: it is an alias, an anchor, a block, or has escapes")
        .hint(format!("write `{path}: {wanted}` yourself, or use builder.lock: `rbuild base pin`"))
    });
    Ok(pinned?.into_bytes())
}

fn node(file: &Path, bytes: &[u8]) -> Result<node::Node> {
    let node = parse::document(bytes).map_err(|misplaced| {
        let name = file.display();
        misplaced.objection.fault(&match misplaced.position {
            Some((line, column)) => format!("{name}:{line}:{column}: "),
            None => format!("{name}: "),
        })
    });
    Ok(node?)
}

/// Directories as cargo names them, without links and `..`, so that packages can be found in them.
fn placed(mut config: Config) -> Config {
    for build in &mut config.builds {
        build.dir = real(&build.dir);
    }
    config
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The bytes of a regular file, cut off shortly after the largest size that is accepted. Never waits on a pipe.
fn read_bounded(file: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(file)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    let limit = parse::LARGEST as u64 + 1;
    fs::File::open(file)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
