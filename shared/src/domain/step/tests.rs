use std::collections::HashMap;

use super::*;
use crate::domain::{
    Details, Ended, Image, ImageId, Inbox, JobId, KeyGrant, Limits, Protection, Reservation, Status, Task,
    Tenant, Timestamp, Vault, VaultDetails, VaultStatus, Visibility,
};

fn job(task: Task, tenants: usize) -> Job {
    Job {
        id: JobId(Stamp::now()),
        creator: "owner".parse().unwrap(),
        task,
        images: vec!["image".parse().unwrap()],
        tenants: (0..tenants).map(|n| format!("t{n}").parse().unwrap()).collect(),
        accepted: Timestamp::now(),
        queues: Vec::new(),
    }
}

fn known(visibility: Visibility, members: u32) -> Known {
    let now = Timestamp::now();
    let image = Image {
        id: "image".parse().unwrap(),
        owner: "owner".parse().unwrap(),
        visibility,
        details: Details::default(),
        created: now,
        updated: now,
        revision: 1,
    };
    Known { images: HashMap::from([(image.id.clone(), image.head(members))]), ..Known::default() }
}

fn limits(members_per_image: u32) -> Limits {
    Limits { members_per_image, ..Limits::default() }
}

fn rules(limits: &Limits) -> Rules<'_> {
    Rules { limits, region: "here", directory_is_complete: false }
}

#[test]
fn the_limit_lets_in_as_many_as_there_is_room_for() {
    let decision = decide(&job(Task::Share, 4), 0..4, &known(Visibility::Shared, 3), rules(&limits(5)));
    let full = Outcome::MemberLimit;
    assert_eq!(decision.outcomes, [Outcome::Done, Outcome::Done, full, full]);
    assert_eq!(decision.members.values().copied().collect::<Vec<_>>(), [2]);
}

#[test]
fn who_finds_no_room_must_still_be_no_member() {
    let share = job(Task::Share, 2);
    let decision = decide(&share, 0..2, &known(Visibility::Shared, 0), rules(&limits(1)));
    assert_eq!(decision.outcomes, [Outcome::Done, Outcome::MemberLimit]);
    assert_eq!(decision.unchanged, [(share.images[0].clone(), share.tenants[1].clone())].into());
    let mut known = known(Visibility::Shared, 0);
    known.inboxes = (0..2).map(|n| (format!("t{n}").parse().unwrap(), Inbox::default())).collect();
    let limits = Limits { pending_per_tenant: 0, ..Limits::default() };
    let decision = decide(&share, 0..2, &known, rules(&limits));
    assert_eq!((decision.outcomes, decision.unchanged.len()), (vec![Outcome::PendingLimit; 2], 0));
}

#[test]
fn sharing_again_with_a_member_succeeds_at_the_limit() {
    let mut known = known(Visibility::Shared, 1);
    let earlier = Membership::share(None, Stamp::now()).unwrap();
    known.memberships.insert(("image".parse().unwrap(), "t0".parse().unwrap()), earlier);
    let decision = decide(&job(Task::Share, 2), 0..2, &known, rules(&limits(1)));
    assert_eq!(decision.outcomes, [Outcome::Done, Outcome::MemberLimit]);
    assert!(decision.members.is_empty());
}

#[test]
fn an_image_that_is_gone_or_private_is_not_shared() {
    let share = job(Task::Share, 1);
    assert_eq!(decide(&share, 0..1, &Known::default(), rules(&limits(9))).outcomes, [Outcome::ImageGone]);
    let private = known(Visibility::Private, 0);
    let decision = decide(&share, 0..1, &private, rules(&limits(9)));
    assert_eq!((decision.outcomes.as_slice(), decision.changes.len()), (&[Outcome::NotShareable][..], 0));
}

