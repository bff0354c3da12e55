//! What a process knows of inboxes (decision 12): it counts what waits for a tenant, uses the count for some seconds, and adds
//! what it writes itself meanwhile. What others write in that time it does not see.

use std::collections::BTreeSet;
use std::time::Duration;

use imageshare::domain::{Limits, TenantId};
use tokio::time::Instant;

use crate::state::State;

/// How long a count is used.
const COUNT_TTL: Duration = Duration::from_secs(10);

/// More images than there ever are.
const MAX_IMAGES: u32 = 10;

/// Whether an inbox has room for one more image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    Available,
    /// As many images of the owner wait as may.
    OwnerFull,
    /// As many images wait as may.
    Full,
}

impl Room {
    /// The limits of an inbox like that: 0 where nothing more may wait.
    pub fn apply_to(self, limits: &Limits) -> Limits {
        let if_full = |room| if self == room { 0 } else { u32::MAX };
        Limits {
            pending_per_owner: if_full(Self::OwnerFull),
            pending_per_tenant: if_full(Self::Full),
            ..*limits
        }
    }
}

/// Every count that a process has made, and what it has added to them.
#[derive(Debug, Clone, Default)]
pub struct InboxCounts {
    /// Whose inbox was counted, in which state, and when.
    counted: Vec<(TenantId, usize, Instant)>,
    /// In which state what was added to the images of an owner that wait for a tenant.
    added: Vec<(usize, (TenantId, TenantId), i64)>,
    /// A state in which every inbox was counted.
    all: Option<usize>,
}

impl InboxCounts {
    /// The counts of a process that has counted in that state alone.
    pub fn counted_in(state: usize) -> Self {
        Self { all: Some(state), ..Self::default() }
    }

    /// Takes note of a count, by the list that was read.
    pub fn record_count(&mut self, list: &str, state: usize) {
        let tenant = list.strip_prefix("T#").and_then(|list| list.strip_suffix("#pending"));
        if let Some(tenant) = tenant.and_then(|tenant| tenant.parse().ok()) {
            self.counted.push((tenant, state, Instant::now()));
        }
    }

    /// Takes note of what the process has written itself.
    pub fn record_growth(&mut self, state: usize, of: (TenantId, TenantId), growth: i64) {
        self.added.push((state, of, growth));
    }

    /// What was used since then.
    pub fn valid_since(&self, moment: Instant) -> Self {
        let is_used = |at: Instant| at + COUNT_TTL > moment;
        let counted = self.counted.iter().filter(|(_, _, at)| is_used(*at));
        Self { counted: counted.cloned().collect(), added: self.added.clone(), all: self.all }
    }

    /// How the inbox of a tenant may have looked for an image of that owner, by what was read in one of the states since
    /// `since`, after `more` came to all that waits and to what waits of the owner.
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
                    // A count is never below 0, whatever comes and goes unseen.
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
                // What was hidden once is in the list or not: that depends on the job that follows.
                rooms.extend((!least.0 && !least.1).then_some(Room::Available));
                rooms.extend(most.0.then_some(Room::OwnerFull));
                rooms.extend((most.1 && !least.0).then_some(Room::Full));
            }
        }
        if rooms.is_empty() {
            // It was not counted: the pair was a member of the image already.
            rooms.insert(Room::Available);
        }
        rooms
    }
}
