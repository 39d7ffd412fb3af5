//! What the fault tests build: hello, compiled once for all of them, and a cargo that only repeats what the real one said.
//!
//! Both lie in cargo's directory for temporary files of tests and stay there, so that a second run of the tests finds them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::support::{MadeBase, Run, TestEnv, base, copy, hex, run, tree};

/// A directory of this build, which stays.
fn lasting(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// hello, compiled for the image already.
pub(crate) fn hello() -> &'static Path {
    static HELLO: OnceLock<PathBuf> = OnceLock::new();
    HELLO.get_or_init(|| {
        let to = lasting("hello");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/workspaces/hello");
        copy(&source, &to);
        let env = TestEnv::new();
        env.rbuild(&to, "build . --push=false --base scratch --offline")
            .succeeds();
        to
    })
}

/// Programs in the places of cargo and rustc that answer what the real ones answered for [`hello`].
pub(crate) struct Replay {
    cargo: PathBuf,
    rustc: PathBuf,
}

pub(crate) fn replay() -> &'static Replay {
    static REPLAY: OnceLock<Replay> = OnceLock::new();
    REPLAY.get_or_init(|| Replay::record("replay", ""))
}

/// As [`replay`], for builds for [`BOTH`].
pub(crate) fn replay_of_both() -> &'static Replay {
    static REPLAY: OnceLock<Replay> = OnceLock::new();
    REPLAY.get_or_init(|| Replay::record("replay-of-both", BOTH))
}

pub(crate) const BOTH: &str = "--platform linux/amd64,linux/arm64";

impl Replay {
    /// Done once, with the recorder in the place of the real programs.
    fn record(name: &str, arguments: &str) -> Replay {
        let directory = lasting(name);
        fs::create_dir_all(&directory).expect("made");
        let recorder = "real=$(basename \"$0\"); $real \"$@\" | tee \"$0.$1\"";
        let replay = Replay {
            cargo: script(&directory.join("cargo"), recorder),
            rustc: script(&directory.join("rustc"), recorder),
        };
        let env = TestEnv::new();
        let build = format!("build . --push=false --base scratch --offline {arguments}");
        let mut command = env.command(hello());
        run(replay.given_to(&mut command).args(build.split_whitespace())).succeeds();
        let player = "exec cat \"$0.$1\"";
        script(&replay.cargo, player);
        script(&replay.rustc, player);
        replay
    }

    pub(crate) fn given_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("CARGO", &self.cargo).env("RUSTC", &self.rustc)
    }
}

/// Writes a shell script, never over one that may be running.
pub(crate) fn script(path: &Path, body: &str) -> PathBuf {
    let beside = path.with_extension("new");
    fs::write(&beside, format!("#!/bin/sh\n{body}\n")).expect("written");
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o755)).expect("set");
    fs::rename(&beside, path).expect("renamed");
    path.to_owned()
}

/// `rbuild build` of [`hello`], offline, with the replayed cargo.
pub(crate) fn build(env: &TestEnv, arguments: &str) -> Run {
    run(&mut build_behind(env, &[], arguments))
}

/// As [`build`], behind a wrapper such as strace, and not started yet. `@/` in an argument stands for the world's directory.
pub(crate) fn build_behind(env: &TestEnv, wrapper: &[&str], arguments: &str) -> Command {
    build_online_behind(env, wrapper, &format!("--offline {arguments}"))
}

/// As [`build`], with whatever network there is.
pub(crate) fn build_online(env: &TestEnv, arguments: &str) -> Run {
    run(&mut build_online_behind(env, &[], arguments))
}

/// As [`build_online`], with a cargo that runs `first`, a line of shell, before it compiles.
pub(crate) fn build_with(env: &TestEnv, first: &str, arguments: &str) -> Run {
    let mut command = build_online_behind(env, &[], arguments);
    let player = format!(
        "[ $1 = build ] && {{ {first}; }}\nexec cat {}.$1",
        replay().cargo.display()
    );
    run(command.env("CARGO", script(&env.path("cargo"), &player)))
}

/// As [`build_online`], behind a wrapper, and not started yet.
pub(crate) fn build_online_behind(env: &TestEnv, wrapper: &[&str], arguments: &str) -> Command {
    pushing(env, wrapper, &format!("--push=false {arguments}"))
}

/// A build that pushes unless it is told otherwise, behind a wrapper and not started yet.
pub(crate) fn pushing(env: &TestEnv, wrapper: &[&str], arguments: &str) -> Command {
    let mut command = env.wrapped(hello(), wrapper);
    replay().given_to(&mut command);
    command.env("TMPDIR", env.path("home"));
    let root = format!("{}/", env.path("").display());
    let words = arguments.split_whitespace();
    command
        .args(["build", "."])
        .args(words.map(|word| word.replace("@/", &root)));
    command
}

/// A full base in this world's `img`, and the arguments that pin its index.
pub(crate) fn pinned_base(env: &TestEnv) -> (MadeBase, String) {
    let made = base(&env.cache().join("img"), true, &[]);
    let arguments = format!("--base r.example/base@{}", made.index);
    (made, arguments)
}

/// Where a layout keeps a blob.
pub(crate) fn blob(layout: &Path, digest: &str) -> PathBuf {
    layout.join("blobs").join(digest.replace(':', "/"))
}

/// Puts bytes into a layout under their digest.
pub(crate) fn put(layout: &Path, bytes: &[u8]) -> String {
    let digest = format!("sha256:{}", hex(bytes));
    fs::write(blob(layout, &digest), bytes).expect("written");
    digest
}

/// What no layout may ever hold: wrong bytes under a digest, other files among blobs, an index that does not parse.
pub(crate) fn faults_of(layout: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    for name in tree(&layout.join("blobs")) {
        let bytes = fs::read(layout.join("blobs").join(&name)).expect("readable");
        if name != format!("sha256/{}", hex(&bytes)) {
            faults.push(format!("{name} holds other bytes"));
        }
    }
    if let Ok(bytes) = fs::read(layout.join("index.json"))
        && serde_json::from_slice::<serde_json::Value>(&bytes).is_err()
    {
        faults.push("index.json is torn".to_owned());
    }
    faults
}

/// Temporary files below a directory: those of stores and those beside outputs.
pub(crate) fn temps(directory: &Path) -> Vec<String> {
    let is_temp = |name: &String| {
        let is_one = |part: &str| part.starts_with(".rbuild-") || part.starts_with("rbuild-");
        name.contains(".rbuild/tmp/") || name.split('/').any(is_one)
    };
    tree(directory).into_iter().filter(is_temp).collect()
}

/// Looks again and again until it is so; a test that waits in vain fails.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
