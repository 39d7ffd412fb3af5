//! The door to the environment, the working directory, the clock and the user's directories; they are values from here on.
//!
//! Read once, at the start. Nothing below `cli` may look at the world by itself.

#![expect(
    clippy::disallowed_methods,
    reason = "this file is the door to the environment, the directories and the clock"
)]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};

use crate::fault::Fault;

/// All that the process was given besides the arguments of its command.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) environment: BTreeMap<OsString, OsString>,
    pub(crate) directory: PathBuf,
    pub(crate) now: SystemTime,
    pub(crate) started: Instant,
    /// The user's; `None` where there is none.
    pub(crate) home: Option<PathBuf>,
    /// Where temporary files go when the cache cannot be written.
    pub(crate) temporary: PathBuf,
    /// How long another rbuild that holds a lock of the cache is waited for; for ever without one.
    pub(crate) lock_timeout: Option<Duration>,
}

impl World {
    pub(crate) fn read() -> Result<World> {
        Ok(World {
            environment: std::env::vars_os().collect(),
            directory: std::env::current_dir().context("cannot tell the working directory")?,
            now: SystemTime::now(),
            started: Instant::now(),
            home: directories::BaseDirs::new().map(|found| found.home_dir().to_owned()),
            temporary: std::env::temp_dir(),
            lock_timeout: None,
        })
    }

    /// A variable that is set and not empty.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// The first of `names` that is set, as text, with its name.
    pub(crate) fn text(&self, names: &[&'static str]) -> Result<Option<(&'static str, String)>> {
        let Some((name, value)) = names
            .iter()
            .find_map(|name| Some((*name, self.variable(name)?)))
        else {
            return Ok(None);
        };
        let value = value
            .to_str()
            .ok_or_else(|| Fault::refused(format!("`{name}` is not UTF-8")))?;
        Ok(Some((name, value.to_owned())))
    }

    /// A yes-or-no variable; anything but the usual words is refused.
    pub(crate) fn flag(&self, name: &'static str) -> Result<bool> {
        match self
            .text(&[name])?
            .map(|(_, value)| value.to_ascii_lowercase())
            .as_deref()
        {
            None | Some("0" | "false" | "no" | "off") => Ok(false),
            Some("1" | "true" | "yes" | "on") => Ok(true),
            Some(other) => {
                Err(Fault::refused(format!("`{name}={other}` is neither true nor false")).into())
            }
        }
    }

    /// The root of the cache: `KOCACHE`, else the platform's cache directory for rbuild.
    pub(crate) fn cache(&self) -> Result<PathBuf> {
        let Some(path) = self.variable("KOCACHE").map(Path::new) else {
            let directories = directories::ProjectDirs::from("", "", "rbuild");
            let directories = directories.ok_or_else(|| {
                Fault::refused("there is no home directory").hint("set `KOCACHE`")
            })?;
            return Ok(directories.cache_dir().to_owned());
        };
        let refused = |why: &str| {
            Fault::refused(format!("`KOCACHE={}` {why}", path.display()))
                .hint("name a directory by its full path")
        };
        if !path.is_absolute() {
            return Err(refused("is a relative path").into());
        }
        if path.parent().is_none() {
            return Err(refused("is the root directory").into());
        }
        if path.exists() && !path.is_dir() {
            return Err(refused("is not a directory").into());
        }
        Ok(path.to_owned())
    }

    /// `SOURCE_DATE_EPOCH` in seconds, if it is set.
    pub(crate) fn source_date_epoch(&self) -> Result<Option<u64>> {
        let Some((name, value)) = self.text(&["SOURCE_DATE_EPOCH"])? else {
            return Ok(None);
        };
        let seconds = value
            .parse()
            .ok()
            .filter(|seconds| *seconds <= 253_402_300_799);
        let seconds = seconds.ok_or_else(|| {
            Fault::refused(format!(
                "`{name}={value}` is not a number of seconds since 1970"
            ))
        })?;
        Ok(Some(seconds))
    }

    /// Seconds since 1970: `SOURCE_DATE_EPOCH`, else the clock's.
    pub(crate) fn seconds(&self) -> Result<u64> {
        let since = self.now.duration_since(SystemTime::UNIX_EPOCH);
        let clock = since.map_or(0, |since| since.as_secs());
        Ok(self.source_date_epoch()?.unwrap_or(clock))
    }

    /// `path` as seen from the working directory.
    pub(crate) fn absolute(&self, path: &Path) -> PathBuf {
        self.directory.join(path)
    }
}

#[cfg(test)]
impl World {
    /// A world with these variables and nothing else.
    pub(crate) fn of(variables: &[(&str, &str)]) -> World {
        let pair = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
        World {
            environment: variables.iter().map(pair).collect(),
            directory: PathBuf::from("/here"),
            now: SystemTime::UNIX_EPOCH,
            started: Instant::now(),
            home: None,
            temporary: PathBuf::from("/tmp"),
            lock_timeout: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c22_a_cache_root_must_be_a_directory_by_its_full_path() {
        for bad in ["relative", "./x", "/", "/proc/version"] {
            assert!(World::of(&[("KOCACHE", bad)]).cache().is_err(), "{bad}");
        }
        for good in ["/a b/ü", "/with\nnewline"] {
            assert_eq!(
                World::of(&[("KOCACHE", good)]).cache().expect(good),
                Path::new(good)
            );
        }
        assert!(
            World::of(&[("KOCACHE", "")])
                .cache()
                .expect("the default")
                .ends_with("rbuild")
        );
    }

    #[test]
    fn the_first_name_that_is_set_wins_and_an_empty_one_is_not_set() {
        let world = World::of(&[("RBUILD_REPO", ""), ("KO_DOCKER_REPO", "r.example/t")]);
        let found = world
            .text(&["RBUILD_REPO", "KO_DOCKER_REPO"])
            .expect("text");
        assert_eq!(found, Some(("KO_DOCKER_REPO", "r.example/t".to_owned())));
    }

    #[test]
    fn yes_and_no_have_a_few_spellings_and_no_more() {
        assert!(
            World::of(&[("RBUILD_OFFLINE", "1")])
                .flag("RBUILD_OFFLINE")
                .expect("yes")
        );
        assert!(
            !World::of(&[("RBUILD_OFFLINE", "False")])
                .flag("RBUILD_OFFLINE")
                .expect("no")
        );
        assert!(!World::of(&[]).flag("RBUILD_OFFLINE").expect("unset"));
        assert!(
            World::of(&[("RBUILD_OFFLINE", "maybe")])
                .flag("RBUILD_OFFLINE")
                .is_err()
        );
    }

    #[test]
    fn an_epoch_is_a_number_of_seconds_that_a_date_can_show() {
        assert_eq!(
            World::of(&[("SOURCE_DATE_EPOCH", "12")])
                .source_date_epoch()
                .expect("valid"),
            Some(12)
        );
        for bad in ["-1", "1e9", "today", "99999999999999"] {
            assert!(
                World::of(&[("SOURCE_DATE_EPOCH", bad)])
                    .source_date_epoch()
                    .is_err(),
                "{bad}"
            );
        }
    }
}
