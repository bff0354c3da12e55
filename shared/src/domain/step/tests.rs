use std::collections::HashMap;

use super::*;
use crate::domain::{
    Details, Ended, Image, ImageId, Inbox, JobId, KeyGrant, Limits, Membership, Protection, Reservation,
    Status, Task, Tenant, Timestamp, Vault, VaultDetails, VaultStatus, Visibility,
};

fn job(task: Task, tenants: usize) -> Job {
    Job {
        id: JobId(Stamp::now()),
        creator: "owner".parse().unwrap(),
        task,
        images: vec!["image".parse().unwrap()],
        tenants: (0..tenants).map(|n| format!("t{n}").parse().unwrap()).collect(),
        accepted_at: Timestamp::now(),
        queues: Vec::new(),
        may_repeat: false,
    }
}

fn step_input(visibility: Visibility, members: u32) -> StepInput {
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
    StepInput { images: HashMap::from([(image.id.clone(), image.head(members))]), ..StepInput::default() }
}

fn limits(members_per_image: u32) -> Limits {
    Limits { members_per_image, ..Limits::default() }
}

fn rules(limits: &Limits) -> Rules<'_> {
    Rules { limits, region: "here", directory_is_complete: false }
}

/// The pairs that do not change, but whose memberships must be as they were read.
fn checked_pairs(plan: &Plan) -> Vec<(ImageId, TenantId)> {
    let changes = |image: &ImageId, tenant: &TenantId| {
        plan.changes.iter().any(|change| change.image == *image && change.tenant == *tenant)
    };
    let items = plan.guards.by_item().filter_map(|(item, _)| match item {
        PlanItem::Membership(image, tenant) if !changes(image, tenant) => {
            Some((image.clone(), tenant.clone()))
        }
        _ => None,
    });
    items.collect()
}

#[test]
fn member_limit_admits_only_remaining_capacity() {
    let result = plan(&job(Task::Share, 4), 0..4, &step_input(Visibility::Shared, 3), rules(&limits(5)));
    let full = Outcome::MemberLimit;
    assert_eq!(result.outcomes, [Outcome::Done, Outcome::Done, full, full]);
    assert_eq!(result.member_deltas.values().copied().collect::<Vec<_>>(), [2]);
}

#[test]
fn member_limit_failure_requires_unchanged_pair() {
    let share = job(Task::Share, 2);
    let result = plan(&share, 0..2, &step_input(Visibility::Shared, 0), rules(&limits(1)));
    assert_eq!(result.outcomes, [Outcome::Done, Outcome::MemberLimit]);
    assert_eq!(checked_pairs(&result), [(share.images[0].clone(), share.tenants[1].clone())]);
    let mut input = step_input(Visibility::Shared, 0);
    input.inboxes = (0..2).map(|n| (format!("t{n}").parse().unwrap(), Inbox::default())).collect();
    let limits = Limits { pending_per_tenant: 0, ..Limits::default() };
    let result = plan(&share, 0..2, &input, rules(&limits));
    assert_eq!((&result.outcomes, checked_pairs(&result).len()), (&vec![Outcome::PendingLimit; 2], 0));
}

#[test]
fn region_failure_requires_unchanged_pair() {
    let share = job(Task::Share, 1);
    let mut input = step_input(Visibility::Shared, 0);
    let elsewhere = Tenant { region: Some("there".to_owned()), ..Tenant::default() };
    input.tenants = [("t0".parse().unwrap(), elsewhere)].into();
    let result = plan(&share, 0..1, &input, rules(&limits(9)));
    assert_eq!(result.outcomes, [Outcome::OtherRegion]);
    assert_eq!(checked_pairs(&result), [(share.images[0].clone(), share.tenants[0].clone())]);
}

#[test]
fn resharing_with_member_succeeds_at_limit() {
    let mut input = step_input(Visibility::Shared, 1);
    let earlier = Membership::share(None, Stamp::now()).unwrap();
    input.memberships.insert(("image".parse().unwrap(), "t0".parse().unwrap()), earlier);
    let result = plan(&job(Task::Share, 2), 0..2, &input, rules(&limits(1)));
    assert_eq!(result.outcomes, [Outcome::Done, Outcome::MemberLimit]);
    assert!(result.member_deltas.is_empty());
}

