//! The table's keys. They are built and parsed here and nowhere else.
//!
//! | item | `pk` | `sk` | `gpk` | `gsk` |
//! |---|---|---|---|---|
//! | image record: what readers read | `I#<image>` | `A` | `O#<owner>` | a position (see [`lists`]) |
//! | image head: what sharing reads and writes; a tombstone after deletion | `I#<image>` | `H` | – | – |
//! | listing of a public or community image | `I#<image>` | `L` | `L#<visibility>` | a position |
//! | membership | `I#<image>` | `M#<tenant>` | `T#<tenant>#<status>` | a position |
//! | lookup of an image by tag or owner | `F#<list>#t#<tag>`, `F#<list>#o#<owner>` | a position | – | – |
//! | sender: an owner that has shared with a tenant | `S#<tenant>` | `<owner>` | – | – |
//! | job, with its work item if only one | `J#<job>` | `A` | `W#<shard>` open, `H#<shard>` held | `<job>#00000` |
//! | job entry: a job in the list of its project's | `E#<tenant>` | `<job>` | – | – |
//! | work item of a large job | `J#<job>` | `P#<number>` | `W#<shard>` open | `<job>#<number>` |
//! | tenant | `T#<tenant>` | `A` | `D#` while in the directory | `<tenant>` |
//! | names of a tenant | `D#<account name>` | `P#<project name>` | – | – |
//! | member of an organization | `O#<organization>` | `<tenant>` | – | – |
//! | cloud account that a tenant is bound to | `X#<cloud account>` | `A` | – | – |
//! | vault | `V#<tenant>` | `<vault>` | – | – |
//! | key grant | `G#<owner>#<key>` | `<tenant>` | – | – |
//! | owner policy of a tenant | `P#<tenant>` | `<owner>` | – | – |
//! | share rule | `Q#<owner>` | `<rule>` | – | – |
//! | job of a share rule | `Q#<owner>#<rule>` | `<job>` | – | – |
//! | lookup of a share rule by a recipient | `Y#<a or o>#<account name or organization>` | `<owner>#<rule>` | – | – |
//! | idempotency key | `K#<tenant>#<hash>` | `A` | – | – |
//! | access key | `C#<access key>` | `A` | `C#<project>` | `<access key>` |
//! | nonce | `N#<access key>#<hash>` | `A` | – | – |
//! | revoked token | `R#<hash>` | `A` | – | – |
//! | message | `B#<tenant>` | `<stamp>#<kind>#<counterpart>` | `B#<tenant>#unread`, `B#<tenant>#read` | `<arrived>` |
//! | read mark: up to when a tenant has read its messages | `U#<tenant>` | `A` | – | – |
//!
//! An enabled access key that expires is also in the index `updates`: `upk` is `C#<project>`, `usk` is `<when>#<access key>`.
//!
//! An id never contains `#`. A name in the directory may, so it comes last in its key: everything after the prefix is
//! the name, and no two names share a key.

mod job_entries;
mod lists;
mod messages;
mod share_rules;

use std::collections::HashMap;

pub use self::job_entries::{job_entries_partition, job_entry};
pub use self::lists::{
    Cursor, Index, List, ListQuery, LookupKey, Order, Position, list_entry_attributes, name_prefix,
    parse_received_owner, sortable_time,
};
pub use self::messages::{
    marked_messages_partition, message, message_lower_bound, message_partition, parse_is_marked_read,
    parse_message_sort_key, read_mark,
};
pub use self::share_rules::{
    parse_rule_lookup_sort_key, parse_share_rules_partition, rule_lookup, rule_lookup_partition, share_rule,
    share_rule_job, share_rule_jobs_partition, share_rules_partition,
};
use crate::domain::{
    AccessKeyId, CloudAccountId, ImageId, JobId, KeyGrant, KeyId, Name, OrganizationId, OwnerPolicyKey,
    Stamp, TenantId, Timestamp, VaultKey,
};
pub use crate::table::Key;
use crate::table::{Action, AttributeValue, Write};

