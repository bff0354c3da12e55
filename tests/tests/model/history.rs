//! Random histories: who asks for what, when workers get to it, and where they die.

use std::collections::BTreeSet;
use std::fmt;

use imageshare::domain::{ImageId, Status, TenantId, Visibility};
use imageshare_tests::gated_table::Verdict;
use imageshare_tests::service::tenant;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

/// Two owners and two more tenants.
pub const TENANTS: [&str; 4] = ["owner-a", "owner-b", "tenant-c", "tenant-d"];

/// Images of the two, by their first letters.
pub const IMAGES: [&str; 5] = [
    "a1111111-1111-4111-8111-111111111111",
    "a2222222-2222-4222-8222-222222222222",
    "a3333333-3333-4333-8333-333333333333",
    "b1111111-1111-4111-8111-111111111111",
    "b2222222-2222-4222-8222-222222222222",
];

/// Images that are perhaps registered later.
const MORE_IMAGES: [&str; 2] =
    ["a4444444-4444-4444-8444-444444444444", "b4444444-4444-4444-8444-444444444444"];

/// So many tenants more make a job several steps long, and of three images several pieces.
const CROWD: usize = 97;

/// What somebody asks the service for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Register { owner: TenantId, image: ImageId, visibility: Visibility },
    Share { by: TenantId, images: Vec<ImageId>, to: Vec<TenantId>, key: Option<u8> },
    Unshare { by: TenantId, images: Vec<ImageId>, to: Vec<TenantId>, key: Option<u8> },
    Respond { by: TenantId, named: TenantId, images: Vec<ImageId>, says: Status, key: Option<u8> },
    Add { by: TenantId, image: ImageId, to: TenantId },
    Remove { by: TenantId, image: ImageId, to: TenantId },
    Answer { by: TenantId, image: ImageId, named: TenantId, says: Status },
    Permit { by: TenantId, image: ImageId, add: BTreeSet<TenantId>, remove: BTreeSet<TenantId> },
    Show { by: TenantId, image: ImageId, visibility: Visibility },
    Delete { by: TenantId, image: ImageId },
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
}

#[derive(Clone)]
pub struct History {
    pub members_per_image: u32,
    pub events: Vec<Event>,
}

/// An event a line.
impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "at most {} members", self.members_per_image)?;
        self.events.iter().try_for_each(|Event { action, death, turns }| {
            let [action, death, turns] = [format!("{action:?}"), format!("{death:?}"), format!("{turns:?}")];
            writeln!(f, "{action}, death {death}, turns {turns}")
        })
    }
}

pub fn history() -> impl Strategy<Value = History> {
    let some = prop_oneof![24 => event().prop_map(|event| vec![event]), 1 => quarrel()];
    let events = prop::collection::vec(some, 1..60);
    (select(vec![200, 3, 2, 1]), events)
        .prop_map(|(members_per_image, events)| History { members_per_image, events: events.concat() })
}

/// Something is shared, and its owner and the tenant ask for more, which is carried out in another order.
fn quarrel() -> impl Strategy<Value = Vec<Event>> {
    let orders = (Just(vec![0, 1, 2]).prop_shuffle(), Just(vec![0, 1, 2]).prop_shuffle());
    (one(), status(), orders).prop_map(|((by, image, named), says, (asked, delivered))| {
        let (images, to) = (vec![image], vec![named.clone()]);
        let share = Request::Share { by: by.clone(), images: images.clone(), to: to.clone(), key: None };
        let unshare = Request::Unshare { by, images: images.clone(), to, key: None };
        let respond = Request::Respond { by: named.clone(), named, images, says, key: None };
        let rest = [share.clone(), unshare, respond];
        let deliver = |place| Action::DeliverNew { place, workers: 1 };
        let actions = [Action::Ask(share), deliver(0)].into_iter();
        let actions = actions.chain(asked.into_iter().map(|which: usize| Action::Ask(rest[which].clone())));
        let actions = actions.chain(delivered.into_iter().map(deliver));
        actions.map(|action| Event { action, death: None, turns: None }).collect()
    })
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
        .prop_map(|(action, death, turns)| Event { action, death, turns })
}

/// What somebody may ask for.
pub fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        8 => (batch(), key()).prop_map(|((by, images, to), key)| Request::Share { by, images, to, key }),
        4 => (batch(), key()).prop_map(|((by, images, to), key)| Request::Unshare { by, images, to, key }),
        6 => respond(),
        2 => one().prop_map(|(by, image, to)| Request::Add { by, image, to }),
        2 => one().prop_map(|(by, image, to)| Request::Remove { by, image, to }),
        3 => answer(),
        2 => permit(),
        2 => register(),
        2 => (one(), visibility()).prop_map(|((by, image, _), visibility)| Request::Show { by, image, visibility }),
        1 => one().prop_map(|(by, image, _)| Request::Delete { by, image }),
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
    (tenants(), rarely_other(), subsequence(&IMAGES[..], 1..=3), status(), key()).prop_map(
        |(by, other, images, says, key)| {
            let named = other.unwrap_or_else(|| by.clone());
            Request::Respond { by, named, images: images.into_iter().map(image).collect(), says, key }
        },
    )
}

fn answer() -> impl Strategy<Value = Request> {
    (tenants(), rarely_other(), any_image(), status()).prop_map(|(by, other, id, says)| {
        let named = other.unwrap_or_else(|| by.clone());
        Request::Answer { by, image: image(id), named, says }
    })
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
    (images, rarely_other(), to, prop::bool::weighted(0.04)).prop_map(|(images, other, to, crowd)| {
        let by = other.unwrap_or_else(|| owner_of(images[0]));
        let mut to: Vec<_> = to.into_iter().map(tenant).filter(|to| *to != by).collect();
        if to.is_empty() {
            to.push(by.clone());
        }
        if crowd {
            to.extend((0..CROWD).map(|number| tenant(&format!("x-{number}"))));
        }
        (by, images.into_iter().map(image).collect(), to)
    })
}

/// One image, asked for by its owner mostly, and a tenant.
fn one() -> impl Strategy<Value = (TenantId, ImageId, TenantId)> {
    (any_image(), rarely_other(), tenants())
        .prop_map(|(id, other, to)| (other.unwrap_or_else(|| owner_of(id)), image(id), to))
}

fn any_image() -> impl Strategy<Value = &'static str> {
    prop_oneof![12 => select(&IMAGES[..]), 1 => select(&MORE_IMAGES[..])]
}

pub fn owner_of(image: &str) -> TenantId {
    tenant(if image.starts_with('a') { TENANTS[0] } else { TENANTS[1] })
}

pub fn image(id: &str) -> ImageId {
    id.parse().expect("an id")
}

fn tenants() -> impl Strategy<Value = TenantId> {
    select(&TENANTS[..]).prop_map(tenant)
}

fn rarely_other() -> impl Strategy<Value = Option<TenantId>> {
    prop::option::weighted(0.12, tenants())
}

fn key() -> impl Strategy<Value = Option<u8>> {
    prop::option::weighted(0.4, 0..4_u8)
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![4 => Just(Status::Accepted), 3 => Just(Status::Rejected), 1 => Just(Status::Pending)]
}

fn visibility() -> impl Strategy<Value = Visibility> {
    prop_oneof![
        4 => Just(Visibility::Shared),
        2 => Just(Visibility::Private),
        1 => Just(Visibility::Community),
        1 => Just(Visibility::Public),
    ]
}
