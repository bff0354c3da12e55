//! A shard of the table's stream, and how far it was read.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodbstreams::types::Record;
use imageshare::store::ShardCheckpoint;
use tokio::time::Instant;

/// How long records that have failed wait, at first and at most.
const INITIAL_BACKOFF: Duration = Duration::from_millis(250);
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// The age at which a checkpoint is written again, even if no change since then has effects.
const MAX_CHECKPOINT_AGE: Duration = Duration::from_hours(1);

/// A shard.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) id: String,
    parent: Option<String>,
    /// Whether the stream still has it.
    pub(super) is_listed: bool,
    /// Where the next call continues; `None` after the last handled record.
    pub(super) iterator: Option<String>,
    handled: Option<String>,
    is_finished: bool,
    checkpoint_at: Instant,
    backoff: Duration,
}

impl Shard {
    pub(super) fn new(id: String, parent: Option<String>, checkpoint: Option<ShardCheckpoint>) -> Self {
        let is_finished = checkpoint == Some(ShardCheckpoint::Finished);
        let handled = match checkpoint {
            Some(ShardCheckpoint::Handled(sequence_number)) => Some(sequence_number),
            Some(ShardCheckpoint::Finished) | None => None,
        };
        Self {
            id,
            parent,
            is_listed: true,
            iterator: None,
            handled,
            is_finished,
            checkpoint_at: Instant::now(),
            backoff: INITIAL_BACKOFF,
        }
    }

    /// Whether it is to be read: it has more, and its parent has not.
    pub(super) fn is_ready(&self, all: &BTreeMap<String, Self>) -> bool {
        let parent = self.parent.as_ref().and_then(|parent| all.get(parent));
        !self.is_finished && parent.is_none_or(|parent| parent.is_finished)
    }

    pub(super) fn is_finished(&self) -> bool {
        self.is_finished
    }

    pub(super) fn finish(&mut self) {
        self.is_finished = true;
    }

    /// The sequence number of the last record that was handled.
    pub(super) fn handled(&self) -> Option<&str> {
        self.handled.as_deref()
    }

    /// Forgets how far it was read.
    pub(super) fn restart_at_the_oldest(&mut self) {
        self.handled = None;
    }

    /// Records that all records of a page were handled, or those before the failed one. Returns the sequence number of
    /// the last of them, if there are any.
    pub(super) fn record_handled(&mut self, records: &[Record], failed: Option<&str>) -> Option<String> {
        let numbers =
            records.iter().filter_map(|record| record.dynamodb.as_ref()?.sequence_number.as_deref());
        let last = numbers.take_while(|number| Some(*number) != failed).last()?;
        self.handled = Some(last.to_owned());
        self.handled.clone()
    }

    pub(super) fn record_checkpoint(&mut self) {
        self.checkpoint_at = Instant::now();
    }

    pub(super) fn is_checkpoint_old(&self) -> bool {
        self.checkpoint_at.elapsed() >= MAX_CHECKPOINT_AGE
    }

    /// How long to wait after a failure: longer after each.
    pub(super) fn next_backoff(&mut self) -> Duration {
        let now = self.backoff;
        self.backoff = (now * 2).min(MAX_BACKOFF);
        now
    }

    pub(super) fn end_backoff(&mut self) {
        self.backoff = INITIAL_BACKOFF;
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodbstreams::types::StreamRecord;

    use super::*;

    fn record(number: &str) -> Record {
        Record::builder().dynamodb(StreamRecord::builder().sequence_number(number).build()).build()
    }

    #[test]
    fn child_is_read_after_its_parent() {
        let shard = |id: &str, parent: Option<&str>| {
            (id.to_owned(), Shard::new(id.to_owned(), parent.map(str::to_owned), None))
        };
        let mut all: BTreeMap<_, _> =
            [shard("a", None), shard("b", Some("a")), shard("c", Some("trimmed"))].into();
        let ready = |all: &BTreeMap<String, Shard>| {
            all.values().filter(|shard| shard.is_ready(all)).map(|shard| shard.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(ready(&all), ["a", "c"]);
        all.get_mut("a").unwrap().finish();
        assert_eq!(ready(&all), ["b", "c"]);
    }

    #[test]
    fn failed_record_and_those_after_it_are_not_handled() {
        let records = ["1", "2", "3"].map(record);
        let mut shard = Shard::new("s".to_owned(), None, Some(ShardCheckpoint::Handled("0".to_owned())));
        assert_eq!(shard.record_handled(&records, Some("1")), None);
        assert_eq!(shard.handled(), Some("0"));
        assert_eq!(shard.record_handled(&records, Some("3")).as_deref(), Some("2"));
        assert_eq!(shard.record_handled(&records, None).as_deref(), Some("3"));
        assert_eq!(shard.record_handled(&[], None), None);
        assert_eq!(shard.handled(), Some("3"));
    }
}
