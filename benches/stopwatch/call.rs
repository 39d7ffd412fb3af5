//! One program to run: timed, or watched through /proc.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often a process is looked at, for its children or its memory: far less than the shortest of them lives.
const LOOK: Duration = Duration::from_micros(500);

pub(crate) struct Call(Command);

impl Call {
    /// `words` are the program and its arguments.
    pub(crate) fn new(words: &[&str], directory: &Path) -> Call {
        let mut command = Command::new(words[0]);
        for name in ours() {
            command.env_remove(name);
        }
        command
            .args(&words[1..])
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Call(command)
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Call {
        self.0.env(name, value);
        self
    }

    /// From start to end, in milliseconds.
    pub(crate) fn time(mut self) -> f64 {
        let start = Instant::now();
        let status = self.0.status();
        let took = start.elapsed();
        self.succeeded(status.is_ok_and(|status| status.success()));
        took.as_secs_f64() * 1_000.0
    }

    /// What it prints.
    pub(crate) fn output(mut self) -> String {
        let output = self.0.stdout(Stdio::piped()).output();
        let good = output.as_ref().is_ok_and(|output| output.status.success());
        self.succeeded(good);
        String::from_utf8(output.expect("it ran").stdout).expect("UTF-8")
    }

    /// How many children it starts itself.
    pub(crate) fn children(self) -> usize {
        let mut seen = BTreeSet::new();
        self.watch(|pid| seen.extend(children(pid)));
        seen.len()
    }

    /// Its own resident memory at its highest, in bytes; that of its children is theirs.
    pub(crate) fn peak_memory(self) -> u64 {
        let mut peak = 0;
        self.watch(|pid| peak = peak.max(high_water(pid)));
        peak
    }

    /// In the background, to be ended by the caller.
    pub(crate) fn start(mut self) -> std::io::Result<Child> {
        self.0.spawn()
    }

    fn watch(mut self, mut look: impl FnMut(u32)) {
        let mut child = self.0.spawn().expect("it ran before");
        let status = loop {
            look(child.id());
            match child.try_wait().expect("it is our child") {
                Some(status) => break status,
                None => thread::sleep(LOOK),
            }
        };
        self.succeeded(status.success());
    }

    fn succeeded(&self, good: bool) {
        assert!(good, "this failed: {:?}", self.0);
    }
}

/// What cargo and rustup have set for this bench. With it, `$CARGO` alone would save rbuild the way through rustup that others have.
fn ours() -> impl Iterator<Item = OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| {
        let name = name.to_string_lossy();
        let is_place = ["CARGO_HOME", "RUSTUP_HOME"].contains(&&*name);
        !is_place
            && ["CARGO", "RUST", "LD_LIBRARY_PATH"]
                .iter()
                .any(|begin| name.starts_with(begin))
    })
}

/// The children of every thread of a process.
fn children(pid: u32) -> BTreeSet<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|id| id.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// `VmHWM`, which only ever grows, so that the last look before the end is the answer.
fn high_water(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.map_or(0, |kibibytes| kibibytes * 1_024)
}
