//! JSON read strictly and written in one order.
//!
//! Documents of others are read with [`parse`], which refuses what parsers disagree about: duplicate keys, a byte order mark,
//! trailing bytes and deep nesting (CVE-2021-41190 and its kin). What rbuild writes goes through [`canonical`], whose keys are
//! sorted, because typed maps serialise in another order on every run. Never re-serialise a manifest of others: raw bytes are sacred.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
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
    fn keys_are_written_sorted_whatever_the_order_they_came_in() {
        let value = parse(br#"{"b":1,"a":{"d":[1,2],"c":null}}"#).expect("valid");
        assert_eq!(canonical(&value), br#"{"a":{"c":null,"d":[1,2]},"b":1}"#);
    }
}
