//! What a workspace holds and what a selection means, from metadata as text.

use super::*;

use std::fs;

use serde_json::Value;
use serde_json::json;

use crate::notes::Notes;

/// One package as `cargo metadata` prints it, at `/ws/<directory>`.
fn member(name: &str, directory: &str, bins: &[&str]) -> Value {
    let target = |name: &&str| {
        json!({
            "kind": ["bin"], "crate_types": ["bin"], "name": name, "src_path": format!("/ws/{directory}/src/main.rs"), "edition": "2024",
        })
    };
    let library = json!({
        "kind": ["lib"], "crate_types": ["lib"], "name": name, "src_path": format!("/ws/{directory}/src/lib.rs"), "edition": "2024",
    });
    let targets = bins.iter().map(target).chain([library]);
    json!({
        "name": name, "version": "1.2.3", "id": format!("path+file:///ws/{directory}#{name}@1.2.3"),
        "manifest_path": format!("/ws/{directory}/Cargo.toml").replace("//", "/"),
        "targets": targets.collect::<Vec<_>>(), "features": {}, "dependencies": [], "edition": "2024",
    })
}

fn workspace(members: &[Value], defaults: &[&str]) -> Workspace {
    let ids = members.iter().map(|member| member["id"].clone());
    let is_default = |member: &&Value| defaults.contains(&member["name"].as_str().expect("named"));
    let metadata = json!({
        "packages": members,
        "workspace_members": ids.collect::<Vec<_>>(),
        "workspace_default_members": members.iter().filter(is_default).map(|member| member["id"].clone()).collect::<Vec<_>>(),
        "workspace_root": "/ws", "target_directory": "/ws/target", "version": 1, "metadata": null,
    });
    of(&MetadataCommand::parse(metadata.to_string()).expect("metadata")).expect("a workspace")
}

/// A virtual workspace: two programs, one of them with two binaries, and a library.
fn virtual_workspace() -> Workspace {
    let members = [
        member("web", "crates/web", &["web", "migrate"]),
        member("worker", "crates/worker", &["worker"]),
        member("shared", "crates/shared", &[]),
    ];
    workspace(&members, &["web", "worker", "shared"])
}

fn at_root() -> Selection {
    Selection {
        directory: PathBuf::from("/ws"),
        ..Selection::default()
    }
}

fn chosen(workspace: &Workspace, selection: &Selection) -> Vec<String> {
    let selected = select(
        workspace,
        selection,
        &|_, _| selection.features.clone(),
        &Notes::recorded(),
    )
    .expect("a selection");
    let name = |one: &Selected| format!("{}/{}", workspace.packages[one.package].name, one.binary);
    selected.iter().map(name).collect()
}

