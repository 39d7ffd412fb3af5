//! Every setting of a configuration with its value, for `rbuild config show`.
//!
//! Values are shown as the file writes them, numbers as text; the environment and the flags, which win, are cli's to add.

use serde_json::Value;

use super::Config;
use super::keys;
use super::keys::Key;
use super::keys::Shape;
use super::node::Node;

/// One line of `rbuild config show`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Such as `builds[0].image.user`.
    pub(crate) key: String,
    /// YAML on one line; `null` when the key is absent and something outside the file decides.
    pub(crate) value: String,
    /// Whether the file says so; else the value is the built-in default.
    pub(crate) written: bool,
}

impl Config {
    /// All keys in the order of the table, those of each build after one another.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let mut settings = Vec::new();
        list(&mut settings, "", &keys::ROOT, &self.written);
        settings
    }
}

fn list(settings: &mut Vec<Setting>, path: &str, keys: &[Key], node: &Node) {
    for key in keys {
        let name = format!("{path}{}", key.name);
        let value = node.get(key.name);
        match (key.shape, value) {
            (Shape::Object(keys), value) => {
                let absent = Node::default();
                list(
                    settings,
                    &format!("{name}."),
                    keys,
                    value.unwrap_or(&absent),
                );
            }
            (Shape::Objects(keys), Some(Node::List(items))) if !items.is_empty() => {
                list_items(settings, &name, keys, items);
            }
            (_, value) => settings.push(Setting {
                key: name,
                value: match value {
                    Some(node) => yaml(node),
                    None => key.default.unwrap_or("null").to_owned(),
                },
                written: value.is_some(),
            }),
        }
    }
}

fn list_items(settings: &mut Vec<Setting>, path: &str, keys: &[Key], items: &[Node]) {
    for (index, item) in items.iter().enumerate() {
        list(settings, &format!("{path}[{index}]."), keys, item);
    }
}

/// JSON is YAML; a text goes without quotes where that is the same text.
fn yaml(node: &Node) -> String {
    let json = json(node).to_string();
    match node {
        Node::Text(text) if is_plain(text) => text.clone(),
        _ => json,
    }
}

/// Errs on the side of quotes: letters first, no `: ` and none of the words that YAML takes for something else.
fn is_plain(text: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(safe)
        && !text.ends_with(':')
        && !words.contains(&text.to_ascii_lowercase().as_str())
}

fn json(node: &Node) -> Value {
    match node {
        Node::Text(text) => Value::from(text.as_str()),
        Node::Truth(truth) => Value::from(*truth),
        Node::List(items) => items.iter().map(json).collect(),
        Node::Object(entries) => (entries.iter())
            .map(|(name, value)| (name.clone(), json(value)))
            .collect(),
    }
}
