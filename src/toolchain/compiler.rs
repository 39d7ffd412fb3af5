//! The C compiler for a target, needed only where a crate brings C code.
//!
//! What the user configured is used as it is. Never is a glibc gcc chosen for a musl target: it compiles, and then fails to link
//! (`fopen64`, `mmap64`) after minutes. Where nothing fits, the refusal comes before anything compiles.

use anyhow::Result;

use super::CNeed;
use super::Target;
use super::Toolchain;
use crate::fault::Fault;

/// Each target with the prefix of the cross gcc for glibc and of the one for musl, as distributions name them.
/// Debian's `arm-linux-gnueabihf` is ARMv7, so ARMv6 has none.
const CROSS: [(&str, &str); 14] = [
    ("x86_64-unknown-linux-gnu", "x86_64-linux-gnu-gcc"),
    ("aarch64-unknown-linux-gnu", "aarch64-linux-gnu-gcc"),
    ("armv7-unknown-linux-gnueabihf", "arm-linux-gnueabihf-gcc"),
    ("i686-unknown-linux-gnu", "i686-linux-gnu-gcc"),
    ("riscv64gc-unknown-linux-gnu", "riscv64-linux-gnu-gcc"),
    ("powerpc64le-unknown-linux-gnu", "powerpc64le-linux-gnu-gcc"),
    ("s390x-unknown-linux-gnu", "s390x-linux-gnu-gcc"),
    ("x86_64-unknown-linux-musl", "x86_64-linux-musl-gcc"),
    ("aarch64-unknown-linux-musl", "aarch64-linux-musl-gcc"),
    (
        "armv7-unknown-linux-musleabihf",
        "armv7l-linux-musleabihf-gcc",
    ),
    ("arm-unknown-linux-musleabihf", "arm-linux-musleabihf-gcc"),
    ("i686-unknown-linux-musl", "i686-linux-musl-gcc"),
    ("riscv64gc-unknown-linux-musl", "riscv64-linux-musl-gcc"),
    (
        "powerpc64le-unknown-linux-musl",
        "powerpc64le-linux-musl-gcc",
    ),
];

/// The distribution's gcc that compiles and links for `target`.
pub(super) fn cross_gcc(target: &str) -> Option<&'static str> {
    let row = CROSS.iter().find(|(triple, _)| *triple == target);
    row.map(|(_, program)| *program)
}

/// The way to get it, as a hint.
pub(super) fn install_cross_gcc(program: &str) -> String {
    let package = program.trim_end_matches("-gcc").replace('_', "-");
    format!("install it, on Debian and Ubuntu with `apt install gcc-{package}`")
}

/// The variables that name a compiler to build scripts: none when none is needed, or when they find the right one by themselves.
pub(super) fn choose(
    toolchain: &Toolchain,
    target: &Target,
    needs: &[CNeed],
) -> Result<Vec<(String, String)>> {
    if needs.is_empty() || is_configured(toolchain, target.triple) {
        return Ok(Vec::new());
    }
    if target.triple == toolchain.host && toolchain.on_path("cc") {
        return Ok(Vec::new());
    }
    let variable = format!("CC_{}", target.triple.replace('-', "_"));
    let at_hand = candidates(toolchain, target)
        .into_iter()
        .find(|program| toolchain.on_path(program));
    match at_hand {
        Some(program) => Ok(vec![(variable, program.to_owned())]),
        None => Err(refusal(toolchain, target, needs).into()),
    }
}

/// As the cc crate looks for it; a bare `CC` counts for the host alone, because it is the host's compiler.
fn is_configured(toolchain: &Toolchain, target: &str) -> bool {
    let own = [
        format!("CC_{target}"),
        format!("CC_{}", target.replace('-', "_")),
    ];
    let general: &[&str] = if target == toolchain.host {
        &["HOST_CC", "CC"]
    } else {
        &["TARGET_CC"]
    };
    let mut names = own
        .iter()
        .map(String::as_str)
        .chain(general.iter().copied());
    names.any(|name| toolchain.variable(name).is_some())
}

fn candidates(toolchain: &Toolchain, target: &Target) -> Vec<&'static str> {
    let mut programs: Vec<&str> = cross_gcc(target.triple).into_iter().collect();
    if target.is_musl() && is_hosts_architecture(toolchain, target.triple) {
        programs.push("musl-gcc");
    }
    programs
}

fn is_hosts_architecture(toolchain: &Toolchain, target: &str) -> bool {
    let architecture = |triple: &str| triple.split('-').next().map(str::to_owned);
    toolchain.host.contains("-linux-") && architecture(target) == architecture(&toolchain.host)
}

fn refusal(toolchain: &Toolchain, target: &Target, needs: &[CNeed]) -> Fault {
    let names: Vec<String> = needs
        .iter()
        .map(|need| format!("`{}`", need.package))
        .collect();
    let verb = if names.len() == 1 { "needs" } else { "need" };
    let message = format!(
        "{} {verb} a C compiler for `{}`, and there is none",
        names.join(", "),
        target.triple
    );
    let mut fault = Fault::refused(message);
    for need in needs {
        fault = fault.because(format!(
            "`{}` is in the graph: {}",
            need.package,
            need.why.join(" → ")
        ));
    }
    let looked: Vec<String> = candidates(toolchain, target)
        .iter()
        .map(|program| format!("`{program}`"))
        .collect();
    if !looked.is_empty() {
        fault = fault.because(format!("looked on PATH for {}", looked.join(" and ")));
    }
    ways_out(toolchain, target)
        .into_iter()
        .fold(fault, Fault::hint)
}

fn ways_out(toolchain: &Toolchain, target: &Target) -> Vec<String> {
    let cross = cross_gcc(target.triple);
    let variable = format!("CC_{}", target.triple.replace('-', "_"));
    let install = match cross {
        _ if target.triple == toolchain.host => {
            Some("install a C compiler, on Debian and Ubuntu with `apt install gcc`".to_owned())
        }
        _ if target.is_musl() && is_hosts_architecture(toolchain, target.triple) => {
            Some("install musl's, on Debian and Ubuntu with `apt install musl-tools`".to_owned())
        }
        Some(program) if target.is_musl() => {
            Some(format!("put a musl cross compiler on PATH as `{program}`"))
        }
        Some(program) => Some(install_cross_gcc(program)),
        None => None,
    };
    let glibc = match target.platform.gnu_target().and_then(cross_gcc) {
        _ if !target.is_musl() => None,
        Some(program) if !is_hosts_architecture(toolchain, target.triple) => Some(format!(
            "use `libc: gnu` and a base image with glibc; it is linked with `{program}`"
        )),
        _ => Some("use `libc: gnu` and a base image with glibc".to_owned()),
    };
    let set = Some(format!("set `{variable}` to a C compiler for this target"));
    let without = Some("replace the crate or switch off the feature that brings it in".to_owned());
    [install, glibc, set, without]
        .into_iter()
        .flatten()
        .take(3)
        .collect()
}
