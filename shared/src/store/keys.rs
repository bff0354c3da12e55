//! The table's keys, built and parsed here and nowhere else.
//!
//! | item | `pk` | `sk` | `gpk` | `gsk` |
//! |---|---|---|---|---|
//! | image: its record, which readers read | `I#<image>` | `A` | `O#<owner>` | a place (see [`lists`]) |
//! | image: its head, which sharing reads and writes; a tombstone once it is deleted | `I#<image>` | `H` | – | – |
//! | listing of a public or community image | `I#<image>` | `L` | `L#<visibility>` | a place |
//! | membership | `I#<image>` | `M#<tenant>` | `T#<tenant>#<status>` | a place |
//! | filing of an image under a tag or an owner | `F#<list>#t#<tag>`, `F#<list>#o#<owner>` | a place | – | – |
//! | sender: an owner who has shared with a tenant | `S#<tenant>` | `<owner>` | – | – |
//! | job, with its piece if it is only one | `J#<job>` | `A` | `W#<shard>` while open, `H#<shard>` while held | `<job>#00000` |
//! | piece of a larger job | `J#<job>` | `P#<number>` | `W#<shard>` while open | `<job>#<number>` |
//! | tenant | `T#<tenant>` | `A` | `D#` while in the directory | `<tenant>` |
//! | names of a tenant | `D#<account name>` | `P#<project name>` | – | – |
//! | vault | `V#<tenant>` | `<vault>` | – | – |
//! | key grant | `G#<owner>#<key>` | `<tenant>` | – | – |
//! | idempotency key | `K#<tenant>#<hash>` | `A` | – | – |
//! | access key | `C#<access key>` | `A` | `C#<project>` | `<access key>` |
//! | used nonce | `N#<access key>#<hash>` | `A` | – | – |
//! | revoked token | `R#<hash>` | `A` | – | – |
//!
//! No id holds a `#`. A name of the directory may hold one, so nothing follows it in a key: whatever it is, all after the
//! prefix is the name, and the key no other's.

mod lists;

use std::collections::HashMap;

pub use self::lists::{
    Cursor, Index, List, ListQuery, LookupKey, Order, Position, list_entry_attributes, name_prefix,
    parse_received_owner, sortable_time,
};
use crate::domain::{
    AccessKeyId, ImageId, JobId, KeyGrant, KeyId, Name, Stamp, TenantId, Timestamp, VaultKey,
};
pub use crate::table::Key;
use crate::table::{Action, AttributeValue, Write};

/// The partition key's attribute.
pub const PK: &str = "pk";
/// The sort key's attribute.
pub const SK: &str = "sk";
/// The partition key's attribute in the index.
pub const GPK: &str = "gpk";
/// The sort key's attribute in the index.
pub const GSK: &str = "gsk";
/// The keys' attributes in the index of names.
pub const NPK: &str = "npk";
/// See [`NPK`].
pub const NSK: &str = "nsk";
/// The keys' attributes in the index of updates.
pub const UPK: &str = "upk";
/// See [`UPK`].
pub const USK: &str = "usk";
/// The first index: what a tenant owns and receives, and what is open. Every index holds keys only.
pub const LISTS_INDEX: &str = "lists";
/// When DynamoDB may delete the item, in seconds since the Unix epoch.
pub const TTL: &str = "ttl";

/// Open pieces are spread over this many partitions of the index, so that no partition takes every job's writes.
pub const OPEN_SHARDS: u8 = 4;

fn key(pk: String, sk: impl Into<String>) -> Key {
    HashMap::from([(PK.to_owned(), AttributeValue::S(pk)), (SK.to_owned(), AttributeValue::S(sk.into()))])
}

/// The partition of an image and its memberships.
pub fn image_partition(image: &ImageId) -> String {
    format!("I#{image}")
}

