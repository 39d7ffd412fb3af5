//! What `rbuild doctor` finds on this machine: what every build needs, and without a project what each platform could be built with.

use std::path::Path;

use anyhow::Result;

use crate::build::Tools;
use crate::build::areas;
use crate::build::doctor::{About, Finding, Section};
use crate::config::{Kindnesses, Libc};
use crate::fault::Fault;
use crate::plan::asked::Asked;
use crate::plan::request::Request;
use crate::platform::Platform;
use crate::process::Call;
use crate::toolchain::{self, BaseLibraries, Site, Toolchain};

/// What every build needs: cargo, rustc, linkers, a cache that can be written.
pub(super) fn section(request: &Request, place: &Path, tools: &Tools<'_>) -> Section {
    let cargo = areas::cargo(request, tools);
    let mut findings = vec![
        Finding::of("cargo", version(cargo.program.as_os_str(), place)),
        Finding::of("rustc", version(areas::rustc(tools), place)),
    ];
    if findings.iter().all(|finding| finding.found.is_ok()) {
        match areas::probe(&cargo, place, tools) {
            Ok(toolchain) => findings.extend(of_toolchain(&toolchain, tools)),
            Err(error) => findings.push(Finding::refused(error)),
        }
    }
    findings.push(Finding::of("cache", cache(tools)));
    Section {
        about: About::Machine,
        findings,
    }
}

fn of_toolchain(toolchain: &Toolchain, tools: &Tools<'_>) -> [Finding; 3] {
    let lld = toolchain.rust_lld();
    let none =
        || "the toolchain has none, so musl is linked for this architecture alone".to_owned();
    [
        Finding::of("host", Ok(toolchain.host.clone())),
        Finding::of(
            "rust-lld",
            Ok(lld.map_or_else(none, |file| file.display().to_string())),
        ),
        Finding::of(
            "linker of build scripts",
            toolchain.host_linker(tools.store),
        ),
    ]
}

fn version(program: &std::ffi::OsStr, place: &Path) -> Result<String> {
    let call = Call::new(program, place).arg("--version");
    let output = call.output()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        return Ok(text);
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Fault::refused(format!("`{call}` fails"))
        .because(format!("it says: {said}"))
        .hint("install a toolchain with `rustup toolchain install stable`")
        .into())
}

/// A cache that cannot be written keeps nothing, which is no reason to fail.
fn cache(tools: &Tools<'_>) -> Result<String> {
    let (cache, made) = (tools.cache.root(), tools.store.root());
    Ok(match cache.parent() == made.parent() {
        true => made.parent().unwrap_or(made).display().to_string(),
        false => format!(
            "{} cannot be written: what is built is kept for one run",
            cache.display()
        ),
    })
}

/// What each platform could be built with, without a program to ask.
pub(super) fn platforms(asked: Asked<'_>, tools: &Tools<'_>) -> Result<Vec<Section>> {
    let request = asked.request;
    let cargo = areas::cargo(request, tools);
    let toolchain = areas::probe(&cargo, &request.directory, tools)?;
    let known = Platform::known().into_iter();
    let known: Vec<Platform> = known.filter_map(|name| name.parse().ok()).collect();
    let platforms = match request.platforms.named() {
        [] => &known,
        named => named,
    };
    let site = Site {
        root: &request.directory,
        kits: tools.store,
        sysroots: &asked.config.sysroots,
        base: &BaseLibraries::NotAsked,
        packages: &[],
        kindnesses: Kindnesses::default(),
    };
    let section = |platform: &Platform| Section {
        about: About::Platform(platform.clone()),
        findings: possible(&toolchain, platform, site),
    };
    Ok(platforms.iter().map(section).collect())
}

fn possible(toolchain: &Toolchain, platform: &Platform, site: Site<'_>) -> Vec<Finding> {
    let target = match toolchain::target(toolchain, platform, Libc::Auto) {
        Ok(target) => target,
        Err(error) => return vec![Finding::refused(error)],
    };
    let pure = match toolchain::link(toolchain, &target, &[], site) {
        Ok(chosen) => chosen.reasons,
        Err(error) => return vec![Finding::refused(error)],
    };
    let c = match toolchain::c_compiler(toolchain, &target, site) {
        Ok(compiler) => format!("C would be compiled by {compiler}"),
        Err(error) => format!("C cannot be compiled{}", mend(&error)),
    };
    let pure = pure.into_iter().filter(|said| said != toolchain::PURE);
    let said = pure.chain([c]);
    said.map(Finding::said).collect()
}

/// The first way out.
fn mend(error: &anyhow::Error) -> String {
    let hint = error.downcast_ref::<Fault>().map(Fault::hints);
    let first = hint.and_then(<[String]>::first);
    first.map_or_else(String::new, |hint| format!("; {hint}"))
}
