//! Image names: parsing, Docker Hub's short forms, and the name that a built image gets.
//!
//! The grammar is that of distribution (reference.go), read by hand: a regular expression for it costs 30 ms to compile, in every run.
//! Never repeat more of a bad name than its host: it may hold a secret.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use crate::digest::Digest;

/// The longest name that is looked at, in bytes.
const LONGEST: usize = 512;

/// The longest repository, in bytes (distribution, `RepositoryNameTotalLengthMax`).
const LONGEST_REPOSITORY: usize = 255;

/// A fully written image name: registry, repository, and a tag, a digest, or both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Reference {
    /// As [`registry`] spells it: `docker.io` for Docker Hub, else host and port in lower case.
    pub(crate) registry: String,
    /// `library/` is added to one-part names of Docker Hub.
    pub(crate) repository: String,
    pub(crate) tag: Option<String>,
    pub(crate) digest: Option<Digest>,
}

impl Reference {
    /// `registry/repository` without tag or digest.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The names under which a tag may be recorded in a layout: ours, and crane's `index.docker.io/…` for Docker Hub.
    /// Empty for a name without a tag.
    pub(crate) fn recorded_names(&self) -> Vec<String> {
        let Some(tag) = &self.tag else {
            return Vec::new();
        };
        let full = |registry: &str| format!("{registry}/{}:{tag}", self.repository);
        match self.registry.as_str() {
            "docker.io" => vec![full("docker.io"), full("index.docker.io")],
            other => vec![full(other)],
        }
    }
}

/// `registry/repository[:tag][@digest]`.
impl fmt::Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.registry, self.repository)?;
        self.tag
            .as_ref()
            .map_or(Ok(()), |tag| write!(out, ":{tag}"))?;
        self.digest
            .map_or(Ok(()), |digest| write!(out, "@{digest}"))
    }
}

/// Why a text is not an image name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not an image name: {why}")]
pub(crate) struct BadReference {
    name: String,
    why: String,
}

impl FromStr for Reference {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<Reference, BadReference> {
        let bad = |why: String| BadReference {
            name: shown(text),
            why,
        };
        if let Some(why) = refused_shape(text) {
            return Err(bad(why.to_owned()));
        }
        let (named, digest) = match text.split_once('@') {
            Some((named, digest)) => (named, Some(digest.parse::<Digest>())),
            None => (text, None),
        };
        let digest = digest.transpose().map_err(|error| bad(error.to_string()))?;
        let (name, tag) = split_tag(named);
        let (host, rest) = split_registry(name);
        let registry = registry(host).ok_or_else(|| bad(NO_REGISTRY.to_owned()))?;
        let repository = full_repository(&registry, rest);
        if let Some(why) = refused_part(&repository, tag) {
            return Err(bad(why.to_owned()));
        }
        let latest = digest.is_none().then_some("latest");
        Ok(Reference {
            registry,
            repository,
            tag: tag.or(latest).map(str::to_owned),
            digest,
        })
    }
}

const NO_REGISTRY: &str =
    "its registry is not a host of letters, digits, `-` and `.`, nor an IPv6 address in brackets";

/// `host[:port]` in the one spelling that credentials and settings are looked up by: lower case, IPv6 in brackets, `docker.io` for
/// Docker Hub. `None` for what is no registry.
pub(crate) fn registry(text: &str) -> Option<String> {
    let (host, port) = match split_port(text) {
        (host, Some(port)) if is_port(port) => (host, format!(":{port}")),
        (_, Some(_)) => return None,
        (host, None) => (host, String::new()),
    };
    let host = match host.strip_prefix('[') {
        Some(rest) => format!("[{}]", rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?),
        None => host.to_ascii_lowercase(),
    };
    let sound = host.starts_with('[') || host.split('.').all(is_label);
    sound.then(|| hub_alias(&format!("{host}{port}")).to_owned())
}

/// The last colon begins a port, unless it lies within an address in brackets.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (host, None),
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// What no part could show: a password, a port that is none, far too much.
fn refused_shape(text: &str) -> Option<&'static str> {
    let host = text.split('/').next().unwrap_or_default();
    let port = split_port(host).1.filter(|_| text.contains('/'));
    if text.is_empty() || text.len() > LONGEST {
        return Some("it is empty or longer than 512 characters");
    }
    if text.matches('@').count() > 1
        || (host.contains('@') && text.contains('/') && !host.contains("@sha256:"))
    {
        return Some("it holds a user or password, or more than one `@`");
    }
    if port.is_some_and(|port| !is_port(port)) {
        return Some("its port is not a number up to 65535");
    }
    None
}

