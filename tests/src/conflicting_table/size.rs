//! The size of an item, as DynamoDB charges for it.

use imageshare::table::{AttributeValue, Item};

/// The whole KB of an item, at least one.
pub(super) fn kilobytes(item: &Item) -> f64 {
    let bytes: usize = item.iter().map(|(name, value)| name.len() + bytes(value)).sum();
    f64::from(u32::try_from(bytes.div_ceil(1024).max(1)).expect("at most 400 KB"))
}

fn bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => number(digits),
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Bool(_) | AttributeValue::Null(_) => 1,
        // The service has nothing else in its table.
        other => panic!("an attribute of another type: {other:?}"),
    }
}

/// A byte for two digits, and one more.
fn number(digits: &str) -> usize {
    digits.trim_start_matches('-').len().div_ceil(2) + 1 + usize::from(digits.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(bytes: usize) -> Item {
        Item::from([("name".to_owned(), AttributeValue::S("x".repeat(bytes - "name".len())))])
    }

    #[test]
    fn item_is_charged_in_whole_kilobytes_of_names_and_values() {
        let charged = [4, 1024, 1025, 2048, 2049].map(|bytes| kilobytes(&item(bytes)));
        assert_eq!(format!("{charged:?}"), "[1.0, 1.0, 2.0, 2.0, 3.0]");
    }
}
