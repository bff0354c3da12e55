//! Bodies for the property tests of the facades: arbitrary JSON, and variants of a valid body.

use proptest::prelude::*;
use serde_json::{Value, json};

/// Arbitrary JSON with some nesting. Some of its texts are words that a facade knows.
fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        prop::sample::select(vec!["", "*", "a", "b", "accepted", "backup", "token", "admin", "p#q", "\u{0}"])
            .prop_map(str::to_owned),
        ".{0,5}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..4).prop_map(|members| json!(members)),
        ]
    })
}

/// The value, or a variant in which a few members are missing, or a few values are replaced by arbitrary JSON.
pub(crate) fn near_variants(value: &Value) -> BoxedStrategy<Value> {
    let kept = match value {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                let name = name.clone();
                prop::option::weighted(0.9, near_variants(value))
                    .prop_map(move |value| Some((name.clone(), value?)))
            };
            let members = members.iter().map(member).collect::<Vec<_>>();
            members.prop_map(|members| Value::Object(members.into_iter().flatten().collect())).boxed()
        }
        Value::Array(elements) => {
            elements.iter().map(near_variants).collect::<Vec<_>>().prop_map(Value::Array).boxed()
        }
        other => Just(other.clone()).boxed(),
    };
    prop_oneof![14 => kept, 1 => any_json()].boxed()
}
