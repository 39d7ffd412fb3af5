//! One value of the file, read by the shape that the table of keys gives it.
//!
//! Nothing is guessed: a number, a truth value or an empty place where text belongs is refused, because YAML has changed the
//! text by then (`1.10` would be 1.1). `no` is text.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::DeserializeSeed;
use serde::de::Deserializer;
use serde::de::EnumAccess;
use serde::de::Error;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;

use super::key_reader::KeyReader;
use super::keys::Key;
use super::keys::Shape;
use super::node::Node;
use super::objection::Objection;
use super::objection::shown;
use super::parse::Desk;
use super::rules::Rule;

/// Where the parser stands, and what is expected there.
pub(super) struct Place<'a> {
    pub(super) desk: &'a Desk,
    /// Such as `builds[0].image`; empty at the top.
    pub(super) path: String,
    pub(super) shape: Shape,
}

impl<'a> Place<'a> {
    /// The top of the file.
    pub(super) fn top(desk: &'a Desk, shape: Shape) -> Place<'a> {
        let path = String::new();
        Place { desk, path, shape }
    }

    fn item(&self, index: usize, shape: Shape) -> Place<'a> {
        Place {
            desk: self.desk,
            path: format!("{}[{index}]", self.path),
            shape,
        }
    }

    /// The place of the value behind a key that [`KeyReader`] has let through.
    fn behind(&self, name: &str) -> Place<'a> {
        let shape = match self.shape {
            Shape::Map(_, values) => Some(Shape::Text(values)),
            Shape::Lists(_, values) => Some(Shape::SomeTexts(values)),
            Shape::NamedObjects(_, keys) => Some(Shape::Object(keys)),
            Shape::Object(keys) => (keys.iter())
                .find(|key| key.name == name)
                .map(|key| key.shape),
            _ => None,
        };
        Place {
            desk: self.desk,
            path: join(&self.path, name),
            shape: shape.unwrap_or(self.shape),
        }
    }

    fn refuse<E: Error>(&self, objection: Objection) -> E {
        self.desk.refuse(objection.at(&self.path))
    }

    /// `found` is our own word for what stands there.
    fn wrong(&self, found: &str) -> Objection {
        Objection::new(format!("expected {}, found {found}", self.shape.wants()))
    }

    pub(super) fn spend<E: Error>(&self, bytes: usize) -> Result<(), E> {
        match self.desk.spend(bytes) {
            true => Ok(()),
            false => Err(self.refuse(Objection::new(
                "aliases make the file expand to more than 2 MiB",
            ))),
        }
    }

    fn check<E: Error>(&self, rule: &Rule, text: &str) -> Result<Node, E> {
        self.spend(text.len() + 1)?;
        if self.desk.stops_at(&self.path) {
            return Err(self.refuse(Objection::default()));
        }
        (rule.check)(text).map_err(|objection| self.refuse(objection.expected(rule.what, text)))?;
        if rule.unique && !self.desk.first(text) {
            let message = format!("`{}` is taken by an earlier entry", shown(text));
            return Err(self.refuse(Objection::new(message)));
        }
        Ok(Node::Text(text.to_owned()))
    }

    /// A word that means everything has nothing beside it.
    fn alone<E: Error>(&self, rule: &Rule, items: Vec<Node>) -> Result<Node, E> {
        let is_word = |item: &Node| item.as_text().is_some_and(|text| rule.alone == Some(text));
        match items
            .iter()
            .find_map(|item| item.as_text().filter(|_| is_word(item)))
        {
            Some(word) if !items.iter().all(is_word) => {
                let message = format!("`{word}` stands beside other entries");
                let hint = format!("write `[{word}]`, or a list without it");
                Err(self.refuse(Objection::new(message).hint(hint)))
            }
            _ => Ok(Node::List(items)),
        }
    }

    fn number<E: Error>(&self, digits: &str) -> Result<Node, E> {
        match self.shape {
            Shape::Text(rule) if rule.number => self.check(rule, digits),
            _ => Err(self.unquoted(&format!("the number `{digits}`"))),
        }
    }

    /// Where text belongs stands something that YAML has already read as something else.
    fn unquoted<E: Error>(&self, found: &str) -> E {
        let objection = self.wrong(found);
        self.refuse(match self.shape {
            Shape::Text(_) => objection.hint("write it in quotes"),
            _ => objection,
        })
    }

    fn missing<E: Error>(&self, entries: &[(String, Node)]) -> Result<(), E> {
        let Shape::Object(keys) = self.shape else {
            return Ok(());
        };
        let absent = |key: &&Key| key.required && entries.iter().all(|(name, _)| name != key.name);
        match keys.iter().find(absent) {
            None => Ok(()),
            Some(key) => Err(self.refuse(
                Objection::new(format!("the key `{}` is missing", key.name)).hint(key.about),
            )),
        }
    }
}

