//! A filter by a time, as the lists of IMS and of Glance have it: `gt:2026-11-21T22:46:56Z`. It compares to the second, as
//! times are shown.

use crate::domain::Timestamp;

/// What is said of a value that is no such filter.
pub(crate) const EXPECTED_FORMAT: &str =
    "gt, gte, lt, lte, eq or neq, a colon, and a time as 2026-11-21T22:46:56Z";

/// The filter.
#[derive(Debug)]
pub(crate) struct TimeFilter {
    compare: fn(&i64, &i64) -> bool,
    seconds: i64,
}

impl TimeFilter {
    /// Reads an operator, a colon and a time, which `time` reads.
    pub(crate) fn parse(text: &str, time: fn(&str) -> Option<Timestamp>) -> Option<Self> {
        let (operator, text) = text.split_once(':')?;
        let holds = match operator {
            "gt" => i64::gt,
            "gte" => i64::ge,
            "lt" => i64::lt,
            "lte" => i64::le,
            "eq" => i64::eq,
            "neq" => i64::ne,
            _ => return None,
        };
        Some(Self { compare: holds, seconds: time(text)?.unix_seconds() })
    }

    /// The filter that a moment passes in whose second `moment` is.
    pub(crate) fn same_second(moment: Timestamp) -> Self {
        Self { compare: i64::eq, seconds: moment.unix_seconds() }
    }

    /// Whether a moment passes.
    pub(crate) fn matches(&self, moment: Timestamp) -> bool {
        (self.compare)(&moment.unix_seconds(), &self.seconds)
    }
}
