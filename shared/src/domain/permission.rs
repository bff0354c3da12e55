//! Plans a change of an image's permissions: an auto-accepted share with each tenant that is added, and an unshare
//! from each that is removed, all or none (seed 002).

use std::collections::BTreeSet;

use super::step::{plan_auto_accepted_share, plan_unshare};
use super::{ImageHead, Outcome, Plan, Rules, Stamp, StepInput, TenantId};

/// The tenants to add and to remove. No tenant is in both sets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PermissionChange {
    add: BTreeSet<TenantId>,
    remove: BTreeSet<TenantId>,
}

/// The error of a request that both adds and removes a tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is both added and removed")]
pub struct AddedAndRemoved(pub TenantId);

impl PermissionChange {
    /// A change that adds some tenants and removes others.
    ///
    /// # Errors
    /// [`AddedAndRemoved`] if a tenant is in both sets.
    pub fn new(add: BTreeSet<TenantId>, remove: BTreeSet<TenantId>) -> Result<Self, AddedAndRemoved> {
        match add.intersection(&remove).next() {
            Some(tenant) => Err(AddedAndRemoved(tenant.clone())),
            None => Ok(Self { add, remove }),
        }
    }

    /// Tenants that may use the image from now on, without their consent.
    pub fn add(&self) -> &BTreeSet<TenantId> {
        &self.add
    }

    /// Tenants that may not use it any more. One that is no member is no error.
    pub fn remove(&self) -> &BTreeSet<TenantId> {
        &self.remove
    }
}

/// Why a permission change is not made: one of its shares is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the image cannot be shared with {tenant}")]
pub struct ShareRefused {
    /// The tenant that the image cannot be shared with.
    pub tenant: TenantId,
    /// The reason.
    pub outcome: Outcome,
}

/// Plans which memberships of an image change. `input` holds the image and the memberships of the named tenants.
/// Removals come first, so that the recipient limit applies to the result.
///
/// # Errors
/// [`ShareRefused`], for the first tenant that the image cannot be shared with. Then nothing is written.
pub fn plan_permissions(
    image: &ImageHead,
    change: &PermissionChange,
    at: Stamp,
    input: &StepInput,
    rules: Rules<'_>,
) -> Result<Plan, ShareRefused> {
    let mut plan = Plan::default();
    for tenant in &change.remove {
        plan_unshare(&mut plan, (image, tenant), at, input, rules);
    }
    for tenant in &change.add {
        let planned = plan_auto_accepted_share(&mut plan, (image, tenant), at, input, rules);
        planned.map_err(|outcome| ShareRefused { tenant: tenant.clone(), outcome })?;
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Details, Guard, Image, Limits, Membership, Status, Timestamp, Visibility};

    fn image(members: u32) -> ImageHead {
        let image = Image {
            id: "image".parse().unwrap(),
            owner: "owner".parse().unwrap(),
            visibility: Visibility::Shared,
            details: Details::default(),
            created: Timestamp::now(),
            updated: Timestamp::now(),
            revision: 1,
        };
        image.head(members)
    }

    fn tenants(names: &[&str]) -> BTreeSet<TenantId> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn plan_for(members: u32, [add, remove]: [&[&str]; 2], pending: &[&str]) -> Result<Plan, ShareRefused> {
        let change = PermissionChange::new(tenants(add), tenants(remove)).unwrap();
        let membership = Membership::share(None, Stamp::now()).unwrap();
        let memberships = tenants(pending).into_iter().map(|tenant| {
            let pair = ("image".parse().unwrap(), tenant);
            (pair, membership.clone())
        });
        let image = image(members);
        let input = StepInput {
            memberships: memberships.collect(),
            images: [(image.id.clone(), image.clone())].into(),
            ..StepInput::default()
        };
        let limits = Limits { members_per_image: 3, ..Limits::default() };
        let rules = Rules { limits: &limits, region: "here", directory_is_complete: false };
        plan_permissions(&image, &change, Stamp::now(), &input, rules)
    }

    #[test]
    fn added_tenant_is_accepted_and_removed_tenant_is_ended() {
        let plan = plan_for(1, [&["a", "b"], &["c", "d"]], &["c"]).unwrap();
        let status = |tenant: &str| {
            let change = plan.changes.iter().find(|change| change.tenant.as_str() == tenant).unwrap();
            change.membership.status()
        };
        let accepted = Some(Status::Accepted);
        assert_eq!(["a", "b", "c", "d"].map(status), [accepted, accepted, None, None]);
        assert_eq!(plan.member_deltas.values().copied().collect::<Vec<_>>(), [1]);
        assert_eq!(plan.pending_deltas, [(("c".parse().unwrap(), "owner".parse().unwrap()), -1)].into());
    }

    #[test]
    fn auto_accepted_share_clears_pending_membership() {
        let plan = plan_for(1, [&["a"], &[]], &["a"]).unwrap();
        let unchanged = Guard::ImageUnchanged { image: "image".parse().unwrap(), revision: 1 };
        assert!(plan.guards.contains(&unchanged));
        assert_eq!(plan.pending_deltas, [(("a".parse().unwrap(), "owner".parse().unwrap()), -1)].into());
    }

    #[test]
    fn tenant_in_add_and_remove_is_rejected() {
        let result = PermissionChange::new(tenants(&["a", "b"]), tenants(&["b", "c"]));
        assert_eq!(result, Err(AddedAndRemoved("b".parse().unwrap())));
    }

    #[test]
    fn member_limit_applies_after_removals() {
        assert!(plan_for(3, [&["a"], &["b"]], &["b"]).is_ok());
        assert!(plan_for(3, [&["a"], &["b"]], &[]).is_err());
        assert!(plan_for(3, [&["a"], &[]], &["a"]).is_ok());
        assert!(plan_for(2, [&["a"], &[]], &[]).is_ok());
        assert!(plan_for(9, [&["a"], &["b", "c"]], &["b", "c"]).is_ok(), "a limit that was lowered");
        let full = ShareRefused { tenant: "b".parse().unwrap(), outcome: Outcome::MemberLimit };
        assert_eq!(plan_for(2, [&["a", "b"], &[]], &[]), Err(full));
    }
}
