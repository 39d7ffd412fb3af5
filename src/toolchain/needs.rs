//! Which crates bring C code for a target: a prediction, made before a five-minute compile fails.
//!
//! A look into Cargo.lock answers for most programs. Else the graph is asked for, for this one target (without the filter cargo wants crates of
//! platforms that this machine never downloads), and only packages that run on the target count: what build scripts and
//! procedural macros need, they need for the host. `links` alone says nothing: rayon-core has it and no C.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use cargo_metadata::DependencyKind;
use cargo_metadata::Metadata;
use cargo_metadata::Node;
use cargo_metadata::NodeDep;
use cargo_metadata::Package;
use cargo_metadata::PackageId;
use serde_json::Value;
use serde_json::json;

use super::Target;
use super::Toolchain;
use crate::digest::Digest;
use crate::json;
use crate::store::Store;
use crate::workspace::Features;
use crate::workspace::Workspace;

/// What a build script depends on when it compiles or looks for C code. Cargo.lock names one of the first six wherever another is.
const TOOLS: [&str; 8] = [
    "cc",
    "cmake",
    "bindgen",
    "pkg-config",
    "autotools",
    "openssl-src",
    "cxx-build",
    "system-deps",
];

/// Crates that are C++ or bring some, as far as their dependencies do not say so.
const CXX: [&str; 24] = [
    "boring-sys",
    "cxx",
    "esaxx-rs",
    "grpcio-sys",
    "highs-sys",
    "ggml-sys",
    "libduckdb-sys",
    "librocksdb-sys",
    "link-cplusplus",
    "llama-cpp-sys-2",
    "opencv",
    "or-tools-sys",
    "protobuf-src",
    "sentencepiece-sys",
    "shaderc-sys",
    "snmalloc-sys",
    "spirv_cross",
    "tesseract-sys",
    "tree-sitter-cpp-sys",
    "v8",
    "whisper-rs-sys",
    "z3-sys",
    "zeromq-src",
    "zmq-sys",
];
/// What a crate depends on, in its build script or otherwise, that compiles C++ or links its library.
const CXX_TOOLS: [&str; 2] = ["cxx-build", "link-cplusplus"];

/// Depends on `cc` and calls it for Android alone.
const NEVER_ON_LINUX: [&str; 1] = ["backtrace"];

/// The kind of the records of answers; another number when what they hold changes.
const RECORDS: &str = "c-needs-3";

/// What a build script says to `cc` for C++.
const CXX_WORD: &str = ".cpp(true)";

/// A crate that needs a C compiler for the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CNeed {
    pub(crate) package: String,
    /// The way to it through the graph: `web`, `reqwest`, `rustls`, `ring`.
    pub(crate) why: Vec<String>,
    /// Whether it is C++, which needs a library of its own when it is linked.
    pub(crate) is_cxx: bool,
}

impl CNeed {
    /// A reason: by whom it is compiled.
    pub(super) fn told(&self, compiler: &str) -> String {
        let language = if self.is_cxx { "C++" } else { "C" };
        format!(
            "{language} code of `{}` ({}) is compiled by {compiler}",
            self.package,
            self.why.join(" → ")
        )
    }
}

/// For which program the prediction is made.
pub(crate) struct Question<'a> {
    pub(crate) workspace: &'a Workspace,
    /// Ids of the selected packages.
    pub(crate) packages: Vec<String>,
    pub(crate) features: &'a Features,
    /// Where answers are remembered.
    pub(crate) memory: &'a Store,
}

/// The crates that need C for `target`, sorted by name.
pub(crate) fn c_needs(
    toolchain: &Toolchain,
    question: &Question<'_>,
    target: &Target,
) -> Result<Vec<CNeed>> {
    let root = &question.workspace.root;
    let Ok(lock) = fs::read(root.join("Cargo.lock")) else {
        return ask(toolchain, question, target);
    };
    let text = String::from_utf8_lossy(&lock);
    if is_current(&text, question.workspace) && !may_need_c(&text) {
        return Ok(Vec::new());
    }
    if has_strangers(&text, question.workspace) {
        return ask(toolchain, question, target);
    }
    let key = key(&lock, question, target);
    if let Some(known) = question
        .memory
        .record(RECORDS, &key)
        .and_then(|value| from_value(&value))
    {
        return Ok(known);
    }
    let needs = ask(toolchain, question, target)?;
    // A memory that cannot be written costs 100 ms the next time and nothing else.
    let _ = question.memory.remember(RECORDS, &key, &to_value(&needs));
    Ok(needs)
}

/// Whether a lock file names a package that build scripts use for C.
pub(super) fn may_need_c(lock: &str) -> bool {
    locked(lock).any(|name| TOOLS.contains(&name))
}

/// Whether a lock file knows every dependency of the workspace. One that was added since it was written may bring C.
pub(super) fn is_current(lock: &str, workspace: &Workspace) -> bool {
    let locked: BTreeSet<&str> = locked(lock).collect();
    let mut packages = workspace.packages.iter();
    packages.all(|package| {
        package
            .dependencies
            .iter()
            .all(|name| locked.contains(name.as_str()))
    })
}

/// Whether a lock file names packages by path that are no members. Their manifests turn features on and off, and we do not know where they
/// lie: an answer cannot be remembered.
fn has_strangers(lock: &str, workspace: &Workspace) -> bool {
    let all = lock.split("[[package]]").skip(1);
    let by_path = all.filter(|package| !package.contains("\nsource = "));
    by_path.count() > workspace.packages.len()
}

/// The names of the packages in a lock file.
pub(super) fn locked(lock: &str) -> impl Iterator<Item = &str> {
    lock.lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
}

