//! Random histories: which requests are made, when workers run, and where they are killed.

use std::collections::BTreeSet;
use std::fmt;

use imageshare::domain::{ImageId, Status, TenantId, Visibility};
use imageshare_tests::gated_table::Verdict;
use imageshare_tests::local_service::tenant;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use crate::concurrency::{competing_operations, concurrent_operations, queued_jobs, reordered_batches};
use crate::rules::{RuleChange, any_rule_action};

/// Two owners and two more tenants.
pub const TENANTS: [&str; 4] = ["owner-a", "owner-b", "tenant-c", "tenant-d"];

/// Images of the two owners, whose first letters they have. [`crate::state::image_kind`] defines their kinds.
pub const IMAGES: [&str; 5] = [
    "a1111111-1111-4111-8111-111111111111",
    "a2222222-2222-4222-8222-222222222222",
    "a3333333-3333-4333-8333-333333333333",
    "b1111111-1111-4111-8111-111111111111",
    "b2222222-2222-4222-8222-222222222222",
];

/// Images that may be registered later.
pub const LATER_IMAGES: [&str; 2] =
    ["a4444444-4444-4444-8444-444444444444", "b4444444-4444-4444-8444-444444444444"];

/// With this many more tenants a job has several steps, and with three images several work items: it is queued.
const MULTI_STEP_TENANTS: usize = 97;

/// With this many, a job of one image creates its work items one after the other.
const MULTI_ITEM_TENANTS: usize = 230;

/// Processes that handle requests and work items, each with its own clock and caches.
pub const PROCESSES: usize = 3;

/// The clock skew of a process, ahead or behind, in milliseconds: two of them never differ by more than
/// [`imageshare::domain::MAX_FUNCTION_SKEW`].
const MAX_CLOCK_OFFSET_MS: i64 = 2_499;

/// A request to the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    RegisterImage {
        owner: TenantId,
        image: ImageId,
        visibility: Visibility,
    },
    Share {
        by: TenantId,
        images: Vec<ImageId>,
        to: Vec<TenantId>,
        key: Option<u8>,
    },
    Unshare {
        by: TenantId,
        images: Vec<ImageId>,
        to: Vec<TenantId>,
        key: Option<u8>,
    },
    Respond {
        by: TenantId,
        named: TenantId,
        images: Vec<ImageId>,
        decision: Decision,
        key: Option<u8>,
    },
    RespondToAll {
        by: TenantId,
        named: TenantId,
        decision: Decision,
        key: Option<u8>,
    },
    AddMember {
        by: TenantId,
        image: ImageId,
        to: TenantId,
    },
    RemoveMember {
        by: TenantId,
        image: ImageId,
        to: TenantId,
    },
    Decide {
        by: TenantId,
        image: ImageId,
        named: TenantId,
        decision: Decision,
    },
    ChangePermissions {
        by: TenantId,
        image: ImageId,
        add: BTreeSet<TenantId>,
        remove: BTreeSet<TenantId>,
    },
    SetVisibility {
        by: TenantId,
        image: ImageId,
        visibility: Visibility,
    },
    DeleteImage {
        by: TenantId,
        image: ImageId,
    },
    /// A key grant is given or withdrawn.
    SetKeyGrant {
        by: TenantId,
        to: TenantId,
        is_granted: bool,
    },
    /// A tenant sets its policy on an owner, or removes it.
    SetPolicy {
        by: TenantId,
        owner: TenantId,
        policy: Option<Policy>,
    },
    /// A vault gets this capacity, or is deleted.
    SetVault {
        by: TenantId,
        vault: u8,
        gib: Option<u32>,
    },
}

/// A policy on an owner; trust with the vault for accepted images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    Trusted { vault: Option<u8> },
    Blocked,
}

/// A decision, with the vault for accepted images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    pub status: Status,
    pub vault: Option<u8>,
    /// Of everything that is pending, only the images of this owner.
    pub owner: Option<&'static str>,
}

/// The key of every owner.
pub const KEY: &str = "key";

/// The vaults that a tenant may have.
pub const VAULTS: u8 = 2;

pub fn vault_id(vault: u8) -> String {
    format!("vault-{vault}")
}

/// The call at which an actor is killed, counted from 0, and what happens to that call. Later calls are lost.
#[derive(Debug, Clone, Copy)]
pub struct Crash {
    pub call: usize,
    pub verdict: Verdict,
}

#[derive(Debug, Clone)]
pub enum Action {
    /// A request is made.
    Send(Request),
    /// An earlier request is made again.
    Resend(Index),
    /// The stream delivers a work item, possibly not for the first time.
    Deliver(Index),
    /// The stream delivers one of the newest work items to several workers at once.
    DeliverRecent { place: u8, workers: u8 },
    /// Every open work item is found and executed.
    Sweep,
    /// The stream delivers changes to `effects`: the oldest ones but for some. Perhaps the bus takes no event.
    DeliverChanges { skip: u8, count: u8, refuses: bool },
    /// The stream delivers changes again.
    RedeliverChanges { first: Index, count: u8 },
    /// What share rules depend on is changed.
    ChangeRules(RuleChange),
    /// An owner applies a share rule.
    Apply { owner: TenantId, rule: u8 },
}

