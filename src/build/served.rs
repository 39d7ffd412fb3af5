//! What a base has for one platform, in the words of `rbuild doctor`. Decides nothing: the checks of a build have the last word.

use anyhow::{Context, Result};

use crate::base::{self, Base, BaseImage, Choice};
use crate::build::groups::{Ground, Group};
use crate::build::{Tools, fits, survey};
use crate::contents::Contents;
use crate::plan;
use crate::plan::wanted::Wanted;
use crate::platform::Platform;

/// Each base of a group once, with the first that goes on it. One that could not be had for all platforms is asked for this one alone.
pub(super) fn bases<'a>(
    group: &Group<'a>,
    platform: &Platform,
    ground: Ground<'_>,
) -> Vec<(&'a Wanted<'a>, Result<Base>)> {
    let mut first: Vec<&Wanted<'_>> = Vec::new();
    for one in &group.wanted {
        if !first.iter().any(|known| known.base == one.base) {
            first.push(one);
        }
    }
    let alone = Choice::These(std::slice::from_ref(platform));
    let base = |one: &Wanted<'_>| match ground.bases.get(&one.base_key()) {
        Some(base) => Ok(base.clone()),
        None => base::resolve(&one.base, alone, survey::shelf(ground.tools)),
    };
    first.into_iter().map(|one| (one, base(one))).collect()
}

/// The base of `wanted` for `platform`; a program that is linked dynamically is refused one that is known to have no glibc.
pub(super) fn told(
    (wanted, base): (&Wanted<'_>, &Base),
    (platform, is_dynamic): (&Platform, bool),
    tools: &Tools<'_>,
) -> Result<String> {
    let mut images = base.images.iter();
    let image = images.find(|image| image.platform == *platform);
    let image = image.with_context(|| format!("`{}` has nothing for {platform}", base.name))?;
    let name = base.name.to_string();
    let told = match image.digest {
        // A pin of this very image says it already.
        Some(digest) if name.ends_with(&digest.to_string()) => format!("`{name}`"),
        Some(digest) => format!("`{name}` has {digest}"),
        None => format!("`{name}`, made by rbuild"),
    };
    if !is_dynamic {
        return Ok(told);
    }
    if fits::lacks_loader(image, wanted, tools)? {
        return Err(plan::without_glibc(wanted.candidate.binary, &base.name).into());
    }
    Ok(format!("{told}, {}", glibc((wanted, base), image, tools)?))
}

fn glibc(
    (wanted, base): (&Wanted<'_>, &Base),
    image: &BaseImage,
    tools: &Tools<'_>,
) -> Result<String> {
    let Some(contents) = fits::contents(image, tools)? else {
        let way = base.way_to_layers().unwrap_or_default();
        return Ok(format!(
            "of which the layers are not here, so its glibc is not known; {way}"
        ));
    };
    let glibc = match version(&contents) {
        Some((major, minor)) => format!("with glibc {major}.{minor}"),
        None => "without glibc".to_owned(),
    };
    let lacking = fits::lacking(image, wanted, &contents);
    Ok(match lacking.is_empty() {
        true => glibc,
        false => format!("{glibc}; {}", lack(&lacking)),
    })
}

/// What is refused later than a doctor can tell, and the mend.
fn lack(libraries: &[&str]) -> String {
    let names: Vec<String> = libraries.iter().map(|name| format!("`{name}`")).collect();
    format!(
        "it has no {}, which nearly every Rust program for glibc needs: one that does is refused once it is linked; \
         use a base such as `gcr.io/distroless/cc-debian12`, or `libc: musl`",
        names.join(" and no ")
    )
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