/// The latest moment that a server's clock is known to have reached.
pub fn clock() -> Key {
    key("?clock".to_owned(), "A")
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

/// What the sort keys of an image's memberships begin with.
pub const MEMBERSHIP_PREFIX: &str = "M#";

/// The owners who have shared with a tenant, as a partition.
pub fn senders_partition(recipient: &TenantId) -> String {
    format!("S#{recipient}")
}

/// The recipient of a partition of senders.
pub fn parse_senders_partition(pk: &str) -> Option<TenantId> {
    pk.strip_prefix("S#")?.parse().ok()
}

/// A sender: an owner who has shared with a tenant.
pub fn sender(recipient: &TenantId, owner: &TenantId) -> Key {
    key(senders_partition(recipient), owner.as_str())
}

/// Whether a write remembers a sender, which says nothing of any image.
pub fn is_sender_write(write: &Write) -> bool {
    let Action::Put(item) = &write.action else { return false };
    matches!(item.get(PK), Some(AttributeValue::S(partition)) if partition.starts_with("S#"))
}

/// A membership.
pub fn membership(image: &ImageId, tenant: &TenantId) -> Key {
    key(image_partition(image), format!("{MEMBERSHIP_PREFIX}{tenant}"))
}

/// The tenant of a membership's sort key.
pub fn parse_membership_sort_key(sk: &str) -> Option<TenantId> {
    sk.strip_prefix(MEMBERSHIP_PREFIX)?.parse().ok()
}

/// The image of a partition key.
pub fn parse_image_partition(pk: &str) -> Option<ImageId> {
    pk.strip_prefix("I#")?.parse().ok()
}

/// The partition of a job and its pieces.
pub fn job_partition(job: JobId) -> String {
    format!("J#{job}")
}

/// The sort key of a job itself.
pub const JOB_SORT_KEY: &str = "A";

/// A job.
pub fn job(id: JobId) -> Key {
    key(job_partition(id), JOB_SORT_KEY)
}

/// A tenant: its counters, and what the directory says of it.
pub fn tenant(id: &TenantId) -> Key {
    key(format!("T#{id}"), "A")
}

/// The tenant of a partition key.
pub fn parse_tenant_partition(pk: &str) -> Option<TenantId> {
    pk.strip_prefix("T#")?.parse().ok()
}

/// The tenant of a primary key, if it is that of a tenant.
pub fn parse_tenant_key(key: &Key) -> Option<TenantId> {
    let text = |name| key.get(name).and_then(|value| value.as_s().ok());
    parse_tenant_partition(text(PK)?).filter(|_| text(SK).is_some_and(|sk| sk == "A"))
}

/// The partition of the directory in the index.
pub const DIRECTORY_PARTITION: &str = "D#";

/// The partition of the names of an account's projects.
pub fn account_partition(account: &Name) -> String {
    format!("{DIRECTORY_PARTITION}{account}")
}

/// What the sort keys of an account's projects begin with.
const PROJECT_PREFIX: &str = "P#";

/// The names of a tenant.
pub fn tenant_names(account: &Name, project: &Name) -> Key {
    key(account_partition(account), format!("{PROJECT_PREFIX}{project}"))
}

/// The names of a primary key: the account's and the project's.
pub fn parse_tenant_names(pk: &str, sk: &str) -> Option<(Name, Name)> {
    Some((
        pk.strip_prefix(DIRECTORY_PARTITION)?.parse().ok()?,
        sk.strip_prefix(PROJECT_PREFIX)?.parse().ok()?,
    ))
}

/// The partition of a tenant's vaults.
pub fn vault_partition(tenant: &TenantId) -> String {
    format!("V#{tenant}")
}

/// A vault.
pub fn vault((tenant, vault): &VaultKey) -> Key {
    key(vault_partition(tenant), vault.as_str())
}

/// The partition of the grants of one owner's key.
pub fn key_grant_partition(owner: &TenantId, key: &KeyId) -> String {
    format!("G#{owner}#{key}")
}

/// A grant of a key.
pub fn key_grant(grant: &KeyGrant) -> Key {
    key(key_grant_partition(&grant.owner, &grant.key), grant.tenant.as_str())
}

/// What an item that a decision is made from is of.
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
    /// A grant of a key.
    KeyGrant(KeyGrant),
}

impl SnapshotItem {
    /// What the item of that primary key is of; `None` for another kind of item.
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
            _ => return None,
        })
    }
}

/// A remembered request; `digest` is the hash of the client's key.
pub fn idempotency(tenant: &TenantId, digest: &str) -> Key {
    key(format!("K#{tenant}#{digest}"), "A")
}

