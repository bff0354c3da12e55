//! How far the clock of a server has come, kept across restarts.

use super::client::Store;
use super::error::StoreError;
use super::item;
use super::keys;
use crate::domain::Timestamp;
use crate::table::Write;

/// How far the clock of a server has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedClock {
    /// The moment that it had reached when this was written.
    pub reached: Timestamp,
    /// No stamp of a later moment was issued.
    pub reserved: Timestamp,
}

impl Store {
    /// Reads how far the clock of this table's server has come; `None` where that was never written. One read.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn saved_clock(&self) -> Result<Option<SavedClock>, StoreError> {
        let Some(item) = self.read_one(keys::clock()).await? else { return Ok(None) };
        let moment = |name| item::get_number(&item, name).map(Timestamp::from_unix_millis);
        Ok(Some(SavedClock { reached: moment("reached")?, reserved: moment("reserved")? }))
    }

    /// Writes that the clock of this table's server has reached a moment, and goes no further than another until that is
    /// written again. One write.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn save_clock(&self, reached: Timestamp, reserved: Timestamp) -> Result<(), StoreError> {
        let moments = [("reached", reached), ("reserved", reserved)];
        let moments = moments.map(|(name, moment)| (name, item::number(moment.unix_millis())));
        self.update(&Write::put(item::item(keys::clock(), moments))).await?;
        Ok(())
    }
}
