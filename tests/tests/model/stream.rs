//! The stream of the table's changes: every record, with the state of the model just after its write, and whether the
//! function `effects` has handled it.

use dynoxide::Database;
use dynoxide::actions::describe_stream::DescribeStreamRequest;
use dynoxide::actions::get_records::{GetRecordsRequest, Record as StreamRecord};
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use dynoxide::types::AttributeValue;
use imageshare::domain::{ImageId, JobId, TenantId};
use imageshare::store::{PARTITIONS_WITH_EFFECTS, WorkItemKey};
use imageshare_local::TABLE;
use imageshare_local::table::EmbeddedTable;
use serde_json::{Value, json};

use crate::model::Violation;
use crate::state::PairId;

/// The stream of a table.
pub struct ChangeStream {
    database: Database,
    iterator: String,
    pub records: Vec<Record>,
}

/// A record of the stream.
#[derive(Debug)]
pub struct Record {
    pub subject: Subject,
    /// `INSERT`, `MODIFY` or `REMOVE`.
    pub name: String,
    /// The state of the model after its write.
    pub state: usize,
    pub is_handled: bool,
    event: Value,
}

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Image(ImageId),
    Pair(PairId),
    /// An entry of the directory, with the rest of a tenant's item.
    Tenant(TenantId),
    Job(JobId),
    WorkItem(WorkItemKey),
    KeyGrant(String),
    /// Nothing follows from it.
    Other(String),
}

impl ChangeStream {
    /// The stream of a table, from its beginning.
    pub fn open(table: &EmbeddedTable) -> Self {
        let database = table.database().clone();
        let stream_arn = format!("arn:aws:dynamodb:local:000000000000:table/{TABLE}/stream/local");
        let describe = DescribeStreamRequest { stream_arn: stream_arn.clone(), ..Default::default() };
        let description = database.describe_stream(describe).expect("the stream").stream_description;
        let shard_id = description.shards.into_iter().next().expect("a shard").shard_id;
        let oldest = GetShardIteratorRequest {
            stream_arn,
            shard_id,
            shard_iterator_type: "TRIM_HORIZON".to_owned(),
            sequence_number: None,
        };
        let iterator = database.get_shard_iterator(oldest).expect("the stream").shard_iterator;
        Self { database, iterator: iterator.expect("an iterator"), records: Vec::new() }
    }

    /// Reads what has been written since it was last read, when the model is in that state.
    pub fn read(&mut self, state: usize) -> Result<(), Violation> {
        const MAX_RECORDS: usize = 1_000;
        loop {
            let request =
                GetRecordsRequest { shard_iterator: self.iterator.clone(), limit: Some(MAX_RECORDS) };
            let page = self.database.get_records(request).map_err(|problem| problem.to_string())?;
            let is_last = page.records.len() < MAX_RECORDS;
            self.iterator = page.next_shard_iterator.ok_or("the shard has ended")?;
            let records = page.records.into_iter().filter_map(|record| Record::read(record, state));
            self.records.extend(records);
            if is_last {
                return Ok(());
            }
        }
    }

    /// The records that were not handled yet, oldest first.
    pub fn unhandled(&self) -> Vec<usize> {
        (0..self.records.len()).filter(|number| !self.records[*number].is_handled).collect()
    }

    /// The event that delivers records.
    pub fn event(&self, numbers: &[usize]) -> Value {
        let records: Vec<_> = numbers.iter().map(|number| &self.records[*number].event).collect();
        json!({ "Records": records })
    }

    /// The number of the record with this sequence number.
    pub fn find(&self, numbers: &[usize], sequence_number: &Value) -> Option<usize> {
        let is_it = |number: &&usize| {
            self.records[**number].event.pointer("/dynamodb/SequenceNumber") == Some(sequence_number)
        };
        numbers.iter().find(is_it).copied()
    }
}

impl Record {
    /// A record of the stream; `None` for one of a partition without effects, as the filter of the stream's mapping
    /// decides.
    fn read(record: StreamRecord, state: usize) -> Option<Self> {
        let text = |name: &str| match record.dynamodb.keys.get(name) {
            Some(AttributeValue::S(text)) => text.clone(),
            _ => String::new(),
        };
        let (pk, sk) = (text("pk"), text("sk"));
        PARTITIONS_WITH_EFFECTS.iter().any(|prefix| pk.starts_with(prefix)).then_some(())?;
        let event = serde_json::to_value(&record).expect("a record is JSON");
        Some(Self {
            subject: Subject::of(&pk, &sk),
            name: record.event_name,
            state,
            is_handled: false,
            event,
        })
    }
}

impl Subject {
    fn of(pk: &str, sk: &str) -> Self {
        Self::parse(pk, sk).unwrap_or_else(|| Self::Other(format!("{pk} {sk}")))
    }

    fn parse(pk: &str, sk: &str) -> Option<Self> {
        match pk.get(..2)? {
            "I#" if sk == "A" => Some(Self::Image(pk.get(2..)?.parse().ok()?)),
            "I#" => Some(Self::Pair((pk.get(2..)?.parse().ok()?, sk.strip_prefix("M#")?.parse().ok()?))),
            "T#" if sk == "A" => Some(Self::Tenant(pk.get(2..)?.parse().ok()?)),
            "J#" if sk == "A" => Some(Self::Job(pk.get(2..)?.parse().ok()?)),
            "J#" => WorkItemKey::parse(pk, sk).map(Self::WorkItem),
            "G#" => Some(Self::KeyGrant(format!("{pk} {sk}"))),
            _ => None,
        }
    }
}
