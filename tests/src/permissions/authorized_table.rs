//! A table that refuses what the current function may not do, as DynamoDB does under the module's policies.

use std::future::ready;
use std::sync::Arc;

use imageshare::domain::TenantId;
use imageshare::table::{
    BatchRead, Key, Page, Query, ReadOutput, Table, TableError, TableFuture, TransactionToken, Write,
    WriteOutput,
};
use imageshare_local::functions::CURRENT_FUNCTION;

use super::{Access, check};

/// A table under the functions' policies. Calls outside of a function are made without a check: those of tests, and of what
/// is in the server but in no function.
#[derive(Debug)]
pub struct AuthorizedTable(Arc<dyn Table>);

impl AuthorizedTable {
    /// Puts a table under the policies.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self(table)
    }
}

/// Makes a call if the current function may.
fn authorize<'a, T: Send + 'a>(
    accesses: &[Access],
    call: impl FnOnce() -> TableFuture<'a, T>,
) -> TableFuture<'a, T> {
    match CURRENT_FUNCTION.try_with(|function| check(function, accesses)) {
        Ok(Err(message)) => {
            let denied = TableError::Service { code: "AccessDeniedException".to_owned(), message };
            Box::pin(ready(Err(denied)))
        }
        Ok(Ok(())) | Err(_) => call(),
    }
}

impl Table for AuthorizedTable {
    fn charges_for_transactions(&self) -> bool {
        self.0.charges_for_transactions()
    }

    fn get_item<'a>(&'a self, key: &'a Key) -> TableFuture<'a, ReadOutput> {
        authorize(&Access::of_get(key), || self.0.get_item(key))
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> TableFuture<'a, ReadOutput> {
        authorize(&Access::of_batch_get(read), || self.0.batch_get_item(read))
    }

    fn query<'a>(&'a self, query: &'a Query) -> TableFuture<'a, Page> {
        authorize(&Access::of_query(query), || self.0.query(query))
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> TableFuture<'a, WriteOutput> {
        authorize(&Access::of_writes(std::slice::from_ref(write)), || self.0.write_item(write))
    }

    fn transact_write_items<'a>(
        &'a self,
        writes: &'a [Write],
        token: TransactionToken,
    ) -> TableFuture<'a, WriteOutput> {
        authorize(&Access::of_writes(writes), || self.0.transact_write_items(writes, token))
    }

    fn for_tenant(&self, tenant: &TenantId) -> Option<Arc<dyn Table>> {
        let table = self.0.for_tenant(tenant)?;
        Some(Arc::new(Self(table)))
    }
}