#[test]
fn an_unshare_works_on_an_image_that_is_gone() {
    let decision = decide(&job(Task::Unshare, 1), 0..1, &Known::default(), rules(&limits(9)));
    assert_eq!((decision.outcomes.as_slice(), decision.members.len()), (&[Outcome::Done][..], 0));
}

#[test]
fn nothing_stands_of_an_image_that_is_gone() {
    let unshare = job(Task::Unshare, 1);
    let (earlier, later) = (Membership::share(None, unshare.id.0), Stamp::now());
    let standing = Membership::share(earlier.as_ref(), later).unwrap();
    let mut known = Known::default();
    known.memberships.insert(("image".parse().unwrap(), "t0".parse().unwrap()), standing);
    let decision = decide(&unshare, 0..1, &known, rules(&limits(9)));
    assert_eq!(
        decision.changes[0].becomes,
        Membership::Ended(Ended { unshared: later, answered: None, stood: true })
    );
    assert_eq!(decision.members.values().copied().collect::<Vec<_>>(), [-1]);
}

#[test]
fn giving_up_tells_what_is_so() {
    let mut known = known(Visibility::Shared, 1);
    let share = job(Task::Share, 2);
    let done = Membership::share(None, share.id.0).unwrap();
    known.memberships.insert(("image".parse().unwrap(), "t1".parse().unwrap()), done);
    let decision = give_up(&share, 0..2, &known, rules(&limits(9)));
    assert_eq!(decision.outcomes, [Outcome::GaveUp, Outcome::Done]);
    assert!(decision.changes.is_empty() && decision.members.is_empty());
}

#[test]
fn only_a_member_answers() {
    let respond = job(Task::Respond { status: Status::Accepted, vault: None }, 1);
    let decision = decide(&respond, 0..1, &known(Visibility::Shared, 0), rules(&limits(9)));
    assert_eq!((decision.outcomes.as_slice(), decision.changes.len()), (&[Outcome::NotAMember][..], 0));
}

fn made_with(known: &mut Known, properties: &[(&str, &str)]) {
    let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let details = Details { properties: properties.collect(), ..Details::default() };
    for image in known.images.values_mut() {
        image.make = details.make();
    }
}

fn outcome(job: &Job, known: &Known) -> Outcome {
    decide(job, 0..1, known, rules(&limits(9))).outcomes[0]
}

#[test]
fn an_encrypted_image_is_shared_with_whom_its_key_is_granted_to() {
    let share = job(Task::Share, 2);
    let mut known = known(Visibility::Shared, 0);
    made_with(&mut known, &[("__system__cmkid", "key")]);
    let pairs = || share.tenants.iter().map(|tenant| (&share.images[0], tenant));
    let [t0, t1] = ["t0", "t1"].map(|tenant| KeyGrant {
        owner: "owner".parse().unwrap(),
        key: "key".parse().unwrap(),
        tenant: tenant.parse().unwrap(),
    });
    assert_eq!(needed(&share.task, pairs(), &known).grants, [t0, t1.clone()].into());
    known.grants.insert(t1.clone());
    let decision = decide(&share, 0..2, &known, rules(&limits(9)));
    assert_eq!(decision.outcomes, [Outcome::KeyNotGranted, Outcome::Done]);
    assert_eq!((decision.grants, decision.changes.len()), ([t1].into(), 1));
}

#[test]
fn who_is_a_member_stays_one_without_a_grant() {
    let mut known = known(Visibility::Shared, 1);
    made_with(&mut known, &[("__system__cmkid", "key")]);
    let earlier = Membership::share(None, Stamp::now()).unwrap();
    known.memberships.insert(("image".parse().unwrap(), "t0".parse().unwrap()), earlier);
    assert_eq!(outcome(&job(Task::Share, 1), &known), Outcome::Done);
}

