//! What a base has for one platform, in the words of `rbuild doctor`. Decides nothing: the checks of a build have the last word.

use anyhow::{Context, Result};

use crate::base::{self, Base, BaseImage, Choice};
use crate::build::groups::Ground;
use crate::build::{fits, survey};
use crate::contents::Contents;
use crate::plan::wanted::Wanted;
use crate::platform::Platform;

/// The base of `wanted` for `platform`; for a program that is linked dynamically also whether it has a glibc.
pub(super) fn base(
    wanted: &Wanted<'_>,
    (platform, is_static): (&Platform, bool),
    ground: Ground<'_>,
) -> Result<String> {
    let base = match ground.bases.get(&wanted.base_key()) {
        Some(base) => base.clone(),
        None => {
            let alone = Choice::These(std::slice::from_ref(platform));
            base::resolve(&wanted.base, alone, survey::shelf(ground.tools))?
        }
    };
    let mut images = base.images.iter();
    let image = images.find(|image| image.platform == *platform);
    let image = image.with_context(|| format!("`{}` has nothing for {platform}", base.name))?;
    let told = match image.digest {
        Some(digest) => format!("`{}` has {digest}", base.name),
        None => format!("`{}`, made by rbuild", base.name),
    };
    Ok(match is_static {
        true => told,
        false => format!("{told}, {}", glibc(&base, image, ground)?),
    })
}

fn glibc(base: &Base, image: &BaseImage, ground: Ground<'_>) -> Result<String> {
    if image.source.store().is_none() {
        return Ok("without glibc".to_owned());
    }
    let Some(contents) = fits::contents(image, ground.tools)? else {
        let way = base.way_to_layers().unwrap_or_default();
        return Ok(format!(
            "of which the layers are not here, so its glibc is not known; {way}"
        ));
    };
    Ok(match version(&contents) {
        Some((major, minor)) => format!("with glibc {major}.{minor}"),
        None => "without glibc".to_owned(),
    })
}

/// The highest version that the base's libc defines.
fn version(contents: &Contents) -> Option<(u32, u32)> {
    let (_, libc) = contents.library("libc.so.6", &[])?;
    let versions = libc.versions.iter();
    versions.filter_map(|name| number(name)).max()
}

/// `GLIBC_2.36` and `GLIBC_2.2.5` as numbers that can be compared.
fn number(name: &str) -> Option<(u32, u32)> {
    let mut parts = name.strip_prefix("GLIBC_")?.split('.');
    let mut part = || parts.next()?.parse().ok();
    Some((part()?, part()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers_and_private_ones_are_none() {
        let all = ["GLIBC_2.9", "GLIBC_2.36", "GLIBC_2.2.5", "GLIBC_PRIVATE"];
        let highest = all.iter().filter_map(|name| number(name)).max();
        assert_eq!(highest, Some((2, 36)));
        assert_eq!(number("GLIBCXX_3.4"), None);
    }
}
