//! Where docker and podman keep credentials (docker-config-json(5), containers-auth.json(5)).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::registry::settings::Settings;

/// The user's variables and home, as far as they say where something lies.
pub(super) struct Environment {
    variables: BTreeMap<OsString, OsString>,
    home: Option<PathBuf>,
}

impl Environment {
    pub(super) fn of(settings: &Settings) -> Environment {
        Environment {
            variables: settings.environment.clone(),
            home: settings.home.clone(),
        }
    }

    /// A variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    fn home(&self) -> Option<&Path> {
        let variable = || self.variable("HOME").map(Path::new);
        self.home.as_deref().or_else(variable)
    }

    /// Docker's file first, then podman's; each place that is named by a variable stands for its tool's own ones.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = self.docker().into_iter().collect();
        files.extend(self.podman());
        files
    }

    /// `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`.
    pub(super) fn docker(&self) -> Option<PathBuf> {
        let named = self.variable("DOCKER_CONFIG").map(PathBuf::from);
        let own = || Some(self.home()?.join(".docker"));
        Some(named.or_else(own)?.join("config.json"))
    }

    /// `$REGISTRY_AUTH_FILE`, else those below `$XDG_RUNTIME_DIR` and `${XDG_CONFIG_HOME:-~/.config}`.
    fn podman(&self) -> Vec<PathBuf> {
        if let Some(named) = self.variable("REGISTRY_AUTH_FILE") {
            return vec![PathBuf::from(named)];
        }
        let run = self.variable("XDG_RUNTIME_DIR").map(PathBuf::from);
        let set = self.variable("XDG_CONFIG_HOME").map(PathBuf::from);
        let config = set.or_else(|| Some(self.home()?.join(".config")));
        let below = |root: PathBuf| root.join("containers/auth.json");
        run.into_iter().chain(config).map(below).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(variables: &[(&str, &str)], home: Option<&str>) -> Vec<String> {
        let pair = |(name, value): &(&str, &str)| (name.into(), value.into());
        let environment = Environment {
            variables: variables.iter().map(pair).collect(),
            home: home.map(PathBuf::from),
        };
        let shown = |path: &PathBuf| path.display().to_string();
        environment.files().iter().map(shown).collect()
    }

    #[test]
    fn dockers_file_comes_first_then_podmans() {
        let own = [
            "/h/.docker/config.json",
            "/run/u/containers/auth.json",
            "/h/.config/containers/auth.json",
        ];
        assert_eq!(files(&[("XDG_RUNTIME_DIR", "/run/u")], Some("/h")), own);
        let variables = [("HOME", "/h"), ("XDG_RUNTIME_DIR", "/run/u")];
        assert_eq!(files(&variables, None), own);
    }

    #[test]
    fn a_place_that_a_variable_names_stands_for_the_tools_own() {
        let variables = [
            ("DOCKER_CONFIG", "/d"),
            ("REGISTRY_AUTH_FILE", "/a.json"),
            ("XDG_RUNTIME_DIR", "/run/u"),
        ];
        assert_eq!(files(&variables, Some("/h")), ["/d/config.json", "/a.json"]);
        assert_eq!(
            files(&[("XDG_CONFIG_HOME", "/c"), ("DOCKER_CONFIG", "")], None),
            ["/c/containers/auth.json"]
        );
        assert!(files(&[], None).is_empty());
    }
}
