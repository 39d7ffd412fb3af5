//! Certificates: whose are trusted, where they are found, and what is said of those that are not.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::registry::error::Cause;
use crate::registry::settings::HostSettings;
use crate::testing::test_registry::{Authority, Options, Tls};

/// Settings that trust `authority` for `host`, and where its file lies.
pub(super) fn settings(host: &str, authority: &Authority) -> (Settings, TempDir) {
    let home = tempfile::tempdir().expect("a directory");
    let ca = home.path().join("ca.pem");
    fs::write(&ca, authority.pem()).expect("written");
    let own = HostSettings {
        ca: Some(ca),
        ..HostSettings::default()
    };
    let settings = Settings {
        hosts: [(host.to_owned(), own)].into(),
        home: Some(home.path().to_owned()),
        ..Settings::default()
    };
    (settings, home)
}

pub(super) fn trusting(host: &str, authority: &Authority) -> (Desk, TempDir) {
    let (settings, home) = settings(host, authority);
    (Desk::with(&settings), home)
}

fn serving(tls: Tls) -> TestRegistry {
    TestRegistry::with(Options {
        tls: Some(tls),
        ..Options::default()
    })
}

/// What is said about a registry with that certificate, whose authority is trusted.
async fn refused(authority: &Authority, tls: Tls) -> String {
    let registry = serving(tls);
    let (desk, _home) = trusting(&registry.host(), authority);
    let error = desk
        .get(&registry.host(), "/v2/")
        .await
        .expect_err("refused");
    assert_eq!(error.cause, Cause::Unreachable);
    assert!(registry.requests().is_empty());
    let told = told(&error);
    assert!(told.contains(&format!("`{}`", registry.host())), "{told}");
    told
}

#[tokio::test]
async fn r34_an_unknown_authority_is_named_with_the_way_to_trust_it() {
    let told = refused(&Authority::new(), Authority::new().for_loopback()).await;
    assert!(told.contains("issued by `CN=test authority "), "{told}");
    assert!(
        told.contains("authority that is not trusted here"),
        "{told}"
    );
    assert!(
        told.contains("ca: FILE.pem") && told.contains("/etc/docker/certs.d/127.0.0.1:"),
        "{told}"
    );
}

#[tokio::test]
async fn r34_an_expired_certificate_and_one_for_another_name_are_told_apart() {
    let authority = Authority::new();
    let expired = refused(&authority, authority.expired()).await;
    assert!(
        expired.contains("has expired at 2001-12-31T00:00:00Z"),
        "{expired}"
    );
    let stranger = refused(&authority, authority.for_names(&["r.example"])).await;
    assert!(
        stranger.contains("not for `127.0.0.1:") && stranger.contains("r.example"),
        "{stranger}"
    );
}

#[tokio::test]
async fn r34_a_registry_that_asks_for_a_client_certificate_gets_it_or_is_told_of() {
    let authority = Authority::new();
    let tls = Tls {
        client_authority: Some(authority.pem()),
        ..authority.for_loopback()
    };
    let without = refused(&authority, tls.clone()).await;
    assert!(
        without.contains("client certificate") && without.contains("key: FILE.pem"),
        "{without}"
    );

    let registry = serving(tls);
    let (mut settings, home) = settings(&registry.host(), &authority);
    let ours = authority.for_names(&[]);
    let own = settings.hosts.get_mut(&registry.host()).expect("set");
    own.certificate = Some(home.path().join("me.pem"));
    own.key = Some(home.path().join("me.key"));
    fs::write(home.path().join("me.pem"), ours.certificate).expect("written");
    fs::write(home.path().join("me.key"), ours.key).expect("written");
    assert_eq!(
        Desk::with(&settings)
            .get(&registry.host(), "/v2/")
            .await
            .expect("an answer"),
        200
    );
}

#[tokio::test]
async fn r34_certs_d_and_ssl_cert_file_and_dir_are_read() {
    let authority = Authority::new();
    let registry = TestRegistry::https(&authority);
    let home = tempfile::tempdir().expect("a directory");
    let docker = home.path().join(".docker/certs.d").join(registry.host());
    fs::create_dir_all(&docker).expect("made");
    fs::write(docker.join("ca.crt"), authority.pem()).expect("written");
    let by_directory = Settings {
        home: Some(home.path().to_owned()),
        ..Settings::default()
    };
    let variable = |name: &str, value: &std::path::Path| Settings {
        environment: [(name.into(), value.into())].into(),
        ..Settings::default()
    };
    let directory = home.path().join("authorities");
    let file = directory.join("ca.pem");
    fs::create_dir(&directory).expect("made");
    fs::write(&file, authority.pem()).expect("written");
    for settings in [
        by_directory,
        variable("SSL_CERT_FILE", &file),
        variable("SSL_CERT_DIR", &directory),
    ] {
        assert_eq!(
            Desk::with(&settings)
                .get(&registry.host(), "/v2/")
                .await
                .expect("trusted"),
            200
        );
    }
    assert!(Desk::new().get(&registry.host(), "/v2/").await.is_err());
}