/// Message, reasons and hints in one text.
fn refusal(workspace: &Workspace, selection: &Selection) -> String {
    let error = select(
        workspace,
        selection,
        &|_, _| selection.features.clone(),
        &Notes::recorded(),
    )
    .expect_err("a refusal");
    let fault = error.downcast_ref::<Fault>().expect("a fault");
    assert_eq!(fault.kind, Kind::Refused);
    let lines = [&[fault.to_string()], fault.reasons(), fault.hints()];
    lines.concat().join("\n")
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn at_a_virtual_root_every_default_member_with_a_binary_is_meant() {
    let workspace = virtual_workspace();
    assert_eq!(
        chosen(&workspace, &at_root()),
        ["web/web", "web/migrate", "worker/worker"]
    );
}

#[test]
fn in_a_directory_of_a_member_that_member_is_meant() {
    let workspace = virtual_workspace();
    for directory in ["/ws/crates/worker", "/ws/crates/worker/src/deep"] {
        let selection = Selection {
            directory: PathBuf::from(directory),
            ..Selection::default()
        };
        assert_eq!(
            chosen(&workspace, &selection),
            ["worker/worker"],
            "{directory}"
        );
    }
}

#[test]
fn at_the_root_package_default_members_decide_and_below_it_the_nearest_package() {
    let members = [
        member("app", "", &["app"]),
        member("tool", "tool", &["tool"]),
    ];
    let root_alone = workspace(&members, &["app"]);
    assert_eq!(chosen(&root_alone, &at_root()), ["app/app"]);
    let both = workspace(&members, &["app", "tool"]);
    assert_eq!(chosen(&both, &at_root()), ["app/app", "tool/tool"]);
    let below = Selection {
        directory: PathBuf::from("/ws/tool"),
        ..Selection::default()
    };
    assert_eq!(chosen(&both, &below), ["tool/tool"]);
}

#[test]
fn a_directory_outside_the_workspace_is_refused_with_what_there_is() {
    let selection = Selection {
        directory: PathBuf::from("/elsewhere"),
        ..Selection::default()
    };
    let said = refusal(&virtual_workspace(), &selection);
    assert!(
        said.contains("/elsewhere") && said.contains("`web`, `worker`, `shared`"),
        "{said}"
    );
}

#[test]
fn packages_are_named_as_in_cargo() {
    let workspace = virtual_workspace();
    for spec in [
        "worker",
        "worker@1.2.3",
        "worker@1.2",
        "worker@1",
        "path+file:///ws/crates/worker#worker@1.2.3",
    ] {
        let selection = Selection {
            packages: strings(&[spec]),
            ..at_root()
        };
        assert_eq!(chosen(&workspace, &selection), ["worker/worker"], "{spec}");
    }
    let twice = Selection {
        packages: strings(&["worker", "worker@1"]),
        ..at_root()
    };
    assert_eq!(chosen(&workspace, &twice), ["worker/worker"]);
}

#[test]
fn an_unknown_package_is_refused_with_the_nearest_name() {
    let workspace = virtual_workspace();
    for spec in [
        "wroker",
        "wroker@1",
        "worker@2",
        "worker@1.2.30",
        "worker@1.",
    ] {
        let said = refusal(
            &workspace,
            &Selection {
                packages: strings(&[spec]),
                ..at_root()
            },
        );
        assert!(
            said.starts_with(&format!("the workspace has no package `{spec}`")),
            "{said}"
        );
        assert!(said.ends_with("did you mean `worker`?"), "{said}");
    }
    let said = refusal(
        &workspace,
        &Selection {
            packages: strings(&["zzz"]),
            ..at_root()
        },
    );
    assert!(!said.contains("did you mean"), "{said}");
}

#[test]
fn the_whole_workspace_without_the_excluded_is_meant() {
    let selection = Selection {
        workspace: true,
        exclude: strings(&["web"]),
        ..at_root()
    };
    assert_eq!(chosen(&virtual_workspace(), &selection), ["worker/worker"]);
    let unknown = Selection {
        workspace: true,
        exclude: strings(&["wbe"]),
        ..at_root()
    };
    assert!(refusal(&virtual_workspace(), &unknown).contains("no package `wbe`"));
}

#[test]
fn binaries_are_named_among_the_selected_packages() {
    let workspace = virtual_workspace();
    let two = Selection {
        binaries: strings(&["worker", "migrate"]),
        ..at_root()
    };
    assert_eq!(chosen(&workspace, &two), ["web/migrate", "worker/worker"]);
    let elsewhere = Selection {
        packages: strings(&["worker"]),
        ..two
    };
    let said = refusal(&workspace, &elsewhere);
    assert_eq!(
        said,
        "no selected package has a binary `migrate`\nthere is `worker`"
    );
    let typo = Selection {
        binaries: strings(&["migarte"]),
        ..at_root()
    };
    assert!(refusal(&workspace, &typo).ends_with("did you mean `migrate`?"));
}

#[test]
fn default_run_narrows_only_when_nothing_is_named() {
    let mut workspace = virtual_workspace();
    workspace.packages[0].default_run = Some("web".to_owned());
    assert_eq!(chosen(&workspace, &at_root()), ["web/web", "worker/worker"]);
    let named = Selection {
        binaries: strings(&["migrate"]),
        ..at_root()
    };
    assert_eq!(chosen(&workspace, &named), ["web/migrate"]);
    let all = Selection {
        all_binaries: true,
        packages: strings(&["web"]),
        ..at_root()
    };
    assert_eq!(chosen(&workspace, &all), ["web/web", "web/migrate"]);
}

/// `migrate` needs `database`, which `full` switches on.
fn with_features() -> Workspace {
    let mut workspace = virtual_workspace();
    let web = &mut workspace.packages[0];
    web.binaries[1].required_features = strings(&["database"]);
    web.features = BTreeMap::from([
        ("database".to_owned(), strings(&["dep:sqlite"])),
        ("full".to_owned(), strings(&["database", "sqlite?/bundled"])),
    ]);
    workspace
}

#[test]
fn a_binary_whose_features_are_off_is_left_out_with_a_note_or_refused_by_name() {
    let workspace = with_features();
    let notes = Notes::recorded();
    let selected =
        select(&workspace, &at_root(), &|_, _| at_root().features, &notes).expect("the others");
    assert_eq!(selected.len(), 2);
    assert_eq!(
        notes.all(),
        ["`migrate` is left out: it needs the features `database`"]
    );
    let named = Selection {
        binaries: strings(&["migrate"]),
        ..at_root()
    };
    let said = refusal(&workspace, &named);
    assert!(
        said.contains("`required-features` names `database`"),
        "{said}"
    );
    assert!(said.ends_with("add `--features database`"), "{said}");
}

#[test]
fn a_feature_that_no_package_has_is_refused_and_cargo_judges_the_others() {
    let workspace = with_features();
    let with = |name: &str| Selection {
        features: Features {
            names: strings(&["full", name]),
            ..Features::default()
        },
        ..at_root()
    };
    let said = refusal(&workspace, &with("databse"));
    assert!(
        said.contains("no package of the workspace has a feature `databse`"),
        "{said}"
    );
    assert!(said.ends_with("did you mean `database`?"), "{said}");
    let said = refusal(&workspace, &with("x"));
    assert!(said.contains("`[features]`"), "{said}");
    for name in ["default", "database", "sqlite/none", "dep:sqlite"] {
        assert_eq!(chosen(&workspace, &with(name)).len(), 3, "{name}");
    }
}

#[test]
fn features_are_followed_as_cargo_does() {
    let mut workspace = with_features();
    let named = |features: Features| Selection {
        binaries: strings(&["migrate"]),
        features,
        ..at_root()
    };
    let names = |names: &[&str]| Features {
        names: strings(names),
        ..Features::default()
    };
    for features in [
        names(&["database"]),
        names(&["full"]),
        names(&["web/full"]),
        Features {
            all: true,
            ..Features::default()
        },
    ] {
        assert_eq!(
            chosen(&workspace, &named(features.clone())),
            ["web/migrate"],
            "{features:?}"
        );
    }
    refusal(&workspace, &named(names(&["worker/full"])));
    workspace.packages[0]
        .features
        .insert("default".to_owned(), strings(&["full"]));
    assert_eq!(
        chosen(&workspace, &named(Features::default())),
        ["web/migrate"]
    );
    refusal(
        &workspace,
        &named(Features {
            no_default: true,
            ..Features::default()
        }),
    );
}

#[test]
fn features_are_told_to_cargo_in_its_own_words() {
    let features = Features {
        names: strings(&["a", "web/b"]),
        all: true,
        no_default: true,
    };
    assert_eq!(
        features.flags(),
        [
            "--features=a,web/b",
            "--all-features",
            "--no-default-features"
        ]
    );
    assert!(Features::default().flags().is_empty());
}

#[test]
fn a_library_alone_is_refused_with_the_packages_that_have_programs() {
    let mixed = virtual_workspace();
    let said = refusal(
        &mixed,
        &Selection {
            packages: strings(&["shared"]),
            ..at_root()
        },
    );
    assert!(
        said.contains("looked at the package `shared` in /ws"),
        "{said}"
    );
    assert!(
        said.contains("packages with binaries: `web`, `worker`"),
        "{said}"
    );
    let nothing = workspace(&[member("shared", "", &[])], &["shared"]);
    assert!(refusal(&nothing, &at_root()).contains("a src/main.rs"));
}

#[test]
fn two_binaries_of_one_name_are_refused_unless_one_is_selected() {
    let members = [member("a", "a", &["serve"]), member("b", "b", &["serve"])];
    let workspace = workspace(&members, &["a", "b"]);
    let said = refusal(&workspace, &at_root());
    assert!(
        said.starts_with("two selected packages have a binary `serve`\nthey are `a` and `b`"),
        "{said}"
    );
    let one = Selection {
        packages: strings(&["b"]),
        ..at_root()
    };
    assert_eq!(chosen(&workspace, &one), ["b/serve"]);
}

#[test]
fn h22_a_binary_whose_name_is_a_path_is_refused() {
    for name in [
        "../../etc/passwd",
        "a/b",
        "..",
        ".hidden",
        "a\\b",
        "a\nb",
        "-x",
        "",
    ] {
        let target = json!({"kind": ["bin"], "crate_types": ["bin"], "name": name, "src_path": "/ws/x.rs", "edition": "2024"});
        let target = serde_json::from_value(target).expect("a target");
        let error = binary(&target).expect_err(name).to_string();
        assert!(error.contains("cannot be the name of a binary"), "{error}");
        assert!(!error.contains('\n'), "{error:?}");
    }
    for name in ["hello", "my-tool_2", "größe", "two words"] {
        let target = json!({"kind": ["bin"], "crate_types": ["bin"], "name": name, "src_path": "/ws/x.rs", "edition": "2024"});
        assert!(
            binary(&serde_json::from_value(target).expect("a target")).is_ok(),
            "{name}"
        );
    }
}

#[test]
fn metadata_of_an_older_cargo_have_no_default_members() {
    let metadata = json!({
        "packages": [member("a", "", &["a"])], "workspace_members": ["path+file:///ws/#a@1.2.3"],
        "workspace_root": "/ws", "target_directory": "/ws/target", "version": 1, "metadata": null,
    });
    let workspace =
        of(&MetadataCommand::parse(metadata.to_string()).expect("metadata")).expect("a workspace");
    assert_eq!(workspace.default_members, ["path+file:///ws/#a@1.2.3"]);
}

fn cargo() -> Cargo {
    Cargo {
        program: PathBuf::from("cargo"),
        network: Network::unless(true),
        manifest: None,
        target_directory: None,
        flags: Vec::new(),
    }
}

#[test]
fn every_call_carries_what_the_user_said_about_the_workspace() {
    let mut cargo = cargo();
    cargo.manifest = Some(PathBuf::from("sub/Cargo.toml"));
    cargo.flags = strings(&["--locked", "--config", "a.b=1"]);
    let call = cargo.call("build", Path::new("/")).to_string();
    assert_eq!(
        call,
        "cd / && cargo build --manifest-path sub/Cargo.toml --offline --locked --config a.b=1"
    );
    cargo.network = Network::unless(false);
    assert!(
        !cargo
            .call("build", Path::new("/"))
            .to_string()
            .contains("--offline")
    );
}

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata/workspaces")
        .join(name)
}