#[test]
fn deleted_or_private_image_is_not_shared() {
    let share = job(Task::Share, 1);
    assert_eq!(
        plan(&share, 0..1, &StepInput::default(), rules(&limits(9))).outcomes,
        [Outcome::ImageDeleted]
    );
    let private = step_input(Visibility::Private, 0);
    let result = plan(&share, 0..1, &private, rules(&limits(9)));
    assert_eq!((result.outcomes.as_slice(), result.changes.len()), (&[Outcome::NotShareable][..], 0));
}

#[test]
fn unshare_of_deleted_image_succeeds() {
    let result = plan(&job(Task::Unshare, 1), 0..1, &StepInput::default(), rules(&limits(9)));
    assert_eq!((result.outcomes.as_slice(), result.member_deltas.len()), (&[Outcome::Done][..], 0));
}

#[test]
fn unshare_of_deleted_image_ends_later_shares() {
    let unshare = job(Task::Unshare, 1);
    let (earlier, later) = (Membership::share(None, unshare.id.0), Stamp::now());
    let active = Membership::share(earlier.as_ref(), later).unwrap();
    let mut input = StepInput::default();
    input.memberships.insert(("image".parse().unwrap(), "t0".parse().unwrap()), active);
    let result = plan(&unshare, 0..1, &input, rules(&limits(9)));
    assert_eq!(
        result.changes[0].membership,
        Membership::Ended(Ended { unshared: later, decision: None, was_active: true })
    );
    assert_eq!(result.member_deltas.values().copied().collect::<Vec<_>>(), [-1]);
}

#[test]
fn plan_failure_reports_completed_pairs_as_done() {
    let mut input = step_input(Visibility::Shared, 1);
    let share = job(Task::Share, 2);
    let done = Membership::share(None, share.id.0).unwrap();
    input.memberships.insert(("image".parse().unwrap(), "t1".parse().unwrap()), done);
    let result = plan_failure(&share, 0..2, &input, rules(&limits(9)));
    assert_eq!(result.outcomes, [Outcome::RetriesExhausted, Outcome::Done]);
    assert!(result.changes.is_empty() && result.member_deltas.is_empty());
}

#[test]
fn non_member_cannot_respond() {
    let respond = job(Task::Respond { status: Status::Accepted, vault: None }, 1);
    let result = plan(&respond, 0..1, &step_input(Visibility::Shared, 0), rules(&limits(9)));
    assert_eq!((result.outcomes.as_slice(), result.changes.len()), (&[Outcome::NotAMember][..], 0));
}

fn set_properties(input: &mut StepInput, properties: &[(&str, &str)]) {
    let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let details = Details { properties: properties.collect(), ..Details::default() };
    for image in input.images.values_mut() {
        image.spec = details.spec();
    }
}

fn outcome(job: &Job, input: &StepInput) -> Outcome {
    plan(job, 0..1, input, rules(&limits(9))).outcomes[0]
}

#[test]
fn encrypted_image_requires_key_grant() {
    let share = job(Task::Share, 2);
    let mut input = step_input(Visibility::Shared, 0);
    set_properties(&mut input, &[("__system__cmkid", "key")]);
    let pairs = || share.tenants.iter().map(|tenant| (&share.images[0], tenant));
    let [t0, t1] = ["t0", "t1"].map(|tenant| KeyGrant {
        owner: "owner".parse().unwrap(),
        key: "key".parse().unwrap(),
        tenant: tenant.parse().unwrap(),
    });
    assert_eq!(extra_reads(&share.task, pairs(), &input).key_grants, [t0, t1.clone()].into());
    input.key_grants.insert(t1.clone());
    let result = plan(&share, 0..2, &input, rules(&limits(9)));
    assert_eq!(result.outcomes, [Outcome::KeyNotGranted, Outcome::Done]);
    assert!(result.guards.contains(&Guard::KeyGrantExists(t1)));
    assert_eq!(result.changes.len(), 1);
}

