//! Where an answer may send us: redirects, and the `Location` of an upload.

use reqwest::Url;

use crate::registry::error::{Cause, Error};
use crate::registry::inward::may_lead;
use crate::registry::origin::shown;
use crate::registry::transport::limits::LOCATION;

/// The target of a redirect that `from` answered, if it may be followed.
pub(super) fn redirect(from: &Url, location: &str) -> Result<Url, Error> {
    let target = resolve(from, location)?;
    if is_downgrade(from, &target) {
        return Err(refused(from, &target, "which would go on without TLS"));
    }
    outward(from, target)
}

/// The `Location` of an upload, and whether its `http` was made `https`: registries behind a proxy often do not know
/// that they are spoken to with TLS.
pub(super) fn upload(from: &Url, location: &str) -> Result<(Url, bool), Error> {
    let target = resolve(from, location)?;
    match is_downgrade(from, &target) {
        false => Ok((outward(from, target)?, false)),
        true if target.host() == from.host() => Ok((upgraded(from, target), true)),
        true => Err(refused(from, &target, "which would go on without TLS")
            .hint("the registry has to be told by its proxy that it is reached by https (`X-Forwarded-Proto`)")),
    }
}

/// RFC 3986 against the URL that answered; the query stays as it is written.
fn resolve(from: &Url, location: &str) -> Result<Url, Error> {
    if location.len() > LOCATION {
        let problem = format!(
            "`{}` answers with a `Location` of {} bytes",
            shown(from),
            location.len()
        );
        return Err(Error::new(Cause::Protocol, problem)
            .because(format!("more than {LOCATION} are not read")));
    }
    let mut target = from.join(location).map_err(|error| {
        let problem = format!("`{}` answers with a `Location` that is no URL", shown(from));
        Error::new(Cause::Protocol, problem).because(error.to_string())
    })?;
    target.set_fragment(None);
    checked(from, target)
}

fn checked(from: &Url, target: Url) -> Result<Url, Error> {
    if !["http", "https"].contains(&target.scheme()) || target.host().is_none() {
        return Err(refused(from, &target, "which is neither http nor https"));
    }
    if !target.username().is_empty() || target.password().is_some() {
        return Err(refused(from, &target, "with a user name in it"));
    }
    Ok(target)
}

fn is_downgrade(from: &Url, target: &Url) -> bool {
    from.scheme() == "https" && target.scheme() == "http"
}

/// With the port of `from` where the registry named none: it means itself.
fn upgraded(from: &Url, mut target: Url) -> Url {
    let port = target.port().or(from.port());
    // Neither can fail: both are http URLs with a host.
    let _ = target.set_scheme("https");
    let _ = target.set_port(port);
    target
}

