//! Whether a certificate proves that we speak to the registry; a refusal says who issued it.
//!
//! As rustls does it, with one addition: a certificate that is itself among the trusted ones (the system's, or those that were named) is
//! good for itself, because `openssl req -x509` makes such certificates and Go's programs take them. Its name and its time are checked
//! all the same.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};

use crate::registry::transport::der;
use crate::timestamp::rfc3339;

/// Why a certificate was refused, and who issued it.
#[derive(Debug)]
pub(super) struct Untrusted {
    /// `CN=…, O=…`
    pub(super) issuer: String,
    pub(super) why: CertificateError,
}

impl fmt::Display for Untrusted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "certificate of `{}`: {:?}", self.issuer, self.why)
    }
}

impl std::error::Error for Untrusted {}

#[derive(Debug)]
pub(super) struct Verifier {
    /// `None`: nothing is checked.
    webpki: Option<Arc<WebPkiServerVerifier>>,
    /// All that is trusted, to find a server's own certificate among it.
    named: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    pub(super) fn checked(
        webpki: Arc<WebPkiServerVerifier>,
        named: Vec<CertificateDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Verifier {
        Verifier {
            webpki: Some(webpki),
            named,
            provider: Arc::clone(provider),
        }
    }

    pub(super) fn unchecked(provider: &Arc<CryptoProvider>) -> Verifier {
        Verifier {
            webpki: None,
            named: Vec::new(),
            provider: Arc::clone(provider),
        }
    }

    fn verify_named(
        &self,
        certificate: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
        let now: String = rfc3339(now.as_secs())
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        match der::validity(certificate) {
            Some((from, until)) if from <= now && now <= until => Ok(()),
            Some((from, _)) if now < from => Err(CertificateError::NotValidYet.into()),
            Some(_) => Err(CertificateError::Expired.into()),
            None => Err(CertificateError::BadEncoding.into()),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(webpki) = &self.webpki else {
            return Ok(ServerCertVerified::assertion());
        };
        let verdict = match self.named.iter().any(|named| named == certificate) {
            true => self.verify_named(certificate, name, now),
            false => webpki
                .verify_server_cert(certificate, chain, name, ocsp, now)
                .map(drop),
        };
        verdict.map_err(|error| with_issuer(error, certificate))?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn with_issuer(error: rustls::Error, certificate: &[u8]) -> rustls::Error {
    let rustls::Error::InvalidCertificate(why) = error else {
        return error;
    };
    let issuer = der::issuer(certificate);
    CertificateError::Other(OtherError(Arc::new(Untrusted { issuer, why }))).into()
}
