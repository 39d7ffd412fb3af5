//! The C and C++ compilers for a target, needed only where a crate brings such code.
//!
//! A list of strategies, asked in order; the first that can serve the target is taken. What the user configured is used as it is.
//! Never is a glibc gcc chosen for a musl target: it compiles, and then fails to link (`fopen64`, `mmap64`) after minutes. Where
//! nothing fits, the refusal comes before anything compiles.

mod clang;
mod configured;
mod gcc;
mod headers;
mod refusal;
mod zig;

use anyhow::Result;

use super::CNeed;
use super::Target;
use super::Toolchain;
use super::link::Site;

pub(super) use gcc::cross_gcc;
pub(super) use refusal::install_cross_gcc;

/// What a strategy is asked: who compiles `needs` for `target`?
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) toolchain: &'a Toolchain,
    pub(super) target: &'a Target,
    pub(super) needs: &'a [CNeed],
    pub(super) site: Site<'a>,
}

/// What a strategy answers.
enum Answer {
    Serves(Compiler),
    /// The place that it looked in, or why it does not serve: the end of "looked for …".
    Lacks(String),
    /// It has nothing to do with this target.
    Strange,
}

/// A compiler that serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Compiler {
    /// For build scripts, sorted by name; none when they find it by themselves.
    pub(super) variables: Vec<(String, String)>,
    /// What must link then: `None` leaves that to whoever links programs without C.
    pub(super) linker: Option<String>,
    /// Such as `clang with the musl headers of /usr/include/aarch64-linux-musl`.
    pub(super) name: String,
}

/// In the order in which they are tried.
const STRATEGIES: [fn(&Ask<'_>) -> Result<Answer>; 5] = [
    gcc::of_the_host,
    gcc::cross,
    gcc::of_musl,
    clang::with_musl_headers,
    zig::as_compiler,
];

/// Who compiles the C of `ask.needs`: `None` when there is none.
pub(super) fn choose(ask: &Ask<'_>) -> Result<Option<Compiler>> {
    if ask.needs.is_empty() {
        return Ok(None);
    }
    if let Some(compiler) = configured::all(ask)? {
        return Ok(Some(compiler));
    }
    let mut looked = Vec::new();
    for strategy in STRATEGIES {
        match strategy(ask)? {
            Answer::Serves(compiler) => return Ok(Some(configured::spare(ask, compiler))),
            Answer::Lacks(place) => looked.push(place),
            Answer::Strange => {}
        }
    }
    Err(refusal::refusal(ask, &looked).into())
}

impl Ask<'_> {
    fn needs_cxx(&self) -> bool {
        self.needs.iter().any(|need| need.is_cxx)
    }

    /// `CC` for this target: `CC_aarch64_unknown_linux_musl`.
    fn variable(&self, tool: &str) -> String {
        format!("{tool}_{}", self.target.triple.replace('-', "_"))
    }

    /// The variables of the tools that are there, sorted by name.
    fn variables(&self, tools: &[(&str, Option<String>)]) -> Vec<(String, String)> {
        let named = tools
            .iter()
            .filter_map(|(tool, program)| Some((self.variable(tool), program.clone()?)));
        let mut variables: Vec<_> = named.collect();
        variables.sort();
        variables
    }

    fn is_of_hosts_architecture(&self) -> bool {
        let host = &self.toolchain.host;
        let architecture = |triple: &str| triple.split('-').next().map(str::to_owned);
        host.contains("-linux-") && architecture(self.target.triple) == architecture(host)
    }
}
