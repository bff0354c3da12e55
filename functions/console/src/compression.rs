//! Compresses what is sent to browsers: a page of a list has some 25 kB, and a seventh of that when compressed.
//!
//! The length of a compressed page could tell a secret in it to someone who can also choose a part of the page (BREACH). The only
//! page with a secret is that of a new access key, which only a form of the same origin leads to.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderValue, VARY};
use imageshare::http::HttpResponse;
use lambda_http::Body;

/// The shortest body that is worth compressing: a shorter one fits into one packet as it is.
const MIN_BYTES: usize = 1_400;

/// Whether a client accepts gzip.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let is_refused = weight.trim().strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0_f32));
        name.trim().eq_ignore_ascii_case("gzip") && !is_refused
    })
}

/// Compresses the body of a response if that is worth it.
pub(crate) fn compress(response: HttpResponse) -> HttpResponse {
    let (mut parts, body) = response.into_parts();
    let body = match body {
        Body::Text(text) if text.len() >= MIN_BYTES => match gzip(text.as_bytes()) {
            Ok(compressed) => {
                parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                parts.headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
                Body::Binary(compressed)
            }
            Err(_) => Body::Text(text),
        },
        other => other,
    };
    HttpResponse::from_parts(parts, body)
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use http::Response;

    use super::*;

    #[test]
    fn gzip_is_sent_to_those_that_accept_it() {
        for (accepted, is_accepted) in [
            ("gzip", true),
            ("gzip, deflate, br, zstd", true),
            ("br;q=1.0, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("br", false),
            ("xgzip", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(accepted))]);
            assert_eq!(accepts_gzip(&headers), is_accepted, "{accepted}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn long_body_is_compressed_and_short_one_is_not() {
        let text = "<tr><td>Ü</td></tr>\n".repeat(200);
        let response = compress(Response::new(Body::Text(text.clone())));
        assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
        assert_eq!(response.headers()[VARY], "Accept-Encoding");
        let Body::Binary(bytes) = response.body() else { panic!("{response:?}") };
        assert!(bytes.len() < text.len() / 10, "{}", bytes.len());
        let mut unpacked = String::new();
        GzDecoder::new(bytes.as_slice()).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, text);
        for body in [Body::Text("x".repeat(MIN_BYTES - 1)), Body::Empty] {
            let response = compress(Response::new(body.clone()));
            assert_eq!((response.body(), response.headers().is_empty()), (&body, true));
        }
    }
}
