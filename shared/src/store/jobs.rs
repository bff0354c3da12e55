//! Jobs: accepted in one write, carried out in steps of one transaction each, read in one query.
//!
//! Most jobs are one piece, which stands in the job's own item: accepting such a job is a plain conditional write, half
//! the units and half the time of a transaction, and its worker reads one item. The pieces of a larger job have items
//! of their own, so that a step of one writes neither the job's long lists nor what another worker writes.

use std::ops::Range;
use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity, TransactWriteItem};

use super::call::{NotWritten, failure};
use super::images::{write_put, write_update};
use super::item::{self, Item};
use super::keys::{self, ALONE, GPK, GSK, INDEX, PK, PieceKey, SK, TTL};
use super::memberships::Snapshot;
use super::meter::Capacity;
use super::requests::{Remembered, Submitted, before_as};
use super::{Store, StoreError, Written};
use crate::domain::{Decision, Job, JobId, Limits, Outcome, Piece, Report, Timestamp};

/// How long a job can be read (`contract/decisions.md` 16).
const JOB_IS_KEPT: Duration = Duration::from_hours(30 * 24);

/// A piece that is to be carried out, with its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPiece {
    /// The job.
    pub job: Job,
    /// The piece.
    pub piece: Piece,
}

impl Store {
    /// Accepts a job: in one write where it is one item, else in one transaction of the job, its pieces, and the
    /// remembered request.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn submit(&self, job: &Job, remembered: Option<&Remembered>) -> Result<Submitted, StoreError> {
        let mut items = self.job_items(job)?;
        if let Some(remembered) = remembered {
            items.insert(0, self.remember(remembered, job.id)?);
        }
        let reasons = match self.write(items).await {
            Ok(()) => return Ok(Submitted::Yes),
            Err(NotWritten::Store(error)) => return Err(error),
            Err(NotWritten::Conditions(reasons)) => reasons,
        };
        let before = reasons.into_iter().next().and_then(|reason| reason.found);
        match (before, remembered) {
            (Some(before), Some(remembered)) => before_as(&before, remembered),
            // The first attempt of the SDK was carried out, and its answer was lost.
            (Some(before), None) if item::get_json::<Job>(&before, "job")? == *job => Ok(Submitted::Yes),
            _ => Err(StoreError::Refused("a job id was made twice".into())),
        }
    }

    /// The writes that make a job.
    pub(super) fn job_items(&self, job: &Job) -> Result<Vec<TransactWriteItem>, StoreError> {
        let until = item::number(job.id.0.time().plus(JOB_IS_KEPT).unix_seconds());
        let mut header = vec![("job".to_owned(), item::json(job)?), (TTL.to_owned(), until.clone())];
        let ranges = job.pieces();
        let mut pieces = Vec::with_capacity(ranges.len());
        if let [only] = ranges.as_slice() {
            header.extend(new_piece(PieceKey { job: job.id, number: ALONE }, only));
        } else {
            for (number, pairs) in (ALONE + 1..).zip(&ranges) {
                let key = PieceKey { job: job.id, number };
                let ttl = (TTL.to_owned(), until.clone());
                pieces.push(write_put(
                    self.put(key.table_key(), new_piece(key, pairs).into_iter().chain([ttl])),
                )?);
            }
        }
        let header = self.put(keys::job(job.id), header).condition_expression("attribute_not_exists(pk)");
        pieces.insert(0, write_put(header)?);
        Ok(pieces)
    }

    /// Reads a job and its pieces, in one query; `None` where there is none, or its time is over.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn report(&self, id: JobId) -> Result<Option<Report>, StoreError> {
        let mut items = Vec::new();
        let mut start = None;
        loop {
            self.meter.count_round_trip();
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :job")
                .expression_attribute_values(":job", item::text(keys::job_partition(id)))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| failure(&error))?;
            self.meter.count(Capacity::Read, answer.consumed_capacity());
            items.extend(answer.items.unwrap_or_default());
            start = answer.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        let (mut job, mut pieces) = (None, Vec::new());
        for item in &items {
            let (found, piece) = parse(item)?;
            let is_kept = item::get_number::<i64>(item, TTL)? > Timestamp::now().unix_seconds();
            job = job.or(found.filter(|_| is_kept));
            pieces.extend(piece);
        }
        Ok(job.map(|job| Report { job, pieces }))
    }

    /// The open pieces of one shard of the index, the oldest requests first, at most `most`; with `before`, only those
    /// requested before that moment.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn open_pieces(
        &self,
        shard: u8,
        before: Option<Timestamp>,
        most: usize,
    ) -> Result<Vec<PieceKey>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .expression_attribute_values(":shard", item::text(keys::open_partition(shard)))
            .limit(i32::try_from(most).unwrap_or(i32::MAX))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let query = match before {
            None => query.key_condition_expression("gpk = :shard"),
            Some(moment) => query
                .key_condition_expression("gpk = :shard AND gsk < :before")
                .expression_attribute_values(":before", item::text(keys::open_before(moment))),
        };
        self.meter.count_round_trip();
        let answer = query.send().await.map_err(|error| failure(&error))?;
        self.meter.count(Capacity::Read, answer.consumed_capacity());
        let key = |item| PieceKey::parse(item::get_text(item, PK).ok()?, item::get_text(item, SK).ok()?);
        Ok(answer.items().iter().filter_map(key).collect())
    }

    /// Reads a piece and its job, in one round trip; `None` where the piece is finished or gone.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn open_piece(&self, key: PieceKey) -> Result<Option<OpenPiece>, StoreError> {
        let wanted = match key.number {
            ALONE => vec![keys::job(key.job)],
            _ => vec![keys::job(key.job), key.table_key()],
        };
        let (mut job, mut piece) = (None, None);
        for item in self.read(wanted).await? {
            let (found_job, found_piece) = parse(&item)?;
            job = job.or(found_job);
            piece = piece.or(found_piece);
        }
        let open = job.zip(piece).filter(|(_, piece)| piece.finished.is_none());
        Ok(open.map(|(job, piece)| OpenPiece { job, piece }))
    }

    /// Makes one step of a piece: writes what was decided of its next pairs and moves its cursor past them, all in one
    /// transaction, provided that everything that it was decided from is still so and that the cursor is where it was.
    ///
    /// On success `open` is as the table has it then.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub(crate) async fn make_step(
        &self,
        open: &mut OpenPiece,
        decision: &Decision,
        read: &Snapshot,
        limits: &Limits,
    ) -> Result<Written, StoreError> {
        let now = Timestamp::now();
        let mut items = self.decided(decision, read, limits, now)?;
        let mut next = open.piece.clone();
        next.outcomes.extend(&decision.outcomes);
        next.finished = next.left().is_empty().then_some(now);
        items.push(self.move_cursor(open.job.id, &open.piece, &next)?);
        match self.transact(items).await {
            Ok(()) => {
                open.piece = next;
                Ok(Written::Yes)
            }
            Err(NotWritten::Conditions(_)) => Ok(Written::Stale),
            Err(NotWritten::Store(error)) => Err(error),
        }
    }

    fn move_cursor(&self, job: JobId, from: &Piece, to: &Piece) -> Result<TransactWriteItem, StoreError> {
        let outcomes = to.outcomes.iter().map(|outcome| char::from(outcome.to_byte()));
        let update = self
            .update(PieceKey { job, number: from.number }.table_key())
            .condition_expression("done = :from AND attribute_exists(gpk)")
            .expression_attribute_values(":from", item::number(from.outcomes.len() as i128))
            .expression_attribute_values(":to", item::number(to.outcomes.len() as i128))
            .expression_attribute_values(":outcomes", item::text(outcomes.collect::<String>()));
        write_update(match to.finished {
            None => update.update_expression("SET done = :to, outcomes = :outcomes"),
            Some(now) => update
                .update_expression("SET done = :to, outcomes = :outcomes, finished = :now REMOVE gpk, gsk")
                .expression_attribute_values(":now", item::number(now.unix_millis())),
        })
    }

    /// Counts one more sweep that has found a piece open, and tells how many there were.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn count_attempt(&self, key: PieceKey) -> Result<u32, StoreError> {
        self.meter.count_round_trip();
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.table_key()))
            .update_expression("ADD attempts :one")
            .condition_expression("attribute_exists(gpk)")
            .expression_attribute_values(":one", item::number(1))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::UpdatedNew)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match sent {
            Ok(answer) => {
                self.meter.count(Capacity::Write, answer.consumed_capacity());
                item::get_number(&answer.attributes.unwrap_or_default(), "attempts")
            }
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(0)
            }
            Err(error) => Err(failure(&error)),
        }
    }
}

