//! Where `.builder.yaml` is: upwards from a path, or where RBUILD_CONFIG says.
//!
//! No cargo and no git is started: `.git` and the text of Cargo.toml are enough to see where a project ends.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Result;

use crate::fault::Fault;

use super::read_bounded;

const NAMES: [&str; 2] = [".builder.yaml", ".builder.yml"];

/// See `config::find`.
pub(super) fn upwards(start: &Path) -> Result<Option<PathBuf>> {
    let Ok(start) = fs::canonicalize(start) else {
        return Ok(None);
    };
    let skip = usize::from(!start.is_dir());
    for directory in start.ancestors().skip(skip) {
        if let Some(file) = within(directory)? {
            return Ok(Some(file));
        }
        if ends_project(directory) {
            break;
        }
    }
    Ok(None)
}

/// See [`super::root`].
pub(super) fn root(start: &Path) -> PathBuf {
    let real = fs::canonicalize(start).unwrap_or_else(|_| start.to_owned());
    let skip = usize::from(!real.is_dir());
    let mut package = None;
    for directory in real.ancestors().skip(skip) {
        let has_manifest = directory.join("Cargo.toml").is_file();
        package = package.or_else(|| has_manifest.then(|| directory.to_owned()));
        if !ends_project(directory) {
            continue;
        }
        let workspace = has_manifest.then(|| directory.to_owned());
        return workspace
            .or(package)
            .unwrap_or_else(|| directory.to_owned());
    }
    let start = real.ancestors().nth(skip).unwrap_or(&real).to_owned();
    package.unwrap_or(start)
}

/// See [`super::named`].
pub(super) fn named(path: &Path) -> Result<PathBuf> {
    let fault = Fault::refused(format!("no configuration at `{}`", path.display())).hint(
        "set RBUILD_CONFIG to a file, or to a directory that holds `.builder.yaml`, or unset it",
    );
    let Ok(about) = fs::metadata(path) else {
        let reason = format!("`{}` does not exist or cannot be read", path.display());
        return Err(fault.because(reason).into());
    };
    if !about.is_dir() {
        return Ok(path.to_owned());
    }
    let looked = NAMES.map(|name| format!("`{}`", path.join(name).display()));
    within(path)?.ok_or_else(|| {
        let reason = format!("looked for {}", looked.join(" and "));
        fault.because(reason).into()
    })
}

/// The configuration in one directory; a dangling link counts, so that it is reported and not passed over.
fn within(directory: &Path) -> Result<Option<PathBuf>> {
    let paths = NAMES.map(|name| directory.join(name));
    match paths.each_ref().map(|path| path.symlink_metadata().is_ok()) {
        [false, false] => Ok(None),
        [true, false] => Ok(Some(paths[0].clone())),
        [false, true] => Ok(Some(paths[1].clone())),
        [true, true] => Err(Fault::refused(format!(
            "two configurations in `{}`",
            directory.display()
        ))
        .because("`.builder.yaml` and `.builder.yml` are both there")
        .hint("keep one of them")
        .into()),
    }
}

fn ends_project(directory: &Path) -> bool {
    let workspace = || {
        let bytes = read_bounded(&directory.join("Cargo.toml")).ok()?;
        Some(is_workspace(&String::from_utf8_lossy(&bytes)))
    };
    directory.join(".git").exists() || workspace() == Some(true)
}

/// Whether a Cargo.toml has a `[workspace]` table, also as `[workspace.package]` or, before any table, `workspace.members`.
/// A line scan: comments and multi-line texts are passed over, nothing is checked.
fn is_workspace(manifest: &str) -> bool {
    let mut quotes = None;
    let mut before_tables = true;
    for line in manifest.lines().map(str::trim_start) {
        let inside_text = quotes.is_some();
        quotes = quotes_after(line, quotes);
        let header = line.strip_prefix('[');
        let candidate = header.or(before_tables.then_some(line));
        if !inside_text && candidate.is_some_and(names_workspace) {
            return true;
        }
        before_tables &= inside_text || header.is_none();
    }
    false
}

/// Whether a header without its `[`, or an assignment, is that of `workspace` or of something below it.
fn names_workspace(line: &str) -> bool {
    line.trim_start()
        .strip_prefix("workspace")
        .and_then(|rest| rest.trim_start().chars().next())
        .is_some_and(|next| matches!(next, ']' | '.' | '='))
}

/// The quotes of the multi-line text that is open after `line`.
fn quotes_after(line: &str, open: Option<&'static str>) -> Option<&'static str> {
    let mut open = open;
    let mut rest = line;
    loop {
        let next = match open {
            Some(quotes) => rest.find(quotes).map(|at| (at, quotes)),
            None => (["\"\"\"", "'''"].into_iter())
                .filter_map(|quotes| Some((rest.find(quotes)?, quotes)))
                .filter(|(at, _)| !rest[..*at].contains('#'))
                .min(),
        };
        let Some((at, quotes)) = next else {
            return open;
        };
        rest = &rest[at + quotes.len()..];
        open = if open.is_some() { None } else { Some(quotes) };
    }
}
