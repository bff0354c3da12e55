//! JSON in which no object has a member twice. Which of the two counts is up to each reader, so that a proxy that checks
//! requests and the service behind it could read two different ones.
//!
//! And in which there are not too many values: in memory each takes up to a hundred times the bytes of its text, so that the
//! limit of a body's size alone would not be one of memory.
//!
//! The result is a tree of values and not the type of the operation, although a type would take less memory: with its
//! [`MAX_VALUES`] values a tree takes a megabyte or two, the same for every operation, and most bodies have a dozen. From a
//! tree an operation reads what it knows in an order of its own, and its error names the member, what was expected there and
//! what to do; an error of a derived type has the words of serde, and is about whatever came first.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How many values a text may have, those within others counted. The largest that means anything, the change of an image
/// with as many properties and tags as fit, has some two thousand.
const MAX_VALUES: usize = 4_096;

/// Reads a JSON text.
///
/// # Errors
/// What is wrong, and where: the text is no JSON, is nested too deeply, has too many values, or has an object with a member
/// twice.
pub fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    let left = Cell::new(MAX_VALUES);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = LimitedValue { remaining: &left }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Reads a value, of those that may still come.
#[derive(Clone, Copy)]
struct LimitedValue<'a> {
    remaining: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for LimitedValue<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.remaining.get().checked_sub(1);
        self.remaining
            .set(left.ok_or_else(|| D::Error::custom(format_args!("more than {MAX_VALUES} values")))?);
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
            let refused = parse(bad.as_bytes()).unwrap_err().to_string();
            assert!(refused.starts_with("a member is given twice at line 1 column"), "{refused}");
        }
        let good = r#"[{"a":{"a":[]}},{"a":-1},null,true,1.5,18446744073709551615,"x"]"#;
        assert_eq!(parse(good.as_bytes()).unwrap(), serde_json::from_str::<Value>(good).unwrap());
        assert!(parse(b"{} {}").is_err());
    }

    #[test]
    fn too_many_json_values_are_rejected() {
        let objects = |count| format!("[{}]", vec!["{\"a\":0}"; count].join(","));
        assert!(parse(objects((MAX_VALUES - 1) / 2).as_bytes()).is_ok());
        let refused = parse(objects(MAX_VALUES / 2).as_bytes()).unwrap_err().to_string();
        assert!(refused.starts_with("more than 4096 values"), "{refused}");
    }
}
