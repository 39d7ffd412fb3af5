//! The door to other programs: the only user of `std::process`.
//!
//! Each child leads a process group of its own, so that [`end_all`] ends cargo together with every rustc below it.
//! A child never gets our standard input, and nothing here goes through a shell. What a child must keep to itself is written to its
//! standard input by [`Call::converse`]: arguments and environment can be read by others.

#![expect(
    clippy::disallowed_methods,
    reason = "this file is the door to child processes"
)]

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::fault::Fault;
use crate::interrupt;

/// The process groups that run now.
static RUNNING: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// A program with its arguments, directory and additions to the environment, as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    program: OsString,
    arguments: Vec<OsString>,
    directory: PathBuf,
    variables: Vec<(OsString, OsString)>,
}

impl Call {
    pub(crate) fn new(program: impl AsRef<OsStr>, directory: &Path) -> Call {
        Call {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            directory: directory.to_owned(),
            variables: Vec::new(),
        }
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Call {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Call {
        self.arguments.extend(
            arguments
                .into_iter()
                .map(|argument| argument.as_ref().to_owned()),
        );
        self
    }

    /// Sets a variable for the child, beside the environment that it inherits.
    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Call {
        self.variables
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Runs to the end with both outputs captured; a failing status is not an error here.
    pub(crate) fn output(&self) -> Result<Output> {
        let (child, group) = self.start(Stdio::piped(), Stdio::piped())?;
        let output = child
            .wait_with_output()
            .with_context(|| format!("cannot wait for `{self}`"))?;
        drop(group);
        interrupt::check()?;
        Ok(output)
    }

    /// Runs to the end and hands over each line of standard output as it comes; standard error goes to ours, live.
    pub(crate) fn lines(&self, mut each: impl FnMut(&str) -> Result<()>) -> Result<ExitStatus> {
        let (mut child, group) = self.start(Stdio::piped(), Stdio::inherit())?;
        let stdout = child.stdout.take().expect("standard output was piped");
        for line in BufReader::new(stdout).lines() {
            each(&line.with_context(|| format!("cannot read the output of `{self}`"))?)?;
        }
        let status = child
            .wait()
            .with_context(|| format!("cannot wait for `{self}`"))?;
        drop(group);
        interrupt::check()?;
        Ok(status)
    }

    /// Says `input`, hears the answer, and ends the child when it takes too long or says too much; standard error goes to ours, live.
    /// A failing status is not an error here.
    pub(crate) fn converse(&self, input: &[u8], limits: Limits) -> Result<Answer> {
        let streams = (Stdio::piped(), Stdio::piped(), Stdio::inherit());
        let (mut child, group) = self.begin(streams)?;
        let mut stdin = child.stdin.take().expect("standard input was piped");
        let stdout = child.stdout.take().expect("standard output was piped");
        let input = input.to_vec();
        // A child that does not listen may still answer: what it did not read is no error.
        std::thread::spawn(move || stdin.write_all(&input));
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let heard = hear(stdout, limits.bytes);
            let status = matches!(heard, Ok(Some(_))).then(|| child.wait());
            let _ = sender.send((heard, status));
            // Of a child that says too much only the end is awaited.
            let _ = child.wait();
        });
        let answer = receiver.recv_timeout(limits.time);
        drop(group);
        interrupt::check()?;
        let program = self.program.display();
        match answer {
            Ok((Ok(Some(output)), Some(status))) => Ok(Answer {
                status: status.with_context(|| format!("cannot wait for `{program}`"))?,
                output,
            }),
            Ok((Err(error), _)) => bail!("cannot read the output of `{program}`: {error}"),
            Ok(_) => bail!("`{program}` says more than {} bytes", limits.bytes),
            Err(_) => bail!("`{program}` gives no answer in {:?}", limits.time),
        }
    }

    fn start(&self, stdout: Stdio, stderr: Stdio) -> Result<(Child, Group)> {
        self.begin((Stdio::null(), stdout, stderr))
    }

    fn begin(&self, (stdin, stdout, stderr): (Stdio, Stdio, Stdio)) -> Result<(Child, Group)> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .current_dir(&self.directory)
            // A background process group that asks at the terminal is stopped by it, and we would wait for ever.
            .env("GIT_TERMINAL_PROMPT", "0")
            .envs(self.variables.iter().cloned());
        command
            .stdin(stdin)
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0);
        // Held until the child is known: a signal in between would miss it.
        let mut running = RUNNING.lock().expect("nobody panics inside");
        interrupt::check()?;
        match command.spawn() {
            Ok(child) => {
                let group = Group::of(&child, &mut running);
                Ok((child, group))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(self.not_found().into()),
            Err(error) => bail!(
                "cannot start `{}` in {}: {error}",
                self.program.display(),
                self.directory.display()
            ),
        }
    }
}

