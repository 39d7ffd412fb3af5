//! What a failed TLS handshake means for a person: who, why, and how it is mended.

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};

use crate::registry::error::Error;
use crate::registry::transport::trouble::{Kind, Tried, Trouble};
use crate::registry::transport::trust::authority;
use crate::registry::transport::verifier::Untrusted;
use crate::timestamp::rfc3339;

pub(super) fn explain(error: &rustls::Error, tried: &Tried<'_>) -> Trouble {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
            match other.0.downcast_ref::<Untrusted>() {
                Some(untrusted) => certificate(untrusted, tried),
                None => refused(tried, &error.to_string()),
            }
        }
        rustls::Error::InvalidMessage(_) => {
            tried.trouble(Kind::Garbled, &format!("no TLS is spoken there: {error}"))
        }
        rustls::Error::AlertReceived(alert) => alerted(*alert, tried),
        rustls::Error::PeerIncompatible(_) => refused(
            tried,
            &format!("no TLS 1.2 or 1.3 is spoken there: {error}"),
        ),
        _ => refused(tried, &error.to_string()),
    }
}

fn refused(tried: &Tried<'_>, reason: &str) -> Trouble {
    tried.trouble(Kind::Final, reason)
}

fn certificate(untrusted: &Untrusted, tried: &Tried<'_>) -> Trouble {
    let (reason, mend) = told(untrusted, tried);
    let trouble = refused(tried, &reason);
    let error = trouble
        .error
        .because(format!("it was issued by `{}`", untrusted.issuer));
    Trouble {
        error: Error::hint(error, mend),
        ..trouble
    }
}

fn told(untrusted: &Untrusted, tried: &Tried<'_>) -> (String, String) {
    let host = authority(tried.url);
    match &untrusted.why {
        CertificateError::UnknownIssuer => (
            "its certificate comes from an authority that is not trusted here".to_owned(),
            format!(
                "name the authority's certificate: `registries: {{\"{host}\": {{ca: FILE.pem}}}}` in `.builder.yaml`, or put it at `/etc/docker/certs.d/{host}/ca.crt`"
            ),
        ),
        CertificateError::Expired => ("its certificate has expired".to_owned(), renew()),
        CertificateError::ExpiredContext { not_after, .. } => (
            format!("its certificate has expired at {}", date(*not_after)),
            renew(),
        ),
        CertificateError::NotValidYet => ("its certificate does not hold yet".to_owned(), renew()),
        CertificateError::NotValidYetContext { not_before, .. } => (
            format!("its certificate does not hold before {}", date(*not_before)),
            renew(),
        ),
        CertificateError::NotValidForName => {
            (format!("its certificate is not for `{host}`"), other_name())
        }
        CertificateError::NotValidForNameContext { presented, .. } => (
            format!(
                "its certificate is not for `{host}`, but for {}",
                presented.join(", ")
            ),
            other_name(),
        ),
        why => (
            format!(
                "its certificate is refused: {}",
                rustls::Error::InvalidCertificate(why.clone())
            ),
            "see the registry's certificate".to_owned(),
        ),
    }
}

fn renew() -> String {
    "renew the registry's certificate, or set this machine's clock".to_owned()
}

fn other_name() -> String {
    "use the name that the certificate is for".to_owned()
}

fn date(time: UnixTime) -> String {
    rfc3339(time.as_secs())
}

fn alerted(alert: AlertDescription, tried: &Tried<'_>) -> Trouble {
    use AlertDescription as Alert;
    let trouble = |reason: &str| refused(tried, &format!("{reason} (TLS alert {alert:?})"));
    match alert {
        Alert::CertificateRequired
        | Alert::BadCertificate
        | Alert::HandshakeFailure
        | Alert::UnknownCA
        | Alert::AccessDenied => {
            let host = authority(tried.url);
            let trouble = trouble(
                "it asks for a client certificate that we do not have, or does not accept ours",
            );
            let hint = format!(
                "set `registries: {{\"{host}\": {{certificate: FILE.pem, key: FILE.pem}}}}` in `.builder.yaml`"
            );
            Trouble {
                error: trouble.error.hint(hint),
                ..trouble
            }
        }
        Alert::ProtocolVersion => trouble("it speaks neither TLS 1.2 nor TLS 1.3"),
        Alert::InternalError | Alert::CloseNotify | Alert::UserCanceled => {
            tried.trouble(Kind::Passing, &format!("TLS alert {alert:?}"))
        }
        _ => trouble("it refuses our handshake"),
    }
}
