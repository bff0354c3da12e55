//! Parses the fields of `Authorization: ALGORITHM Name=value, Name=value, …`.

use super::request::SignatureError;

/// The fields that follow the name of the algorithm.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    /// Parses the fields. They are separated by commas, with or without white space.
    ///
    /// # Errors
    /// [`SignatureError::Incomplete`] with `expected` if a field has no `=` or is repeated.
    pub(super) fn parse(text: &'a str, expected: &'static str) -> Result<Self, SignatureError> {
        let mut fields = Vec::<(&str, &str)>::new();
        for field in text.split(',') {
            let (name, value) = field.trim().split_once('=').ok_or(SignatureError::Incomplete(expected))?;
            // An intermediary may have trusted the other one.
            if fields.iter().any(|(other, _)| *other == name) {
                return Err(SignatureError::Incomplete(expected));
            }
            fields.push((name, value));
        }
        Ok(Self(fields))
    }

    /// Returns the value of a field; `None` if it is missing or empty.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(other, value)| *other == name && !value.is_empty()).map(|(_, value)| *value)
    }
}

/// Decodes hexadecimal digits of either case.
pub(super) fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn authorization_fields_are_comma_separated_and_unique() {
        for text in ["Access=a=, Signed=x;y, Signature=00", "Access=a=,Signed=x;y,Signature=00"] {
            let fields = Fields::parse(text, "fields").unwrap();
            assert_eq!((fields.get("Access"), fields.get("Signed")), (Some("a="), Some("x;y")));
            assert_eq!((fields.get("Signature"), fields.get("Other")), (Some("00"), None));
        }
        assert_eq!(Fields::parse("Access=", "fields").unwrap().get("Access"), None);
        for bad in ["", "Access", "Access=a,", "Access=a, Access=b", "Access=a,,Signature=b"] {
            assert_eq!(Fields::parse(bad, "fields"), Err(SignatureError::Incomplete("fields")), "{bad}");
        }
    }

    #[test]
    fn hex_digits_are_decoded_in_pairs() {
        assert_eq!(decode_hex("00fFa0"), Some(vec![0, 255, 160]));
        for bad in ["0", "0g", "+1", "é", "000"] {
            assert_eq!(decode_hex(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn authorization_parser_never_panics(text in ".{0,80}") {
            let _ = Fields::parse(&text, "fields");
            let _ = decode_hex(&text);
        }
    }
}
