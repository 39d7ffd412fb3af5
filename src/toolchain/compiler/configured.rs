//! Compilers that the user configured, found as the cc crate finds them.
//!
//! It asks `CC_<target>` with dashes, then with underscores, then `TARGET_CC` or `HOST_CC`, then `CC`. A bare `CC` is a compiler for
//! this machine, so it counts for the host's own target alone; for any other we name a compiler, and the crate never comes to `CC`.

use std::path::Path;

use super::super::Toolchain;
use super::Ask;
use super::Compiler;
use super::refusal;
use crate::fault::Fault;

/// The user's own compilers, when they are configured for all that is needed. Refused is one that is surely not there.
pub(super) fn all(ask: &Ask<'_>) -> Result<Option<Compiler>, Fault> {
    let name = |tool| names(ask.toolchain, ask.target.triple, tool);
    let c = name("CC");
    let cxx = ask.needs_cxx().then(|| name("CXX")).flatten();
    for variable in [&c, &cxx].into_iter().flatten() {
        look(ask, variable)?;
    }
    let is_all = cxx.is_some() || !ask.needs_cxx();
    Ok(c.filter(|_| is_all).map(|c| Compiler {
        name: format!("what `{c}` names"),
        ..Compiler::default()
    }))
}

/// `compiler` without the variables that the user has set in any spelling.
pub(super) fn spare(ask: &Ask<'_>, mut compiler: Compiler) -> Compiler {
    compiler.variables.retain(|(name, _)| {
        let tool = name.split('_').next().unwrap_or_default();
        names(ask.toolchain, ask.target.triple, tool).is_none()
    });
    compiler
}

/// The variable by which the user named a program as `tool` (`CC`, `AR`) for `target`.
fn names(toolchain: &Toolchain, target: &str, tool: &str) -> Option<String> {
    let own = [
        format!("{tool}_{target}"),
        format!("{tool}_{}", target.replace('-', "_")),
    ];
    let general = match target == toolchain.host {
        true => vec![format!("HOST_{tool}"), tool.to_owned()],
        false => vec![format!("TARGET_{tool}")],
    };
    let mut names = own.into_iter().chain(general);
    names.find(|name| toolchain.variable(name).is_some())
}

/// Refuses a program that is surely not there: cargo would find out after minutes, in the words of a build script.
fn look(ask: &Ask<'_>, variable: &str) -> Result<(), Fault> {
    let toolchain = ask.toolchain;
    let value = toolchain.variable(variable);
    // `force = true` in cargo's configuration would put another one in its place.
    let other = toolchain.settings.variable(variable);
    let value = value.filter(|value| other.is_none_or(|other| other == *value));
    let value = value.and_then(|value| value.to_str());
    let lost = value.and_then(|value| Some((value, lost(toolchain, value.trim())?)));
    match lost {
        Some((value, why)) => Err(refusal::not_there(ask, (variable, value), &why)),
        None => Ok(()),
    }
}

/// Why the program that a value names cannot be found; `None` when it is there, or when nobody can tell.
///
/// The cc crate takes all of a value that is a file, else the first word: the rest are arguments, or what a wrapper runs.
fn lost(toolchain: &Toolchain, value: &str) -> Option<String> {
    let program = value.split_whitespace().next()?;
    let named = match program == value {
        true => String::new(),
        false => format!("`{program}`, "),
    };
    if value.contains(['\'', '"', '\\', '$', '~']) || Path::new(value).exists() {
        return None;
    }
    if program.starts_with('/') {
        let is_lost = !Path::new(program).exists();
        return is_lost.then(|| format!("{named}which is not there"));
    }
    // From the directory of a package that is not known here, or by a PATH that is not ours.
    if program.contains('/') || toolchain.settings.variable("PATH").is_some() {
        return None;
    }
    // rustup puts this directory on the PATH of all that it starts.
    let by_rustup = toolchain.cargo_home.join("bin").join(program);
    let is_lost = !toolchain.on_path(program) && !by_rustup.exists();
    is_lost.then(|| format!("{named}which is not on PATH"))
}
