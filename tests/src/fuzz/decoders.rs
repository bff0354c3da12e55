//! Decoders of single texts. The input goes to each of them: a query, strict JSON, ids, list positions, times, and
//! keys of the table's items, whose two parts are separated by a line feed.
//!
//! A query is decoded as a browser does, and decodes to the same after encoding. Strict JSON decodes to the same
//! value as `serde_json`, and rejects nothing more than a duplicate member. A parsed value is written as it was, or
//! in an equivalent form. No id contains the separator of keys.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use imageshare::domain::{AccessKeyId, ImageId, JobId, TenantId, Timestamp};
use imageshare::http::{query, strict_json};
use imageshare::store::{Position, WorkItemKey};
use imageshare::usecases::Marker;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::form_urlencoded;

/// Decodes a text in every way.
pub fn run(input: &[u8]) -> bool {
    check_json(input);
    let Ok(text) = std::str::from_utf8(input) else { return true };
    check_query(text);
    for id in [round_trip::<ImageId>(text), round_trip::<TenantId>(text), round_trip::<AccessKeyId>(text)] {
        assert!(id.is_none_or(|id| id == text && !id.contains(['#', '/', '~', '%'])), "{text:?}");
    }
    round_trip::<JobId>(text);
    round_trip::<Marker>(text);
    check_times(text);
    check_keys(text);
    true
}

fn check_json(input: &[u8]) {
    let usual = serde_json::from_slice::<Value>(input);
    match strict_json::parse(input) {
        Ok(value) => assert_eq!(usual.ok(), Some(value)),
        Err(refused) if usual.is_ok() => assert!(refused.to_string().starts_with("a member is given twice")),
        Err(_) => {}
    }
}

fn check_query(text: &str) {
    let Ok(pairs) = query::parse_pairs(text) else { return };
    let usual = form_urlencoded::parse(text.as_bytes()).into_owned();
    assert_eq!(usual.collect::<Vec<_>>(), pairs);
    let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let again = pairs.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    assert_eq!(query::parse_pairs(&again.collect::<Vec<_>>().join("&")), Ok(pairs));
}

/// The text of a value, if it can be parsed; it must parse to the same value again.
fn round_trip<T: FromStr + Display + Debug + PartialEq>(text: &str) -> Option<String> {
    let parsed: T = text.parse().ok()?;
    let written = parsed.to_string();
    assert_eq!(written.parse().ok(), Some(parsed));
    Some(written)
}

fn check_times(text: &str) {
    let seconds = |time: Option<Timestamp>| time.map(Timestamp::unix_seconds);
    if let Some(time) = Timestamp::parse_iso_seconds(text) {
        assert_eq!(time.to_iso_seconds(), text);
    }
    if let Some(time) = Timestamp::parse_iso_basic(text) {
        assert_eq!(time.to_iso_basic(), text);
    }
    if let Some(time) = Timestamp::parse_iso(text) {
        assert_eq!(seconds(Timestamp::parse_iso_seconds(&time.to_iso_seconds())), seconds(Some(time)));
    }
}

fn check_keys(text: &str) {
    if let Some(place) = Position::parse(text) {
        assert_eq!(Position::parse(&place.to_string()), Some(place));
    }
    let Some((pk, sk)) = text.split_once('\n') else { return };
    if let Some(work_item) = WorkItemKey::parse(pk, sk) {
        let key = work_item.primary_key();
        let part = |name: &str| key[name].as_s().expect("a text").as_str();
        assert_eq!(WorkItemKey::parse(part("pk"), part("sk")), Some(work_item));
    }
}
