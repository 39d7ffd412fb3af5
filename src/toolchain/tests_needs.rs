//! Which crates need C, told from lock files and graphs.

use super::needs::*;
use super::tests::*;
use super::*;

use std::fs;

use cargo_metadata::Metadata;
use serde_json::Value;
use serde_json::json;

use crate::config::Libc;
use crate::notes::Notes;
use crate::store::Store;
use crate::workspace::Features;
use crate::workspace::Package;
use crate::workspace::Workspace;

/// A dependency graph from lines `package: dependency dependency=build other=dev`; a package named `*_macro` is a procedural macro.
fn graph(lines: &[&str]) -> Metadata {
    let rows: Vec<(&str, Vec<&str>)> = lines
        .iter()
        .map(|line| {
            line.split_once(':')
                .expect("a package and its dependencies")
        })
        .map(|(name, dependencies)| (name, dependencies.split_whitespace().collect()))
        .collect();
    let packages = rows.iter().map(|(name, _)| package(name));
    let nodes = rows.iter().map(|(name, dependencies)| {
        let edges = dependencies.iter().map(|dependency| edge(dependency));
        json!({"id": id(name), "dependencies": [], "deps": edges.collect::<Vec<_>>(), "features": []})
    });
    let metadata = json!({
        "packages": packages.collect::<Vec<_>>(),
        "resolve": {"nodes": nodes.collect::<Vec<_>>(), "root": null},
        "workspace_members": [], "workspace_root": "/ws", "target_directory": "/ws/target", "version": 1, "metadata": null,
    });
    serde_json::from_value(metadata).expect("metadata")
}

fn id(name: &str) -> String {
    format!("path+file:///ws/{name}#1.0.0")
}

fn package(name: &str) -> Value {
    let kind = if name.ends_with("_macro") {
        "proc-macro"
    } else {
        "lib"
    };
    json!({
        "name": name, "version": "1.0.0", "id": id(name), "manifest_path": format!("/ws/{name}/Cargo.toml"), "features": {},
        "dependencies": [], "edition": "2024",
        "targets": [{"kind": [kind], "crate_types": [kind], "name": name, "src_path": "/ws/lib.rs", "edition": "2024"}],
    })
}

fn edge(text: &str) -> Value {
    let (name, kind) = text.split_once('=').unwrap_or((text, ""));
    let kind = if kind.is_empty() {
        Value::Null
    } else {
        Value::from(kind)
    };
    json!({"name": name, "pkg": id(name), "dep_kinds": [{"kind": kind, "target": null}]})
}

/// The ways to the crates that need C, from the package `web`.
fn ways(lines: &[&str]) -> Vec<String> {
    let needs = walk(&graph(lines), &[id("web")]).expect("a graph");
    needs.iter().map(|need| need.why.join(" → ")).collect()
}

#[test]
fn a_crate_whose_build_script_uses_a_c_tool_is_named_with_its_way_through_the_graph() {
    let lines = [
        "web: reqwest",
        "reqwest: rustls",
        "rustls: ring",
        "ring: cc=build",
        "cc:",
    ];
    assert_eq!(ways(&lines), ["web → reqwest → rustls → ring"]);
    for tool in [
        "cmake",
        "bindgen",
        "pkg-config",
        "autotools",
        "openssl-src",
        "cxx-build",
        "system-deps",
    ] {
        let lines = [
            "web: sys".to_owned(),
            format!("sys: {tool}=build"),
            format!("{tool}:"),
        ];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(ways(&lines), ["web → sys"], "{tool}");
    }
}

#[test]
fn cxx_is_told_from_c_by_what_a_crate_depends_on_and_by_its_name() {
    let lines = [
        "web: ring bridge librocksdb-sys linked",
        "ring: cc=build",
        "bridge: cxx-build=build",
        "librocksdb-sys: cc=build",
        "linked: link-cplusplus cc=build",
        "link-cplusplus: cc=build",
        "cxx-build:",
        "cc:",
    ];
    let needs = walk(&graph(&lines), &[id("web")]).expect("a graph");
    let told: Vec<(&str, bool)> = needs
        .iter()
        .map(|need| (need.package.as_str(), need.is_cxx))
        .collect();
    let wanted = [
        ("bridge", true),
        ("librocksdb-sys", true),
        ("link-cplusplus", true),
        ("linked", true),
        ("ring", false),
    ];
    assert_eq!(told, wanted);
}

#[test]
fn the_shortest_way_is_told_and_each_crate_once() {
    let lines = [
        "web: a b ring",
        "a: ring",
        "b: zstd-sys",
        "ring: cc=build",
        "zstd-sys: cc=build pkg-config=build",
        "cc:",
        "pkg-config:",
    ];
    assert_eq!(ways(&lines), ["web → ring", "web → b → zstd-sys"]);
}

