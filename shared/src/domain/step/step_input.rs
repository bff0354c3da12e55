//! The input of a plan.

use std::collections::{HashMap, HashSet};

use crate::domain::{
    ImageHead, ImageId, Inbox, KeyGrant, Limits, Membership, OwnerPolicy, OwnerPolicyKey, Tenant, TenantId,
    Vault, VaultKey,
};

/// The items that a step is planned from, as they were read.
#[derive(Debug, Default)]
pub struct StepInput {
    /// The images; a deleted one is missing.
    pub images: HashMap<ImageId, ImageHead>,
    /// The memberships.
    pub memberships: HashMap<(ImageId, TenantId), Membership>,
    /// The tenants that have an item.
    pub tenants: HashMap<TenantId, Tenant>,
    /// The inboxes of the tenants that are to decide, counted a moment ago; one that was not counted is missing. Their
    /// limit protects a tenant from too many pending images, and need not be exact (`contract/decisions.md` 12).
    pub inboxes: HashMap<TenantId, Inbox>,
    /// Those of the key grants in [`ExtraReads`] that exist.
    pub key_grants: HashSet<KeyGrant>,
    /// Those of the owner policies in [`ExtraReads`] that exist.
    pub owner_policies: HashMap<OwnerPolicyKey, OwnerPolicy>,
    /// Those of the vaults in [`ExtraReads`] that exist.
    pub vaults: HashMap<VaultKey, Vault>,
}

impl StepInput {
    /// The membership of a pair, if there is one.
    pub(super) fn membership(&self, image: &ImageId, tenant: &TenantId) -> Option<&Membership> {
        self.memberships.get(&(image.clone(), tenant.clone()))
    }
}

/// The settings of a deployment that the rules depend on.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The limits in force.
    pub limits: &'a Limits,
    /// The deployment's region. A tenant of another one receives nothing (seed 001).
    pub region: &'a str,
    /// Whether only tenants in the directory receive images (`contract/decisions.md` 20).
    pub directory_is_complete: bool,
}

/// What the rules read of some pairs besides their images, memberships and tenants.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ExtraReads {
    /// Key grants without which an encrypted image is not shared.
    pub key_grants: HashSet<KeyGrant>,
    /// Policies of recipients on the owners of the images.
    pub owner_policies: HashSet<OwnerPolicyKey>,
    /// Vaults into which full-ECS images are accepted.
    pub vaults: HashSet<VaultKey>,
    /// Tenants whose pending images are counted.
    pub inboxes: HashSet<TenantId>,
}

impl ExtraReads {
    /// Whether there is nothing more to read.
    pub fn is_empty(&self) -> bool {
        self.key_grants.is_empty()
            && self.owner_policies.is_empty()
            && self.vaults.is_empty()
            && self.inboxes.is_empty()
    }
}

/// What one rule reads of one pair, besides its image, membership and tenant.
#[derive(Debug)]
pub(super) enum ExtraRead {
    /// A key grant.
    KeyGrant(KeyGrant),
    /// A recipient's policy on an owner.
    OwnerPolicy(OwnerPolicyKey),
    /// A vault.
    Vault(VaultKey),
    /// The number of images that are pending for a tenant.
    Inbox(TenantId),
}

impl Extend<ExtraRead> for ExtraReads {
    fn extend<T: IntoIterator<Item = ExtraRead>>(&mut self, reads: T) {
        for read in reads {
            match read {
                ExtraRead::KeyGrant(grant) => {
                    self.key_grants.insert(grant);
                }
                ExtraRead::OwnerPolicy(policy) => {
                    self.owner_policies.insert(policy);
                }
                ExtraRead::Vault(vault) => {
                    self.vaults.insert(vault);
                }
                ExtraRead::Inbox(tenant) => {
                    self.inboxes.insert(tenant);
                }
            }
        }
    }
}