#[test]
fn what_cannot_be_shared_is_not() {
    let mut known = known(Visibility::Shared, 0);
    let cases: [(&[(&str, &str)], Outcome); 3] = [
        (&[("__system__encrypted", "1")], Outcome::DefaultKey),
        (&[("__whole_image", "true")], Outcome::NotFromBackup),
        (&[("__whole_image", "true"), ("__backup_id", "b")], Outcome::Done),
    ];
    for (properties, wanted) in cases {
        made_with(&mut known, properties);
        assert_eq!(outcome(&job(Task::Share, 1), &known), wanted, "{properties:?}");
    }
}

#[test]
fn a_full_ecs_image_has_a_limit_of_its_own() {
    let mut known = known(Visibility::Shared, 10);
    made_with(&mut known, &[("__whole_image", "true"), ("__backup_id", "b")]);
    let decision = decide(&job(Task::Share, 1), 0..1, &known, rules(&Limits::default()));
    assert_eq!(decision.outcomes, [Outcome::MemberLimit]);
}

#[test]
fn who_is_of_another_region_or_unknown_to_a_complete_directory_receives_nothing() {
    let mut known = known(Visibility::Shared, 0);
    let share = job(Task::Share, 1);
    let mut tenant = |region: Option<&str>| {
        let tenant = Tenant { region: region.map(str::to_owned), ..Tenant::default() };
        known.tenants = [("t0".parse().unwrap(), tenant)].into();
        let limits = limits(9);
        let complete = Rules { directory_is_complete: true, ..rules(&limits) };
        [rules(&limits), complete].map(|rules| decide(&share, 0..1, &known, rules).outcomes[0])
    };
    assert_eq!(tenant(Some("here")), [Outcome::Done; 2]);
    assert_eq!(tenant(Some("there")), [Outcome::OtherRegion; 2]);
    assert_eq!(tenant(None), [Outcome::Done, Outcome::UnknownTenant]);
}

#[test]
fn no_more_images_wait_for_an_answer_than_may() {
    let mut share = job(Task::Share, 1);
    let mut known = known(Visibility::Shared, 0);
    let mut second = known.images.values().next().unwrap().clone();
    second.id = "second".parse().unwrap();
    share.images.push(second.id.clone());
    known.images.insert(second.id.clone(), second);
    let inbox = Inbox { waiting: 4, of_owner: [("owner".parse().unwrap(), 1)].into() };
    known.inboxes = [("t0".parse().unwrap(), inbox)].into();
    let outcomes = |pending_per_tenant, pending_per_owner| {
        let limits = Limits { pending_per_tenant, pending_per_owner, ..Limits::default() };
        let decision = decide(&share, 0..2, &known, rules(&limits));
        let pair = ("t0".parse().unwrap(), "owner".parse().unwrap());
        assert_eq!(decision.pending, [(pair, 1)].into());
        decision.outcomes
    };
    assert_eq!(outcomes(5, 9), [Outcome::Done, Outcome::PendingLimit]);
    assert_eq!(outcomes(9, 2), [Outcome::Done, Outcome::OwnerPendingLimit]);
}

/// What `t0` is to an image that was shared, answered after it was shared again, and unshared in between: a share that
/// comes last finds the answer.
fn answered_before_the_share(status: Status) -> (Membership, Job) {
    let (unshared, share, answered) = (Stamp::now(), job(Task::Share, 1), Stamp::now());
    let shared = Membership::share(None, Stamp::first_of(Timestamp::from_unix_millis(0)));
    let known = Membership::answer(shared.as_ref(), answered, status).unwrap();
    (Membership::unshare(known.as_ref(), unshared).unwrap(), share)
}

#[test]
fn what_was_answered_already_does_not_wait() {
    let limits = Limits { pending_per_tenant: 0, ..Limits::default() };
    for status in [Status::Accepted, Status::Rejected] {
        let mut known = known(Visibility::Shared, 0);
        known.inboxes = [("t0".parse().unwrap(), Inbox::default())].into();
        let (ended, share) = answered_before_the_share(status);
        known.memberships.insert(("image".parse().unwrap(), "t0".parse().unwrap()), ended);
        let decision = decide(&share, 0..1, &known, rules(&limits));
        assert_eq!(
            (decision.outcomes[0], decision.changes[0].becomes.status()),
            (Outcome::Done, Some(status))
        );
        assert_eq!(decision.pending.len(), 0);
    }
}

