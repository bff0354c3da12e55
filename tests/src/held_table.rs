//! A table whose writes wait while the test holds them. Reads never wait.
//!
//! Below the workers of a server, it keeps every job open that its request does not carry out itself.

use std::sync::Arc;

use imageshare::domain::TenantId;
use imageshare::table::{Table, TableFuture, TransactionToken, Write, WriteOutput};
use tokio::sync::watch;

use crate::delegate_to_table;

/// Holds the writes of tables, and lets them go.
#[derive(Debug, Clone)]
pub struct Hold(watch::Sender<bool>);

impl Hold {
    /// Writes wait from now on.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Waiting writes are executed, and later ones do not wait.
    pub fn end(&self) {
        self.0.send_replace(false);
    }
}

impl Default for Hold {
    /// Nothing waits.
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

/// A table whose writes a [`Hold`] holds.
#[derive(Debug)]
pub struct HeldTable {
    table: Arc<dyn Table>,
    hold: Hold,
}

impl HeldTable {
    /// Puts a table under a hold.
    pub fn new(table: Arc<dyn Table>, hold: Hold) -> Self {
        Self { table, hold }
    }

    async fn pass(&self) {
        // The sender is in this table, so waiting ends with the hold only.
        let _ = self.hold.0.subscribe().wait_for(|is_held| !is_held).await;
    }
}

impl Table for HeldTable {
    delegate_to_table!(get_item, batch_get_item, query);

    fn charges_for_transactions(&self) -> bool {
        self.table.charges_for_transactions()
    }

    fn for_tenant(&self, tenant: &TenantId) -> Option<Arc<dyn Table>> {
        let table = self.table.for_tenant(tenant)?;
        Some(Arc::new(Self::new(table, self.hold.clone())))
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> TableFuture<'a, WriteOutput> {
        Box::pin(async move {
            self.pass().await;
            self.table.write_item(write).await
        })
    }

    fn transact_write_items<'a>(
        &'a self,
        writes: &'a [Write],
        token: TransactionToken,
    ) -> TableFuture<'a, WriteOutput> {
        Box::pin(async move {
            self.pass().await;
            self.table.transact_write_items(writes, token).await
        })
    }
}
