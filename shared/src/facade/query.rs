//! The parameters of a query, read from the URL as the client sent it: the gateway's own map joins repeated keys.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// What every key and value has to be.
pub const ENCODING: &str = "percent-encoded UTF-8";

/// The keys and values of what stands after the question mark, decoded, in their order.
///
/// # Errors
/// The key whose value is not [`ENCODING`], or `the query` where it is the key itself.
pub fn pairs(raw: &str) -> Result<Vec<(String, String)>, String> {
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

/// A comparison of seconds by its name, as in `created_at=gte:2026-11-21T22:46:56Z`.
pub(super) fn comparison(operator: &str) -> Option<fn(&i64, &i64) -> bool> {
    Some(match operator {
        "gt" => i64::gt,
        "gte" => i64::ge,
        "lt" => i64::lt,
        "lte" => i64::le,
        "eq" => i64::eq,
        "neq" => i64::ne,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(raw in ".{0,60}") {
            let _ = pairs(&raw);
        }

        #[test]
        fn what_was_encoded_is_decoded(texts in prop::collection::vec((".{0,8}", ".{0,8}"), 1..5)) {
            let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let raw: Vec<_> = texts.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
            prop_assert_eq!(pairs(&raw.join("&")), Ok(texts));
        }
    }
}