/// How much is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) time: Duration,
    pub(crate) bytes: usize,
}

/// What a child said; it may be a secret.
pub(crate) struct Answer {
    pub(crate) status: ExitStatus,
    pub(crate) output: Vec<u8>,
}

/// All that is said; `None` when it is more than `limit` bytes.
fn hear(stdout: impl Read, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut heard = Vec::new();
    let beyond = u64::try_from(limit).map_or(u64::MAX, |limit| limit.saturating_add(1));
    stdout.take(beyond).read_to_end(&mut heard)?;
    Ok((heard.len() <= limit).then_some(heard))
}

impl Call {
    /// The program or the directory, whichever is not there.
    fn not_found(&self) -> Fault {
        let program = self.program.display();
        if !self.directory.is_dir() {
            return Fault::refused(format!(
                "there is no directory {} to run `{program}` in",
                self.directory.display()
            ));
        }
        Fault::refused(format!("there is no program `{program}`"))
            .because("it was looked for on PATH")
            .hint("install a toolchain with rustup, or name the programs in `CARGO` and `RUSTC`")
    }
}

/// As it could be typed in a shell; for messages and `--dry-run`.
impl fmt::Display for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "cd {} && ", quoted(self.directory.as_os_str()))?;
        for (name, value) in &self.variables {
            write!(out, "{}={} ", name.display(), quoted(value))?;
        }
        write!(out, "{}", quoted(&self.program))?;
        self.arguments
            .iter()
            .try_for_each(|argument| write!(out, " {}", quoted(argument)))
    }
}

/// One word of a shell; control characters, as in CARGO_ENCODED_RUSTFLAGS, take the form that bash, zsh and ksh read.
fn quoted(text: &OsStr) -> String {
    let text = text.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    if !text.contains(char::is_control) {
        return format!("'{}'", text.replace('\'', "'\\''"));
    }
    let escaped = |c: char| match c {
        '\'' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\x{:02x}", u32::from(c)),
        c => c.to_string(),
    };
    format!("$'{}'", text.chars().map(escaped).collect::<String>())
}

/// A running process group; forgotten, and ended if it still runs, when dropped.
struct Group(i32);