#[test]
fn a_full_ecs_image_waits_again_though_it_was_answered_already() {
    let mut known = waiting_for_a_vault();
    let (ended, share) = answered_before_the_share(Status::Accepted);
    known.memberships.insert(("image".parse().unwrap(), "t0".parse().unwrap()), ended);
    let decision = decide(&share, 0..1, &known, rules(&limits(9)));
    let becomes = &decision.changes[0].becomes;
    assert_eq!((becomes.is_pending(), decision.reserved_gib.len()), (true, 0));
    assert_eq!(decision.pending.values().sum::<i32>(), 1);
    let accepted = Membership::answer(Some(becomes), Stamp::now(), Status::Accepted).unwrap().unwrap();
    assert_eq!(accepted.status(), Some(Status::Accepted));
}

#[test]
fn a_late_unshare_resets_an_answer_though_too_many_images_wait() {
    let (first, unshare) = (Membership::share(None, Stamp::now()), job(Task::Unshare, 1));
    let accepted = Membership::answer(first.as_ref(), Stamp::now(), Status::Accepted).unwrap();
    let again = Membership::share(accepted.as_ref(), Stamp::now()).unwrap();
    let mut known = known(Visibility::Shared, 1);
    known.memberships.insert(("image".parse().unwrap(), "t0".parse().unwrap()), again);
    known.inboxes = [("t0".parse().unwrap(), Inbox::default())].into();
    let limits = Limits { pending_per_tenant: 0, ..Limits::default() };
    let decision = decide(&unshare, 0..1, &known, rules(&limits));
    assert_eq!((decision.outcomes[0], decision.pending.values().sum::<i32>()), (Outcome::Overtaken, 1));
}

/// A full-ECS image of 60 GiB that waits for an answer of `t0`, who has a vault with room for 100, and a smaller one.
fn waiting_for_a_vault() -> Known {
    let mut known = known(Visibility::Shared, 1);
    let made = [("__whole_image", "true"), ("__backup_id", "b"), ("__system_disk_backup_gib", "60")];
    made_with(&mut known, &made);
    let pair = ("image".parse().unwrap(), "t0".parse().unwrap());
    known.memberships.insert(pair, Membership::share(None, Stamp::now()).unwrap());
    for (id, capacity_gib) in [("large", 100), ("small", 10)] {
        let details =
            VaultDetails { protection: Protection::Backup, status: VaultStatus::Available, capacity_gib };
        let vault = Vault { details, reserved_gib: 0, revision: Stamp::now() };
        known.vaults.insert(("t0".parse().unwrap(), id.parse().unwrap()), vault);
    }
    known
}

fn accept_into(vault: Option<&str>) -> Job {
    job(Task::Respond { status: Status::Accepted, vault: vault.map(|id| id.parse().unwrap()) }, 1)
}

#[test]
fn a_full_ecs_image_is_accepted_into_a_vault_with_room() {
    let known = waiting_for_a_vault();
    let accept = accept_into(Some("large"));
    let pair = (&accept.images[0], &accept.tenants[0]);
    let large = ("t0".parse().unwrap(), "large".parse().unwrap());
    assert_eq!(needed(&accept.task, [pair], &known).vaults, [large.clone()].into());
    let decision = decide(&accept, 0..1, &known, rules(&limits(9)));
    assert_eq!((decision.outcomes[0], &decision.reserved_gib), (Outcome::Done, &[(large, 60)].into()));
    assert_eq!(outcome(&accept_into(None), &known), Outcome::NoVault);
    assert_eq!(outcome(&accept_into(Some("none")), &known), Outcome::NoVault);
    assert_eq!(outcome(&accept_into(Some("small")), &known), Outcome::VaultFull);
}

