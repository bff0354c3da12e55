//! Values of requests and responses.

use crate::diagnostic::Diagnostic;
use crate::protocol::{DynamicValue, RawState as WireState};
use crate::schema::Schema;
use crate::value::{CodecError, Object, RawState, Type, Value, decode_json, decode_msgpack, encode_msgpack};

/// Reads a value of a request. A missing one is null.
pub(super) fn decode(value: Option<&DynamicValue>, ty: &Type) -> Result<Value, Diagnostic> {
    let decoded = match value {
        Some(DynamicValue { msgpack, .. }) if !msgpack.is_empty() => decode_msgpack(msgpack, ty),
        Some(DynamicValue { json, .. }) if !json.is_empty() => decode_json(json, ty),
        _ => Ok(Value::Null),
    };
    decoded.map_err(|problem| unreadable(&problem))
}

/// Reads an object of a request; `None` if it is null.
pub(super) fn decode_object(
    value: Option<&DynamicValue>,
    schema: &Schema,
) -> Result<Option<Object>, Diagnostic> {
    match decode(value, schema.ty())? {
        Value::Null => Ok(None),
        Value::Object(object) => Ok(Some(object)),
        // A block whose contents are unknown as a whole.
        _ => Ok(Some(Object::all_unknown(schema.ty()))),
    }
}

/// Reads the configuration of a request.
pub(super) fn decode_config(value: Option<&DynamicValue>, schema: &Schema) -> Result<Object, Diagnostic> {
    decode_object(value, schema).map(Option::unwrap_or_default)
}

/// Writes a value of a response.
pub(super) fn encode(value: &Value, ty: &Type) -> Result<DynamicValue, Diagnostic> {
    let msgpack = encode_msgpack(value, ty).map_err(|problem| {
        Diagnostic::error("The provider has made a value that does not fit its schema", bug(&problem))
    })?;
    Ok(DynamicValue { msgpack, json: Vec::new() })
}

/// Writes an object of a response; null if there is none.
pub(super) fn encode_object(object: Option<Object>, schema: &Schema) -> Result<DynamicValue, Diagnostic> {
    encode(&object.into(), schema.ty())
}

/// Reads a stored state as JSON. A state of Terraform 0.11, which is no JSON, is refused.
pub(super) fn parse_state(state: Option<&WireState>) -> Result<RawState, Diagnostic> {
    let json = state.map(|state| state.json.as_slice()).unwrap_or_default();
    serde_json::from_slice(json).map_err(|problem| {
        Diagnostic::error(
            "The stored state cannot be read",
            format!("It is not the JSON of an object: {problem}."),
        )
    })
}

/// A value that Terraform sent is not of the type that the schema has.
pub(super) fn unreadable(problem: &CodecError) -> Diagnostic {
    Diagnostic::error("A value from Terraform cannot be read", bug(problem))
}

fn bug(problem: &CodecError) -> String {
    format!("{problem}\nThis is a bug in the provider; please report it.")
}
