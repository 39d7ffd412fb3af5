//! The keys of one object: known, given once, and never merged from elsewhere.
//!
//! A key is refused before its value is looked at, so that nothing unknown is ever descended into.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::DeserializeSeed;
use serde::de::Deserializer;
use serde::de::Error;
use serde::de::Visitor;

use super::keys;
use super::keys::Key;
use super::keys::Shape;
use super::near::nearest;
use super::objection::Objection;
use super::objection::shown;
use super::reader::Place;
use super::reader::join;

/// A key, refused when it is unknown or stands there twice.
pub(super) struct KeyReader<'a> {
    pub(super) place: &'a Place<'a>,
    /// The keys of the same object that came before.
    pub(super) seen: &'a mut BTreeSet<String>,
}

impl<'de> DeserializeSeed<'de> for KeyReader<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyReader<'_> {
    type Value = String;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<String, E> {
        let path = join(&self.place.path, name);
        let desk = self.place.desk;
        let refuse = |objection: Objection| desk.refuse(objection.at(&path));
        check_key(self.place.shape, name).map_err(refuse)?;
        self.place.spend(name.len())?;
        match self.seen.insert(name.to_owned()) {
            true => Ok(name.to_owned()),
            false => Err(refuse(Objection::new("this key stands here twice"))),
        }
    }
}

fn check_key(shape: Shape, name: &str) -> Result<(), Objection> {
    if name == "<<" {
        return Err(Objection::new("merge keys have no meaning here").hint("write the entries out"));
    }
    match shape {
        Shape::Map(names, _) | Shape::Lists(names, _) | Shape::NamedObjects(names, _) => {
            (names.check)(name).map_err(|objection| objection.expected(names.what, name))
        }
        Shape::Object(keys) if keys.iter().all(|key| key.name != name) => Err(unknown(keys, name)),
        _ => Ok(()),
    }
}

fn unknown(keys: &'static [Key], name: &str) -> Objection {
    let known: Vec<&str> = keys.iter().map(|key| key.name).collect();
    let objection = Objection::new("unknown key");
    if let Some(home) = keys::home(name) {
        return objection.hint(format!("`{}` belongs {home}", shown(name)));
    }
    match nearest(name, known.iter().copied()) {
        Some(near) => objection.meant(Some(near)),
        None => objection.hint(format!("the keys known here are `{}`", known.join("`, `"))),
    }
}
