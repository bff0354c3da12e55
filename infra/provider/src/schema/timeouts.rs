//! The attribute `timeouts`, as every provider has it.

use std::time::Duration;

use super::{Attribute, Nesting, Shape, duration};

/// The name of the attribute.
pub const TIMEOUTS: &str = "timeouts";

/// An operation whose time can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Creating a resource.
    Create,
    /// Reading a resource or a data source.
    Read,
    /// Updating a resource.
    Update,
    /// Deleting a resource.
    Delete,
}

impl Operation {
    /// Its name in the attribute.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Create => "How long creating it may take, for instance `10m`.",
            Self::Read => "How long reading it may take, for instance `10m`.",
            Self::Update => "How long updating it may take, for instance `10m`.",
            Self::Delete => "How long deleting it may take, for instance `10m`.",
        }
    }
}

/// The attribute for these operations.
pub(super) fn attribute(operations: &[Operation]) -> Attribute {
    let limits = operations
        .iter()
        .map(|operation| Attribute::string(operation.name(), operation.description()).check(duration()));
    let shape = Shape::Nested(Nesting::Single, limits.collect());
    Attribute::new(TIMEOUTS, shape, "How long operations may take.").local()
}

/// Reads a duration as Go writes them: numbers with the units `h`, `m`, `s` and `ms`, the larger first. `None` if it is none, or is
/// zero.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut smaller_than = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let (number, unit) = rest.split_at_checked(digits)?;
        let (milliseconds, length) = match unit.as_bytes() {
            [b'h', ..] => (3_600_000, 1),
            [b'm', b's', ..] => (1, 2),
            [b'm', ..] => (60_000, 1),
            [b's', ..] => (1_000, 1),
            _ => return None,
        };
        if milliseconds >= smaller_than {
            return None;
        }
        smaller_than = milliseconds;
        let part = number.parse::<u64>().ok()?.checked_mul(milliseconds)?;
        total = total.checked_add(Duration::from_millis(part))?;
        rest = unit.get(length..)?;
    }
    (!total.is_zero()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, seconds) in
            [("90s", 90.0), ("10m", 600.0), ("1h30m", 5400.0), ("1m5s", 65.0), ("250ms", 0.25)]
        {
            assert_eq!(parse_duration(text).map(|time| time.as_secs_f64()), Some(seconds), "{text}");
        }
        for text in ["", "10", "m", "5 m", "-5m", "5m5m", "5s1m", "0s", "99999999999999999999h", "1d", "ä"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
