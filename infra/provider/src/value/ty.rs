//! The types of Terraform's language, and their form on the wire: JSON such as `["set","string"]`.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value as Json, json};

use super::MAX_DEPTH;

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// Text.
    String,
    /// A number.
    Number,
    /// A truth value.
    Bool,
    /// Whatever type the value has.
    Dynamic,
    /// Elements of one type in an order.
    List(Box<Type>),
    /// Distinct elements of one type.
    Set(Box<Type>),
    /// Elements of one type by key.
    Map(Box<Type>),
    /// Attributes of any types.
    Object(BTreeMap<String, Type>),
    /// Elements of any types in an order.
    Tuple(Vec<Type>),
}

/// A text is not the form of a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a type: {0}")]
pub struct TypeError(String);

impl Type {
    /// A list of this.
    pub fn list(element: Self) -> Self {
        Self::List(Box::new(element))
    }

    /// A set of this.
    pub fn set(element: Self) -> Self {
        Self::Set(Box::new(element))
    }

    /// A map of this.
    pub fn map(element: Self) -> Self {
        Self::Map(Box::new(element))
    }

    /// The form on the wire.
    pub fn to_json(&self) -> Vec<u8> {
        self.json().to_string().into_bytes()
    }

    fn json(&self) -> Json {
        match self {
            Self::String => json!("string"),
            Self::Number => json!("number"),
            Self::Bool => json!("bool"),
            Self::Dynamic => json!("dynamic"),
            Self::List(element) => json!(["list", element.json()]),
            Self::Set(element) => json!(["set", element.json()]),
            Self::Map(element) => json!(["map", element.json()]),
            Self::Object(attributes) => {
                let attributes = attributes.iter().map(|(name, ty)| (name.clone(), ty.json()));
                json!(["object", attributes.collect::<serde_json::Map<_, _>>()])
            }
            Self::Tuple(elements) => json!(["tuple", elements.iter().map(Self::json).collect::<Vec<_>>()]),
        }
    }

    /// Reads the form on the wire. Which attributes of an object are optional is of no concern to a value, and ignored.
    ///
    /// # Errors
    /// It is not JSON, or not the form of a type.
    pub fn from_json(text: &[u8]) -> Result<Self, TypeError> {
        let json: Json = serde_json::from_slice(text).map_err(|problem| TypeError(problem.to_string()))?;
        Self::parse(&json, 0)
    }

    fn parse(json: &Json, depth: usize) -> Result<Self, TypeError> {
        if depth > MAX_DEPTH {
            return Err(TypeError("it is nested too deeply".to_owned()));
        }
        let unexpected = || TypeError(format!("{json}"));
        let parse = |json: &Json| Self::parse(json, depth + 1);
        match json {
            Json::String(name) => match name.as_str() {
                "string" => Ok(Self::String),
                "number" => Ok(Self::Number),
                "bool" => Ok(Self::Bool),
                "dynamic" => Ok(Self::Dynamic),
                _ => Err(unexpected()),
            },
            Json::Array(parts) => match parts.as_slice() {
                [Json::String(kind), element] if kind == "list" => Ok(Self::list(parse(element)?)),
                [Json::String(kind), element] if kind == "set" => Ok(Self::set(parse(element)?)),
                [Json::String(kind), element] if kind == "map" => Ok(Self::map(parse(element)?)),
                [Json::String(kind), Json::Array(elements)] if kind == "tuple" => {
                    elements.iter().map(parse).collect::<Result<_, _>>().map(Self::Tuple)
                }
                [Json::String(kind), Json::Object(attributes), ..] if kind == "object" => {
                    let parsed = attributes.iter().map(|(name, json)| Ok((name.clone(), parse(json)?)));
                    parsed.collect::<Result<_, _>>().map(Self::Object)
                }
                _ => Err(unexpected()),
            },
            _ => Err(unexpected()),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("a string"),
            Self::Number => f.write_str("a number"),
            Self::Bool => f.write_str("a bool"),
            Self::Dynamic => f.write_str("a value of any type"),
            Self::List(_) => f.write_str("a list"),
            Self::Set(_) => f.write_str("a set"),
            Self::Map(_) => f.write_str("a map"),
            Self::Object(_) => f.write_str("an object"),
            Self::Tuple(elements) => write!(f, "a tuple of {}", elements.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_on_the_wire_is_read_and_written() {
        for text in [
            r#""dynamic""#,
            r#"["set","string"]"#,
            r#"["tuple",["bool",["list","number"]]]"#,
            r#"["map",["object",{"a":"number","b":["map","bool"]}]]"#,
        ] {
            assert_eq!(Type::from_json(text.as_bytes()).unwrap().to_json(), text.as_bytes());
        }
        let optional = Type::from_json(br#"["object",{"a":"number"},["a"]]"#).unwrap();
        assert_eq!(optional, Type::Object([("a".to_owned(), Type::Number)].into()));
    }

    #[test]
    fn what_is_no_type_is_refused() {
        let deep = format!("{}\"string\"{}", "[\"list\",".repeat(100), "]".repeat(100));
        for text in ["", "null", r#""text""#, r#"["set"]"#, r#"["set","a","b"]"#, r#"["object",[]]"#, &deep] {
            assert!(Type::from_json(text.as_bytes()).is_err(), "{text}");
        }
    }
}