#[test]
fn the_selected_package_itself_may_compile_c() {
    assert_eq!(ways(&["web: cc=build", "cc:"]), ["web"]);
}

#[test]
fn c_that_runs_on_the_host_does_not_count() {
    let lines = [
        "web: derive_macro git2=build test-tool=dev",
        "derive_macro: ring",
        "git2: ring",
        "test-tool: ring",
        "ring: cc=build",
        "cc:",
    ];
    assert!(ways(&lines).is_empty());
}

#[test]
fn a_program_that_ships_a_c_tool_as_a_library_needs_none() {
    assert!(ways(&["web: cc", "cc:"]).is_empty());
}

#[test]
fn backtrace_calls_its_compiler_for_android_alone() {
    assert!(ways(&["web: backtrace", "backtrace: cc=build", "cc:"]).is_empty());
}

#[test]
fn only_selected_packages_are_walked_and_circles_end() {
    let lines = [
        "web: a",
        "a: b",
        "b: a",
        "other: ring",
        "ring: cc=build",
        "cc:",
    ];
    assert!(ways(&lines).is_empty());
}

#[test]
fn a_lock_file_tells_whether_c_is_possible_at_all() {
    let lock = |name: &str| {
        format!(
            "version = 4\n\n[[package]]\nname = \"web\"\ndependencies = [\n \"{name}\",\n]\n\n[[package]]\nname = \"{name}\"\n"
        )
    };
    for name in [
        "cc",
        "cmake",
        "bindgen",
        "pkg-config",
        "autotools",
        "openssl-src",
    ] {
        assert!(may_need_c(&lock(name)), "{name}");
    }
    for name in ["cc-not", "acc", "rayon-core", "bindgen-cli"] {
        assert!(!may_need_c(&lock(name)), "{name}");
    }
    assert!(!may_need_c(""));
}

/// A workspace of two path packages where `web` depends on `sys`, whose build script depends on a local package called `cc`.
fn workspace(machine: &Machine) -> Workspace {
    let manifest = |name: &str, rest: &str| {
        format!("[package]\nname = '{name}'\nversion = '1.0.0'\nedition = '2021'\n{rest}")
    };
    let root = "[workspace]\nmembers = ['sys', 'cc']\n[dependencies]\nsys = { path = 'sys', optional = true }\n[features]\ntls = ['sys']\n";
    machine.file("workspace/Cargo.toml", &manifest("web", root));
    machine.file("workspace/src/main.rs", "fn main() {}\n");
    machine.file(
        "workspace/sys/Cargo.toml",
        &manifest("sys", "[build-dependencies]\ncc = { path = '../cc' }\n"),
    );
    machine.file("workspace/sys/src/lib.rs", "");
    machine.file("workspace/cc/Cargo.toml", &manifest("cc", ""));
    machine.file("workspace/cc/src/lib.rs", "");
    crate::workspace::read(&cargo(), &machine.path("workspace")).expect("a workspace")
}

/// What is predicted for `web` on the host's glibc.
fn predicted(machine: &Machine, workspace: &Workspace, features: &[&str]) -> Vec<CNeed> {
    let toolchain = machine.toolchain(&[]);
    let target = target(&toolchain, &platform("linux/amd64"), Libc::Gnu).expect("a target");
    let is_web = |package: &&Package| package.name == "web";
    let web = workspace.packages.iter().find(is_web).expect("a member");
    let question = Question {
        workspace,
        packages: vec![web.id.clone()],
        features: &Features {
            names: features.iter().map(|name| (*name).to_owned()).collect(),
            ..Features::default()
        },
        memory: &Store::cache(&machine.path("memory"), &Notes::recorded()).expect("a store"),
    };
    c_needs(&toolchain, &question, &target).expect("an answer")
}

#[test]
fn real_cargo_is_asked_for_the_graph_with_the_features_of_the_build() {
    let machine = Machine::with(&[X86_GNU]);
    let workspace = workspace(&machine);
    assert!(predicted(&machine, &workspace, &[]).is_empty());
    let needs = predicted(&machine, &workspace, &["tls"]);
    assert_eq!(
        needs,
        [CNeed {
            package: "sys".to_owned(),
            why: ["web", "sys"].map(str::to_owned).to_vec(),
            is_cxx: false,
        }]
    );
}

