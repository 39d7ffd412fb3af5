//! Programs that need something of their base, against what lies in its layers. Static ones need nothing, and nothing is read for them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;

use crate::base::{Base, BaseImage};
use crate::build::survey::Bases;
use crate::build::{Tools, layers};
use crate::compile::{self, Binary, Home, Job, Program};
use crate::contents::elf::Facts;
use crate::contents::{self, Contents, Library};
use crate::plan::wanted::Wanted;
use crate::plan::{ImagePlan, Plan, WithoutLoader, is_dynamic};
use crate::store::{self, Store};
use crate::toolchain::Link;

/// Holds a linked program against the bases of all images that it goes into.
pub(super) fn look(
    plan: &Plan,
    (binary, link): (&Binary, &Link),
    facts: &Facts,
    tools: &Tools<'_>,
) -> Result<()> {
    if facts.interpreter.is_none() {
        return Ok(());
    }
    let places = plan.images.iter();
    let places = places.filter_map(|image| Some((image, path(image, binary)?)));
    for (image, path) in places {
        let mut bases = image.base.images.iter();
        let Some(base) = bases.find(|base| base.platform == binary.platform) else {
            continue;
        };
        match contents(base, tools)? {
            Some(contents) => {
                let program = Program {
                    name: &binary.name,
                    path: &path,
                    facts,
                };
                fits(program, (image, base), &contents)?;
            }
            None => {
                compile::guess(binary, link, facts)?;
                tools.notes.say(unlooked(&image.base));
            }
        }
    }
    Ok(())
}

/// Where it lies in the image, if it goes there.
fn path(image: &ImagePlan, binary: &Binary) -> Option<String> {
    let mut programs = image.programs().into_iter();
    let found = programs.find(|one| one.package == binary.package_id && one.binary == binary.name);
    found.map(|one| one.path)
}

fn fits(
    program: Program<'_>,
    (image, base): (&ImagePlan, &BaseImage),
    contents: &Contents,
) -> Result<()> {
    let name = image.base.name.to_string();
    Ok(compile::fits(
        program,
        Home {
            name: &name,
            contents,
            library_path: &library_path(&image.settings.env, base),
            added: &layers::paths(image)?,
        },
    )?)
}

/// The directories of `LD_LIBRARY_PATH`, as the container will have it.
fn library_path(env: &BTreeMap<String, String>, base: &BaseImage) -> Vec<String> {
    let name = "LD_LIBRARY_PATH";
    let listed = base
        .config
        .pointer("/config/Env")
        .and_then(|env| env.as_array());
    let of_base = listed
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.as_str());
    let mut of_base = of_base.filter_map(|entry| entry.split_once('='));
    let of_base = of_base
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value);
    let ours = env.get(name).map(String::as_str);
    let directories = ours.or(of_base).unwrap_or_default().split([':', ';']);
    let directories = directories.filter(|directory| !directory.is_empty());
    directories.map(str::to_owned).collect()
}

/// What lies in a base; `None` if its layers are not here, or cannot be looked into.
pub(super) fn contents(base: &BaseImage, tools: &Tools<'_>) -> Result<Option<Contents>> {
    let Some(own) = base.source.store() else {
        return Ok(None);
    };
    let stores: [&Store; 2] = [own, tools.store];
    match contents::read(&base.layers, &stores, tools.store) {
        // A damaged layer is as good as none: what writes it or pushes it says so.
        Err(error) if store::damaged(&error).is_some() => Ok(None),
        read => read,
    }
}

/// One sentence for each base.
fn unlooked(base: &Base) -> String {
    let start = format!(
        "whether programs that are linked dynamically start on the base `{}` was not looked at: its layers are not here",
        base.name
    );
    match base.way_to_layers() {
        Some(way) => format!("{start}; {way}"),
        None => start,
    }
}

/// The bases of dynamic programs that are known to have no dynamic loader of glibc.
pub(super) fn without_loader(
    jobs: &[Job],
    bases: &Bases,
    (wanted, tools): (&[&Wanted<'_>], &Tools<'_>),
) -> Result<WithoutLoader> {
    let mut without = BTreeSet::new();
    for one in wanted {
        let base = &bases[&one.base_key()];
        let dynamic = jobs
            .iter()
            .filter(|job| makes(job, one))
            .flat_map(|job| &job.links);
        for link in dynamic.filter(|link| is_dynamic(link)) {
            let image = base
                .images
                .iter()
                .find(|image| image.platform == link.platform);
            if let Some(image) = image
                && lacks_loader(image, one, tools)?
            {
                without.insert((base.name.clone(), link.platform.clone()));
            }
        }
    }
    Ok(without)
}

/// Whether it is known that a base has no dynamic loader of glibc, and that nothing of `wanted` could bring one.
pub(super) fn lacks_loader(
    image: &BaseImage,
    wanted: &Wanted<'_>,
    tools: &Tools<'_>,
) -> Result<bool> {
    if image.source.store().is_none() {
        return Ok(true);
    }
    let Some(contents) = contents(image, tools)? else {
        return Ok(false);
    };
    let loader = image.platform.loader();
    Ok(loader.is_some_and(|loader| contents.file(loader).is_none()) && !has_assets(wanted))
}

/// What Rust's standard library asks for, whatever the panic strategy and `-static-libgcc`.
const ALWAYS: [&str; 2] = ["libc.so.6", "libgcc_s.so.1"];

/// Those of [`ALWAYS`] that a base does not have, and that nothing of `wanted` could bring. No refusal, because a program without the
/// standard library starts there, and one that a linker of the user's gave another unwinder.
pub(super) fn lacking(
    image: &BaseImage,
    wanted: &Wanted<'_>,
    contents: &Contents,
) -> Vec<&'static str> {
    if has_assets(wanted) {
        return Vec::new();
    }
    let loader = image.platform.loader().map(Path::new);
    let beside = loader.and_then(|loader| loader.parent()?.to_str());
    let env = wanted.build.map(|build| build.image.env.clone());
    let mut more = library_path(&env.unwrap_or_default(), image);
    more.extend(beside.map(str::to_owned));
    let is_ours = |library: &Library| image.platform.machine() == Some(library.machine);
    let lacks = |name: &&str| contents.library_like(name, &more, is_ours).is_none();
    ALWAYS.into_iter().filter(lacks).collect()
}

/// Assets may be anything, a loader too.
fn has_assets(wanted: &Wanted<'_>) -> bool {
    wanted.build.is_some_and(|build| !build.assets.is_empty())
}

fn makes(job: &Job, wanted: &Wanted<'_>) -> bool {
    let is_it = |one: &compile::Wanted| {
        let mut all = wanted.candidates();
        all.any(|its| one.package_id == its.package.id && one.binary == its.binary)
    };
    job.wanted.iter().any(is_it)
}
