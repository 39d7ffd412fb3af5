//! Where a token may be asked for: the realm of a challenge is chosen by whoever answered, so it is not trusted.
//!
//! A realm on another public host is right for many registries. What is refused: credentials in it, http where the registry was spoken
//! to in https, and addresses inside this machine or a cloud's metadata service, unless the registry itself is there or both are on this machine
//! (CVE-2026-48978, CVE-2026-24845, CVE-2026-33540). Nothing is asked for here.

use reqwest::Url;

use crate::registry::error::{Cause, Error};
use crate::registry::inward::may_lead;

/// The realm as a URL, resolved against where the registry was spoken to.
pub(super) fn checked(realm: &str, registry: &Url) -> Result<Url, Error> {
    let url = registry
        .join(realm)
        .map_err(|_| refused(registry, "it is no URL"))?;
    match objection(&url, registry) {
        Some(why) => Err(refused(registry, why).because(format!("it names {}", shown(&url)))),
        None => Ok(url),
    }
}

fn objection(url: &Url, registry: &Url) -> Option<&'static str> {
    if !url.username().is_empty() || url.password().is_some() {
        return Some("it holds a user name or a password");
    }
    match url.scheme() {
        "https" => (),
        "http" if registry.scheme() == "http" => (),
        "http" => return Some("it would be asked without encryption"),
        _ => return Some("it is neither http nor https"),
    }
    let leads = may_lead(
        registry.host_str().unwrap_or_default(),
        url.host_str().unwrap_or_default(),
    );
    (!leads).then_some("it lies inside this machine or its network's own services")
}

/// Without what could be a secret.
fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("`{}://{host}`", url.scheme())
}

fn refused(registry: &Url, why: &str) -> Error {
    let host = registry.host_str().unwrap_or_default();
    Error::new(
        Cause::Unauthorized,
        format!("`{host}` names a place for tokens that is refused"),
    )
    .because(why)
    .because("nothing was sent there")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::inward::is_inward;

    fn ask(realm: &str, registry: &str) -> Result<String, String> {
        let registry = Url::parse(registry).expect("a URL");
        let checked = checked(realm, &registry);
        checked.map(|url| url.to_string()).map_err(|error| {
            assert_eq!(error.cause, Cause::Unauthorized, "exit code 6");
            let reasons = error.fault().reasons().join(", ");
            assert!(
                !format!("{error} {reasons}").contains("geheim"),
                "{reasons}"
            );
            reasons
        })
    }

    #[test]
    fn a08_a_realm_on_another_public_host_is_right() {
        for realm in [
            "https://auth.docker.io/token",
            "https://gitlab.example/jwt/auth?x=1",
            "https://10.1.2.3/token",
            "https://auth.example:8443/",
        ] {
            assert_eq!(ask(realm, "https://r.example/").as_deref(), Ok(realm));
        }
    }

    #[test]
    fn a09_a_realm_without_encryption_is_right_only_for_a_registry_without() {
        let realm = "http://auth.example/token";
        assert!(
            ask(realm, "https://r.example/")
                .expect_err("refused")
                .contains("encryption")
        );
        assert!(ask(realm, "http://r.example/").is_ok());
        let loopback = ask("http://127.0.0.1:5001/token", "https://127.0.0.1:5000/");
        assert!(loopback.expect_err("refused").contains("encryption"));
    }

    #[test]
    fn a10_a_realm_inside_this_machine_or_a_cloud_is_refused() {
        for realm in [
            "https://169.254.169.254/latest",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:a9fe:a9fe]/",
            "https://[::127.0.0.1]/",
            "https://[64:ff9b::169.254.169.254]/",
            "https://[fe80::1]/",
            "https://[::]/",
            "https://[fd00:ec2::254]/",
            "https://0.0.0.0/",
            "https://0.1.2.3/",
            "https://100.100.100.200/",
            "https://localhost/token",
            "https://LOCALHOST./token",
            "https://a.localhost/token",
            "https://metadata.google.internal/",
            "https://u:geheim@r.example/",
            "https://geheim@r.example/",
            "file:///etc/passwd",
            "ftp://r.example/",
            "data:text/plain,geheim",
            "https://",
            "http://[",
        ] {
            assert!(ask(realm, "https://r.example/").is_err(), "{realm}");
        }
    }

    #[test]
    fn a10_a_relative_realm_is_resolved_against_the_registry() {
        let resolved = ask("token?x=1", "https://r.example/");
        assert_eq!(resolved.as_deref(), Ok("https://r.example/token?x=1"));
        let resolved = ask("/auth", "http://127.0.0.1:5000/");
        assert_eq!(resolved.as_deref(), Ok("http://127.0.0.1:5000/auth"));
    }

    #[test]
    fn a12_a_registry_on_loopback_may_have_its_tokens_from_there() {
        assert!(ask("http://127.0.0.1:5001/token", "http://127.0.0.1:5000/").is_ok());
        assert!(ask("http://localhost:5001/token", "http://[::1]:5000/").is_ok());
        assert!(ask("https://169.254.1.1/token", "https://169.254.1.1:5000/").is_ok());
        assert!(ask("http://169.254.169.254/token", "http://127.0.0.1:5000/").is_err());
    }

    #[test]
    fn h23_no_realm_makes_the_check_panic() {
        const PIECES: [&str; 16] = [
            "https:",
            "http:",
            "//",
            "/",
            "@",
            ":",
            "[",
            "]",
            "127.0.0.1",
            "::1",
            "r.example",
            "%",
            "?",
            "#",
            "\\",
            "\u{0}",
        ];
        let mut state = 3_u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(state >> 33).expect("31 bits")
        };
        for _ in 0..20_000 {
            let count = next() % 10;
            let realm: String = (0..count).map(|_| PIECES[next() % PIECES.len()]).collect();
            if let Ok(url) = ask(&realm, "https://r.example/") {
                let url = Url::parse(&url).expect("a URL");
                assert_eq!((url.scheme(), url.username()), ("https", ""), "{realm}");
                assert!(!is_inward(url.host_str().expect("a host")), "{realm}");
            }
        }
    }
}
