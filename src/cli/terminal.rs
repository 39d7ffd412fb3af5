//! Questions to the person at the terminal, with and without echo.
//!
//! The terminal itself is spoken to, not standard input or output: those may be redirected. Ctrl-C ends a question, and the echo comes
//! back however it ends. Written here, because a crate that reads in one blocking call would sit through the signal.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::fault::Fault;
use crate::interrupt;

/// How often a question looks whether the user asked to stop.
const GLANCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

/// The longest answer, in bytes.
const LONGEST: usize = 4_096;

pub(crate) struct Terminal(File);

impl Terminal {
    /// The terminal that controls this process.
    pub(crate) fn open() -> Result<Terminal> {
        let opened = OpenOptions::new().read(true).write(true).open("/dev/tty");
        Ok(Terminal(opened.map_err(|error| {
            Fault::refused("there is no terminal to ask at")
                .because(error.to_string())
                .hint("`--user NAME --password-stdin` reads the password from standard input")
        })?))
    }

    /// Asks for one line.
    pub(crate) fn ask(&mut self, question: &str) -> Result<String> {
        write!(self.0, "{question}: ").context("cannot write to the terminal")?;
        self.line()
    }

    /// Asks for one line that nobody shall see.
    pub(crate) fn ask_hidden(&mut self, question: &str) -> Result<String> {
        let silence = Silence::over(&self.0).context("cannot turn off the terminal's echo")?;
        let answer = self.ask(question);
        drop(silence);
        answer
    }

    fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        let mut part = [0; 256];
        while !line.ends_with(b"\n") && line.len() < LONGEST {
            self.wait()?;
            let count = self
                .0
                .read(&mut part)
                .context("cannot read from the terminal")?;
            line.extend_from_slice(&part[..count]);
            if count == 0 {
                return Err(Fault::refused("there was no answer at the terminal").into());
            }
        }
        let line = String::from_utf8(line).context("the answer is not UTF-8")?;
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Until something was typed, or the user asked to stop.
    fn wait(&self) -> Result<()> {
        loop {
            interrupt::check()?;
            let mut watched = [PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut watched, Some(&GLANCE)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error).context("cannot wait for the terminal"),
            }
        }
    }
}

/// No echo but that of the line's end, until it is dropped.
struct Silence {
    terminal: File,
    before: Termios,
}

impl Silence {
    fn over(terminal: &File) -> Result<Silence> {
        let terminal = terminal.try_clone()?;
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent
            .local_modes
            .insert(LocalModes::ECHONL | LocalModes::ICANON);
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        Ok(Silence { terminal, before })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
