//! The names of base images as `.builder.yaml` writes them.
//!
//! Only their form is looked at, and they are kept as written; `base` finds the image. An unparseable name is not repeated beyond what `reference` shows of
//! it: it may hold a password.

use crate::digest::Digest;
use crate::reference;
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

fn check_layout(layout: &str) -> Result<(), Objection> {
    let (_, pick) = reference::split_layout(layout).ok_or_else(|| {
        Objection::new("a layout is a directory, and at most one name or digest after it")
            .hint("write `oci:DIR`, `oci:DIR:NAME` or `oci:DIR@sha256:…`")
    })?;
    match pick.strip_prefix('@').map(str::parse::<Digest>) {
        Some(Err(error)) => Err(Objection::new(escaped(&error.to_string()))),
        _ => Ok(()),
    }
}
