//! Digests written into `.builder.yaml` at exactly the bytes of the names that they pin.
//!
//! The parser says where a value stands, and the bytes there must be the value itself, plain or in quotes; anything cleverer is refused.
//! What comes out is read again and held against what went in: nothing but the names may have changed.

use std::ops::Range;

use super::node::Node;
use super::parse;

/// A value that stands where no digest can be written.
#[derive(Debug)]
pub(super) struct Misfit {
    /// Such as `baseImageOverrides.web`.
    pub(super) path: String,
    /// From 1.
    pub(super) line: usize,
    /// What should stand there.
    pub(super) wanted: String,
}

/// One name of a base to be pinned.
struct Edit {
    path: Vec<String>,
    old: String,
    new: String,
}

/// The bytes of the file with every name replaced for which `pin` has another one. `node` is what `text` says.
pub(super) fn pinned(
    text: &str,
    node: &Node,
    pin: &dyn Fn(&str) -> Option<String>,
) -> Result<String, Misfit> {
    let edits = edits(node, pin);
    let mut places = Vec::new();
    for edit in &edits {
        places.push((place(text, edit)?, edit));
    }
    places.sort_by_key(|(range, _)| range.start);
    let mut after = text.to_owned();
    for (range, edit) in places.iter().rev() {
        after.replace_range(range.clone(), &edit.new);
    }
    let wanted = edits.iter().fold(node.clone(), |node, edit| edit.on(node));
    match (parse::document(after.as_bytes()), edits.first()) {
        (Ok(found), _) if found == wanted => Ok(after),
        (_, Some(edit)) => Err(edit.misfit(text, 0)),
        (_, None) => Ok(text.to_owned()),
    }
}

fn edits(node: &Node, pin: &dyn Fn(&str) -> Option<String>) -> Vec<Edit> {
    let edit = |path: &[&str], value: Option<&Node>| {
        let old = value?.as_text()?;
        Some(Edit {
            path: path.iter().map(|part| (*part).to_owned()).collect(),
            old: old.to_owned(),
            new: pin(old)?,
        })
    };
    let default = edit(&["defaultBaseImage"], node.get("defaultBaseImage"));
    let overrides = node.get("baseImageOverrides").map(Node::entries);
    let overrides = overrides.unwrap_or_default().iter();
    let overrides = overrides
        .filter_map(|(key, value)| edit(&["baseImageOverrides", key.as_str()], Some(value)));
    default.into_iter().chain(overrides).collect()
}

/// Where the value's own characters lie.
fn place(text: &str, edit: &Edit) -> Result<Range<usize>, Misfit> {
    let path: Vec<&str> = edit.path.iter().map(String::as_str).collect();
    let start = parse::place_of(text, &path).ok_or_else(|| edit.misfit(text, 0))?;
    let inner = scalar(&text[start..], &edit.old).ok_or_else(|| edit.misfit(text, start))?;
    Ok(start + inner.start..start + inner.end)
}

/// The characters of a scalar that is written as it is meant: plain, or between quotes.
fn scalar(text: &str, value: &str) -> Option<Range<usize>> {
    let quote = text
        .chars()
        .next()
        .filter(|first| matches!(first, '"' | '\''));
    let start = quote.map_or(0, char::len_utf8);
    let rest = text[start..].strip_prefix(value)?;
    let ends = match quote {
        Some(quote) => rest.starts_with(quote),
        None => {
            rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || ",]}".contains(c))
        }
    };
    ends.then(|| start..start + value.len())
}

impl Edit {
    fn on(&self, node: Node) -> Node {
        replaced(node, &self.path, &self.new)
    }

    fn misfit(&self, text: &str, start: usize) -> Misfit {
        Misfit {
            path: self.path.join("."),
            line: text[..start].matches('\n').count() + 1,
            wanted: self.new.clone(),
        }
    }
}

fn replaced(node: Node, path: &[String], new: &str) -> Node {
    let Some((first, rest)) = path.split_first() else {
        return Node::Text(new.to_owned());
    };
    match node {
        Node::Object(entries) => {
            let replace = |(key, value): (String, Node)| match key == *first {
                true => (key, replaced(value, rest, new)),
                false => (key, value),
            };
            Node::Object(entries.into_iter().map(replace).collect())
        }
        other => other,
    }
}
