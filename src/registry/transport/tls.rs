//! From files with certificates to a TLS configuration: TLS 1.2 and 1.3, the system's authorities and those that were named.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::registry::error::{Cause, Error};
use crate::registry::settings::Settings;
use crate::registry::transport::trust::Trust;
use crate::registry::transport::verifier::Verifier;

/// The authorities that this machine trusts, read when the first TLS connection is made.
pub(super) struct Roots {
    file: Option<PathBuf>,
    directories: Vec<PathBuf>,
    certificates: OnceLock<Result<Vec<CertificateDer<'static>>, Error>>,
}

impl Roots {
    pub(super) fn new(settings: &Settings) -> Roots {
        let variable = |name: &str| {
            settings
                .environment
                .get(OsStr::new(name))
                .filter(|value| !value.is_empty())
        };
        Roots {
            file: variable("SSL_CERT_FILE").map(PathBuf::from),
            directories: variable("SSL_CERT_DIR")
                .into_iter()
                .flat_map(std::env::split_paths)
                .collect(),
            certificates: OnceLock::new(),
        }
    }

    /// How a registry of that trust is spoken to.
    pub(super) fn config(&self, trust: &Trust) -> Result<ClientConfig, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = self.verifier(trust, &provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &trust.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let secret = private_key(key)?;
                builder
                    .with_client_auth_cert(chain, secret)
                    .map_err(|error| unreadable(key, &error))?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    fn verifier(&self, trust: &Trust, provider: &Arc<CryptoProvider>) -> Result<Verifier, Error> {
        if trust.insecure {
            return Ok(Verifier::unchecked(provider));
        }
        let mut all = self.certificates()?.to_vec();
        for file in &trust.authorities {
            all.extend(certificates(file)?);
        }
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(all.iter().cloned());
        let webpki =
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider));
        Ok(Verifier::checked(
            webpki.build().map_err(unusable)?,
            all,
            provider,
        ))
    }

    fn certificates(&self) -> Result<&[CertificateDer<'static>], Error> {
        let read = self.certificates.get_or_init(|| self.read());
        read.as_deref().map_err(Clone::clone)
    }

    fn read(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        if self.file.is_none() && self.directories.is_empty() {
            return Ok(of_system());
        }
        let mut found =
            rustls_native_certs::load_certs_from_paths(self.file.as_deref(), None).certs;
        for directory in &self.directories {
            found.extend(rustls_native_certs::load_certs_from_paths(None, Some(directory)).certs);
        }
        match found.is_empty() {
            false => Ok(found),
            true => Err(self.nothing_found()),
        }
    }

    fn nothing_found(&self) -> Error {
        let places = self.file.iter().chain(&self.directories);
        let places: Vec<String> = places
            .map(|place| format!("`{}`", place.display()))
            .collect();
        Error::new(
            Cause::Settings,
            format!("no certificate in {}", places.join(", ")),
        )
        .because("`SSL_CERT_FILE` and `SSL_CERT_DIR` say that authorities are there")
        .hint("unset them to use the system's")
    }
}

/// Those of the machine, else Mozilla's as of this release.
fn of_system() -> Vec<CertificateDer<'static>> {
    let found = of_machine();
    match found.is_empty() {
        false => found,
        true => webpki_root_certs::TLS_SERVER_ROOT_CERTS.to_vec(),
    }
}

#[cfg(target_os = "macos")]
fn of_machine() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

/// Looked for by place: `load_native_certs` reads the process's own variables, and an empty `SSL_CERT_FILE` hides everything from it.
#[cfg(not(target_os = "macos"))]
fn of_machine() -> Vec<CertificateDer<'static>> {
    of_places(&BUNDLES.map(Path::new), Path::new("/etc/ssl/certs"))
}

/// The authorities of a machine in one file, as distributions have it; the first that is there counts.
#[cfg(not(target_os = "macos"))]
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

#[cfg(not(target_os = "macos"))]
fn of_places(bundles: &[&Path], directory: &Path) -> Vec<CertificateDer<'static>> {
    let bundle = bundles.iter().copied().find(|file| file.is_file());
    let directory = Some(directory).filter(|directory| directory.is_dir());
    rustls_native_certs::load_certs_from_paths(bundle, directory).certs
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| unreadable(file, &error))?;
    match found.is_empty() {
        false => Ok(found),
        true => Err(unreadable(file, &"it holds no `BEGIN CERTIFICATE`")),
    }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| unreadable(file, &error))
}

fn unreadable(file: &Path, why: &dyn std::fmt::Display) -> Error {
    let problem = format!("cannot use the certificate or key `{}`", file.display());
    Error::new(Cause::Settings, problem).because(why.to_string())
}

fn unusable(error: impl std::error::Error) -> Error {
    Error::new(Cause::Settings, "cannot speak TLS with these settings").because(error.to_string())
}

#[cfg(not(target_os = "macos"))]
#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::testing::test_registry::Authority;

    #[test]
    fn the_first_bundle_that_is_there_counts_with_what_lies_in_the_directory() {
        let home = tempfile::tempdir().expect("a directory");
        let [first, second, directory] = ["a.pem", "b.pem", "certs"].map(|n| home.path().join(n));
        let places = [
            Path::new("/nowhere/ca.pem"),
            first.as_path(),
            second.as_path(),
        ];
        assert!(of_places(&places, &directory).is_empty());
        fs::write(&second, Authority::new().pem()).expect("written");
        assert_eq!(of_places(&places, &directory).len(), 1);
        fs::write(
            &first,
            format!("{}{}", Authority::new().pem(), Authority::new().pem()),
        )
        .expect("written");
        assert_eq!(of_places(&places, &directory).len(), 2);
        fs::create_dir(&directory).expect("made");
        fs::write(directory.join("own.pem"), Authority::new().pem()).expect("written");
        assert_eq!(of_places(&places, &directory).len(), 3);
    }
}
