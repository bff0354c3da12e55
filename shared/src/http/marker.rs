//! Page markers: `POSITION~CHECKSUM`. The position is the one after which the list continues; the checksum is a
//! digest of the position, the caller's project, the operation and the query.
//!
//! So a marker of another project or query, or one that is truncated or altered, is refused before anything is read,
//! and never taken for a position in the wrong list. The limit may differ from page to page. The digest has no secret
//! key: a client that computes a checksum only gets to a position that it could page to anyway, since a page is read
//! from what the caller may see; and all functions would have to share the key.
//!
//! The id of the last image is a marker too, where the vendors define it so. The use case reads that image, and fails
//! as if it did not exist if the caller cannot see it.

use std::fmt::Display;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::domain::Caller;
use crate::usecases::Marker;

/// Separates the position from the checksum. No id contains it.
const SEPARATOR: char = '~';

/// The bytes of the digest in a marker: enough that no two lists share one by chance.
const CHECKSUM_BYTES: usize = 12;

/// The digest of what identifies a list, for the markers of its pages.
#[derive(Debug, Clone)]
pub struct Listing(Sha256);

impl Listing {
    /// Identifies the unfiltered list that an operation, by its route, returns to the caller.
    pub fn new(route: &str, caller: &Caller) -> Self {
        Self(Sha256::new()).with(route).with(caller.tenant.as_str())
    }

    /// Adds a text that narrows the list, such as the image whose members are listed.
    #[must_use]
    pub fn with(mut self, text: &str) -> Self {
        // Each text comes after its length, so that different texts never give the same bytes.
        self.0.update(text.len().to_be_bytes());
        self.0.update(text);
        self
    }

    /// Adds the parameters of a query. The order of keys does not matter, but the order of the values of one key
    /// does. `limit` and `marker` are left out, since they differ from page to page.
    #[must_use]
    pub fn with_query<'a>(self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut pairs: Vec<_> =
            pairs.into_iter().filter(|(key, _)| !["limit", "marker"].contains(key)).collect();
        pairs.sort_by_key(|(key, _)| *key);
        pairs.into_iter().fold(self, |listing, (key, value)| listing.with(key).with(value))
    }

    /// Returns the marker for the page after a position.
    pub fn encode_marker(&self, position: impl Display) -> String {
        let position = position.to_string();
        let checksum = self.checksum(&position);
        format!("{position}{SEPARATOR}{checksum}")
    }

    /// Returns the position in a marker of this list; `None` for any other text.
    pub fn decode_marker<'a>(&self, marker: &'a str) -> Option<&'a str> {
        let (position, checksum) = marker.rsplit_once(SEPARATOR)?;
        (self.checksum(position) == checksum).then_some(position)
    }

    /// Parses a marker of a list of images: an image id, or a marker of this list.
    pub fn decode_image_marker(&self, marker: &str) -> Option<Marker> {
        let text = if marker.contains(SEPARATOR) { self.decode_marker(marker)? } else { marker };
        text.parse().ok()
    }

    fn checksum(&self, position: &str) -> String {
        let digest = self.clone().with(position).0.finalize();
        URL_SAFE_NO_PAD.encode(digest.iter().copied().take(CHECKSUM_BYTES).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::fixtures;

    fn listing(tenant: &str, pairs: &[(&str, &str)]) -> Listing {
        Listing::new("GET /list", &fixtures::caller(tenant)).with_query(pairs.iter().copied())
    }

    fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
        prop::collection::vec(("[a-c]{0,2}", "[a-c=&]{0,3}"), 0..4)
    }

    fn as_str_pairs(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
        pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    proptest! {
        #[test]
        fn marker_decodes_only_in_its_own_list(
            position in "[a-z0-9~.]{0,12}", one in pairs(), other in pairs(), a in "[a-c]{1,3}", b in "[a-c]{1,3}",
        ) {
            let own = listing(&a, &as_str_pairs(&one));
            let marker = own.encode_marker(&position);
            prop_assert_eq!(own.decode_marker(&marker), Some(position.as_str()));
            let sorted = |pairs: &[(String, String)]| {
                let mut pairs = pairs.to_vec();
                pairs.sort_by(|one, other| one.0.cmp(&other.0));
                pairs
            };
            let is_same = a == b && sorted(&one) == sorted(&other);
            prop_assert_eq!(listing(&b, &as_str_pairs(&other)).decode_marker(&marker).is_some(), is_same);
            prop_assert_eq!(own.with("x").decode_marker(&marker), None);
        }

        #[test]
        fn truncated_or_altered_marker_is_rejected(
            position in "[a-z0-9]{1,8}(~[0-9]{1,13})?", at in any::<prop::sample::Index>(), into in "[ -~é]",
        ) {
            let own = listing("own", &[]);
            let marker = own.encode_marker(position);
            let at = at.index(marker.len());
            let (before, after) = (&marker[..at], &marker[at + 1..]);
            prop_assert_eq!(own.decode_marker(before), None);
            let changed = format!("{before}{into}{after}");
            prop_assert_eq!(own.decode_marker(&changed).is_some(), changed == marker);
            let longer = format!("{marker}{into}");
            prop_assert_eq!(own.decode_marker(&longer), None);
        }

        #[test]
        fn arbitrary_text_is_accepted_only_as_image_id(text in "\\PC{0,80}") {
            let own = listing("own", &[]);
            prop_assert_eq!(own.decode_marker(&text), None);
            let is_id = text.parse::<crate::domain::ImageId>().is_ok();
            prop_assert_eq!(own.decode_image_marker(&text).is_some(), is_id);
        }
    }

    #[test]
    fn limit_and_marker_do_not_change_the_listing() {
        let marker = listing("own", &[("name", "a"), ("limit", "2")]).encode_marker("i-1~5");
        for same in [&[("marker", "x"), ("name", "a")][..], &[("name", "a"), ("limit", "7")]] {
            assert_eq!(listing("own", same).decode_marker(&marker), Some("i-1~5"));
        }
        assert!(listing("own", &[("name", "a"), ("sort_key", "id")]).decode_marker(&marker).is_none());
    }

    #[test]
    fn value_order_matters_but_key_order_does_not() {
        let marker =
            listing("own", &[("sort_key", "name"), ("tag", "t"), ("sort_key", "id")]).encode_marker("i");
        let same = [("tag", "t"), ("sort_key", "name"), ("sort_key", "id")];
        assert_eq!(listing("own", &same).decode_marker(&marker), Some("i"));
        assert!(
            listing("own", &[("tag", "t"), ("sort_key", "id"), ("sort_key", "name")])
                .decode_marker(&marker)
                .is_none()
        );
    }

    #[test]
    fn image_list_resumes_after_image_id_or_own_marker() {
        let own = listing("own", &[]);
        let cursor: Marker = "i-1~5".parse().unwrap();
        assert_eq!(own.decode_image_marker(&own.encode_marker(&cursor)), Some(cursor));
        assert_eq!(own.decode_image_marker("i-1"), "i-1".parse().ok());
        for bad in ["", "i-1~5", "i-1~", "~", "a#b", &own.encode_marker("i-1~x"), &own.encode_marker("")] {
            assert_eq!(own.decode_image_marker(bad), None, "{bad}");
        }
    }
}
