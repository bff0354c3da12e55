//! Decides a change of an image's permissions: tenants to whom it is granted and from whom it is taken, all of them or
//! none (seed 002).

use std::collections::BTreeSet;

use super::step::{decide_grant, decide_removal};
use super::{Decision, ImageHead, Known, Outcome, Rules, Stamp, TenantId};

/// To whom an image is granted, and from whom it is taken. Nobody stands in both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    add: BTreeSet<TenantId>,
    remove: BTreeSet<TenantId>,
}

/// A tenant to whom an image was to be granted and from whom it was to be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is both added and removed")]
pub struct AddedAndRemoved(pub TenantId);

impl Permissions {
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
pub struct NotGranted {
    /// To whom it cannot be granted.
    pub tenant: TenantId,
    /// Why.
    pub outcome: Outcome,
}

/// Decides which memberships of an image change. `known` holds the image and the memberships that there are of the tenants
/// named. What is taken is taken first, so that the limit is of what there is in the end.
///
/// # Errors
/// [`NotGranted`] names the first that stands in the way; then nothing is to be written.
pub fn decide_permissions(
    image: &ImageHead,
    wanted: &Permissions,
    at: Stamp,
    known: &Known,
    rules: Rules<'_>,
) -> Result<Decision, NotGranted> {
    let mut decision = Decision::default();
    for tenant in &wanted.remove {
        decide_removal(&mut decision, (image, tenant), at, known);
    }
    for tenant in &wanted.add {
        let granted = decide_grant(&mut decision, (image, tenant), at, known, rules);
        granted.map_err(|outcome| NotGranted { tenant: tenant.clone(), outcome })?;
    }
    Ok(decision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Details, Image, Limits, Membership, Status, Timestamp, Visibility};

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

    fn decided(members: u32, [add, remove]: [&[&str]; 2], known: &[&str]) -> Result<Decision, NotGranted> {
        let wanted = Permissions::new(tenants(add), tenants(remove)).unwrap();
        let membership = Membership::share(None, Stamp::now()).unwrap();
        let memberships = tenants(known).into_iter().map(|tenant| {
            let pair = ("image".parse().unwrap(), tenant);
            (pair, membership.clone())
        });
        let image = image(members);
        let known = Known {
            memberships: memberships.collect(),
            images: [(image.id.clone(), image.clone())].into(),
            ..Known::default()
        };
        let limits = Limits { members_per_image: 3, ..Limits::default() };
        let rules = Rules { limits: &limits, region: "here", directory_is_complete: false };
        decide_permissions(&image, &wanted, Stamp::now(), &known, rules)
    }

    #[test]
    fn who_is_added_has_accepted_and_who_is_removed_is_no_member() {
        let decision = decided(1, [&["a", "b"], &["c", "d"]], &["c"]).unwrap();
        let status = |tenant: &str| {
            let change = decision.changes.iter().find(|change| change.tenant.as_str() == tenant).unwrap();
            change.becomes.status()
        };
        let accepted = Some(Status::Accepted);
        assert_eq!(["a", "b", "c", "d"].map(status), [accepted, accepted, None, None]);
        assert_eq!(decision.members.values().copied().collect::<Vec<_>>(), [1]);
        assert_eq!(decision.pending, [(("c".parse().unwrap(), "owner".parse().unwrap()), -1)].into());
    }

    #[test]
    fn who_was_asked_and_is_granted_the_image_is_not_asked_any_more() {
        let decision = decided(1, [&["a"], &[]], &["a"]).unwrap();
        assert_eq!(decision.members.len(), 1);
        assert_eq!(decision.pending, [(("a".parse().unwrap(), "owner".parse().unwrap()), -1)].into());
    }

    #[test]
    fn nobody_is_added_and_removed_at_once() {
        let refused = Permissions::new(tenants(&["a", "b"]), tenants(&["b", "c"]));
        assert_eq!(refused, Err(AddedAndRemoved("b".parse().unwrap())));
    }

    #[test]
    fn the_limit_is_of_what_there_is_in_the_end() {
        assert!(decided(3, [&["a"], &["b"]], &["b"]).is_ok());
        assert!(decided(3, [&["a"], &["b"]], &[]).is_err());
        assert!(decided(3, [&["a"], &[]], &["a"]).is_ok());
        assert!(decided(2, [&["a"], &[]], &[]).is_ok());
        assert!(decided(9, [&["a"], &["b", "c"]], &["b", "c"]).is_ok(), "a limit that was lowered");
        let full = NotGranted { tenant: "b".parse().unwrap(), outcome: Outcome::MemberLimit };
        assert_eq!(decided(2, [&["a", "b"], &[]], &[]), Err(full));
    }
}
