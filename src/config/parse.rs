//! YAML text → checked tree: the only user of serde_yaml.
//!
//! The reader is driven by the table of keys and checks each value while the parser stands on it, so that the parser itself
//! attaches line and column. What hostile text could blow up is bounded first: brackets, directives, and what aliases expand to.

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::Deserializer;
use serde::de::Error;
use serde::de::Visitor;

use super::keys;
use super::keys::Shape;
use super::node::Node;
use super::objection::Objection;
use super::reader::Place;
use super::reader::join;

/// The largest file that is read, in bytes.
pub(super) const LARGEST: usize = 1 << 20;
/// Opening brackets in a file; the parser's time grows with the square of their nesting.
const MOST_BRACKETS: usize = 10_000;

/// An objection, and where it arose: line and column count from 1.
#[derive(Debug)]
pub(super) struct Misplaced {
    pub(super) objection: Objection,
    pub(super) position: Option<(usize, usize)>,
}

/// What the readers of one file share.
pub(super) struct Desk {
    /// The first objection; serde's errors carry only text.
    objection: RefCell<Option<Objection>>,
    /// Bytes of values that may still be read; aliases repeat them.
    left: Cell<usize>,
    /// Values of rules that want no two the same.
    unique: RefCell<BTreeSet<String>>,
    /// The path of a value at which reading ends, so that the parser says where it stands.
    stop: Option<String>,
}

impl Desk {
    /// Remembers what is wrong; the error makes the parser stop and say where.
    pub(super) fn refuse<E: Error>(&self, objection: Objection) -> E {
        self.note(objection);
        E::custom("refused")
    }

    fn note(&self, objection: Objection) {
        self.objection.borrow_mut().get_or_insert(objection);
    }

    /// False when the file expands to more than twice the largest file.
    pub(super) fn spend(&self, bytes: usize) -> bool {
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Whether a value was only looked for.
    pub(super) fn stops_at(&self, path: &str) -> bool {
        self.stop.as_deref() == Some(path)
    }

    /// False when the value was seen before.
    pub(super) fn first(&self, value: &str) -> bool {
        self.unique.borrow_mut().insert(value.to_owned())
    }
}

/// Reads the one document of a file; no document is an empty one.
pub(super) fn document(bytes: &[u8]) -> Result<Node, Misplaced> {
    let text = bounded(bytes)?;
    let desk = desk(None);
    read(text, &desk).map_err(|error| Misplaced {
        position: error
            .location()
            .map(|location| (location.line(), location.column())),
        objection: desk
            .objection
            .take()
            .unwrap_or_else(|| bad_yaml(text, &error)),
    })
}

fn desk(stop: Option<String>) -> Desk {
    Desk {
        objection: RefCell::new(None),
        left: Cell::new(2 * LARGEST),
        unique: RefCell::new(BTreeSet::new()),
        stop,
    }
}

/// The byte at which the text behind some keys begins, in a file that can be read. Of an alias it is where the anchor stands.
pub(super) fn place_of(text: &str, path: &[&str]) -> Option<usize> {
    let path = path
        .iter()
        .fold(String::new(), |path, name| join(&path, name));
    let desk = desk(Some(path));
    let error = read(text, &desk).err()?;
    let place = error.location()?.index(); // in bytes
    Some(place).filter(|place| text.is_char_boundary(*place))
}

fn read(text: &str, desk: &Desk) -> Result<Node, serde_yaml::Error> {
    let mut documents = serde_yaml::Deserializer::from_str(text);
    let Some(first) = documents.next() else {
        return Ok(Node::default());
    };
    let node = first.deserialize_any(Place::top(desk, Shape::Object(&keys::ROOT)))?;
    let Some(second) = documents.next() else {
        return Ok(node);
    };
    desk.note(Objection::new("the file holds more than one YAML document"));
    second.deserialize_any(Nothing).map(|()| node)
}

/// Accepts no value at all, so that the parser says where a second document stands.
struct Nothing;

impl Visitor<'_> for Nothing {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the end of the file")
    }
}

/// What can be refused without parsing.
fn bounded(bytes: &[u8]) -> Result<&str, Misplaced> {
    let refuse = |objection: &str, position| Misplaced {
        objection: Objection::new(objection),
        position,
    };
    if bytes.len() > LARGEST {
        return Err(refuse("the file is larger than 1 MiB", None));
    }
    let text = str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        refuse("the file is not UTF-8 text", Some(position(&before)))
    })?;
    if let Some((last, _)) = text.match_indices(['[', '{']).nth(MOST_BRACKETS) {
        let message = "the file holds more than 10000 opening brackets";
        return Err(refuse(message, Some(position(&text[..last]))));
    }
    if let Some(at) = text.find(forbidden) {
        let message = "the file holds a control character";
        return Err(refuse(message, Some(position(&text[..at]))));
    }
    match text.lines().position(|line| line.starts_with("%TAG")) {
        None => Ok(text),
        Some(line) => Err(refuse(
            "YAML tags have no meaning here",
            Some((line + 1, 1)),
        )),
    }
}

/// What YAML has no place for; the parser itself would not say where it stands.
fn forbidden(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')
}

/// The line and column of the character that follows `before`.
fn position(before: &str) -> (usize, usize) {
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// The parser's own words; its position goes to the front of the message.
fn bad_yaml(text: &str, error: &serde_yaml::Error) -> Objection {
    let location = error.location();
    let (line, column) = location.map_or((0, 0), |at| (at.line(), at.column()));
    let words = error
        .to_string()
        .replacen(&format!(" at line {line} column {column}"), "", 1);
    let objection = Objection::new(format!("not valid YAML: {words}"));
    let tab = text
        .lines()
        .nth(line.saturating_sub(1))
        .is_some_and(|line| line.contains('\t'));
    match tab {
        true => objection.hint("YAML is indented by spaces, never by tabs"),
        false => objection,
    }
}