#[test]
fn existing_member_needs_no_key_grant() {
    let mut input = step_input(Visibility::Shared, 1);
    set_properties(&mut input, &[("__system__cmkid", "key")]);
    let earlier = Membership::share(None, Stamp::now()).unwrap();
    input.memberships.insert(("image".parse().unwrap(), "t0".parse().unwrap()), earlier);
    assert_eq!(outcome(&job(Task::Share, 1), &input), Outcome::Done);
}

#[test]
fn unshareable_image_kinds_are_rejected() {
    let mut input = step_input(Visibility::Shared, 0);
    let cases: [(&[(&str, &str)], Outcome); 5] = [
        (&[("__system__encrypted", "1")], Outcome::DefaultKey),
        (&[("__whole_image", "true")], Outcome::NotFromBackup),
        (&[("__whole_image", "true"), ("__backup_id", "b")], Outcome::NotFromBackup),
        (
            &[("__whole_image", "true"), ("__backup_id", "b"), ("__system_disk_backup_gib", "0")],
            Outcome::NotFromBackup,
        ),
        (&[("__whole_image", "true"), ("__backup_id", "b"), ("__data_disk_backup_gib", "1")], Outcome::Done),
    ];
    for (properties, wanted) in cases {
        set_properties(&mut input, properties);
        assert_eq!(outcome(&job(Task::Share, 1), &input), wanted, "{properties:?}");
    }
}

#[test]
fn full_ecs_image_has_its_own_member_limit() {
    let mut input = step_input(Visibility::Shared, 10);
    let properties = [("__whole_image", "true"), ("__backup_id", "b"), ("__system_disk_backup_gib", "1")];
    set_properties(&mut input, &properties);
    let result = plan(&job(Task::Share, 1), 0..1, &input, rules(&Limits::default()));
    assert_eq!(result.outcomes, [Outcome::MemberLimit]);
}

#[test]
fn other_region_or_unknown_tenant_is_rejected() {
    let mut input = step_input(Visibility::Shared, 0);
    let share = job(Task::Share, 1);
    let mut tenant = |region: Option<&str>| {
        let tenant = Tenant { region: region.map(str::to_owned), ..Tenant::default() };
        input.tenants = [("t0".parse().unwrap(), tenant)].into();
        let limits = limits(9);
        let complete = Rules { directory_is_complete: true, ..rules(&limits) };
        [rules(&limits), complete].map(|rules| plan(&share, 0..1, &input, rules).outcomes[0])
    };
    assert_eq!(tenant(Some("here")), [Outcome::Done; 2]);
    assert_eq!(tenant(Some("there")), [Outcome::OtherRegion; 2]);
    assert_eq!(tenant(None), [Outcome::Done, Outcome::UnknownTenant]);
}

#[test]
fn pending_limits_are_enforced_within_a_step() {
    let mut share = job(Task::Share, 1);
    let mut input = step_input(Visibility::Shared, 0);
    let mut second = input.images.values().next().unwrap().clone();
    second.id = "second".parse().unwrap();
    share.images.push(second.id.clone());
    input.images.insert(second.id.clone(), second);
    let inbox = Inbox { pending: 4, pending_by_owner: [("owner".parse().unwrap(), 1)].into() };
    input.inboxes = [("t0".parse().unwrap(), inbox)].into();
    let outcomes = |pending_per_tenant, pending_per_owner| {
        let limits = Limits { pending_per_tenant, pending_per_owner, ..Limits::default() };
        let result = plan(&share, 0..2, &input, rules(&limits));
        let pair = ("t0".parse().unwrap(), "owner".parse().unwrap());
        assert_eq!(result.pending_deltas, [(pair, 1)].into());
        result.outcomes
    };
    assert_eq!(outcomes(5, 9), [Outcome::Done, Outcome::PendingLimit]);
    assert_eq!(outcomes(9, 2), [Outcome::Done, Outcome::OwnerPendingLimit]);
}

/// The membership of `t0` in an image that was shared, unshared, and decided on afterwards; and the job of a second
/// share, between the unshare and the decision, that is executed last.
fn ended_with_newer_decision(status: Status) -> (Membership, Job) {
    let (unshared, share, decided_at) = (Stamp::now(), job(Task::Share, 1), Stamp::now());
    let shared = Membership::share(None, Stamp::first_of(Timestamp::from_unix_millis(0)));
    let decided = Membership::decide(shared.as_ref(), decided_at, status).unwrap();
    (Membership::unshare(decided.as_ref(), unshared).unwrap(), share)
}