#[test]
fn an_answer_is_remembered_until_lock_or_manifests_change() {
    let machine = Machine::with(&[X86_GNU]);
    let workspace = workspace(&machine);
    let first = predicted(&machine, &workspace, &["tls"]);
    assert_eq!(first.len(), 1, "the first question writes the lock file");
    assert_eq!(predicted(&machine, &workspace, &["tls"]), first);
    let library = machine.path("workspace/sys/src/lib.rs");
    fs::remove_file(&library).expect("removed");
    assert_eq!(
        predicted(&machine, &workspace, &["tls"]),
        first,
        "without asking cargo, which would fail now"
    );
    fs::write(&library, "").expect("written");
    machine.file(
        "workspace/sys/Cargo.toml",
        "[package]\nname = 'sys'\nversion = '1.0.0'\nedition = '2021'\n",
    );
    assert!(predicted(&machine, &workspace, &["tls"]).is_empty());
}

#[test]
fn a_build_script_of_the_users_own_tells_cpp_from_c_and_is_read_again_when_it_changes() {
    let machine = Machine::with(&[X86_GNU]);
    let workspace = workspace(&machine);
    let is_cxx = || predicted(&machine, &workspace, &["tls"])[0].is_cxx;
    assert!(!is_cxx());
    let script =
        "fn main() {\n    cc::Build::new()\n        .cpp(true)\n        .compile(\"sys\");\n}\n";
    machine.file("workspace/sys/build.rs", script);
    assert!(is_cxx());
    machine.file("workspace/sys/build.rs", "fn main() {}\n");
    assert!(!is_cxx());
}

#[test]
fn where_a_package_by_path_is_no_member_nothing_is_remembered() {
    let machine = Machine::with(&[X86_GNU]);
    let away = |features: &str| {
        let text = "[package]\nname = 'away'\nversion = '1.0.0'\nedition = '2021'\n[build-dependencies]\ncc = { path = '../cc', optional = true }\n";
        machine.file("away/Cargo.toml", &format!("{text}[features]\n{features}"));
    };
    away("default = ['cc']\n");
    machine.file("away/src/lib.rs", "");
    machine.file("away/build.rs", "fn main() {}\n");
    let cc = "[package]\nname = 'cc'\nversion = '1.0.0'\nedition = '2021'\n";
    machine.file("cc/Cargo.toml", cc);
    machine.file("cc/src/lib.rs", "");
    let web = "[package]\nname = 'web'\nversion = '1.0.0'\nedition = '2021'\n[dependencies]\naway = { path = '../away' }\n";
    machine.file("workspace/Cargo.toml", web);
    machine.file("workspace/src/main.rs", "fn main() {}\n");
    let workspace = crate::workspace::read(&cargo(), &machine.path("workspace"));
    let workspace = workspace.expect("a workspace");
    assert_eq!(predicted(&machine, &workspace, &[]).len(), 1);
    assert_eq!(predicted(&machine, &workspace, &[]).len(), 1);
    away("default = []\n");
    assert!(predicted(&machine, &workspace, &[]).is_empty());
}

#[test]
fn a_damaged_memory_is_asked_again() {
    for damaged in [
        json!({}),
        json!([1]),
        json!([{"package": "ring"}]),
        json!([{"package": "ring", "why": [1]}]),
        json!([{"package": "ring", "why": ["web", "ring"]}]),
    ] {
        assert_eq!(from_value(&damaged), None, "{damaged}");
    }
    let needs = vec![CNeed {
        package: "ring".to_owned(),
        why: vec!["web".to_owned(), "ring".to_owned()],
        is_cxx: true,
    }];
    assert_eq!(from_value(&to_value(&needs)), Some(needs));
}

#[test]
fn a_lock_file_without_c_tools_asks_nobody() {
    let machine = Machine::with(&[X86_GNU]);
    let mut workspace = workspace(&machine);
    let all = workspace.packages.iter_mut();
    all.for_each(|package| package.dependencies.clear());
    machine.file(
        "workspace/Cargo.lock",
        "version = 4\n[[package]]\nname = \"web\"\n",
    );
    fs::remove_file(machine.path("workspace/Cargo.toml")).expect("removed");
    assert!(predicted(&machine, &workspace, &["tls"]).is_empty());
}

#[test]
fn a_lock_that_lacks_a_dependency_of_a_manifest_is_not_asked() {
    let workspace = |dependencies: &[&str]| Workspace {
        root: "/ws".into(),
        target_directory: "/ws/target".into(),
        packages: vec![Package {
            dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
            ..Package::default()
        }],
        default_members: Vec::new(),
    };
    let lock = "[[package]]\nname = \"itoa\"\nversion = \"1.0.0\"\n";
    assert!(is_current(lock, &workspace(&["itoa"])));
    assert!(!is_current(lock, &workspace(&["itoa", "ring"])));
    assert!(is_current("", &workspace(&[])));
}
