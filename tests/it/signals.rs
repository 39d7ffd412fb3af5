//! Ctrl-C and its kin in every phase, a reader that went away, a cargo that was killed.
//!
//! No test waits for a time: each waits until the program is where it should be, stops it there and only then sends the signal.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Run, TestEnv, run, tree};
use crate::warm::{build, build_behind, faults_of, replay, script, temps, wait_until};

/// What ends a program, and the code it then ends with.
const STOPS: [(Signal, i32); 3] = [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)];

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it runs");
}

fn start(command: &mut Command) -> Child {
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("started")
}

/// The end of a program that was told to end.
fn ended(mut child: Child) -> Run {
    wait_until("it ends", || child.try_wait().expect("waited").is_some());
    let output = child.wait_with_output().expect("read");
    Run { output }
}

/// The letter of a process's state; none when it is gone.
fn state(process: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

fn is_gone(process: u32) -> bool {
    state(process).is_none_or(|state| matches!(state, 'Z' | 'X'))
}

/// hello with a build script that says who runs, and then sleeps for as long as nobody ends it.
fn sleeper(env: &TestEnv) -> std::path::PathBuf {
    let workspace = env.workspace("hello");
    let script = r#"
        fn main() {
            let mut child = std::process::Command::new("sh").args(["-c", &std::env::var("SLEEP").unwrap()]).spawn().unwrap();
            let all = format!("{} {} {}", std::os::unix::process::parent_id(), std::process::id(), child.id());
            let marker = std::env::var("MARKER").unwrap();
            std::fs::write(format!("{marker}.new"), all).unwrap();
            std::fs::rename(format!("{marker}.new"), marker).unwrap();
            child.wait().unwrap();
        }"#;
    fs::write(workspace.join("build.rs"), script).expect("written");
    fs::create_dir(env.path("tmp")).expect("made");
    workspace
}

/// Starts a build of the sleeper and gives it back with the processes below it, all of which run.
fn asleep(env: &TestEnv, workspace: &Path, sleep: &str) -> (Child, Vec<u32>) {
    let marker = env.path("marker");
    let _ = fs::remove_file(&marker);
    let mut command = env.command(workspace);
    command
        .env("TMPDIR", env.path("tmp"))
        .env("MARKER", &marker)
        .env("SLEEP", sleep);
    let child = start(command.args([
        "build",
        ".",
        "--push=false",
        "--offline",
        "--oci-archive",
        "a.tar",
    ]));
    wait_until("the build script runs", || marker.exists());
    let text = fs::read_to_string(&marker).expect("written");
    let processes: Vec<u32> = text
        .split(' ')
        .map(|word| word.parse().expect("a number"))
        .collect();
    assert!(!processes.iter().any(|process| is_gone(*process)));
    (child, processes)
}

fn leaves_nothing(env: &TestEnv, workspace: &Path, processes: &[u32]) {
    wait_until("all processes are gone", || {
        processes.iter().all(|process| is_gone(*process))
    });
    assert_eq!(temps(&env.path("")), [""; 0]);
    assert_eq!(fs::read_dir(env.path("tmp")).expect("there").count(), 0);
    assert!(!workspace.join("a.tar").exists());
    assert_eq!(faults_of(&env.cache().join("build")), [""; 0]);
    let index = fs::read_to_string(env.cache().join("build/index.json")).expect("there");
    assert!(!index.contains("sha256:"), "nothing was named: {index}");
}

#[test]
fn s01_s02_s04_a_signal_while_cargo_runs_ends_cargo_and_all_below_it() {
    let env = TestEnv::new();
    let workspace = sleeper(&env);
    for (signal, code) in STOPS {
        let (child, processes) = asleep(&env, &workspace, "exec sleep 300");
        send(&child, signal);
        let stopped = ended(child).ends_with(code);
        assert_eq!(stopped.stdout(), "");
        leaves_nothing(&env, &workspace, &processes);
    }
}

#[test]
fn s01_a_child_that_does_not_listen_is_ended_by_force() {
    let env = TestEnv::new();
    let workspace = sleeper(&env);
    let (child, processes) = asleep(
        &env,
        &workspace,
        "trap '' TERM INT HUP; sleep 300; sleep 300",
    );
    send(&child, Signal::INT);
    ended(child).ends_with(130);
    leaves_nothing(&env, &workspace, &processes);
}

#[test]
fn s03_a_second_signal_ends_at_once_what_the_first_did_not() {
    let env = TestEnv::new();
    let workspace = env.workspace("hello");
    let deaf = "case $1 in metadata) exec cargo \"$@\";; esac; trap '' TERM; echo $$ > \"$MARKER\"; while :; do sleep 1; done";
    let deaf = script(&env.path("deaf-cargo"), deaf);
    let marker = env.path("marker");
    for _ in 0..5 {
        let _ = fs::remove_file(&marker);
        let mut command = env.command(&workspace);
        let command = command.env("CARGO", &deaf).env("MARKER", &marker);
        let child = start(command.args(["build", ".", "--push=false", "--offline"]));
        let number = || fs::read_to_string(&marker).ok()?.trim().parse::<u32>().ok();
        wait_until("cargo runs", || number().is_some());
        send(&child, Signal::INT);
        let first = Instant::now();
        send(&child, Signal::TERM);
        let apart = first.elapsed();
        let stopped = ended(child);
        let deaf = number().expect("a number");
        wait_until("cargo is gone", || is_gone(deaf));
        assert_eq!(temps(&env.path("")), [""; 0]);
        // Had the machine stood still between the two, the first one's patience would have ended it.
        if apart.as_millis() < 500 {
            stopped.ends_with(143);
            return;
        }
    }
    panic!("two signals could not be sent in half a second");
}

/// A world whose image has an asset that does not compress, `size` bytes long.
fn heavy(size: usize) -> TestEnv {
    let env = TestEnv::new();
    let project = env.path("project");
    fs::create_dir_all(project.join("assets")).expect("made");
    fs::create_dir(env.path("out")).expect("made");
    fs::create_dir(env.path("tmp")).expect("made");
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = Vec::with_capacity(size);
    while noise.len() < size {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        noise.extend_from_slice(&seed.to_le_bytes());
    }
    fs::write(project.join("assets/noise"), noise).expect("written");
    let yaml = format!(
        "builds:\n- dir: {}\n  bin: hello\n  assets:\n  - {{from: assets, to: /srv}}\n",
        crate::warm::hello().display()
    );
    fs::write(project.join(".builder.yaml"), yaml).expect("written");
    env
}

fn heavy_build(env: &TestEnv, arguments: &str) -> Command {
    let mut command = build_behind(env, &[], arguments);
    command
        .env("RBUILD_CONFIG", env.path("project"))
        .env("TMPDIR", env.path("tmp"));
    command
}

/// Whether a temporary file below `directory` has more than a mebibyte already.
fn is_writing(directory: &Path) -> bool {
    let size = |name: &String| fs::metadata(directory.join(name)).map_or(0, |found| found.len());
    temps(directory).iter().any(|name| size(name) > 1 << 20)
}

/// Starts a program and stops it in the middle of writing below `directory`; none if it was through before it could be stopped.
fn caught(command: &mut Command, directory: &Path) -> Option<Child> {
    let mut child = start(command);
    loop {
        if is_writing(directory) {
            send(&child, Signal::STOP);
            wait_until("it stands still", || {
                matches!(state(child.id()), Some('T' | 'Z'))
            });
            if is_writing(directory) {
                return Some(child);
            }
            send(&child, Signal::CONT);
        }
        if child.try_wait().expect("waited").is_some() {
            return None;
        }
    }
}

/// Stops a heavy build while it writes below `place`, then lets `judge` look at what it left. What is too light to be stopped, or is
/// through before it hears the signal, is made heavier.
fn stopped_in(place: &str, arguments: &str, prepare: impl Fn(&TestEnv), judge: impl Fn(&TestEnv)) {
    for (signal, code) in STOPS {
        let (env, run) = [3_usize, 24, 192]
            .into_iter()
            .find_map(|mebibytes| {
                let env = heavy(mebibytes << 20);
                prepare(&env);
                let child = caught(&mut heavy_build(&env, arguments), &env.path(place))?;
                send(&child, signal);
                send(&child, Signal::CONT);
                let run = ended(child);
                (!run.output.status.success()).then_some((env, run))
            })
            .expect("even the heaviest was through at once");
        let stopped = run.ends_with(code);
        assert_eq!(stopped.stdout(), "");
        assert_eq!(temps(&env.path("")), [""; 0]);
        assert_eq!(fs::read_dir(env.path("tmp")).expect("there").count(), 0);
        assert_eq!(faults_of(&env.cache().join("build")), [""; 0]);
        judge(&env);
    }
}

#[test]
fn s01_s02_s04_a_signal_while_a_layer_is_made_leaves_no_trace_of_it() {
    stopped_in(
        "cache",
        "--base scratch",
        |_| (),
        |env| {
            let index = fs::read_to_string(env.cache().join("build/index.json")).expect("there");
            assert!(!index.contains("sha256:"), "nothing was named: {index}");
            let mut again = heavy_build(env, "--base scratch");
            run(&mut again).succeeds();
        },
    );
}

#[test]
fn s01_s02_s04_a_signal_while_an_archive_is_written_leaves_the_old_one_or_the_whole_new_one() {
    let old = |env: &TestEnv| {
        run(&mut heavy_build(env, "--base scratch")).succeeds();
        fs::write(env.path("out/a.tar"), "old").expect("written");
    };
    stopped_in(
        "out",
        "--base scratch --oci-archive @/out/a.tar",
        old,
        |env| {
            assert_eq!(tree(&env.path("out")), ["a.tar"]);
            let found = fs::read(env.path("out/a.tar")).expect("there");
            // Only where the signal came between the last byte and the rename is it the new one.
            let whole = "--base scratch --oci-archive @/whole.tar";
            run(&mut heavy_build(env, whole)).succeeds();
            let new = fs::read(env.path("whole.tar")).expect("written");
            assert!(found == b"old" || found == new);
        },
    );
}

#[test]
fn s01_s02_s04_a_signal_while_a_layout_is_written_names_nothing_in_it() {
    let made = |env: &TestEnv| drop(run(&mut heavy_build(env, "--base scratch")).succeeds());
    stopped_in(
        "out",
        "--base scratch --oci-layout-path @/out/layout",
        made,
        |env| {
            let layout = env.path("out/layout");
            assert_eq!(faults_of(&layout), [""; 0]);
            let index = fs::read_to_string(layout.join("index.json")).expect("there");
            assert!(!index.contains("sha256:"), "{index}");
            run(&mut heavy_build(
                env,
                "--base scratch --oci-layout-path @/out/layout",
            ))
            .succeeds();
        },
    );
}

#[test]
fn s07_a_signal_while_waiting_for_the_lock_is_heard() {
    let env = TestEnv::new();
    build(&env, "--base scratch").succeeds();
    let lock = fs::File::open(env.cache().join("build/.rbuild/lock")).expect("there");
    lock.lock().expect("locked");
    let mut child = start(&mut build_behind(
        &env,
        &[],
        "--base scratch --tags another",
    ));
    let mut told = BufReader::new(child.stderr.take().expect("piped")).lines();
    let waits = told.any(|line| line.expect("UTF-8").contains("waiting for the lock"));
    assert!(waits, "it says what it waits for");
    send(&child, Signal::INT);
    ended(child).ends_with(130);
    assert_eq!(temps(&env.path("")), [""; 0]);
}

#[test]
fn s05_a_reader_that_went_away_does_not_fail_a_build_and_does_not_save_one() {
    let env = TestEnv::new();
    for (arguments, code) in [("--base scratch", 0), ("--base r.example/no/such:tag", 4)] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = build_behind(&env, &[], arguments);
        let status = command
            .stdout(writer)
            .stderr(Stdio::null())
            .status()
            .expect("ran");
        assert_eq!(status.code(), Some(code), "a closed pipe");
        for closed in [">&-", "2>&-", ">&- 2>&-", "2>/dev/full"] {
            let script = format!("exec \"$@\" {closed}");
            let mut command = build_behind(&env, &["sh", "-c", &script, "sh"], arguments);
            run(&mut command).ends_with(code);
        }
    }
}