#[test]
fn decided_share_ignores_pending_limit() {
    let limits = Limits { pending_per_tenant: 0, ..Limits::default() };
    for status in [Status::Accepted, Status::Rejected] {
        let mut input = step_input(Visibility::Shared, 0);
        input.inboxes = [("t0".parse().unwrap(), Inbox::default())].into();
        let (ended, share) = ended_with_newer_decision(status);
        input.memberships.insert(("image".parse().unwrap(), "t0".parse().unwrap()), ended);
        let result = plan(&share, 0..1, &input, rules(&limits));
        assert_eq!(
            (result.outcomes[0], result.changes[0].membership.status()),
            (Outcome::Done, Some(status))
        );
        assert_eq!(result.pending_deltas.len(), 0);
    }
}

#[test]
fn reshared_full_ecs_image_is_pending_despite_decision() {
    let mut input = pending_full_ecs_image();
    let (ended, share) = ended_with_newer_decision(Status::Accepted);
    input.memberships.insert(("image".parse().unwrap(), "t0".parse().unwrap()), ended);
    let result = plan(&share, 0..1, &input, rules(&limits(9)));
    let membership = &result.changes[0].membership;
    assert_eq!((membership.is_pending(), result.reserved_gib_deltas.len()), (true, 0));
    assert_eq!(result.pending_deltas.values().sum::<i32>(), 1);
    let accepted = Membership::decide(Some(membership), Stamp::now(), Status::Accepted).unwrap().unwrap();
    assert_eq!(accepted.status(), Some(Status::Accepted));
}

#[test]
fn late_unshare_resets_decision_beyond_pending_limit() {
    let (first, unshare) = (Membership::share(None, Stamp::now()), job(Task::Unshare, 1));
    let accepted = Membership::decide(first.as_ref(), Stamp::now(), Status::Accepted).unwrap();
    let again = Membership::share(accepted.as_ref(), Stamp::now()).unwrap();
    let mut input = step_input(Visibility::Shared, 1);
    input.memberships.insert(("image".parse().unwrap(), "t0".parse().unwrap()), again);
    input.inboxes = [("t0".parse().unwrap(), Inbox::default())].into();
    let limits = Limits { pending_per_tenant: 0, ..Limits::default() };
    let result = plan(&unshare, 0..1, &input, rules(&limits));
    assert_eq!((result.outcomes[0], result.pending_deltas.values().sum::<i32>()), (Outcome::Superseded, 1));
}

/// A full-ECS image of 60 GiB that is pending for `t0`, which has a vault with room for 100 GiB and a smaller one.
fn pending_full_ecs_image() -> StepInput {
    let mut input = step_input(Visibility::Shared, 1);
    let properties = [("__whole_image", "true"), ("__backup_id", "b"), ("__system_disk_backup_gib", "60")];
    set_properties(&mut input, &properties);
    let pair = ("image".parse().unwrap(), "t0".parse().unwrap());
    input.memberships.insert(pair, Membership::share(None, Stamp::now()).unwrap());
    for (id, capacity_gib) in [("large", 100), ("small", 10)] {
        let details =
            VaultDetails { protection: Protection::Backup, status: VaultStatus::Available, capacity_gib };
        let vault = Vault { details, reserved_gib: 0, revision: Stamp::now() };
        input.vaults.insert(("t0".parse().unwrap(), id.parse().unwrap()), vault);
    }
    input
}

fn accept_into(vault: Option<&str>) -> Job {
    job(Task::Respond { status: Status::Accepted, vault: vault.map(|id| id.parse().unwrap()) }, 1)
}

#[test]
fn full_ecs_image_is_accepted_into_vault_with_capacity() {
    let input = pending_full_ecs_image();
    let accept = accept_into(Some("large"));
    let pair = (&accept.images[0], &accept.tenants[0]);
    let large = ("t0".parse().unwrap(), "large".parse().unwrap());
    assert_eq!(extra_reads(&accept.task, [pair], &input).vaults, [large.clone()].into());
    let result = plan(&accept, 0..1, &input, rules(&limits(9)));
    assert_eq!((result.outcomes[0], &result.reserved_gib_deltas), (Outcome::Done, &[(large, 60)].into()));
    assert_eq!(outcome(&accept_into(None), &input), Outcome::NoVault);
    assert_eq!(outcome(&accept_into(Some("none")), &input), Outcome::NoVault);
    assert_eq!(outcome(&accept_into(Some("small")), &input), Outcome::VaultFull);
}