/// The partition key of the table.
pub const PK: &str = "pk";
/// The sort key of the table.
pub const SK: &str = "sk";
/// The partition key of the `lists` index.
pub const GPK: &str = "gpk";
/// The sort key of the `lists` index.
pub const GSK: &str = "gsk";
/// The partition key of the `names` index.
pub const NPK: &str = "npk";
/// The sort key of the `names` index.
pub const NSK: &str = "nsk";
/// The partition key of the `updates` index.
pub const UPK: &str = "upk";
/// The sort key of the `updates` index.
pub const USK: &str = "usk";
/// The index of lists by creation, and of everything else that is listed, such as open work. Every index holds keys
/// only.
pub const LISTS_INDEX: &str = "lists";
/// When the item expires and DynamoDB may delete it, in seconds since the Unix epoch.
pub const TTL: &str = "ttl";

/// The number of index partitions that open work items are spread over, so that no partition takes the writes of all
/// jobs.
pub const OPEN_SHARDS: u8 = 4;

fn key(pk: String, sk: impl Into<String>) -> Key {
    HashMap::from([(PK.to_owned(), AttributeValue::S(pk)), (SK.to_owned(), AttributeValue::S(sk.into()))])
}

/// The partition of an image and its memberships.
pub fn image_partition(image: &ImageId) -> String {
    format!("I#{image}")
}

/// The progress of a server's clock.
pub fn clock() -> Key {
    key("?clock".to_owned(), "A")
}

/// The turn of the sweep among several servers.
pub fn sweep_turn() -> Key {
    key("?sweep".to_owned(), "A")
}

/// The lease of the server that carries out effects.
pub fn effects_lease() -> Key {
    key("?effects".to_owned(), "A")
}

/// How far the effects of a shard of the table's stream are carried out.
pub fn shard_checkpoint(shard: &str) -> Key {
    key(shard_checkpoints_partition(), shard)
}

/// The partition of the checkpoints of all shards.
pub fn shard_checkpoints_partition() -> String {
    "?shards".to_owned()
}

/// The fingerprint of a master key that several servers have.
pub fn master_key_fingerprint(id: &str) -> Key {
    key(format!("?master-key#{id}"), "A")
}

/// An item that is never written.
pub fn probe() -> Key {
    key("?".to_owned(), "A")
}

/// The record of an image.
pub fn image(id: &ImageId) -> Key {
    key(image_partition(id), "A")
}

/// The sort key of an image's head.
pub const HEAD_SORT_KEY: &str = "H";

/// The head of an image.
pub fn head(id: &ImageId) -> Key {
    key(image_partition(id), HEAD_SORT_KEY)
}

/// The listing of a public or community image.
pub fn listing(id: &ImageId) -> Key {
    key(image_partition(id), "L")
}

/// The prefix of the sort keys of memberships.
pub const MEMBERSHIP_PREFIX: &str = "M#";

/// The partition of a tenant's senders.
pub fn senders_partition(recipient: &TenantId) -> String {
    format!("S#{recipient}")
}

/// Parses the recipient from a partition of senders.
pub fn parse_senders_partition(pk: &str) -> Option<TenantId> {
    pk.strip_prefix("S#")?.parse().ok()
}

/// A sender: an owner that has shared with a tenant.
pub fn sender(recipient: &TenantId, owner: &TenantId) -> Key {
    key(senders_partition(recipient), owner.as_str())
}

/// Returns whether a write records a sender. Such a write is made before the commit that it belongs to.
pub fn is_sender_write(write: &Write) -> bool {
    let Action::Put(item) = &write.action else { return false };
    matches!(item.get(PK), Some(AttributeValue::S(partition)) if partition.starts_with("S#"))
}

/// A membership.
pub fn membership(image: &ImageId, tenant: &TenantId) -> Key {
    key(image_partition(image), format!("{MEMBERSHIP_PREFIX}{tenant}"))
}

/// Parses the tenant from the sort key of a membership; `None` for another kind of item.
pub fn parse_membership_sort_key(sk: &str) -> Option<TenantId> {
    sk.strip_prefix(MEMBERSHIP_PREFIX)?.parse().ok()
}

