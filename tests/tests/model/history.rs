//! Random histories: who asks for what, when workers get to it, and where they die.

use std::collections::BTreeSet;
use std::fmt;

use imageshare::domain::{ImageId, Status, TenantId, Visibility};
use imageshare_tests::gated_table::Verdict;
use imageshare_tests::service::tenant;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use crate::race::{line, quarrel, race, rivals};

/// Two owners and two more tenants.
pub const TENANTS: [&str; 4] = ["owner-a", "owner-b", "tenant-c", "tenant-d"];

/// Images of the two, by their first letters. What they are made of, [`crate::state::made_of`] says.
pub const IMAGES: [&str; 5] = [
    "a1111111-1111-4111-8111-111111111111",
    "a2222222-2222-4222-8222-222222222222",
    "a3333333-3333-4333-8333-333333333333",
    "b1111111-1111-4111-8111-111111111111",
    "b2222222-2222-4222-8222-222222222222",
];

/// Images that are perhaps registered later.
pub const MORE_IMAGES: [&str; 2] =
    ["a4444444-4444-4444-8444-444444444444", "b4444444-4444-4444-8444-444444444444"];

/// So many tenants more make a job several steps long, and of three images several pieces: it is queued.
const CROWD: usize = 97;

/// So many make a job of one image that hands out its pieces one after the other.
const THRONG: usize = 230;

/// Processes that handle requests and pieces, each with a clock and a memory of its own.
pub const PROCESSES: usize = 3;

/// How far the clock of a process may be ahead or behind, in milliseconds: two of them never differ by more than
/// [`imageshare::domain::FUNCTION_SKEW`].
const AHEAD: i64 = 2_499;

/// What somebody asks the service for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Register {
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
        says: Says,
        key: Option<u8>,
    },
    RespondToAll {
        by: TenantId,
        named: TenantId,
        says: Says,
        key: Option<u8>,
    },
    Add {
        by: TenantId,
        image: ImageId,
        to: TenantId,
    },
    Remove {
        by: TenantId,
        image: ImageId,
        to: TenantId,
    },
    Answer {
        by: TenantId,
        image: ImageId,
        named: TenantId,
        says: Says,
    },
    Permit {
        by: TenantId,
        image: ImageId,
        add: BTreeSet<TenantId>,
        remove: BTreeSet<TenantId>,
    },
    Show {
        by: TenantId,
        image: ImageId,
        visibility: Visibility,
    },
    Delete {
        by: TenantId,
        image: ImageId,
    },
    /// Its key is granted to a tenant, or not any more.
    Grant {
        by: TenantId,
        to: TenantId,
        is_granted: bool,
    },
    /// One of its vaults has that capacity, or is none any more.
    Vault {
        by: TenantId,
        vault: u8,
        gib: Option<u32>,
    },
}

/// An answer, with the vault for what is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Says {
    pub status: Status,
    pub vault: Option<u8>,
}

/// The key of every owner.
pub const KEY: &str = "key";

/// Vaults that a tenant may have.
pub const VAULTS: u8 = 2;

pub fn vault_id(vault: u8) -> String {
    format!("vault-{vault}")
}

/// The call at which somebody dies, counted from 0, and what becomes of that call. Later ones are lost.
#[derive(Debug, Clone, Copy)]
pub struct Death {
    pub call: usize,
    pub verdict: Verdict,
}

#[derive(Debug, Clone)]
pub enum Action {
    /// Somebody asks for something.
    Ask(Request),
    /// Somebody asks again for what was asked before.
    AskAgain(Index),
    /// The stream tells of a piece, as it has perhaps done before.
    Deliver(Index),
    /// The stream tells of one of the newest pieces, and so many workers take it on at once.
    DeliverNew { place: u8, workers: u8 },
    /// Every piece that is open is looked up and carried out.
    Sweep,
}

