//! The parts of a request in the one form in which they are signed.

use http::HeaderName;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};
use sha2::{Digest, Sha256};

use super::{SignatureFault, SignedRequest};

/// What is encoded everywhere: all but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// A decoded name and its decoded value.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

/// The path, decoded and encoded anew.
pub(super) fn path(path: &str) -> String {
    let decoded: Vec<u8> = percent_decode(path.as_bytes()).collect();
    percent_encode(&decoded, RESERVED_IN_PATH).to_string()
}

/// The parameters of a query, decoded, in their order.
pub(super) fn pairs(query: &str) -> Vec<Pair> {
    let decoded = |text: &str| percent_decode(text.replace('+', " ").as_bytes()).collect();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(n, v)| (decoded(n), decoded(v)))
        .collect()
}

/// Parameters in this order, encoded.
pub(super) fn query<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (N, V)>) -> String {
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

/// A text, encoded.
pub(super) fn encoded(text: impl AsRef<[u8]>) -> String {
    percent_encode(text.as_ref(), RESERVED).to_string()
}

/// The names in `SignedHeaders`, which must hold each of `required`.
pub(super) fn signed_headers<'a>(list: &'a str, required: &[&str]) -> Result<Vec<&'a str>, SignatureFault> {
    let names: Vec<_> = list.split(';').collect();
    if names.iter().any(|name| HeaderName::from_bytes(name.as_bytes()).is_err()) {
        return Err(SignatureFault::Incomplete("names of headers in SignedHeaders, separated by semicolons"));
    }
    let missing = required.iter().find(|name| !names.iter().any(|listed| listed.eq_ignore_ascii_case(name)));
    missing.map_or(Ok(names), |name| Err(SignatureFault::NotSigned((*name).to_owned())))
}

/// A header's value; values of a repeated header are joined as an API gateway does it.
pub(super) fn header(request: &SignedRequest<'_>, name: &str) -> Option<Vec<u8>> {
    let mut values = request.headers.get_all(name).iter();
    let mut joined = values.next()?.as_bytes().trim_ascii().to_vec();
    for value in values {
        joined.push(b',');
        joined.extend_from_slice(value.as_bytes().trim_ascii());
    }
    Some(joined)
}

/// A header's value where it is plain text.
pub(super) fn header_text(request: &SignedRequest<'_>, name: &str) -> Option<String> {
    String::from_utf8(header(request, name)?).ok()
}

/// What is signed of a request besides its method and its headers.
pub(super) struct Signing<'a> {
    pub(super) path: String,
    pub(super) query: String,
    pub(super) signed_headers: &'a str,
    pub(super) names: Vec<&'a str>,
    pub(super) body_hash: &'a str,
    /// Whether runs of white space in a header's value count as one space.
    pub(super) collapses_space: bool,
}

impl Signing<'_> {
    /// The hash of the canonical request.
    pub(super) fn hash(&self, request: &SignedRequest<'_>) -> Result<String, SignatureFault> {
        Ok(hex_sha256(&self.canonical_request(request)?))
    }

    /// The canonical request itself.
    pub(super) fn canonical_request(&self, request: &SignedRequest<'_>) -> Result<Vec<u8>, SignatureFault> {
        let mut text = [request.method, &self.path, &self.query, ""].join("\n").into_bytes();
        for name in &self.names {
            let value = header(request, name);
            let value = value.ok_or_else(|| SignatureFault::HeaderMissing(name.to_ascii_lowercase()))?;
            text.extend_from_slice(name.to_ascii_lowercase().as_bytes());
            text.push(b':');
            text.extend(if self.collapses_space { collapsed(&value) } else { value });
            text.push(b'\n');
        }
        text.extend_from_slice(["", self.signed_headers, self.body_hash].join("\n").as_bytes());
        Ok(text)
    }
}

fn collapsed(value: &[u8]) -> Vec<u8> {
    let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}

/// The hash of some bytes in hexadecimal digits.
pub(super) fn hex_sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_is_the_same_whether_it_came_decoded_or_not() {
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
            assert_eq!(path(given), canonical, "{given}");
        }
    }

    #[test]
    fn a_query_is_decoded_and_encoded() {
        let canonical = |text| query(pairs(text));
        assert_eq!(
            canonical("b=1&a=x%20y+z%2B&&flag&c=d=e&%C3%BC=~"),
            "b=1&a=x%20y%20z%2B&flag=&c=d%3De&%C3%BC=~"
        );
        assert_eq!(canonical(""), "");
        assert_eq!(canonical("a=%FF&b=%"), "a=%FF&b=%25");
    }

    #[test]
    fn white_space_collapses_to_one_space() {
        assert_eq!(collapsed(b"a  b \t c"), b"a b c");
        assert_eq!(collapsed(b""), b"");
    }

    #[test]
    fn what_must_be_signed_is_missed() {
        assert_eq!(signed_headers("host;X-Sdk-Date", &["x-sdk-date"]).unwrap(), ["host", "X-Sdk-Date"]);
        let missing = SignatureFault::NotSigned("x-sdk-date".to_owned());
        assert_eq!(signed_headers("host", &["x-sdk-date"]), Err(missing));
        for bad in ["", "host;", "ho st", "host;;x-sdk-date", "host:x"] {
            assert!(matches!(signed_headers(bad, &[]), Err(SignatureFault::Incomplete(_))), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_path_and_query_have_a_canonical_form_that_is_its_own(given in ".{0,60}") {
            let again = |text: &str| query(pairs(text));
            prop_assert_eq!(again(&again(&given)), again(&given));
            let _ = path(&given);
        }
    }
}
