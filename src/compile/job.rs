//! One cargo call as a value, and which requests share one.
//!
//! Pure. What is equal but for binaries is one call, because cargo then compiles shared dependencies once and unifies features as in
//! `cargo build -p a -p b`. Rustflags are one list per call, so targets that need different ones are built one after the other.

use std::path::PathBuf;

use super::Binary;
use crate::process::Call;
use crate::toolchain;
use crate::toolchain::Link;
use crate::workspace::Cargo;
use crate::workspace::Features;
use crate::workspace::Package;

/// A binary of a package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wanted {
    pub(crate) package_id: String,
    /// `name@version`: a name alone may also be that of a dependency.
    pub(crate) spec: String,
    pub(crate) binary: String,
}

impl Wanted {
    pub(crate) fn new(package: &Package, binary: &str) -> Wanted {
        Wanted {
            package_id: package.id.clone(),
            spec: format!("{}@{}", package.name, package.version),
            binary: binary.to_owned(),
        }
    }

    pub(super) fn is(&self, binary: &Binary) -> bool {
        self.package_id == binary.package_id && self.binary == binary.name
    }
}

/// One `cargo build`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) cargo: Cargo,
    /// Where cargo runs: its configuration and `rust-toolchain.toml` apply.
    pub(crate) directory: PathBuf,
    /// The workspace's, as metadata names it.
    pub(crate) target_directory: PathBuf,
    pub(crate) profile: String,
    pub(crate) features: Features,
    /// More arguments for cargo, as the user gave them.
    pub(crate) flags: Vec<String>,
    /// Variables of the build, as the user gave them.
    pub(crate) env: Vec<(String, String)>,
    pub(crate) wanted: Vec<Wanted>,
    /// All with the same rustflags, see [`group`].
    pub(crate) links: Vec<Link>,
}

/// The cargo call of `job`; printed by `--dry-run`, run by [`super::run`].
pub(crate) fn call(job: &Job) -> Call {
    let mut call = job
        .cargo
        .call("build", &job.directory)
        .arg("--message-format=json-render-diagnostics")
        .arg(format!("--profile={}", job.profile));
    if let Some(directory) = &job.cargo.target_directory {
        call = call.arg("--target-dir").arg(directory);
    }
    let packages = sorted(
        job.wanted
            .iter()
            .map(|wanted| format!("--package={}", wanted.spec)),
    );
    let binaries = sorted(
        job.wanted
            .iter()
            .map(|wanted| format!("--bin={}", wanted.binary)),
    );
    let targets = job
        .links
        .iter()
        .map(|link| format!("--target={}", link.target));
    let call = call.args(packages).args(binaries).args(targets);
    let call = call.args(job.features.flags()).args(&job.flags);
    variables(job)
        .into_iter()
        .fold(call, |call, (name, value)| call.env(name, value))
}

fn sorted(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut arguments: Vec<String> = arguments.collect();
    arguments.sort();
    arguments.dedup();
    arguments
}

/// Ours come last: the user's rustflags are part of the list already, and the linker was looked up before it was chosen.
fn variables(job: &Job) -> Vec<(String, String)> {
    let mut variables = job.env.clone();
    for link in &job.links {
        let linker = toolchain::linker_variable(&link.target);
        variables.extend(link.linker.clone().map(|program| (linker, program)));
        variables.extend(link.variables.clone());
    }
    let rustflags = job.links.first().map(|link| link.rustflags.join("\u{1f}"));
    variables.extend(rustflags.map(|flags| ("CARGO_ENCODED_RUSTFLAGS".to_owned(), flags)));
    variables
}

/// As few cargo calls as possible for `jobs`: first one for each list of rustflags, then equal ones become one.
pub(crate) fn group(jobs: Vec<Job>) -> Vec<Job> {
    let mut groups: Vec<Job> = Vec::new();
    for job in jobs.into_iter().flat_map(|job| by_rustflags(&job)) {
        match groups
            .iter_mut()
            .find(|group| differ_in_wanted_alone(group, &job))
        {
            Some(group) => group.wanted.extend(job.wanted),
            None => groups.push(job),
        }
    }
    for group in &mut groups {
        group.wanted.sort();
        group.wanted.dedup();
    }
    groups
}

fn by_rustflags(job: &Job) -> Vec<Job> {
    let mut parts: Vec<Job> = Vec::new();
    for link in job.links.clone() {
        match parts
            .iter_mut()
            .find(|part| part.links[0].rustflags == link.rustflags)
        {
            Some(part) => part.links.push(link),
            None => parts.push(Job {
                links: vec![link],
                ..job.clone()
            }),
        }
    }
    parts
}

fn differ_in_wanted_alone(one: &Job, other: &Job) -> bool {
    let wanted = other.wanted.clone();
    Job {
        wanted,
        ..one.clone()
    } == *other
}