/// An action, who dies of it, and in which order those who are at work by then get on: each number gives a turn to one of
/// them. Without any, all of them get to their end.
#[derive(Debug, Clone)]
pub struct Event {
    pub action: Action,
    pub death: Option<Death>,
    pub turns: Option<Vec<u8>>,
    /// The process that takes the action.
    pub process: usize,
    pub time: Time,
    /// What becomes of the transaction that would carry a batch request out at once.
    pub at_once: Verdict,
}

/// What the time is when something happens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Time {
    /// How much of it has passed, in milliseconds.
    pub passes: u64,
    /// How far the process's clock is ahead from then on, in milliseconds.
    pub ahead: Option<i64>,
}

impl Event {
    /// An action of the first process, whose clock is left alone.
    pub fn of(action: Action, turns: Option<Vec<u8>>) -> Self {
        Self { action, death: None, turns, process: 0, time: Time::default(), at_once: Verdict::Made }
    }
}

#[derive(Clone)]
pub struct History {
    /// Of the random pauses.
    pub seed: u64,
    pub members_per_image: u32,
    pub pending_per_tenant: u32,
    pub pending_per_owner: u32,
    /// How far the clocks of the processes are ahead, in milliseconds.
    pub ahead: [i64; PROCESSES],
    pub events: Vec<Event>,
}

/// An event a line.
impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { members_per_image, pending_per_tenant, pending_per_owner, ahead, seed, .. } = self;
        writeln!(
            f,
            "at most {members_per_image} members, {pending_per_tenant} pending, {pending_per_owner} of an owner; clocks ahead by \
             {ahead:?} ms; seed {seed}"
        )?;
        self.events.iter().try_for_each(|Event { action, death, turns, process, time, at_once }| {
            let [action, death, turns] = [format!("{action:?}"), format!("{death:?}"), format!("{turns:?}")];
            writeln!(
                f,
                "{action}, death {death}, turns {turns}, process {process}, {time:?}, at once {at_once:?}"
            )
        })
    }
}

pub fn history() -> impl Strategy<Value = History> {
    let some = prop_oneof![
        48 => event().prop_map(|event| vec![event]),
        4 => quarrel(),
        6 => race(),
        2 => rivals(),
        1 => line(),
    ];
    let some = (some, circumstances()).prop_map(|(mut events, circumstances)| {
        for (event, (process, time, at_once)) in events.iter_mut().zip(circumstances.into_iter().cycle()) {
            (event.process, event.time, event.at_once) = (process, time, at_once);
        }
        events
    });
    let events = prop::collection::vec(some, 1..60);
    let limits = (select(vec![600, 3, 2, 1]), select(vec![600, 600, 2, 1]), select(vec![600, 600, 600, 1]));
    (limits, [ahead(), ahead(), ahead()], any::<u64>(), events).prop_map(
        |((members, pending, of_owner), ahead, seed, events)| History {
            seed,
            members_per_image: members,
            pending_per_tenant: pending,
            pending_per_owner: of_owner,
            ahead,
            events: events.concat(),
        },
    )
}

/// By which process, when, and with which fortune a few events happen.
fn circumstances() -> impl Strategy<Value = Vec<(usize, Time, Verdict)>> {
    let passes = prop_oneof![12 => Just(0), 2 => 0..100_u64, 1 => 0..3_000_u64, 1 => 0..20_000_u64];
    let time =
        (passes, prop::option::weighted(0.15, ahead())).prop_map(|(passes, ahead)| Time { passes, ahead });
    let at_once =
        prop_oneof![12 => Just(Verdict::Made), 12 => Just(Verdict::Lost), 1 => Just(Verdict::AnswerLost)];
    prop::collection::vec((0..PROCESSES, time, at_once), 1..8)
}

fn ahead() -> impl Strategy<Value = i64> {
    prop_oneof![1 => Just(0), 1 => select(vec![-AHEAD, AHEAD]), 2 => -AHEAD..=AHEAD]
}