/// An action, whether it kills its actor, and in which order the actors of that time run on: each number gives a turn
/// to one of them. Without turns, all of them run to their ends.
#[derive(Debug, Clone)]
pub struct Event {
    pub action: Action,
    pub crash: Option<Crash>,
    pub turns: Option<Vec<u8>>,
    /// The process of the action.
    pub process: usize,
    pub time: TimeChange,
    /// What happens to the transaction that would execute a batch request at once.
    pub immediate_verdict: Verdict,
}

/// How time passes at an event.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeChange {
    /// The time that passes, in milliseconds.
    pub elapsed_ms: u64,
    /// The clock skew of the process from then on, in milliseconds.
    pub clock_offset_ms: Option<i64>,
}

impl Event {
    /// An action of the first process, without a change of its clock.
    pub fn new(action: Action, turns: Option<Vec<u8>>) -> Self {
        Self {
            action,
            crash: None,
            turns,
            process: 0,
            time: TimeChange::default(),
            immediate_verdict: Verdict::Execute,
        }
    }
}

#[derive(Clone)]
pub struct History {
    /// The seed of the random pauses.
    pub seed: u64,
    pub members_per_image: u32,
    pub pending_per_tenant: u32,
    pub pending_per_owner: u32,
    /// The clock skews of the processes, in milliseconds.
    pub clock_offsets_ms: [i64; PROCESSES],
    pub events: Vec<Event>,
}

/// Prints one event per line.
impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            members_per_image,
            pending_per_tenant,
            pending_per_owner,
            clock_offsets_ms: ahead,
            seed,
            ..
        } = self;
        writeln!(
            f,
            "at most {members_per_image} members, {pending_per_tenant} pending, {pending_per_owner} of an owner; clocks ahead by \
             {ahead:?} ms; seed {seed}"
        )?;
        self.events.iter().try_for_each(
            |Event { action, crash: death, turns, process, time, immediate_verdict: at_once }| {
                let [action, death, turns] =
                    [format!("{action:?}"), format!("{death:?}"), format!("{turns:?}")];
                writeln!(
                    f,
                    "{action}, death {death}, turns {turns}, process {process}, {time:?}, at once {at_once:?}"
                )
            },
        )
    }
}

pub fn any_history() -> impl Strategy<Value = History> {
    let some = prop_oneof![
        48 => any_event().prop_map(|event| vec![event]),
        4 => reordered_batches(),
        6 => concurrent_operations(),
        2 => competing_operations(),
        1 => queued_jobs(),
    ];
    let some = (some, any_circumstances()).prop_map(|(mut events, circumstances)| {
        for (event, (process, time, at_once)) in events.iter_mut().zip(circumstances.into_iter().cycle()) {
            (event.process, event.time, event.immediate_verdict) = (process, time, at_once);
        }
        events
    });
    let events = prop::collection::vec(some, 1..60);
    let limits = (select(vec![600, 3, 2, 1]), select(vec![600, 600, 2, 1]), select(vec![600, 600, 600, 1]));
    (limits, [any_clock_offset(), any_clock_offset(), any_clock_offset()], any::<u64>(), events).prop_map(
        |((members, pending, of_owner), ahead, seed, events)| History {
            seed,
            members_per_image: members,
            pending_per_tenant: pending,
            pending_per_owner: of_owner,
            clock_offsets_ms: ahead,
            events: events.concat(),
        },
    )
}

/// Generates processes, times and faults for a few events.
fn any_circumstances() -> impl Strategy<Value = Vec<(usize, TimeChange, Verdict)>> {
    let passes = prop_oneof![12 => Just(0), 2 => 0..100_u64, 1 => 0..3_000_u64, 1 => 0..20_000_u64];
    let time = (passes, prop::option::weighted(0.15, any_clock_offset()))
        .prop_map(|(passes, ahead)| TimeChange { elapsed_ms: passes, clock_offset_ms: ahead });
    let at_once = prop_oneof![12 => Just(Verdict::Execute), 12 => Just(Verdict::LoseRequest), 1 => Just(Verdict::LoseResponse)];
    prop::collection::vec((0..PROCESSES, time, at_once), 1..8)
}

fn any_clock_offset() -> impl Strategy<Value = i64> {
    prop_oneof![1 => Just(0), 1 => select(vec![-MAX_CLOCK_OFFSET_MS, MAX_CLOCK_OFFSET_MS]), 2 => -MAX_CLOCK_OFFSET_MS..=MAX_CLOCK_OFFSET_MS]
}

