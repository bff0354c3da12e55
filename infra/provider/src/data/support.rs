//! What the data sources have in common.

use crate::api::ApiError;
use crate::diagnostic::Diagnostic;
use crate::value::{Object, Value};

/// The error of the service as one for the user.
pub(super) fn failed(what: &str, error: &ApiError) -> Diagnostic {
    Diagnostic::error(what, error.to_string())
}

/// A list of objects.
pub(super) fn list(objects: impl IntoIterator<Item = Object>) -> Value {
    Value::List(objects.into_iter().map(Value::Object).collect())
}

/// A list or set of the configuration, or none.
pub(super) fn texts(config: &Object, name: &str) -> Vec<String> {
    config.texts(name).map(str::to_owned).collect()
}

/// Whether a name matches a pattern in which each `*` stands for any characters, or for none.
pub(super) fn matches_glob(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(first) = parts.next() else { return false };
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part).and_then(|place| rest.get(place + part.len()..)) {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_characters() {
        for (pattern, name) in [
            ("golden", "golden"),
            ("*", ""),
            ("golden-*", "golden-1"),
            ("*-arm64", "a-arm64"),
            ("a*b*c", "a1b2c"),
            ("a**", "a"),
        ] {
            assert!(matches_glob(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("golden", "golden-1"), ("golden-*", "x-golden-1"), ("a*a", "a"), ("a*b*c", "a1c2b"), ("", "a")]
        {
            assert!(!matches_glob(pattern, name), "{pattern} {name}");
        }
    }
}