/// Nobody outside sends us to this machine, its link or a cloud's metadata; what runs here may send us elsewhere on it.
fn outward(from: &Url, target: Url) -> Result<Url, Error> {
    if !may_lead(host(from), host(&target)) {
        return Err(refused(
            from,
            &target,
            "which leads into this machine or its network",
        ));
    }
    Ok(target)
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

fn refused(from: &Url, target: &Url, why: &str) -> Error {
    let problem = format!("`{}` sends us to `{}`, {why}", shown(from), shown(target));
    Error::new(Cause::Protocol, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    fn followed(from: &str, to: &str) -> Option<String> {
        redirect(&url(from), to).ok().map(|url| url.to_string())
    }

    fn uploaded(from: &str, to: &str) -> Option<(String, bool)> {
        let (url, is_upgraded) = upload(&url(from), to).ok()?;
        Some((url.to_string(), is_upgraded))
    }

    #[test]
    fn r09_a_location_is_resolved_and_its_query_kept_byte_for_byte() {
        let from = "https://r.example/v2/a/blobs/uploads/";
        for (location, expected) in [
            ("/x", "https://r.example/x"),
            ("x", "https://r.example/v2/a/blobs/uploads/x"),
            ("x/y", "https://r.example/v2/a/blobs/uploads/x/y"),
            ("?q=1", "https://r.example/v2/a/blobs/uploads/?q=1"),
            (
                "/u?_state=a%2Bb&x=%20&=&&z=a+b%zz",
                "https://r.example/u?_state=a%2Bb&x=%20&=&&z=a+b%zz",
            ),
            ("https://r.example:443/u?a", "https://r.example/u?a"),
            ("https://R.example/u#f", "https://r.example/u"),
            ("//other.example/u", "https://other.example/u"),
            (
                "https://other.example:8443/u",
                "https://other.example:8443/u",
            ),
        ] {
            assert_eq!(
                uploaded(from, location),
                Some((expected.to_owned(), false)),
                "{location}"
            );
        }
    }

    #[test]
    fn r10_a_location_that_cannot_be_used_is_an_error() {
        let from = "https://r.example/v2/";
        let long = format!("/{}", "a".repeat(9 * 1024));
        for location in [
            "javascript:alert(1)",
            "https://",
            "https://a:b:c/",
            "file:///etc/passwd",
            "https://u:p@r.example/",
            &long,
        ] {
            let error = upload(&url(from), location).expect_err(location);
            assert_eq!(error.cause, Cause::Protocol);
            assert!(!error.to_string().contains("u:p"), "{error}");
        }
        assert_eq!(uploaded(from, "http://other.example/u"), None);
        assert_eq!(uploaded(from, "https://169.254.169.254/u"), None);
    }

    #[test]
    fn r11_http_on_the_same_host_is_made_https() {
        for (from, location, expected) in [
            (
                "https://r.example/",
                "http://r.example/u?a=%20",
                "https://r.example/u?a=%20",
            ),
            (
                "https://r.example/",
                "http://r.example:80/u",
                "https://r.example/u",
            ),
            (
                "https://r.example:8443/",
                "http://r.example/u",
                "https://r.example:8443/u",
            ),
            (
                "https://r.example:8443/",
                "http://r.example:8443/u",
                "https://r.example:8443/u",
            ),
        ] {
            assert_eq!(
                uploaded(from, location),
                Some((expected.to_owned(), true)),
                "{location}"
            );
        }
        let plain = ("http://127.0.0.1:5000/u".to_owned(), false);
        assert_eq!(
            uploaded("http://127.0.0.1:5000/", "http://127.0.0.1:5000/u"),
            Some(plain)
        );
    }

    #[test]
    fn r13_redirects_lead_neither_inward_nor_out_of_tls() {
        let public = "https://r.example/v2/a";
        for inward in [
            "http://r.example/",
            "http://cdn.example/",
            "https://169.254.169.254/latest",
            "https://[::ffff:169.254.169.254]/",
            "https://[fe80::1]/",
            "https://127.0.0.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://localhost:5000/",
            "https://0/",
            "https://[::]/",
        ] {
            assert_eq!(followed(public, inward), None, "{inward}");
        }
        assert_eq!(
            followed(public, "https://cdn.example/b"),
            Some("https://cdn.example/b".to_owned())
        );
        assert_eq!(followed("http://r.example/", "http://127.0.0.1/"), None);
    }

    #[test]
    fn r13_what_runs_here_may_send_us_elsewhere_on_this_machine_but_not_to_metadata() {
        let here = "http://127.0.0.1:5000/";
        for fine in [
            "http://127.0.0.2:81/",
            "http://[::1]/",
            "https://cdn.example/",
            "http://cdn.example/",
        ] {
            assert!(followed(here, fine).is_some(), "{fine}");
        }
        assert_eq!(followed(here, "http://169.254.169.254/"), None);
        assert_eq!(followed(here, "http://0.0.0.0:5000/"), None);
        assert!(followed("http://169.254.1.1/", "http://169.254.1.1/x").is_some());
    }

    #[test]
    fn h23_no_location_makes_the_check_panic_or_leads_out_of_tls_or_inward() {
        let pieces = [
            "https:",
            "http:",
            "//",
            "/",
            "\\",
            "?",
            "#",
            "@",
            ":",
            "r.example",
            "evil.example",
            "127.0.0.1",
            "[::1]",
            "localhost",
            "169.254.169.254",
            "0x7f.1",
            "%2f",
            "..",
            "\u{ff0f}",
            "\t",
            "a=b",
            "_",
        ];
        let (mut dice, mut fine) = (crate::testing::Dice::new(11), 0);
        for _ in 0..10_000 {
            let text = dice.text(&pieces, 8);
            let from = url("https://r.example/v2/a/blobs/uploads/?x");
            let followed = redirect(&from, &text).ok();
            let used = upload(&from, &text).ok().map(|(url, _)| url);
            for target in followed.into_iter().chain(used) {
                fine += 1;
                assert_eq!(
                    (target.scheme(), target.username()),
                    ("https", ""),
                    "{text}"
                );
                assert!(!crate::registry::inward::is_inward(host(&target)), "{text}");
            }
        }
        assert!(fine > 2_000, "{fine}");
    }
}
