//! JSON, in which Terraform stores a state and hands it over if an earlier version of the schema wrote it.
//!
//! Numbers are read from their text, since a float would lose digits and so show a change that nobody made.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{CodecError, MAX_DEPTH, Number, Object, Step, Type, Value};

/// A state as stored: the JSON of each attribute.
pub type RawState = BTreeMap<String, Box<RawValue>>;

/// Reads a value of a type.
///
/// # Errors
/// The text is not JSON, or not a value of the type.
pub fn decode_json(text: &[u8], ty: &Type) -> Result<Value, CodecError> {
    decode(parse(std::str::from_utf8(text).map_err(|_| CodecError::new("the text is not UTF-8"))?)?, ty, 0)
}

/// Reads the attributes of a stored state. Those that the type no longer has are dropped, and new ones are null.
///
/// # Errors
/// An attribute is not of the type that it has now.
pub fn decode_state(state: &RawState, ty: &Type) -> Result<Object, CodecError> {
    decode_attributes(state, ty, 0)
}

fn decode_attributes(state: &RawState, ty: &Type, depth: usize) -> Result<Object, CodecError> {
    let Type::Object(types) = ty else { return Err(CodecError::mismatch(ty, "an object")) };
    let mut object = Object::new();
    for (name, ty) in types {
        let Some(text) = state.get(name) else { continue };
        let value =
            decode(text, ty, depth + 1).map_err(|problem| problem.within(Step::Attribute(name.clone())))?;
        object.set(name, value);
    }
    Ok(object)
}

fn parse<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, CodecError> {
    serde_json::from_str(text).map_err(|problem| CodecError::new(problem.to_string()))
}

/// Reads one level at a time.
fn decode(raw: &RawValue, ty: &Type, depth: usize) -> Result<Value, CodecError> {
    if depth > MAX_DEPTH {
        return Err(CodecError::new("the value is nested too deeply"));
    }
    let text = raw.get();
    if text == "null" {
        return Ok(Value::Null);
    }
    let mismatch = |_| CodecError::mismatch(ty, found(text));
    let elements = |element: &Type| {
        let raw: Vec<&RawValue> = parse(text).map_err(mismatch)?;
        let decoded = raw.into_iter().enumerate().map(|(index, raw)| {
            decode(raw, element, depth + 1).map_err(|problem| problem.within(Step::Index(index)))
        });
        decoded.collect::<Result<Vec<_>, _>>()
    };
    match ty {
        Type::String => parse(text).map(Value::String).map_err(mismatch),
        Type::Bool => parse(text).map(Value::Bool).map_err(mismatch),
        Type::Number => {
            let number: Result<Number, _> = text.parse();
            number.map(Value::Number).map_err(|_| CodecError::mismatch(ty, found(text)))
        }
        Type::List(element) => elements(element).map(Value::List),
        Type::Set(element) => elements(element).map(|elements| Value::Set(elements.into_iter().collect())),
        Type::Map(element) => {
            let raw: BTreeMap<String, &RawValue> = parse(text).map_err(mismatch)?;
            let decoded = raw.into_iter().map(|(key, raw)| {
                let value = decode(raw, element, depth + 1)
                    .map_err(|problem| problem.within(Step::Key(key.clone())))?;
                Ok((key, value))
            });
            decoded.collect::<Result<_, _>>().map(Value::Map)
        }
        Type::Object(_) => decode_attributes(&parse(text).map_err(mismatch)?, ty, depth).map(Value::Object),
        Type::Tuple(types) => {
            let raw: Vec<&RawValue> = parse(text).map_err(mismatch)?;
            if raw.len() != types.len() {
                return Err(CodecError::mismatch(ty, "another length"));
            }
            let decoded = raw.into_iter().zip(types).map(|(raw, ty)| decode(raw, ty, depth + 1));
            decoded.collect::<Result<_, _>>().map(Value::List)
        }
        Type::Dynamic => {
            #[derive(serde::Deserialize)]
            struct Typed<'a> {
                #[serde(borrow, rename = "type")]
                ty: &'a RawValue,
                #[serde(borrow)]
                value: &'a RawValue,
            }
            let typed: Typed = parse(text).map_err(mismatch)?;
            let ty = Type::from_json(typed.ty.get().as_bytes())
                .map_err(|problem| CodecError::new(problem.to_string()))?;
            let value = decode(typed.value, &ty, depth + 1)?;
            Ok(Value::Dynamic(Box::new((ty, value))))
        }
    }
}

/// What kind of JSON a text is, for messages.
fn found(text: &str) -> &'static str {
    match text.as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'[') => "an array",
        Some(b'{') => "an object",
        Some(b't' | b'f') => "a bool",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_state_keeps_every_digit() {
        let number = decode_json(b"123456789012345678901234567890.5", &Type::Number).unwrap();
        assert_eq!(number, Value::Number("123456789012345678901234567890.5".parse().unwrap()));
    }

    #[test]
    fn attributes_of_another_schema_are_dropped_and_new_ones_null() {
        let ty = Type::Object([("kept".to_owned(), Type::Bool), ("new".to_owned(), Type::String)].into());
        let state = decode_json(br#"{"kept": true, "gone": [1]}"#, &ty).unwrap();
        assert_eq!(state, Object::new().with("kept", true).into());
    }

    #[test]
    fn nested_values_are_read_and_faults_located() {
        let ty = Type::map(Type::set(Type::Number));
        let value = decode_json(br#"{"a": [2, 1, 2]}"#, &ty).unwrap();
        assert_eq!(
            value,
            Value::Map([("a".to_owned(), Value::Set([1, 2].map(Value::from).into_iter().collect()))].into())
        );
        let problem = decode_json(br#"{"a": [1, true]}"#, &ty).unwrap_err();
        assert_eq!(problem.to_string(), r#"["a"][1]: expected a number, found a bool"#);
        let dynamic = decode_json(br#"{"type": ["list", "bool"], "value": [true]}"#, &Type::Dynamic).unwrap();
        assert_eq!(dynamic, Value::Dynamic(Box::new((Type::list(Type::Bool), vec![true].into()))));
    }
}
