//! What the service stores about a tenant: its account, its region, its open jobs, and whether it has owner policies.

use std::collections::{BTreeSet, HashMap};

use super::{JobId, Name, Stamp, Task, TenantId};

/// A tenant's item in the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tenant {
    /// The name of its account, if it is in the directory.
    pub account: Option<Name>,
    /// Its region, if it is in the directory.
    pub region: Option<String>,
    /// The stamp of the newest queued request of the tenant, or about its images. Every later request gets a greater
    /// one (`contract/decisions.md` 26).
    pub last_queued: Option<Stamp>,
    /// The number of its policies on owners. A share reads them only if there are any.
    pub owner_policies: u32,
    /// Its open jobs.
    pub queue: Queue,
}

/// The open jobs of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queue {
    /// All of them. One may have ended a moment ago.
    pub jobs: BTreeSet<JobId>,
    /// The number of their pairs.
    pub pair_count: u64,
    /// The large job of each kind that is being executed. Later ones of that kind are held until it ends.
    pub current: HashMap<QueueKind, JobId>,
}

/// Large jobs of one tenant and kind run one after another, so that a tenant with many requests does not keep the
/// workers from others. Unshares are a kind of their own: a withdrawal does not wait for shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueKind {
    /// Shares, refreshes and decisions.
    General,
    /// Unshares.
    Unshare,
}

impl QueueKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::General, Self::Unshare];

    /// The kind of a job with that task.
    pub fn of(task: &Task) -> Self {
        match task {
            Task::Unshare => Self::Unshare,
            Task::Share
            | Task::Refresh
            | Task::Respond { .. }
            | Task::RespondToAll { .. }
            | Task::RespondToOwners { .. } => Self::General,
        }
    }
}

/// The number of images that are pending for a tenant, counted a moment ago.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inbox {
    /// All of them.
    pub pending: u32,
    /// The number for each owner.
    pub pending_by_owner: HashMap<TenantId, u32>,
}
