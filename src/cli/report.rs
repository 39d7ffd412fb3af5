//! What people read: references and answers on standard output, everything else on standard error.
//!
//! The only file that prints. All text from outside (names, labels, paths, documents) is escaped here, once.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use anyhow::Result;

use crate::fault::{Fault, Kind};
use crate::notes::Notes;
use crate::registry;
use crate::store;

/// Notes that are printed as they are said.
pub(crate) fn notes(quiet: bool) -> Notes {
    match quiet {
        true => notes_by(|_| ()),
        false => notes_by(tell),
    }
}

/// Notes that are told as they are said, each as a line.
pub(crate) fn notes_by(tell: impl Fn(&str) + Send + Sync + 'static) -> Notes {
    let colour = is_coloured();
    Notes::to(move |sentence| {
        let label = paint("note:", "36", colour);
        tell(&format!("{label} {}", escaped(sentence)));
    })
}

/// Set once, at the start, where the user wants no colours.
static PLAIN: OnceLock<()> = OnceLock::new();

/// From here on nothing is coloured (<https://no-color.org>).
pub(crate) fn without_colour() {
    let _ = PLAIN.set(());
}

/// Whether labels are coloured.
fn is_coloured() -> bool {
    is_watched() && PLAIN.get().is_none()
}

/// Whether a person may be looking at standard error.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// One line on standard error; that nobody listens there is no reason to fail.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Lines on standard output, of which nothing but line breaks and tabs may move the cursor. A reader that went away is not an error; a full disk is one.
pub(crate) fn answer(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(safe(text, &['\n', '\t']).as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Fault::new(Kind::Disk, "cannot write to standard output")
                .because(error.to_string())
                .into())
        }
        _ => Ok(()),
    }
}

/// Standard output for bytes that no terminal should see, a tar for instance.
pub(crate) fn raw_answer() -> Result<impl Write> {
    let stdout = io::stdout();
    match stdout.is_terminal() {
        false => Ok(stdout.lock()),
        true => Err(Fault::refused("standard output is a terminal")
            .hint("send it to a file or a program: `… > FILE`, `… | ssh HOST …`")
            .into()),
    }
}

/// Prints an error with its reasons and hints, and gives the exit code.
pub(crate) fn failure(error: &anyhow::Error) -> u8 {
    tell(&told(error, is_coloured()));
    code(error)
}

/// The error as it is shown: `error:`, `because:` and `hint:` lines.
fn told(error: &anyhow::Error, colour: bool) -> String {
    let first = format!("{} ", paint("error:", "1;31", colour));
    lines(error, &first, &paint("hint:", "32", colour))
}

/// As [`told`], as a part of an answer.
pub(crate) fn explained(error: &anyhow::Error) -> String {
    lines(error, "", "hint:")
}

fn lines(error: &anyhow::Error, first: &str, hint: &str) -> String {
    let said = sentences(error).into_iter().enumerate();
    let said = said.map(|(index, line)| {
        let label = if index == 0 { first } else { "  because: " };
        format!("{label}{}", escaped_lines(&line))
    });
    let hints = ways_out(error).into_iter();
    let hints = hints.map(|text| format!("  {hint} {}", escaped_lines(&text)));
    said.chain(hints).collect::<Vec<_>>().join("\n")
}

/// What is wrong, from the outside in.
fn sentences(error: &anyhow::Error) -> Vec<String> {
    let mut lines = Vec::new();
    for cause in error.chain() {
        let fault = as_fault(cause);
        let text = fault
            .as_ref()
            .map_or_else(|| cause.to_string(), ToString::to_string);
        if !lines.contains(&text) {
            lines.push(text);
        }
        if let Some(fault) = fault {
            lines.extend(fault.reasons().iter().cloned());
        }
    }
    lines
}

/// The hints of an error, the best first.
pub(crate) fn ways_out(error: &anyhow::Error) -> Vec<String> {
    let faults = error.chain().filter_map(as_fault);
    faults.flat_map(|fault| fault.hints().to_vec()).collect()
}

