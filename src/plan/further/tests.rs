//! Which binaries share an image, and what is refused before they are compiled.

use std::path::PathBuf;

use super::*;
use crate::base::name::Name;
use crate::compile;
use crate::network::Network;
use crate::platform::Platforms;
use crate::testing::platform;
use crate::toolchain::Link;
use crate::workspace::{Cargo, Workspace};

fn package(name: &str, binaries: &[(&str, &[&str])]) -> Package {
    let bin = |(name, features): &(&str, &[&str])| Bin {
        name: (*name).to_owned(),
        required_features: features.iter().map(|name| (*name).to_owned()).collect(),
    };
    Package {
        id: format!("path+file:///w/{name}#1.0.0"),
        name: name.to_owned(),
        version: "1.0.0".into(),
        directory: PathBuf::from("/w").join(name),
        binaries: binaries.iter().map(bin).collect(),
        ..Package::default()
    }
}

fn workspace() -> Workspace {
    Workspace {
        root: "/w".into(),
        target_directory: "/w/target".into(),
        packages: vec![
            package("web", &[("web", &[]), ("admin", &[]), ("both", &[])]),
            package("jobs", &[("migrate", &[]), ("both", &[]), ("twin", &[])]),
            package("more", &[("twin", &[]), ("extra", &["tls"])]),
        ],
        default_members: Vec::new(),
    }
}

fn main_of(workspace: &Workspace) -> Candidate<'_> {
    Candidate {
        workspace,
        package: &workspace.packages[0],
        binary: "web",
    }
}

fn build(names: &[&str]) -> Build {
    Build {
        binaries: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Build::default()
    }
}

fn chosen(names: &[&str]) -> Result<Vec<String>> {
    let (workspace, build) = (workspace(), build(names));
    let found = candidates(main_of(&workspace), Some(&build), &Features::default())?;
    let name = |one: &Candidate<'_>| format!("{}/{}", one.package.name, one.binary);
    Ok(found.iter().map(name).collect())
}

fn refused(result: Result<impl std::fmt::Debug>) -> String {
    let error = result.expect_err("refused");
    let fault = error.downcast_ref::<Fault>().expect("a fault");
    [&[fault.to_string()], fault.reasons(), fault.hints()]
        .concat()
        .join("\n")
}

#[test]
fn further_binaries_come_from_the_whole_workspace_each_once_and_sorted() {
    let found = chosen(&["migrate", "admin", "migrate"]).expect("found");
    assert_eq!(found, ["web/admin", "jobs/migrate"]);
}

#[test]
fn the_main_binary_named_again_is_there_once() {
    assert_eq!(chosen(&["web", "admin"]).expect("found"), ["web/admin"]);
}

#[test]
fn the_packages_own_binary_goes_before_one_of_another_package() {
    assert_eq!(chosen(&["both"]).expect("found"), ["web/both"]);
}

#[test]
fn a_name_that_is_no_binary_is_refused_with_what_there_is() {
    let told = refused(chosen(&["migrat"]));
    assert!(
        told.starts_with("the workspace has no binary `migrat`"),
        "{told}"
    );
    assert!(told.contains("`web`, `admin`, `both`, `migrate`"), "{told}");
}

#[test]
fn a_name_of_two_other_packages_is_refused_with_both() {
    let told = refused(chosen(&["twin"]));
    assert!(told.contains("they are `jobs`, `more`"), "{told}");
}

#[test]
fn a_binary_whose_features_are_off_is_refused_because_cargo_would_leave_it_out() {
    let told = refused(chosen(&["extra"]));
    assert!(
        told.contains("`tls`") && told.contains("--features tls"),
        "{told}"
    );
}

fn wanted<'a>(workspace: &'a Workspace, build: &'a Build) -> Wanted<'a> {
    let candidate = main_of(workspace);
    let further = candidates(candidate, Some(build), &Features::default()).expect("found");
    Wanted {
        candidate,
        further,
        build: Some(build),
        base: Name::Static,
        platforms: Platforms::All,
    }
}

#[test]
fn each_lies_beside_the_main_one() {
    let (workspace, build) = (workspace(), build(&["migrate"]));
    let wanted = wanted(&workspace, &build);
    let path = |main: &str| programs(&wanted, main).expect("paths")[0].path.clone();
    assert_eq!(path("/app/web"), "/app/migrate");
    assert_eq!(path("/usr/local/bin/server"), "/usr/local/bin/migrate");
    assert_eq!(path("/web"), "/migrate");
}

#[test]
fn one_that_would_lie_where_the_main_one_does_is_refused() {
    let (workspace, build) = (workspace(), build(&["migrate"]));
    let told = refused(programs(&wanted(&workspace, &build), "/app/migrate"));
    assert!(
        told.contains("`web` and `migrate` would both lie at /app/migrate"),
        "{told}"
    );
}

fn job(wanted: &[(usize, &str)], profile: &str) -> Job {
    let workspace = workspace();
    let one = |(package, binary): &(usize, &str)| {
        compile::Wanted::new(&workspace.packages[*package], binary)
    };
    Job {
        cargo: Cargo {
            program: "cargo".into(),
            network: Network::unless(true),
            manifest: None,
            target_directory: None,
            flags: Vec::new(),
        },
        directory: "/w".into(),
        target_directory: "/w/target".into(),
        profile: profile.to_owned(),
        features: Features::default(),
        flags: Vec::new(),
        env: Vec::new(),
        wanted: wanted.iter().map(one).collect(),
        links: vec![Link {
            platform: platform("linux/amd64"),
            target: "x86_64-unknown-linux-musl".to_owned(),
            linker: None,
            variables: Vec::new(),
            rustflags: Vec::new(),
            is_static: true,
        }],
    }
}

#[test]
fn one_binary_on_two_terms_is_refused_because_one_file_would_stand_in_both_images() {
    let jobs = [
        job(&[(0, "web"), (1, "migrate")], "release"),
        job(&[(1, "migrate")], "small"),
    ];
    let told = refused(refuse_collisions(&jobs));
    assert!(
        told.starts_with("the binary `migrate` would be compiled in two ways"),
        "{told}"
    );
}

#[test]
fn two_packages_with_one_binary_name_are_refused_and_others_are_not() {
    let told = refused(refuse_collisions(&[job(
        &[(0, "both"), (1, "both")],
        "release",
    )]));
    assert!(
        told.starts_with("two packages of this run have a binary `both`"),
        "{told}"
    );
    let apart = [
        job(&[(0, "web")], "release"),
        job(&[(1, "migrate")], "release"),
    ];
    refuse_collisions(&apart).expect("no collision");
}