/// What is written of a piece that is open and of which nothing is done.
fn new_piece(key: PieceKey, pairs: &Range<usize>) -> [(String, AttributeValue); 7] {
    [
        (GPK, item::text(keys::open_partition(key.shard()))),
        (GSK, item::text(key.open_position())),
        ("first", item::number(pairs.start as i128)),
        ("pairs", item::number(pairs.len() as i128)),
        ("done", item::number(0)),
        ("outcomes", item::text("")),
        ("attempts", item::number(0)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}

/// Reads an item of a job: the job, a piece of it, or both in one.
fn parse(item: &Item) -> Result<(Option<Job>, Option<Piece>), StoreError> {
    let key = PieceKey::parse(item::get_text(item, PK)?, item::get_text(item, SK)?)
        .ok_or(StoreError::Unreadable(SK))?;
    let is_piece = key.number != ALONE || item.contains_key("pairs");
    let piece = is_piece.then(|| parse_piece(key, item)).transpose()?;
    let job = (key.number == ALONE).then(|| item::get_json(item, "job")).transpose()?;
    Ok((job, piece))
}

fn parse_piece(key: PieceKey, item: &Item) -> Result<Piece, StoreError> {
    let first: usize = item::get_number(item, "first")?;
    let pairs: usize = item::get_number(item, "pairs")?;
    let outcomes =
        item::get_text(item, "outcomes")?.bytes().map(Outcome::from_byte).collect::<Option<Vec<_>>>();
    Ok(Piece {
        number: key.number,
        pairs: first..first.saturating_add(pairs),
        outcomes: outcomes.ok_or(StoreError::Unreadable("outcomes"))?,
        finished: item::find_number(item, "finished")?.map(Timestamp::from_unix_millis),
        attempts: item::get_number(item, "attempts")?,
    })
}
