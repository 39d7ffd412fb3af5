//! `rbuild config show`: every setting, its value and where it came from.
//!
//! The values are read as a build reads them, so that what a build would refuse is refused here.

use std::path::Path;

use anyhow::Result;

use crate::base::lock::Lock;
use crate::cli::args::ConfigArguments;
use crate::cli::build;
use crate::cli::report;
use crate::cli::request;
use crate::cli::world::World;
use crate::config::Config;
use crate::fault::Fault;

/// One line of the answer.
struct Shown {
    key: String,
    value: String,
    origin: String,
}

/// Settings of the file that a variable stands over, with the variables in the order in which they are asked.
const OVER_THE_FILE: [(&str, &[&str]); 2] = [
    ("defaultBaseImage", request::BASE_VARIABLES),
    ("defaultPlatforms", request::PLATFORM_VARIABLES),
];

pub(crate) fn show(arguments: &ConfigArguments, world: &World) -> Result<()> {
    request::environment(world)?;
    let start = world.absolute(&arguments.path);
    if !start.exists() {
        return Err(Fault::refused(format!("there is no {}", arguments.path.display())).into());
    }
    let config = build::load(&start, world)?;
    let mut all = of_file(&config);
    for (key, names) in OVER_THE_FILE {
        if let Some((name, value)) = world.text(names)? {
            all.retain(|shown| shown.key != key);
            all.push(Shown::new(key, value, &format!("environment, {name}")));
        }
    }
    all.extend(around(&config, world)?);
    all.push(lock(&config, &start)?);
    report::answer(&all.iter().map(Shown::line).collect::<String>())
}

/// The settings of the configuration file, those that it leaves out included.
fn of_file(config: &Config) -> Vec<Shown> {
    let file = config.file.as_ref().map(|file| file.display().to_string());
    let origin = |written| match &file {
        Some(file) if written => file.clone(),
        _ => "built in".to_owned(),
    };
    let settings = config.settings().into_iter();
    settings
        .map(|setting| Shown {
            origin: origin(setting.written),
            key: setting.key,
            value: setting.value,
        })
        .collect()
}

/// What the file cannot say.
fn around(config: &Config, world: &World) -> Result<Vec<Shown>> {
    let file = config.file.as_ref();
    let file = file.map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    let offline = world.flag("RBUILD_OFFLINE")?.to_string();
    let created = world.source_date_epoch()?.unwrap_or(0).to_string();
    let repository = world.text(request::REPOSITORY_VARIABLES)?;
    let repository = repository.map_or_else(|| "rbuild.local".to_owned(), |(_, text)| text);
    let rows = [
        (
            "cache",
            world.cache()?.display().to_string(),
            &["KOCACHE"][..],
        ),
        ("configuration", file, build::CONFIG_VARIABLES),
        ("repository", repository, request::REPOSITORY_VARIABLES),
        ("offline", offline, &["RBUILD_OFFLINE"]),
        ("created", created, &["SOURCE_DATE_EPOCH"]),
    ];
    let shown = |(key, value, names): (&str, String, &[&str])| {
        let set = names.iter().find(|name| world.variable(name).is_some());
        let found = if key == "configuration" && config.file.is_some() {
            "found"
        } else {
            "built in"
        };
        let origin = set.map_or_else(|| found.to_owned(), |name| format!("environment, {name}"));
        Shown::new(key, value, &origin)
    };
    Ok(rows.into_iter().map(shown).collect())
}

/// builder.lock, and whether it was made for this configuration.
fn lock(config: &Config, start: &Path) -> Result<Shown> {
    let place = build::lock_place(config, start);
    let (value, origin) = match Lock::read(&place)? {
        None => ("none".to_owned(), "built in"),
        Some(lock) if lock.fits(config) => (place.display().to_string(), "found"),
        Some(_) => (
            place.display().to_string(),
            "found, but made for another configuration",
        ),
    };
    Ok(Shown::new("lock", value, origin))
}

impl Shown {
    fn new(key: &str, value: String, origin: &str) -> Shown {
        Shown {
            key: key.to_owned(),
            value,
            origin: origin.to_owned(),
        }
    }

    fn line(&self) -> String {
        let [key, value, origin] =
            [&self.key, &self.value, &self.origin].map(|text| report::escaped(text));
        format!("{key}: {value}  # {origin}\n")
    }
}
