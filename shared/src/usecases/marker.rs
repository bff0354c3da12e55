//! The marker of a page of images: where it begins.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::{ImageId, MalformedId, Timestamp};
use crate::store::{Cursor, Position};

/// Where a page of images begins: after an image, or after a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marker {
    /// An image by its id, as the vendors define a marker. The use case has to read it.
    Image(ImageId),
    /// A position in the order of the list, as a page returns it. It stays valid when its image changes or is
    /// deleted. It carries no authority: the next page is read from the caller's own lists only.
    Cursor(Cursor),
}

/// Separates the parts of a cursor. No id contains it.
const SEPARATOR: char = '~';

/// The most values of a cursor, and the most bytes of one: more than there are sort keys, and than a value may have.
const MAX_VALUES: usize = 8;
const MAX_VALUE_BYTES: usize = 1_500;

impl FromStr for Marker {
    type Err = MalformedId;

    /// Parses `IMAGE`, or `IMAGE~CREATED` with `~VALUE` in base64 for each value of the cursor.
    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let bad = || MalformedId { expected: "the marker of the page before" };
        let mut parts = text.split(SEPARATOR);
        let image = parts.next().unwrap_or_default().parse()?;
        let Some(created) = parts.next() else { return Ok(Self::Image(image)) };
        let millis = created.parse::<i64>().ok().filter(|millis| (0..1_000_000_000_000_000).contains(millis));
        let created = Timestamp::from_unix_millis(millis.ok_or_else(bad)?);
        let values = parts.map(decode_value).take(MAX_VALUES + 1).collect::<Option<Vec<_>>>();
        let values = values.filter(|values| values.len() <= MAX_VALUES).ok_or_else(bad)?;
        Ok(Self::Cursor(Cursor { values, position: Position { created, image } }))
    }
}

fn decode_value(text: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() <= MAX_VALUE_BYTES)?;
    String::from_utf8(bytes).ok()
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(image) => write!(f, "{image}"),
            Self::Cursor(Cursor { values, position: Position { created, image } }) => {
                write!(f, "{image}{SEPARATOR}{}", created.unix_millis())?;
                values.iter().try_for_each(|value| write!(f, "{SEPARATOR}{}", URL_SAFE_NO_PAD.encode(value)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn cursor_marker_round_trips(values in prop::collection::vec("\\PC{0,90}", 0..4), millis in 0_i64..2_000_000_000_000) {
            let position = Position { created: Timestamp::from_unix_millis(millis), image: "i-1".parse().unwrap() };
            let marker = Marker::Cursor(Cursor { values, position });
            prop_assert_eq!(marker.to_string().parse(), Ok(marker));
        }

        #[test]
        fn marker_parser_never_panics(text in "[a-z0-9~_-]{0,40}") {
            let _ = text.parse::<Marker>();
        }
    }

    #[test]
    fn marker_is_an_image_or_a_cursor() {
        for text in ["i-1", "i-1~1700000000000", "i-1~5~d2Vi", "i-1~5~~d2Vi"] {
            assert_eq!(text.parse::<Marker>().map(|marker| marker.to_string()).as_deref(), Ok(text));
        }
        let long = format!("i~1~{}", "A".repeat(2_100));
        for bad in [
            "",
            "i-1~",
            "i-1~x",
            "i-1~-5",
            "~5",
            "a#b~5",
            "i~99999999999999999999",
            "i~1~2",
            "i~1~d2V=",
            "i~1~_w",
            "i~1~~~~~~~~~",
            &long,
        ] {
            assert!(bad.parse::<Marker>().is_err(), "{bad}");
        }
    }
}
