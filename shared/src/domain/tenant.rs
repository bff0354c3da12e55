//! What the service keeps of a tenant, beside what it owns and receives: where it is, and what it has queued.

use std::collections::{BTreeSet, HashMap};

use super::{JobId, Name, Stamp, Task, TenantId};

/// A tenant as its item in the table has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tenant {
    /// The name of its account, if it stands in the directory.
    pub account: Option<Name>,
    /// Its region, if it stands in the directory.
    pub region: Option<String>,
    /// The stamp of the newest request about its images, or of its own, that was queued. Every later one is above it
    /// (`contract/decisions.md` 26).
    pub last_queued: Option<Stamp>,
    /// The requests that were queued and have not ended.
    pub queue: Queue,
}

/// The open jobs of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queue {
    /// All of them. One may have ended a moment ago.
    pub jobs: BTreeSet<JobId>,
    /// How many pairs they have.
    pub pair_count: u64,
    /// Of each line, the large job whose work items are being handed out; the others of the line wait for its end.
    pub current: HashMap<QueueKind, JobId>,
}

/// A line in which the large jobs of a tenant wait for each other, so that a tenant who asks for much does not keep the
/// workers from others. What takes something away has a line of its own, and does not wait for what gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueKind {
    /// Shares and answers.
    General,
    /// Unshares.
    Unshare,
}

impl QueueKind {
    /// Both lines.
    pub const ALL: [Self; 2] = [Self::General, Self::Unshare];

    /// The line of a task.
    pub fn of(task: &Task) -> Self {
        match task {
            Task::Unshare => Self::Unshare,
            Task::Share | Task::Refresh | Task::Respond { .. } | Task::RespondToAll { .. } => Self::General,
        }
    }
}

/// The images that wait for a tenant's answer, counted a moment ago.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inbox {
    /// All of them.
    pub pending: u32,
    /// Those of each owner.
    pub pending_by_owner: HashMap<TenantId, u32>,
}
