//! What a build would do for each platform, and what stands in its way: asked as a build asks, with nothing compiled.
//!
//! Every refusal is kept, not only the first. Nothing is decided and nothing is mended here.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::base::Base;
use crate::build::areas::{self, Area};
use crate::build::groups::{self, Ground, Group};
use crate::build::survey::{self, Bases};
use crate::build::{Tools, machine, served, targets};
use crate::config::Config;
use crate::plan;
use crate::plan::asked::Asked;
use crate::plan::request::Request;
use crate::plan::wanted::Wanted;
use crate::platform::{Platform, Platforms};
use crate::toolchain::Chosen;

/// All that was found out.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    /// The machine first, then the platforms in the order in which they were asked for.
    pub(crate) sections: Vec<Section>,
    /// Whether there is a program to build; without one what a platform lacks is no failure.
    pub(crate) is_asked: bool,
    /// What brings every rust target that is missing, at once.
    pub(crate) install: Vec<String>,
}

/// What [`Finding::thing`] is when a rust target is missing: [`Diagnosis::install`] mends them all.
pub(crate) const TARGET: &str = "target";

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
    let machine = machine::section(request, &place(request), tools);
    let mut diagnosis = Diagnosis {
        is_asked: !is_outside(request),
        install: Vec::new(),
        sections: Vec::new(),
    };
    if !machine.is_refused() {
        let asked = Asked { request, config };
        let looked = match diagnosis.is_asked {
            true => diagnosis.platforms(asked, tools),
            false => diagnosis.table(asked, tools),
        };
        diagnosis.sections.extend(looked.err().map(refused));
    }
    diagnosis.sections.insert(0, machine);
    diagnosis
}

/// Whether nothing was named and there is no project here. Targets are installed for a program alone.
fn is_outside(request: &Request) -> bool {
    let nothing_named = request.what.is_empty()
        && request.cargo.selection.packages.is_empty()
        && request.cargo.manifest.is_none()
        && !request.install_targets;
    let mut upwards = request.directory.ancestors();
    nothing_named && !upwards.any(|directory| directory.join("Cargo.toml").is_file())
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

impl Diagnosis {
    /// A section for each platform of the table.
    fn table(&mut self, asked: Asked<'_>, tools: &Tools<'_>) -> Result<()> {
        self.sections = machine::platforms(asked, tools)?;
        Ok(())
    }

    /// A section for each platform that was asked for, and what only a whole plan shows.
    fn platforms(&mut self, asked: Asked<'_>, tools: &Tools<'_>) -> Result<()> {
        plan::look(asked.request)?;
        let areas = areas::areas(asked, tools)?;
        survey::tell_what_is_idle(&areas, asked, tools);
        let wanted = survey::wanted(&areas, asked)?;
        let groups = groups::groups(&wanted, asked, tools)?;
        let bases = self.bases(&wanted, tools);
        let groups = groups::settled(groups, &bases);
        if asked.request.install_targets {
            targets::look(&groups, asked.request)?;
        }
        let ground = Ground {
            asked,
            tools,
            bases: &bases,
        };
        for group in &groups {
            self.consider(group, ground);
        }
        self.install = targets::commands(&groups);
        if !self.sections.iter().any(Section::is_refused) {
            let wanted: Vec<&Wanted<'_>> = wanted.iter().map(|(_, one)| one).collect();
            survey::decided(&groups, &wanted, ground)?;
        }
        Ok(())
    }

    /// The bases that can be had. What is wrong with another is found platform by platform, unless it would say which there are.
    fn bases(&mut self, wanted: &[(&Area, Wanted<'_>)], tools: &Tools<'_>) -> Bases {
        let mut bases = Bases::new();
        let mut failed = Vec::new();
        for (_, one) in wanted {
            match survey::bases(&[one], tools) {
                Ok(found) => bases.extend(found),
                Err(_) if failed.contains(&one.base_key()) => {}
                Err(error) => {
                    failed.push(one.base_key());
                    let is_all = one.platforms == Platforms::All;
                    self.sections.extend(is_all.then(|| refused(error)));
                }
            }
        }
        bases
    }

    fn consider(&mut self, group: &Group<'_>, ground: Ground<'_>) {
        for platform in group.platforms() {
            let findings = considered(group, platform, ground);
            let about = About::Platform(platform.clone());
            match self.sections.iter_mut().find(|one| one.about == about) {
                Some(section) => section.findings.extend(findings),
                None => self.sections.push(Section { about, findings }),
            }
        }
    }
}

/// What belongs to no platform alone.
fn refused(error: anyhow::Error) -> Section {
    Section {
        about: About::Whole,
        findings: vec![Finding::refused(error)],
    }
}

/// How the binaries of one call would be linked for one platform, and on which bases they go.
fn considered(group: &Group<'_>, platform: &Platform, ground: Ground<'_>) -> Vec<Finding> {
    let mut findings = vec![Finding::of("binaries", Ok(binaries(group)))];
    let resolved = served::bases(group, platform, ground);
    let had = |(one, base): &(&Wanted<'_>, Result<Base>)| {
        Some((one.base_key(), base.as_ref().ok()?.clone()))
    };
    let bases = &resolved.iter().filter_map(had).collect();
    let chosen = group.chosen(platform, Ground { bases, ..ground });
    let dynamic = chosen.as_ref().is_ok_and(|one| plan::is_dynamic(&one.link));
    match chosen {
        Ok(chosen) => findings.extend(sentences(chosen)),
        Err(error) => {
            let lacking = group.missing_of(platform);
            let thing = lacking.map_or("", |_| TARGET);
            findings.push(Finding::of(thing, Err(error)));
        }
    }
    let told = resolved.into_iter().map(|(one, base)| {
        base.and_then(|base| served::told((one, &base), (platform, dynamic), ground.tools))
    });
    findings.extend(told.map(|base| Finding::of("base", base)));
    findings
}

/// The names of what one call makes, each once.
fn binaries(group: &Group<'_>) -> String {
    let mut names: Vec<&str> = Vec::new();
    for one in group.candidates() {
        if !names.contains(&one.binary) {
            names.push(one.binary);
        }
    }
    names.join(", ")
}

/// Why it is this link, and what a build would say on the way.
fn sentences(chosen: Chosen) -> impl Iterator<Item = Finding> {
    let Chosen { reasons, notes, .. } = chosen;
    let more = notes.into_iter().filter(|note| !reasons.contains(note));
    let more: Vec<String> = more.collect();
    reasons.into_iter().chain(more).map(Finding::said)
}
