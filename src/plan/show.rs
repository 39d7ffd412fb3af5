//! A plan as text, for `--dry-run`: each cargo call, each image, each output.

use std::fmt;

use crate::compile;
use crate::plan::{Fetch, ImagePlan, Plan};
use crate::publish::Target;
use crate::words::counted;

impl fmt::Display for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.jobs
            .iter()
            .try_for_each(|job| writeln!(out, "run {}", compile::call(job)))?;
        self.images
            .iter()
            .try_for_each(|image| show_image(image, out))?;
        self.fetches
            .iter()
            .try_for_each(|fetch| show_fetch(fetch, out))?;
        self.targets
            .iter()
            .try_for_each(|target| show_target(target, &self.images, out))?;
        let files = self.references_file.iter().chain(&self.metadata_file);
        files
            .into_iter()
            .try_for_each(|file| writeln!(out, "write {}", file.display()))
    }
}

fn show_image(image: &ImagePlan, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let tags = image.tags.join(",");
    writeln!(
        out,
        "image {}:{tags} from the binary `{}` at {}",
        image.name, image.binary, image.settings.path
    )?;
    image
        .further
        .iter()
        .try_for_each(|one| writeln!(out, "  with `{}` at {}", one.binary, one.path))?;
    for base in &image.base.images {
        let digest = base
            .digest
            .map_or_else(String::new, |digest| format!(" {digest}"));
        writeln!(
            out,
            "  {} on {}{digest}, {}",
            base.platform,
            image.base.name,
            counted(base.layers.len(), "layer")
        )?;
    }
    image
        .assets
        .iter()
        .try_for_each(|asset| writeln!(out, "  assets {} at {}", asset.from.display(), asset.to))?;
    image
        .kodata
        .iter()
        .try_for_each(|kodata| writeln!(out, "  kodata {}", kodata.display()))
}

fn show_fetch(fetch: &Fetch, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(
        out,
        "fetch {}, {}, from {}",
        counted(fetch.layers.len(), "layer"),
        counted(fetch.size(), "byte"),
        fetch.from.name()
    )
}

fn show_target(target: &Target, images: &[ImagePlan], out: &mut fmt::Formatter<'_>) -> fmt::Result {
    match target {
        Target::Layout(directory) => writeln!(out, "write layout {}", directory.display()),
        Target::Archive(file) => writeln!(out, "write archive {}", file.display()),
        Target::Tarball(file) => writeln!(out, "write tarball {}", file.display()),
        Target::Registry(_) => images.iter().try_for_each(|image| show_push(image, out)),
    }
}

fn show_push(image: &ImagePlan, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut tags = image.tags.iter();
    tags.try_for_each(|tag| writeln!(out, "push {}:{tag}", image.name))
}
