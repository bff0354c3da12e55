//! Numbers of any size and precision. Terraform computes with 512 bits; a state may have any decimal number.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// The longest number that is written without an exponent.
const MAX_PLAIN_DIGITS: i64 = 400;

/// A decimal number: ± 0.DIGITS × 10^exponent, with no zero at either end of the digits. There is one form of each number.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Number {
    negative: bool,
    digits: String,
    exponent: i64,
}

/// A text is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number")]
pub struct NotANumber;

impl Number {
    /// The exact value of a float; `None` if it is infinite or not a number.
    pub fn from_f64(float: f64) -> Option<Self> {
        // A float ends at most 1,074 places behind the point.
        if float.is_finite() { format!("{float:.1074}").parse().ok() } else { None }
    }

    /// The whole number, if it is one in range.
    pub fn as_i64(&self) -> Option<i64> {
        self.plain_integer()?.parse().ok()
    }

    /// The whole number, if it is one in range.
    pub fn as_u64(&self) -> Option<u64> {
        self.plain_integer()?.parse().ok()
    }

    /// Its text, if that of a 64-bit integer may be so long.
    fn plain_integer(&self) -> Option<String> {
        let length = i64::try_from(self.digits.len()).ok()?;
        (length <= self.exponent.max(0) && self.exponent <= 20).then(|| self.to_string())
    }

    /// Its size without the sign, which the form makes comparable.
    fn magnitude(&self) -> (bool, i64, &str) {
        (!self.digits.is_empty(), self.exponent, &self.digits)
    }
}

impl FromStr for Number {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, NotANumber> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().map_err(|_| NotANumber)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [whole, fraction].concat();
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotANumber);
        }
        let significant = all.trim_start_matches('0');
        let digits = significant.trim_end_matches('0');
        if digits.is_empty() {
            return Ok(Self::default());
        }
        let leading_zeros = all.len() - significant.len();
        let shift = i64::try_from(whole.len()).ok().zip(i64::try_from(leading_zeros).ok());
        let exponent =
            shift.and_then(|(whole, zeros)| exponent.checked_add(whole - zeros)).ok_or(NotANumber)?;
        Ok(Self { negative, digits: digits.to_owned(), exponent })
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        if self.negative {
            f.write_str("-")?;
        }
        let split = usize::try_from(self.exponent).unwrap_or(0);
        if self.exponent.abs() > MAX_PLAIN_DIGITS {
            write!(f, "0.{}e{}", self.digits, self.exponent)
        } else if self.exponent <= 0 {
            let zeros = usize::try_from(-self.exponent).unwrap_or(0);
            write!(f, "0.{:0<zeros$}{}", "", self.digits)
        } else if let Some((whole, fraction)) =
            self.digits.split_at_checked(split).filter(|(_, f)| !f.is_empty())
        {
            write!(f, "{whole}.{fraction}")
        } else {
            write!(f, "{:0<split$}", self.digits)
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.magnitude().cmp(&other.magnitude()),
            (true, true) => other.magnitude().cmp(&self.magnitude()),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

macro_rules! from_integer {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Number {
            fn from(integer: $integer) -> Self {
                // The text of an integer is a number.
                integer.to_string().parse().unwrap_or_default()
            }
        }
    )*};
}
from_integer!(i32, u32, i64, u64, usize);

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        text.parse().unwrap()
    }

    #[test]
    fn number_has_one_form() {
        for (text, form) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("+007", "7"),
            ("1200", "1200"),
            ("12e2", "1200"),
            ("0.0120", "0.012"),
            ("1.5", "1.5"),
            ("-12.50", "-12.5"),
            ("9007199254740993", "9007199254740993"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1e-500", "0.1e-499"),
            ("1e1000", "0.1e1001"),
        ] {
            assert_eq!(number(text).to_string(), form, "{text}");
            assert_eq!(number(form), number(text));
        }
        for text in [
            "",
            ".",
            "-",
            "1e",
            "1e99999999999999999999",
            "0x1",
            "1 ",
            "Inf",
            "NaN",
            "1.2.3",
            "9e9223372036854775807",
        ] {
            assert_eq!(text.parse::<Number>(), Err(NotANumber), "{text}");
        }
    }

    #[test]
    fn float_is_read_exactly() {
        assert_eq!(Number::from_f64(0.5), Some(number("0.5")));
        assert_eq!(Number::from_f64(-2f64.powi(70)), Some(number("-1180591620717411303424")));
        assert_eq!(
            Number::from_f64(0.1),
            Some(number("0.1000000000000000055511151231257827021181583404541015625"))
        );
        assert_eq!(Number::from_f64(f64::INFINITY), None);
        let smallest = Number::from_f64(f64::from_bits(1)).unwrap();
        assert_eq!(smallest.to_string().parse::<f64>().unwrap().to_bits(), 1);
    }

    #[test]
    fn integers_are_checked_for_range() {
        assert_eq!(number("9223372036854775807").as_i64(), Some(i64::MAX));
        assert_eq!(number("9223372036854775808").as_i64(), None);
        assert_eq!(number("18446744073709551615").as_u64(), Some(u64::MAX));
        assert_eq!(number("-9223372036854775808").as_i64(), Some(i64::MIN));
        assert_eq!(number("0").as_i64(), Some(0));
        assert_eq!(number("1.5").as_i64(), None);
        assert_eq!(number("1e1000000").as_i64(), None);
    }

    #[test]
    fn numbers_are_ordered_by_value() {
        let texts = ["-1e3", "-2", "-0.5", "0", "1e-9", "0.5", "2", "10", "1e3"];
        for (position, lower) in texts.iter().enumerate() {
            for higher in &texts[position + 1..] {
                assert!(number(lower) < number(higher), "{lower} {higher}");
            }
        }
    }
}
