//! A text that is sent and never shown.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A token, or the secret of an access key. Its debug form does not contain it, so it reaches no log and no message.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, to be sent.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_form_has_no_secret() {
        assert_eq!(format!("{:?}", Some(Secret::new("hush"))), "Some((secret))");
    }
}
