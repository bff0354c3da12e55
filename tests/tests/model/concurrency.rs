//! Requests on the same pair or vault that are in progress at the same time.

use std::collections::BTreeSet;

use imageshare::domain::{ImageId, Status, TenantId};
use imageshare_tests::local_service::tenant;
use proptest::prelude::*;
use proptest::sample::select;

use crate::history::{
    Action, Decision, Event, IMAGES, Policy, Request, TENANTS, any_decision, any_pair, any_policy,
    any_tenant, any_visibility, extra_tenants, image_id, owner_of,
};

/// An image is shared, and its owner and the tenant make further requests, which are executed in another order.
pub fn reordered_batches() -> impl Strategy<Value = Vec<Event>> {
    let orders = (Just(vec![0, 1, 2]).prop_shuffle(), Just(vec![0, 1, 2]).prop_shuffle());
    (any_pair(), any_decision(), orders).prop_map(|((by, image, named), decision, (requests, delivered))| {
        let (images, to) = (vec![image], vec![named.clone()]);
        let share = Request::Share { by: by.clone(), images: images.clone(), to: to.clone(), key: None };
        let unshare = Request::Unshare { by, images: images.clone(), to, key: None };
        let respond = Request::Respond { by: named.clone(), named, images, decision, key: None };
        let rest = [share.clone(), unshare, respond];
        let actions = [Action::Send(share), deliver(0)].into_iter();
        let actions =
            actions.chain(requests.into_iter().map(|which: usize| Action::Send(rest[which].clone())));
        let actions = actions.chain(delivered.into_iter().map(deliver));
        actions.map(|action| event(action, None)).collect()
    })
}

/// An image may be shared; then several actors run concurrently: each has begun before any of them continues.
pub fn concurrent_operations() -> impl Strategy<Value = Vec<Event>> {
    let turns = prop::collection::vec(any::<u8>(), 4..16);
    let are_begun = prop::bool::ANY;
    (any_subject(), prop::bool::ANY, prop::collection::vec(any_operation(), 2..=4), turns, are_begun)
        .prop_map(|(subject, is_shared, operations, turns, are_begun)| {
            let share = subject.share_request(&subject.tenants);
            let before = [Action::Send(share), deliver(0)].into_iter().take(if is_shared { 2 } else { 0 });
            let requests: Vec<_> =
                operations.into_iter().map(|operation| subject.request_for(operation)).collect();
            if are_begun {
                // Batch requests, too, run concurrently.
                return concurrently_after(before, requests.into_iter().map(Action::Send), turns);
            }
            let (jobs, at_once): (Vec<_>, Vec<_>) = requests.into_iter().partition(Request::creates_job);
            let places = 0..u8::try_from(jobs.len()).expect("few");
            let before = before.chain(jobs.into_iter().map(Action::Send));
            let side_by_side = places.map(deliver).chain(at_once.into_iter().map(Action::Send));
            concurrently_after(before, side_by_side, turns)
        })
}

/// Requests that exclude each other: two acceptances into a vault that has room for one; a share, and the withdrawal
/// of the key grant that it relies on.
pub fn competing_operations() -> impl Strategy<Value = Vec<Event>> {
    let turns = prop::collection::vec(any::<u8>(), 4..16);
    let recipient = select(&TENANTS[2..]).prop_map(tenant);
    (recipient, prop::bool::ANY, turns).prop_map(|(to, is_of_vault, turns)| {
        let (before, side_by_side) =
            if is_of_vault { compete_for_vault(&to) } else { compete_for_key_grant(&to) };
        concurrently_after(before.into_iter(), side_by_side.into_iter(), turns)
    })
}

fn compete_for_vault(to: &TenantId) -> (Vec<Action>, Vec<Action>) {
    let (first, second) = (image_id(IMAGES[1]), image_id(IMAGES[4]));
    let decision = Decision { status: Status::Accepted, vault: Some(1), owner: None };
    let mut before = vec![Action::Send(Request::SetVault { by: to.clone(), vault: 1, gib: Some(60) })];
    for (owner, id) in [(TENANTS[0], &first), (TENANTS[1], &second)] {
        let (images, to) = (vec![id.clone()], vec![to.clone()]);
        before
            .extend([Action::Send(Request::Share { by: tenant(owner), images, to, key: None }), deliver(0)]);
    }
    let images = vec![first];
    let respond = Request::Respond { by: to.clone(), named: to.clone(), images, decision, key: None };
    before.push(Action::Send(respond));
    let decide = Request::Decide { by: to.clone(), image: second, named: to.clone(), decision };
    (before, vec![deliver(0), Action::Send(decide)])
}

fn compete_for_key_grant(to: &TenantId) -> (Vec<Action>, Vec<Action>) {
    let (by, id) = (tenant(TENANTS[0]), image_id(IMAGES[2]));
    let grant =
        |is_granted| Action::Send(Request::SetKeyGrant { by: by.clone(), to: to.clone(), is_granted });
    let remove = Action::Send(Request::RemoveMember { by: by.clone(), image: id.clone(), to: to.clone() });
    let (images, to) = (vec![id], vec![to.clone()]);
    let share = Action::Send(Request::Share { by: by.clone(), images, to, key: None });
    (vec![grant(true), remove, share], vec![deliver(0), grant(false)])
}

/// Requests one after the other, then some that all have begun before any of them continues.
fn concurrently_after(
    before: impl Iterator<Item = Action>,
    side_by_side: impl Iterator<Item = Action>,
    turns: Vec<u8>,
) -> Vec<Event> {
    let mut events: Vec<_> = before.map(|action| event(action, None)).collect();
    events.extend(side_by_side.map(|action| event(action, Some(Vec::new()))));
    if let Some(last) = events.last_mut() {
        last.turns = Some(turns);
    }
    events
}

