//! The ISO 8601 formats that Glance accepts in a filter: those of the Python package iso8601 2.1.0, which oslo.utils
//! uses.

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

/// Parses `2024`, `2024-11`, `2024-11-06`, `20241106`, and a full date with a space or a `T` and a time of day: `06`,
/// `06:30`, `0630`, `06:30:00`, `06:30:00.5` or `06:30:00,5`, and then `Z`, `+01`, `+0100` or `+01:00`. `None` for
/// anything else.
pub(super) fn parse(text: &str) -> Option<OffsetDateTime> {
    let mut rest = text;
    let date = parse_date(&mut rest)?;
    let (time, offset) = if rest.is_empty() {
        (Time::MIDNIGHT, UtcOffset::UTC)
    } else {
        rest = rest.strip_prefix(['T', ' ']).filter(|_| is_full_date(text, rest))?;
        (parse_time(&mut rest)?, parse_offset(rest)?)
    };
    Some(PrimitiveDateTime::new(date, time).assume_offset(offset))
}

/// Whether the text before `rest` includes a day.
fn is_full_date(text: &str, rest: &str) -> bool {
    let date = text.strip_suffix(rest).unwrap_or_default();
    date.matches('-').count() == 2 || (date.len() == 8 && !date.contains('-'))
}

fn parse_date(rest: &mut &str) -> Option<Date> {
    let year = take_digits(rest, 4..=4)?;
    let (mut month, mut day) = (1, 1);
    if take_prefix(rest, "-") {
        month = take_digits(rest, 1..=2)?;
        if take_prefix(rest, "-") {
            day = take_digits(rest, 1..=2)?;
        }
    } else if !rest.is_empty() {
        // Without dashes, a month is followed by a day.
        (month, day) = (take_digits(rest, 2..=2)?, take_digits(rest, 2..=2)?);
    }
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()
}

fn parse_time(rest: &mut &str) -> Option<Time> {
    let hour = take_digits(rest, 2..=2)?;
    let (mut minute, mut second, mut nanosecond) = (0, 0, 0);
    if let Some(found) = two_digits(rest) {
        minute = found;
        if let Some(found) = two_digits(rest) {
            second = found;
            if take_prefix(rest, ".") || take_prefix(rest, ",") {
                nanosecond = parse_fraction(rest)?;
            }
        }
    }
    let (hour, minute, second) = (hour.try_into().ok()?, minute.try_into().ok()?, second.try_into().ok()?);
    Time::from_hms_nano(hour, minute, second, nanosecond).ok()
}

/// The next two digits of a time of day, with or without a colon.
fn two_digits(rest: &mut &str) -> Option<u32> {
    let mut after = rest.strip_prefix(':').unwrap_or(rest);
    let found = take_digits(&mut after, 2..=2)?;
    *rest = after;
    Some(found)
}

/// Digits of a fraction, in nanoseconds; those after the ninth are ignored.
fn parse_fraction(rest: &mut &str) -> Option<u32> {
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, after) = rest.split_at_checked(length)?;
    *rest = after;
    let nine: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    nine.parse().ok().filter(|_| !fraction.is_empty())
}

fn parse_offset(mut rest: &str) -> Option<UtcOffset> {
    if matches!(rest, "" | "Z") {
        return Some(UtcOffset::UTC);
    }
    let sign = if take_prefix(&mut rest, "-") { -1 } else { i8::from(take_prefix(&mut rest, "+")) };
    let hours = i8::try_from(take_digits(&mut rest, 2..=2)?).ok()?;
    take_prefix(&mut rest, ":");
    let minutes = if rest.is_empty() { 0 } else { i8::try_from(take_digits(&mut rest, 2..=2)?).ok()? };
    let offset = UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok();
    offset.filter(|_| sign != 0 && rest.is_empty() && minutes < 60)
}

/// Removes a prefix, and returns whether it was there.
fn take_prefix(rest: &mut &str, prefix: &str) -> bool {
    let after = rest.strip_prefix(prefix);
    *rest = after.unwrap_or(rest);
    after.is_some()
}

/// Removes the leading digits, at most as many as the range allows; `None` if there are fewer than it demands.
fn take_digits(rest: &mut &str, count: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let found = rest.bytes().take(*count.end()).take_while(u8::is_ascii_digit).count();
    let (number, after) = rest.split_at_checked(found).filter(|_| count.contains(&found))?;
    *rest = after;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn glance_time_formats_are_parsed() {
        for (text, expected) in [
            ("2024", datetime!(2024-01-01 00:00 UTC)),
            ("2024-11", datetime!(2024-11-01 00:00 UTC)),
            ("2024-11-06", datetime!(2024-11-06 00:00 UTC)),
            ("2024-1-6", datetime!(2024-01-06 00:00 UTC)),
            ("20241106", datetime!(2024-11-06 00:00 UTC)),
            ("2024-11-06T06", datetime!(2024-11-06 06:00 UTC)),
            ("2024-11-06 06:30", datetime!(2024-11-06 06:30 UTC)),
            ("2024-11-06T06:30Z", datetime!(2024-11-06 06:30 UTC)),
            ("20241106T063000Z", datetime!(2024-11-06 06:30 UTC)),
            ("2024-11-06T06:30:00.778Z", datetime!(2024-11-06 06:30:00.778 UTC)),
            ("2024-11-06T06:30:00,5", datetime!(2024-11-06 06:30:00.5 UTC)),
            ("2024-11-06T08:30:00+02", datetime!(2024-11-06 06:30 UTC)),
            ("2024-11-06T08:30:00+0200", datetime!(2024-11-06 06:30 UTC)),
            ("2024-11-06T05:00:00-01:30", datetime!(2024-11-06 06:30 UTC)),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn invalid_time_is_rejected() {
        for text in [
            "",
            "24",
            "202411",
            "2024-",
            "2024-11-",
            "2024-13-06",
            "2024-11-31",
            "2024T06",
            "2024-11T06",
            "2024-11-06T",
            "2024-11-06T6",
            "2024-11-06T06:",
            "2024-11-06T25:00",
            "2024-11-06T06:30:00.",
            "2024-11-06T06:30:00+1",
            "2024-11-06T06:30:00+01:60",
            "2024-11-06T06:30:0001",
            "2024-11-06t06:30",
            " 2024",
            "2024-11-06T06:30:00Zé",
            "+2024-11-06",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn parsing_any_text_as_time_never_panics(text in "[0-9TZ :.,+é-]{0,30}") {
            let _ = parse(&text);
        }
    }
}
