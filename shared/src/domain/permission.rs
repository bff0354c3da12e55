//! Decides a change of an image's permissions: tenants to whom it is granted and from whom it is taken, all of them or
//! none (seed 002).

use std::collections::BTreeSet;

use super::step::{plan_auto_accepted_share, plan_unshare};
use super::{ImageHead, Outcome, Plan, Rules, Stamp, StepInput, TenantId};

/// To whom an image is granted, and from whom it is taken. Nobody stands in both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PermissionChange {
    add: BTreeSet<TenantId>,
    remove: BTreeSet<TenantId>,
}

/// A tenant to whom an image was to be granted and from whom it was to be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is both added and removed")]
pub struct AddedAndRemoved(pub TenantId);

impl PermissionChange {
    /// Grants to some, takes from others.
    ///
    /// # Errors
    /// [`AddedAndRemoved`] where somebody is named twice.
    pub fn new(add: BTreeSet<TenantId>, remove: BTreeSet<TenantId>) -> Result<Self, AddedAndRemoved> {
        match add.intersection(&remove).next() {
            Some(tenant) => Err(AddedAndRemoved(tenant.clone())),
            None => Ok(Self { add, remove }),
        }
    }

    /// Tenants that may use the image from now on, without being asked.
    pub fn add(&self) -> &BTreeSet<TenantId> {
        &self.add
    }

    /// Tenants that may not any more; where they are no members, that is no error.
    pub fn remove(&self) -> &BTreeSet<TenantId> {
        &self.remove
    }
}

/// Why nothing is granted or taken: what stands in the way of one of the grants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the image cannot be granted to {tenant}")]
pub struct ShareRefused {
    /// To whom it cannot be granted.
    pub tenant: TenantId,
    /// Why.
    pub outcome: Outcome,
}

/// Decides which memberships of an image change. `known` holds the image and the memberships that there are of the tenants
/// named. What is taken is taken first, so that the limit is of what there is in the end.
///
/// # Errors
/// [`ShareRefused`] names the first that stands in the way; then nothing is to be written.
pub fn plan_permissions(
    image: &ImageHead,
    wanted: &PermissionChange,
    at: Stamp,
    known: &StepInput,
    rules: Rules<'_>,
) -> Result<Plan, ShareRefused> {
    let mut decision = Plan::default();
    for tenant in &wanted.remove {
        plan_unshare(&mut decision, (image, tenant), at, known, rules);
    }
    for tenant in &wanted.add {
        let granted = plan_auto_accepted_share(&mut decision, (image, tenant), at, known, rules);
        granted.map_err(|outcome| ShareRefused { tenant: tenant.clone(), outcome })?;
    }
    Ok(decision)
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

    fn plan_for(members: u32, [add, remove]: [&[&str]; 2], known: &[&str]) -> Result<Plan, ShareRefused> {
        let wanted = PermissionChange::new(tenants(add), tenants(remove)).unwrap();
        let membership = Membership::share(None, Stamp::now()).unwrap();
        let memberships = tenants(known).into_iter().map(|tenant| {
            let pair = ("image".parse().unwrap(), tenant);
            (pair, membership.clone())
        });
        let image = image(members);
        let known = StepInput {
            memberships: memberships.collect(),
            images: [(image.id.clone(), image.clone())].into(),
            ..StepInput::default()
        };
        let limits = Limits { members_per_image: 3, ..Limits::default() };
        let rules = Rules { limits: &limits, region: "here", directory_is_complete: false };
        plan_permissions(&image, &wanted, Stamp::now(), &known, rules)
    }

    #[test]
    fn added_tenant_is_accepted_and_removed_tenant_is_ended() {
        let decision = plan_for(1, [&["a", "b"], &["c", "d"]], &["c"]).unwrap();
        let status = |tenant: &str| {
            let change = decision.changes.iter().find(|change| change.tenant.as_str() == tenant).unwrap();
            change.membership.status()
        };
        let accepted = Some(Status::Accepted);
        assert_eq!(["a", "b", "c", "d"].map(status), [accepted, accepted, None, None]);
        assert_eq!(decision.member_deltas.values().copied().collect::<Vec<_>>(), [1]);
        assert_eq!(decision.pending_deltas, [(("c".parse().unwrap(), "owner".parse().unwrap()), -1)].into());
    }

    #[test]
    fn auto_accepted_share_clears_pending_membership() {
        let decision = plan_for(1, [&["a"], &[]], &["a"]).unwrap();
        let unchanged = Guard::ImageUnchanged { image: "image".parse().unwrap(), revision: 1 };
        assert!(decision.guards.contains(&unchanged));
        assert_eq!(decision.pending_deltas, [(("a".parse().unwrap(), "owner".parse().unwrap()), -1)].into());
    }

    #[test]
    fn tenant_in_add_and_remove_is_rejected() {
        let refused = PermissionChange::new(tenants(&["a", "b"]), tenants(&["b", "c"]));
        assert_eq!(refused, Err(AddedAndRemoved("b".parse().unwrap())));
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
