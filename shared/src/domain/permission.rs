//! Decides a change of an image's permissions: tenants to whom it is granted and from whom it is taken, all of them or
//! none (seed 002).

use std::collections::BTreeSet;

use super::{Change, Image, Known, Limits, Membership, Stamp, TenantId};

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

/// The image would have more recipients than it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the image has as many recipients as it may have")]
pub struct TooManyMembers;

/// Decides which memberships of an image change, and by how much their number does. `known` holds the
/// memberships that there are of the tenants named.
///
/// # Errors
/// [`TooManyMembers`] where the number would grow above the limit; then nothing is to be written.
pub fn decide_permissions(
    image: &Image,
    wanted: &Permissions,
    at: Stamp,
    known: &Known,
    limits: &Limits,
) -> Result<(Vec<Change>, i32), TooManyMembers> {
    type Transition = fn(Option<&Membership>, Stamp) -> Option<Membership>;
    let add = wanted.add.iter().map(|tenant| (tenant, Membership::grant as Transition));
    let remove = wanted.remove.iter().map(|tenant| (tenant, Membership::unshare as Transition));
    let (mut changes, mut growth) = (Vec::new(), 0);
    for (tenant, transition) in add.chain(remove) {
        let current = known.memberships.get(&(image.id.clone(), tenant.clone()));
        let Some(becomes) = transition(current, at) else { continue };
        let stands = |membership: &Membership| membership.standing().is_some();
        growth += i32::from(stands(&becomes)) - i32::from(current.is_some_and(stands));
        changes.push(Change { image: image.id.clone(), tenant: tenant.clone(), becomes });
    }
    if growth > 0 && i64::from(image.members) + i64::from(growth) > i64::from(limits.members_per_image) {
        return Err(TooManyMembers);
    }
    Ok((changes, growth))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Details, Status, Timestamp, Visibility};

    fn image(members: u32) -> Image {
        Image {
            id: "image".parse().unwrap(),
            owner: "owner".parse().unwrap(),
            visibility: Visibility::Shared,
            details: Details::default(),
            members,
            created: Timestamp::now(),
            updated: Timestamp::now(),
            revision: 1,
        }
    }

    fn tenants(names: &[&str]) -> BTreeSet<TenantId> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn decided(
        members: u32,
        [add, remove]: [&[&str]; 2],
        known: &[&str],
    ) -> Result<(Vec<Change>, i32), TooManyMembers> {
        let wanted = Permissions::new(tenants(add), tenants(remove)).unwrap();
        let membership = Membership::share(None, Stamp::now()).unwrap();
        let memberships = tenants(known).into_iter().map(|tenant| {
            let pair = ("image".parse().unwrap(), tenant);
            (pair, membership.clone())
        });
        let known = Known { memberships: memberships.collect(), ..Known::default() };
        let limits = Limits { members_per_image: 3, ..Limits::default() };
        decide_permissions(&image(members), &wanted, Stamp::now(), &known, &limits)
    }

    #[test]
    fn who_is_added_has_accepted_and_who_is_removed_is_no_member() {
        let (changes, growth) = decided(1, [&["a", "b"], &["c", "d"]], &["c"]).unwrap();
        let become_what: Vec<_> =
            changes.iter().map(|change| change.becomes.standing().map(|standing| standing.status)).collect();
        assert_eq!(become_what, [Some(Status::Accepted), Some(Status::Accepted), None, None]);
        assert_eq!(growth, 1);
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
        assert_eq!(decided(2, [&["a", "b"], &[]], &[]), Err(TooManyMembers));
    }
}
