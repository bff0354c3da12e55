//! Parses patterns from JSON.

use serde_json::{Map, Number, Value};

use super::condition::{ANYTHING_BUT, Comparison, Condition, EXISTS, NUMERIC, Scalar};
use super::error::PatternError;
use super::field::{Field, Kind, PROPERTIES};
use super::term::{OR, Term};
use super::text_test::{Affix, EQUALS_IGNORE_CASE, PREFIX, SUFFIX, TextTest, WILDCARD, Wildcard};

/// The maximum size of a pattern as compact JSON, in bytes.
pub const MAX_PATTERN_BYTES: usize = 2_048;

/// The maximum depth of objects in a pattern: `properties` and `$or` have objects inside.
pub(super) const MAX_DEPTH: usize = 5;

/// EventBridge's range of numbers, in which every number with six decimals is exact enough.
const MAX_NUMBER: f64 = 5.0e9;

type Parsed<T> = Result<T, PatternError>;

fn expected<T>(path: &str, what: impl Into<String>) -> Parsed<T> {
    Err(PatternError::new(path, what))
}

/// Where an object of a pattern is.
#[derive(Clone, Copy)]
enum Place {
    /// Its members are fields of the image.
    Image,
    /// Its members are properties.
    Properties,
}

pub(super) fn parse(json: &Value) -> Parsed<Vec<Term>> {
    if json.to_string().len() > MAX_PATTERN_BYTES {
        return expected("", format!("at most {MAX_PATTERN_BYTES} bytes of JSON"));
    }
    parse_terms(json, "", Place::Image, 1)
}

/// Parses an object at a path, which is at that depth.
fn parse_terms(json: &Value, path: &str, place: Place, depth: usize) -> Parsed<Vec<Term>> {
    if depth > MAX_DEPTH {
        return expected(path, format!("at most {MAX_DEPTH} objects inside each other"));
    }
    let Some(members) = json.as_object().filter(|members| !members.is_empty()) else {
        let example =
            r#"an object with at least one field; to match every image, write {"id": [{"exists": true}]}"#;
        return expected(path, example);
    };
    let parse_term = |(name, value): (&String, &Value)| {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (place, name.as_str()) {
            (_, OR) => parse_alternatives(value, &path, place, depth + 1).map(Term::Or),
            (Place::Image, PROPERTIES) => {
                parse_terms(value, &path, Place::Properties, depth + 1).map(Term::Properties)
            }
            (Place::Image, name) => match Field::from_name(name) {
                Some(field) => parse_field(field, value, &path),
                None => expected(&path, format!("only {}, {PROPERTIES} or {OR}", Field::NAMES.join(", "))),
            },
            (Place::Properties, name) => parse_field(Field::Property(name.to_owned()), value, &path),
        }
    };
    members.iter().map(parse_term).collect()
}

fn parse_alternatives(json: &Value, path: &str, place: Place, depth: usize) -> Parsed<Vec<Vec<Term>>> {
    let Some(alternatives) = json.as_array().filter(|alternatives| alternatives.len() >= 2) else {
        return expected(path, "an array of at least two objects");
    };
    let parse = |(index, json)| parse_terms(json, &format!("{path}[{index}]"), place, depth);
    alternatives.iter().enumerate().map(parse).collect()
}