/// Parses the image from a partition key.
pub fn parse_image_partition(pk: &str) -> Option<ImageId> {
    pk.strip_prefix("I#")?.parse().ok()
}

/// The partition of a job and its work items.
pub fn job_partition(job: JobId) -> String {
    format!("J#{job}")
}

/// The sort key of a job's own item.
pub const JOB_SORT_KEY: &str = "A";

/// A job.
pub fn job(id: JobId) -> Key {
    key(job_partition(id), JOB_SORT_KEY)
}

/// A tenant: its counters, its queue and its directory entry.
pub fn tenant(id: &TenantId) -> Key {
    key(format!("T#{id}"), "A")
}

/// Parses the tenant from a partition key.
pub fn parse_tenant_partition(pk: &str) -> Option<TenantId> {
    pk.strip_prefix("T#")?.parse().ok()
}

/// Parses the tenant from a primary key; `None` for another kind of item.
pub fn parse_tenant_key(key: &Key) -> Option<TenantId> {
    let text = |name| key.get(name).and_then(|value| value.as_s().ok());
    parse_tenant_partition(text(PK)?).filter(|_| text(SK).is_some_and(|sk| sk == "A"))
}

/// The partition of the directory in the `lists` index.
pub const DIRECTORY_PARTITION: &str = "D#";

/// The partition of the names of an account's projects.
pub fn account_partition(account: &Name) -> String {
    format!("{DIRECTORY_PARTITION}{account}")
}

/// The prefix of the sort keys of an account's projects.
const PROJECT_PREFIX: &str = "P#";

/// The names of a tenant.
pub fn tenant_names(account: &Name, project: &Name) -> Key {
    key(account_partition(account), format!("{PROJECT_PREFIX}{project}"))
}

/// Parses the names of the account and the project from a primary key.
pub fn parse_tenant_names(pk: &str, sk: &str) -> Option<(Name, Name)> {
    Some((
        pk.strip_prefix(DIRECTORY_PARTITION)?.parse().ok()?,
        sk.strip_prefix(PROJECT_PREFIX)?.parse().ok()?,
    ))
}

/// The partition of an organization's members.
pub fn organization_partition(organization: &OrganizationId) -> String {
    format!("O#{organization}")
}

/// The membership of a tenant in an organization.
pub fn organization_member(organization: &OrganizationId, tenant: &TenantId) -> Key {
    key(organization_partition(organization), tenant.as_str())
}

/// The binding of a cloud account to a tenant.
pub fn cloud_account(account: &CloudAccountId) -> Key {
    key(format!("X#{account}"), "A")
}

/// The partition of a tenant's vaults.
pub fn vault_partition(tenant: &TenantId) -> String {
    format!("V#{tenant}")
}

/// A vault.
pub fn vault((tenant, vault): &VaultKey) -> Key {
    key(vault_partition(tenant), vault.as_str())
}

/// The partition of the grants of one key.
pub fn key_grant_partition(owner: &TenantId, key: &KeyId) -> String {
    format!("G#{owner}#{key}")
}

/// A key grant.
pub fn key_grant(grant: &KeyGrant) -> Key {
    key(key_grant_partition(&grant.owner, &grant.key), grant.tenant.as_str())
}

/// The partition of a tenant's owner policies.
pub fn owner_policies_partition(tenant: &TenantId) -> String {
    format!("P#{tenant}")
}

/// An owner policy.
pub fn owner_policy(OwnerPolicyKey { recipient, owner }: &OwnerPolicyKey) -> Key {
    key(owner_policies_partition(recipient), owner.as_str())
}

/// The kinds of items in a snapshot.
#[derive(Debug, PartialEq, Eq)]
pub enum SnapshotItem {
    /// The head of an image.
    Image,
    /// A membership.
    Membership,
    /// A tenant.
    Tenant(TenantId),
    /// A vault.
    Vault(VaultKey),
    /// A key grant.
    KeyGrant(KeyGrant),
    /// An owner policy.
    OwnerPolicy(OwnerPolicyKey),
}

