//! The attributes of an object.

use std::collections::BTreeMap;

use super::{Type, Value};

/// Attributes by name. One that is absent is null, and one that is set to null is absent: there is one form of each object.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object(BTreeMap<String, Value>);

impl Object {
    /// An object whose attributes are all null.
    pub fn new() -> Self {
        Self::default()
    }

    /// The attribute with this name; null if it is absent.
    pub fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    /// Sets an attribute.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        match value.into() {
            Value::Null => self.0.remove(&name.into()),
            value => self.0.insert(name.into(), value),
        };
    }

    /// The same object with an attribute set.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// The text of an attribute; `None` if it is null, unknown or of another type. The same holds for the other accessors.
    pub fn str(&self, name: &str) -> Option<&str> {
        self.get(name).as_str()
    }

    /// The truth value of an attribute.
    pub fn bool(&self, name: &str) -> Option<bool> {
        self.get(name).as_bool()
    }

    /// The whole number of an attribute.
    pub fn i64(&self, name: &str) -> Option<i64> {
        self.get(name).as_i64()
    }

    /// The nested object of an attribute.
    pub fn object(&self, name: &str) -> Option<&Object> {
        self.get(name).as_object()
    }

    /// The elements of a map.
    pub fn map(&self, name: &str) -> Option<&BTreeMap<String, Value>> {
        self.get(name).as_map()
    }

    /// The elements of a list or a set.
    pub fn elements(&self, name: &str) -> Option<&[Value]> {
        self.get(name).as_elements()
    }

    /// The texts of a list or a set, without those that are null or unknown. Empty if the attribute is.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.elements(name).unwrap_or_default().iter().filter_map(Value::as_str)
    }

    /// Whether anything in it is unknown.
    pub fn has_unknown(&self) -> bool {
        self.0.values().any(Value::has_unknown)
    }

    /// The attributes that are not null, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The same attributes, null where they are unknown.
    #[must_use]
    pub fn without_unknown(&self) -> Self {
        let known = self.0.iter().filter(|(_, value)| !value.has_unknown());
        Self(known.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// The attributes of an object type, unknown all.
    pub fn all_unknown(ty: &Type) -> Self {
        let Type::Object(attributes) = ty else { return Self::default() };
        Self(attributes.keys().map(|name| (name.clone(), Value::unknown())).collect())
    }
}

impl<N: Into<String>, V: Into<Value>> FromIterator<(N, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(attributes: I) -> Self {
        let mut object = Self::default();
        for (name, value) in attributes {
            object.set(name, value);
        }
        object
    }
}
