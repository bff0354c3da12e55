//! What a step is decided from.

use std::collections::{HashMap, HashSet};

use crate::domain::{
    Encryption, ImageHead, ImageId, ImageKind, Inbox, KeyGrant, Limits, Membership, Status, Task, Tenant,
    TenantId, Vault, VaultKey,
};

/// What the table says of the pairs of a step.
#[derive(Debug, Default)]
pub struct StepInput {
    /// The images; a deleted one is missing.
    pub images: HashMap<ImageId, ImageHead>,
    /// The memberships.
    pub memberships: HashMap<(ImageId, TenantId), Membership>,
    /// The tenants that the table has an item of.
    pub tenants: HashMap<TenantId, Tenant>,
    /// The inboxes of the tenants that are asked for an answer, as they were a moment ago; one that was not counted is
    /// missing. They protect a tenant from too many questions, and need not be exact (`contract/decisions.md` 12).
    pub inboxes: HashMap<TenantId, Inbox>,
    /// Of the grants that are [`ExtraReads`], those that there are.
    pub key_grants: HashSet<KeyGrant>,
    /// Of the vaults that are [`ExtraReads`], those that there are.
    pub vaults: HashMap<VaultKey, Vault>,
}

impl StepInput {
    /// The membership of a pair, if there is one.
    pub(super) fn membership(&self, image: &ImageId, tenant: &TenantId) -> Option<&Membership> {
        self.memberships.get(&(image.clone(), tenant.clone()))
    }
}

/// What a deployment demands of a sharing.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The limits in force.
    pub limits: &'a Limits,
    /// The deployment's region; a tenant of another one receives nothing (seed 001).
    pub region: &'a str,
    /// Whether only tenants of the directory can receive (`contract/decisions.md` 20).
    pub directory_is_complete: bool,
}

/// What some pairs are decided from besides their images and memberships.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ExtraReads {
    /// Grants without which an encrypted image is not shared.
    pub key_grants: HashSet<KeyGrant>,
    /// Vaults into which full-ECS images are accepted.
    pub vaults: HashSet<VaultKey>,
    /// Tenants that are asked for an answer.
    pub inboxes: HashSet<TenantId>,
}

impl ExtraReads {
    /// Whether there is nothing more to read.
    pub fn is_empty(&self) -> bool {
        self.key_grants.is_empty() && self.vaults.is_empty() && self.inboxes.is_empty()
    }
}

/// What pairs that a task is done to are decided from besides what is known of their images.
pub fn extra_reads<'a>(
    task: &Task,
    pairs: impl IntoIterator<Item = (&'a ImageId, &'a TenantId)>,
    known: &StepInput,
) -> ExtraReads {
    let mut needed = ExtraReads::default();
    for (id, tenant) in pairs {
        let Some(image) = known.images.get(id) else { continue };
        match task {
            Task::Share => {
                needed.key_grants.extend(required_key_grant(image, tenant));
                if known.membership(id, tenant).is_none_or(|membership| membership.active().is_none()) {
                    needed.inboxes.insert(tenant.clone());
                }
            }
            Task::Respond { status: Status::Pending, .. } => {
                needed.inboxes.insert(tenant.clone());
            }
            Task::Respond { status: Status::Accepted, vault: Some(vault) }
            | Task::RespondToAll { status: Status::Accepted, vault: Some(vault), .. }
                if matches!(image.spec.kind, ImageKind::FullEcs { .. }) =>
            {
                needed.vaults.insert((tenant.clone(), vault.clone()));
            }
            Task::Respond { .. } | Task::RespondToAll { .. } | Task::Unshare | Task::Refresh => {}
        }
    }
    needed
}

/// The grant without which the image is not shared with the tenant, if it needs one.
pub(super) fn required_key_grant(image: &ImageHead, tenant: &TenantId) -> Option<KeyGrant> {
    match &image.spec.encryption {
        Encryption::Key(key) => {
            Some(KeyGrant { owner: image.owner.clone(), key: key.clone(), tenant: tenant.clone() })
        }
        Encryption::None | Encryption::DefaultKey => None,
    }
}
