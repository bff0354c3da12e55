//! Decode the raw query of a URL into pairs, for facades that allow a key several times.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The encoding of keys and values, for error messages.
pub const ENCODING: &str = "percent-encoded UTF-8";

/// Decodes the keys and values of a raw query, without the question mark, in their order.
///
/// # Errors
/// The key whose value is not [`ENCODING`], or `the query` if the key is not.
pub fn parse_pairs(raw: &str) -> Result<Vec<(String, String)>, String> {
    let pairs = raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decode(key).ok_or("the query")?;
        let value = decode(value).ok_or_else(|| key.clone())?;
        Ok((key, value))
    });
    pairs.collect()
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn query_parser_never_panics(raw in ".{0,60}") {
            let _ = parse_pairs(&raw);
        }

        #[test]
        fn encoded_query_pairs_round_trip(texts in prop::collection::vec((".{0,8}", ".{0,8}"), 1..5)) {
            let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let raw: Vec<_> = texts.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
            prop_assert_eq!(parse_pairs(&raw.join("&")), Ok(texts));
        }
    }
}
