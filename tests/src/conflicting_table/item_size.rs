//! The size of an item, as DynamoDB bills it.

use imageshare::table::{AttributeValue, Item};

/// The size in whole KB, at least one.
pub(super) fn charged_kilobytes(item: &Item) -> f64 {
    let bytes: usize = item.iter().map(|(name, value)| name.len() + value_bytes(value)).sum();
    f64::from(u32::try_from(bytes.div_ceil(1024).max(1)).expect("at most 400 KB"))
}

fn value_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => number_bytes(digits),
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Bool(_) | AttributeValue::Null(_) => 1,
        // The service stores no other types.
        other => panic!("an attribute of another type: {other:?}"),
    }
}

/// Two digits per byte, one more byte, and one for the sign.
fn number_bytes(digits: &str) -> usize {
    digits.trim_start_matches('-').len().div_ceil(2) + 1 + usize::from(digits.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item_of_size(bytes: usize) -> Item {
        Item::from([("name".to_owned(), AttributeValue::S("x".repeat(bytes - "name".len())))])
    }

    #[test]
    fn item_size_counts_names_and_values_in_whole_kilobytes() {
        let charged = [4, 1024, 1025, 2048, 2049].map(|bytes| charged_kilobytes(&item_of_size(bytes)));
        assert_eq!(format!("{charged:?}"), "[1.0, 1.0, 2.0, 2.0, 3.0]");
    }
}
