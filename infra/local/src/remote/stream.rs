//! Reads the table's stream and hands its changes to the function `effects`, on one of the servers over a table.
//!
//! * **One reader.** A server reads while it holds a lease, which it renews. Another one takes it when the holder has
//!   returned it, or has died and the lease has ended. Two may read for a moment, if a clock is wrong or a call hangs:
//!   what follows from a change is then carried out twice, which changes nothing. DynamoDB lets two readers share a
//!   shard, of which this is one.
//! * **Nothing is lost.** A checkpoint in the table says, for each shard, up to which record the function has handled
//!   everything. It is written after that, so that a reader begins at or before the first record that was not handled.
//!   A shard without one is read from its oldest record, up to a day old.
//! * **No echo.** Checkpoints and leases are changes too. A batch without a change that has effects moves no checkpoint,
//!   but once an hour.
//! * **Order.** A shard is read once its parent was read to its end, so that the changes of an item stay in order.

mod record;
mod shard;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::error::ProvideErrorMetadata;
use aws_sdk_dynamodbstreams::types::{Shard as StreamShard, ShardIteratorType};
use imageshare::App;
use imageshare::events::Bus;
use imageshare::store::{ShardCheckpoint, StoreError};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use self::record::{event_of, failed_record};
use self::shard::Shard;
use crate::functions::CURRENT_FUNCTION;

/// How long a lease lasts, how often its holder renews it, and how often another server tries to take it.
const LEASE: Duration = Duration::from_secs(10);
const RENEWAL_INTERVAL: Duration = Duration::from_secs(4);
const ATTEMPT_INTERVAL: Duration = Duration::from_secs(5);

/// How often a stream without new records is asked for them.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How often the shards are listed.
const LIST_INTERVAL: Duration = Duration::from_secs(30);

/// The most records of one call, as in the event source mapping on AWS.
const MAX_RECORDS: i32 = 100;

/// Why the stream cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamError {
    /// The table fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A call about the stream has failed.
    #[error("{call}: {problem}")]
    Call {
        /// The call.
        call: &'static str,
        /// The code and the message of the error.
        problem: String,
    },
    /// An item of a record cannot be written as JSON.
    #[error("a record cannot be read: {0}")]
    Record(#[from] serde_json::Error),
    /// The function does not take the event.
    #[error("the function effects has failed: {0}")]
    Function(String),
}

/// The reader of a server.
pub(super) struct StreamReader {
    client: Client,
    stream_arn: String,
    app: App,
    bus: Arc<dyn Bus>,
    holder: String,
}

impl StreamReader {
    pub(super) fn new(client: Client, stream_arn: String, app: App, bus: Arc<dyn Bus>) -> Self {
        Self { client, stream_arn, app, bus, holder: Uuid::new_v4().to_string() }
    }