/// Large requests of one owner, which are queued behind each other, and another one on the same image among them.
pub fn queued_jobs() -> impl Strategy<Value = Vec<Event>> {
    let large = || prop_oneof![2 => Just(true), 1 => Just(false)];
    let other = (any_pair(), any_decision());
    (large(), large(), other, prop::bool::ANY).prop_map(
        |(first, second, ((_, id, to), decision), is_answer)| {
            let (owner, images) =
                (tenant(TENANTS[0]), IMAGES[..3].iter().map(|id| image_id(id)).collect::<Vec<_>>());
            let large = |shares: bool| {
                let (by, images) = (owner.clone(), images.clone());
                let to =
                    [to.clone()].into_iter().filter(|to| *to != owner).chain(extra_tenants(97)).collect();
                Action::Send(if shares {
                    Request::Share { by, images, to, key: None }
                } else {
                    Request::Unshare { by, images, to, key: None }
                })
            };
            let other = if is_answer {
                Request::Respond { by: to.clone(), named: to.clone(), images: vec![id], decision, key: None }
            } else {
                Request::Decide { by: to.clone(), image: id, named: to.clone(), decision }
            };
            let actions =
                [large(true), large(first), Action::Send(other), large(second), deliver(1), deliver(0)];
            let deliveries = [deliver(0), deliver(1), deliver(2), deliver(0)];
            actions.into_iter().chain(deliveries).map(|action| event(action, None)).collect()
        },
    )
}

fn deliver(place: u8) -> Action {
    Action::DeliverRecent { place, workers: 1 }
}

fn event(action: Action, turns: Option<Vec<u8>>) -> Event {
    Event::new(action, turns)
}

/// The subject of a race: an image, its owner, and two recipients.
#[derive(Debug, Clone)]
struct Subject {
    image: ImageId,
    owner: TenantId,
    tenants: [TenantId; 2],
}

fn any_subject() -> impl Strategy<Value = Subject> {
    (select(&IMAGES[..]), any_tenant(), any_tenant()).prop_filter_map("the owner", |(id, a, b)| {
        let owner = owner_of(id);
        (a != owner && b != owner).then(|| Subject { image: image_id(id), owner, tenants: [a, b] })
    })
}

/// A request in a race; the number is that of the tenant.
#[derive(Debug, Clone)]
enum Operation {
    Share(usize),
    Unshare(usize),
    Respond(usize, Decision),
    RespondToAll(usize, Decision),
    AddMember(usize),
    RemoveMember(usize),
    Decide(usize, Decision),
    ChangePermissions(usize),
    SetVisibility(imageshare::domain::Visibility),
    DeleteImage,
    WithdrawKeyGrant(usize),
    SetVault(usize, Option<u32>),
    SetPolicy(usize, Option<Policy>),
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let index = || 0..2_usize;
    prop_oneof![
        5 => index().prop_map(Operation::Share),
        3 => index().prop_map(Operation::Unshare),
        4 => (index(), any_decision()).prop_map(|(index, decision)| Operation::Respond(index, decision)),
        2 => (index(), any_decision()).prop_map(|(index, decision)| Operation::RespondToAll(index, decision)),
        3 => index().prop_map(Operation::AddMember),
        2 => index().prop_map(Operation::RemoveMember),
        4 => (index(), any_decision()).prop_map(|(index, decision)| Operation::Decide(index, decision)),
        1 => index().prop_map(Operation::ChangePermissions),
        2 => any_visibility().prop_map(Operation::SetVisibility),
        1 => Just(Operation::DeleteImage),
        1 => index().prop_map(Operation::WithdrawKeyGrant),
        2 => (index(), any_policy()).prop_map(|(index, policy)| Operation::SetPolicy(index, policy)),
        1 => (index(), select(vec![None, Some(40), Some(60)])).prop_map(|(index, gib)| Operation::SetVault(index, gib)),
    ]
}

impl Subject {
    fn share_request(&self, to: &[TenantId]) -> Request {
        let to = to.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect();
        Request::Share { by: self.owner.clone(), images: vec![self.image.clone()], to, key: None }
    }

    fn request_for(&self, operation: Operation) -> Request {
        let (by, image, images) = (self.owner.clone(), self.image.clone(), vec![self.image.clone()]);
        let to = |index: usize| self.tenants[index].clone();
        match operation {
            Operation::Share(index) => self.share_request(&[to(index)]),
            Operation::Unshare(index) => Request::Unshare { by, images, to: vec![to(index)], key: None },
            Operation::Respond(index, decision) => {
                Request::Respond { by: to(index), named: to(index), images, decision, key: None }
            }
            Operation::RespondToAll(index, decision) => {
                Request::RespondToAll { by: to(index), named: to(index), decision, key: None }
            }
            Operation::AddMember(index) => Request::AddMember { by, image, to: to(index) },
            Operation::RemoveMember(index) => Request::RemoveMember { by, image, to: to(index) },
            Operation::Decide(index, decision) => {
                Request::Decide { by: to(index), image, named: to(index), decision }
            }
            Operation::ChangePermissions(index) => {
                Request::ChangePermissions { by, image, add: [to(index)].into(), remove: BTreeSet::new() }
            }
            Operation::SetVisibility(visibility) => Request::SetVisibility { by, image, visibility },
            Operation::DeleteImage => Request::DeleteImage { by, image },
            Operation::WithdrawKeyGrant(index) => {
                Request::SetKeyGrant { by, to: to(index), is_granted: false }
            }
            Operation::SetPolicy(index, policy) => Request::SetPolicy { by: to(index), owner: by, policy },
            Operation::SetVault(index, gib) => Request::SetVault { by: to(index), vault: 0, gib },
        }
    }
}