fn parse_field(field: Field, json: &Value, path: &str) -> Parsed<Term> {
    let Some(conditions) = json.as_array().filter(|conditions| !conditions.is_empty()) else {
        return expected(path, r#"an array of at least one value or condition, such as [{"prefix": "a"}]"#);
    };
    let kind = field.kind();
    let parse = |(index, json)| parse_condition(json, &format!("{path}[{index}]"), kind);
    Ok(Term::Field(field, conditions.iter().enumerate().map(parse).collect::<Parsed<_>>()?))
}

fn parse_condition(json: &Value, path: &str, kind: Kind) -> Parsed<Condition> {
    let Value::Object(members) = json else {
        return parse_scalar(json, path, kind).map(Condition::Equals);
    };
    let Some((name, value)) = only_member(members) else {
        return expected(path, format!("an object with one of {}", condition_names(kind)));
    };
    let path = format!("{path}.{name}");
    match (kind, name) {
        (_, EXISTS) => match value {
            Value::Bool(exists) => Ok(Condition::Exists(*exists)),
            _ => expected(&path, "true or false"),
        },
        (Kind::Number | Kind::Property, NUMERIC) => parse_numeric(value, &path),
        (Kind::Text | Kind::Number | Kind::Property, ANYTHING_BUT) => parse_anything_but(value, &path, kind),
        (Kind::Text | Kind::Property, _) => match parse_text_test(name, value, &path) {
            Some(test) => test.map(Condition::Text),
            None => expected(&path, format!("only {}", condition_names(kind))),
        },
        _ => expected(&path, format!("only {}", condition_names(kind))),
    }
}

/// The conditions that a field of that kind can satisfy.
fn condition_names(kind: Kind) -> String {
    let text = format!("{PREFIX}, {SUFFIX}, {WILDCARD}, {EQUALS_IGNORE_CASE}, {ANYTHING_BUT}");
    match kind {
        Kind::Text => format!("{text} or {EXISTS}"),
        Kind::Property => format!("{text}, {NUMERIC} or {EXISTS}"),
        Kind::Number => format!("{NUMERIC}, {ANYTHING_BUT} or {EXISTS}"),
        Kind::Flag => EXISTS.to_owned(),
    }
}

fn only_member(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut members = members.iter();
    let (name, value) = members.next()?;
    members.next().is_none().then_some((name.as_str(), value))
}

/// Parses a value that a field of that kind can have.
fn parse_scalar(json: &Value, path: &str, kind: Kind) -> Parsed<Scalar> {
    match (kind, json) {
        (Kind::Text | Kind::Property, Value::String(text)) => Ok(Scalar::Text(text.clone())),
        (Kind::Number | Kind::Property, Value::Number(number)) => {
            check_range(number, path).map(|number| Scalar::Number(number.clone()))
        }
        (Kind::Flag, Value::Bool(flag)) => Ok(Scalar::Flag(*flag)),
        (_, Value::Null) => {
            expected(path, r#"a value or an object; for a field without a value, write {"exists": false}"#)
        }
        (Kind::Text, _) => expected(path, "a text or an object, as the field is a text"),
        (Kind::Number, _) => expected(path, "a number or an object, as the field is a number"),
        (Kind::Flag, _) => expected(path, "true or false, or an object"),
        (Kind::Property, _) => {
            expected(path, r#"a text, a number or an object; properties are texts, such as "true""#)
        }
    }
}

fn check_range<'a>(number: &'a Number, path: &str) -> Parsed<&'a Number> {
    match number.as_f64() {
        Some(value) if value.abs() <= MAX_NUMBER => Ok(number),
        _ => expected(path, "a number from -5000000000 to 5000000000"),
    }
}

/// Parses a condition on a text; `None` if none has that name.
fn parse_text_test(name: &str, value: &Value, path: &str) -> Option<Parsed<TextTest>> {
    Some(match name {
        PREFIX => parse_affix(value, path).map(TextTest::Prefix),
        SUFFIX => parse_affix(value, path).map(TextTest::Suffix),
        EQUALS_IGNORE_CASE => parse_text(value, path).map(|text| TextTest::EqualsIgnoreCase(text.to_owned())),
        WILDCARD => match value.as_str().and_then(Wildcard::parse) {
            Some(wildcard) => Ok(TextTest::Wildcard(wildcard)),
            None => expected(path, Wildcard::EXPECTED),
        },
        _ => return None,
    })
}

fn parse_text<'a>(value: &'a Value, path: &str) -> Parsed<&'a str> {
    match value.as_str() {
        Some(text) => Ok(text),
        None => expected(path, "a text"),
    }
}

