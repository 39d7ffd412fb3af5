//! How much memory a run takes: what the kernel counts, and a cgroup that allows no more.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::Run;

/// What a run came to, and what the kernel counted of it.
pub(crate) struct Watched {
    pub(crate) run: Run,
    /// The most memory that it ever had resident, in KiB.
    pub(crate) peak: u64,
    /// Bytes that it caused to be written to a disk.
    pub(crate) written: u64,
}

impl Watched {
    pub(crate) fn figures(&self) -> String {
        let (peak, written) = (self.peak, self.written);
        format!("at most {peak} KiB resident, {written} bytes written")
    }
}

/// Runs a command to its end; only the process itself is looked at, and again and again, since all is forgotten when it ends.
pub(crate) fn watched(command: &mut Command) -> Watched {
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("started");
    let place = PathBuf::from(format!("/proc/{}", child.id()));
    let (mut peak, mut written) = (0, 0);
    while child.try_wait().expect("a child").is_none() {
        peak = figure(&place.join("status"), "VmHWM:").max(peak);
        written = figure(&place.join("io"), "write_bytes:").max(written);
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = child.wait_with_output().expect("it has ended");
    Watched {
        run: Run { output },
        peak,
        written,
    }
}

/// The number after a word in a file of /proc; 0 when the process has gone.
fn figure(path: &Path, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.map_or(0, |number| number.parse().expect("a number"))
}

/// A group of processes that together may have so much memory, their files in the page cache counted.
pub(crate) struct Cgroup(PathBuf);

impl Cgroup {
    /// `limit` in bytes, enforced by version 1 or 2, whichever has the memory controller here.
    pub(crate) fn new(limit: u64) -> Cgroup {
        let root = Path::new("/sys/fs/cgroup");
        let (parent, file) = match root.join("memory").is_dir() {
            true => (root.join("memory"), "memory.limit_in_bytes"),
            false => {
                let all = root.join("cgroup.subtree_control");
                fs::write(all, "+memory").expect("the memory controller");
                (root.to_owned(), "memory.max")
            }
        };
        let mut named = tempfile::Builder::new();
        let group = named.prefix("rbuild-test-").tempdir_in(parent);
        let group = group.expect("a cgroup").keep();
        fs::write(group.join(file), limit.to_string()).expect("a limit");
        Cgroup(group)
    }

    /// What to put before a command: a shell that enters the group and becomes the command.
    pub(crate) fn wrapper(&self) -> [String; 4] {
        let enter = "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"";
        let place = self.0.display().to_string();
        ["sh".to_owned(), "-c".to_owned(), enter.to_owned(), place]
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
