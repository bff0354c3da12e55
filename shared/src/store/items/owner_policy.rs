//! The item of an owner policy.

use crate::domain::{OwnerPolicy, OwnerPolicyKey, Policy, Stamp, TenantId, Timestamp};
use crate::store::error::StoreError;
use crate::store::item::{self, Item};
use crate::store::keys::{self, SK};
use crate::table::Write;

/// The attribute that holds the policy as JSON.
const POLICY: &str = "policy";

/// A policy on an owner, as the tenant that has it sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerPolicyRecord {
    /// The owner.
    pub owner: TenantId,
    /// The policy.
    pub policy: OwnerPolicy,
    /// When the tenant first had a policy on the owner, since it last had none.
    pub created: Timestamp,
}

/// Creates or updates a policy.
pub fn put(key: &OwnerPolicyKey, policy: &Policy, at: Stamp) -> Result<Write, StoreError> {
    const SET: &str = "SET policy = :policy, rev = :rev, created = if_not_exists(created, :now)";
    Ok(Write::update(keys::owner_policy(key), SET)
        .value(":policy", item::json(policy)?)
        .value(":rev", item::text(at))
        .value(":now", item::number(at.time().unix_millis())))
}

/// Parses a policy.
pub fn parse(item: &Item) -> Result<OwnerPolicy, StoreError> {
    Ok(OwnerPolicy { policy: item::get_json(item, POLICY)?, revision: item::get_parsed(item, item::REV)? })
}

/// Parses a policy with its owner from a whole item.
pub fn parse_record(found: &Item) -> Result<OwnerPolicyRecord, StoreError> {
    parse_record_of(item::get_parsed(found, SK)?, found)
}

/// Parses a policy on that owner.
pub fn parse_record_of(owner: TenantId, item: &Item) -> Result<OwnerPolicyRecord, StoreError> {
    Ok(OwnerPolicyRecord {
        owner,
        policy: parse(item)?,
        created: Timestamp::from_unix_millis(item::get_number(item, "created")?),
    })
}