impl Group {
    fn of(child: &Child, running: &mut BTreeSet<i32>) -> Group {
        let group = i32::try_from(child.id()).expect("a process id fits");
        running.insert(group);
        Group(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        RUNNING
            .lock()
            .expect("nobody panics inside")
            .remove(&self.0);
        signal(self.0, Signal::KILL);
    }
}

/// The signal that ended a child, if one did.
pub(crate) fn killed_by(status: ExitStatus) -> Option<i32> {
    status.signal()
}

/// Ends every running child with all its descendants; `hard` does not let them clean up.
pub(crate) fn end_all(hard: bool) {
    let how = if hard { Signal::KILL } else { Signal::TERM };
    RUNNING
        .lock()
        .expect("nobody panics inside")
        .iter()
        .for_each(|group| signal(*group, how));
}

/// A group that is gone already is what we want.
fn signal(group: i32, how: Signal) {
    if let Some(pid) = Pid::from_raw(group) {
        let _ = kill_process_group(pid, how);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_not_taken_for_too_much() {
        let directory = std::fs::File::open("/").expect("a directory");
        assert!(hear(directory, 10).is_err());
        assert!(matches!(hear(&b"eleven bytes"[..], 10), Ok(None)));
    }

    #[test]
    fn a_call_prints_as_it_could_be_typed() {
        let call = Call::new("cargo", Path::new("/"))
            .env("A", "b c")
            .args(["build", "it's"]);
        assert_eq!(call.to_string(), "cd / && A='b c' cargo build 'it'\\''s'");
        let flags = Call::new("cargo", Path::new("/")).env("F", "-C\u{1f}it's");
        assert_eq!(flags.to_string(), "cd / && F=$'-C\\x1fit\\'s' cargo");
    }

    #[test]
    fn lines_come_one_by_one_and_the_status_is_told() {
        let mut seen = Vec::new();
        let call = Call::new("sh", Path::new("/"))
            .args(["-c", "echo one; echo $TWO; exit 3"])
            .env("TWO", "two");
        let status = call
            .lines(|line| {
                seen.push(line.to_owned());
                Ok(())
            })
            .expect("runs");
        assert_eq!(seen, ["one", "two"]);
        assert_eq!(status.code(), Some(3));
    }

    const BRIEF: Limits = Limits {
        time: Duration::from_secs(60),
        bytes: 1_000,
    };

    fn shell(script: &str) -> Call {
        Call::new("sh", Path::new("/")).args(["-c", script])
    }

    #[test]
    fn a_child_is_told_on_its_standard_input_and_its_answer_comes_back_with_its_status() {
        let answer = shell("cat; echo; exit 3").converse(b"secret", BRIEF);
        let answer = answer.expect("an answer");
        assert_eq!(answer.output, b"secret\n");
        assert_eq!(answer.status.code(), Some(3));
    }

    #[test]
    fn a_child_that_does_not_listen_may_still_answer() {
        let long = vec![b'x'; 1 << 20];
        let answer = shell("echo no").converse(&long, BRIEF);
        assert_eq!(answer.expect("an answer").output, b"no\n");
    }

    #[test]
    fn a18_a_child_that_gives_no_answer_is_ended_with_all_below_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let script = "sleep 300 & echo $! >child; wait";
        let call = Call::new("sh", directory.path()).args(["-c", script]);
        let limits = Limits {
            time: Duration::from_secs(2),
            ..BRIEF
        };
        let error = call.converse(b"", limits).err().expect("no answer");
        assert!(
            error.to_string().ends_with("gives no answer in 2s"),
            "{error}"
        );
        let child = std::fs::read_to_string(directory.path().join("child"));
        ends(child.expect("written").trim().parse().expect("a number"));
    }

    #[test]
    fn a18_a_child_that_talks_without_end_is_ended() {
        let error = shell("yes").converse(b"", BRIEF).err().expect("too much");
        assert!(
            error.to_string().ends_with("says more than 1000 bytes"),
            "{error}"
        );
        let exactly = shell("printf %01000d 0").converse(b"", BRIEF);
        assert_eq!(exactly.expect("an answer").output.len(), 1_000);
    }

    #[test]
    fn the_signal_that_killed_a_child_is_told() {
        let status = |script| {
            let call = Call::new("sh", Path::new("/")).args(["-c", script]);
            call.lines(|_| Ok(())).expect("runs")
        };
        assert_eq!(killed_by(status("kill -9 $$")), Some(9));
        assert_eq!(killed_by(status("exit 137")), None);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = Call::new("no-such-program", Path::new("/"))
            .output()
            .expect_err("absent")
            .to_string();
        assert!(
            error.starts_with("there is no program `no-such-program`"),
            "{error}"
        );
    }

    #[test]
    fn when_the_reader_gives_up_the_grandchildren_end_too() {
        let call = Call::new("sh", Path::new("/")).args(["-c", "sleep 300 & echo $!; wait"]);
        let mut grandchild = 0;
        let result = call.lines(|line| {
            grandchild = line.parse().expect("a process id");
            bail!("enough")
        });
        assert!(result.is_err());
        ends(grandchild);
    }

    /// Waits until a process is gone.
    fn ends(process: u32) {
        let gone = || {
            std::fs::read_to_string(format!("/proc/{process}/stat"))
                .map_or(true, |stat| stat.contains(") Z "))
        };
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while !gone() && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert!(gone(), "process {process} still runs");
    }
}