fn any_event() -> impl Strategy<Value = Event> {
    let action = prop_oneof![
        12 => any_request().prop_map(Action::Send),
        2 => any::<Index>().prop_map(Action::Resend),
        4 => any::<Index>().prop_map(Action::Deliver),
        5 => (0..3_u8, 1..4_u8).prop_map(|(place, workers)| Action::DeliverRecent { place, workers }),
        1 => Just(Action::Sweep),
        12 => any_rule_action(),
    ];
    let verdict = select(vec![Verdict::LoseRequest, Verdict::LoseResponse]);
    let death = (0..6_usize, verdict).prop_map(|(call, verdict)| Crash { call, verdict });
    let turns = prop::collection::vec(any::<u8>(), 0..6);
    (action, prop::option::weighted(0.2, death), prop::option::weighted(0.6, turns))
        .prop_map(|(action, death, turns)| Event { crash: death, ..Event::new(action, turns) })
}

/// Generates requests.
pub fn any_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        8 => (any_batch(), any_key()).prop_map(|((by, images, to), key)| Request::Share { by, images, to, key }),
        4 => (any_batch(), any_key()).prop_map(|((by, images, to), key)| Request::Unshare { by, images, to, key }),
        6 => respond_request(),
        2 => respond_to_all_request(),
        2 => any_pair().prop_map(|(by, image, to)| Request::AddMember { by, image, to }),
        2 => any_pair().prop_map(|(by, image, to)| Request::RemoveMember { by, image, to }),
        3 => decide_request(),
        2 => permissions_request(),
        2 => register_request(),
        2 => (any_pair(), any_visibility()).prop_map(|((by, image, _), visibility)| Request::SetVisibility { by, image, visibility }),
        1 => any_pair().prop_map(|(by, image, _)| Request::DeleteImage { by, image }),
        2 => key_grant_request(),
        2 => vault_request(),
        2 => policy_request(),
    ]
}

fn register_request() -> impl Strategy<Value = Request> {
    let id = prop_oneof![1 => any_image(), 2 => select(&LATER_IMAGES[..])];
    (id, rarely_another_tenant(), any_visibility()).prop_map(|(id, other, visibility)| {
        Request::RegisterImage {
            owner: other.unwrap_or_else(|| owner_of(id)),
            image: image_id(id),
            visibility,
        }
    })
}

fn respond_request() -> impl Strategy<Value = Request> {
    (any_tenant(), rarely_another_tenant(), subsequence(&IMAGES[..], 1..=3), any_decision(), any_key())
        .prop_map(|(by, other, images, decision, key)| {
            let named = other.unwrap_or_else(|| by.clone());
            Request::Respond { by, named, images: images.into_iter().map(image_id).collect(), decision, key }
        })
}

fn respond_to_all_request() -> impl Strategy<Value = Request> {
    let owner = prop::option::weighted(0.5, select(&TENANTS[..2]));
    (any_tenant(), rarely_another_tenant(), any_decision(), owner, any_key()).prop_map(
        |(by, other, decision, owner, key)| {
            let named = other.unwrap_or_else(|| by.clone());
            Request::RespondToAll { by, named, decision: Decision { owner, ..decision }, key }
        },
    )
}

fn decide_request() -> impl Strategy<Value = Request> {
    (any_tenant(), rarely_another_tenant(), any_image(), any_decision()).prop_map(
        |(by, other, id, decision)| {
            let named = other.unwrap_or_else(|| by.clone());
            Request::Decide { by, image: image_id(id), named, decision }
        },
    )
}

fn key_grant_request() -> impl Strategy<Value = Request> {
    let pair = subsequence(&TENANTS[..], 2).prop_shuffle();
    (pair, prop::bool::weighted(0.6)).prop_map(|(pair, is_granted)| Request::SetKeyGrant {
        by: tenant(pair[0]),
        to: tenant(pair[1]),
        is_granted,
    })
}

fn vault_request() -> impl Strategy<Value = Request> {
    let gib = prop::option::weighted(0.8, select(vec![40, 60, 100, 120]));
    (any_tenant(), 0..VAULTS, gib).prop_map(|(by, vault, gib)| Request::SetVault { by, vault, gib })
}

fn policy_request() -> impl Strategy<Value = Request> {
    let pair = (any_tenant(), select(&TENANTS[..2]).prop_map(tenant));
    let pair = pair.prop_filter("another owner", |(by, owner)| by != owner);
    (pair, any_policy()).prop_map(|((by, owner), policy)| Request::SetPolicy { by, owner, policy })
}

