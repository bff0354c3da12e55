//! Values as Terraform has them: typed, null, or not known before the apply.
//!
//! A [`Value`] has no type of its own: the schema says which [`Type`] it is of, and encoding needs both. Values travel in
//! MessagePack ([`decode_msgpack`], [`encode_msgpack`]); a state of an earlier version comes as JSON ([`decode_json`]).

mod convert;
mod json;
mod msgpack;
mod number;
mod object;
mod path;
mod set;
mod ty;

use std::collections::BTreeMap;

pub use json::{RawState, decode_json, decode_state};
pub use msgpack::{decode_msgpack, encode_msgpack};
pub use number::Number;
pub use object::Object;
pub use path::{Path, Step};
pub use set::Set;
pub use ty::{Type, TypeError};

/// The nesting of a value, and of its type, that a decoder follows. Terraform's own values stay far below.
const MAX_DEPTH: usize = 64;

/// A value of some type. The order is only there so that sets can be sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// No value: the attribute is left out.
    Null,
    /// A value that is known only after the apply.
    Unknown(Refinements),
    /// A truth value.
    Bool(bool),
    /// A number of any size and precision.
    Number(Number),
    /// A text.
    String(String),
    /// The elements of a list or a tuple.
    List(Vec<Value>),
    /// The elements of a set.
    Set(Set),
    /// The elements of a map.
    Map(BTreeMap<String, Value>),
    /// The attributes of an object.
    Object(Object),
    /// A value whose type the schema leaves open, with its type.
    Dynamic(Box<(Type, Value)>),
}

/// What is known of an unknown value, as Terraform has sent it: an encoded map, which is handed back unchanged. Empty if nothing is
/// known.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refinements(Vec<u8>);

impl Value {
    /// An unknown value of which nothing is known.
    pub fn unknown() -> Self {
        Self::Unknown(Refinements::default())
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it is unknown as a whole.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// Whether anything in it is unknown.
    pub fn has_unknown(&self) -> bool {
        match self {
            Self::Unknown(_) => true,
            Self::List(elements) => elements.iter().any(Self::has_unknown),
            Self::Set(elements) => elements.iter().any(Self::has_unknown),
            Self::Map(elements) => elements.values().any(Self::has_unknown),
            Self::Object(object) => object.has_unknown(),
            Self::Dynamic(typed) => typed.1.has_unknown(),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => false,
        }
    }

    /// The text; `None` if it is null, unknown or of another type.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value; `None` if it is null, unknown or of another type.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The number; `None` if it is null, unknown or of another type.
    pub fn as_number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The whole number; `None` if it is null, unknown, of another type, a fraction or out of range.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number().and_then(Number::as_i64)
    }

    /// The object; `None` if it is null, unknown or of another type.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The elements of a map; `None` if it is null, unknown or of another type.
    pub fn as_map(&self) -> Option<&BTreeMap<String, Value>> {
        match self {
            Self::Map(elements) => Some(elements),
            _ => None,
        }
    }

    /// The elements of a list or a set; `None` if it is null, unknown or of another type.
    pub fn as_elements(&self) -> Option<&[Value]> {
        match self {
            Self::List(elements) => Some(elements),
            Self::Set(elements) => Some(elements),
            _ => None,
        }
    }

    /// What kind of value it is, for messages. Never the value, which may be secret.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Unknown(_) => "an unknown value",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Set(_) => "a set",
            Self::Map(_) => "a map",
            Self::Object(_) => "an object",
            Self::Dynamic(_) => "a value of any type",
        }
    }
}

/// A value could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", PathPrefix(path))]
pub struct CodecError {
    /// Where in the value.
    pub path: Path,
    /// What was expected there and what was found.
    pub problem: String,
}

impl CodecError {
    fn new(problem: impl Into<String>) -> Self {
        Self { path: Path::default(), problem: problem.into() }
    }

    fn mismatch(expected: &Type, found: &str) -> Self {
        Self::new(format!("expected {expected}, found {found}"))
    }

    /// The same error one level further out.
    fn within(mut self, step: Step) -> Self {
        self.path.prepend(step);
        self
    }
}

/// A path with a colon behind it, or nothing.
struct PathPrefix<'a>(&'a Path);

impl std::fmt::Display for PathPrefix<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "{}: ", self.0) }
    }
}
