//! What cargo knows of the user's workspace: packages and their binaries.
//!
//! One `cargo metadata --no-deps` (13 ms) and nothing else: no registry, no lock file, no dependency graph. Paths and names
//! are cargo's own; this file never looks for a `Cargo.toml` by itself and never decides what is built (see `select`).

mod features;
mod packages;
mod select;

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use cargo_metadata::Metadata;
use cargo_metadata::MetadataCommand;

use crate::fault::Fault;
use crate::fault::Kind;
use crate::network::Network;
use crate::process::Call;

pub(crate) use features::Features;
pub(crate) use select::Selected;
pub(crate) use select::Selection;
pub(crate) use select::select;

/// How cargo is called: the same words for `metadata` and `build`, so that both see one workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cargo {
    /// `$CARGO`, or `cargo`.
    pub(crate) program: PathBuf,
    /// Without it cargo gets `--offline`.
    pub(crate) network: Option<Network>,
    /// `--manifest-path`.
    pub(crate) manifest: Option<PathBuf>,
    /// `--target-dir`, absolute; `cargo metadata` does not know this flag, so [`read`] puts it in.
    pub(crate) target_directory: Option<PathBuf>,
    /// `--locked`, `--frozen`, `--config …` in the user's order.
    pub(crate) flags: Vec<String>,
}

impl Cargo {
    /// A call of `subcommand` in `directory` with what every call carries.
    pub(crate) fn call(&self, subcommand: &str, directory: &Path) -> Call {
        let mut call = Call::new(&self.program, directory).arg(subcommand);
        if let Some(manifest) = &self.manifest {
            call = call.arg("--manifest-path").arg(manifest);
        }
        if self.network.is_none() {
            call = call.arg("--offline");
        }
        call.args(&self.flags)
    }

    /// The parsed answer of `cargo metadata` with `arguments`; a failure of cargo carries cargo's own text.
    pub(crate) fn metadata<A: AsRef<str>>(
        &self,
        directory: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Metadata> {
        let arguments = arguments.into_iter().map(|text| text.as_ref().to_owned());
        let call = self
            .call("metadata", directory)
            .args(["--format-version", "1"])
            .args(arguments);
        let output = call.output()?;
        if !output.status.success() {
            return Err(failed(directory, &String::from_utf8_lossy(&output.stderr)).into());
        }
        let text = String::from_utf8(output.stdout).context("cargo's metadata are not UTF-8")?;
        MetadataCommand::parse(text)
            .with_context(|| format!("cannot understand what `{call}` says"))
    }
}

fn failed(directory: &Path, stderr: &str) -> Fault {
    let message = format!("cargo cannot read the workspace at {}", directory.display());
    let said = stderr.trim().trim_start_matches("error: ");
    let fault = Fault::new(Kind::Cargo, message).because(format!("cargo says: {said}"));
    if stderr.contains("could not find `Cargo.toml`") {
        return fault.hint(
            "name a directory that holds a Cargo.toml, such as `rbuild build path/to/package`",
        );
    }
    if stderr.contains("--offline") {
        return fault.hint("run `cargo fetch` once while online");
    }
    fault
}

/// A cargo workspace, which may be a single package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Where cargo puts what it links; artifacts lie at `<target>/<profile>/` below it.
    pub(crate) target_directory: PathBuf,
    /// The members, in cargo's order.
    pub(crate) packages: Vec<Package>,
    /// Ids of the packages that cargo builds at the root when nothing is named.
    pub(crate) default_members: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Package {
    /// Cargo's own id, as artifact messages carry it.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// Where its Cargo.toml lies.
    pub(crate) directory: PathBuf,
    pub(crate) description: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) repository: Option<String>,
    pub(crate) homepage: Option<String>,
    pub(crate) binaries: Vec<Bin>,
    pub(crate) default_run: Option<String>,
    /// Names of the packages that its Cargo.toml depends on, as Cargo.lock spells them.
    pub(crate) dependencies: Vec<String>,
    /// Each feature with what it switches on.
    pub(crate) features: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bin {
    pub(crate) name: String,
    pub(crate) required_features: Vec<String>,
}

/// Reads the workspace that cargo finds from `directory`.
pub(crate) fn read(cargo: &Cargo, directory: &Path) -> Result<Workspace> {
    let mut workspace = of(&cargo.metadata(directory, ["--no-deps"])?)?;
    if let Some(asked) = &cargo.target_directory {
        workspace.target_directory.clone_from(asked);
    }
    Ok(workspace)
}

fn of(metadata: &Metadata) -> Result<Workspace> {
    let id = |id: &cargo_metadata::PackageId| id.repr.clone();
    let members = &metadata.workspace_members;
    let defaults = &metadata.workspace_default_members;
    let defaults = if defaults.is_available() {
        &defaults[..]
    } else {
        members
    };
    let packages = members.iter().map(|member| package(&metadata[member]));
    Ok(Workspace {
        root: metadata.workspace_root.clone().into(),
        target_directory: metadata.target_directory.clone().into(),
        packages: packages.collect::<Result<_>>()?,
        default_members: defaults.iter().map(id).collect(),
    })
}

fn package(from: &cargo_metadata::Package) -> Result<Package> {
    let binaries = from.targets.iter().filter(|target| target.is_bin());
    Ok(Package {
        id: from.id.repr.clone(),
        name: from.name.to_string(),
        version: from.version.to_string(),
        directory: from
            .manifest_path
            .parent()
            .context("a manifest lies nowhere")?
            .into(),
        description: from.description.clone(),
        license: from.license.clone(),
        repository: from.repository.clone(),
        homepage: from.homepage.clone(),
        binaries: binaries.map(binary).collect::<Result<_>>()?,
        default_run: from.default_run.clone(),
        dependencies: from
            .dependencies
            .iter()
            .map(|one| one.name.clone())
            .collect(),
        features: from.features.clone(),
    })
}

/// A binary's name becomes a file name in the image and a part of a reference, so cargo's word is not taken for it.
fn binary(from: &cargo_metadata::Target) -> Result<Bin> {
    let odd = |c: char| c == '/' || c == '\\' || c.is_control();
    if from.name.is_empty() || from.name.starts_with(['.', '-']) || from.name.contains(odd) {
        let message = format!(
            "`{}` cannot be the name of a binary in an image",
            from.name.escape_debug()
        );
        return Err(Fault::refused(message)
            .because(format!(
                "it is the name of a binary target with the source {}",
                from.src_path
            ))
            .hint("rename it in `[[bin]]` of its Cargo.toml")
            .into());
    }
    Ok(Bin {
        name: from.name.clone(),
        required_features: from.required_features.clone(),
    })
}

#[cfg(test)]
mod tests;
