//! Certificates that tests make for themselves, and the server's side of TLS.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose, SanType,
    date_time_ymd,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// A server's certificate and key, as PEM.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) certificate: String,
    pub(crate) key: String,
    /// Demands a client certificate from this authority.
    pub(crate) client_authority: Option<String>,
}

/// A certificate authority that nobody trusts unless told to.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Authority {
        let mut params = params(&[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name());
        let key = KeyPair::generate().expect("a key");
        Authority(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// The authority's own certificate.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `127.0.0.1`, `[::1]` and `localhost`.
    pub(crate) fn for_loopback(&self) -> Tls {
        self.issue(&params(&["127.0.0.1", "::1", "localhost"]))
    }

    /// A certificate for these names and addresses; a client's if there are none.
    pub(crate) fn for_names(&self, names: &[&str]) -> Tls {
        self.issue(&params(names))
    }

    /// A certificate for loopback that was good in the year 2001.
    pub(crate) fn expired(&self) -> Tls {
        let mut params = params(&["127.0.0.1", "::1", "localhost"]);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2001, 12, 31);
        self.issue(&params)
    }

    fn issue(&self, params: &CertificateParams) -> Tls {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Tls {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            client_authority: None,
        }
    }
}

/// Two authorities with one name would look like a forgery, not like strangers.
fn name() -> String {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    format!("test authority {}", MADE.fetch_add(1, Ordering::Relaxed))
}

fn params(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.subject_alt_names = names.iter().map(|name| subject(name)).collect();
    params
}

fn subject(name: &str) -> SanType {
    match name.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(name.try_into().expect("a DNS name")),
    }
}

/// What rustls needs to serve with these.
pub(super) fn server(tls: &Tls) -> Arc<ServerConfig> {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3");
    let builder = match &tls.client_authority {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(authority) {
                roots.add(certificate).expect("a certificate");
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("an authority"))
        }
    };
    let key = PrivateKeyDer::from_pem_slice(tls.key.as_bytes()).expect("a key in PEM");
    let config = builder.with_single_cert(certificates(&tls.certificate), key);
    Arc::new(config.expect("certificate and key belong together"))
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(|certificate| certificate.expect("a certificate in PEM"))
        .collect()
}