#[test]
fn reservation_is_released() {
    let mut input = pending_full_ecs_image();
    let pair: (ImageId, TenantId) = ("image".parse().unwrap(), "t0".parse().unwrap());
    let accepted = Membership::decide(input.memberships.get(&pair), Stamp::now(), Status::Accepted);
    let held = Reservation { vault: "large".parse().unwrap(), gib: 50 };
    input.memberships.insert(pair, accepted.unwrap().unwrap().with_reservation(held));
    let vault = |id: &str| ("t0".parse().unwrap(), id.parse().unwrap());
    let reserved =
        |job: &Job, input: &StepInput| plan(job, 0..1, input, rules(&limits(9))).reserved_gib_deltas;
    let reject = job(Task::Respond { status: Status::Rejected, vault: None }, 1);
    assert_eq!(reserved(&reject, &input), [(vault("large"), -50)].into());
    assert_eq!(reserved(&job(Task::Unshare, 1), &input), [(vault("large"), -50)].into());
    assert_eq!(reserved(&accept_into(None), &input), [].into(), "it holds what it needs");
    assert_eq!(reserved(&accept_into(Some("large")), &input), [].into());
    for vault in input.vaults.values_mut() {
        vault.details.capacity_gib = 100;
    }
    let moved = [(vault("large"), -50), (vault("small"), 60)].into();
    assert_eq!(reserved(&accept_into(Some("small")), &input), moved);
}

#[test]
fn step_fits_in_one_transaction() {
    let mut input = step_input(Visibility::Shared, 0);
    set_properties(&mut input, &[("__system__cmkid", "key")]);
    let share = job(Task::Share, 60);
    input.key_grants.extend(share.tenants.iter().map(|tenant| KeyGrant {
        owner: "owner".parse().unwrap(),
        key: "key".parse().unwrap(),
        tenant: tenant.clone(),
    }));
    let result = plan(&share, 0..60, &input, rules(&limits(9000)));
    assert!(result.item_count() <= MAX_ITEMS_PER_PLAN && result.outcomes.len() >= 30, "{result:?}");
    // Each pair has two items of its own, and the image is one more: another pair does not fit.
    assert_eq!(result.item_count(), 2 * result.outcomes.len() + 1);
    assert!(result.item_count() + 2 > MAX_ITEMS_PER_PLAN, "{result:?}");
    assert_eq!(result.outcomes.len(), result.changes.len());
}

#[test]
fn superseded_pair_is_neither_success_nor_failure() {
    let [share, later, latest] = [(); 3].map(|()| job(Task::Share, 1));
    let pair = ("image".parse().unwrap(), "t0".parse().unwrap());
    let outcome_of = |task: Task, membership: Membership| {
        let mut input = step_input(Visibility::Shared, 1);
        input.memberships.insert(pair.clone(), membership);
        outcome(&Job { task, ..share.clone() }, &input)
    };
    let shared = Membership::share(None, later.id.0).unwrap();
    let withdrawn = Membership::unshare(Some(&shared), latest.id.0).unwrap();
    let accepted = Membership::decide(Some(&shared), latest.id.0, Status::Accepted).unwrap().unwrap();
    let respond = |status| Task::Respond { status, vault: None };
    assert_eq!(outcome_of(Task::Share, withdrawn.clone()), Outcome::Superseded);
    assert_eq!(outcome_of(Task::Unshare, shared.clone()), Outcome::Superseded);
    assert_eq!(outcome_of(respond(Status::Accepted), withdrawn), Outcome::Superseded);
    assert_eq!(outcome_of(respond(Status::Rejected), accepted.clone()), Outcome::Superseded);
    assert_eq!(outcome_of(respond(Status::Accepted), accepted), Outcome::Done);
    let stranger = Membership::unshare(None, latest.id.0).unwrap();
    assert_eq!(outcome_of(respond(Status::Accepted), stranger), Outcome::NotAMember, "it learns nothing");
    assert!(!Outcome::Superseded.is_failure() && Outcome::NotAMember.is_failure());
}