fn parse_affix(value: &Value, path: &str) -> Parsed<Affix> {
    let (text, ignores_case) = match value {
        Value::Object(members) => match only_member(members) {
            Some((EQUALS_IGNORE_CASE, Value::String(text))) => (text, true),
            _ => return expected(path, format!("a text, or an object with {EQUALS_IGNORE_CASE} and a text")),
        },
        Value::String(text) => (text, false),
        _ => return expected(path, format!("a text, or an object with {EQUALS_IGNORE_CASE} and a text")),
    };
    if text.is_empty() {
        return expected(path, "a text that is not empty");
    }
    Ok(Affix { text: text.clone(), ignores_case })
}

fn parse_numeric(value: &Value, path: &str) -> Parsed<Condition> {
    const EXPECTED: &str =
        r#"one of =, <, <=, >, >= and a number, or a lower and an upper bound: ["=", 5], [">", 0, "<=", 5]"#;
    let elements = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let comparison = |sign: &Value| sign.as_str().and_then(Comparison::from_str);
    match elements {
        [sign, Value::Number(bound)] => match comparison(sign) {
            Some(comparison) => Ok(Condition::Numeric(vec![(comparison, check_range(bound, path)?.clone())])),
            None => expected(path, EXPECTED),
        },
        [lower, Value::Number(low), upper, Value::Number(high)] => {
            let (low, high) = (check_range(low, path)?, check_range(high, path)?);
            match (comparison(lower), comparison(upper)) {
                (Some(lower), Some(upper)) if lower.is_lower_bound() && upper.is_upper_bound() => {
                    if low.as_f64() >= high.as_f64() {
                        return expected(path, "a lower bound below the upper one");
                    }
                    Ok(Condition::Numeric(vec![(lower, low.clone()), (upper, high.clone())]))
                }
                _ => expected(path, EXPECTED),
            }
        }
        _ => expected(path, EXPECTED),
    }
}

fn parse_anything_but(value: &Value, path: &str, kind: Kind) -> Parsed<Condition> {
    if let Value::Object(members) = value {
        let names = [PREFIX, SUFFIX, EQUALS_IGNORE_CASE, WILDCARD];
        let Some((name, value)) =
            only_member(members).filter(|(name, _)| names.contains(name) && kind != Kind::Number)
        else {
            return expected(
                path,
                format!("a value, an array of values, or an object with one of {}", names.join(", ")),
            );
        };
        let path = format!("{path}.{name}");
        let parse = |value: &Value, path: &str| match parse_text_test(name, value, path) {
            Some(Ok(TextTest::Prefix(affix) | TextTest::Suffix(affix))) if affix.ignores_case => {
                expected(path, "a text, or an array of texts")
            }
            Some(test) => test,
            None => expected(path, "a text, or an array of texts"),
        };
        return one_or_many(value, &path, parse).map(Condition::NoText);
    }
    let scalars = one_or_many(value, path, |value, path| parse_scalar(value, path, kind))?;
    let are_texts = |scalar: &Scalar| matches!(scalar, Scalar::Text(_));
    if scalars.iter().any(are_texts) && !scalars.iter().all(are_texts) {
        return expected(path, "texts only, or numbers only");
    }
    Ok(Condition::NoneOf(scalars))
}

/// Parses one value, or an array of at least one.
fn one_or_many<T>(value: &Value, path: &str, parse: impl Fn(&Value, &str) -> Parsed<T>) -> Parsed<Vec<T>> {
    match value {
        Value::Array(values) if values.is_empty() => expected(path, "at least one value"),
        Value::Array(values) => {
            let parse = |(index, value)| parse(value, &format!("{path}[{index}]"));
            values.iter().enumerate().map(parse).collect()
        }
        one => Ok(vec![parse(one, path)?]),
    }
}
