//! The canonical form of a request, which is what a client signs.

use http::HeaderName;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};
use sha2::{Digest, Sha256};

use super::request::{SignatureError, SignedRequest};

/// The characters that are percent-encoded: all but the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// A decoded name and its decoded value.
pub(super) type QueryPair = (Vec<u8>, Vec<u8>);

/// Decodes and re-encodes a path, so that both forms give the same result.
pub(super) fn encode_path(path: &str) -> String {
    let decoded: Vec<u8> = percent_decode(path.as_bytes()).collect();
    percent_encode(&decoded, RESERVED_IN_PATH).to_string()
}

/// Parses a query into its decoded parameters, in their order.
pub(super) fn parse_query(query: &str) -> Vec<QueryPair> {
    let decode = |text: &str| percent_decode(text.replace('+', " ").as_bytes()).collect();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(n, v)| (decode(n), decode(v)))
        .collect()
}

/// Encodes parameters as a query, in the given order.
pub(super) fn encode_query<N: AsRef<[u8]>, V: AsRef<[u8]>>(
    pairs: impl IntoIterator<Item = (N, V)>,
) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        text.extend(percent_encode(name.as_ref(), RESERVED));
        text.push('=');
        text.extend(percent_encode(value.as_ref(), RESERVED));
    }
    text
}

/// Percent-encodes a text.
pub(super) fn encode(text: impl AsRef<[u8]>) -> String {
    percent_encode(text.as_ref(), RESERVED).to_string()
}

/// Parses the names in `SignedHeaders`.
///
/// # Errors
/// [`SignatureError`] if a name is not one of a header, or one of `required` is missing.
pub(super) fn parse_signed_headers<'a>(
    list: &'a str,
    required: &[&str],
) -> Result<Vec<&'a str>, SignatureError> {
    let names: Vec<_> = list.split(';').collect();
    if names.iter().any(|name| HeaderName::from_bytes(name.as_bytes()).is_err()) {
        return Err(SignatureError::Incomplete("names of headers in SignedHeaders, separated by semicolons"));
    }
    let missing = required.iter().find(|name| !names.iter().any(|listed| listed.eq_ignore_ascii_case(name)));
    missing.map_or(Ok(names), |name| Err(SignatureError::HeaderNotSigned((*name).to_owned())))
}

/// Returns a header's value. The values of a repeated header are joined by commas, as an API gateway does.
pub(super) fn header_value(request: &SignedRequest<'_>, name: &str) -> Option<Vec<u8>> {
    let mut values = request.headers.get_all(name).iter();
    let mut joined = values.next()?.as_bytes().trim_ascii().to_vec();
    for value in values {
        joined.push(b',');
        joined.extend_from_slice(value.as_bytes().trim_ascii());
    }
    Some(joined)
}

/// Returns a header's value if it is UTF-8.
pub(super) fn header_text(request: &SignedRequest<'_>, name: &str) -> Option<String> {
    String::from_utf8(header_value(request, name)?).ok()
}

/// The signed parts of a request, besides its method and header values.
pub(super) struct CanonicalRequest<'a> {
    pub(super) path: String,
    pub(super) query: String,
    pub(super) signed_headers: &'a str,
    pub(super) header_names: Vec<&'a str>,
    pub(super) body_hash: &'a str,
    /// Whether a run of white space in a header's value is signed as one space.
    pub(super) collapses_whitespace: bool,
}

impl CanonicalRequest<'_> {
    /// Returns the hash of the canonical request.
    pub(super) fn hash(&self, request: &SignedRequest<'_>) -> Result<String, SignatureError> {
        Ok(hex_sha256(&self.to_bytes(request)?))
    }

    /// Returns the canonical request.
    ///
    /// # Errors
    /// [`SignatureError::HeaderMissing`] if a signed header was not received.
    pub(super) fn to_bytes(&self, request: &SignedRequest<'_>) -> Result<Vec<u8>, SignatureError> {
        let mut text = [request.method, &self.path, &self.query, ""].join("\n").into_bytes();
        for name in &self.header_names {
            let value = header_value(request, name);
            let value = value.ok_or_else(|| SignatureError::HeaderMissing(name.to_ascii_lowercase()))?;
            text.extend_from_slice(name.to_ascii_lowercase().as_bytes());
            text.push(b':');
            text.extend(if self.collapses_whitespace { collapse_whitespace(&value) } else { value });
            text.push(b'\n');
        }
        text.extend_from_slice(["", self.signed_headers, self.body_hash].join("\n").as_bytes());
        Ok(text)
    }
}

fn collapse_whitespace(value: &[u8]) -> Vec<u8> {
    let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}

/// Returns the SHA-256 of some bytes in hexadecimal.
pub(super) fn hex_sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn canonical_path_is_the_same_decoded_or_encoded() {
        for (given, canonical) in [
            ("/v1/a b", "/v1/a%20b"),
            ("/v1/a%20b", "/v1/a%20b"),
            ("/v1/%7e~", "/v1/~~"),
            ("/v1/%C3%BC", "/v1/%C3%BC"),
            ("/v1/ü", "/v1/%C3%BC"),
            ("/v1/a+b*", "/v1/a%2Bb%2A"),
            ("/%zz", "/%25zz"),
            ("", ""),
        ] {
            assert_eq!(encode_path(given), canonical, "{given}");
        }
    }

    #[test]
    fn query_is_decoded_and_re_encoded() {
        let canonical = |text| encode_query(parse_query(text));
        assert_eq!(
            canonical("b=1&a=x%20y+z%2B&&flag&c=d=e&%C3%BC=~"),
            "b=1&a=x%20y%20z%2B&flag=&c=d%3De&%C3%BC=~"
        );
        assert_eq!(canonical(""), "");
        assert_eq!(canonical("a=%FF&b=%"), "a=%FF&b=%25");
    }

    #[test]
    fn whitespace_collapses_to_one_space() {
        assert_eq!(collapse_whitespace(b"a  b \t c"), b"a b c");
        assert_eq!(collapse_whitespace(b""), b"");
    }

    #[test]
    fn missing_required_signed_header_is_rejected() {
        assert_eq!(parse_signed_headers("host;X-Sdk-Date", &["x-sdk-date"]).unwrap(), ["host", "X-Sdk-Date"]);
        let missing = SignatureError::HeaderNotSigned("x-sdk-date".to_owned());
        assert_eq!(parse_signed_headers("host", &["x-sdk-date"]), Err(missing));
        for bad in ["", "host;", "ho st", "host;;x-sdk-date", "host:x"] {
            assert!(matches!(parse_signed_headers(bad, &[]), Err(SignatureError::Incomplete(_))), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn canonical_query_is_idempotent(given in ".{0,60}") {
            let canonical = |text: &str| encode_query(parse_query(text));
            prop_assert_eq!(canonical(&canonical(&given)), canonical(&given));
            let _ = encode_path(&given);
        }
    }
}
