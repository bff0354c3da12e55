//! What a provider keeps with a state for itself: Terraform stores it and never shows it.

use serde_json::{Map, Value};

/// Named JSON values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Private(Map<String, Value>);

impl Private {
    /// The value with this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Keeps a value.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Forgets a value.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    /// Reads what [`Self::to_bytes`] wrote. What is not of that form is as good as nothing.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        Self(serde_json::from_slice(bytes).unwrap_or_default())
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        if self.0.is_empty() { Vec::new() } else { Value::Object(self.0.clone()).to_string().into_bytes() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_values_survive() {
        let mut private = Private::default();
        assert_eq!(private.to_bytes(), b"");
        private.set("job", "j1");
        assert_eq!(Private::from_bytes(&private.to_bytes()), private);
        assert_eq!(Private::from_bytes(b"{"), Private::default());
    }
}
