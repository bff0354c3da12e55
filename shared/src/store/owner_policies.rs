//! Owner policies. Each is an item in the partition of the tenant that has it, and the tenant's own item counts them, so
//! that a share reads policies only of a tenant that has any.

use super::client::Store;
use super::error::{StoreError, WriteError};
use super::items::owner_policy::{self, OwnerPolicyRecord, parse_record, parse_record_of};
use super::items::tenant::count_owner_policies;
use super::keys;
use super::table_calls::{Commit, is_condition_failure};
use crate::domain::{MAX_OWNER_POLICIES, OwnerPolicy, OwnerPolicyKey, Policy, PolicyKind, Stamp, TenantId};
use crate::table::Write;

/// The outcome of writing an owner policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutPolicyOutcome {
    /// The policy is written.
    Written(OwnerPolicyRecord),
    /// The tenant has as many policies as it may have.
    LimitReached,
    /// Another request has created or removed the same policy meanwhile.
    Conflict,
}

impl Store {
    /// Creates or updates an owner policy, and returns it. One write if there is one on the owner; otherwise another,
    /// in one transaction, which counts it.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn put_owner_policy(
        &self,
        key: &OwnerPolicyKey,
        policy: &Policy,
        at: Stamp,
    ) -> Result<PutPolicyOutcome, StoreError> {
        let put = owner_policy::put(key, policy, at)?;
        match self.update(&put.clone().only_if("attribute_exists(pk)")).await {
            Ok(updated) => {
                return parse_record_of(key.owner.clone(), &updated).map(PutPolicyOutcome::Written);
            }
            Err(WriteError::ConditionFailed(_)) => {}
            Err(WriteError::Store(error)) => return Err(error),
        }
        let writes = [put.only_if("attribute_not_exists(pk)"), count_owner_policies(&key.recipient, 1)];
        match self.transact(&writes).await {
            Ok(()) => Ok(PutPolicyOutcome::Written(OwnerPolicyRecord {
                owner: key.owner.clone(),
                policy: OwnerPolicy { policy: policy.clone(), revision: at },
                created: at.time(),
            })),
            Err(WriteError::ConditionFailed(reasons)) => Ok(match reasons.first() {
                Some(created) if is_condition_failure(created) => PutPolicyOutcome::Conflict,
                _ => PutPolicyOutcome::LimitReached,
            }),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Deletes an owner policy; does nothing if it does not exist. One transaction.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn delete_owner_policy(&self, key: &OwnerPolicyKey) -> Result<(), StoreError> {
        let delete = Write::delete(keys::owner_policy(key)).only_if("attribute_exists(pk)");
        let outcome = self.commit(&[delete, count_owner_policies(&key.recipient, -1)]).await?;
        // The condition fails if there is no such policy.
        let (Commit::Committed | Commit::Conflict) = outcome;
        Ok(())
    }

    /// Reads an owner policy. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn owner_policy(&self, key: &OwnerPolicyKey) -> Result<Option<OwnerPolicyRecord>, StoreError> {
        self.read_one(keys::owner_policy(key)).await?.as_ref().map(parse_record).transpose()
    }

    /// Returns a tenant's owner policies after `after`, ordered by owner, at most `limit`, all or only those of a kind;
    /// and whether there are more. One query; for those of a kind, it reads the others, too.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn owner_policies(
        &self,
        recipient: &TenantId,
        kind: Option<PolicyKind>,
        after: Option<&TenantId>,
        limit: usize,
    ) -> Result<(Vec<OwnerPolicyRecord>, bool), StoreError> {
        let start = after.map(|owner| {
            let (recipient, owner) = (recipient.clone(), owner.clone());
            keys::owner_policy(&OwnerPolicyKey { recipient, owner })
        });
        let partition = keys::owner_policies_partition(recipient);
        let read = if kind.is_some() { MAX_OWNER_POLICIES as usize } else { limit };
        let (items, more) = self.partition_page(partition, start, read).await?;
        let mut records = items.iter().map(parse_record).collect::<Result<Vec<_>, _>>()?;
        let Some(kind) = kind else { return Ok((records, more)) };
        records.retain(|record| record.policy.policy.kind() == kind);
        let more = records.len() > limit;
        records.truncate(limit);
        Ok((records, more))
    }
}
