//! `rbuild doctor`: what each platform would be built with, or what it lacks, and what must be done; nothing is built.

use std::sync::{Arc, Mutex};

use anyhow::Result;

use crate::build::{self, About, Diagnosis, Finding, Section};
use crate::cli::args::{BuildArguments, ImageArguments, OutputArguments, ProgressArgument};
use crate::cli::doctor_arguments::DoctorArguments;
use crate::cli::report;
use crate::cli::request;
use crate::cli::workshop::Workshop;
use crate::cli::world::World;
use crate::fault::Fault;
use crate::notes::Notes;
use crate::progress::Transfers;
use crate::registry::Listeners;

pub(crate) fn run(arguments: DoctorArguments, world: &World) -> Result<()> {
    let said = Arc::new(Mutex::new(Vec::new()));
    let listeners = Listeners {
        notes: heard(&said),
        transfers: Transfers::unwatched(),
    };
    let arguments = as_for_a_build(arguments);
    let request = request::read(&arguments, world)?;
    let workshop = Workshop::open(&request, (&arguments.registry, world), &listeners)?;
    let tools = workshop.tools(world);
    let diagnosis = build::diagnose(&request, &workshop.config, &tools);
    let shown = shown(&diagnosis);
    let notes = report::notes(false);
    let said = said.lock().expect("no listener panics");
    let unsaid = said.iter().filter(|note| !shown.contains(note.as_str()));
    unsaid.for_each(|note: &String| notes.say(note));
    report::answer(&shown)?;
    verdict(&diagnosis)
}

/// Notes that are kept: most of them stand in the answer, in the block of their platform.
fn heard(said: &Arc<Mutex<Vec<String>>>) -> Notes {
    let said = Arc::clone(said);
    Notes::to(move |note| {
        said.lock()
            .expect("nobody panics inside")
            .push(note.to_owned());
    })
}

/// The same words as of a build that pushes nothing, so that they mean the same.
fn as_for_a_build(typed: DoctorArguments) -> BuildArguments {
    BuildArguments {
        what: typed.what,
        selection: typed.selection,
        cargo: typed.cargo,
        image: ImageArguments {
            platform: typed.platform,
            base: typed.base,
            ..ImageArguments::default()
        },
        output: OutputArguments::default(),
        registry: typed.registry,
        offline: typed.offline,
        precache_images: false,
        cache_base_layers: false,
        install_targets: typed.install_targets,
        dry_run: true,
        progress: ProgressArgument::Auto,
        quiet: false,
        further: Vec::new(),
    }
}

/// The answer: a block for each section, and at the end what must be done.
fn shown(diagnosis: &Diagnosis) -> String {
    let sections = diagnosis.sections.iter().map(block);
    let blocks: Vec<String> = sections.chain(to_do(diagnosis)).collect();
    blocks.join("\n")
}

fn block(section: &Section) -> String {
    let state = match (&section.about, section.is_refused()) {
        (About::Machine, _) => "",
        (_, false) => ": ready",
        (_, true) => ": not ready",
    };
    let lines = section.findings.iter().map(line);
    format!("{}{state}\n{}", section.about, lines.collect::<String>())
}

fn line(finding: &Finding) -> String {
    let label = match finding.thing {
        "" => String::new(),
        thing => format!("{thing}: "),
    };
    match &finding.found {
        Ok(text) => format!("  {label}{}\n", report::escaped(text)),
        Err(error) => format!("  {}\n", report::explained(error).replace('\n', "\n  ")),
    }
}

/// What brings the targets, and the first way out of each other refusal with what it is for; each once.
fn to_do(diagnosis: &Diagnosis) -> Option<String> {
    let mut ways: Vec<(String, Vec<String>)> = Vec::new();
    for (about, way) in diagnosis.sections.iter().flat_map(first_ways) {
        match ways.iter_mut().find(|(known, _)| *known == way) {
            Some((_, platforms)) => platforms.push(about),
            None => ways.push((way, vec![about])),
        }
    }
    let others = ways
        .into_iter()
        .map(|(way, platforms)| format!("{}: {way}", platforms.join(", ")));
    let all = diagnosis.install.iter().cloned().chain(others);
    let lines = all.map(|line| format!("  {}\n", report::escaped(&line)));
    let lines: String = lines.collect();
    (diagnosis.is_asked && !lines.is_empty()).then(|| format!("to do\n{lines}"))
}

/// The first way out of each refusal of a section; that of a missing target is told for all together.
fn first_ways(section: &Section) -> impl Iterator<Item = (String, String)> {
    let findings = section.findings.iter();
    let others = findings.filter(|finding| finding.thing != build::TARGET);
    let errors = others.filter_map(|finding| finding.found.as_ref().err());
    let about = section.about.to_string();
    errors.filter_map(move |error| {
        let way = report::ways_out(error).into_iter().next()?;
        Some((about.clone(), way))
    })
}

/// A refusal if something that was asked for cannot be built.
fn verdict(diagnosis: &Diagnosis) -> Result<()> {
    let refused = diagnosis.sections.iter().filter(|one| one.is_refused());
    let refused: Vec<String> = refused.map(|one| on_its_behalf(&one.about)).collect();
    if refused.is_empty() || !diagnosis.is_asked {
        return Ok(());
    }
    Err(Fault::refused(format!("cannot build {}", refused.join(", "))).into())
}

fn on_its_behalf(about: &About) -> String {
    match about {
        About::Machine => "on this machine".to_owned(),
        About::Platform(platform) => format!("for {platform}"),
        About::Whole => "this".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(platform: &str, found: Result<String>) -> Section {
        Section {
            about: About::Platform(platform.parse().expect(platform)),
            findings: vec![Finding { thing: "", found }],
        }
    }

    fn refusal(hint: &str) -> Result<String> {
        Err(Fault::refused("no").hint(hint).hint("another way").into())
    }

    fn diagnosis(is_asked: bool) -> Diagnosis {
        let sections = vec![
            section("linux/arm64", refusal("run `x`")),
            section("linux/amd64", Ok("fine".to_owned())),
            section("linux/386", refusal("run `x`")),
        ];
        Diagnosis {
            sections,
            is_asked,
            install: Vec::new(),
        }
    }

    #[test]
    fn what_must_be_done_is_the_first_way_out_of_each_refusal_told_once() {
        let shown = shown(&diagnosis(true));
        let (blocks, to_do) = shown.split_once("\nto do\n").expect("something to do");
        assert_eq!(to_do, "  linux/arm64, linux/386: run `x`\n");
        assert!(blocks.starts_with("linux/arm64: not ready\n  no\n    hint: run `x`\n"));
        assert!(blocks.contains("\n\nlinux/amd64: ready\n  fine\n\nlinux/386: not ready\n"));
    }

    #[test]
    fn without_a_project_nothing_must_be_done_and_nothing_fails() {
        assert!(!shown(&diagnosis(false)).contains("to do"));
        verdict(&diagnosis(false)).expect("no failure");
        let refused = verdict(&diagnosis(true)).expect_err("refused");
        assert_eq!(
            refused.to_string(),
            "cannot build for linux/arm64, for linux/386"
        );
    }

    #[test]
    fn h15_names_of_others_do_not_move_the_cursor() {
        let hostile = section("linux/386", Ok("a\u{1b}[2Jb\nc".to_owned()));
        assert_eq!(block(&hostile), "linux/386: ready\n  a\\u{1b}[2Jb\\nc\n");
    }
}
