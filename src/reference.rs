//! Image names: parsing, Docker Hub's short forms, and the name that a built image gets.
//!
//! Parsing is oci-spec's; what it lets through (upper-case digests, other algorithms, a user and password) is refused here.
//! Never repeat more of a bad name than its host: it may hold a secret.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;

/// The longest name that is looked at, in bytes.
const LONGEST: usize = 512;

/// A fully written image name: registry, repository, and a tag, a digest, or both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Reference {
    /// `docker.io` for Docker Hub, else host and port as typed.
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
        let parsed = oci_spec::distribution::Reference::try_from(text)
            .map_err(|error| bad(error.to_string()))?;
        let digest = parsed
            .digest()
            .map(str::parse::<Digest>)
            .transpose()
            .map_err(|error| bad(error.to_string()))?;
        let typed_tag = digest.is_none() || has_tag(text);
        Ok(Reference {
            registry: hub_alias(parsed.registry()).to_owned(),
            repository: parsed.repository().to_owned(),
            tag: parsed.tag().filter(|_| typed_tag).map(str::to_owned),
            digest,
        })
    }
}

/// What oci-spec's parser does not mind and we do.
fn refused_shape(text: &str) -> Option<&'static str> {
    let host = text.split('/').next().unwrap_or_default();
    let port = host
        .rsplit_once(':')
        .filter(|_| text.contains('/'))
        .map(|(_, port)| port);
    if text.is_empty() || text.len() > LONGEST {
        return Some("it is empty or longer than 512 characters");
    }
    if text.matches('@').count() > 1
        || (host.contains('@') && text.contains('/') && !host.contains("@sha256:"))
    {
        return Some("it holds a user or password, or more than one `@`");
    }
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Some("its port is not a number up to 65535");
    }
    None
}

/// Whether a tag stands before the digest: a colon in the last path part.
fn has_tag(text: &str) -> bool {
    let name = text.split('@').next().unwrap_or_default();
    name.rsplit('/')
        .next()
        .is_some_and(|last| last.contains(':'))
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