fn event() -> impl Strategy<Value = Event> {
    let action = prop_oneof![
        12 => request().prop_map(Action::Ask),
        2 => any::<Index>().prop_map(Action::AskAgain),
        4 => any::<Index>().prop_map(Action::Deliver),
        5 => (0..3_u8, 1..4_u8).prop_map(|(place, workers)| Action::DeliverNew { place, workers }),
        1 => Just(Action::Sweep),
    ];
    let verdict = select(vec![Verdict::Lost, Verdict::AnswerLost]);
    let death = (0..6_usize, verdict).prop_map(|(call, verdict)| Death { call, verdict });
    let turns = prop::collection::vec(any::<u8>(), 0..6);
    (action, prop::option::weighted(0.2, death), prop::option::weighted(0.6, turns))
        .prop_map(|(action, death, turns)| Event { death, ..Event::of(action, turns) })
}

/// What somebody may ask for.
pub fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        8 => (batch(), key()).prop_map(|((by, images, to), key)| Request::Share { by, images, to, key }),
        4 => (batch(), key()).prop_map(|((by, images, to), key)| Request::Unshare { by, images, to, key }),
        6 => respond(),
        2 => respond_to_all(),
        2 => one().prop_map(|(by, image, to)| Request::Add { by, image, to }),
        2 => one().prop_map(|(by, image, to)| Request::Remove { by, image, to }),
        3 => answer(),
        2 => permit(),
        2 => register(),
        2 => (one(), visibility()).prop_map(|((by, image, _), visibility)| Request::Show { by, image, visibility }),
        1 => one().prop_map(|(by, image, _)| Request::Delete { by, image }),
        2 => grant(),
        2 => vault(),
    ]
}

fn register() -> impl Strategy<Value = Request> {
    let id = prop_oneof![1 => any_image(), 2 => select(&MORE_IMAGES[..])];
    (id, rarely_other(), visibility()).prop_map(|(id, other, visibility)| Request::Register {
        owner: other.unwrap_or_else(|| owner_of(id)),
        image: image(id),
        visibility,
    })
}

fn respond() -> impl Strategy<Value = Request> {
    (tenants(), rarely_other(), subsequence(&IMAGES[..], 1..=3), says(), key()).prop_map(
        |(by, other, images, says, key)| {
            let named = other.unwrap_or_else(|| by.clone());
            Request::Respond { by, named, images: images.into_iter().map(image).collect(), says, key }
        },
    )
}

fn respond_to_all() -> impl Strategy<Value = Request> {
    (tenants(), rarely_other(), says(), key()).prop_map(|(by, other, says, key)| {
        let named = other.unwrap_or_else(|| by.clone());
        Request::RespondToAll { by, named, says, key }
    })
}

fn answer() -> impl Strategy<Value = Request> {
    (tenants(), rarely_other(), any_image(), says()).prop_map(|(by, other, id, says)| {
        let named = other.unwrap_or_else(|| by.clone());
        Request::Answer { by, image: image(id), named, says }
    })
}

fn grant() -> impl Strategy<Value = Request> {
    let pair = subsequence(&TENANTS[..], 2).prop_shuffle();
    (pair, prop::bool::weighted(0.6)).prop_map(|(pair, is_granted)| Request::Grant {
        by: tenant(pair[0]),
        to: tenant(pair[1]),
        is_granted,
    })
}

fn vault() -> impl Strategy<Value = Request> {
    let gib = prop::option::weighted(0.8, select(vec![40, 60, 100, 120]));
    (tenants(), 0..VAULTS, gib).prop_map(|(by, vault, gib)| Request::Vault { by, vault, gib })
}

fn permit() -> impl Strategy<Value = Request> {
    let asked = prop::collection::vec(0..3_u8, TENANTS.len())
        .prop_filter("nobody", |asked| asked.iter().any(|n| *n > 0));
    (one(), asked).prop_map(|((by, image, _), asked)| {
        let named = |wanted: u8| {
            let named = TENANTS.iter().zip(&asked).filter(move |(_, asked)| **asked == wanted);
            named.map(|(id, _)| tenant(id)).collect()
        };
        Request::Permit { by, image, add: named(1), remove: named(2) }
    })
}

