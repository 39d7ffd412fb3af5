//! Compilers that the user configured, found as the cc crate finds them.
//!
//! It asks `CC_<target>` with dashes, then with underscores, then `TARGET_CC` or `HOST_CC`, then `CC`. A bare `CC` is a compiler for
//! this machine, so it counts for the host's own target alone; for any other we name a compiler, and the crate never comes to `CC`.

use super::super::Toolchain;
use super::Ask;
use super::Compiler;

/// The user's own compilers, when they are there for all that is needed.
pub(super) fn all(ask: &Ask<'_>) -> Option<Compiler> {
    let (toolchain, target) = (ask.toolchain, ask.target.triple);
    let c = names(toolchain, target, "CC")?;
    if ask.needs_cxx() {
        names(toolchain, target, "CXX")?;
    }
    Some(Compiler {
        name: format!("what `{c}` names"),
        ..Compiler::default()
    })
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
