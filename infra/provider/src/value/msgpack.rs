//! MessagePack, in which Terraform and a provider exchange values.
//!
//! A number is an integer, a float or a decimal text; an object has a key for each attribute; any extension is an unknown value, and
//! that of code 12 says something of it. The input is not trusted: lengths are checked before anything is reserved, and nesting is
//! limited.

use std::collections::BTreeMap;

use rmp::Marker;
use rmp::decode::{RmpRead, read_marker};
use rmp::encode;

use super::{CodecError, MAX_DEPTH, Number, Object, Refinements, Step, Type, Value};

/// The extension code of an unknown value of which something is known.
const REFINED: i8 = 12;

/// The longest refinement that is kept, which is Terraform's own limit.
const MAX_REFINEMENT: usize = 1024;

/// Reads a value of a type.
///
/// # Errors
/// The bytes are not MessagePack, not a value of the type, or not one value.
pub fn decode_msgpack(bytes: &[u8], ty: &Type) -> Result<Value, CodecError> {
    let mut input = bytes;
    let value = decode(&mut input, ty, 0)?;
    if input.is_empty() { Ok(value) } else { Err(CodecError::new("bytes are left over behind the value")) }
}

/// Writes a value of a type.
///
/// # Errors
/// The value is not of the type.
pub fn encode_msgpack(value: &Value, ty: &Type) -> Result<Vec<u8>, CodecError> {
    let mut output = Vec::with_capacity(256);
    encode(&mut output, value, ty)?;
    Ok(output)
}

/// A MessagePack value, or the head of one that has elements.
enum Token<'a> {
    Nil,
    Bool(bool),
    Number(Number),
    Text(&'a [u8]),
    Binary(&'a [u8]),
    Array(usize),
    Map(usize),
    Extension(i8, &'a [u8]),
}

impl Token<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "null",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::Binary(_) => "binary data",
            Self::Array(_) => "an array",
            Self::Map(_) => "a map",
            Self::Extension(..) => "an extension",
        }
    }
}

fn truncated<E>(_: E) -> CodecError {
    CodecError::new("the value ends too early")
}

fn size(length: u32) -> Result<usize, CodecError> {
    usize::try_from(length).map_err(truncated)
}

fn take<'a>(input: &mut &'a [u8], length: usize) -> Result<&'a [u8], CodecError> {
    let (taken, rest) = input.split_at_checked(length).ok_or_else(|| truncated(()))?;
    *input = rest;
    Ok(taken)
}

fn extension<'a>(input: &mut &'a [u8], length: usize) -> Result<Token<'a>, CodecError> {
    let code = input.read_data_i8().map_err(truncated)?;
    Ok(Token::Extension(code, take(input, length)?))
}

fn float<'a>(float: f64) -> Result<Token<'a>, CodecError> {
    Number::from_f64(float).map(Token::Number).ok_or_else(|| CodecError::new("the number is not finite"))
}

/// A length of elements, each of which takes a byte at least.
fn count(input: &[u8], length: usize) -> Result<usize, CodecError> {
    if length <= input.len() { Ok(length) } else { Err(truncated(())) }
}

