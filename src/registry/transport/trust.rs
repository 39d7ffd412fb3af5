//! Whom a registry has to prove to be, and who we are to it: certificates by registry, from settings and `certs.d`.
//!
//! Files are named here and read in `tls.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use reqwest::Url;

use crate::registry::settings::Settings;

/// What decides how TLS is spoken; equal values share a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Trust {
    /// Nothing is checked.
    pub(super) insecure: bool,
    /// PEM files, beside the system's.
    pub(super) authorities: Vec<PathBuf>,
    /// Our certificate and its key, PEM.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
}

impl Trust {
    /// Whether somebody took care that this registry is spoken to with TLS.
    pub(super) fn has_material(&self) -> bool {
        !self.authorities.is_empty() || self.identity.is_some()
    }
}

/// The trust of each registry, found out once.
pub(super) struct Trusts {
    settings: Settings,
    known: Mutex<BTreeMap<String, Trust>>,
}

impl Trusts {
    pub(super) fn new(settings: &Settings) -> Trusts {
        Trusts {
            settings: settings.clone(),
            known: Mutex::default(),
        }
    }

    /// `name` is `host[:port]` as references spell it.
    pub(super) fn of(&self, name: &str) -> Trust {
        let mut known = self.known.lock().expect("nothing panics here");
        known
            .entry(name.to_owned())
            .or_insert_with(|| self.look(name))
            .clone()
    }

    /// For a host that `registry` sent us to: its authorities may have signed that host's certificate too,
    /// but that it is not checked holds for itself alone. Who we are is shown to nobody whom the user did not name in this.
    pub(super) fn of_other(&self, registry: &str, url: &Url) -> Trust {
        let mut trust = Trust {
            identity: None,
            ..self.of(&authority(url))
        };
        for file in self.of(registry).authorities {
            if !trust.authorities.contains(&file) {
                trust.authorities.push(file);
            }
        }
        trust
    }

    /// What is to be said of a registry that a file keeps from being checked; a flag needs no telling.
    pub(super) fn unchecked(&self, name: &str) -> Option<String> {
        let file = self.settings.hosts_file.as_ref()?;
        let is_said = self.settings.hosts.get(name)?.insecure && !self.settings.insecure;
        let file = file.display();
        is_said.then(|| format!("certificates of `{name}` are not checked: {file} says so"))
    }

    fn look(&self, name: &str) -> Trust {
        let own = self.settings.hosts.get(name).cloned().unwrap_or_default();
        let mut trust = Trust {
            insecure: own.insecure || self.settings.insecure,
            authorities: own.ca.into_iter().collect(),
            identity: own.certificate.map(|certificate| {
                let key = own.key.unwrap_or_else(|| certificate.clone());
                (certificate, key)
            }),
        };
        for directory in self.directories(name) {
            add(&mut trust, &directory);
        }
        trust
    }

    /// `certs.d/<host[:port]>` of docker and podman, the user's before the machine's.
    fn directories(&self, name: &str) -> Vec<PathBuf> {
        // A name comes from outside; it must not lead elsewhere.
        if name.starts_with('.') || name.contains('/') {
            return Vec::new();
        }
        let home = self.settings.home.iter();
        let own = home.flat_map(|home| [home.join(".docker"), home.join(".config/containers")]);
        let machine = ["/etc/docker", "/etc/containers"].map(PathBuf::from);
        own.chain(machine)
            .map(|place| place.join("certs.d").join(name))
            .collect()
    }
}

/// `*.crt` are authorities, the first `*.cert` with a `*.key` is who we are.
fn add(trust: &mut Trust, directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    for file in files {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("crt") => trust.authorities.push(file),
            Some("cert") if trust.identity.is_none() => {
                let key = file.with_extension("key");
                trust.identity = Some((file, key));
            }
            _ => (),
        }
    }
}

