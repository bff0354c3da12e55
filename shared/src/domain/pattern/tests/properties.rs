//! Properties of all patterns: round trips, and a comparison with a naive matcher.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::Pattern;
use super::{image, matches};
use crate::domain::{Details, Image};

/// Texts over few letters, so that they often match each other.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[abAB*]{0,4}", 1 => "-?[0-4](\\.[05])?"]
}

fn wildcards() -> impl Strategy<Value = String> {
    prop::collection::vec("([ab]|\\\\\\*)", 1..4).prop_map(|parts| parts.join("*"))
}

fn text_conditions() -> impl Strategy<Value = Value> {
    let texts = || texts().prop_filter("not empty", |text| !text.is_empty());
    let but = prop_oneof![
        prop::collection::vec(texts(), 1..3).prop_map(Value::from),
        texts().prop_map(Value::from),
        texts().prop_map(|text| json!({"prefix": text})),
        prop::collection::vec(texts(), 1..3).prop_map(|texts| json!({"suffix": texts})),
        texts().prop_map(|text| json!({"equals-ignore-case": text})),
        wildcards().prop_map(|text| json!({"wildcard": text})),
    ];
    prop_oneof![
        texts().prop_map(Value::from),
        texts().prop_map(|text| json!({"prefix": text})),
        texts().prop_map(|text| json!({"suffix": text})),
        texts().prop_map(|text| json!({"prefix": {"equals-ignore-case": text}})),
        texts().prop_map(|text| json!({"suffix": {"equals-ignore-case": text}})),
        texts().prop_map(|text| json!({"equals-ignore-case": text})),
        wildcards().prop_map(|text| json!({"wildcard": text})),
        any::<bool>().prop_map(|exists| json!({"exists": exists})),
        but.prop_map(|but| json!({"anything-but": but})),
    ]
}

fn number_conditions() -> impl Strategy<Value = Value> {
    let signs = prop::sample::select(vec!["=", "<", "<=", ">", ">="]);
    prop_oneof![
        (0_u8..5).prop_map(Value::from),
        (signs, 0_u8..5).prop_map(|(sign, bound)| json!({"numeric": [sign, bound]})),
        (0_u8..3, 3_u8..5).prop_map(|(low, high)| json!({"numeric": [">", low, "<=", high]})),
        prop::collection::vec(0_u8..5, 1..3).prop_map(|numbers| json!({"anything-but": numbers})),
        any::<bool>().prop_map(|exists| json!({"exists": exists})),
    ]
}

