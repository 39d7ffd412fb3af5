//! What is said when nobody compiles the C of a program: each crate with its way, every place looked in, and three ways out.

use super::super::link::linker_variable;
use super::Ask;
use super::cross_gcc;
use crate::fault::Fault;

/// The way to get it, as a hint.
pub(in super::super) fn install_cross_gcc(program: &str) -> String {
    let package = program.trim_end_matches("-gcc").replace('_', "-");
    format!("install it, on Debian and Ubuntu with `apt install gcc-{package}`")
}

pub(super) fn refusal(ask: &Ask<'_>, looked: &[String]) -> Fault {
    let languages = languages(ask);
    let outcome = match languages.len() {
        1 => "there is none",
        _ => "nothing here serves both",
    };
    let message = format!(
        "{} compiler for `{}`, and {outcome}",
        languages.join(" compiler and "),
        ask.target.triple
    );
    let mut fault = in_graph(ask, Fault::refused(message));
    for place in looked {
        fault = fault.because(format!("looked for {place}"));
    }
    for program in for_glibc(ask) {
        fault = fault.because(format!(
            "`{program}` is on PATH and is not taken: it compiles for glibc, and what it makes does not link with musl"
        ));
    }
    ways_out(ask).into_iter().fold(fault, Fault::hint)
}

/// A configured compiler that cannot be found: `variable` has `value`, and `why` it does not serve.
pub(super) fn not_there(ask: &Ask<'_>, (variable, value): (&str, &str), why: &str) -> Fault {
    let fault = Fault::refused(format!("`{variable}` is `{value}`, {why}"));
    in_graph(ask, fault).hint(format!(
        "set `{variable}` to a compiler that is on this machine, or unset it: rbuild looks for a compiler then"
    ))
}

/// Each crate with its way.
fn in_graph(ask: &Ask<'_>, fault: Fault) -> Fault {
    ask.needs.iter().fold(fault, |fault, need| {
        fault.because(format!(
            "`{}` is in the graph: {}",
            need.package,
            need.why.join(" → ")
        ))
    })
}

/// For C++, then for C, the crates that need it: `ring` needs a C.
fn languages(ask: &Ask<'_>) -> Vec<String> {
    let of = |(is_cxx, language): (bool, &str)| {
        let needs = ask.needs.iter().filter(|need| need.is_cxx == is_cxx);
        let names: Vec<String> = needs.map(|need| format!("`{}`", need.package)).collect();
        let verb = if names.len() == 1 { "needs" } else { "need" };
        (!names.is_empty()).then(|| format!("{} {verb} a {language}", names.join(", ")))
    };
    let both = [(true, "C++"), (false, "C")].into_iter();
    both.filter_map(of).collect()
}

/// Compilers that are here and look as if they served.
fn for_glibc(ask: &Ask<'_>) -> Vec<&'static str> {
    if !ask.target.is_musl() {
        return Vec::new();
    }
    let cross = ask.target.platform.gnu_target().and_then(cross_gcc);
    let own = ask.is_of_hosts_architecture().then_some("cc");
    let mut programs: Vec<&str> = cross.into_iter().chain(own).collect();
    programs.retain(|program| ask.toolchain.on_path(program));
    programs
}

/// A package of the distribution or zig; the other C library; a compiler of one's own.
fn ways_out(ask: &Ask<'_>) -> [String; 3] {
    [install(ask), other_libc(ask), own(ask)]
}

fn install(ask: &Ask<'_>) -> String {
    let cxx = ask.needs_cxx();
    if ask.target.triple == ask.toolchain.host {
        let package = if cxx { "g++" } else { "gcc" };
        return format!("install a compiler, on Debian and Ubuntu with `apt install {package}`");
    }
    if !ask.target.is_musl() {
        let gcc = cross_gcc(ask.target.triple);
        return match gcc {
            Some(gcc) if cxx => {
                install_cross_gcc(gcc).replace("`apt install gcc-", "`apt install g++-")
            }
            Some(gcc) => install_cross_gcc(gcc),
            None => "use `libc: musl`".to_owned(),
        };
    }
    if ask.is_of_hosts_architecture() && !cxx {
        return "install musl's, on Debian and Ubuntu with `apt install musl-tools`".to_owned();
    }
    "install zig, which compiles for every platform: `pip install ziglang`".to_owned()
}

fn other_libc(ask: &Ask<'_>) -> String {
    let gcc = ask.target.platform.gnu_target().and_then(cross_gcc);
    match gcc {
        _ if !ask.target.is_musl() && ask.target.platform.musl_target().is_some() => {
            "use `libc: musl`, for which `pip install ziglang` is enough".to_owned()
        }
        Some(gcc) if ask.target.is_musl() && !ask.is_of_hosts_architecture() => {
            format!("use `libc: gnu` and a base image with glibc; it is linked with `{gcc}`")
        }
        _ if ask.target.is_musl() => "use `libc: gnu` and a base image with glibc".to_owned(),
        _ => "replace the crate or switch off the feature that brings it in".to_owned(),
    }
}

fn own(ask: &Ask<'_>) -> String {
    if ask.needs_cxx() {
        return format!(
            "set `{}` and `{}` to compilers for this target, and `{}` to a linker that knows their C++ library",
            ask.variable("CC"),
            ask.variable("CXX"),
            linker_variable(ask.target.triple),
        );
    }
    format!(
        "set `{}` to a C compiler for this target",
        ask.variable("CC")
    )
}
