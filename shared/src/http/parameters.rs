//! The query parameters of a request, parsed from the URL as the client sent it: the gateway's own map joins repeated
//! keys.
//!
//! Unknown keys are ignored, as in IMS, except where an operation refuses them. A known key with an unexpected value is an error that names the key: a filter
//! that is silently ignored would list images that the client did not ask for.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use super::query::{ENCODING, parse_pairs};
use super::{ApiError, Listing};

/// The most entries on a page of a list that reads them one by one: as many as one batch read takes.
pub(crate) const MAX_BATCH_PAGE_SIZE: usize = 100;

/// The longest wait, in seconds: some less than a gateway waits for a function.
const MAX_WAIT_SECONDS: u64 = 20;

/// The decoded parameters, each with one value.
#[derive(Debug)]
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    /// Parses a raw query, without the question mark. A repeated key is an error.
    pub(crate) fn parse(raw: &str) -> Result<Self, ApiError> {
        let mut parameters = BTreeMap::new();
        for (key, value) in parse_pairs(raw).map_err(|key| invalid_parameter(&key, ENCODING))? {
            if parameters.insert(key.clone(), value).is_some() {
                return Err(invalid_parameter(&key, "one value, not several"));
            }
        }
        Ok(Self(parameters))
    }

    /// Returns the value of a parameter.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Checks that there are no other parameters than these, for a list whose clients send no others.
    pub(crate) fn ensure_only(&self, keys: &[&str]) -> Result<(), ApiError> {
        let unknown = self.0.keys().find(|key| !keys.contains(&key.as_str()));
        unknown.map_or(Ok(()), |key| Err(invalid_parameter(key, format_args!("only {}", keys.join(", ")))))
    }

    /// Returns every parameter with its value.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Parses a parameter. `expected` describes its values, for the error.
    pub(crate) fn parse_value<T: FromStr>(&self, key: &str, expected: &str) -> Result<Option<T>, ApiError> {
        self.text(key).map(|text| text.parse().map_err(|_| invalid_parameter(key, expected))).transpose()
    }

    /// Parses a parameter that is one of some words, each given with its meaning.
    pub(crate) fn one_of<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(key) else { return Ok(None) };
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        found.map(Some).ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            invalid_parameter(key, format_args!("one of {}", words.join(", ")))
        })
    }

    /// Parses the parameter `marker` to the position after which the page begins.
    pub(crate) fn parse_marker<T: FromStr>(&self, listing: &Listing) -> Result<Option<T>, ApiError> {
        let read = |text| listing.decode_marker(text).and_then(|position| position.parse().ok());
        let read =
            |text| read(text).ok_or_else(|| invalid_parameter("marker", "next_marker of the page before"));
        self.text("marker").map(read).transpose()
    }

    /// Parses the parameter `limit`, 500 by default and at most 1000.
    pub(crate) fn limit(&self) -> Result<usize, ApiError> {
        self.page_size(500, 1000)
    }

    /// Parses the parameter `limit` of a list whose entries take a read each: by default and at most
    /// [`MAX_BATCH_PAGE_SIZE`].
    pub(crate) fn batch_limit(&self) -> Result<usize, ApiError> {
        self.page_size(MAX_BATCH_PAGE_SIZE, MAX_BATCH_PAGE_SIZE)
    }

    fn page_size(&self, default: usize, max: usize) -> Result<usize, ApiError> {
        let invalid = || invalid_parameter("limit", format_args!("a number from 1 to {max}"));
        let Some(text) = self.text("limit") else { return Ok(default) };
        let limit = text.parse().map_err(|_| invalid())?;
        if (1..=max).contains(&limit) { Ok(limit) } else { Err(invalid()) }
    }
}

/// Parses the parameter `wait`, a number of seconds.
pub(crate) fn parse_wait(text: &str) -> Result<Duration, ApiError> {
    let seconds = text.parse().ok().filter(|seconds| (1..=MAX_WAIT_SECONDS).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| {
        invalid_parameter("wait", format_args!("a number of seconds from 1 to {MAX_WAIT_SECONDS}"))
    })
}

/// The error of an invalid parameter.
pub(crate) fn invalid_parameter(key: &str, expected: impl Display) -> ApiError {
    ApiError::malformed(format!("{key}: expected {expected}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_text<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
        format!("{:?}", result.unwrap_err())
    }

    #[test]
    fn keys_and_values_are_decoded() {
        let query = Query::parse("name=a+b%2Bc%C3%A9&created_at=gt%3A2026&&flag&__os_type=Linux=x").unwrap();
        assert_eq!(query.text("name"), Some("a b+cé"));
        assert_eq!(query.text("created_at"), Some("gt:2026"));
        assert_eq!((query.text("flag"), query.text("__os_type")), (Some(""), Some("Linux=x")));
        assert_eq!(query.text("other"), None);
    }

    #[test]
    fn repeated_key_and_invalid_utf8_are_named() {
        assert!(error_text(Query::parse("limit=1&limit=1")).contains("limit: expected one value"));
        assert!(error_text(Query::parse("name=%FF")).contains("name: expected percent-encoded UTF-8"));
        assert!(error_text(Query::parse("%FF=x")).contains("the query: expected percent-encoded UTF-8"));
    }

    #[test]
    fn unexpected_parameter_value_is_named() {
        let words = [("asc", 1), ("desc", 2)];
        let query = Query::parse("sort_dir=up&limit=0&marker=").unwrap();
        assert!(
            error_text(query.one_of("sort_dir", &words)).contains("sort_dir: expected one of asc, desc.")
        );
        assert!(error_text(query.limit()).contains("limit: expected a number from 1 to 1000"));
        assert!(
            error_text(query.parse_value::<u8>("marker", "a digit")).contains("marker: expected a digit.")
        );
        for bad in ["limit=1001", "limit=-1", "limit=", "limit=x", "limit=1.0", "limit=99999999999999999999"]
        {
            assert!(error_text(Query::parse(bad).unwrap().limit()).contains("limit: expected"), "{bad}");
        }
    }

    #[test]
    fn omitted_parameters_have_defaults() {
        let query = Query::parse("").unwrap();
        assert_eq!(query.limit(), Ok(500));
        assert_eq!(query.one_of("sort_dir", &[("asc", 1)]), Ok(None));
    }
}
