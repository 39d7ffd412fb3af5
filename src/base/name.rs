//! What a user may write where a base image is asked for.
//!
//! Pure parsing: nothing is looked up here.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::digest::Digest;
use crate::fault::Fault;
use crate::reference;
use crate::reference::Reference;

/// A base image by the name that the user gave it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    /// `builtin:static`: made by rbuild itself.
    Static,
    /// `scratch`: nothing at all.
    Scratch,
    /// `oci:DIR[:NAME|@DIGEST]`: any OCI layout on disk.
    Layout(PathBuf, Pick),
    /// A reference, resolved from the cache.
    Reference(Reference),
}

/// Which image of a layout.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pick {
    /// The only one there is.
    Only,
    /// The entry of that name, exactly as recorded.
    Named(String),
    /// The manifest or index of that digest.
    Digest(Digest),
}

impl Name {
    /// Parses a base; a relative `oci:` directory is taken from `directory`.
    pub(crate) fn parse(text: &str, directory: &Path) -> Result<Name> {
        match text {
            "builtin:static" => Ok(Name::Static),
            "scratch" => Ok(Name::Scratch),
            _ if text.starts_with("builtin:") => Err(unknown_builtin(text).into()),
            _ => match text.strip_prefix("oci:") {
                Some(rest) => layout(rest, directory),
                None => Ok(Name::Reference(
                    text.parse().map_err(|error| bad_reference(&error))?,
                )),
            },
        }
    }
}

fn unknown_builtin(text: &str) -> Fault {
    Fault::refused(format!("there is no base image `{text}`"))
        .hint("the built-in bases are `builtin:static` and `scratch`")
}

fn bad_reference(error: &reference::BadReference) -> Fault {
    Fault::refused(format!("cannot read the base image: {error}"))
        .hint("a base is `builtin:static`, `scratch`, `oci:DIR[:NAME|@DIGEST]` or a name such as `debian:13-slim`")
}

fn layout(rest: &str, directory: &Path) -> Result<Name> {
    let (path, pick) = reference::split_layout(rest).ok_or_else(|| {
        Fault::refused(format!("cannot read the base image `oci:{rest}`"))
            .because("a layout is a directory, and at most one name or digest after it")
            .hint("write `oci:DIR`, `oci:DIR:NAME` or `oci:DIR@sha256:…`")
    })?;
    let pick = match (pick.strip_prefix('@'), pick.strip_prefix(':')) {
        (Some(digest), _) => {
            let refused = |error| Fault::refused(format!("cannot read `oci:{rest}`: {error}"));
            Pick::Digest(digest.parse().map_err(refused)?)
        }
        (_, Some(name)) => Pick::Named(name.to_owned()),
        _ => Pick::Only,
    };
    Ok(Name::Layout(directory.join(path), pick))
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Static => out.write_str("builtin:static"),
            Name::Scratch => out.write_str("scratch"),
            Name::Layout(path, Pick::Only) => write!(out, "oci:{}", path.display()),
            Name::Layout(path, Pick::Named(name)) => write!(out, "oci:{}:{name}", path.display()),
            Name::Layout(path, Pick::Digest(digest)) => {
                write!(out, "oci:{}@{digest}", path.display())
            }
            Name::Reference(reference) => write!(out, "{reference}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::layouts;

    fn parse(text: &str) -> Name {
        Name::parse(text, Path::new("/here")).expect(text)
    }

    #[test]
    fn every_form_of_a_base_is_told_apart() {
        let digest = Digest::of(b"x");
        let layout = |pick| Name::Layout(PathBuf::from("/here/lay"), pick);
        assert_eq!(parse("builtin:static"), Name::Static);
        assert_eq!(parse("scratch"), Name::Scratch);
        assert_eq!(parse("oci:lay"), layout(Pick::Only));
        assert_eq!(
            parse("oci:lay:latest"),
            layout(Pick::Named("latest".into()))
        );
        assert_eq!(
            parse("oci:lay:r.example:5000/a/b:v1"),
            layout(Pick::Named("r.example:5000/a/b:v1".into()))
        );
        assert_eq!(
            parse(&format!("oci:lay@{digest}")),
            layout(Pick::Digest(digest))
        );
        assert_eq!(
            parse("oci:/abs"),
            Name::Layout(PathBuf::from("/abs"), Pick::Only)
        );
        assert_eq!(
            parse("debian:13").to_string(),
            "docker.io/library/debian:13"
        );
    }

    #[test]
    fn a_layout_is_read_by_the_rule_that_the_configuration_has_too() {
        for (text, path, pick) in layouts::GOOD {
            let pick = match pick {
                "" => Pick::Only,
                "@D" => Pick::Digest(layouts::DIGEST.parse().expect("a digest")),
                name => Pick::Named(name[1..].to_owned()),
            };
            // The directory that it is taken from may have any name.
            for here in ["/here", "/odd:@dir@sha256:x"] {
                let read = Name::parse(&layouts::typed(text), Path::new(here)).expect(text);
                assert_eq!(read, Name::Layout(Path::new(here).join(path), pick.clone()));
            }
        }
        for text in layouts::BAD {
            assert!(Name::parse(&layouts::typed(text), Path::new("/here")).is_err());
        }
    }

    #[test]
    fn h02_a_bad_digest_in_a_base_is_refused_before_a_path_is_built() {
        for bad in [
            "oci:lay@sha256:../../x",
            "oci:lay@sha512:00",
            "oci:",
            "builtin:other",
            "a@sha256:short",
            "A B",
        ] {
            let error = Name::parse(bad, Path::new("/here")).expect_err(bad);
            assert_eq!(
                error.downcast::<Fault>().expect("a fault").kind,
                crate::fault::Kind::Refused,
                "{bad}"
            );
        }
    }
}
