//! Owner policies: the owners that a tenant trusts, and those that it blocks (seed 002, `contract/decisions.md` 34).
//!
//! A policy is consent, or its refusal, in advance. It counts for shares that are executed while it is there, and
//! changes no membership that exists.

use serde::{Deserialize, Serialize};

use super::value_enum::value_enum;
use super::{Stamp, TenantId, VaultId};

/// The most owner policies of one tenant.
pub const MAX_OWNER_POLICIES: u32 = 1_000;

/// What becomes of an owner's shares with the tenant that has the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "policy", rename_all = "lowercase")]
pub enum Policy {
    /// They are accepted at once.
    Trusted {
        /// The vault into which full-ECS images are accepted. Without one, they stay pending.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vault: Option<VaultId>,
    },
    /// They fail, as if the tenant had rejected them.
    Blocked,
}

/// A [`Policy`] without its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyKind {
    /// The owner's shares are accepted at once.
    Trusted,
    /// The owner's shares fail.
    Blocked,
}

value_enum!(PolicyKind { Trusted = "trusted" or Blocked = "blocked" });

/// A tenant and the owner that its policy is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerPolicyKey {
    /// The tenant that has the policy: the recipient of the shares.
    pub recipient: TenantId,
    /// The owner of the shared images.
    pub owner: TenantId,
}

/// A tenant's policy on an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerPolicy {
    /// The policy.
    pub policy: Policy,
    /// When it was last written. A share is accepted by a policy only if that has not changed since it was read.
    pub revision: Stamp,
}

impl Policy {
    /// Its kind.
    pub fn kind(&self) -> PolicyKind {
        match self {
            Self::Trusted { .. } => PolicyKind::Trusted,
            Self::Blocked => PolicyKind::Blocked,
        }
    }

    /// The vault into which full-ECS images are accepted.
    pub fn vault(&self) -> Option<&VaultId> {
        match self {
            Self::Trusted { vault } => vault.as_ref(),
            Self::Blocked => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_round_trips_and_names_its_kind() {
        let trusted = Policy::Trusted { vault: Some("v".parse().unwrap()) };
        for (policy, json) in [
            (trusted, r#"{"policy":"trusted","vault":"v"}"#),
            (Policy::Trusted { vault: None }, r#"{"policy":"trusted"}"#),
            (Policy::Blocked, r#"{"policy":"blocked"}"#),
        ] {
            assert_eq!(serde_json::to_string(&policy).unwrap(), json);
            assert_eq!(serde_json::from_str::<Policy>(json).unwrap(), policy);
            assert!(json.contains(policy.kind().as_str()), "{json}");
        }
    }
}
