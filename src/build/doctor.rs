//! What a build would do for each platform, and what stands in its way: asked as a build asks, with nothing compiled.
//!
//! Every refusal is kept, not only the first. Nothing is decided and nothing is mended here.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::base::{self, Choice};
use crate::build::areas::{self, Area};
use crate::build::groups::{self, Ground, Group};
use crate::build::survey::{self, Bases};
use crate::build::{Tools, machine};
use crate::config::Config;
use crate::fault::Fault;
use crate::plan::asked::Asked;
use crate::plan::request::Request;
use crate::plan::wanted::Wanted;
use crate::platform::Platform;

/// All that was found out.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    /// The machine first, then the platforms in the order in which they were asked for.
    pub(crate) sections: Vec<Section>,
    /// Whether there is a program to build; without one what a platform lacks is no failure.
    pub(crate) is_asked: bool,
}

/// What was found out about one thing.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) about: About,
    pub(crate) findings: Vec<Finding>,
}

/// What a section is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum About {
    Machine,
    Platform(Platform),
    /// What no platform shows alone; told only when it is refused.
    Whole,
}

impl fmt::Display for About {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            About::Machine => out.write_str("this machine"),
            About::Platform(platform) => platform.fmt(out),
            About::Whole => out.write_str("the build"),
        }
    }
}

/// One line, or a refusal.
#[derive(Debug)]
pub(crate) struct Finding {
    /// What it is about; empty for a sentence that says so itself.
    pub(crate) thing: &'static str,
    pub(crate) found: Result<String>,
}

impl Finding {
    pub(super) fn of(thing: &'static str, found: Result<String>) -> Finding {
        Finding { thing, found }
    }

    pub(super) fn said(sentence: String) -> Finding {
        Finding::of("", Ok(sentence))
    }

    pub(super) fn refused(error: anyhow::Error) -> Finding {
        Finding::of("", Err(error))
    }
}

impl Section {
    pub(crate) fn is_refused(&self) -> bool {
        self.refusals().next().is_some()
    }

    pub(crate) fn refusals(&self) -> impl Iterator<Item = &anyhow::Error> {
        let findings = self.findings.iter();
        findings.filter_map(|finding| finding.found.as_ref().err())
    }
}

/// Looks at the machine, and at what the request asks for.
pub(crate) fn diagnose(request: &Request, config: &Config, tools: &Tools<'_>) -> Diagnosis {
    let is_asked = !is_outside(request);
    let machine = machine::section(request, &place(request), tools);
    let mut sections = vec![machine];
    if !sections[0].is_refused() {
        let more = match is_asked {
            true => platforms(Asked { request, config }, tools),
            false => machine::platforms(request, tools),
        };
        sections.extend(more.unwrap_or_else(|error| vec![refused(error)]));
    }
    Diagnosis { sections, is_asked }
}

/// Whether nothing was named and there is no project here.
fn is_outside(request: &Request) -> bool {
    let named = request.what.is_empty()
        && request.cargo.selection.packages.is_empty()
        && request.cargo.manifest.is_none();
    let mut upwards = request.directory.ancestors();
    named && !upwards.any(|directory| directory.join("Cargo.toml").is_file())
}

/// The first directory that was pointed at: the toolchain there may be another one.
fn place(request: &Request) -> PathBuf {
    let first = request.what.iter().find(|what| areas::is_path(what));
    let first = first.map_or(Path::new("."), |what| Path::new(what));
    let directory = request.directory.join(first);
    Some(directory)
        .filter(|directory| directory.is_dir())
        .unwrap_or_else(|| request.directory.clone())
}

/// A section for each platform, and what only a whole plan shows.
fn platforms(asked: Asked<'_>, tools: &Tools<'_>) -> Result<Vec<Section>> {
    let areas = areas::areas(asked, tools)?;
    let wanted = survey::wanted(&areas, asked)?;
    let groups = groups::groups(&wanted, asked, tools)?;
    let bases = resolved(&wanted, tools);
    let groups = groups::settled(groups, &bases);
    let ground = Ground {
        asked,
        tools,
        bases: &bases,
    };
    let mut sections: Vec<Section> = Vec::new();
    for group in &groups {
        for platform in group.platforms() {
            let findings = considered(group, platform, ground);
            let about = About::Platform(platform.clone());
            match sections.iter_mut().find(|one| one.about == about) {
                Some(section) => section.findings.extend(findings),
                None => sections.push(Section { about, findings }),
            }
        }
    }
    if !sections.iter().any(Section::is_refused) {
        let plan = survey::plan(asked.request, asked.config, tools);
        sections.extend(plan.err().map(refused));
    }
    Ok(sections)
}

/// What belongs to no platform alone.
fn refused(error: anyhow::Error) -> Section {
    Section {
        about: About::Whole,
        findings: vec![Finding::refused(error)],
    }
}

/// The bases that can be had for all platforms; what is wrong with another is found platform by platform.
fn resolved(wanted: &[(&Area, Wanted<'_>)], tools: &Tools<'_>) -> Bases {
    let each = wanted.iter();
    let each = each.filter_map(|(_, one)| survey::bases(&[one], tools).ok());
    each.flatten().collect()
}

/// How the binaries of one call would be linked for one platform, and on which bases they go.
fn considered(group: &Group<'_>, platform: &Platform, ground: Ground<'_>) -> Vec<Finding> {
    let binaries: Vec<&str> = group.candidates().map(|one| one.binary).collect();
    let mut findings = vec![Finding::of("binaries", Ok(binaries.join(", ")))];
    match group.chosen(platform, ground) {
        Ok(chosen) => findings.extend(chosen.reasons.into_iter().map(Finding::said)),
        Err(error) => findings.push(Finding::refused(error)),
    }
    let mut seen = Vec::new();
    for one in &group.wanted {
        if !seen.contains(&&one.base) {
            seen.push(&one.base);
            findings.push(on_base(one, platform, ground));
        }
    }
    findings
}

/// Whether the base serves the platform.
fn on_base(wanted: &Wanted<'_>, platform: &Platform, ground: Ground<'_>) -> Finding {
    let resolved = match ground.bases.get(&wanted.base_key()) {
        Some(base) => Ok(base.clone()),
        None => {
            let alone = Choice::These(std::slice::from_ref(platform));
            base::resolve(&wanted.base, alone, survey::shelf(ground.tools))
        }
    };
    let told = resolved.and_then(|base| {
        let mut images = base.images.iter();
        let image = images.find(|image| image.platform == *platform);
        let image = image.ok_or_else(|| Fault::refused(format!("no image for {platform}")))?;
        Ok(match image.digest {
            Some(digest) => format!("`{}` has {digest}", base.name),
            None => format!("`{}`, made by rbuild", base.name),
        })
    });
    Finding::of("base", told)
}
