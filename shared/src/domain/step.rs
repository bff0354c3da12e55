//! Decides one step of a job: from what is known of its pairs, what becomes of each and what is to be written.
//!
//! The decision is pure. Its writes are made in one transaction which demands that everything it was made from is
//! still so; where that fails, it is made again from what is known then.

use std::collections::HashMap;
use std::ops::Range;

use super::{
    Image, ImageId, Job, Limits, Membership, Outcome, Standing, Status, Task, TenantId, Timestamp, Visibility,
};

/// What the table says of the images and memberships of a step.
#[derive(Debug, Default)]
pub struct Known {
    /// The images; a deleted one is missing.
    pub images: HashMap<ImageId, Image>,
    /// The memberships.
    pub memberships: HashMap<(ImageId, TenantId), Membership>,
}

/// A membership to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The image.
    pub image: ImageId,
    /// The tenant.
    pub tenant: TenantId,
    /// What the membership becomes.
    pub becomes: Membership,
}

/// What becomes of a step's pairs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// One for each pair, in their order.
    pub outcomes: Vec<Outcome>,
    /// The memberships that change.
    pub changes: Vec<Change>,
    /// By how much each image's number of members changes; an image without a change is missing.
    pub growth: HashMap<ImageId, i32>,
}

/// Decides what becomes of the pairs of one step of a job.
pub fn decide(job: &Job, pairs: Range<usize>, known: &Known, limits: &Limits) -> Decision {
    let mut decision = Decision::default();
    for (image, tenant) in pairs.filter_map(|number| job.pair(number)) {
        let current = known.memberships.get(&(image.clone(), tenant.clone()));
        let members = decision.growth.get(image).copied().unwrap_or_default();
        match decide_pair(job, known.images.get(image), members, current, limits) {
            Err(failed) => decision.outcomes.push(failed),
            Ok(becomes) => {
                decision.outcomes.push(Outcome::Done);
                let Some(becomes) = becomes else { continue };
                let growth = i32::from(becomes.standing().is_some()) - i32::from(stands(current));
                if growth != 0 {
                    *decision.growth.entry(image.clone()).or_default() += growth;
                }
                decision.changes.push(Change { image: image.clone(), tenant: tenant.clone(), becomes });
            }
        }
    }
    decision.growth.retain(|_, growth| *growth != 0);
    decision
}

/// Decides that the pairs of a step are not attempted any more: those that are as the job wants them are done, the
/// others have failed, and nothing is written but that.
pub fn give_up(job: &Job, pairs: Range<usize>, known: &Known, limits: &Limits) -> Decision {
    let outcome = |number| {
        let decision = decide(job, number..number + 1, known, limits);
        if decision.changes.is_empty() { decision.outcomes.into_iter().next() } else { Some(Outcome::GaveUp) }
    };
    let outcomes = pairs.map(|number| outcome(number).unwrap_or(Outcome::GaveUp)).collect();
    Decision { outcomes, ..Decision::default() }
}

fn decide_pair(
    job: &Job,
    image: Option<&Image>,
    growth: i32,
    current: Option<&Membership>,
    limits: &Limits,
) -> Result<Option<Membership>, Outcome> {
    let stamp = job.id.0;
    match &job.task {
        // Before the image was deleted it may have been shared again, by a later request.
        Task::Unshare if image.is_none() => Ok(Membership::end(current, stamp)),
        Task::Unshare => Ok(Membership::unshare(current, stamp)),
        // Membership first: a stranger must not learn from the outcome whether the image exists.
        Task::Respond { status, .. } => {
            let becomes = Membership::answer(current, stamp, *status).map_err(|_| Outcome::NotAMember)?;
            image.map(|_| becomes).ok_or(Outcome::ImageGone)
        }
        Task::Share => {
            let image = image.ok_or(Outcome::ImageGone)?;
            if image.visibility != Visibility::Shared {
                return Err(Outcome::NotShareable);
            }
            let becomes = Membership::share(current, stamp);
            let begins = !stands(current) && becomes.as_ref().is_some_and(|m| m.standing().is_some());
            if begins && i64::from(image.members) + i64::from(growth) >= i64::from(limits.members_per_image) {
                return Err(Outcome::MemberLimit);
            }
            Ok(becomes)
        }
    }
}

fn stands(membership: Option<&Membership>) -> bool {
    membership.is_some_and(|membership| membership.standing().is_some())
}

/// What a recipient or an owner is shown of a membership that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The image.
    pub image: ImageId,
    /// With whom it is shared.
    pub tenant: TenantId,
    /// What the tenant has said.
    pub status: Status,
    /// When the sharing began.
    pub created: Timestamp,
    /// When the membership last changed.
    pub updated: Timestamp,
}

