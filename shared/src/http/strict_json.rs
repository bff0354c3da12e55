//! Parse JSON strictly: no object has a duplicate member. Parsers differ in which duplicate counts, so a proxy that
//! checks requests and the service behind it could read different values.
//!
//! The number of values is limited too. In memory a value takes up to a hundred times the bytes of its text, so a
//! limit of the body's size alone would not limit memory.
//!
//! The result is a tree of values rather than the operation's type, although that would take less memory. A tree of
//! [`MAX_VALUES`] values takes a megabyte or two, and most bodies have a dozen values. From a tree, an operation
//! reads members in its own order, and its error names the member, the expected value and what to do. The error of a
//! derived type has serde's words, and is about whichever member came first.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The most values of a text, including nested ones. The largest valid body, a change of all properties and tags of
/// an image, has some two thousand.
const MAX_VALUES: usize = 4_096;

/// Parses a JSON text.
///
/// # Errors
/// The error and its place: the text is not JSON, is nested too deeply, has too many values, or has a duplicate member.
pub fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    let remaining = Cell::new(MAX_VALUES);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = LimitedValue { remaining: &remaining }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Parses one value, and counts it against the remaining ones.
#[derive(Clone, Copy)]
struct LimitedValue<'a> {
    remaining: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for LimitedValue<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let remaining = self.remaining.get().checked_sub(1);
        self.remaining
            .set(remaining.ok_or_else(|| D::Error::custom(format_args!("more than {MAX_VALUES} values")))?);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for LimitedValue<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.insert(name, members.next_value_seed(self)?).is_some() {
                return Err(A::Error::custom("a member is given twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_member_is_rejected_at_any_depth() {
        for bad in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"\u0061":2}}]"#] {
            let error = parse(bad.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("a member is given twice at line 1 column"), "{error}");
        }
        let good = r#"[{"a":{"a":[]}},{"a":-1},null,true,1.5,18446744073709551615,"x"]"#;
        assert_eq!(parse(good.as_bytes()).unwrap(), serde_json::from_str::<Value>(good).unwrap());
        assert!(parse(b"{} {}").is_err());
    }

    #[test]
    fn too_many_json_values_are_rejected() {
        let objects = |count| format!("[{}]", vec!["{\"a\":0}"; count].join(","));
        assert!(parse(objects((MAX_VALUES - 1) / 2).as_bytes()).is_ok());
        let error = parse(objects(MAX_VALUES / 2).as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("more than 4096 values"), "{error}");
    }
}
