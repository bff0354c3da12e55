//! Jobs as words: what they do, what they have done, and what became of their pairs.

use imageshare::domain::{JobStatus, Outcome, Status, Task};

use crate::texts::{Texts, fill};

/// What a job does.
pub(crate) fn kind(task: &Task, texts: &'static Texts) -> &'static str {
    let t = &texts.jobs;
    match task {
        Task::Share => t.share,
        Task::Unshare => t.unshare,
        Task::Refresh => t.refresh,
        Task::Respond { status, .. } => match status {
            Status::Accepted => t.accept,
            Status::Rejected => t.reject,
            Status::Pending => t.set_pending,
        },
        Task::RespondToAll { status, .. } | Task::RespondToOwners { status, .. } => match status {
            Status::Accepted => t.accept_all,
            Status::Rejected => t.reject_all,
            Status::Pending => t.set_all_pending,
        },
    }
}

/// The status of a job, and its class in the styles.
pub(crate) fn status(status: JobStatus, texts: &'static Texts) -> (&'static str, &'static str) {
    let t = &texts.jobs;
    match status {
        JobStatus::Init => (t.status_init, "running"),
        JobStatus::Running => (t.status_running, "running"),
        JobStatus::Success => (t.status_success, "done"),
        JobStatus::Fail => (t.status_fail, "failed"),
    }
}

/// How many pairs a job has done.
pub(crate) fn count_of_done(task: &Task, count: usize, texts: &'static Texts) -> String {
    let t = &texts.jobs;
    let (one, many) = match task {
        Task::Share => (t.shared_one, t.shared_many),
        Task::Unshare => (t.unshared_one, t.unshared_many),
        Task::Refresh => (t.refreshed_one, t.refreshed_many),
        Task::Respond { status, .. }
        | Task::RespondToAll { status, .. }
        | Task::RespondToOwners { status, .. } => match status {
            Status::Accepted => (t.accepted_one, t.accepted_many),
            Status::Rejected => (t.rejected_one, t.rejected_many),
            Status::Pending => (t.set_pending_one, t.set_pending_many),
        },
    };
    counted(count, one, many)
}

/// How many pairs of a job have failed.
pub(crate) fn count_of_failed(count: usize, texts: &'static Texts) -> String {
    counted(count, texts.jobs.failed_one, texts.jobs.failed_many)
}

/// On how many pairs of a job a later request has decided.
pub(crate) fn count_of_superseded(count: usize, texts: &'static Texts) -> String {
    counted(count, texts.jobs.superseded_one, texts.jobs.superseded_many)
}

fn counted(count: usize, one: &str, many: &str) -> String {
    fill(if count == 1 { one } else { many }, &[("count", &count.to_string())])
}

/// What became of a pair, and what to do if it has failed.
pub(crate) fn outcome(outcome: Outcome, texts: &'static Texts) -> &'static str {
    let t = &texts.jobs;
    match outcome {
        Outcome::Done => t.done,
        Outcome::ImageDeleted => t.image_deleted,
        Outcome::NotShareable => t.not_shareable,
        Outcome::MemberLimit => t.member_limit,
        Outcome::NotAMember => t.not_a_member,
        Outcome::DefaultKey => t.default_key,
        Outcome::KeyNotGranted => t.key_not_granted,
        Outcome::NotFromBackup => t.not_from_backup,
        Outcome::UnknownTenant => t.unknown_tenant,
        Outcome::OtherRegion => t.other_region,
        Outcome::PendingLimit => t.pending_limit,
        Outcome::OwnerPendingLimit => t.owner_pending_limit,
        Outcome::OwnerBlocked => t.owner_blocked,
        Outcome::Superseded => t.superseded,
        Outcome::NoVault => t.no_vault,
        Outcome::NotABackupVault => t.not_a_backup_vault,
        Outcome::VaultUnavailable => t.vault_unavailable,
        Outcome::VaultFull => t.vault_full,
        Outcome::RetriesExhausted => t.retries_exhausted,
    }
}
