//! Linkers for glibc: the base's own libraries, this machine's C compiler, the distribution's cross gcc.
//!
//! rust-lld needs nothing but the toolchain, but cannot link gnu targets alone: they need a start file and libraries.

use anyhow::Result;

use super::Target;
use super::base_linker::{self, BaseLinker};
use super::compiler::{self, Ask};
use super::host_linker::{self, Host};
use super::link::{Linker, linker_variable};
use crate::fault::Fault;

/// The first of: rust-lld with the base's libraries, `cc` for this machine's own triple, rust-lld with this machine's libraries, a cross
/// gcc. Only what the user has not configured is asked here.
pub(super) fn linker(ask: &Ask<'_>) -> Result<Linker> {
    let lacking = match base_linker::choose(ask)? {
        Some(BaseLinker::Program(program)) => {
            let name = "rust-lld against the base's own libraries";
            return Ok(Linker::named(&program, name));
        }
        Some(BaseLinker::Lacking { reason, hint }) => Some((reason, hint)),
        None => None,
    };
    let linker = if ask.target.triple == ask.toolchain.host {
        for_host(ask)?
    } else {
        match cross(ask) {
            Some(linker) => linker,
            None => return Err(no_linker(ask.target, lacking).into()),
        }
    };
    Ok(match lacking {
        Some((reason, hint)) => {
            let parts: Vec<String> = [Some(reason), hint].into_iter().flatten().collect();
            linker.instead(&ask.target.platform, &parts.join("; "))
        }
        None => linker,
    })
}

/// The distribution's gcc for another machine.
fn cross(ask: &Ask<'_>) -> Option<Linker> {
    let program = compiler::cross_gcc(ask.target.triple)?;
    let is_here = ask.toolchain.on_path(program);
    is_here.then(|| Linker::named(program, &format!("`{program}`")))
}

fn for_host(ask: &Ask<'_>) -> Result<Linker> {
    let left = Linker::left_to("`cc`, this machine's own");
    match host_linker::choose(ask.toolchain, ask.site.kits)? {
        // There is no static glibc without a C compiler either.
        Host::Linker(_) if ask.target.is_static => Err(no_cc(ask.target).into()),
        Host::Linker(program) => {
            let name = "rust-lld against this machine's own libraries";
            Ok(Linker::named(&program, name))
        }
        Host::LeftAlone | Host::Lacking(_) => Ok(left),
    }
}

fn no_cc(target: &Target) -> Fault {
    let message = format!("cannot link {} statically with glibc", target.platform);
    let mut fault = Fault::refused(message).because("`cc` is not on PATH");
    if let Some(musl) = target.platform.musl_target() {
        fault = fault.hint(format!("run `rustup target add {musl}`"));
    }
    fault.hint("install a C compiler, on Debian and Ubuntu with `apt install gcc`")
}

fn no_linker(target: &Target, lacking: Option<(String, Option<String>)>) -> Fault {
    let message = format!(
        "cannot link {} with glibc: there is no linker for `{}`",
        target.platform, target.triple
    );
    let mut fault = Fault::refused(message);
    if let Some((reason, hint)) = lacking {
        fault = hint.into_iter().fold(fault.because(reason), Fault::hint);
    }
    if let Some(program) = compiler::cross_gcc(target.triple) {
        fault = fault
            .because(format!("`{program}` is not on PATH"))
            .hint(compiler::install_cross_gcc(program));
    }
    if target.platform.musl_target().is_some() {
        fault = fault.hint("use `libc: musl`, which needs no linker but the toolchain's own");
    }
    let variable = linker_variable(target.triple);
    fault.hint(format!("set `{variable}` to a linker for it"))
}