/// Images of one owner mostly, asked for by it mostly, and tenants.
fn batch() -> impl Strategy<Value = (TenantId, Vec<ImageId>, Vec<TenantId>)> {
    let images = prop_oneof![
        5 => subsequence(&IMAGES[..3], 1..=3),
        4 => subsequence(&IMAGES[3..], 1..=2),
        1 => subsequence(&IMAGES[..], 1..=4),
    ];
    let to = subsequence(&TENANTS[..], 1..=3);
    let crowd = prop_oneof![192 => Just(0), 7 => Just(CROWD), 1 => Just(THRONG)];
    (images, rarely_other(), to, crowd).prop_map(|(images, other, to, crowd)| {
        let by = other.unwrap_or_else(|| owner_of(images[0]));
        let mut to: Vec<_> = to.into_iter().map(tenant).filter(|to| *to != by).collect();
        if to.is_empty() {
            to.push(by.clone());
        }
        to.extend(crowd_of(crowd));
        (by, images.into_iter().map(image).collect(), to)
    })
}

/// So many tenants that are no others than those of the last crowd.
pub fn crowd_of(number: usize) -> impl Iterator<Item = TenantId> {
    (0..number).map(|number| tenant(&format!("x-{number}")))
}

/// One image, asked for by its owner mostly, and a tenant.
pub fn one() -> impl Strategy<Value = (TenantId, ImageId, TenantId)> {
    (any_image(), rarely_other(), tenants())
        .prop_map(|(id, other, to)| (other.unwrap_or_else(|| owner_of(id)), image(id), to))
}

fn any_image() -> impl Strategy<Value = &'static str> {
    prop_oneof![12 => select(&IMAGES[..]), 1 => select(&MORE_IMAGES[..])]
}

/// What is there from the beginning: the images, some vaults, and the keys, granted to most.
pub fn first_requests() -> Vec<Request> {
    let register = |id: &&str| {
        let (owner, visibility) = (owner_of(id), Visibility::Shared);
        Request::Register { owner, image: image(id), visibility }
    };
    let vault = |id: &&str| Request::Vault { by: tenant(id), vault: 0, gib: Some(100) };
    let grant = |to: &&str| Request::Grant { by: tenant(TENANTS[0]), to: tenant(to), is_granted: true };
    let images = IMAGES.iter().map(register);
    images.chain(TENANTS.iter().map(vault)).chain(TENANTS[1..].iter().map(grant)).collect()
}

pub fn owner_of(image: &str) -> TenantId {
    tenant(if image.starts_with('a') { TENANTS[0] } else { TENANTS[1] })
}

pub fn image(id: &str) -> ImageId {
    id.parse().expect("an id")
}

pub fn tenants() -> impl Strategy<Value = TenantId> {
    select(&TENANTS[..]).prop_map(tenant)
}

fn rarely_other() -> impl Strategy<Value = Option<TenantId>> {
    prop::option::weighted(0.12, tenants())
}

fn key() -> impl Strategy<Value = Option<u8>> {
    prop::option::weighted(0.4, 0..4_u8)
}

/// An answer, mostly with a vault.
pub fn says() -> impl Strategy<Value = Says> {
    let status =
        prop_oneof![4 => Just(Status::Accepted), 3 => Just(Status::Rejected), 1 => Just(Status::Pending)];
    (status, prop::option::weighted(0.7, 0..VAULTS)).prop_map(|(status, vault)| Says { status, vault })
}

pub fn visibility() -> impl Strategy<Value = Visibility> {
    prop_oneof![
        4 => Just(Visibility::Shared),
        2 => Just(Visibility::Private),
        1 => Just(Visibility::Community),
        1 => Just(Visibility::Public),
    ]
}