/// A registry whose certificate is its own authority, good until the end of that year, and settings that name it.
fn self_signed(until: i32) -> (TestRegistry, Settings, TempDir) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("names");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 12, 31);
    let own = params.self_signed(&key).expect("a certificate").pem();
    let registry = serving(Tls {
        certificate: own.clone(),
        key: key.serialize_pem(),
        client_authority: None,
    });
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("own.pem");
    fs::write(&file, own).expect("written");
    let settings = Settings {
        environment: [("SSL_CERT_FILE".into(), file.into())].into(),
        ..Settings::default()
    };
    (registry, settings, home)
}

#[tokio::test]
async fn r34_a_servers_own_certificate_can_be_named_as_openssl_and_docker_allow() {
    let (registry, settings, _home) = self_signed(2099);
    let named = registry.host().replace("127.0.0.1", "localhost");
    assert_eq!(
        Desk::with(&settings)
            .get(&named, "/v2/")
            .await
            .expect("trusted"),
        200
    );
    let error = Desk::with(&settings)
        .get(&registry.host(), "/v2/")
        .await
        .expect_err("another name");
    assert!(
        told(&error).contains("certificate is not for `127.0.0.1:"),
        "{}",
        told(&error)
    );
}

#[tokio::test]
async fn r34_a_servers_own_certificate_expires_like_any_other() {
    let (registry, settings, _home) = self_signed(2002);
    let named = registry.host().replace("127.0.0.1", "localhost");
    let error = Desk::with(&settings)
        .get(&named, "/v2/")
        .await
        .expect_err("expired");
    assert!(
        told(&error).contains("certificate has expired"),
        "{}",
        told(&error)
    );
}

#[tokio::test]
async fn r34_tls_1_1_is_not_spoken() {
    let mut hello = vec![0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0xc0, 0x13, 0]);
    let alert: &[u8] = &[0x15, 3, 1, 0, 2, 2, 70];
    for said in [&hello[..], alert] {
        let parrot = Parrot::saying(&[said]).await;
        let (desk, _home) = trusting(&parrot.host, &Authority::new());
        let error = desk.get(&parrot.host, "/v2/").await.expect_err("too old");
        assert_eq!(error.cause, Cause::Unreachable);
        assert!(told(&error).contains("TLS 1.2"), "{}", told(&error));
        assert_eq!(parrot.heard().len(), 1, "not tried again");
    }
}

#[tokio::test]
async fn certificates_that_cannot_be_read_are_told_with_their_path() {
    let home = tempfile::tempdir().expect("a directory");
    let empty = home.path().join("empty.pem");
    fs::write(&empty, "nothing").expect("written");
    for (ca, certificate) in [
        (Some("/nowhere/ca.pem".into()), None),
        (Some(empty.clone()), None),
        (None, Some(empty.clone())),
    ] {
        let mut settings = Settings::default();
        let own = HostSettings {
            ca: ca.clone(),
            certificate: certificate.clone(),
            ..HostSettings::default()
        };
        settings.hosts.insert("127.0.0.1:1".to_owned(), own);
        let error = Desk::with(&settings)
            .get("127.0.0.1:1", "/v2/")
            .await
            .expect_err("unreadable");
        assert_eq!(error.cause, Cause::Settings);
        let path = ca.or(certificate).expect("one");
        assert!(
            told(&error).contains(&format!("`{}`", path.display())),
            "{}",
            told(&error)
        );
    }
    let environment = [("SSL_CERT_FILE".into(), empty.clone().into())];
    let settings = Settings {
        environment: environment.into(),
        ..Settings::default()
    };
    let registry = TestRegistry::https(&Authority::new());
    let error = Desk::with(&settings)
        .get(&registry.host(), "/v2/")
        .await
        .expect_err("no authority");
    assert!(told(&error).contains("SSL_CERT_FILE"), "{}", told(&error));
}
