//! The keys of share rules, of their lookups, and of the lists of their jobs.

use super::{Key, key};
use crate::domain::{JobId, RecipientGroup, ShareRuleName, TenantId};

/// The partition of a tenant's share rules.
pub fn share_rules_partition(owner: &TenantId) -> String {
    format!("Q#{owner}")
}

/// Parses the owner from a partition of share rules.
pub fn parse_share_rules_partition(pk: &str) -> Option<TenantId> {
    pk.strip_prefix("Q#")?.parse().ok()
}

/// A share rule.
pub fn share_rule(owner: &TenantId, rule: &ShareRuleName) -> Key {
    key(share_rules_partition(owner), rule.as_str())
}

/// The partition of the jobs of a share rule.
pub fn share_rule_jobs_partition(owner: &TenantId, rule: &ShareRuleName) -> String {
    format!("Q#{owner}#{rule}")
}

/// A job of a share rule.
pub fn share_rule_job(owner: &TenantId, rule: &ShareRuleName, job: JobId) -> Key {
    key(share_rule_jobs_partition(owner, rule), job.to_string())
}

/// The partition of the lookups of the share rules that name a group of tenants.
pub fn rule_lookup_partition(group: &RecipientGroup) -> String {
    match group {
        RecipientGroup::Account(account) => format!("Y#a#{account}"),
        RecipientGroup::Organization(organization) => format!("Y#o#{organization}"),
    }
}

/// A lookup of a share rule.
pub fn rule_lookup(group: &RecipientGroup, owner: &TenantId, rule: &ShareRuleName) -> Key {
    key(rule_lookup_partition(group), format!("{owner}#{rule}"))
}

/// Parses the owner and the name of a share rule from the sort key of a lookup.
pub fn parse_rule_lookup_sort_key(sk: &str) -> Option<(TenantId, ShareRuleName)> {
    let (owner, rule) = sk.split_once('#')?;
    Some((owner.parse().ok()?, rule.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::{PK, SK};
    use super::*;

    #[test]
    fn share_rule_keys_round_trip() {
        let (owner, rule): (TenantId, ShareRuleName) = ("o".parse().unwrap(), "r".parse().unwrap());
        let part = |key: &Key, name: &str| key[name].as_s().unwrap().clone();
        let account = RecipientGroup::Account("a#b".parse().unwrap());
        let lookup = rule_lookup(&account, &owner, &rule);
        assert_eq!(parse_rule_lookup_sort_key(&part(&lookup, SK)), Some((owner.clone(), rule.clone())));
        assert_eq!(parse_share_rules_partition(&part(&share_rule(&owner, &rule), PK)), Some(owner.clone()));
        assert_eq!(parse_share_rules_partition(&share_rule_jobs_partition(&owner, &rule)), None);
    }
}
