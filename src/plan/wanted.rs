//! Which images were asked for: each selected binary with its entry of the configuration, its base and its platforms.
//!
//! Pure: the same request, configuration and workspaces give the same list or the same refusal.

use std::path::Path;
use std::path::PathBuf;

use anyhow::Result;

use crate::base::name::Name;
use crate::config::{Build, Config};
use crate::fault::Fault;
use crate::plan::request::Request;
use crate::platform::Platform;
use crate::workspace::Package;
use crate::workspace::{Features, Workspace};

/// One image to be: a binary of a package of a workspace.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) package: &'a Package,
    pub(crate) binary: String,
    pub(crate) build: Option<&'a Build>,
    pub(crate) base: Name,
    pub(crate) platforms: Vec<Platform>,
}

/// What cargo is told about this binary: the request's words, then the configuration's.
impl Wanted<'_> {
    pub(crate) fn features(&self, request: &Request) -> Features {
        let mut features = request.cargo.selection.features.clone();
        features
            .names
            .extend(self.build.iter().flat_map(|build| build.features.clone()));
        features
    }

    /// A build's own list replaces the default one, also when it is empty.
    pub(crate) fn env<'c>(&'c self, config: &'c Config) -> &'c [(String, String)] {
        let own = self.build.and_then(|build| build.env.as_ref());
        own.unwrap_or(&config.default_env)
    }

    /// As [`Wanted::env`]; what stands after `--` comes last.
    pub(crate) fn flags(&self, request: &Request, config: &Config) -> Vec<String> {
        let own = self.build.and_then(|build| build.flags.as_ref());
        let flags = own.unwrap_or(&config.default_flags);
        flags
            .iter()
            .chain(&request.cargo.further)
            .cloned()
            .collect()
    }

    pub(crate) fn profile<'r>(&'r self, request: &'r Request) -> &'r str {
        let own = self.build.and_then(|build| build.profile.as_deref());
        request
            .cargo
            .profile
            .as_deref()
            .or(own)
            .unwrap_or("release")
    }
}

/// Joins a selected binary with what the request and the configuration say of it.
pub(crate) fn wanted<'a>(
    (workspace, package, binary): (&'a Workspace, &'a Package, &str),
    request: &Request,
    config: &'a Config,
    host: &Platform,
) -> Result<Wanted<'a>> {
    Ok(Wanted {
        workspace,
        package,
        binary: binary.to_owned(),
        build: build_of(package, binary, config)?,
        base: base_of((workspace, package, binary), request, config)?,
        platforms: platforms(request, config, host),
    })
}

/// The entry of `builds` that fits best: one that names the binary before one that names the package before one that names
/// the directory.
fn build_of<'a>(package: &Package, binary: &str, config: &'a Config) -> Result<Option<&'a Build>> {
    let mut fitting: Vec<(u8, &Build)> = config
        .builds
        .iter()
        .filter_map(|build| Some((fit(build, package, binary)?, build)))
        .collect();
    fitting.sort_by_key(|(fit, _)| std::cmp::Reverse(*fit));
    match fitting.as_slice() {
        [(first, one), (second, other), ..] if first == second => Err(Fault::refused(format!(
            "two entries of `builds` fit the binary `{binary}` of the package `{}`: {} and {}",
            package.name,
            called(one, config),
            called(other, config)
        ))
        .hint("name `bin` or `package` in one of them")
        .into()),
        [(_, build), ..] => Ok(Some(build)),
        [] => Ok(None),
    }
}

fn fit(build: &Build, package: &Package, binary: &str) -> Option<u8> {
    let fits = build
        .package
        .as_ref()
        .is_none_or(|name| *name == package.name)
        && build.bin.as_ref().is_none_or(|name| name == binary)
        && package.directory.starts_with(&build.dir);
    let exact = package.directory == build.dir;
    fits.then(|| {
        4 * u8::from(build.bin.is_some()) + 2 * u8::from(build.package.is_some()) + u8::from(exact)
    })
}

fn called(build: &Build, config: &Config) -> String {
    let index = config
        .builds
        .iter()
        .position(|other| std::ptr::eq(other, build))
        .unwrap_or_default();
    build
        .id
        .as_ref()
        .map_or_else(|| format!("`builds[{index}]`"), |id| format!("`{id}`"))
}

/// Flag, then override, then environment, then configuration, then the built-in one.
fn base_of(
    (workspace, package, binary): (&Workspace, &Package, &str),
    request: &Request,
    config: &Config,
) -> Result<Name> {
    if let Some(base) = &request.base {
        return Ok(base.clone());
    }
    let directory = directory(request, config);
    let overriding = config
        .base_image_overrides
        .iter()
        .find(|(key, _)| names((key, &directory), workspace, package, binary));
    if let Some((_, base)) = overriding {
        return Name::parse(base, &directory);
    }
    match (&request.default_base, &config.default_base_image) {
        (Some(base), _) => Ok(base.clone()),
        (None, Some(base)) => Name::parse(base, &directory),
        (None, None) => Ok(Name::Static),
    }
}

/// Where relative names of the configuration start: beside its file.
fn directory(request: &Request, config: &Config) -> PathBuf {
    let beside = config.file.as_ref().and_then(|file| file.parent());
    beside.unwrap_or(&request.directory).to_owned()
}

/// Whether a key of `baseImageOverrides` means this binary: `package`, `package/bin`, or a path to the package.
fn names(
    (key, directory): (&str, &Path),
    workspace: &Workspace,
    package: &Package,
    binary: &str,
) -> bool {
    let path = Path::new(key.trim_end_matches('/'));
    let at = |root: &Path| root.join(path.strip_prefix("./").unwrap_or(path)) == package.directory;
    key == package.name
        || key == format!("{}/{binary}", package.name)
        || at(directory)
        || at(&workspace.root)
}

/// The keys of `baseImageOverrides` that mean no binary of these workspaces.
pub(crate) fn idle_overrides(
    config: &Config,
    request: &Request,
    workspaces: &[Workspace],
) -> Vec<String> {
    let directory = directory(request, config);
    let used = |key: &String| {
        workspaces.iter().any(|workspace| {
            let binaries = workspace
                .packages
                .iter()
                .flat_map(|package| package.binaries.iter().map(move |bin| (package, bin)));
            binaries
                .clone()
                .any(|(package, bin)| names((key, &directory), workspace, package, &bin.name))
        })
    };
    config
        .base_image_overrides
        .keys()
        .filter(|key| !used(key))
        .cloned()
        .collect()
}

/// Request, then configuration, then the host's architecture; each once.
fn platforms(request: &Request, config: &Config, host: &Platform) -> Vec<Platform> {
    let configured = config
        .default_platforms
        .as_ref()
        .filter(|list| !list.is_empty());
    let chosen = if request.platforms.is_empty() {
        configured
    } else {
        Some(&request.platforms)
    };
    let mut platforms = chosen.cloned().unwrap_or_else(|| vec![host.clone()]);
    let mut seen = std::collections::BTreeSet::new();
    platforms.retain(|platform| seen.insert(platform.clone()));
    platforms
}
