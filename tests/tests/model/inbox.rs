//! The inbox counts of a process (decision 12): it counts what is pending for a tenant, uses the count for some
//! seconds, and adds its own writes. It does not see what others write meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use imageshare::domain::{Limits, TenantId};
use tokio::time::Instant;

use crate::state::State;

/// How long a count is cached.
const COUNT_TTL: Duration = Duration::from_secs(10);

/// More images than ever exist.
const MAX_IMAGES: u32 = 10;

/// Whether an inbox has room for one more image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    Available,
    /// The owner has as many pending images as allowed.
    OwnerFull,
    /// The tenant has as many pending images as allowed.
    Full,
}

impl Room {
    /// The limits for this room: 0 if nothing may be added.
    pub fn apply_to(self, limits: &Limits) -> Limits {
        let if_full = |room| if self == room { 0 } else { u32::MAX };
        Limits {
            pending_per_owner: if_full(Self::OwnerFull),
            pending_per_tenant: if_full(Self::Full),
            ..*limits
        }
    }
}

/// Every count of a process, and what it has added.
#[derive(Debug, Clone, Default)]
pub struct InboxCounts {
    /// The tenant of each count, its state and its time.
    counted: Vec<(TenantId, usize, Instant)>,
    /// The state of each addition to the images of an owner pending for a tenant.
    added: Vec<(usize, (TenantId, TenantId), i64)>,
    /// A state in which every inbox was counted.
    all: Option<usize>,
}

impl InboxCounts {
    /// The counts of a process that has counted in one state only.
    pub fn counted_in(state: usize) -> Self {
        Self { all: Some(state), ..Self::default() }
    }

    /// Records a count, given the list that was read.
    pub fn record_count(&mut self, list: &str, state: usize) {
        let tenant = list.strip_prefix("T#").and_then(|list| list.strip_suffix("#pending"));
        if let Some(tenant) = tenant.and_then(|tenant| tenant.parse().ok()) {
            self.counted.push((tenant, state, Instant::now()));
        }
    }

    /// Records the process's own write.
    pub fn record_growth(&mut self, state: usize, of: (TenantId, TenantId), growth: i64) {
        self.added.push((state, of, growth));
    }

    /// The counts that were still cached at this moment.
    pub fn valid_since(&self, moment: Instant) -> Self {
        let is_used = |at: Instant| at + COUNT_TTL > moment;
        let counted = self.counted.iter().filter(|(_, _, at)| is_used(*at));
        Self { counted: counted.cloned().collect(), added: self.added.clone(), all: self.all }
    }

    /// The possible room of a tenant's inbox for an image of an owner, from counts in the states since `since`, after
    /// `more` were added in all and for this owner.
    pub fn possible_rooms(
        &self,
        (states, since): (&[State], usize),
        limits: &Limits,
        (tenant, owner): (&TenantId, &TenantId),
        more: (i64, i64),
    ) -> BTreeSet<Room> {
        if limits.pending_per_tenant.min(limits.pending_per_owner) > MAX_IMAGES {
            return [Room::Available].into();
        }
        let counted = self.counted.iter().filter(|(of, _, _)| of == tenant).map(|(_, state, _)| *state);
        let mut rooms = BTreeSet::new();
        for counted in counted.chain(self.all) {
            for read in since.max(counted)..states.len() {
                let was_hidden = State::ever_hidden(&states[..=counted]);
                let [least, most] = [Some(&was_hidden), None].map(|unseen| {
                    // A count is never below 0, even if it misses changes.
                    let (mut of_all, mut of_owner) = (
                        states[counted].pending_count(tenant, None, unseen),
                        states[counted].pending_count(tenant, Some(owner), unseen),
                    );
                    for (at, (of, by), growth) in &self.added {
                        if *at > counted && *at <= read && of == tenant {
                            of_all = (of_all + growth).max(0);
                            of_owner = (of_owner + if by == owner { *growth } else { 0 }).max(0);
                        }
                    }
                    let owner_is_full = of_owner + more.1 >= limits.pending_per_owner.into();
                    (owner_is_full, of_all + more.0 >= limits.pending_per_tenant.into())
                });
                // A formerly hidden image may be in the list or not, depending on the job of that change.
                rooms.extend((!least.0 && !least.1).then_some(Room::Available));
                rooms.extend(most.0.then_some(Room::OwnerFull));
                rooms.extend((most.1 && !least.0).then_some(Room::Full));
            }
        }
        if rooms.is_empty() {
            // It was not counted, since the pair was a member already.
            rooms.insert(Room::Available);
        }
        rooms
    }
}