/// A colon in the last path part begins a tag; one before it begins a port.
fn split_tag(named: &str) -> (&str, Option<&str>) {
    match named.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (named, None),
    }
}

/// The first part is a registry if it looks like a host; else the name is one of Docker Hub.
fn split_registry(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((first, rest)) if is_host(first) => (first, rest),
        _ => ("docker.io", name),
    }
}

/// Whether the first part of a name is a registry.
pub(crate) fn is_host(part: &str) -> bool {
    part.contains(['.', ':']) || part.eq_ignore_ascii_case("localhost")
}

/// Whether a name is nothing but a registry, so that it would be taken for a repository of Docker Hub and its port for a tag.
pub(crate) fn is_registry_alone(name: &str) -> bool {
    let (host, port) = split_port(name);
    !name.contains('/') && (is_host(host) || port.is_some_and(is_port))
}

fn full_repository(registry: &str, repository: &str) -> String {
    match registry {
        "docker.io" if !repository.contains('/') => format!("library/{repository}"),
        _ => repository.to_owned(),
    }
}

fn refused_part(repository: &str, tag: Option<&str>) -> Option<&'static str> {
    if repository.len() > LONGEST_REPOSITORY {
        return Some("its repository is longer than 255 characters");
    }
    if !repository.split('/').all(is_path_part) {
        return Some(
            "its repository is not lower-case letters and digits, with `.`, `_`, `__` or `-` between them and `/` between its parts",
        );
    }
    let refused = tag.is_some_and(|tag| !is_tag(tag));
    refused.then_some(
        "its tag is not 1 to 128 letters, digits, `_`, `.` and `-`, beginning with none of the last two",
    )
}