impl Shape {
    fn is_map(self) -> bool {
        use Shape::{Lists, Map, NamedObjects, Object};
        matches!(self, Map(..) | Lists(..) | Object(_) | NamedObjects(..))
    }

    /// Completes "expected …".
    fn wants(self) -> String {
        match self {
            Shape::Text(rule) => rule.what.to_owned(),
            Shape::Truth => "`true` or `false`".to_owned(),
            Shape::Texts(rule) | Shape::SomeTexts(rule) => {
                format!("a list, each entry {}", rule.what)
            }
            Shape::Map(_, values) => format!("names, each with {}", values.what),
            Shape::Lists(_, values) => {
                format!("names, each with a list, each entry {}", values.what)
            }
            Shape::NamedObjects(..) => "names, each with keys and values".to_owned(),
            Shape::Object(_) => "keys with values".to_owned(),
            Shape::Objects(_) => "a list of entries with keys".to_owned(),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.shape.wants())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        match self.shape {
            Shape::Text(rule) => self.check(rule, text),
            _ => Err(self.refuse(self.wrong("text"))),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Node, E> {
        self.number(&number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Node, E> {
        self.number(&number.to_string())
    }

    fn visit_u128<E: Error>(self, number: u128) -> Result<Node, E> {
        self.number(&number.to_string())
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<Node, E> {
        self.number(&number.to_string())
    }

    fn visit_f64<E: Error>(self, _rounded: f64) -> Result<Node, E> {
        Err(self.unquoted("a number with a fraction"))
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Node, E> {
        match self.shape {
            Shape::Truth => Ok(Node::Truth(truth)),
            _ => Err(self.unquoted(&format!("the truth value `{truth}`"))),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        match self.path.is_empty() {
            true => Ok(Node::default()),
            false => Err(self.refuse(
                self.wrong("nothing")
                    .hint("remove the key, or give it a value"),
            )),
        }
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        self.visit_unit()
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _tagged: A) -> Result<Node, A::Error> {
        Err(self.refuse(self.wrong("a YAML tag")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let shape = match self.shape {
            Shape::Texts(rule) | Shape::SomeTexts(rule) => Shape::Text(rule),
            Shape::Objects(keys) => Shape::Object(keys),
            _ => return Err(self.refuse(self.wrong("a list"))),
        };
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(self.item(items.len(), shape))? {
            items.push(item);
        }
        match self.shape {
            Shape::SomeTexts(_) if items.is_empty() => {
                Err(self.refuse(self.wrong("an empty list")))
            }
            Shape::SomeTexts(rule) => self.alone(rule, items),
            _ => Ok(Node::List(items)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        if !self.shape.is_map() {
            return Err(self.refuse(self.wrong("keys with values")));
        }
        self.spend(1)?;
        let (mut entries, mut seen) = (Vec::new(), BTreeSet::new());
        while let Some(name) = access.next_key_seed(KeyReader {
            place: &self,
            seen: &mut seen,
        })? {
            let node = access.next_value_seed(self.behind(&name))?;
            entries.push((name, node));
        }
        self.missing(&entries)?;
        Ok(Node::Object(entries))
    }
}

/// The path of a value, with the key as a message may repeat it.
pub(super) fn join(path: &str, name: &str) -> String {
    let name = if name.is_empty() { "\"\"" } else { name };
    match path {
        "" => shown(name),
        path => format!("{path}.{}", shown(name)),
    }
}