#[test]
fn s05_an_answer_that_cannot_be_written_ends_with_8() {
    let env = TestEnv::new();
    let full = ["sh", "-c", "exec \"$@\" >/dev/full", "sh"];
    run(&mut build_behind(&env, &full, "--base scratch"))
        .ends_with(8)
        .says("standard output");
    for arguments in [
        &["version"][..],
        &["cache", "dir"],
        &["--help"],
        &["completions", "bash"],
        &["config", "show"],
    ] {
        let mut command = env.wrapped(&env.path("home"), &full);
        run(command.args(arguments)).ends_with(8);
    }
}

#[test]
fn k07_a_killed_cargo_ends_with_3_and_nothing_is_named_or_written() {
    let env = TestEnv::new();
    let workspace = env.workspace("hello");
    let kill = r#"fn main() { std::process::Command::new("kill").args(["-9", &std::os::unix::process::parent_id().to_string()]).status().unwrap(); }"#;
    fs::write(workspace.join("build.rs"), kill).expect("written");
    let failed = env
        .rbuild(
            &workspace,
            "build . --push=false --offline --oci-archive a.tar --image-refs refs",
        )
        .ends_with(3)
        .says("killed by signal 9");
    assert_eq!(failed.stdout(), "");
    assert!(!workspace.join("a.tar").exists() && !workspace.join("refs").exists());
    let index = fs::read_to_string(env.cache().join("build/index.json")).expect("there");
    assert!(!index.contains("sha256:"), "{index}");
    assert_eq!(temps(&env.path("")), [""; 0]);
}

#[test]
fn k07_a_killed_metadata_call_ends_with_3_too() {
    let env = TestEnv::new();
    let killed = script(&env.path("killed-cargo"), "kill -9 $$");
    let mut command = build_behind(&env, &[], "--base scratch");
    replay().given_to(&mut command);
    run(command.env("CARGO", killed)).ends_with(3);
}