/// One part of a host: letters, digits, and `-` inside.
fn is_label(label: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !label.is_empty()
        && label.chars().all(plain)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// One part of a repository: runs of `a-z0-9`, and between two of them `.`, `_`, `__` or any number of `-`.
pub(crate) fn is_path_part(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_separator =
        |text: &str| ["", ".", "_", "__"].contains(&text) || text.bytes().all(|byte| byte == b'-');
    part.starts_with(plain) && part.ends_with(plain) && part.split(plain).all(is_separator)
}

/// OCI distribution-spec, "Pulling manifests": `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
pub(crate) fn is_tag(tag: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (1..=128).contains(&tag.len())
        && tag.starts_with(plain)
        && tag.chars().all(|c| plain(c) || c == '.' || c == '-')
}

fn hub_alias(registry: &str) -> &str {
    match registry {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        other => other,
    }
}

/// What an error may repeat of a bad name: nothing before an `@`, and not much.
fn shown(text: &str) -> String {
    let safe = text.rsplit('@').next().unwrap_or_default();
    let cut: String = safe.chars().take(60).collect();
    if cut.len() == text.len() {
        cut
    } else {
        format!("…{cut}")
    }
}

/// What follows `oci:`: the directory, and `@sha256:…`, `:NAME` or nothing. A digest is split off first, else the first colon ends
/// the directory, as in skopeo's `oci:`; a name may hold colons, a directory none. `None` for what is neither.
pub(crate) fn split_layout(text: &str) -> Option<(&str, &str)> {
    let at = text.find("@sha256:").or_else(|| text.find(':'));
    let (directory, pick) = text.split_at(at.unwrap_or(text.len()));
    let odd = directory.contains(':')
        || directory.ends_with("@sha512") // the colon belongs to a digest that we do not know
        || text.contains(char::is_control);
    (!odd && !directory.is_empty() && pick != ":").then_some((directory, pick))
}

/// What is and what is no layout: both rooms that read bases hold themselves to this.
#[cfg(test)]
pub(crate) mod layouts {
    pub(crate) const DIGEST: &str =
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// As typed after `oci:` (`D` is the digest), the directory, and the pick.
    pub(crate) const GOOD: [(&str, &str, &str); 9] = [
        ("lay", "lay", ""),
        ("../lay", "../lay", ""),
        ("/a/lay", "/a/lay", ""),
        ("lay:latest", "lay", ":latest"),
        ("lay:r.example:5000/a:v1", "lay", ":r.example:5000/a:v1"),
        ("a@b/lay", "a@b/lay", ""),
        ("a@b/lay:x@y", "a@b/lay", ":x@y"),
        ("lay@D", "lay", "@D"),
        ("a@b@D", "a@b", "@D"),
    ];

    pub(crate) const BAD: [&str; 9] = [
        "",
        ":latest",
        "lay:",
        "la\ny",
        "@D",
        "lay:name@D",
        "lay@sha256:short",
        "lay@sha256:../../x",
        "lay@sha512:00",
    ];

    pub(crate) fn typed(text: &str) -> String {
        format!("oci:{}", text.replace('D', DIGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn reference(text: &str) -> Reference {
        text.parse().expect(text)
    }

    #[test]
    fn short_names_of_docker_hub_are_written_out() {
        for (typed, full) in [
            ("debian", "docker.io/library/debian:latest"),
            ("debian:13-slim", "docker.io/library/debian:13-slim"),
            (
                "index.docker.io/library/debian:13",
                "docker.io/library/debian:13",
            ),
            ("team/app:v1", "docker.io/team/app:v1"),
            ("localhost:5000/app", "localhost:5000/app:latest"),
            ("registry.example/a/b/c:v1", "registry.example/a/b/c:v1"),
        ] {
            assert_eq!(reference(typed).to_string(), full, "{typed}");
        }
    }

    #[test]
    fn a_tag_and_a_digest_may_stand_together() {
        let digest = Digest::of(b"x");
        let both = reference(&format!("localhost:5000/app:v1@{digest}"));
        assert_eq!(both.tag.as_deref(), Some("v1"));
        assert_eq!(both.digest, Some(digest));
        let pinned = reference(&format!("localhost:5000/app@{digest}"));
        assert_eq!(pinned.tag, None);
        assert!(pinned.recorded_names().is_empty());
    }

    #[test]
    fn a_tag_is_looked_up_under_our_name_and_under_cranes() {
        assert_eq!(
            reference("debian:13").recorded_names(),
            [
                "docker.io/library/debian:13",
                "index.docker.io/library/debian:13"
            ]
        );
        assert_eq!(
            reference("r.example/a:1").recorded_names(),
            ["r.example/a:1"]
        );
    }

    #[test]
    fn h21_what_is_no_name_is_refused_and_no_secret_is_repeated() {
        let digest = Digest::of(b"x");
        let upper = format!("app@{}", digest.to_string().to_uppercase());
        let twice = format!("app@{digest}@{digest}");
        let long = "a".repeat(10_000);
        for bad in [
            "",
            "App",
            "a b",
            "host:99999/x",
            "user:pw@host/x",
            "app@sha512:00",
            "ünïcode/x",
            &upper,
            &twice,
            &long,
        ] {
            let error = bad.parse::<Reference>().expect_err(bad).to_string();
            assert!(!error.contains("pw") && error.len() < 400, "{error}");
        }
    }

    /// What the parser of oci-spec says of `text`, as a [`Reference`].
    fn judged(text: &str) -> Option<Reference> {
        let parsed = oci_spec::distribution::Reference::try_from(text).ok()?;
        let digest = parsed.digest().map(str::parse);
        Some(Reference {
            registry: parsed.registry().to_owned(),
            repository: parsed.repository().to_owned(),
            tag: parsed.tag().map(str::to_owned),
            digest: digest.transpose().ok()?,
        })
    }

    /// Every name of up to five pieces.
    fn names() -> Vec<String> {
        let pinned = format!("@{}", Digest::of(b"x"));
        let pieces = ["a", "0", "localhost", "B", ".", "_", "-", ":", "/", &pinned];
        let mut names = vec![String::new()];
        let mut begin = 0;
        for _ in 0..5 {
            let end = names.len();
            for at in begin..end {
                let longer = pieces.map(|piece| format!("{}{piece}", names[at]));
                names.extend(longer);
            }
            begin = end;
        }
        names
    }

    #[test]
    fn h21_names_mean_what_oci_spec_takes_them_for() {
        let mut agreed = 0;
        for name in names() {
            let ours = name.parse::<Reference>().ok();
            // It lets the first part of a name of Docker Hub have capitals; distribution and crane do not. It keeps those of a host.
            let judged = judged(&name)
                .filter(|judged| judged.repository == judged.repository.to_lowercase())
                .map(|judged| Reference {
                    registry: judged.registry.to_lowercase(),
                    ..judged
                });
            assert_eq!(ours, judged, "{name}");
            agreed += usize::from(ours.is_some());
        }
        assert!(agreed > 1_000, "{agreed} names");
    }

    #[test]
    fn r33_a_registry_has_one_spelling_and_an_address_stands_in_brackets() {
        for (typed, full) in [
            ("[::1]:5000/x", "[::1]:5000/x:latest"),
            ("[::1]/x:v1", "[::1]/x:v1"),
            ("[0:0::1]:5000/a/b", "[::1]:5000/a/b:latest"),
            ("[2001:DB8::A]/x", "[2001:db8::a]/x:latest"),
            ("R.Example:5000/team/x", "r.example:5000/team/x:latest"),
            ("REGISTRY.example/x", "registry.example/x:latest"),
            ("LocalHost/x", "localhost/x:latest"),
            ("Index.Docker.io/debian", "docker.io/library/debian:latest"),
            ("127.0.0.1:5000/x", "127.0.0.1:5000/x:latest"),
        ] {
            assert_eq!(reference(typed).to_string(), full, "{typed}");
            assert_eq!(reference(full).to_string(), full, "{typed}");
        }
        for bad in [
            "::1/x",
            "[::1/x",
            "::1]/x",
            "[]/x",
            "[::1]x/x",
            "[::1]:/x",
            "[::1]:5000",
            "[::1%25eth0]/x",
            "[127.0.0.1]/x",
            "[::g]/x",
            ":5000/x",
            "host.example:/x",
            "host.example:+5/x",
            "host.example/",
            "host.example/x/",
            "host.example//x",
            "localhost:5000/",
            "https://host.example/x",
        ] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
    }

    #[test]
    fn r33_what_is_no_registry_has_no_spelling() {
        for (typed, one) in [
            ("Docker.io", "docker.io"),
            ("registry-1.docker.io", "docker.io"),
            ("R.Example:5000", "r.example:5000"),
            ("localhost", "localhost"),
            ("[::1]:5000", "[::1]:5000"),
        ] {
            assert_eq!(registry(typed).as_deref(), Some(one));
        }
        for bad in [
            "",
            ":",
            ":5000",
            "a b",
            "a/b",
            "https://a",
            "u:p@a",
            "a:b",
            "a:65536",
            "a..b",
            "-a",
        ] {
            assert_eq!(registry(bad), None, "{bad}");
        }
    }

    #[test]
    fn h21_a_part_that_is_too_long_is_refused() {
        for (fits, too_long) in [
            (
                "r.example/".to_owned() + &"a".repeat(255),
                "r.example/".to_owned() + &"a".repeat(256),
            ),
            (
                "r.example/a:".to_owned() + &"b".repeat(128),
                "r.example/a:".to_owned() + &"b".repeat(129),
            ),
        ] {
            assert!(fits.parse::<Reference>().is_ok(), "{fits}");
            assert!(too_long.parse::<Reference>().is_err(), "{too_long}");
        }
    }

    #[test]
    fn h23_no_name_makes_the_reader_panic_and_what_is_read_is_read_again_as_the_same() {
        let digest = format!("@{}", Digest::of(b""));
        let pieces = [
            "r.example",
            "localhost",
            "[::1]",
            ":5000",
            ":",
            "/",
            "a",
            "B",
            "_",
            "..",
            "-",
            "@",
            &digest,
            "sha256:",
            "\u{e4}",
            "\0",
            " ",
            "127.0.0.1",
            ":99999",
        ];
        let (mut dice, mut read) = (testing::Dice::new(7), 0);
        for _ in 0..20_000 {
            let text = dice.text(&pieces, 8);
            if let Ok(found) = text.parse::<Reference>() {
                read += 1;
                assert_eq!(found.to_string().parse(), Ok(found), "{text}");
            }
        }
        assert!(read > 200, "{read}");
    }
}