/// Valid patterns.
fn patterns() -> impl Strategy<Value = Value> {
    let list =
        |conditions: BoxedStrategy<Value>| prop::collection::vec(conditions, 1..3).prop_map(Value::from);
    let text_field =
        (prop::sample::select(vec!["name", "tags", "disk_format"]), list(text_conditions().boxed()));
    let number_field = (prop::sample::select(vec!["min_disk", "min_ram"]), list(number_conditions().boxed()));
    let flag_field = ("protected", list(any::<bool>().prop_map(Value::from).boxed()));
    let property = list(prop_oneof![text_conditions(), number_conditions()].boxed());
    let properties =
        ("properties", prop::collection::btree_map("[ab]", property, 1..3).prop_map(|map| json!(map)));
    let owned = |(name, value): (&'static str, Value)| (name.to_owned(), value);
    let member =
        prop_oneof![text_field.prop_map(owned), number_field.prop_map(owned), flag_field, properties];
    let object =
        prop::collection::vec(member, 1..3).prop_map(|members| Value::Object(members.into_iter().collect()));
    object.prop_recursive(2, 6, 2, |inner| {
        (inner.clone(), inner.clone(), inner).prop_map(|(mut base, one, other)| {
            base["$or"] = json!([one, other]);
            base
        })
    })
}

fn images() -> impl Strategy<Value = Image> {
    let texts = || texts().prop_filter("not empty", |text| !text.is_empty());
    let numbers = (0_u32..5, 0_u32..5, any::<bool>());
    let names = (prop::option::of(texts()), prop::option::of(texts()));
    let properties = prop::collection::btree_map("[ab]", self::texts(), 0..3);
    (names, numbers, prop::collection::btree_set(texts(), 0..3), properties).prop_map(
        |((name, disk_format), (min_disk_gib, min_ram_mib, protected), tags, properties)| {
            image(Details {
                name,
                disk_format,
                min_disk_gib,
                min_ram_mib,
                protected,
                tags,
                properties,
                ..Details::default()
            })
        },
    )
}

/// A matcher that reads JSON as the documentation says it, without a thought of time.
mod naive {
    use super::*;

    pub fn matches(pattern: &Value, fields: &Value) -> bool {
        pattern.as_object().unwrap().iter().all(|(name, value)| match name.as_str() {
            "$or" => value.as_array().unwrap().iter().any(|pattern| matches(pattern, fields)),
            "properties" => matches(value, &fields["properties"]),
            _ => {
                let values = match &fields[name] {
                    Value::Null => Vec::new(),
                    Value::Array(values) => values.clone(),
                    one => vec![one.clone()],
                };
                value.as_array().unwrap().iter().any(|condition| holds(condition, &values))
            }
        })
    }

    fn holds(condition: &Value, values: &[Value]) -> bool {
        match condition.get("exists") {
            Some(exists) => exists.as_bool().unwrap() != values.is_empty(),
            None => values.iter().any(|value| holds_for(condition, value)),
        }
    }

    fn number(value: &Value) -> Option<f64> {
        value.as_f64().or_else(|| value.as_str()?.parse().ok())
    }

    fn holds_for(condition: &Value, value: &Value) -> bool {
        let Some((name, operand)) = condition.as_object().and_then(|object| object.iter().next()) else {
            return if condition.is_number() {
                number(value) == condition.as_f64()
            } else {
                value == condition
            };
        };
        if name == "numeric" {
            let Some(value) = number(value) else { return false };
            return operand.as_array().unwrap().chunks(2).all(|pair| {
                let bound = pair[1].as_f64().unwrap();
                match pair[0].as_str().unwrap() {
                    "=" => (value - bound).abs() < 1e-9,
                    "<" => value < bound,
                    "<=" => value <= bound,
                    ">" => value > bound,
                    _ => value >= bound,
                }
            });
        }
        if name == "anything-but" {
            let (name, operand) = match operand.as_object() {
                Some(object) => {
                    let (name, operand) = object.iter().next().unwrap();
                    (Some(name), operand)
                }
                None => (None, operand),
            };
            let operands = operand.as_array().cloned().unwrap_or_else(|| vec![operand.clone()]);
            return !operands.into_iter().any(|operand| match name {
                Some(name) => holds_for(&json!({ name: operand }), value),
                None => holds_for(&operand, value),
            });
        }
        let Some(text) = value.as_str() else { return false };
        let (operand, text) = match operand.get("equals-ignore-case") {
            Some(operand) => (operand.as_str().unwrap().to_lowercase(), text.to_lowercase()),
            None => (operand.as_str().unwrap().to_owned(), text.to_owned()),
        };
        match name.as_str() {
            "prefix" => text.starts_with(&operand),
            "suffix" => text.ends_with(&operand),
            "equals-ignore-case" => text.to_lowercase() == operand.to_lowercase(),
            _ => wildcard(operand.as_bytes(), text.as_bytes()),
        }
    }

    fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', rest @ ..] => (0..=text.len()).any(|skipped| wildcard(rest, &text[skipped..])),
            [b'\\', literal, rest @ ..] | [literal, rest @ ..] => {
                text.first() == Some(literal) && wildcard(rest, &text[1..])
            }
        }
    }
}

proptest! {
    #[test]
    fn matching_agrees_with_a_naive_matcher(pattern in patterns(), image in images()) {
        let fields = json!({
            "name": image.details.name,
            "disk_format": image.details.disk_format,
            "min_disk": image.details.min_disk_gib,
            "min_ram": image.details.min_ram_mib,
            "protected": image.details.protected,
            "tags": image.details.tags,
            "properties": image.details.properties,
        });
        prop_assert_eq!(matches(&pattern, &image), naive::matches(&pattern, &fields), "{}", fields);
    }

    #[test]
    fn printed_pattern_parses_to_the_same(pattern in patterns()) {
        let parsed = Pattern::parse(&pattern).unwrap();
        prop_assert_eq!(Pattern::parse(&parsed.to_json()), Ok(parsed.clone()));
        let text = serde_json::to_string(&parsed).unwrap();
        prop_assert_eq!(&text, &parsed.to_string());
        prop_assert_eq!(serde_json::from_str::<Pattern>(&text).unwrap(), parsed);
    }

    #[test]
    fn any_json_is_parsed_without_a_panic(json in any_json(), image in images()) {
        if let Ok(parsed) = Pattern::parse(&json) {
            let _ = parsed.matches(&image);
            prop_assert_eq!(Pattern::parse(&parsed.to_json()), Ok(parsed));
        }
    }
}

/// Arbitrary JSON, most of it of words that patterns have.
fn any_json() -> impl Strategy<Value = Value> {
    let names = || {
        prop::sample::select(vec![
            "name",
            "tags",
            "min_disk",
            "protected",
            "properties",
            "$or",
            "prefix",
            "suffix",
            "wildcard",
            "numeric",
            "exists",
            "anything-but",
            "equals-ignore-case",
            "=",
            "<",
            ">=",
            "a*b",
            "\\",
            "",
            "x",
        ])
    };
    let leaf = prop_oneof![
        4 => names().prop_map(Value::from),
        1 => ".{0,5}".prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => (0_u8..3).prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(7, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names(), inner, 0..3).prop_map(|members| json!(members)),
        ]
    })
}
