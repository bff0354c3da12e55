//! Tables whose contents stay as they are, so that what comes of an input does not depend on those before it.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use imageshare::table::{
    Action, Answer, BatchRead, Failure, Found, Key, Page, Query, Table, Token, Write, Written,
};
use imageshare_local::table::TableLane;

/// A table of which what is read is answered, and what is written is acknowledged and forgotten. An update is made, for what
/// it tells, and taken back.
#[derive(Debug, Clone)]
pub struct Forgetful {
    table: TableLane,
    writes: Arc<AtomicU64>,
}

impl Forgetful {
    /// That table, as it is now.
    pub fn new(table: TableLane) -> Self {
        Self { table, writes: Arc::default() }
    }

    /// How many writes it has acknowledged.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    async fn made_and_taken_back(&self, key: &Key, update: &Write) -> Result<Written, Failure> {
        let before = self.table.get_item(key).await?.items.pop();
        let written = self.table.write_item(update).await?;
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.table.write_item(&before.map_or_else(|| Write::delete(key.clone()), Write::put)).await?;
        Ok(written)
    }

    fn acknowledge(&self) -> Answer<'_, Written> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Box::pin(ready(Ok(Written::default())))
    }
}

impl Table for Forgetful {
    fn get_item<'a>(&'a self, key: &'a Key) -> Answer<'a, Found> {
        self.table.get_item(key)
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> Answer<'a, Found> {
        self.table.batch_get_item(read)
    }

    fn query<'a>(&'a self, query: &'a Query) -> Answer<'a, Page> {
        self.table.query(query)
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> Answer<'a, Written> {
        match &write.action {
            Action::Update(key, _) => Box::pin(self.made_and_taken_back(key, write)),
            _ => self.acknowledge(),
        }
    }

    fn transact_write_items<'a>(&'a self, _: &'a [Write], _: Token) -> Answer<'a, Written> {
        self.acknowledge()
    }
}

/// A table that never answers.
#[derive(Debug)]
pub struct Unavailable;

fn no_answer<'a, T: Send + 'a>() -> Answer<'a, T> {
    Box::pin(ready(Err(Failure::Closed("a test".to_owned()))))
}

impl Table for Unavailable {
    fn get_item<'a>(&'a self, _: &'a Key) -> Answer<'a, Found> {
        no_answer()
    }

    fn batch_get_item<'a>(&'a self, _: &'a BatchRead) -> Answer<'a, Found> {
        no_answer()
    }

    fn query<'a>(&'a self, _: &'a Query) -> Answer<'a, Page> {
        no_answer()
    }

    fn write_item<'a>(&'a self, _: &'a Write) -> Answer<'a, Written> {
        no_answer()
    }

    fn transact_write_items<'a>(&'a self, _: &'a [Write], _: Token) -> Answer<'a, Written> {
        no_answer()
    }
}
