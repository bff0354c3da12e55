//! Checks of single values, with the message that the user gets.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::timeouts::parse_duration;
use crate::value::Value;

/// A check of a value that is known and not null.
#[derive(Clone)]
pub struct Validator(Arc<Check>);

type Check = dyn Fn(&Value) -> Result<(), String> + Send + Sync;

impl Validator {
    /// A check that returns the message for the user if the value is refused: what was expected.
    pub fn new(check: impl Fn(&Value) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(check))
    }

    /// Checks a value.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        (self.0)(value)
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Validator")
    }
}

/// A text that is one of these.
pub fn one_of(allowed: &'static [&'static str]) -> Validator {
    Validator::new(move |value| match value.as_str() {
        Some(text) if allowed.contains(&text) => Ok(()),
        Some(text) => Err(format!("Expected one of {}, found {text:?}.", allowed.join(", "))),
        None => Ok(()),
    })
}

/// A whole number in this range.
pub fn between(range: RangeInclusive<i64>) -> Validator {
    Validator::new(move |value| match value.as_number() {
        Some(number) if number.as_i64().is_some_and(|number| range.contains(&number)) => Ok(()),
        Some(number) => {
            Err(format!("Expected a whole number from {} to {}, found {number}.", range.start(), range.end()))
        }
        None => Ok(()),
    })
}

/// A text of so many characters, or a collection of so many elements.
pub fn length(range: RangeInclusive<usize>) -> Validator {
    Validator::new(move |value| {
        let (length, unit) = match value {
            Value::String(text) => (text.chars().count(), "characters"),
            // Elements that are not known yet may turn out equal.
            Value::Set(elements) if value.has_unknown() => (elements.len().min(*range.end()), "elements"),
            Value::List(elements) => (elements.len(), "elements"),
            Value::Set(elements) => (elements.len(), "elements"),
            Value::Map(elements) => (elements.len(), "elements"),
            _ => return Ok(()),
        };
        if range.contains(&length) {
            Ok(())
        } else {
            Err(format!("Expected {} to {} {unit}, found {length}.", range.start(), range.end()))
        }
    })
}

/// A text or a collection that is not empty.
pub fn not_empty() -> Validator {
    Validator::new(|value| {
        let is_empty = match value {
            Value::String(text) => text.is_empty(),
            Value::Map(elements) => elements.is_empty(),
            other => other.as_elements().is_some_and(<[Value]>::is_empty),
        };
        if is_empty { Err("It must not be empty. Leave it out instead.".to_owned()) } else { Ok(()) }
    })
}

/// A collection each of whose known elements passes a check.
pub fn each(validator: Validator) -> Validator {
    Validator::new(move |value| {
        let check = |element: &Value| match element {
            Value::Null => Err("An element is null.".to_owned()),
            element if element.has_unknown() => Ok(()),
            element => validator.check(element),
        };
        match value {
            Value::Map(elements) => elements.values().try_for_each(check),
            other => other.as_elements().unwrap_or_default().iter().try_for_each(check),
        }
    })
}

/// A map each of whose keys passes a check.
pub fn keys(validator: Validator) -> Validator {
    Validator::new(move |value| {
        value.as_map().map_or(Ok(()), |map| map.keys().try_for_each(|key| validator.check(&key.into())))
    })
}

/// A duration such as `90s`, `10m` or `1h30m`.
pub fn duration() -> Validator {
    Validator::new(|value| match value.as_str() {
        Some(text) if parse_duration(text).is_none() => {
            Err(format!("Expected a duration such as \"90s\", \"10m\" or \"1h30m\", found {text:?}."))
        }
        _ => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Number, Set};

    fn accepts(validator: &Validator, value: impl Into<Value>) -> bool {
        validator.check(&value.into()).is_ok()
    }

    #[test]
    fn validators_accept_and_refuse() {
        let small = between(1..=3);
        assert!(
            accepts(&small, 3) && !accepts(&small, 4) && !accepts(&small, "1.5".parse::<Number>().unwrap())
        );
        assert!(accepts(&one_of(&["a"]), "a") && !accepts(&one_of(&["a"]), "b"));
        assert!(accepts(&length(1..=2), "ää") && !accepts(&length(1..=2), ""));
        assert!(!accepts(&not_empty(), Vec::<Value>::new()) && accepts(&not_empty(), vec!["x"]));
        let each = each(length(1..=2));
        assert!(
            accepts(&each, vec!["a"]) && !accepts(&each, vec!["abc"]) && !accepts(&each, vec![Value::Null])
        );
        assert!(accepts(&each, vec![Value::unknown()]));
        assert!(!accepts(&keys(one_of(&["a"])), Value::Map([("b".to_owned(), Value::Null)].into())));
        assert!(accepts(&duration(), "10m") && !accepts(&duration(), "10 minutes"));
    }

    #[test]
    fn unknown_elements_may_turn_out_equal() {
        let set: Set = [Value::unknown(), Value::unknown()].into_iter().collect();
        assert!(accepts(&length(1..=1), set));
    }
}
