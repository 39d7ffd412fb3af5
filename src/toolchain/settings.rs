//! Cargo's configuration, as far as linking depends on it: linkers, rustflags and the `[env]` table.
//!
//! Read with cargo-config2 from files and from the environment that comes in; it starts `rustc --print cfg` only when a `[target.'cfg(…)']` table
//! asks for it. What it does not read (`include`, and `--config` flags) is merged by cargo itself; what it reads
//! otherwise than cargo does (`CARGO_BUILD_RUSTFLAGS`, which cargo adds to `build.rustflags`) is set right here. Each is held by a test against real cargo.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use cargo_config2::Config;
use cargo_config2::Flags;
use cargo_config2::PathAndArgs;
use cargo_config2::ResolveOptions;
use cargo_config2::Walk;
use serde_json::Value;

use super::Environment;
use crate::workspace::Cargo;

/// Where configuration is looked for, and for whom.
pub(super) struct Place<'a> {
    pub(super) directory: &'a Path,
    pub(super) cargo_home: &'a Path,
    pub(super) rustc: &'a Path,
    pub(super) host: &'a str,
}

/// The configuration as cargo would see it.
#[derive(Clone, Debug)]
pub(super) struct Settings(Config);

impl Settings {
    pub(super) fn load(
        cargo: &Cargo,
        place: &Place<'_>,
        environment: &Environment,
    ) -> Result<Settings> {
        if !by_cargo_alone(cargo, place) {
            return Ok(Settings(resolve(place.directory, place, environment)?));
        }
        let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
        let hidden = scratch.path().join(".cargo");
        fs::create_dir(&hidden)?;
        fs::write(hidden.join("config.toml"), merged(cargo, place.directory)?)?;
        let alone = Place {
            cargo_home: &hidden,
            ..*place
        };
        Ok(Settings(resolve(scratch.path(), &alone, environment)?))
    }

    /// The linker that the user configured for `target`.
    pub(super) fn has_linker(&self, target: &str) -> Result<bool> {
        let linker = self.0.linker(target);
        Ok(linker
            .context("cannot read cargo's configuration")?
            .is_some())
    }

    /// The rustflags that cargo would use for `target`, in its own precedence.
    pub(super) fn rustflags(&self, target: &str) -> Result<Vec<String>> {
        let flags = self
            .0
            .rustflags(target)
            .context("cannot read rustflags from cargo's configuration")?;
        Ok(flags.unwrap_or_default().flags)
    }

    /// A variable of the `[env]` table.
    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.0.env.get(name).map(|entry| entry.value.as_os_str())
    }
}

/// Whether something is configured in a way that cargo-config2 does not read.
fn by_cargo_alone(cargo: &Cargo, place: &Place<'_>) -> bool {
    let flag = |text: &String| text == "--config" || text.starts_with("--config=");
    let includes = |file| {
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().any(|line| {
            line.trim_start()
                .trim_start_matches('"')
                .starts_with("include")
        })
    };
    cargo.flags.iter().any(flag)
        || Walk::with_cargo_home(place.directory, Some(place.cargo_home.to_owned())).any(includes)
}

fn resolve(directory: &Path, place: &Place<'_>, environment: &Environment) -> Result<Config> {
    let load = |environment: &Environment| {
        let options = ResolveOptions::default()
            .env(environment.iter())
            .rustc(PathAndArgs::new(place.rustc))
            .cargo("cargo")
            .cargo_home(place.cargo_home.to_owned())
            .host_triple(place.host);
        let loaded = Config::load_with_options(directory, options);
        loaded.with_context(|| {
            format!(
                "cannot read cargo's configuration from {}",
                place.directory.display()
            )
        })
    };
    let name = OsStr::new("CARGO_BUILD_RUSTFLAGS");
    let Some(added) = environment.get(name).and_then(|value| value.to_str()) else {
        return load(environment);
    };
    let mut environment = environment.clone();
    environment.remove(name);
    let mut flags = load(&environment)?.build.rustflags.unwrap_or_default();
    flags.flags.extend(Flags::from_space_separated(added).flags);
    let joined = flags
        .encode_space_separated()
        .context("cannot join `CARGO_BUILD_RUSTFLAGS` with `build.rustflags`")?;
    environment.insert(name.to_owned(), OsString::from(joined));
    load(&environment)
}

/// All configuration files and `--config` flags as cargo merges them, without the environment.
/// `cargo config get` is unstable, so it is asked for with `RUSTC_BOOTSTRAP`, which reaches this one call alone.
fn merged(cargo: &Cargo, directory: &Path) -> Result<String> {
    let call = cargo
        .call("config", directory)
        .args(["-Zunstable-options", "get", "--format", "json"])
        .env("RUSTC_BOOTSTRAP", "1");
    let output = call.output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!(
            "cannot read cargo's configuration with `{call}`: {}",
            said.trim()
        );
    }
    let value: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("cannot understand what `{call}` says"))?;
    let kept = ["build", "env", "target"].into_iter();
    Ok(kept
        .map(|table| format!("{table} = {}\n", toml(&value[table])))
        .collect())
}

/// JSON is TOML but for the sign between key and value; what TOML cannot say (null) is an empty table.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let pairs = map
                .iter()
                .map(|(key, value)| format!("{} = {}", Value::from(key.as_str()), toml(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(toml).collect::<Vec<_>>().join(", ")
        ),
        Value::Null => "{}".to_owned(),
        plain => plain.to_string(),
    }
}