/// Generates a policy, or none, mostly trust with a vault.
pub fn any_policy() -> impl Strategy<Value = Option<Policy>> {
    let trusted = prop::option::weighted(0.7, 0..VAULTS).prop_map(|vault| Some(Policy::Trusted { vault }));
    prop_oneof![4 => trusted, 2 => Just(Some(Policy::Blocked)), 2 => Just(None)]
}

fn permissions_request() -> impl Strategy<Value = Request> {
    let asked = prop::collection::vec(0..3_u8, TENANTS.len())
        .prop_filter("no tenant", |asked| asked.iter().any(|n| *n > 0));
    (any_pair(), asked).prop_map(|((by, image, _), asked)| {
        let named = |wanted: u8| {
            let named = TENANTS.iter().zip(&asked).filter(move |(_, asked)| **asked == wanted);
            named.map(|(id, _)| tenant(id)).collect()
        };
        Request::ChangePermissions { by, image, add: named(1), remove: named(2) }
    })
}

/// Generates images, mostly of one owner, a caller, mostly that owner, and tenants.
fn any_batch() -> impl Strategy<Value = (TenantId, Vec<ImageId>, Vec<TenantId>)> {
    let images = prop_oneof![
        5 => subsequence(&IMAGES[..3], 1..=3),
        4 => subsequence(&IMAGES[3..], 1..=2),
        1 => subsequence(&IMAGES[..], 1..=4),
    ];
    let to = subsequence(&TENANTS[..], 1..=3);
    let crowd = prop_oneof![192 => Just(0), 7 => Just(MULTI_STEP_TENANTS), 1 => Just(MULTI_ITEM_TENANTS)];
    (images, rarely_another_tenant(), to, crowd).prop_map(|(images, other, to, crowd)| {
        let by = other.unwrap_or_else(|| owner_of(images[0]));
        let mut to: Vec<_> = to.into_iter().map(tenant).filter(|to| *to != by).collect();
        if to.is_empty() {
            to.push(by.clone());
        }
        to.extend(extra_tenants(crowd));
        (by, images.into_iter().map(image_id).collect(), to)
    })
}

/// This many tenants besides the usual ones. A smaller crowd is part of a larger one.
pub fn extra_tenants(number: usize) -> impl Iterator<Item = TenantId> {
    (0..number).map(|number| tenant(&format!("x-{number}")))
}

/// Generates an image, a caller, mostly its owner, and a tenant.
pub fn any_pair() -> impl Strategy<Value = (TenantId, ImageId, TenantId)> {
    (any_image(), rarely_another_tenant(), any_tenant())
        .prop_map(|(id, other, to)| (other.unwrap_or_else(|| owner_of(id)), image_id(id), to))
}

fn any_image() -> impl Strategy<Value = &'static str> {
    prop_oneof![12 => select(&IMAGES[..]), 1 => select(&LATER_IMAGES[..])]
}

/// The initial requests: the images, some vaults, and the keys, granted to most tenants.
pub fn setup_requests() -> Vec<Request> {
    let register = |id: &&str| {
        let (owner, visibility) = (owner_of(id), Visibility::Shared);
        Request::RegisterImage { owner, image: image_id(id), visibility }
    };
    let vault = |id: &&str| Request::SetVault { by: tenant(id), vault: 0, gib: Some(100) };
    let grant = |to: &&str| Request::SetKeyGrant { by: tenant(TENANTS[0]), to: tenant(to), is_granted: true };
    let images = IMAGES.iter().map(register);
    images.chain(TENANTS.iter().map(vault)).chain(TENANTS[1..].iter().map(grant)).collect()
}

pub fn owner_of(image: &str) -> TenantId {
    tenant(if image.starts_with('a') { TENANTS[0] } else { TENANTS[1] })
}

pub fn image_id(id: &str) -> ImageId {
    id.parse().expect("an id")
}

pub fn any_tenant() -> impl Strategy<Value = TenantId> {
    select(&TENANTS[..]).prop_map(tenant)
}

fn rarely_another_tenant() -> impl Strategy<Value = Option<TenantId>> {
    prop::option::weighted(0.12, any_tenant())
}

fn any_key() -> impl Strategy<Value = Option<u8>> {
    prop::option::weighted(0.4, 0..4_u8)
}

/// Generates a decision, mostly with a vault.
pub fn any_decision() -> impl Strategy<Value = Decision> {
    let status =
        prop_oneof![4 => Just(Status::Accepted), 3 => Just(Status::Rejected), 1 => Just(Status::Pending)];
    (status, prop::option::weighted(0.7, 0..VAULTS)).prop_map(|(status, vault)| Decision {
        status,
        vault,
        owner: None,
    })
}

pub fn any_visibility() -> impl Strategy<Value = Visibility> {
    prop_oneof![
        4 => Just(Visibility::Shared),
        2 => Just(Visibility::Private),
        1 => Just(Visibility::Community),
        1 => Just(Visibility::Public),
    ]
}
