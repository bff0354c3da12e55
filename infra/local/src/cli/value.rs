//! Parsers for the values of flags, with the errors that users read.

use std::time::Duration;

use imageshare::domain::Role;

pub(super) fn region(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("expected 1 to 64 characters of A-Z a-z 0-9 _ . -".to_owned())
    }
}

pub(super) fn role(text: &str) -> Result<Role, String> {
    Role::from_name(text).ok_or_else(|| "expected reader, member or admin".to_owned())
}

/// Parses a lifetime of at most ten years; the limit keeps the number of seconds from overflowing.
pub(super) fn lifetime(text: &str) -> Result<Duration, String> {
    const MAX_SECONDS: u64 = 3650 * 86_400;
    let expected = || "expected a number and a unit: 30s, 15m, 12h or 7d, at most 3650d".to_owned();
    let seconds_per = match text.chars().next_back() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => return Err(expected()),
    };
    let digits = text.get(..text.len() - 1).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let number: u64 = digits.and_then(|digits| digits.parse().ok()).ok_or_else(expected)?;
    match number.checked_mul(seconds_per) {
        Some(seconds @ 1..=MAX_SECONDS) => Ok(Duration::from_secs(seconds)),
        _ => Err(expected()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetime_is_a_number_with_a_unit() {
        for (text, seconds) in [("30s", 30), ("15m", 900), ("12h", 43_200), ("7d", 604_800)] {
            assert_eq!(lifetime(text), Ok(Duration::from_secs(seconds)));
        }
        for bad in
            ["", "12", "h", "-1h", "+1h", "1w", "0s", "99999999999999999999d", "4000d", "1.5h", "1é", "é"]
        {
            assert!(lifetime(bad).is_err(), "{bad}");
        }
    }
}