fn as_fault(cause: &(dyn std::error::Error + 'static)) -> Option<Fault> {
    let fault = || cause.downcast_ref::<Fault>().cloned();
    let store = || {
        cause
            .downcast_ref::<store::Error>()
            .map(store::Error::fault)
    };
    let registry = || {
        cause
            .downcast_ref::<registry::Error>()
            .map(registry::Error::fault)
    };
    // An I/O error hides what it was made from: neither its own text nor its source leads there.
    let wrapped = || as_fault(cause.downcast_ref::<io::Error>()?.get_ref()?);
    fault().or_else(store).or_else(registry).or_else(wrapped)
}

fn code(error: &anyhow::Error) -> u8 {
    let kind = error.chain().find_map(as_fault).map(|fault| fault.kind);
    let disk = || {
        error
            .chain()
            .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(is_disk))
            .then_some(Kind::Disk)
    };
    kind.or_else(disk).unwrap_or(Kind::Other) as u8
}

fn is_disk(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(
        error.kind(),
        PermissionDenied | QuotaExceeded | ReadOnlyFilesystem | StorageFull
    )
}

fn paint(text: &str, code: &str, colour: bool) -> String {
    if colour {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// Text from outside on one line, shortened where it is endless.
pub(crate) fn escaped(text: &str) -> String {
    let end = text.char_indices().nth(4_096);
    safe(&text[..end.map_or(text.len(), |(end, _)| end)], &[])
}

/// Control characters and those that turn the reading direction are shown, not sent (H15), except those to be kept.
fn safe(text: &str, kept: &[char]) -> String {
    // A list of thousands of lines is plain as a rule.
    if text
        .bytes()
        .all(|byte| matches!(byte, b' '..=b'~') || kept.contains(&char::from(byte)))
    {
        return text.to_owned();
    }
    let mut safe = String::new();
    for character in text.chars() {
        let harmful = character.is_control()
            || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if harmful && !kept.contains(&character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// As [`escaped`], with line breaks kept and continued lines indented.
pub(crate) fn escaped_lines(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<_>>().join("\n    ")
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn an_error_is_told_from_the_outside_in_with_its_hints_last() {
        let fault = Fault::new(Kind::Offline, "it is not here")
            .because("it was looked for in /x")
            .hint("run `y`");
        let error = anyhow::Error::from(fault).context("cannot resolve base image `debian:13`");
        assert_eq!(
            told(&error, false),
            "error: cannot resolve base image `debian:13`\n  because: it is not here\n  because: it was looked for in /x\n  hint: run `y`"
        );
        assert_eq!(code(&error), 4);
    }

    #[test]
    fn an_error_without_a_class_ends_with_1_and_a_full_disk_with_8() {
        assert_eq!(code(&anyhow::anyhow!("something")), 1);
        let full: Result<(), _> = Err(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(code(&full.context("writing").expect_err("full")), 8);
    }

    #[test]
    fn a_fault_inside_an_io_error_keeps_its_class_and_its_hints() {
        let wrapped: Result<(), _> = Err(io::Error::other(
            Fault::integrity("wrong bytes").hint("pull it again"),
        ));
        let error = wrapped.context("cannot copy").expect_err("wrong");
        assert_eq!(code(&error), 5);
        assert_eq!(
            told(&error, false),
            "error: cannot copy\n  because: wrong bytes\n  hint: pull it again"
        );
    }

    #[test]
    fn h15_no_control_character_of_others_reaches_the_terminal() {
        let hostile = "a\u{1b}]52;c;x\u{7}b\r\u{202e}c\u{2066}\u{9b}\u{2028}";
        let shown = escaped(hostile);
        assert_eq!(
            shown,
            "a\\u{1b}]52;c;x\\u{7}b\\r\\u{202e}c\\u{2066}\\u{9b}\\u{2028}"
        );
        assert_eq!(
            escaped("\u{200e}\u{200f}\u{61c}"),
            "\\u{200e}\\u{200f}\\u{61c}"
        );
        assert_eq!(escaped("plain ü"), "plain ü");
        assert_eq!(
            safe("a\tb\n\u{1b}]0;c\r", &['\n', '\t']),
            "a\tb\n\\u{1b}]0;c\\r"
        );
        assert_eq!(escaped_lines("a\nb\u{1b}"), "a\n    b\\u{1b}");
    }

    #[test]
    fn completions_hold_nothing_that_would_be_escaped() {
        use clap::{CommandFactory, ValueEnum};
        for shell in clap_complete::Shell::value_variants() {
            let mut script = Vec::new();
            let mut command = crate::cli::args::Arguments::command();
            clap_complete::generate(*shell, &mut command, "rbuild", &mut script);
            let script = String::from_utf8(script).expect("text");
            assert_eq!(safe(&script, &['\n', '\t']), script, "{shell}");
        }
    }
}
