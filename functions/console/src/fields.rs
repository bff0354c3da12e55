//! The fields of a query or of a form: names and values, of which several may share a name.

use std::str::FromStr;

use imageshare::http::query::parse_pairs;

/// The fields, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, String)>);

/// The text is not the encoding of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Fields {
    /// Parses a query, or the body of a form.
    pub(crate) fn parse(encoded: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(encoded).map_err(|_| Malformed)?;
        parse_pairs(text).map(Self).map_err(|_| Malformed)
    }

    /// The value of a field without the white space around it; empty if the field is missing.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
    }

    /// The values of all fields with a name, without the white space around them.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.trim())
    }

    /// The values of all fields with a name that can be parsed, each once, in their order.
    pub(crate) fn parsed<T: FromStr + PartialEq>(&self, name: &str) -> Vec<T> {
        let mut values = Vec::new();
        for value in self.all(name).filter_map(|text| text.parse().ok()) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }

    /// Whether there is a field with a name, as of a button that was pressed.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_one_name_keep_their_order() {
        let fields = Fields::parse(b"image=b&image=a&image=b&name=+Acme+%F0%9F%90%99&ok").unwrap();
        assert_eq!(fields.all("image").collect::<Vec<_>>(), ["b", "a", "b"]);
        assert_eq!(fields.parsed::<String>("image"), ["b", "a"]);
        assert_eq!(fields.text("name"), "Acme 🐙");
        assert_eq!(fields.text("missing"), "");
        assert!(fields.has("ok") && !fields.has("o"));
    }

    #[test]
    fn text_that_is_no_form_is_refused() {
        for malformed in [&b"\xff"[..], b"a=%FF"] {
            assert_eq!(Fields::parse(malformed), Err(Malformed));
        }
    }
}
