//! A filter by time, as in the lists of IMS and Glance: `gt:2026-11-21T22:46:56Z`. It compares whole seconds, as
//! times are shown.

use crate::domain::Timestamp;

/// The format of a filter, for error messages.
pub(crate) const EXPECTED_FORMAT: &str =
    "gt, gte, lt, lte, eq or neq, a colon, and a time as 2026-11-21T22:46:56Z";

/// A comparison with a time, in whole seconds.
#[derive(Debug)]
pub(crate) struct TimeFilter {
    compare: fn(&i64, &i64) -> bool,
    seconds: i64,
}

impl TimeFilter {
    /// Parses an operator, a colon, and a time with `time`.
    pub(crate) fn parse(text: &str, time: fn(&str) -> Option<Timestamp>) -> Option<Self> {
        let (operator, text) = text.split_once(':')?;
        let compare = match operator {
            "gt" => i64::gt,
            "gte" => i64::ge,
            "lt" => i64::lt,
            "lte" => i64::le,
            "eq" => i64::eq,
            "neq" => i64::ne,
            _ => return None,
        };
        Some(Self { compare, seconds: time(text)?.unix_seconds() })
    }

    /// Creates a filter that matches the times in the same second as `moment`.
    pub(crate) fn same_second(moment: Timestamp) -> Self {
        Self { compare: i64::eq, seconds: moment.unix_seconds() }
    }

    /// Whether a time matches the filter.
    pub(crate) fn matches(&self, moment: Timestamp) -> bool {
        (self.compare)(&moment.unix_seconds(), &self.seconds)
    }
}
