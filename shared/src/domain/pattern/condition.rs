//! The conditions on a field.

use serde_json::{Number, Value, json};

use super::field::FieldValue;
use super::text_test::TextTest;

/// A condition on the values of a field. It holds if it holds for one of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    /// The value is this.
    Equals(Scalar),
    /// The value is a text for which this holds.
    Text(TextTest),
    /// The value is a number for which all of these hold: one comparison, or a lower and an upper bound.
    Numeric(Vec<(Comparison, Number)>),
    /// The field has a value, or has none.
    Exists(bool),
    /// The value is none of these.
    NoneOf(Vec<Scalar>),
    /// The value is a text for which none of these holds. All are of one name.
    NoText(Vec<TextTest>),
}

/// The names of conditions in JSON.
pub(super) const NUMERIC: &str = "numeric";
pub(super) const EXISTS: &str = "exists";
pub(super) const ANYTHING_BUT: &str = "anything-but";

/// A value in a pattern.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Text(String),
    Number(Number),
    Flag(bool),
}

/// How a number is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Condition {
    /// Whether it holds for one of the values of a field; none if the field is absent.
    pub(super) fn matches(&self, values: &[FieldValue<'_>]) -> bool {
        match self {
            Self::Equals(scalar) => values.iter().any(|value| scalar.is(value)),
            Self::Text(test) => texts(values).any(|text| test.matches(text)),
            Self::Numeric(comparisons) => {
                let holds =
                    |value: f64| comparisons.iter().all(|(comparison, bound)| comparison.holds(value, bound));
                values.iter().filter_map(FieldValue::as_number).any(holds)
            }
            Self::Exists(exists) => *exists != values.is_empty(),
            Self::NoneOf(scalars) => {
                values.iter().any(|value| !scalars.iter().any(|scalar| scalar.is(value)))
            }
            Self::NoText(tests) => texts(values).any(|text| !tests.iter().any(|test| test.matches(text))),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Equals(scalar) => scalar.to_json(),
            Self::Text(test) => json!({ test.name(): test.value_json() }),
            Self::Numeric(comparisons) => {
                let pair =
                    |(comparison, bound): &(Comparison, Number)| [json!(comparison.as_str()), json!(bound)];
                json!({ NUMERIC: comparisons.iter().flat_map(pair).collect::<Vec<_>>() })
            }
            Self::Exists(exists) => json!({ EXISTS: exists }),
            Self::NoneOf(scalars) => {
                json!({ ANYTHING_BUT: one_or_list(scalars.iter().map(Scalar::to_json)) })
            }
            Self::NoText(tests) => {
                let name = tests.first().map_or("", TextTest::name);
                json!({ ANYTHING_BUT: { name: one_or_list(tests.iter().map(TextTest::value_json)) } })
            }
        }
    }
}

fn texts<'a>(values: &'a [FieldValue<'_>]) -> impl Iterator<Item = &'a str> {
    values.iter().filter_map(FieldValue::as_text)
}

fn one_or_list(values: impl Iterator<Item = Value>) -> Value {
    let mut values: Vec<_> = values.collect();
    match values.pop() {
        Some(only) if values.is_empty() => only,
        last => values.into_iter().chain(last).collect(),
    }
}

impl Scalar {
    fn is(&self, value: &FieldValue<'_>) -> bool {
        match (self, value) {
            (Self::Text(one), FieldValue::Text(other)) => one == other,
            (Self::Flag(one), FieldValue::Flag(other)) => one == other,
            (Self::Number(number), value) => {
                value.as_number().is_some_and(|value| Comparison::Equal.holds(value, number))
            }
            _ => false,
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Number(number) => json!(number),
            Self::Flag(flag) => json!(flag),
        }
    }
}

impl Comparison {
    const SIGNS: [(Self, &'static str); 5] = [
        (Self::Equal, "="),
        (Self::Less, "<"),
        (Self::LessOrEqual, "<="),
        (Self::Greater, ">"),
        (Self::GreaterOrEqual, ">="),
    ];

    pub(super) fn from_str(text: &str) -> Option<Self> {
        Self::SIGNS.iter().find(|(_, sign)| *sign == text).map(|(comparison, _)| *comparison)
    }

    fn as_str(self) -> &'static str {
        Self::SIGNS.iter().find(|(comparison, _)| *comparison == self).map_or("=", |(_, sign)| sign)
    }

    pub(super) fn is_lower_bound(self) -> bool {
        matches!(self, Self::Greater | Self::GreaterOrEqual)
    }

    pub(super) fn is_upper_bound(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual)
    }

    #[expect(
        clippy::float_cmp,
        reason = "both come from short decimals, whose nearest numbers are equal if they are"
    )]
    fn holds(self, value: f64, bound: &Number) -> bool {
        let Some(bound) = bound.as_f64() else { return false };
        match self {
            Self::Equal => value == bound,
            Self::Less => value < bound,
            Self::LessOrEqual => value <= bound,
            Self::Greater => value > bound,
            Self::GreaterOrEqual => value >= bound,
        }
    }
}
