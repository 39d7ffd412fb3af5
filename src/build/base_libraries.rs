//! The glibc of a base image, taken out of its layers for the linker.
//!
//! Nothing is fetched for it, and layers are looked into for programs alone that ask for glibc. A base that cannot serve is no error
//! here: the reason and the mend go to whoever chooses the linker.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use crate::base::{Base, BaseImage};
use crate::build::{Tools, fits};
use crate::contents::{Contents, Library};
use crate::digest::Digest;
use crate::json;
use crate::platform::Platform;
use crate::store::{self, Store};
use crate::toolchain::{self, BaseLibraries};

/// The file of a copy that says what the libraries are.
const NAME: &str = "digest";

/// The libraries of `base` for `platform`.
pub(crate) fn of(base: &Base, platform: &Platform, tools: &Tools<'_>) -> Result<BaseLibraries> {
    let mut images = base.images.iter();
    let image = images.find(|image| image.platform == *platform);
    let Some((image, own)) = image.and_then(|image| Some((image, image.source.store()?))) else {
        return Ok(lacking(format!("`{}` has no glibc", base.name), MEND));
    };
    let Some(contents) = fits::contents(image, tools)? else {
        return Ok(not_here(base));
    };
    let found = match found(&contents, platform) {
        Ok(found) => found,
        Err(Lack { what, mend }) => return Ok(lacking(format!("`{}` {what}", base.name), mend)),
    };
    match placed(
        (image, &contents),
        &found,
        (&[own, tools.store], tools.store),
    ) {
        Ok(directory) => Ok(BaseLibraries::At(directory)),
        // What lies in a base is remembered longer than its layers may be here.
        Err(error) if store::damaged(&error).is_some() || is_gone(image, tools)? => {
            Ok(not_here(base))
        }
        Err(error) => Err(error),
    }
}

fn is_gone(image: &BaseImage, tools: &Tools<'_>) -> Result<bool> {
    let absent = image.absent()?;
    Ok(absent.iter().any(|layer| !tools.store.holds(layer)))
}

fn not_here(base: &Base) -> BaseLibraries {
    let reason = format!(
        "to link against `{}` its layers must be on this machine, and they are not all here",
        base.name
    );
    let mend = base.way_to_layers();
    lacking(reason, mend.as_deref().unwrap_or(MEND))
}

const MEND: &str = "use a base with glibc 2.34 or later, or `libc: musl`";

fn lacking(reason: String, hint: &str) -> BaseLibraries {
    BaseLibraries::Lacking {
        reason,
        hint: hint.to_owned(),
    }
}

struct Lack {
    what: String,
    mend: &'static str,
}

/// The name of each library that is linked with, and its path in the image.
fn found(contents: &Contents, platform: &Platform) -> Result<Vec<(String, String)>, Lack> {
    let loader = platform.loader().map(toolchain::file_name);
    let mut found = Vec::new();
    for name in toolchain::LIBRARIES.into_iter().chain(loader) {
        let fits = |library: &Library| platform.machine() == Some(library.machine);
        let library = contents.library_like(name, &[], fits);
        let Some((path, library)) = library else {
            return Err(lack(name, platform));
        };
        if name == "libc.so.6"
            && !library
                .versions
                .iter()
                .any(|name| name == toolchain::OLDEST)
        {
            return Err(Lack {
                what: "has a glibc that is older than 2.34".to_owned(),
                mend: MEND,
            });
        }
        found.push((name.to_owned(), path));
    }
    Ok(found)
}

fn lack(name: &str, platform: &Platform) -> Lack {
    let what = format!("has no `{name}` for {platform}");
    let mend = match name {
        "libgcc_s.so.1" => {
            "use a base with it, such as `gcr.io/distroless/cc-debian12`, or `libc: musl`"
        }
        _ => MEND,
    };
    Lack { what, mend }
}

/// The directory with the libraries: first a copy by layers and paths, then links to it by what the libraries are.
fn placed(
    (image, contents): (&BaseImage, &Contents),
    found: &[(String, String)],
    (stores, kits): (&[&Store], &Store),
) -> Result<PathBuf> {
    let layers: Vec<String> = image
        .layers
        .iter()
        .map(|layer| layer.digest.to_string())
        .collect();
    let key = Digest::of(&json::canonical(&json!({"layers": layers, "found": found})));
    let copy = kits.kit("base-copies", &key, |place| {
        contents.copy(found, stores, place)?;
        Ok(fs::write(place.join(NAME), name(place, found)?)?)
    })?;
    let name: Digest = fs::read_to_string(copy.join(NAME))?
        .parse()
        .with_context(|| format!("{} is not what rbuild made", copy.display()))?;
    kits.kit("base-libraries", &name, |place| {
        for (name, _) in found {
            link(&copy.join(name), &place.join(name))?;
        }
        let loader = found.last().map(|(name, _)| name.as_str());
        toolchain::name_for_linker(place, loader.unwrap_or_default())
    })
}

/// What the libraries in `place` are.
fn name(place: &Path, found: &[(String, String)]) -> Result<String> {
    let mut digests = Vec::new();
    for (name, _) in found {
        let (digest, _) = Digest::of_reader(&mut fs::File::open(place.join(name))?)?;
        digests.push((name, digest.to_string()));
    }
    Ok(Digest::of(&json::canonical(&json!(digests))).to_string())
}

/// Some file systems have no hard links.
fn link(from: &Path, to: &Path) -> Result<()> {
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