fn next<'a>(input: &mut &'a [u8]) -> Result<Token<'a>, CodecError> {
    let marker = read_marker(input).map_err(truncated)?;
    macro_rules! read {
        ($method:ident) => {
            input.$method().map_err(truncated)?
        };
    }
    Ok(match marker {
        Marker::Null => Token::Nil,
        Marker::True => Token::Bool(true),
        Marker::False => Token::Bool(false),
        Marker::FixPos(value) => Token::Number(u32::from(value).into()),
        Marker::FixNeg(value) => Token::Number(i32::from(value).into()),
        Marker::U8 => Token::Number(u32::from(read!(read_data_u8)).into()),
        Marker::U16 => Token::Number(u32::from(read!(read_data_u16)).into()),
        Marker::U32 => Token::Number(read!(read_data_u32).into()),
        Marker::U64 => Token::Number(read!(read_data_u64).into()),
        Marker::I8 => Token::Number(i32::from(read!(read_data_i8)).into()),
        Marker::I16 => Token::Number(i32::from(read!(read_data_i16)).into()),
        Marker::I32 => Token::Number(read!(read_data_i32).into()),
        Marker::I64 => Token::Number(read!(read_data_i64).into()),
        Marker::F32 => float(f64::from(read!(read_data_f32)))?,
        Marker::F64 => float(read!(read_data_f64))?,
        Marker::FixStr(length) => Token::Text(take(input, length.into())?),
        Marker::Str8 => {
            let length = read!(read_data_u8);
            Token::Text(take(input, length.into())?)
        }
        Marker::Str16 => {
            let length = read!(read_data_u16);
            Token::Text(take(input, length.into())?)
        }
        Marker::Str32 => {
            let length = size(read!(read_data_u32))?;
            Token::Text(take(input, length)?)
        }
        Marker::Bin8 => {
            let length = read!(read_data_u8);
            Token::Binary(take(input, length.into())?)
        }
        Marker::Bin16 => {
            let length = read!(read_data_u16);
            Token::Binary(take(input, length.into())?)
        }
        Marker::Bin32 => {
            let length = size(read!(read_data_u32))?;
            Token::Binary(take(input, length)?)
        }
        Marker::FixArray(length) => Token::Array(count(input, length.into())?),
        Marker::Array16 => {
            let length = read!(read_data_u16);
            Token::Array(count(input, length.into())?)
        }
        Marker::Array32 => {
            let length = size(read!(read_data_u32))?;
            Token::Array(count(input, length)?)
        }
        Marker::FixMap(length) => Token::Map(count(input, length.into())?),
        Marker::Map16 => {
            let length = read!(read_data_u16);
            Token::Map(count(input, length.into())?)
        }
        Marker::Map32 => {
            let length = size(read!(read_data_u32))?;
            Token::Map(count(input, length)?)
        }
        Marker::FixExt1 => extension(input, 1)?,
        Marker::FixExt2 => extension(input, 2)?,
        Marker::FixExt4 => extension(input, 4)?,
        Marker::FixExt8 => extension(input, 8)?,
        Marker::FixExt16 => extension(input, 16)?,
        Marker::Ext8 => {
            let length = read!(read_data_u8);
            extension(input, length.into())?
        }
        Marker::Ext16 => {
            let length = read!(read_data_u16);
            extension(input, length.into())?
        }
        Marker::Ext32 => {
            let length = size(read!(read_data_u32))?;
            extension(input, length)?
        }
        Marker::Reserved => return Err(CodecError::new("not MessagePack")),
    })
}

fn text(bytes: &[u8]) -> Result<String, CodecError> {
    let text = std::str::from_utf8(bytes).map_err(|_| CodecError::new("the text is not UTF-8"))?;
    Ok(text.to_owned())
}

fn key(input: &mut &[u8]) -> Result<String, CodecError> {
    match next(input)? {
        Token::Text(bytes) => text(bytes),
        other => Err(CodecError::new(format!("expected a key, found {}", other.kind()))),
    }
}

fn decode(input: &mut &[u8], ty: &Type, depth: usize) -> Result<Value, CodecError> {
    if depth > MAX_DEPTH {
        return Err(CodecError::new("the value is nested too deeply"));
    }
    let token = next(input)?;
    let elements = |input: &mut &[u8], length: usize, element: &Type| {
        let decoded = (0..length).map(|index| {
            decode(input, element, depth + 1).map_err(|problem| problem.within(Step::Index(index)))
        });
        decoded.collect::<Result<Vec<_>, _>>()
    };
    match (token, ty) {
        (Token::Nil, _) => Ok(Value::Null),
        (Token::Extension(code, payload), _) => unknown(code, payload),
        (Token::Array(2), Type::Dynamic) => {
            let (Token::Binary(form) | Token::Text(form)) = next(input)? else {
                return Err(CodecError::new("expected the type of a value"));
            };
            let ty = Type::from_json(form).map_err(|problem| CodecError::new(problem.to_string()))?;
            let value = decode(input, &ty, depth + 1)?;
            Ok(Value::Dynamic(Box::new((ty, value))))
        }
        (Token::Bool(value), Type::Bool) => Ok(Value::Bool(value)),
        (Token::Text(bytes), Type::String) => text(bytes).map(Value::String),
        (Token::Number(number), Type::Number) => Ok(Value::Number(number)),
        (Token::Text(bytes), Type::Number) => {
            let number = text(bytes)?.parse();
            number.map(Value::Number).map_err(|_| CodecError::mismatch(ty, "another text"))
        }
        (Token::Array(length), Type::List(element)) => elements(input, length, element).map(Value::List),
        (Token::Array(length), Type::Set(element)) => {
            elements(input, length, element).map(|elements| Value::Set(elements.into_iter().collect()))
        }
        (Token::Array(length), Type::Tuple(types)) if length == types.len() => {
            let decoded = types.iter().map(|ty| decode(input, ty, depth + 1));
            decoded.collect::<Result<_, _>>().map(Value::List)
        }
        (Token::Map(length), Type::Map(element)) => {
            let mut map = BTreeMap::new();
            for _ in 0..length {
                let key = key(input)?;
                let value = decode(input, element, depth + 1);
                let value = value.map_err(|problem| problem.within(Step::Key(key.clone())))?;
                map.insert(key, value);
            }
            Ok(Value::Map(map))
        }
        (Token::Map(length), Type::Object(types)) => {
            let mut object = Object::new();
            for _ in 0..length {
                let name = key(input)?;
                let ty = types.get(&name);
                let ty = ty.ok_or_else(|| CodecError::new(format!("{name:?} is not an attribute")))?;
                let value = decode(input, ty, depth + 1);
                let value = value.map_err(|problem| problem.within(Step::Attribute(name.clone())))?;
                object.set(name, value);
            }
            Ok(Value::Object(object))
        }
        (token, ty) => Err(CodecError::mismatch(ty, token.kind())),
    }
}