impl Member {
    /// A membership that stands and was last written at that moment.
    pub fn new(image: ImageId, tenant: TenantId, standing: &Standing, written: Timestamp) -> Self {
        let created = standing.since.time();
        Self { image, tenant, status: standing.status, created, updated: written.max(created) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Details, JobId, Stamp};

    fn job(task: Task, tenants: usize) -> Job {
        Job {
            id: JobId(Stamp::now()),
            creator: "owner".parse().unwrap(),
            task,
            images: vec!["image".parse().unwrap()],
            tenants: (0..tenants).map(|n| format!("t{n}").parse().unwrap()).collect(),
        }
    }

    fn known(visibility: Visibility, members: u32) -> Known {
        let now = Timestamp::now();
        let image = Image {
            id: "image".parse().unwrap(),
            owner: "owner".parse().unwrap(),
            visibility,
            details: Details::default(),
            members,
            created: now,
            updated: now,
            revision: 1,
        };
        Known { images: HashMap::from([(image.id.clone(), image)]), memberships: HashMap::new() }
    }

    fn limits(members_per_image: u32) -> Limits {
        Limits { members_per_image, ..Limits::default() }
    }

    #[test]
    fn the_limit_lets_in_as_many_as_there_is_room_for() {
        let decision = decide(&job(Task::Share, 4), 0..4, &known(Visibility::Shared, 3), &limits(5));
        let full = Outcome::MemberLimit;
        assert_eq!(decision.outcomes, [Outcome::Done, Outcome::Done, full, full]);
        assert_eq!(decision.growth.values().copied().collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn sharing_again_with_a_member_succeeds_at_the_limit() {
        let mut known = known(Visibility::Shared, 1);
        let earlier = Membership::share(None, Stamp::now()).unwrap();
        known.memberships.insert(("image".parse().unwrap(), "t0".parse().unwrap()), earlier);
        let decision = decide(&job(Task::Share, 2), 0..2, &known, &limits(1));
        assert_eq!(decision.outcomes, [Outcome::Done, Outcome::MemberLimit]);
        assert!(decision.growth.is_empty());
    }

    #[test]
    fn an_image_that_is_gone_or_private_is_not_shared() {
        let share = job(Task::Share, 1);
        assert_eq!(decide(&share, 0..1, &Known::default(), &limits(9)).outcomes, [Outcome::ImageGone]);
        let private = known(Visibility::Private, 0);
        let decision = decide(&share, 0..1, &private, &limits(9));
        assert_eq!((decision.outcomes.as_slice(), decision.changes.len()), (&[Outcome::NotShareable][..], 0));
    }

    #[test]
    fn an_unshare_works_on_an_image_that_is_gone() {
        let decision = decide(&job(Task::Unshare, 1), 0..1, &Known::default(), &limits(9));
        assert_eq!((decision.outcomes.as_slice(), decision.growth.len()), (&[Outcome::Done][..], 0));
    }

    #[test]
    fn nothing_stands_of_an_image_that_is_gone() {
        let unshare = job(Task::Unshare, 1);
        let (earlier, later) = (Membership::share(None, unshare.id.0), Stamp::now());
        let standing = Membership::share(earlier.as_ref(), later).unwrap();
        let mut known = Known::default();
        known.memberships.insert(("image".parse().unwrap(), "t0".parse().unwrap()), standing);
        let decision = decide(&unshare, 0..1, &known, &limits(9));
        assert_eq!(decision.changes[0].becomes, Membership::Ended(later));
        assert_eq!(decision.growth.values().copied().collect::<Vec<_>>(), [-1]);
    }

    #[test]
    fn giving_up_tells_what_is_so() {
        let mut known = known(Visibility::Shared, 1);
        let share = job(Task::Share, 2);
        let done = Membership::share(None, share.id.0).unwrap();
        known.memberships.insert(("image".parse().unwrap(), "t1".parse().unwrap()), done);
        let decision = give_up(&share, 0..2, &known, &limits(9));
        assert_eq!(decision.outcomes, [Outcome::GaveUp, Outcome::Done]);
        assert!(decision.changes.is_empty() && decision.growth.is_empty());
    }

    #[test]
    fn only_a_member_answers() {
        let respond = job(Task::Respond { status: Status::Accepted, vault: None }, 1);
        let decision = decide(&respond, 0..1, &known(Visibility::Shared, 0), &limits(9));
        assert_eq!((decision.outcomes.as_slice(), decision.changes.len()), (&[Outcome::NotAMember][..], 0));
    }
}
