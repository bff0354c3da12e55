//! Compares every counter that the table keeps with the memberships and policies that it counts.

use std::collections::{BTreeMap, BTreeSet};

use dynoxide::types::AttributeValue;
use imageshare::domain::{Membership, Reservation};
use imageshare_local::table::EmbeddedTable;

use crate::local_service::all_items;

/// Counters by name: `members of I#…`, `reserved of V#…#…`, `policies of …`. Zeros are left out.
pub type Totals = BTreeMap<String, i64>;

/// The counters as stored, and as counted from the memberships and policies.
pub fn stored_and_actual(table: &EmbeddedTable) -> (Totals, Totals) {
    let (mut stored, mut actual) = (Totals::new(), Totals::new());
    let mut images = BTreeSet::new();
    for item in all_items(table) {
        let text = |name: &str| match item.get(name) {
            Some(AttributeValue::S(text)) => text.as_str(),
            _ => "",
        };
        let number = |name: &str| match item.get(name) {
            Some(AttributeValue::N(digits)) => digits.parse().expect("a whole number"),
            _ => 0,
        };
        let (pk, sk) = (text("pk"), text("sk"));
        if item.contains_key("head") {
            images.insert(format!("members of {pk}"));
        }
        let sums = [
            (format!("members of {pk}"), number("members")),
            (format!("reserved of {pk}#{sk}"), number("reserved_gib")),
            (format!("policies of {}", pk.trim_start_matches("T#")), number("owner_policies")),
        ];
        stored.extend(sums.into_iter().filter(|(_, sum)| *sum != 0));
        if let Some(tenant) = pk.strip_prefix("P#") {
            *actual.entry(format!("policies of {tenant}")).or_default() += 1;
        }
        let (Some(tenant), true) = (sk.strip_prefix("M#"), pk.starts_with("I#")) else { continue };
        let membership: Membership = serde_json::from_str(text("membership")).expect("a membership");
        let mut add = |counter: String, growth: i64| *actual.entry(counter).or_default() += growth;
        add(format!("members of {pk}"), i64::from(membership.active().is_some()));
        if let Some(Reservation { vault, gib }) = membership.reservation() {
            add(format!("reserved of V#{tenant}#{vault}"), i64::try_from(*gib).expect("few GiB"));
        }
    }
    // Memberships of a deleted image are not counted.
    actual.retain(|what, sum| *sum != 0 && (!what.starts_with("members") || images.contains(what)));
    (stored, actual)
}

/// Asserts that every counter is equal to what the memberships add up to.
///
/// # Panics
/// If a counter differs.
pub fn assert_consistent(table: &EmbeddedTable) {
    let (mut stored, actual) = stored_and_actual(table);
    let missing: Totals =
        actual.into_iter().filter(|(name, sum)| stored.remove(name) != Some(*sum)).collect();
    assert_eq!((stored, missing), (Totals::new(), Totals::new()), "kept, and missing");
}