#[test]
fn acceptance_without_backup_size_still_guards_its_vault() {
    let mut input = pending_full_ecs_image();
    set_properties(&mut input, &[("__whole_image", "true"), ("__backup_id", "b")]);
    let result = plan(&accept_into(Some("large")), 0..1, &input, rules(&limits(9)));
    let key = ("t0".parse().unwrap(), "large".parse().unwrap());
    let (revision, capacity_gib) = (input.vaults[&key].revision, 100);
    assert_eq!(result.outcomes, [Outcome::Done]);
    assert!(result.guards.contains(&Guard::VaultRoom { vault: key, revision, capacity_gib }));
}

#[test]
fn every_change_and_every_count_has_a_guard() {
    let mut input = pending_full_ecs_image();
    let accepted = plan(&accept_into(Some("large")), 0..1, &input, rules(&limits(9)));
    let pair: (ImageId, TenantId) = ("image".parse().unwrap(), "t0".parse().unwrap());
    input.memberships.insert(pair.clone(), accepted.changes[0].membership.clone());
    let ended = plan(&job(Task::Unshare, 1), 0..1, &input, rules(&limits(9)));
    for plan in [accepted, ended] {
        let items = plan
            .changes
            .iter()
            .map(|change| PlanItem::Membership(change.image.clone(), change.tenant.clone()));
        let items = items.chain(plan.member_deltas.keys().cloned().map(PlanItem::ImageHead));
        for item in items.chain(plan.reserved_gib_deltas.keys().cloned().map(PlanItem::Vault)) {
            assert!(
                plan.guards.by_item().any(|(guarded, guards)| *guarded == item && !guards.is_empty()),
                "{item:?}"
            );
        }
    }
}

/// The transition of a task on the only pair, and the membership that results.
fn transition(task: Task, current: Option<Membership>) -> (Option<Transition>, Option<Membership>) {
    let mut input = step_input(Visibility::Shared, 0);
    let pair = ("image".parse().unwrap(), "t0".parse().unwrap());
    input.memberships.extend(current.clone().map(|current| (pair, current)));
    let plan = plan(&job(task, 1), 0..1, &input, rules(&limits(5)));
    let changed = plan.changes.into_iter().next().map(|change| change.membership);
    (plan.transitions[0], changed.or(current))
}

#[test]
fn transition_says_what_a_request_changed() {
    let decide = |status| Task::Respond { status, vault: None };
    let mut membership = None;
    for (task, expected) in [
        (Task::Unshare, Some(Transition::Unchanged)),
        (Task::Share, Some(Transition::Began)),
        (Task::Share, Some(Transition::Unchanged)),
        (decide(Status::Rejected), Some(Transition::Rejected)),
        (decide(Status::Rejected), Some(Transition::Unchanged)),
        (decide(Status::Accepted), Some(Transition::Accepted)),
        (Task::Refresh, None),
        (Task::Share, Some(Transition::Unchanged)),
        (Task::Unshare, Some(Transition::Ended)),
        (Task::Unshare, Some(Transition::Unchanged)),
        (decide(Status::Accepted), None),
        (Task::Share, Some(Transition::BeganAgain)),
    ] {
        let (transition, next) = transition(task.clone(), membership);
        assert_eq!(transition, expected, "{task:?}");
        membership = next;
    }
}

#[test]
fn repeated_request_does_not_claim_that_nothing_changed() {
    let shared = Membership::share(None, Stamp::now()).unwrap();
    let mut input = step_input(Visibility::Shared, 1);
    input.memberships.insert(("image".parse().unwrap(), "t0".parse().unwrap()), shared);
    let share = job(Task::Share, 2);
    let transitions = |job: &Job| plan(job, 0..2, &input, rules(&limits(5))).transitions;
    let began = Some(Transition::Began);
    assert_eq!(transitions(&share), [Some(Transition::Unchanged), began]);
    assert_eq!(transitions(&Job { may_repeat: true, ..share }), [None, began]);
}