fn key(lock: &[u8], question: &Question<'_>, target: &Target) -> Digest {
    let file = |directory: &Path, name: &str| {
        let bytes = fs::read(directory.join(name)).ok()?;
        Some(Digest::of(&bytes).hex())
    };
    let read = |directory: &Path| ["Cargo.toml", "build.rs"].map(|name| file(directory, name));
    let workspace = question.workspace;
    let directories = workspace
        .packages
        .iter()
        .map(|package| package.directory.as_path());
    let files = directories.chain([workspace.root.as_path()]).map(read);
    let mut packages: Vec<&str> = question
        .packages
        .iter()
        .map(|id| id.rsplit('/').next().unwrap_or(id))
        .collect();
    packages.sort_unstable();
    Digest::of(&json::canonical(&json!({
        "lock": Digest::of(lock).hex(),
        "files": files.collect::<Vec<_>>(),
        "packages": packages,
        "target": target.triple,
        "features": question.features.flags(),
    })))
}

fn ask(toolchain: &Toolchain, question: &Question<'_>, target: &Target) -> Result<Vec<CNeed>> {
    let mut arguments = vec!["--filter-platform".to_owned(), target.triple.to_owned()];
    arguments.extend(question.features.flags());
    let metadata = toolchain.cargo.metadata(&toolchain.directory, arguments)?;
    walk(&metadata, &question.packages)
}

/// Breadth first, so that the way to each crate is a shortest one.
pub(super) fn walk(metadata: &Metadata, roots: &[String]) -> Result<Vec<CNeed>> {
    let resolve = metadata
        .resolve
        .as_ref()
        .context("cargo's metadata hold no dependency graph")?;
    let nodes: BTreeMap<&PackageId, &Node> =
        resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let is_root = |node: &&Node| roots.contains(&node.id.repr);
    let mut parents: BTreeMap<&PackageId, Option<&PackageId>> = BTreeMap::new();
    let mut queue: VecDeque<&Node> = resolve.nodes.iter().filter(is_root).collect();
    parents.extend(queue.iter().map(|node| (&node.id, None)));
    let mut needs = Vec::new();
    while let Some(node) = queue.pop_front() {
        if compiles_c(metadata, node) {
            needs.push(CNeed {
                package: metadata[&node.id].name.to_string(),
                why: way(metadata, &parents, &node.id),
                is_cxx: is_cxx(metadata, node),
            });
        }
        for next in node
            .deps
            .iter()
            .filter(|edge| runs_on_target(metadata, edge))
        {
            if !parents.contains_key(&next.pkg) {
                parents.insert(&next.pkg, Some(&node.id));
                queue.extend(nodes.get(&next.pkg));
            }
        }
    }
    needs.sort_by(|one, other| (&one.package, &one.why).cmp(&(&other.package, &other.why)));
    Ok(needs)
}

fn is_of(edge: &NodeDep, kind: DependencyKind) -> bool {
    edge.dep_kinds
        .iter()
        .any(|dependency| dependency.kind == kind)
}

fn runs_on_target(metadata: &Metadata, edge: &NodeDep) -> bool {
    let is_macro = metadata[&edge.pkg]
        .targets
        .iter()
        .any(cargo_metadata::Target::is_proc_macro);
    is_of(edge, DependencyKind::Normal) && !is_macro
}

fn compiles_c(metadata: &Metadata, node: &Node) -> bool {
    let uses = |edge: &NodeDep| {
        is_of(edge, DependencyKind::Build) && TOOLS.contains(&metadata[&edge.pkg].name.as_str())
    };
    let spared = NEVER_ON_LINUX.contains(&metadata[&node.id].name.as_str());
    !spared && node.deps.iter().any(uses)
}

fn is_cxx(metadata: &Metadata, node: &Node) -> bool {
    let name = |id: &PackageId| metadata[id].name.to_string();
    let mut edges = node.deps.iter();
    CXX.contains(&name(&node.id).as_str())
        || edges.any(|edge| CXX_TOOLS.contains(&name(&edge.pkg).as_str()))
        || says_cxx(&metadata[&node.id])
}

/// Whether the user's own build script compiles C++. Those of published crates may say so for another system alone, as mimalloc's does.
fn says_cxx(package: &Package) -> bool {
    let mut scripts = package.targets.iter();
    let script = scripts.find(|target| target.is_custom_build());
    let text = script.and_then(|script| fs::read_to_string(&script.src_path).ok());
    package.source.is_none() && text.is_some_and(|text| text.contains(CXX_WORD))
}

fn way(
    metadata: &Metadata,
    parents: &BTreeMap<&PackageId, Option<&PackageId>>,
    to: &PackageId,
) -> Vec<String> {
    let steps = std::iter::successors(Some(to), |id| parents.get(id).copied().flatten());
    let mut names: Vec<String> = steps.map(|id| metadata[id].name.to_string()).collect();
    names.reverse();
    names
}

pub(super) fn to_value(needs: &[CNeed]) -> Value {
    let one = |need: &CNeed| json!({"package": need.package, "why": need.why, "cxx": need.is_cxx});
    needs.iter().map(one).collect()
}

/// `None` when the record is not what [`to_value`] writes.
pub(super) fn from_value(value: &Value) -> Option<Vec<CNeed>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let one = |need: &Value| {
        Some(CNeed {
            package: text(&need["package"])?,
            why: need["why"]
                .as_array()?
                .iter()
                .map(text)
                .collect::<Option<_>>()?,
            is_cxx: need["cxx"].as_bool()?,
        })
    };
    value.as_array()?.iter().map(one).collect()
}