#[test]
fn what_was_reserved_is_given_back() {
    let mut known = waiting_for_a_vault();
    let pair: (ImageId, TenantId) = ("image".parse().unwrap(), "t0".parse().unwrap());
    let accepted = Membership::answer(known.memberships.get(&pair), Stamp::now(), Status::Accepted);
    let held = Reservation { vault: "large".parse().unwrap(), gib: 50 };
    known.memberships.insert(pair, accepted.unwrap().unwrap().reserving(held));
    let vault = |id: &str| ("t0".parse().unwrap(), id.parse().unwrap());
    let reserved = |job: &Job, known: &Known| decide(job, 0..1, known, rules(&limits(9))).reserved_gib;
    let reject = job(Task::Respond { status: Status::Rejected, vault: None }, 1);
    assert_eq!(reserved(&reject, &known), [(vault("large"), -50)].into());
    assert_eq!(reserved(&job(Task::Unshare, 1), &known), [(vault("large"), -50)].into());
    assert_eq!(reserved(&accept_into(None), &known), [].into(), "it holds what it needs");
    assert_eq!(reserved(&accept_into(Some("large")), &known), [].into());
    for vault in known.vaults.values_mut() {
        vault.details.capacity_gib = 100;
    }
    let moved = [(vault("large"), -50), (vault("small"), 60)].into();
    assert_eq!(reserved(&accept_into(Some("small")), &known), moved);
}

#[test]
fn a_step_is_no_larger_than_a_transaction() {
    let mut known = known(Visibility::Shared, 0);
    made_with(&mut known, &[("__system__cmkid", "key")]);
    let share = job(Task::Share, 60);
    known.grants.extend(share.tenants.iter().map(|tenant| KeyGrant {
        owner: "owner".parse().unwrap(),
        key: "key".parse().unwrap(),
        tenant: tenant.clone(),
    }));
    let decision = decide(&share, 0..60, &known, rules(&limits(9000)));
    assert!(decision.items() <= ITEMS_PER_STEP && decision.outcomes.len() >= 30, "{decision:?}");
    assert_eq!(decision.outcomes.len(), decision.changes.len());
}

#[test]
fn an_overtaken_pair_is_no_success_and_no_failure() {
    let [share, later, latest] = [(); 3].map(|()| job(Task::Share, 1));
    let pair = ("image".parse().unwrap(), "t0".parse().unwrap());
    let outcome_of = |task: Task, membership: Membership| {
        let mut known = known(Visibility::Shared, 1);
        known.memberships.insert(pair.clone(), membership);
        outcome(&Job { task, ..share.clone() }, &known)
    };
    let shared = Membership::share(None, later.id.0).unwrap();
    let withdrawn = Membership::unshare(Some(&shared), latest.id.0).unwrap();
    let accepted = Membership::answer(Some(&shared), latest.id.0, Status::Accepted).unwrap().unwrap();
    let respond = |status| Task::Respond { status, vault: None };
    assert_eq!(outcome_of(Task::Share, withdrawn.clone()), Outcome::Overtaken);
    assert_eq!(outcome_of(Task::Unshare, shared.clone()), Outcome::Overtaken);
    assert_eq!(outcome_of(respond(Status::Accepted), withdrawn), Outcome::Overtaken);
    assert_eq!(outcome_of(respond(Status::Rejected), accepted.clone()), Outcome::Overtaken);
    assert_eq!(outcome_of(respond(Status::Accepted), accepted), Outcome::Done);
    let stranger = Membership::unshare(None, latest.id.0).unwrap();
    assert_eq!(outcome_of(respond(Status::Accepted), stranger), Outcome::NotAMember, "it learns nothing");
    assert!(!Outcome::Overtaken.is_failure() && Outcome::NotAMember.is_failure());
}
