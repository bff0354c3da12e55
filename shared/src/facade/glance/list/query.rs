//! The parameters of the list. Some may be repeated; of any other, a duplicate is an error. A key that Glance does not
//! know is the name of a free property, so no key is ignored.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::facade::glance::Error;
use crate::http::query::{ENCODING, parse_pairs};

/// Parameters that may be repeated.
const REPEATABLE: [&str; 3] = ["sort_dir", "sort_key", "tag"];

/// Characters that are percent-encoded in a query: all but the unreserved ones of RFC 3986.
const ENCODE_SET: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The decoded parameters, in their order.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses a query string.
    pub(super) fn parse(raw: &str) -> Result<Self, Error> {
        let pairs = parse_pairs(raw).map_err(|key| Error::invalid_field(&key, ENCODING))?;
        let mut unrepeatable: Vec<_> =
            pairs.iter().map(|(key, _)| key).filter(|key| !REPEATABLE.contains(&key.as_str())).collect();
        unrepeatable.sort();
        match unrepeatable.array_windows().find(|[one, next]| one == next) {
            Some([duplicate, _]) => Err(Error::invalid_field(duplicate, "one value, not several")),
            None => Ok(Self(pairs)),
        }
    }

    /// The value of a parameter, the first one if it is repeated.
    pub(super) fn first(&self, key: &str) -> Option<&str> {
        self.all(key).next()
    }

    /// Every value of a parameter.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(candidate, _)| candidate == key).map(|(_, value)| value.as_str())
    }

    /// Every parameter with its value.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The path of the same list, from its beginning or after a marker.
    pub(super) fn link(&self, marker: Option<&str>) -> String {
        let pairs = self.pairs().filter(|(key, _)| *key != "marker");
        let encoded = |text| utf8_percent_encode(text, ENCODE_SET);
        let pairs = pairs.chain(marker.map(|marker| ("marker", marker)));
        let pairs: Vec<_> =
            pairs.map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
        let question_mark = if pairs.is_empty() { "" } else { "?" };
        format!("/v2/images{question_mark}{}", pairs.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn link_keeps_the_query_and_sets_the_marker() {
        let query = Query::parse("name=a+b%26%C3%A9&marker=x&tag=1&tag=2&flag").unwrap();
        assert_eq!(query.link(None), "/v2/images?name=a%20b%26%C3%A9&tag=1&tag=2&flag=");
        assert!(query.link(Some("i-1~5")).ends_with("&flag=&marker=i-1~5"));
        assert_eq!(Query::parse("").unwrap().link(None), "/v2/images");
        assert_eq!(Query::parse("marker=x").unwrap().link(Some("y")), "/v2/images?marker=y");
    }

    #[test]
    fn only_some_parameters_may_be_repeated() {
        let query = Query::parse("tag=1&tag=2&sort_key=name&sort_key=id").unwrap();
        assert_eq!(query.all("tag").collect::<Vec<_>>(), ["1", "2"]);
        for (query, message) in [
            ("limit=1&name=x&limit=1", "limit: expected one value, not several."),
            ("own=1&own=2", "own: expected one value, not several."),
            ("name=%FF", "name: expected percent-encoded UTF-8."),
            ("%FF", "the query: expected percent-encoded UTF-8."),
        ] {
            assert!(format!("{:?}", Query::parse(query).unwrap_err()).contains(message), "{query}");
        }
    }

    proptest! {
        #[test]
        fn query_link_parses_to_the_same_query(raw in "[a-c=&%+0-9A-F~ü]{0,40}") {
            if let Ok(query) = Query::parse(&raw) {
                let link = query.link(None);
                let again = link.split_once('?').map_or("", |(_, query)| query);
                prop_assert_eq!(Query::parse(again).unwrap().0, query.0);
            }
        }
    }
}