#[test]
fn real_workspaces_are_read_without_a_network() {
    let twins = read(&cargo(), &testdata("twins")).expect("a workspace");
    let names: Vec<&str> = twins
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    assert_eq!(names, ["left", "right"]);
    let selection = Selection {
        directory: testdata("twins/right"),
        ..Selection::default()
    };
    assert_eq!(chosen(&twins, &selection), ["right/right"]);
    let hello = read(&cargo(), &testdata("hello")).expect("a workspace");
    assert_eq!(
        hello.packages[0].description.as_deref(),
        Some("Greets whoever is named, for tests of rbuild")
    );
    // Cargo's word, which follows CARGO_TARGET_DIR of whoever runs the tests.
    let said = cargo().metadata(&testdata("hello"), ["--no-deps"]);
    let said = said.expect("metadata").target_directory;
    assert_eq!(hello.target_directory, said.into_std_path_buf());
}

#[test]
fn a_target_directory_that_was_asked_for_replaces_cargos() {
    let mut cargo = cargo();
    cargo.target_directory = Some(PathBuf::from("/somewhere"));
    let workspace = read(&cargo, &testdata("hello")).expect("a workspace");
    assert_eq!(workspace.target_directory, Path::new("/somewhere"));
}

#[test]
fn a_directory_without_a_package_is_named_with_cargos_own_words() {
    let empty = tempfile::tempdir().expect("a directory");
    let error = read(&cargo(), empty.path()).expect_err("no package");
    let fault = error.downcast_ref::<Fault>().expect("a fault");
    assert_eq!(fault.kind, Kind::Cargo);
    assert!(
        fault
            .to_string()
            .contains(&empty.path().display().to_string()),
        "{fault}"
    );
    assert!(
        fault.reasons()[0].starts_with("cargo says: could not find `Cargo.toml`"),
        "{:?}",
        fault.reasons()
    );
    assert_eq!(fault.hints().len(), 1);
}

#[test]
fn a_manifest_that_does_not_parse_is_cargos_failure() {
    let broken = tempfile::tempdir().expect("a directory");
    fs::write(broken.path().join("Cargo.toml"), "[package\n").expect("written");
    let error = read(&cargo(), broken.path()).expect_err("broken");
    let fault = error.downcast_ref::<Fault>().expect("a fault");
    assert_eq!((fault.kind, fault.hints().len()), (Kind::Cargo, 0));
}
