//! HTTP requests as text, readable by people and mutable by a fuzzer: the request line without a version, headers, an
//! empty line, the body. Lines end with a line feed.

use bytes::Bytes;
use http::Request;

/// Parses a request; `None` if no server would pass it on.
pub fn parse_request(text: &[u8]) -> Option<Request<Bytes>> {
    let end = text.windows(2).position(|window| window == b"\n\n")?;
    let (head, body) = (&text[..end], &text[end + 2..]);
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut words = lines.next()?.splitn(2, |byte| *byte == b' ');
    let mut request = Request::builder().method(words.next()?).uri(words.next()?);
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..colon], line[colon + 1..].trim_ascii());
    }
    let request = request.body(Bytes::copy_from_slice(body)).ok()?;
    let has_path = request.uri().authority().is_none() && request.uri().path().starts_with('/');
    has_path.then_some(request)
}
