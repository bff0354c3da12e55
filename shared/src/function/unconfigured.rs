//! What stands in for the app of a function whose environment is wrong, so that its requests can be rejected in the format of
//! their route. Nothing of it is used to handle one.

use std::sync::Arc;

use crate::auth::Authenticator;
use crate::domain::{Clock, Limits};
use crate::store::Store;
use crate::table::{
    BatchRead, Key, Page, Query, ReadOutput, Table, TableError, TableFuture, TransactionToken, Write,
    WriteOutput,
};
use crate::{App, Settings};

/// An app without a table, and with no settings of the operator's.
pub(super) fn app() -> App {
    let settings = Settings {
        region: String::new(),
        public_url: None,
        directory_is_complete: false,
        limits: Limits::default(),
        waiting_reads: None,
    };
    App { store: Store::new(NoTable, Clock::for_function()), settings: Arc::new(settings) }
}

/// An authenticator that accepts no credential.
pub(super) fn authenticator() -> Authenticator {
    Authenticator::without_keys()
}

/// A table that cannot be used.
#[derive(Debug)]
struct NoTable;

fn refuse<'a, T: Send + 'a>() -> TableFuture<'a, T> {
    Box::pin(async { Err(TableError::Closed("the function is not configured".to_owned())) })
}

impl Table for NoTable {
    fn get_item<'a>(&'a self, _: &'a Key) -> TableFuture<'a, ReadOutput> {
        refuse()
    }

    fn batch_get_item<'a>(&'a self, _: &'a BatchRead) -> TableFuture<'a, ReadOutput> {
        refuse()
    }

    fn query<'a>(&'a self, _: &'a Query) -> TableFuture<'a, Page> {
        refuse()
    }

    fn write_item<'a>(&'a self, _: &'a Write) -> TableFuture<'a, WriteOutput> {
        refuse()
    }

    fn transact_write_items<'a>(
        &'a self,
        _: &'a [Write],
        _: TransactionToken,
    ) -> TableFuture<'a, WriteOutput> {
        refuse()
    }
}
