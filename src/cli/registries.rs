//! From flags, configuration and environment to the registries that a run may talk to.
//!
//! Nothing is opened here: a run without a request to a registry never starts a client. What cannot be used is refused all the same,
//! offline too.

use anyhow::{Context, Result};

use crate::cli::registry_arguments::RegistryArguments;
use crate::cli::world::World;
use crate::config::{Config, RegistrySettings};
use crate::network::Network;
use crate::registry::{HostSettings, Listeners, Mirror, Registry, Settings};

/// How many blobs travel at once.
const PARALLEL: usize = 4;

/// Registries, unless the run is offline.
pub(crate) fn connect(
    network: Option<Network>,
    settings: Settings,
    listeners: &Listeners,
) -> Option<Registry> {
    Some(Registry::connect(network?, settings, listeners.clone()))
}

/// Flags stand over the configuration; their mirrors come first.
pub(crate) fn settings(
    arguments: &RegistryArguments,
    config: &Config,
    world: &World,
) -> Result<Settings> {
    let hosts = config.registries.iter();
    Ok(Settings {
        hosts: hosts
            .map(|(name, host)| (name.clone(), host_settings(host)))
            .collect(),
        hosts_file: config.file.clone(),
        insecure: arguments.insecure_registry,
        mirrors: mirrors(arguments, config)?,
        mirrors_alone: arguments.no_mirror_fallback,
        environment: world.environment.clone(),
        home: world.home.clone(),
        parallel: PARALLEL,
    })
}

fn host_settings(host: &RegistrySettings) -> HostSettings {
    HostSettings {
        insecure: host.insecure,
        ca: host.ca.clone(),
        certificate: host.certificate.clone(),
        key: host.key.clone(),
    }
}

/// In the order in which they are asked: those of the flags; then of the configuration those for one registry, then those for any.
fn mirrors(arguments: &RegistryArguments, config: &Config) -> Result<Vec<Mirror>> {
    let typed = arguments.mirror.iter();
    let mut mirrors = typed
        .map(|text| Mirror::parse(text).with_context(|| "cannot use `--mirror`"))
        .collect::<Result<Vec<_>>>()?;
    let (any, named): (Vec<_>, Vec<_>) = config.mirrors.iter().partition(|(name, _)| *name == "*");
    for (registry, urls) in named.into_iter().chain(any) {
        for url in urls {
            let mirror = Mirror::parse(&format!("{registry}={url}"));
            mirrors.push(mirror.context("cannot use `mirrors` of the configuration")?);
        }
    }
    Ok(mirrors)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn arguments(mirrors: &[&str]) -> RegistryArguments {
        RegistryArguments {
            mirror: mirrors.iter().map(|text| (*text).to_owned()).collect(),
            ..RegistryArguments::default()
        }
    }

    fn config() -> Config {
        let corp = RegistrySettings {
            insecure: true,
            ca: Some("/etc/corp.pem".into()),
            ..RegistrySettings::default()
        };
        let urls = |names: &[&str]| names.iter().map(|url| format!("https://{url}")).collect();
        Config {
            registries: [("r.corp:5000".to_owned(), corp)].into(),
            mirrors: [
                ("*".to_owned(), urls(&["any.example"])),
                (
                    "docker.io".to_owned(),
                    urls(&["one.example/hub", "two.example"]),
                ),
            ]
            .into(),
            ..Config::default()
        }
    }

    #[test]
    fn mirrors_of_flags_come_first_then_those_of_one_registry_then_those_of_any() {
        let typed = arguments(&["https://flag.example", "ghcr.io=https://g.example"]);
        let settings = settings(&typed, &config(), &World::of(&[])).expect("valid");
        let urls: Vec<(Option<&str>, &str)> = settings
            .mirrors
            .iter()
            .map(|mirror| (mirror.registry.as_deref(), mirror.url.as_str()))
            .collect();
        let hub = Some("docker.io");
        assert_eq!(
            urls,
            [
                (None, "https://flag.example"),
                (Some("ghcr.io"), "https://g.example"),
                (hub, "https://one.example/hub"),
                (hub, "https://two.example"),
                (None, "https://any.example"),
            ]
        );
    }

    #[test]
    fn hosts_flags_and_the_world_arrive_in_the_settings() {
        let mut world = World::of(&[("HTTPS_PROXY", "http://p.example")]);
        world.home = Some(PathBuf::from("/home/me"));
        let typed = RegistryArguments {
            insecure_registry: true,
            no_mirror_fallback: true,
            ..RegistryArguments::default()
        };
        let settings = settings(&typed, &config(), &world).expect("valid");
        let corp = &settings.hosts["r.corp:5000"];
        assert!(corp.insecure && corp.ca == Some(PathBuf::from("/etc/corp.pem")));
        assert!(settings.insecure && settings.mirrors_alone);
        assert_eq!(settings.environment, world.environment);
        assert_eq!(settings.home, world.home);
    }

    #[test]
    fn a_mirror_that_is_none_is_refused_offline_too_and_no_password_is_repeated() {
        for bad in [
            "",
            "mirror.example",
            "docker.io=",
            "docker.io=mirror.example",
            "docker.io=ftp://mirror.example",
            "https://me:hunter2@mirror.example",
            "a b=https://mirror.example",
        ] {
            let refused = settings(&arguments(&[bad]), &Config::default(), &World::of(&[]));
            let error = refused.expect_err(bad);
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
