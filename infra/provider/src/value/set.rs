//! The elements of a set.

use std::ops::Deref;

use super::Value;

/// Distinct elements in a fixed order, so that two sets are equal if they have equal elements. Elements that are not wholly known are
/// all kept, since any two of them may differ once they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Set(Vec<Value>);

impl FromIterator<Value> for Set {
    /// Costs a sort.
    fn from_iter<I: IntoIterator<Item = Value>>(elements: I) -> Self {
        let mut elements: Vec<_> = elements.into_iter().collect();
        elements.sort();
        elements.dedup_by(|next, kept| next == kept && !kept.has_unknown());
        Self(elements)
    }
}

impl Deref for Set {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_repetition_do_not_matter() {
        let set = |elements: &[&str]| elements.iter().map(|text| Value::from(*text)).collect::<Set>();
        assert_eq!(set(&["b", "a", "b"]), set(&["a", "b"]));
        assert_ne!(set(&["a"]), set(&["a", "b"]));
    }

    #[test]
    fn unknown_elements_are_kept_apart() {
        assert_eq!([Value::unknown(), Value::unknown()].into_iter().collect::<Set>().len(), 2);
    }
}
