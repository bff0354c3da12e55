//! The progress of a server's clock, kept across restarts: no stamp is issued twice.

use super::client::Store;
use super::error::StoreError;
use super::item;
use super::keys;
use crate::domain::Timestamp;
use crate::table::Write;

/// The progress of a server's clock, as it was last written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedClock {
    /// The time of the clock when this was written.
    pub reached: Timestamp,
    /// An upper bound: no stamp of a later time has been issued.
    pub reserved: Timestamp,
}

impl Store {
    /// Reads the progress of the server's clock; `None` if it was never written. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn saved_clock(&self) -> Result<Option<SavedClock>, StoreError> {
        let Some(item) = self.read_one(keys::clock()).await? else { return Ok(None) };
        let time = |name| item::get_number(&item, name).map(Timestamp::from_unix_millis);
        Ok(Some(SavedClock { reached: time("reached")?, reserved: time("reserved")? }))
    }

    /// Writes that the server's clock has reached one time, and issues no stamp later than the other until this is
    /// written again. One write.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn save_clock(&self, reached: Timestamp, reserved: Timestamp) -> Result<(), StoreError> {
        let times = [("reached", reached), ("reserved", reserved)];
        let attributes = times.map(|(name, time)| (name, item::number(time.unix_millis())));
        self.update(&Write::put(item::item(keys::clock(), attributes))).await?;
        Ok(())
    }
}
