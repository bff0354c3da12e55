//! Terraform's values. The input is a type in its form on the wire, a line feed, and a value in MessagePack or JSON.
//!
//! A value that can be read can be written, and is the same when it is read again. So is a type.

use imageshare_provider::value::{Type, Value, decode_json, decode_msgpack, encode_msgpack};

/// Reads a value in both ways.
pub fn run(input: &[u8]) -> bool {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return false };
    let (form, value) = (&input[..end], &input[end + 1..]);
    let Ok(ty) = Type::from_json(form) else { return false };
    assert_eq!(Type::from_json(&ty.to_json()).as_ref(), Ok(&ty));
    for read in [decode_msgpack(value, &ty), decode_json(value, &ty)].into_iter().flatten() {
        check(&read, &ty);
    }
    true
}

fn check(value: &Value, ty: &Type) {
    let written = encode_msgpack(value, ty).expect("what was read can be written");
    assert_eq!(decode_msgpack(&written, ty).as_ref(), Ok(value));
}
