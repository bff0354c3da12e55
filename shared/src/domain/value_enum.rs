//! Enums whose values are texts of the API. One list of the texts generates the parser, the text form and the error.

/// A text that is not a value of the enum it was parsed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct UnknownValue(pub &'static str);

/// Implements `ALL`, `EXPECTED`, `as_str`, `Display` and `FromStr` for an enum. Parsing is case-sensitive and fails
/// with [`UnknownValue`]. A list that leaves out a variant does not compile.
///
/// ```text
/// value_enum!(Status { Pending = "pending", Accepted = "accepted" or Rejected = "rejected" });
/// ```
macro_rules! value_enum {
    ($name:ident { $first:ident = $first_text:literal $(, $variant:ident = $text:literal)* or $last:ident = $last_text:literal }) => {
        impl $name {
            /// Every value, in the order of [`Self::EXPECTED`].
            pub const ALL: [Self; [$first_text $(, $text)*, $last_text].len()] =
                [Self::$first $(, Self::$variant)*, Self::$last];

            /// The texts of all values, for error messages.
            pub const EXPECTED: &'static str =
                concat!("\"", $first_text, "\"" $(, ", \"", $text, "\"")*, " or \"", $last_text, "\"");

            /// The value as it appears in requests, responses and keys.
            pub fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_text,
                    $(Self::$variant => $text,)*
                    Self::$last => $last_text,
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::domain::UnknownValue;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                let found = Self::ALL.into_iter().find(|value| value.as_str() == text);
                found.ok_or($crate::domain::UnknownValue(Self::EXPECTED))
            }
        }
    };
}

pub(crate) use value_enum;

#[cfg(test)]
mod tests {
    use std::fmt::{Debug, Display};
    use std::str::FromStr;

    use serde::Serialize;

    use super::*;
    use crate::domain::{PolicyKind, Protection, Status, VaultStatus, Visibility};

    fn check<T>(all: &[T], expected: &str)
    where
        T: Copy + Debug + Display + PartialEq + Serialize + FromStr<Err = UnknownValue>,
    {
        for value in all {
            let text = value.to_string();
            assert_eq!(text.parse(), Ok(*value));
            assert_eq!(serde_json::to_value(value).unwrap(), text, "the stored form differs");
            assert!(expected.contains(&format!("\"{text}\"")));
            assert!(text.to_uppercase().parse::<T>().is_err(), "parsing {text} is case-sensitive");
        }
    }

    #[test]
    fn value_texts_round_trip_and_are_the_stored_form() {
        check(&Status::ALL, Status::EXPECTED);
        check(&Visibility::ALL, Visibility::EXPECTED);
        check(&Protection::ALL, Protection::EXPECTED);
        check(&VaultStatus::ALL, VaultStatus::EXPECTED);
        check(&PolicyKind::ALL, PolicyKind::EXPECTED);
    }

    #[test]
    fn unknown_value_lists_the_expected_texts() {
        let error = "shard".parse::<Visibility>().unwrap_err();
        assert_eq!(error.to_string(), r#"expected "private", "shared", "community" or "public""#);
    }
}