    /// Reads the stream while this server holds the lease, until `stop` is ready.
    pub(super) async fn run(&self, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = stop => {}
            () = self.take_turns() => {}
        }
        if let Err(problem) = self.app.store.return_effects_lease(&self.holder).await {
            tracing::warn!(%problem, "the lease to carry out effects was not returned; another server waits for its end");
        }
    }

    /// Tries to take the lease, again and again, and reads the stream while it holds it.
    async fn take_turns(&self) {
        loop {
            match self.hold_lease().await {
                Ok(true) => {
                    tracing::info!("this server carries out the effects of changes");
                    tokio::select! {
                        () = self.keep_lease() => tracing::info!("another server carries out the effects of changes"),
                        Err(problem) = self.read() => {
                            tracing::warn!(%problem, "the table's stream was not read; that is retried");
                        }
                    }
                }
                Ok(false) => {}
                Err(problem) => tracing::warn!(%problem, "the lease to carry out effects was not taken"),
            }
            // Not all servers at once.
            sleep(ATTEMPT_INTERVAL.mul_f64(0.5 + fastrand::f64())).await;
        }
    }

    async fn hold_lease(&self) -> Result<bool, StoreError> {
        self.app.store.with_timeout(RENEWAL_INTERVAL).hold_effects_lease(&self.holder, LEASE).await
    }

    /// Renews the lease until another server has it, or it has ended since the table fails.
    async fn keep_lease(&self) {
        let mut renewed = Instant::now();
        while renewed.elapsed() < LEASE {
            sleep(RENEWAL_INTERVAL).await;
            let asked = Instant::now();
            match self.hold_lease().await {
                Ok(true) => renewed = asked,
                Ok(false) => return,
                Err(problem) => tracing::warn!(%problem, "the lease to carry out effects was not renewed"),
            }
        }
    }

    /// Reads all shards, from their checkpoints, until a call fails.
    async fn read(&self) -> Result<(), StreamError> {
        let mut checkpoints = self.app.store.shard_checkpoints().await?;
        let mut shards = BTreeMap::<String, Shard>::new();
        loop {
            self.list_shards(&mut shards, &mut checkpoints).await?;
            let listed = Instant::now();
            let mut has_ended = false;
            while !has_ended && listed.elapsed() < LIST_INTERVAL {
                let mut is_idle = true;
                let ready: Vec<_> = shards
                    .values()
                    .filter(|shard| shard.is_ready(&shards))
                    .map(|shard| shard.id.clone())
                    .collect();
                for id in ready {
                    let Some(shard) = shards.get_mut(&id) else { continue };
                    is_idle &= !self.read_shard(shard).await?;
                    has_ended |= shard.is_finished();
                }
                if is_idle {
                    sleep(POLL_INTERVAL).await;
                }
            }
        }
    }

    /// Lists the shards of the stream, and forgets those that it no longer has.
    async fn list_shards(
        &self,
        shards: &mut BTreeMap<String, Shard>,
        checkpoints: &mut BTreeMap<String, ShardCheckpoint>,
    ) -> Result<(), StreamError> {
        let listed = self.described_shards().await?;
        for StreamShard { shard_id, parent_shard_id, .. } in listed {
            let Some(id) = shard_id else { continue };
            let checkpoint = checkpoints.remove(&id);
            shards
                .entry(id.clone())
                .or_insert_with(|| Shard::new(id, parent_shard_id, checkpoint))
                .is_listed = true;
        }
        let gone: Vec<_> =
            shards.values().filter(|shard| !shard.is_listed).map(|shard| shard.id.clone()).collect();
        shards.retain(|_, shard| std::mem::take(&mut shard.is_listed));
        for id in gone.into_iter().chain(std::mem::take(checkpoints).into_keys()) {
            self.app.store.remove_shard_checkpoint(&id).await?;
        }
        Ok(())
    }

    async fn described_shards(&self) -> Result<Vec<StreamShard>, StreamError> {
        let (mut shards, mut start) = (Vec::new(), None);
        loop {
            let call = self.client.describe_stream().stream_arn(&self.stream_arn);
            let page = call.set_exclusive_start_shard_id(start).send().await;
            let page = page.map_err(|error| call_error("DescribeStream", &error.into_service_error()))?;
            let Some(description) = page.stream_description else { return Ok(shards) };
            shards.extend(description.shards.unwrap_or_default());
            start = description.last_evaluated_shard_id;
            if start.is_none() {
                return Ok(shards);
            }
        }
    }

    /// Reads the next records of a shard, and has the function handle them. Returns whether there were any.
    async fn read_shard(&self, shard: &mut Shard) -> Result<bool, StreamError> {
        let iterator = match shard.iterator.take() {
            Some(iterator) => iterator,
            None => self.iterator(shard).await?,
        };
        let call = self.client.get_records().shard_iterator(iterator).limit(MAX_RECORDS);
        let page =
            match call.send().await.map_err(aws_sdk_dynamodbstreams::error::SdkError::into_service_error) {
                Ok(page) => page,
                // The next call begins at the checkpoint.
                Err(error) if error.is_expired_iterator_exception() => return Ok(true),
                Err(error) if error.is_trimmed_data_access_exception() => {
                    tracing::error!(
                        shard = shard.id,
                        "changes have left the stream, after a day, before their effects were carried out"
                    );
                    shard.restart_at_the_oldest();
                    return Ok(true);
                }
                Err(error) => return Err(call_error("GetRecords", &error)),
            };
        let records = page.records.unwrap_or_default();
        let event = event_of(&records)?;
        let has_effects = event.is_some();
        let failed = match event {
            None => None,
            Some(event) => {
                let handled = effects::handle(&self.app, &*self.bus, event);
                let response = CURRENT_FUNCTION.scope("effects", handled).await;
                let response = response.map_err(|problem| StreamError::Function(problem.to_string()))?;
                failed_record(&response, &records)
            }
        };
        let handled = shard.record_handled(&records, failed.as_deref());
        if let Some(handled) = handled.filter(|_| has_effects || shard.is_checkpoint_old()) {
            self.put_checkpoint(shard, ShardCheckpoint::Handled(handled)).await?;
        }
        if failed.is_some() {
            sleep(shard.next_backoff()).await;
            return Ok(true);
        }
        shard.end_backoff();
        shard.iterator = page.next_shard_iterator;
        if shard.iterator.is_none() {
            self.put_checkpoint(shard, ShardCheckpoint::Finished).await?;
            shard.finish();
        }
        Ok(!records.is_empty())
    }

    async fn put_checkpoint(
        &self,
        shard: &mut Shard,
        checkpoint: ShardCheckpoint,
    ) -> Result<(), StreamError> {
        self.app.store.put_shard_checkpoint(&shard.id, &checkpoint).await?;
        shard.record_checkpoint();
        Ok(())
    }

    /// An iterator after the last record that was handled, or at the oldest one.
    async fn iterator(&self, shard: &mut Shard) -> Result<String, StreamError> {
        let call = self.client.get_shard_iterator().stream_arn(&self.stream_arn).shard_id(&shard.id);
        let call = match shard.handled() {
            Some(number) => {
                call.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).sequence_number(number)
            }
            None => call.shard_iterator_type(ShardIteratorType::TrimHorizon),
        };
        match call.send().await.map_err(aws_sdk_dynamodbstreams::error::SdkError::into_service_error) {
            Ok(output) => Ok(output.shard_iterator.unwrap_or_default()),
            Err(error) if error.is_trimmed_data_access_exception() && shard.handled().is_some() => {
                tracing::error!(
                    shard = shard.id,
                    "changes have left the stream, after a day, before their effects were carried out"
                );
                shard.restart_at_the_oldest();
                Box::pin(self.iterator(shard)).await
            }
            Err(error) => Err(call_error("GetShardIterator", &error)),
        }
    }
}

fn call_error(call: &'static str, error: &(impl ProvideErrorMetadata + std::error::Error)) -> StreamError {
    let problem = match (error.code(), error.message()) {
        (Some(code), message) => format!("{code}: {}", message.unwrap_or_default()),
        (None, _) => crate::client::root_cause(error),
    };
    StreamError::Call { call, problem }
}
