//! Real cargo with the host's own target: what a newcomer's machine has.

use super::*;

use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use super::tests::run;
use crate::config::Libc;
use crate::network::Network;
use crate::process::Call;
use crate::toolchain;
use crate::toolchain::Environment;
use crate::toolchain::Link;
use crate::workspace;
use crate::workspace::Cargo;
use crate::workspace::Features;
use crate::workspace::Selection;

/// A clone of a test workspace in a directory of its own, with its own target directory.
pub(super) struct Clone(pub(super) TempDir);

impl Clone {
    pub(super) fn of(name: &str) -> Clone {
        let clone = Clone(tempfile::tempdir().expect("a directory"));
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("testdata/workspaces")
            .join(name);
        copy(&from, &clone.directory());
        clone
    }

    pub(super) fn directory(&self) -> PathBuf {
        self.0.path().join("clone")
    }

    fn cargo(&self) -> Cargo {
        Cargo {
            program: PathBuf::from("cargo"),
            network: Network::unless(true),
            manifest: None,
            target_directory: Some(self.0.path().join("out")),
            flags: vec!["--locked".to_owned()],
        }
    }

    /// The job that builds everything here with the link that `choose` makes of the real toolchain.
    pub(super) fn job(&self, choose: impl Fn(&toolchain::Toolchain) -> Link) -> Job {
        let cargo = self.cargo();
        let directory = self.directory();
        let selection = Selection {
            directory: directory.clone(),
            ..Selection::default()
        };
        let workspace = workspace::read(&cargo, &directory).expect("a workspace");
        let selected = workspace::select(
            &workspace,
            &selection,
            &|_, _| Features::default(),
            &Notes::recorded(),
        )
        .expect("binaries");
        let wanted = selected
            .iter()
            .map(|one| Wanted::new(&workspace.packages[one.package], &one.binary));
        let home = OsString::from(self.0.path().join("home"));
        let environment = Environment::from([("CARGO_HOME".into(), home)]);
        let toolchain = toolchain::probe(OsStr::new("rustc"), &cargo, &directory, &environment)
            .expect("a toolchain");
        Job {
            links: vec![choose(&toolchain)],
            wanted: wanted.collect(),
            cargo,
            directory,
            target_directory: workspace.target_directory,
            profile: "release".to_owned(),
            features: Features::default(),
            flags: Vec::new(),
            env: Vec::new(),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().expect("a type").is_dir() {
            true if entry.file_name() == "target" => (),
            true => copy(&source, &target),
            false => drop(fs::copy(&source, &target).expect("copied")),
        }
    }
}

/// Dynamic, for the host: needs no target but the one that rustup always installs.
pub(super) fn hosts(toolchain: &toolchain::Toolchain) -> Link {
    let platform = Platform::of_host(&toolchain.host).expect("a host of the table");
    Link {
        target: toolchain.host.clone(),
        platform,
        linker: None,
        variables: Vec::new(),
        rustflags: Vec::new(),
        is_static: false,
    }
}

pub(super) fn said(program: &Path, arguments: &[&str]) -> String {
    let output = Call::new(program, Path::new("/"))
        .args(arguments)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_program_is_built_found_and_checked_and_the_second_time_it_is_fresh() {
    let hello = Clone::of("hello");
    let job = hello.job(hosts);
    let notes = Notes::recorded();
    let binaries = run(&job, &notes).expect("built");
    assert_eq!(binaries.len(), 1);
    assert_eq!(
        (binaries[0].name.as_str(), binaries[0].fresh),
        ("hello", false)
    );
    assert!(
        binaries[0].file.starts_with(hello.0.path().join("out")),
        "{binaries:?}"
    );
    assert_eq!(said(&binaries[0].file, &["you"]), "hello, you\n");
    check(&binaries[0], &job.links[0]).expect("the host's machine");
    assert!(run(&job, &notes).expect("built again")[0].fresh);
    assert!(notes.all().is_empty(), "{:?}", notes.all());
}

#[test]
fn both_programs_of_a_virtual_workspace_come_from_one_call() {
    let binaries = run(&Clone::of("twins").job(hosts), &Notes::recorded()).expect("built");
    let names: Vec<&str> = binaries.iter().map(|binary| binary.name.as_str()).collect();
    assert_eq!(names, ["left", "right"]);
}

#[test]
fn procedural_macros_and_build_scripts_are_not_taken_for_programs() {
    let clone = Clone::of("macros");
    let job = clone.job(hosts);
    let binaries = run(&job, &Notes::recorded()).expect("built");
    assert_eq!(
        said(&binaries[0].file, &[]),
        format!("HELLO from {}\n", job.links[0].target)
    );
    assert_eq!(binaries.len(), 1);
}

#[test]
fn a_program_that_does_not_compile_is_cargos_failure() {
    let broken = Clone::of("broken");
    let error = run(&broken.job(hosts), &Notes::recorded()).expect_err("broken");
    let fault = error.downcast_ref::<Fault>().expect("a fault");
    assert_eq!(
        (fault.kind, fault.to_string().as_str()),
        (Kind::Cargo, "cargo build failed")
    );
    assert_eq!(
        fault.reasons(),
        [format!("it ran in {}", broken.directory().display())]
    );
}

#[test]
fn o10_crates_that_are_not_here_are_cargos_failure_when_offline() {
    let hello = Clone::of("hello");
    let manifest = hello.directory().join("Cargo.toml");
    let text = fs::read_to_string(&manifest).expect("readable");
    let mut job = hello.job(hosts);
    fs::write(
        &manifest,
        format!("{text}\n[dependencies]\nno-such-crate-anywhere = '1'\n"),
    )
    .expect("written");
    fs::remove_file(hello.directory().join("Cargo.lock")).expect("removed");
    job.cargo.flags.clear();
    let error = run(&job, &Notes::recorded()).expect_err("offline");
    assert_eq!(
        error.downcast_ref::<Fault>().expect("a fault").kind,
        Kind::Cargo
    );
}

#[test]
fn k07_a_cargo_that_was_killed_is_a_failure_that_says_so() {
    let hello = Clone::of("hello");
    let mut job = hello.job(hosts);
    job.cargo.program =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/toolchain/killed-cargo");
    let error = run(&job, &Notes::recorded()).expect_err("killed");
    let fault = error.downcast_ref::<Fault>().expect("a fault");
    assert_eq!(fault.kind, Kind::Cargo);
    assert_eq!(fault.reasons(), ["cargo was killed by signal 9"]);
    assert!(fault.hints()[0].contains("--jobs 1"));
}

#[test]
fn a_cargo_that_succeeds_without_a_word_gives_no_program() {
    let hello = Clone::of("hello");
    let mut job = hello.job(hosts);
    run(&job, &Notes::recorded()).expect("built");
    job.cargo.program = PathBuf::from("true");
    let error =
        run(&job, &Notes::recorded()).expect_err("silent, though an older binary lies there");
    assert!(
        error
            .to_string()
            .starts_with("cargo did not say where it put `hello`"),
        "{error}"
    );
}

#[test]
fn v04_two_clones_with_other_modes_and_cargo_homes_give_one_binary() {
    let chosen = |clone: &Clone| {
        let root = clone.directory();
        clone.job(|toolchain| {
            let platform = Platform::of_host(&toolchain.host).expect("a host of the table");
            let libc = if toolchain.host.contains("musl") {
                Libc::Musl
            } else {
                Libc::Gnu
            };
            let target = toolchain::target(toolchain, &platform, libc).expect("the host's target");
            toolchain::link_at(toolchain, &target, &[], &root)
                .expect("a link")
                .link
        })
    };
    let bytes = |clone: &Clone| {
        let binary = run(&chosen(clone), &Notes::recorded())
            .expect("built")
            .remove(0);
        fs::read(&binary.file).expect("readable")
    };
    let (one, other) = (
        Clone::of("macros"),
        Clone(
            tempfile::Builder::new()
                .prefix("a-much-longer-name")
                .tempdir()
                .expect("a directory"),
        ),
    );
    copy(&one.directory(), &other.directory());
    fs::set_permissions(other.directory(), fs::Permissions::from_mode(0o700)).expect("set");
    assert!(bytes(&one) == bytes(&other), "the binaries differ");
}

#[test]
fn a_binary_is_told_of_while_cargo_is_still_at_work() {
    let hello = Clone::of("hello");
    let mut job = hello.job(hosts);
    let told = hello.0.path().join("told");
    // Cargo's end waits for what only happens when its message was heard; nobody hears it for ten seconds: it fails.
    let waiting = format!(
        "#!/bin/sh\ncargo \"$@\" || exit\nfor turn in $(seq 100); do [ -e '{}' ] && exit; sleep 0.1; done; exit 1\n",
        told.display()
    );
    job.cargo.program = hello.0.path().join("waiting-cargo");
    fs::write(&job.cargo.program, waiting).expect("written");
    fs::set_permissions(&job.cargo.program, fs::Permissions::from_mode(0o755)).expect("set");
    let built = super::run(&job, &Notes::recorded(), |binary| {
        assert!(binary.file.is_file());
        fs::write(&told, &binary.name).expect("written");
    });
    assert_eq!(built.expect("built").len(), 1);
}
