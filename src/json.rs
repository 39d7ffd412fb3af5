//! JSON read strictly and written in one order.
//!
//! Documents of others are read with [`parse`], which refuses what parsers disagree about: duplicate keys, a byte order mark,
//! trailing bytes and deep nesting (CVE-2021-41190 and its kin). What rbuild writes goes through [`canonical`], whose keys are
//! sorted, because typed maps serialise in another order on every run. Never re-serialise a manifest of others: raw bytes are sacred.

use std::fmt;
use std::io::Read;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

/// The bytes of `value` with sorted keys, compact, without a final newline.
pub(crate) fn canonical(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// Parses one JSON document; the error is the parser's own text with line and column.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice::<Strict>(bytes).map(|strict| strict.0)
}

/// A document with the list of one of its fields apart.
pub(crate) struct Apart {
    /// The other fields.
    pub(crate) rest: Map<String, Value>,
    /// Each item as [`canonical`] writes it. None where there is no such field; an empty list where it is null, as Go programs write it.
    pub(crate) items: Option<Vec<Box<str>>>,
}

/// As [`parse`], for an object that may have so many items in the list `field` that values, ten times their text, would fill the memory.
/// Items after the first `most` and one more are read and forgotten. Anything but a list in that field is an error.
pub(crate) fn parse_apart(
    reader: impl Read,
    (field, most): (&str, usize),
) -> Result<Apart, serde_json::Error> {
    let mut document = serde_json::Deserializer::from_reader(reader);
    let apart = Field(field, most).deserialize(&mut document)?;
    document.end()?;
    Ok(apart)
}

struct Field<'a>(&'a str, usize);

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = Apart;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Apart, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Field<'_> {
    type Value = Apart;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Apart, A::Error> {
        let (mut rest, mut items) = (Map::new(), None);
        while let Some(key) = access.next_key::<String>()? {
            let is_new = match key == self.0 {
                true => items
                    .replace(access.next_value_seed(Items(self.1))?)
                    .is_none(),
                false => rest
                    .insert(key.clone(), access.next_value::<Strict>()?.0)
                    .is_none(),
            };
            if !is_new {
                return Err(de::Error::custom(format!("duplicate key `{key}`")));
            }
        }
        Ok(Apart { rest, items })
    }
}

struct Items(usize);

impl<'de> DeserializeSeed<'de> for Items {
    type Value = Vec<Box<str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items {
    type Value = Vec<Box<str>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = access.next_element()? {
            if items.len() <= self.0 {
                items.push(item.to_string().into_boxed_str());
            }
        }
        Ok(items)
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Strict, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let Strict(value) = access.next_value()?;
            match map.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(value);
                }
                Entry::Occupied(place) => {
                    let key = place.key();
                    return Err(de::Error::custom(format!("duplicate key `{key}`")));
                }
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h06_what_parsers_disagree_about_is_refused() {
        for bad in [
            &b"{\"a\":1,\"a\":2}"[..],
            b"{\"x\":{\"layers\":[],\"layers\":[]}}",
            b"\xef\xbb\xbf{}",
            b"{} {}",
            b"{\"a\":NaN}",
            b"{\"a\":\"\xff\"}",
            b"",
        ] {
            assert!(parse(bad).is_err(), "{:?}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn h06_a_hundred_thousand_brackets_end_in_an_error_not_in_a_stack_overflow() {
        let error = parse(&vec![b'['; 100_000])
            .expect_err("too deep")
            .to_string();
        assert!(error.contains("recursion limit"), "{error}");
    }

    #[test]
    fn a_list_apart_is_read_as_strictly_as_a_whole_document() {
        let apart = |text: &[u8]| parse_apart(text, ("l", 2));
        let good = apart(br#"{"b":1,"l":[{"y":1,"x":2},7,[8],9],"a":null}"#).expect("valid");
        assert_eq!(canonical(&Value::Object(good.rest)), br#"{"a":null,"b":1}"#);
        let items = good.items.expect("a list");
        assert_eq!(
            items.join(" "),
            r#"{"x":2,"y":1} 7 [8]"#,
            "two, and one more"
        );
        assert!(apart(b"{}").expect("valid").items.is_none());
        assert!(apart(br#"{"l":null}"#).expect("valid").items.is_some());
        for bad in [
            &b"[]"[..],
            br#"{"l":{}}"#,
            br#"{"l":1}"#,
            br#"{"l":[],"l":[]}"#,
            br#"{"a":1,"l":[],"a":1}"#,
            br#"{"l":[{"a":1,"a":2}]}"#,
            b"{\"l\":[\"\xff\"]}",
            b"\xef\xbb\xbf{\"l\":[]}",
            br#"{"l":[]} 1"#,
            br#"{"l":["#,
            b"",
        ] {
            assert!(apart(bad).is_err(), "{:?}", String::from_utf8_lossy(bad));
        }
        let deep = format!("{{\"l\":[{}", "[".repeat(100_000));
        assert!(apart(deep.as_bytes()).is_err());
    }

    #[test]
    fn keys_are_written_sorted_whatever_the_order_they_came_in() {
        let value = parse(br#"{"b":1,"a":{"d":[1,2],"c":null}}"#).expect("valid");
        assert_eq!(canonical(&value), br#"{"a":{"c":null,"d":[1,2]},"b":1}"#);
    }
}