fn unknown(code: i8, payload: &[u8]) -> Result<Value, CodecError> {
    if code != REFINED {
        return Ok(Value::unknown());
    }
    if payload.len() > MAX_REFINEMENT {
        return Err(CodecError::new("what is said of an unknown value is too long"));
    }
    Ok(Value::Unknown(Refinements(payload.to_vec())))
}

fn encode(output: &mut Vec<u8>, value: &Value, ty: &Type) -> Result<(), CodecError> {
    // A vector takes everything, so that the errors of its writes cannot occur.
    match (value, ty) {
        (Value::Null, _) => output.push(Marker::Null.to_u8()),
        (Value::Unknown(refinements), _) => encode_unknown(output, refinements)?,
        (Value::Dynamic(typed), Type::Dynamic) => {
            let (ty, value) = typed.as_ref();
            encode::write_array_len(output, 2).map_err(truncated)?;
            encode::write_bin(output, &ty.to_json()).map_err(truncated)?;
            encode(output, value, ty)?;
        }
        (Value::Bool(value), Type::Bool) => encode::write_bool(output, *value).map_err(truncated)?,
        (Value::Number(number), Type::Number) => encode_number(output, number)?,
        (Value::String(text), Type::String) => encode::write_str(output, text).map_err(truncated)?,
        (Value::List(elements), Type::List(element)) => encode_elements(output, elements, element)?,
        (Value::Set(elements), Type::Set(element)) => encode_elements(output, elements, element)?,
        (Value::List(elements), Type::Tuple(types)) if elements.len() == types.len() => {
            encode::write_array_len(output, length(elements.len())?).map_err(truncated)?;
            for (element, ty) in elements.iter().zip(types) {
                encode(output, element, ty)?;
            }
        }
        (Value::Map(elements), Type::Map(element)) => {
            encode::write_map_len(output, length(elements.len())?).map_err(truncated)?;
            for (key, value) in elements {
                encode::write_str(output, key).map_err(truncated)?;
                encode(output, value, element).map_err(|problem| problem.within(Step::Key(key.clone())))?;
            }
        }
        (Value::Object(object), Type::Object(types)) => {
            if let Some((name, _)) = object.iter().find(|(name, _)| !types.contains_key(*name)) {
                return Err(CodecError::new(format!("{name:?} is not an attribute")));
            }
            encode::write_map_len(output, length(types.len())?).map_err(truncated)?;
            for (name, ty) in types {
                encode::write_str(output, name).map_err(truncated)?;
                encode(output, object.get(name), ty)
                    .map_err(|problem| problem.within(Step::Attribute(name.clone())))?;
            }
        }
        (value, ty) => return Err(CodecError::mismatch(ty, value.kind())),
    }
    Ok(())
}

fn length(length: usize) -> Result<u32, CodecError> {
    u32::try_from(length).map_err(|_| CodecError::new("there are too many elements"))
}

fn encode_elements(output: &mut Vec<u8>, elements: &[Value], ty: &Type) -> Result<(), CodecError> {
    encode::write_array_len(output, length(elements.len())?).map_err(truncated)?;
    for (index, element) in elements.iter().enumerate() {
        encode(output, element, ty).map_err(|problem| problem.within(Step::Index(index)))?;
    }
    Ok(())
}

fn encode_number(output: &mut Vec<u8>, number: &Number) -> Result<(), CodecError> {
    if let Some(integer) = number.as_i64() {
        encode::write_sint(output, integer).map(|_| ()).map_err(truncated)
    } else if let Some(integer) = number.as_u64() {
        encode::write_uint(output, integer).map(|_| ()).map_err(truncated)
    } else {
        encode::write_str(output, &number.to_string()).map_err(truncated)
    }
}

