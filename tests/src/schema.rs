//! The subset of JSON Schema that `infra/openapi.yaml` uses.

use regex_lite::Regex;
use serde_json::Value;

/// Describes where and how a value violates a schema; `None` if it does not. References are resolved in `root`.
pub(crate) fn violation(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    check_value(root, schema, value, "").err()
}

fn check_value(root: &Value, schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return check_value(root, resolve_reference(root, reference), value, path);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        if !(value.is_null() && schema["nullable"] == true) {
            check_value(root, part, value, path)?;
        }
    }
    if value.is_null() && schema["nullable"] == true {
        return Ok(());
    }
    if let Some(parts) = schema["anyOf"].as_array() {
        let mut problems = parts.iter().map(|part| check_value(root, part, value, path));
        return if problems.any(|problem| problem.is_ok()) {
            Ok(())
        } else {
            Err(format!("{path}: {value} is none of {parts:?}"))
        };
    }
    if let Some(expected) = schema["type"].as_str()
        && !has_type(value, expected)
    {
        return Err(format!("{path}: {value} is no {expected}"));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Err(format!("{path}: {value} is none of {words:?}"));
    }
    match value {
        Value::Object(members) => {
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !members.contains_key(name) {
                    return Err(format!("{path}: {name} is missing"));
                }
            }
            for (name, member) in members {
                let named = schema["properties"].get(name).or(schema.get("additionalProperties"));
                if named == Some(&Value::Bool(false)) {
                    return Err(format!("{path}: {name} is unknown"));
                }
                if let Some(named) = named.filter(|schema| schema.is_object()) {
                    check_value(root, named, member, &format!("{path}/{name}"))?;
                }
            }
            Ok(())
        }
        Value::Array(items) => {
            let (least, most) = (schema["minItems"].as_u64(), schema["maxItems"].as_u64());
            check_range(length_as_f64(items.len()), least, most)
                .map_err(|why| format!("{path}: {why} items"))?;
            (0..).zip(items).try_for_each(|(n, item): (usize, _)| {
                check_value(root, &schema["items"], item, &format!("{path}/{n}"))
            })
        }
        Value::String(text) => {
            let (least, most) = (schema["minLength"].as_u64(), schema["maxLength"].as_u64());
            check_range(length_as_f64(text.chars().count()), least, most)
                .map_err(|why| format!("{path}: {why} letters"))?;
            let pattern = schema["pattern"].as_str().map(|text| Regex::new(text).expect("a pattern"));
            match pattern {
                Some(pattern) if !pattern.is_match(text) => Err(format!("{path}: {text:?} is not {pattern}")),
                _ => Ok(()),
            }
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            let (least, most) = (schema["minimum"].as_u64(), schema["maximum"].as_u64());
            check_range(number, least, most).map_err(|why| format!("{path}: {why}"))
        }
        _ => Ok(()),
    }
}

pub(crate) fn resolve_reference<'a>(root: &'a Value, reference: &str) -> &'a Value {
    let found = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
    found.unwrap_or_else(|| panic!("{reference} points to nothing"))
}

fn has_type(value: &Value, expected: &str) -> bool {
    match expected {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("the type {other} is not supported"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "nothing here is so long")]
fn length_as_f64(length: usize) -> f64 {
    length as f64
}

#[expect(clippy::cast_precision_loss, reason = "the limits of a document are small numbers")]
fn check_range(number: f64, least: Option<u64>, most: Option<u64>) -> Result<(), String> {
    let too_small = least.is_some_and(|least| number < least as f64);
    let too_large = most.is_some_and(|most| number > most as f64);
    if too_small || too_large { Err(format!("{number} is not in {least:?}..={most:?}")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schema_violations_are_found() {
        let root = json!({ "id": { "type": "string", "pattern": "^[a-z]{1,3}$" } });
        let schema = json!({ "type": "object", "required": ["ids"], "additionalProperties": { "type": "string" },
            "properties": { "ids": { "type": "array", "minItems": 1, "items": { "$ref": "#/id" } },
                            "n": { "type": "integer", "minimum": 1, "nullable": true } } });
        for good in [
            json!({"ids": ["a"]}),
            json!({"ids": ["abc"], "n": null, "x": "y"}),
            json!({"ids": ["a"], "n": 1}),
        ] {
            assert_eq!(violation(&root, &schema, &good), None);
        }
        for bad in [
            json!([]),
            json!({}),
            json!({"ids": []}),
            json!({"ids": ["A"]}),
            json!({"ids": [7]}),
            json!({"ids": ["a"], "n": 0}),
            json!({"ids": ["a"], "n": 1.5}),
            json!({"ids": ["a"], "x": 7}),
        ] {
            assert!(violation(&root, &schema, &bad).is_some(), "{bad}");
        }
    }
}
