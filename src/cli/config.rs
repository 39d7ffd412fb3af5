//! `rbuild config show`: every setting, its value and where it came from.

use anyhow::Result;

use crate::cli::args::ConfigArguments;
use crate::cli::build;
use crate::cli::report;
use crate::cli::world::World;

/// Settings that the environment may give: the variables in the order in which they are asked, and the key they stand over.
const VARIABLES: [(&str, &[&str]); 7] = [
    ("cache", &["KOCACHE"]),
    ("repository", &["RBUILD_REPO", "KO_DOCKER_REPO"]),
    ("configuration", &["RBUILD_CONFIG", "KO_CONFIG_PATH"]),
    (
        "defaultBaseImage",
        &["RBUILD_DEFAULT_BASE_IMAGE", "KO_DEFAULTBASEIMAGE"],
    ),
    (
        "defaultPlatforms",
        &["RBUILD_DEFAULT_PLATFORMS", "KO_DEFAULTPLATFORMS"],
    ),
    ("offline", &["RBUILD_OFFLINE"]),
    ("created", &["SOURCE_DATE_EPOCH"]),
];

pub(crate) fn show(arguments: &ConfigArguments, world: &World) -> Result<()> {
    let config = build::load(&world.absolute(&arguments.path), world)?;
    let file = config.file.as_ref().map(|file| file.display().to_string());
    let mut rows: Vec<(String, String, String)> = Vec::new();
    for setting in config.settings() {
        let origin = if setting.written {
            file.clone().unwrap_or_default()
        } else {
            "built in".to_owned()
        };
        rows.push((setting.key, setting.value, origin));
    }
    for (key, names) in VARIABLES {
        match world.text(names)? {
            Some((name, value)) => over(&mut rows, (key, value, format!("environment, {name}"))),
            None if !rows.iter().any(|(known, ..)| known == key) => {
                rows.push((key.to_owned(), unset(key, world)?, "built in".to_owned()));
            }
            None => {}
        }
    }
    report::answer(&rows.iter().map(row).collect::<String>())
}

/// The environment stands over the file.
fn over(rows: &mut Vec<(String, String, String)>, (key, value, origin): (&str, String, String)) {
    rows.retain(|(known, ..)| known != key);
    rows.push((key.to_owned(), value, origin));
}

fn unset(key: &str, world: &World) -> Result<String> {
    Ok(match key {
        "cache" => world.cache()?.display().to_string(),
        "offline" => "false".to_owned(),
        "created" => "0".to_owned(),
        "repository" => "rbuild.local".to_owned(),
        _ => "none".to_owned(),
    })
}

fn row((key, value, origin): &(String, String, String)) -> String {
    format!(
        "{}: {}  # {}\n",
        report::escaped(key),
        report::escaped(value),
        report::escaped(origin)
    )
}