/// An access key.
pub fn access_key(id: &AccessKeyId) -> Key {
    key(format!("C#{id}"), "A")
}

/// The access key of a partition key.
pub fn parse_access_key_partition(pk: &str) -> Option<AccessKeyId> {
    pk.strip_prefix("C#")?.parse().ok()
}

/// The partition of a project's access keys in the index.
pub fn access_key_partition(project: &TenantId) -> String {
    format!("C#{project}")
}

/// A nonce that was used with an access key; `digest` is its hash.
pub fn nonce(access_key: &AccessKeyId, digest: &str) -> Key {
    key(format!("N#{access_key}#{digest}"), "A")
}

/// A token that was revoked; `digest` is its hash.
pub fn revoked_token(digest: &str) -> Key {
    key(format!("R#{digest}"), "A")
}

/// The number of a piece that is its whole job, and stands in the job's own item.
pub(super) const SINGLE: u16 = 0;

/// Names one piece of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkItemKey {
    /// The job.
    pub job: JobId,
    /// The piece's place in it: from 1, or [`SINGLE`].
    pub number: u16,
}

impl WorkItemKey {
    const PREFIX: &str = "P#";

    /// The item's primary key.
    pub fn primary_key(self) -> Key {
        key(job_partition(self.job), self.sort_key())
    }

    fn sort_key(self) -> String {
        match self.number {
            SINGLE => JOB_SORT_KEY.to_owned(),
            number => format!("{}{number:05}", Self::PREFIX),
        }
    }

    /// The piece of a primary key; `None` for the key of another kind of item. The key of a job is that of its only
    /// piece, whether or not it has more.
    pub fn parse(pk: &str, sk: &str) -> Option<Self> {
        let job = pk.strip_prefix("J#")?.parse().ok()?;
        let number = if sk == JOB_SORT_KEY { SINGLE } else { sk.strip_prefix(Self::PREFIX)?.parse().ok()? };
        Some(Self { job, number })
    }

    /// Its partition of the index while it is open. The last bits of a stamp are random.
    pub fn shard(self) -> u8 {
        let last = self.job.to_string().bytes().last().unwrap_or_default();
        last % OPEN_SHARDS
    }

    /// Its place in that partition: by the time of the request.
    pub fn open_sort_key(self) -> String {
        format!("{}#{:05}", self.job, self.number)
    }
}

/// What the partitions of open pieces begin with.
const OPEN_PREFIX: &str = "W#";

/// The partition of the large jobs that wait for an earlier one of their tenant.
pub fn held_partition(shard: u8) -> String {
    format!("H#{shard}")
}

/// The partition of open pieces of that shard.
pub fn open_partition(shard: u8) -> String {
    format!("{OPEN_PREFIX}{shard}")
}

/// Whether a write makes a piece that is to be carried out, of which the table's stream tells job-worker on AWS.
pub fn opens_work_item(write: &Write) -> bool {
    let Action::Put(item) = &write.action else { return false };
    matches!(item.get(GPK), Some(AttributeValue::S(partition)) if partition.starts_with(OPEN_PREFIX))
}

/// A sort key that is above those of the jobs requested before that moment, and below all others.
pub fn open_upper_bound(moment: Timestamp) -> String {
    Stamp::first_of(moment).to_string()
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
        let grant = KeyGrant { owner: "o".parse().unwrap(), key: "k".parse().unwrap(), tenant };
        assert_eq!(parsed(&key_grant(&grant)), Some(SnapshotItem::KeyGrant(grant)));
        assert_eq!(parsed(&listing(&image)), None);
    }

    #[test]
    fn work_item_key_round_trips() {
        let work_item = WorkItemKey { job: JobId(Stamp::now()), number: 50 };
        assert_eq!(WorkItemKey::parse(&job_partition(work_item.job), &work_item.sort_key()), Some(work_item));
        let alone = WorkItemKey { number: SINGLE, ..work_item };
        assert_eq!(WorkItemKey::parse(&job_partition(work_item.job), JOB_SORT_KEY), Some(alone));
        assert!(work_item.shard() < OPEN_SHARDS);
    }
}