impl SnapshotItem {
    /// Parses a primary key; `None` for a kind of item that no snapshot holds.
    pub fn parse(pk: &str, sk: &str) -> Option<Self> {
        let (kind, id) = pk.split_once('#')?;
        Some(match kind {
            "I" if sk == HEAD_SORT_KEY => Self::Image,
            "I" if sk.starts_with(MEMBERSHIP_PREFIX) => Self::Membership,
            "T" if sk == "A" => Self::Tenant(id.parse().ok()?),
            "V" => Self::Vault((id.parse().ok()?, sk.parse().ok()?)),
            "G" => {
                let (owner, key) = id.split_once('#')?;
                let (owner, key) = (owner.parse().ok()?, key.parse().ok()?);
                Self::KeyGrant(KeyGrant { owner, key, tenant: sk.parse().ok()? })
            }
            "P" => {
                let (recipient, owner) = (id.parse().ok()?, sk.parse().ok()?);
                Self::OwnerPolicy(OwnerPolicyKey { recipient, owner })
            }
            _ => return None,
        })
    }
}

/// A request under its idempotency key; `digest` is the hash of that key.
pub fn idempotency(tenant: &TenantId, digest: &str) -> Key {
    key(format!("K#{tenant}#{digest}"), "A")
}

/// An access key.
pub fn access_key(id: &AccessKeyId) -> Key {
    key(format!("C#{id}"), "A")
}

/// Parses the access key from a partition key.
pub fn parse_access_key_partition(pk: &str) -> Option<AccessKeyId> {
    pk.strip_prefix("C#")?.parse().ok()
}

/// The partition of a project's access keys in the `lists` index; in the `updates` index, of those that expire.
pub fn access_key_partition(project: &TenantId) -> String {
    format!("C#{project}")
}

/// The attributes by which an access key that expires is found among those of its project, in the `updates` index.
pub fn expiring_key_attributes(
    project: &TenantId,
    access_key: &AccessKeyId,
    expires_at: Timestamp,
) -> [(&'static str, String); 2] {
    let sort_key = format!("{}#{access_key}", sortable_time(expires_at));
    [(UPK, access_key_partition(project)), (USK, sort_key)]
}

/// A nonce used with an access key; `digest` is its hash.
pub fn nonce(access_key: &AccessKeyId, digest: &str) -> Key {
    key(format!("N#{access_key}#{digest}"), "A")
}

/// A revoked token; `digest` is its hash.
pub fn revoked_token(digest: &str) -> Key {
    key(format!("R#{digest}"), "A")
}

/// The number of a work item that is its whole job. It is kept in the job's own item.
pub(super) const SINGLE: u16 = 0;

/// The id of a work item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkItemKey {
    /// The job.
    pub job: JobId,
    /// Its number in the job: from 1, or 0 if it is the only one ([`SINGLE`]).
    pub number: u16,
}

impl WorkItemKey {
    const PREFIX: &str = "P#";

    /// Its primary key.
    pub fn primary_key(self) -> Key {
        key(job_partition(self.job), self.sort_key())
    }

    fn sort_key(self) -> String {
        match self.number {
            SINGLE => JOB_SORT_KEY.to_owned(),
            number => format!("{}{number:05}", Self::PREFIX),
        }
    }

    /// Parses a primary key; `None` for another kind of item. A job's own key is read as that of its only work item,
    /// although a large job has several.
    pub fn parse(pk: &str, sk: &str) -> Option<Self> {
        let job = pk.strip_prefix("J#")?.parse().ok()?;
        let number = if sk == JOB_SORT_KEY { SINGLE } else { sk.strip_prefix(Self::PREFIX)?.parse().ok()? };
        Some(Self { job, number })
    }

    /// Its shard of the index while it is open: chosen by the last bits of the job's stamp, which are random.
    pub fn shard(self) -> u8 {
        let last = self.job.to_string().bytes().last().unwrap_or_default();
        last % OPEN_SHARDS
    }

    /// Its sort key in the index while it is open: ordered by the time of the request.
    pub fn open_sort_key(self) -> String {
        format!("{}#{:05}", self.job, self.number)
    }
}

/// The prefix of the partitions of open work items.
const OPEN_PREFIX: &str = "W#";

