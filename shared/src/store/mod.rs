//! One DynamoDB table with three indexes, and every read and write of it.
//!
//! Every change is a conditional write. A transient failure (a throttled partition, another transaction on the same
//! item) is retried here with backoff and jitter. A condition that does not hold is a conflict: it is not retried, but
//! returned to the use case, which reads and plans again.
//!
//! The modules form four layers, each of which uses those before it:
//!
//! 1. items: their keys and attributes, and how each kind is written and parsed;
//! 2. reads: the handle to the table and its calls, pages of lists, and the snapshot that a plan is made from;
//! 3. commits: the writes of a plan, under its guards;
//! 4. operations that the use cases call, one module per subject.

// Items.
mod definition;
mod error;
mod item;
mod items;
mod keys;

// Reads.
mod changes;
mod client;
mod inbox_cache;
mod inboxes;
mod lists;
mod meter;
mod retry_budget;
mod sender_cache;
mod snapshot;
mod table_calls;

// Commits.
mod commit;
mod lookups;
mod senders;

// Operations.
mod access_keys;
mod clock;
mod directory;
mod fleet;
mod idempotency;
mod images;
mod job_entries;
mod jobs;
mod key_grants;
mod memberships;
mod messages;
mod nonces;
mod owner_policies;
mod pending_scan;
mod queues;
mod revocations;
mod share_rules;
mod vaults;

pub use self::changes::{ItemChange, MembershipChange, PARTITIONS_WITH_EFFECTS};
pub use self::client::Store;
pub use self::clock::SavedClock;
pub use self::definition::table_definition;
pub use self::directory::PutEntryOutcome;
pub use self::error::StoreError;
pub use self::fleet::ShardCheckpoint;
pub use self::idempotency::PriorCreation;
pub use self::images::{CreateOutcome, DeleteOutcome, ImageFetch, ListedImage, MemberUpdate, UpdateOutcome};
pub use self::inboxes::MAX_PENDING_COUNT;
pub use self::items::idempotency::{IdempotencyRequest, SubmitOutcome};
pub use self::items::key_grant::KeyGrantRecord;
pub use self::items::owner_policy::OwnerPolicyRecord;
pub use self::items::share_rule::ShareRuleJob;
pub use self::items::vault::VaultRecord;
pub use self::jobs::OpenWorkItem;
pub use self::keys::{
    Cursor, List, ListQuery, LookupKey, OPEN_SHARDS, Order, Position, TTL, WorkItemKey, is_sender_write,
    name_prefix, opened_work_item, opens_work_item, sortable_time,
};
pub use self::lists::{CursorPage, MAX_SKIPPED_ENTRIES};
pub use self::memberships::Recipients;
pub use self::messages::{DELIVERY_TIME, MessageContext};
pub use self::meter::{Meter, Usage};
pub use self::owner_policies::PutPolicyOutcome;
pub(crate) use self::pending_scan::{PendingScan, ScanStep};
pub use self::queues::{EnqueueOutcome, QueueTenant};
pub use self::share_rules::{GroupPosition, OwnedShareRule, PutShareRuleOutcome};
pub(crate) use self::snapshot::{Pair, Snapshot};
pub use self::table_calls::Commit;
pub use self::vaults::DeleteVaultOutcome;
