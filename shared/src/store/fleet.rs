//! What several servers over one table agree on: which of them sweeps, which of them carries out effects and how far it
//! has come in the table's stream, and that their master keys are the same.
//!
//! Functions need neither: AWS starts one sweep a minute, and one deployment gives all of them the same keys.

use std::collections::BTreeMap;
use std::time::Duration;

use super::client::Store;
use super::error::StoreError;
use super::item;
use super::keys;
use super::table_calls::Commit;
use crate::table::{Query, Write};

/// How far the effects of a shard of the table's stream are carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShardCheckpoint {
    /// Up to the record with this sequence number.
    Handled(String),
    /// Wholly; the shard gets no more records.
    Finished,
}

/// The attribute of a checkpoint that has the number of the last record whose effects are carried out.
const HANDLED: &str = "handled";

impl Store {
    /// Takes the turn to sweep for this long; `false` if another server has it. So there is one sweep in each such
    /// period, however many servers there are, and the attempts of a work item are counted at the same pace. If the
    /// response is lost, no server sweeps until the turn has ended. One put.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn take_sweep_turn(&self, period: Duration) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let attributes = [("ends", item::number(now.plus(period).unix_millis()))];
        let put = Write::put(item::item(keys::sweep_turn(), attributes))
            .only_if("attribute_not_exists(pk) OR ends <= :now")
            .value(":now", item::number(now.unix_millis()));
        Ok(self.untracked().commit(&[put]).await? == Commit::Committed)
    }

    /// Takes the lease to carry out effects for this long, or renews it; `false` if another server has it. `holder` is
    /// unique to a server. If the response is lost, the lease may be held until it ends. One put.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn hold_effects_lease(&self, holder: &str, period: Duration) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let attributes =
            [("holder", item::text(holder)), ("ends", item::number(now.plus(period).unix_millis()))];
        let put = Write::put(item::item(keys::effects_lease(), attributes))
            .only_if("attribute_not_exists(pk) OR ends <= :now OR holder = :holder")
            .value(":now", item::number(now.unix_millis()))
            .value(":holder", item::text(holder));
        Ok(self.untracked().commit(&[put]).await? == Commit::Committed)
    }

    /// Returns the lease to carry out effects, so that another server need not wait for its end. One delete.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn return_effects_lease(&self, holder: &str) -> Result<(), StoreError> {
        let delete = Write::delete(keys::effects_lease())
            .only_if("holder = :holder")
            .value(":holder", item::text(holder));
        self.untracked().commit(&[delete]).await.map(drop)
    }

    /// Returns how far the effects of each shard of the table's stream are carried out, by the shards' ids. One query for
    /// every megabyte, which is thousands of shards.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails, or a checkpoint cannot be read.
    pub async fn shard_checkpoints(&self) -> Result<BTreeMap<String, ShardCheckpoint>, StoreError> {
        let partition = item::text(keys::shard_checkpoints_partition());
        let mut query = Query { consistent: true, ..Query::new("pk = :shards").value(":shards", partition) };
        let mut checkpoints = BTreeMap::new();
        loop {
            let page = self.query(&query).await?;
            for found in &page.items {
                let shard = item::get_text(found, keys::SK)?.to_owned();
                let checkpoint = if found.contains_key(HANDLED) {
                    ShardCheckpoint::Handled(item::get_text(found, HANDLED)?.to_owned())
                } else {
                    ShardCheckpoint::Finished
                };
                checkpoints.insert(shard, checkpoint);
            }
            query.start = page.next;
            if query.start.is_none() {
                return Ok(checkpoints);
            }
        }
    }

    /// Records how far the effects of a shard are carried out. It need not be further than before: what is between is
    /// carried out again. One put.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn put_shard_checkpoint(
        &self,
        shard: &str,
        checkpoint: &ShardCheckpoint,
    ) -> Result<(), StoreError> {
        let handled = match checkpoint {
            ShardCheckpoint::Handled(sequence_number) => Some((HANDLED, item::text(sequence_number))),
            ShardCheckpoint::Finished => None,
        };
        let put = Write::put(item::item(keys::shard_checkpoint(shard), handled));
        self.untracked().commit(&[put]).await.map(drop)
    }

    /// Removes the checkpoint of a shard that the stream no longer has. One delete.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn remove_shard_checkpoint(&self, shard: &str) -> Result<(), StoreError> {
        self.untracked().commit(&[Write::delete(keys::shard_checkpoint(shard))]).await.map(drop)
    }

    /// Records the fingerprint of the master key with this id; `false` if another server has recorded a different one.
    /// One put.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn record_master_key(&self, id: &str, fingerprint: &str) -> Result<bool, StoreError> {
        let attributes = [("fingerprint", item::text(fingerprint))];
        let put = Write::put(item::item(keys::master_key_fingerprint(id), attributes))
            .only_if("attribute_not_exists(pk) OR fingerprint = :fingerprint")
            .value(":fingerprint", item::text(fingerprint));
        Ok(self.untracked().commit(&[put]).await? == Commit::Committed)
    }
}