/// `host[:port]` of a URL, as references spell it.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::settings::HostSettings;

    fn home_with(files: &[&str]) -> tempfile::TempDir {
        let home = tempfile::tempdir().expect("a directory");
        for file in files {
            let path = home.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, "").expect("written");
        }
        home
    }

    fn settings(home: &Path) -> Settings {
        Settings {
            home: Some(home.to_owned()),
            ..Settings::default()
        }
    }

    #[test]
    fn r34_certs_d_is_read_for_the_registry_that_its_directory_names() {
        let d = ".docker/certs.d/r.example:5000";
        let home = home_with(&[
            &format!("{d}/ca.crt"),
            &format!("{d}/client.cert"),
            &format!("{d}/client.key"),
            &format!("{d}/notes.txt"),
            ".config/containers/certs.d/r.example:5000/b.crt",
            ".docker/certs.d/r.example/other.crt",
        ]);
        let trust = Trusts::new(&settings(home.path())).of("r.example:5000");
        let docker = home.path().join(d);
        let second = home
            .path()
            .join(".config/containers/certs.d/r.example:5000/b.crt");
        assert_eq!(trust.authorities, [docker.join("ca.crt"), second]);
        assert_eq!(
            trust.identity,
            Some((docker.join("client.cert"), docker.join("client.key")))
        );
        assert!(trust.has_material() && !trust.insecure);
        assert_eq!(
            Trusts::new(&settings(home.path())).of("r.example:5001"),
            Trust::default()
        );
    }

    #[test]
    fn a_name_from_outside_leads_to_no_other_directory() {
        let home = home_with(&[".docker/ca.crt", ".docker/certs.d/ca.crt"]);
        let trusts = Trusts::new(&settings(home.path()));
        for name in ["..", ".", "a/..", "../certs.d"] {
            assert_eq!(trusts.of(name), Trust::default(), "{name}");
        }
    }

    #[test]
    fn another_host_is_trusted_by_the_registrys_authorities_but_not_told_who_we_are() {
        let mut settings = Settings::default();
        let own = HostSettings {
            insecure: true,
            ca: Some("ca.pem".into()),
            certificate: Some("me.pem".into()),
            key: None,
        };
        settings.hosts.insert("r.example".to_owned(), own);
        let trusts = Trusts::new(&settings);
        let cdn = Url::parse("https://cdn.example:8443/x").expect("a URL");
        let expected = Trust {
            authorities: vec!["ca.pem".into()],
            ..Trust::default()
        };
        assert_eq!(trusts.of_other("r.example", &cdn), expected);
        assert_eq!(
            trusts.of("r.example").identity,
            Some(("me.pem".into(), "me.pem".into()))
        );
        assert!(trusts.of("r.example").insecure);
    }

    #[test]
    fn what_a_file_keeps_from_being_checked_is_told_and_what_a_flag_does_is_not() {
        let own = HostSettings {
            insecure: true,
            ..HostSettings::default()
        };
        let mut settings = Settings {
            hosts: [("r.example".to_owned(), own)].into(),
            hosts_file: Some("/here/.builder.yaml".into()),
            ..Settings::default()
        };
        let told = Trusts::new(&settings).unchecked("r.example");
        let note = "certificates of `r.example` are not checked: /here/.builder.yaml says so";
        assert_eq!(told.as_deref(), Some(note));
        assert_eq!(Trusts::new(&settings).unchecked("other.example"), None);
        settings.insecure = true;
        assert_eq!(Trusts::new(&settings).unchecked("r.example"), None);
    }

    #[test]
    fn a_registry_cannot_make_us_show_our_certificate_to_another_one() {
        let mut settings = Settings::default();
        let own = HostSettings {
            ca: Some("b.pem".into()),
            certificate: Some("me.pem".into()),
            ..HostSettings::default()
        };
        settings.hosts.insert("b.example".to_owned(), own);
        let trusts = Trusts::new(&settings);
        let target = Url::parse("https://b.example/x").expect("a URL");
        let expected = Trust {
            authorities: vec!["b.pem".into()],
            ..Trust::default()
        };
        assert_eq!(trusts.of_other("a.example", &target), expected);
        assert!(trusts.of("b.example").identity.is_some());
    }

    #[test]
    fn the_flag_makes_every_registry_insecure() {
        let settings = Settings {
            insecure: true,
            ..Settings::default()
        };
        assert!(Trusts::new(&settings).of("any.example").insecure);
    }
}