fn encode_unknown(output: &mut Vec<u8>, refinements: &Refinements) -> Result<(), CodecError> {
    let (code, payload): (i8, &[u8]) =
        if refinements.0.is_empty() { (0, &[0]) } else { (REFINED, &refinements.0) };
    encode::write_ext_meta(output, length(payload.len())?, code).map_err(truncated)?;
    output.extend_from_slice(payload);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(attributes: &[(&str, Type)]) -> Type {
        Type::Object(attributes.iter().map(|(name, ty)| ((*name).to_owned(), ty.clone())).collect())
    }

    fn round_trip(value: &Value, ty: &Type) {
        let bytes = encode_msgpack(value, ty).unwrap();
        assert_eq!(decode_msgpack(&bytes, ty).as_ref(), Ok(value), "{bytes:x?}");
    }

    #[test]
    fn every_kind_of_value_survives() {
        let number = |text: &str| Value::Number(text.parse().unwrap());
        for text in [
            "0",
            "-1",
            "127",
            "128",
            "-129",
            "65536",
            "9223372036854775807",
            "18446744073709551615",
            "0.1",
            "1e300",
        ] {
            round_trip(&number(text), &Type::Number);
        }
        round_trip(&"x".repeat(70_000).into(), &Type::String);
        round_trip(&Value::List((0..70_000).map(Value::from).collect()), &Type::list(Type::Number));
        round_trip(&Value::Set(["b", "a"].map(Value::from).into_iter().collect()), &Type::set(Type::String));
        round_trip(&Value::Map([("k".to_owned(), Value::Null)].into()), &Type::map(Type::Bool));
        round_trip(&Value::List(vec![true.into(), "x".into()]), &Type::Tuple(vec![Type::Bool, Type::String]));
        round_trip(&Value::unknown(), &Type::map(Type::Bool));
        round_trip(&Value::Unknown(Refinements(vec![0x81, 1, 0xc2])), &Type::String);
        round_trip(&Value::Dynamic(Box::new((Type::String, "x".into()))), &Type::Dynamic);
        let ty = object(&[("a", Type::String), ("b", Type::Number)]);
        round_trip(&Object::new().with("a", "x").into(), &ty);
    }

    #[test]
    fn terraforms_own_forms_are_read() {
        for (bytes, ty, value) in [
            (&b"\xc0"[..], Type::String, Value::Null),
            (b"\xd4\x00\x00", Type::String, Value::unknown()),
            (b"\xd5\x63\x00\x00", Type::Bool, Value::unknown()),
            (b"\xc7\x03\x0c\x81\x01\xc2", Type::String, Value::Unknown(Refinements(vec![0x81, 1, 0xc2]))),
            (b"\xcb\x3f\xe0\0\0\0\0\0\0", Type::Number, Value::Number("0.5".parse().unwrap())),
            (b"\xa30.1", Type::Number, Value::Number("0.1".parse().unwrap())),
            (
                b"\x92\xc4\x08\"string\"\xa1x",
                Type::Dynamic,
                Value::Dynamic(Box::new((Type::String, "x".into()))),
            ),
        ] {
            assert_eq!(decode_msgpack(bytes, &ty), Ok(value), "{bytes:x?}");
        }
    }

    #[test]
    fn faults_say_where_they_are() {
        let ty = object(&[("a", Type::list(Type::map(Type::String)))]);
        let wrong = b"\x81\xa1a\x92\x80\x81\xa1k\xc3";
        let problem = decode_msgpack(wrong, &ty).unwrap_err();
        assert_eq!(problem.to_string(), r#"a[1]["k"]: expected a string, found a bool"#);
        let wrong = Object::new().with("a", vec![Value::Map([("k".to_owned(), true.into())].into())]);
        let problem = encode_msgpack(&wrong.into(), &ty).unwrap_err();
        assert_eq!(problem.to_string(), r#"a[0]["k"]: expected a string, found a bool"#);
    }

    #[test]
    fn hostile_input_is_refused_without_reserving_for_it() {
        let list = Type::list(Type::Dynamic);
        let deep = [b"\x92\xc4\x09\"dynamic\"".repeat(200), vec![0xc0]].concat();
        for bytes in [
            &b""[..],
            b"\xc1",
            b"\xdd\xff\xff\xff\xff",
            b"\xdf\xff\xff\xff\xff",
            b"\xdb\xff\xff\xff\xffx",
            b"\xc0\xc0",
        ] {
            assert!(decode_msgpack(bytes, &list).is_err(), "{bytes:x?}");
        }
        assert!(decode_msgpack(&deep, &Type::Dynamic).is_err());
        assert!(decode_msgpack(b"\xcb\x7f\xf0\0\0\0\0\0\0", &Type::Number).is_err());
        let long = [&b"\xc8\x04\x01\x0c"[..], &[0; 0x401]].concat();
        assert!(decode_msgpack(&long, &Type::Bool).is_err());
    }
}