/// The partition of a shard's held jobs in the `lists` index.
pub fn held_partition(shard: u8) -> String {
    format!("H#{shard}")
}

/// The partition of a shard's open work items in the `lists` index.
pub fn open_partition(shard: u8) -> String {
    format!("{OPEN_PREFIX}{shard}")
}

/// Returns whether a write opens a work item. On AWS, the table's stream invokes job-worker for such a write.
pub fn opens_work_item(write: &Write) -> bool {
    let Action::Put(item) = &write.action else { return false };
    matches!(item.get(GPK), Some(AttributeValue::S(partition)) if partition.starts_with(OPEN_PREFIX))
}

/// Returns the work item that a write opens; `None` if it opens none.
pub fn opened_work_item(write: &Write) -> Option<WorkItemKey> {
    let Action::Put(item) = &write.action else { return None };
    let text = |name| item.get(name).and_then(|value| value.as_s().ok());
    WorkItemKey::parse(text(PK)?, text(SK)?).filter(|_| opens_work_item(write))
}

/// Returns a sort key above those of the jobs that were requested before `time`, and below all others.
pub fn open_upper_bound(time: Timestamp) -> String {
    Stamp::first_of(time).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn key_parsers_accept_any_text(pk in ".{0,50}", sk in ".{0,50}") {
            let _ = WorkItemKey::parse(&pk, &sk);
            let _ = parse_membership_sort_key(&sk);
            let _ = (parse_tenant_names(&pk, &sk), SnapshotItem::parse(&pk, &sk));
            let _ = (parse_message_sort_key(&sk), parse_is_marked_read(&pk));
            let _ = (parse_rule_lookup_sort_key(&sk), parse_share_rules_partition(&pk));
        }

        #[test]
        fn tenant_names_round_trip_through_their_key(account in "[ #a-z]{1,9}", project in "[ #A-Z]{1,9}") {
            if let (Ok(account), Ok(project)) = (account.parse(), project.parse()) {
                let key = tenant_names(&account, &project);
                let part = |name: &str| key[name].as_s().unwrap().as_str();
                prop_assert_eq!(parse_tenant_names(part(PK), part(SK)), Some((account, project)));
            }
        }
    }

    #[test]
    fn snapshot_items_are_recognised_by_their_keys() {
        let text = |key: &Key, name: &str| key[name].as_s().unwrap().clone();
        let parsed = |key: &Key| SnapshotItem::parse(&text(key, PK), &text(key, SK));
        let (image, tenant): (ImageId, TenantId) = ("i".parse().unwrap(), "t".parse().unwrap());
        assert_eq!(parsed(&head(&image)), Some(SnapshotItem::Image));
        assert_eq!(parsed(&membership(&image, &tenant)), Some(SnapshotItem::Membership));
        assert_eq!(parsed(&super::tenant(&tenant)), Some(SnapshotItem::Tenant(tenant.clone())));
        let key = (tenant.clone(), "A".parse().unwrap());
        assert_eq!(parsed(&vault(&key)), Some(SnapshotItem::Vault(key)));
        let policy = OwnerPolicyKey { recipient: tenant.clone(), owner: "o".parse().unwrap() };
        assert_eq!(parsed(&owner_policy(&policy)), Some(SnapshotItem::OwnerPolicy(policy)));
        let grant = KeyGrant { owner: "o".parse().unwrap(), key: "k".parse().unwrap(), tenant };
        assert_eq!(parsed(&key_grant(&grant)), Some(SnapshotItem::KeyGrant(grant)));
        assert_eq!(parsed(&listing(&image)), None);
    }

    #[test]
    fn work_item_key_round_trips() {
        let work_item = WorkItemKey { job: JobId(Stamp::now()), number: 50 };
        assert_eq!(WorkItemKey::parse(&job_partition(work_item.job), &work_item.sort_key()), Some(work_item));
        let single = WorkItemKey { number: SINGLE, ..work_item };
        assert_eq!(WorkItemKey::parse(&job_partition(work_item.job), JOB_SORT_KEY), Some(single));
        assert!(work_item.shard() < OPEN_SHARDS);
    }
}
