//! Times to the millisecond, and the formats in which the APIs write them.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::iso_time;

const SECONDS_FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const MILLIS_FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

const BASIC_FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// A time, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The current time, by this machine's clock.
    pub fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    /// The time that many milliseconds after the Unix epoch.
    pub fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub fn unix_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch: the unit of the table's TTL and of a token's `exp`.
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The time that much later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The time that much earlier.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Formats as `2026-11-21T22:46:56Z`, like the dates of images and members (`contract/glance.md` 2.1).
    pub fn to_iso_seconds(self) -> String {
        self.format(SECONDS_FORMAT)
    }

    /// Formats as `2024-11-06T06:30:00.778Z`, like the dates of jobs (`contract/ims.md` 1.4).
    pub fn to_iso_millis(self) -> String {
        self.format(MILLIS_FORMAT)
    }

    /// Parses `2026-11-21T22:46:56Z`; `None` for anything else.
    pub fn parse_iso_seconds(text: &str) -> Option<Self> {
        Self::parse(text, SECONDS_FORMAT)
    }

    /// Parses `20261121T224656Z`, the date of a signed request (`contract/ims.md` 1.8); `None` for anything else.
    pub fn parse_iso_basic(text: &str) -> Option<Self> {
        Self::parse(text, BASIC_FORMAT)
    }

    /// Formats as `20261121T224656Z`.
    pub fn to_iso_basic(self) -> String {
        self.format(BASIC_FORMAT)
    }

    /// Parses any ISO 8601 format that Glance accepts: a date that may end after the year or the month, a time of day
    /// that may end after the hour or the minute, a fraction, an offset. A missing part has its first value, and a
    /// missing offset is UTC. `None` for anything else.
    pub fn parse_iso(text: &str) -> Option<Self> {
        let date = iso_time::parse(text)?;
        i64::try_from(date.unix_timestamp_nanos().div_euclid(1_000_000)).ok().map(Self)
    }

    /// Parses a time of RFC 3339, such as `2026-11-21T22:46:56Z` or `2026-11-21T23:46:56.5+01:00`, to the second: a
    /// fraction is dropped. `None` for anything else.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let date = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        Some(Self(date.unix_timestamp().saturating_mul(1000)))
    }

    fn parse(text: &str, form: &[BorrowedFormatItem<'_>]) -> Option<Self> {
        // The parser accepts a sign before the year, which the format does not have.
        let unsigned = Some(text).filter(|text| text.starts_with(|first: char| first.is_ascii_digit()))?;
        let date = time::PrimitiveDateTime::parse(unsigned, form).ok()?;
        Some(Self(date.assume_utc().unix_timestamp().saturating_mul(1000)))
    }

    fn format(self, form: &[BorrowedFormatItem<'_>]) -> String {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|date| date.format(form).ok())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_formats_match_contract() {
        let moment = Timestamp::from_unix_millis(1_730_874_600_778);
        assert_eq!(moment.to_iso_millis(), "2024-11-06T06:30:00.778Z");
        assert_eq!(moment.to_iso_seconds(), "2024-11-06T06:30:00Z");
        assert_eq!(
            Timestamp::parse_iso_seconds("2024-11-06T06:30:00Z").map(Timestamp::unix_seconds),
            Some(1_730_874_600)
        );
        assert_eq!(Timestamp::parse_iso_seconds("yesterday"), None);
        let basic = Timestamp::parse_iso_basic("20241106T063000Z").unwrap();
        assert_eq!(
            (basic.unix_seconds(), basic.to_iso_basic().as_str()),
            (1_730_874_600, "20241106T063000Z")
        );
        for bad in ["2024-11-06T06:30:00Z", "20241106T063000", "20241306T063000Z", "20241106T063000Z ", ""] {
            assert_eq!(Timestamp::parse_iso_basic(bad), None, "{bad}");
        }
        for sign in ["+", "-", " "] {
            assert_eq!(Timestamp::parse_iso_basic(&format!("{sign}20241106T063000Z")), None);
            assert_eq!(Timestamp::parse_iso_seconds(&format!("{sign}2024-11-06T06:30:00Z")), None);
        }
    }

    #[test]
    fn rfc_3339_needs_an_offset_and_loses_its_fraction() {
        for text in ["2024-11-06T06:30:00Z", "2024-11-06T06:30:00.999Z", "2024-11-06T08:30:00+02:00"] {
            let parsed = Timestamp::parse_rfc3339(text).map(Timestamp::unix_millis);
            assert_eq!(parsed, Some(1_730_874_600_000), "{text}");
        }
        for text in [
            "2024-11-06T06:30:00",
            "2024-11-06",
            "2024-11-06T06:30Z",
            "1730874600",
            "+2024-11-06T06:30:00Z",
            "",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn other_iso_8601_formats_are_parsed() {
        let millis = |text| Timestamp::parse_iso(text).map(Timestamp::unix_millis);
        for text in ["2024-11-06T06:30:00.778Z", "2024-11-06T06:30:00.778", "2024-11-06T08:30:00.778+02:00"] {
            assert_eq!(millis(text), Some(1_730_874_600_778), "{text}");
        }
        assert_eq!(millis("1960-01-01T00:00:00.5Z"), Some(-315_619_199_500));
        for text in ["", "Z", "2024-13-06T06:30:00Z", "2024-11-06T06:30:00ZZ"] {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}
