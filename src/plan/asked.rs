//! Request and configuration together, and what they say of one binary.
//!
//! Precedence lives here: flag, then override, then environment, then configuration, then what is built in.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::base::name::Name;
use crate::config::{Build, Config};
use crate::fault::Fault;
use crate::plan::request::Request;
use crate::platform::{Platform, Platforms};
use crate::workspace::{Bin, Features, Package, Workspace};

/// What was typed and what is configured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) request: &'a Request,
    pub(crate) config: &'a Config,
}

/// A binary of a package of a workspace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) package: &'a Package,
    pub(crate) binary: &'a str,
}

impl<'a> Asked<'a> {
    /// Where relative names of the configuration start: beside its file.
    pub(crate) fn directory(&self) -> &'a Path {
        let beside = self.config.file.as_ref().and_then(|file| file.parent());
        beside.unwrap_or(&self.request.directory)
    }

    /// The entry of `builds` that fits best: one that names the binary before one that names the package before one that names the
    /// directory.
    pub(crate) fn build(&self, candidate: Candidate<'_>) -> Result<Option<&'a Build>> {
        let fitting = |build: &'a Build| Some((candidate.fit(build)?, build));
        let mut fitting: Vec<(u8, &Build)> =
            self.config.builds.iter().filter_map(fitting).collect();
        fitting.sort_by_key(|(fit, _)| Reverse(*fit));
        match fitting.as_slice() {
            [(first, one), (second, other), ..] if first == second => {
                Err(self.twins(candidate, one, other).into())
            }
            [(_, build), ..] => Ok(Some(build)),
            [] => Ok(None),
        }
    }

    fn twins(&self, candidate: Candidate<'_>, one: &Build, other: &Build) -> Fault {
        Fault::refused(format!(
            "two entries of `builds` fit the binary `{}` of the package `{}`: {} and {}",
            candidate.binary,
            candidate.package.name,
            self.called(one),
            self.called(other)
        ))
        .hint("name `bin` or `package` in one of them")
    }

    fn called(&self, build: &Build) -> String {
        let is_it = |other: &Build| std::ptr::eq(other, build);
        let index = self.config.builds.iter().position(is_it);
        let number = || format!("`builds[{}]`", index.unwrap_or_default());
        build
            .id
            .as_ref()
            .map_or_else(number, |id| format!("`{id}`"))
    }

    pub(crate) fn base(&self, candidate: Candidate<'_>) -> Result<Name> {
        if let Some(base) = &self.request.base {
            return Ok(base.clone());
        }
        if let Some(base) = self.overriding(candidate) {
            return Name::parse(base, self.directory());
        }
        match (&self.request.default_base, &self.config.default_base_image) {
            (Some(base), _) => Ok(base.clone()),
            (None, Some(base)) => Name::parse(base, self.directory()),
            (None, None) => Ok(Name::Static),
        }
    }

    /// The override that says most: `package/bin`, then the path of the package, then its name.
    fn overriding(&self, candidate: Candidate<'_>) -> Option<&'a str> {
        let all = self.config.base_image_overrides.iter();
        let said = all.filter_map(|(key, base)| Some((self.meant(key, candidate)?, base)));
        said.max_by_key(|(much, _)| *much)
            .map(|(_, base)| base.as_str())
    }

    /// How much a key of `baseImageOverrides` says of the candidate; nothing if it means another.
    fn meant(&self, key: &str, candidate: Candidate<'_>) -> Option<u8> {
        let Candidate {
            workspace,
            package,
            binary,
        } = candidate;
        let path = Path::new(key.trim_end_matches('/'));
        let path = path.strip_prefix("./").unwrap_or(path);
        let at = |root: &Path| root.join(path) == package.directory;
        let named = (key == package.name).then_some(1);
        let placed = (at(self.directory()) || at(&workspace.root)).then_some(2);
        let exact = (key == format!("{}/{binary}", package.name)).then_some(3);
        exact.or(placed).or(named)
    }

    /// Request, then configuration, then the host's architecture.
    pub(crate) fn platforms(&self, host: &Platform) -> Platforms {
        let named = self.request.platforms.or(&self.config.default_platforms);
        named.or(&Platforms::These(vec![host.clone()]))
    }

    /// The features of the request and those of a build.
    pub(crate) fn features(&self, build: Option<&Build>) -> Features {
        let mut features = self.request.cargo.selection.features.clone();
        let configured = build.map(|build| build.features.clone());
        features.names.extend(configured.unwrap_or_default());
        features
    }

    /// What the configuration says of binaries that are not there: keys of `baseImageOverrides`, entries of `builds`.
    pub(crate) fn idle(&self, workspaces: &[&Workspace]) -> Vec<String> {
        let candidates: Vec<Candidate<'_>> = workspaces
            .iter()
            .flat_map(|workspace| all(workspace))
            .collect();
        let overrides = self.config.base_image_overrides.keys();
        let idle =
            overrides.filter(|key| !candidates.iter().any(|one| self.meant(key, *one).is_some()));
        let builds = self.config.builds.iter();
        let strange = builds.filter(|build| !candidates.iter().any(|one| one.fit(build).is_some()));
        let idle = idle.map(|key| format!("`{key}` in baseImageOverrides names no binary here"));
        idle.chain(
            strange.map(|build| format!("{} in builds fits no binary here", self.called(build))),
        )
        .collect()
    }
}

/// Every binary of a workspace.
pub(super) fn all(workspace: &Workspace) -> impl Iterator<Item = Candidate<'_>> {
    let packages = workspace.packages.iter();
    packages.flat_map(move |package| {
        let candidate = move |bin| Candidate::new(workspace, package, bin);
        package.binaries.iter().map(candidate)
    })
}

impl<'a> Candidate<'a> {
    fn new(workspace: &'a Workspace, package: &'a Package, bin: &'a Bin) -> Candidate<'a> {
        Candidate {
            workspace,
            package,
            binary: &bin.name,
        }
    }

    /// How much an entry of `builds` says of this binary; `None` if it means another.
    fn fit(&self, build: &Build) -> Option<u8> {
        let fits = build
            .package
            .as_ref()
            .is_none_or(|name| *name == self.package.name)
            && build.bin.as_ref().is_none_or(|name| name == self.binary)
            && self.package.directory.starts_with(&build.dir);
        let exact = self.package.directory == build.dir;
        let said = [
            (build.bin.is_some(), 4),
            (build.package.is_some(), 2),
            (exact, 1),
        ];
        fits.then(|| {
            said.iter()
                .filter(|(is, _)| *is)
                .map(|(_, weight)| weight)
                .sum()
        })
    }

    /// The package's directory below the workspace's root.
    pub(crate) fn within(&self) -> PathBuf {
        let directory = &self.package.directory;
        directory
            .strip_prefix(&self.workspace.root)
            .unwrap_or(directory)
            .to_owned()
    }
}
