//! Entity tags (RFC 9110, sections 8.8.3 and 13.1.1): a response has one in `ETag`, and a request that names it in
//! `If-Match` is refused once the resource has changed, so that no client overwrites what it has not read.
//!
//! A tag is the revision of the item that the whole representation is made from, so it is a strong one.

use std::fmt::Display;

use http::header::{ETAG, HeaderValue, IF_MATCH};

use super::{HttpResponse, IncomingRequest};

/// The header `If-Match` is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("If-Match: expected the ETag of an earlier response, with its quotes, or *.")]
pub(crate) struct MalformedIfMatch;

/// The tags that a request accepts, quotes included.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// Any: there is no such header, or it is `*`.
    Any,
    /// One of these. A weak tag is among them, and matches nothing.
    OneOf(Vec<String>),
}

impl IfMatch {
    /// Parses the header; several count as one list.
    ///
    /// # Errors
    /// [`MalformedIfMatch`], also for an empty header, whose client believes that it is protected.
    pub(crate) fn parse(request: &IncomingRequest) -> Result<Self, MalformedIfMatch> {
        let values =
            request.headers().get_all(IF_MATCH).iter().map(|value| value.to_str().unwrap_or_default());
        Self::parse_values(values)
    }

    fn parse_values<'a>(values: impl Iterator<Item = &'a str>) -> Result<Self, MalformedIfMatch> {
        let values: Vec<_> = values.map(str::trim).collect();
        match values.as_slice() {
            [] | ["*"] => return Ok(Self::Any),
            _ => {}
        }
        let mut tags = Vec::new();
        for value in values {
            let mut rest = value;
            loop {
                let (tag, after) = split_tag(rest).ok_or(MalformedIfMatch)?;
                tags.push(tag.to_owned());
                rest = after.trim_start();
                if rest.is_empty() {
                    break;
                }
                rest = rest.strip_prefix(',').ok_or(MalformedIfMatch)?.trim_start();
            }
        }
        Ok(Self::OneOf(tags))
    }

    /// Whether the request accepts a resource of this revision.
    pub(crate) fn allows(&self, revision: impl Display) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags) => tags.contains(&entity_tag(revision)),
        }
    }
}

/// Splits off the first tag, with its quotes and its `W/` if it is weak.
fn split_tag(text: &str) -> Option<(&str, &str)> {
    let opaque = text.strip_prefix("W/").unwrap_or(text).strip_prefix('"')?;
    let end = opaque.find('"')?;
    let is_opaque = opaque.bytes().take(end).all(|byte| byte == b'!' || (0x23..=0x7e).contains(&byte));
    let length = text.len() - opaque.len() + end + 1;
    if is_opaque { text.split_at_checked(length) } else { None }
}

fn entity_tag(revision: impl Display) -> String {
    format!("\"{revision}\"")
}

/// Adds the tag of a revision to a response.
pub(crate) fn with_entity_tag(mut response: HttpResponse, revision: impl Display) -> HttpResponse {
    let tag = HeaderValue::from_str(&entity_tag(revision)).ok();
    response.headers_mut().extend(tag.map(|tag| (ETAG, tag)));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(values: &[&str]) -> Result<IfMatch, MalformedIfMatch> {
        IfMatch::parse_values(values.iter().copied())
    }

    #[test]
    fn only_a_strong_tag_of_the_revision_matches() {
        for (values, allows) in [
            (&[][..], true),
            (&["*"], true),
            (&["\"7\""], true),
            (&["\"6\",\"7\""], true),
            (&["\"6\" , W/\"x,y\"", "\"7\""], true),
            (&["\"6\""], false),
            (&["W/\"7\""], false),
            (&["\"\""], false),
            (&["\"07\""], false),
        ] {
            assert_eq!(parse(values).unwrap().allows(7), allows, "{values:?}");
        }
    }

    #[test]
    fn malformed_tag_is_an_error() {
        for bad in [
            "",
            "7",
            "\"7",
            "7\"",
            "\"7\" \"8\"",
            "\"7\",",
            ",\"7\"",
            "w/\"7\"",
            "*, \"7\"",
            "\"a b\"",
            "nope",
        ] {
            assert_eq!(parse(&[bad]), Err(MalformedIfMatch), "{bad}");
        }
        assert_eq!(parse(&["*", "*"]), Err(MalformedIfMatch));
    }
}
