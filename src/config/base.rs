//! The names of base images as `.builder.yaml` writes them.
//!
//! Only their form is looked at; `base` finds the image. An unparseable name is not repeated beyond what `reference` shows of
//! it: it may hold a password.

use std::path::Path;

use crate::digest::Digest;
use crate::reference::Reference;

use super::objection::Objection;
use super::objection::escaped;

/// Accepts `builtin:static`, `scratch`, `oci:DIR[:NAME|@DIGEST]` and image names.
pub(super) fn check(text: &str) -> Result<(), Objection> {
    if matches!(text, "builtin:static" | "scratch") {
        return Ok(());
    }
    if text.starts_with("builtin:") {
        return Err(Objection::new("there is no such built-in base")
            .hint("the built-in base is `builtin:static`"));
    }
    match text.strip_prefix("oci:") {
        Some(layout) => check_layout(layout),
        None => text
            .parse::<Reference>()
            .map(|_| ())
            .map_err(|error| Objection::new(escaped(&error.to_string()))),
    }
}

/// The same name with DIR made absolute; names without a directory are left as they are.
pub(super) fn absolute(text: &str, directory: &Path) -> String {
    let Some((layout, rest)) = text.strip_prefix("oci:").map(split) else {
        return text.to_owned();
    };
    let layout = super::convert::below(directory, layout);
    format!("oci:{}{rest}", layout.display())
}

fn check_layout(layout: &str) -> Result<(), Objection> {
    let (directory, rest) = split(layout);
    let odd = directory.contains(':') || layout.contains(char::is_control);
    if odd || directory.is_empty() || rest == ":" {
        return Err(Objection::new(
            "a layout is a directory, and at most one name or digest after it",
        )
        .hint("write `oci:DIR`, `oci:DIR:NAME` or `oci:DIR@sha256:…`"));
    }
    match rest.strip_prefix('@').map(str::parse::<Digest>) {
        Some(Err(error)) => Err(Objection::new(escaped(&error.to_string()))),
        _ => Ok(()),
    }
}

/// The directory, and `:NAME` or `@DIGEST` or nothing. A directory holds no `:`, as in skopeo's `oci:`; a name may.
fn split(layout: &str) -> (&str, &str) {
    let digest = layout.find("@sha256:");
    let at = digest.or_else(|| layout.find(':')).unwrap_or(layout.len());
    layout.split_at(at)
}
