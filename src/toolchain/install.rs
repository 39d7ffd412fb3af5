//! Rust targets that are not installed: what a run needs and the toolchain lacks, all of it at once, and the one command that mends it.
//!
//! The only file that runs rustup, and only for `--install-targets`. Never is a toolchain or rustup itself installed or updated.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Target;
use super::Toolchain;
use super::link;
use crate::config::Libc;
use crate::fault::Fault;
use crate::platform::Platform;
use crate::process::Call;

/// What one toolchain lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// Where the toolchain serves: rustup looks for `rust-toolchain.toml` from there.
    directory: PathBuf,
    sysroot: PathBuf,
    /// The name of the toolchain, where a file pins one and rustup elsewhere would mean another.
    pinned: Option<String>,
    /// Each target with its platform and the directory that is not there.
    targets: Vec<(Platform, &'static str, PathBuf)>,
}

/// The targets of `platforms` that are not installed; `None` when all are. Refused is a platform that rustup has no target for.
pub(crate) fn missing(
    toolchain: &Toolchain,
    platforms: &[Platform],
    libc: Libc,
) -> Result<Option<Missing>> {
    let wanted = platforms
        .iter()
        .map(|platform| link::wanted(toolchain, platform, libc));
    let mut wanted: Vec<Target> = wanted.collect::<Result<_>>()?;
    wanted.retain(|target| !toolchain.has(target.triple));
    Ok((!wanted.is_empty()).then(|| Missing::of(toolchain, &wanted)))
}

impl Missing {
    pub(super) fn of(toolchain: &Toolchain, targets: &[Target]) -> Missing {
        let one = |target: &Target| {
            let place = toolchain.libraries(target.triple);
            (target.platform.clone(), target.triple, place)
        };
        Missing {
            directory: toolchain.directory.clone(),
            sysroot: toolchain.sysroot.clone(),
            pinned: pinned(toolchain),
            targets: targets.iter().map(one).collect(),
        }
    }

    /// Whether it is the same toolchain.
    pub(crate) fn is_of(&self, other: &Missing) -> bool {
        self.sysroot == other.sysroot
    }

    pub(crate) fn add(&mut self, other: Missing) {
        for one in other.targets {
            if !self.targets.contains(&one) {
                self.targets.push(one);
            }
        }
    }

    fn triples(&self) -> Vec<&'static str> {
        let mut triples: Vec<&str> = Vec::new();
        for (_, triple, _) in &self.targets {
            if !triples.contains(triple) {
                triples.push(triple);
            }
        }
        triples
    }

    fn platforms(&self) -> Vec<String> {
        self.targets
            .iter()
            .map(|(platform, ..)| platform.to_string())
            .collect()
    }

    /// What a person runs to bring them.
    pub(crate) fn command(&self) -> String {
        format!("run `rustup {}`", self.arguments().join(" "))
    }

    fn arguments(&self) -> Vec<String> {
        let pinned = self.pinned.iter().flat_map(|name| ["--toolchain", name]);
        let words = ["target", "add"]
            .into_iter()
            .chain(self.triples())
            .chain(pinned);
        words.map(str::to_owned).collect()
    }
}

/// The name of the toolchain, if a file near the project pins it.
fn pinned(toolchain: &Toolchain) -> Option<String> {
    let files = ["rust-toolchain.toml", "rust-toolchain"];
    let pins = |directory: &Path| files.iter().any(|file| directory.join(file).is_file());
    let is_pinned = toolchain.directory.ancestors().any(pins);
    let name = toolchain.sysroot.file_name()?.to_str()?;
    is_pinned.then(|| name.to_owned())
}

/// The refusal: every target that is missing, and one command for each toolchain.
pub(crate) fn not_installed(missing: &[Missing]) -> Fault {
    let join = |words: Vec<String>| words.join(", ");
    let platforms = join(missing.iter().flat_map(Missing::platforms).collect());
    let triples: Vec<&str> = missing.iter().flat_map(Missing::triples).collect();
    let named = join(triples.iter().map(|triple| format!("`{triple}`")).collect());
    let subject = match triples.len() {
        1 => format!("the rust target {named} is not installed"),
        _ => format!("the rust targets {named} are not installed"),
    };
    let mut fault = Fault::refused(format!("cannot compile for {platforms}: {subject}"));
    for (_, _, place) in missing.iter().flat_map(|one| &one.targets) {
        fault = fault.because(format!("there is no {}", place.display()));
    }
    for one in missing {
        fault = fault.hint(one.command());
    }
    fault.hint("or add `--install-targets`, which runs that")
}

/// Runs `rustup target add` for what is missing; what it says goes to standard error.
pub(crate) fn install(missing: &Missing) -> Result<()> {
    let call = Call::new("rustup", &missing.directory).args(missing.arguments());
    let status = call.lines(|_| Ok(()))?;
    let is_here = missing.targets.iter().all(|(_, _, place)| place.is_dir());
    if status.success() && is_here {
        return Ok(());
    }
    let message = format!("rustup did not install {}", missing.triples().join(", "));
    Err(Fault::refused(message)
        .because(format!("`{call}` ended with {status}"))
        .hint("see what it says above; not every toolchain has every target, and `libc: gnu` needs another one")
        .into())
}
