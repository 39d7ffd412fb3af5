//! H08 and H09: `oci:DIR` where DIR is not what it should be. Nobody waits, nothing is read from elsewhere, nothing in DIR changes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::feed::{blob, two_platforms};
use crate::support::{Run, TestEnv, document, peer, run, tree};

/// `timeout` ends with 124 what hangs.
const PATIENCE: [&str; 2] = ["timeout", "20"];

/// A good layout to be spoilt.
struct Victim {
    env: TestEnv,
    layout: PathBuf,
    index: PathBuf,
    manifest: PathBuf,
    layer: PathBuf,
}

impl Victim {
    fn new() -> Victim {
        let env = TestEnv::new();
        env.workspace("hello");
        let layout = env.path("lay");
        let made = two_platforms(&layout);
        let manifest = document(&layout, &made.amd64);
        let layer = manifest["layers"][0]["digest"].as_str().expect("a digest");
        Victim {
            index: blob(&layout, &made.index),
            manifest: blob(&layout, &made.amd64),
            layer: blob(&layout, layer),
            layout,
            env,
        }
    }

    /// A build with the layers of the base, which must not change.
    fn build(&self) -> Run {
        let before = tree(&self.layout);
        let run = build_on(&self.env, &format!("oci:{}:base", self.layout.display()));
        assert_eq!(before, tree(&self.layout));
        run
    }

    /// The build must be refused with that exit code, naming the path, before it compiles and without a word of what a link led to.
    fn refused(&self, code: i32, path: &Path) {
        let name = path.file_name().expect("a name").to_str().expect("UTF-8");
        let run = self.build().ends_with(code).says(name);
        assert!(!run.stderr().contains("root:"), "{}", run.stderr());
        assert!(
            !self.env.path("hello/target").exists(),
            "nothing was compiled"
        );
    }
}

fn build_on(env: &TestEnv, base: &str) -> Run {
    let mut build = env.wrapped(&env.path("hello"), &PATIENCE);
    build.args(["build", ".", "--push=false", "--platform", "linux/amd64"]);
    run(build.args(["--oci-archive", "a.tar", "--base", base]))
}

fn replace_by_link(path: &Path, target: &Path) {
    fs::remove_file(path).expect("there");
    symlink(target, path).expect("linked");
}

fn replace_by_fifo(path: &Path) {
    fs::remove_file(path).expect("there");
    peer("mkfifo", &[path]);
}

#[test]
fn h08_a_blob_that_is_a_link_to_a_secret_is_not_followed() {
    let shadow = Path::new("/etc/shadow");
    for which in 0..3 {
        let victim = Victim::new();
        let path = [&victim.index, &victim.manifest, &victim.layer][which];
        replace_by_link(path, shadow);
        victim.refused(5, path);
    }
}

#[test]
fn h08_a_blob_that_is_a_link_to_its_own_bytes_elsewhere_is_not_followed() {
    for which in 0..3 {
        let victim = Victim::new();
        let path = [&victim.index, &victim.manifest, &victim.layer][which];
        let elsewhere = victim.env.path("elsewhere");
        fs::copy(path, &elsewhere).expect("copied");
        replace_by_link(path, &elsewhere);
        victim.refused(5, path);
    }
}

#[test]
fn h08_a_blob_that_is_a_pipe_or_a_directory_keeps_nobody_waiting() {
    for which in 0..3 {
        let victim = Victim::new();
        let path = [&victim.index, &victim.manifest, &victim.layer][which];
        replace_by_fifo(path);
        victim.refused(5, path);
        fs::remove_file(path).expect("there");
        fs::create_dir(path).expect("made");
        victim.refused(5, path);
    }
}

#[test]
fn h08_files_that_nobody_asked_for_are_neither_read_nor_changed() {
    let victim = Victim::new();
    let blobs = victim.layout.join("blobs/sha256");
    symlink("/etc/shadow", blobs.join("..shadow")).expect("linked");
    symlink("../../../..", blobs.join("climb")).expect("linked");
    peer("mkfifo", &[blobs.join("0".repeat(64))]);
    for number in 0..2_000 {
        fs::write(blobs.join(format!("{number:064}0")), "x").expect("written");
    }
    victim.build().succeeds();
    let listed = peer("tar", &[Path::new("-tf"), &victim.env.path("hello/a.tar")]).stdout();
    let blobs = listed
        .lines()
        .filter(|name| name.len() > "blobs/sha256/".len());
    assert_eq!(
        blobs.count(),
        4,
        "manifest, config and two layers: {listed}"
    );
}

#[test]
fn h08_an_entry_whose_digest_climbs_builds_no_path() {
    let victim = Victim::new();
    let index = victim.layout.join("index.json");
    let text = fs::read_to_string(&index).expect("there");
    let climbing = text.replace("\"sha256:", "\"sha256:../../../../");
    assert_ne!(text, climbing);
    fs::write(&index, climbing).expect("written");
    victim.build().ends_with(4).says("no entry is named `base`");
}

#[test]
fn h09_a_directory_that_is_a_pipe_a_device_or_a_file_is_refused() {
    let env = TestEnv::new();
    env.workspace("hello");
    let fifo = env.path("fifo");
    peer("mkfifo", &[&fifo]);
    let fifo = fifo.display().to_string();
    for directory in [
        &fifo,
        "/dev/zero",
        "/proc/self/fd/0",
        "/etc/passwd",
        "/etc/passwd/x",
        "/nonexistent",
    ] {
        build_on(&env, &format!("oci:{directory}"))
            .ends_with(2)
            .says("directory")
            .says(directory.trim_end_matches("/x"));
    }
    build_on(&env, "oci:/proc/self")
        .ends_with(4)
        .says("/proc/self");
    assert!(!env.path("hello/target").exists(), "nothing was compiled");
}

#[test]
fn h09_an_oci_layout_file_that_is_a_link_or_a_pipe_is_refused() {
    let victim = Victim::new();
    let path = victim.layout.join("oci-layout");
    let elsewhere = victim.env.path("elsewhere");
    fs::copy(&path, &elsewhere).expect("copied");
    replace_by_link(&path, &elsewhere);
    victim.refused(8, &path);
    replace_by_fifo(&path);
    victim.refused(8, &path);
}

#[test]
fn h09_directories_of_blobs_that_are_links_are_refused() {
    for below in ["blobs", "blobs/sha256"] {
        let victim = Victim::new();
        let path = victim.layout.join(below);
        let elsewhere = victim.env.path("elsewhere");
        fs::rename(&path, &elsewhere).expect("moved");
        symlink(&elsewhere, &path).expect("linked");
        victim.refused(8, &path);
    }
}

#[test]
fn h09_an_index_that_is_a_link_or_a_pipe_tells_no_names() {
    let victim = Victim::new();
    let path = victim.layout.join("index.json");
    let elsewhere = victim.env.path("elsewhere");
    fs::copy(&path, &elsewhere).expect("copied");
    replace_by_link(&path, &elsewhere);
    victim.refused(4, &path);
    replace_by_fifo(&path);
    victim.refused(4, &path);
}
