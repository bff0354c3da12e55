//! What several servers over one table agree on: which of them sweeps, and that their master keys are the same.
//!
//! Functions need neither: AWS starts one sweep a minute, and one deployment gives all of them the same keys.

use std::time::Duration;

use super::client::Store;
use super::error::StoreError;
use super::item;
use super::keys;
use super::table_calls::Commit;
use crate::table::Write;

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
