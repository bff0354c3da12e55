//! Jobs: most are carried out in the transaction that accepts them; the others are queued, carried out in steps of one
//! transaction each, and read in one query.
//!
//! A job of one piece has it in its own item, so that its worker reads and writes one item. The pieces of a larger job have
//! items of their own, so that a step of one writes neither the job's long lists nor what another worker writes.

use std::ops::Range;
use std::time::Duration;

use super::call::{NotWritten, is_condition};
use super::decided::decided;
use super::item::{self, AttributeValue, Item};
use super::keys::{self, ALONE, GPK, GSK, INDEX, JOB, PK, PieceKey, SK, TTL};
use super::queues::raise_clock;
use super::requests::{Remembered, Submitted, before_as, remember};
use super::snapshot::Snapshot;
use super::{Store, StoreError, Written};
use crate::domain::{Decision, Job, JobId, Outcome, Piece, Report, Rules, Task, TenantId, Timestamp};
use crate::table::{Query, Token, Write};

/// How long a job can be read (`contract/decisions.md` 16).
pub(super) const JOB_IS_KEPT: Duration = Duration::from_hours(30 * 24);

/// The attribute of a piece that was closed because it cannot be read: when.
const CLOSED: &str = "closed";
/// The most writes of a transaction.
const MOST_WRITES: usize = 100;

/// A piece that is to be carried out, with its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPiece {
    /// The job.
    pub job: Job,
    /// The piece.
    pub piece: Piece,
}

impl Store {
    /// Writes a job together with what was decided of all its pairs, and the remembered request: one transaction, in which
    /// everything that it was decided from must still be so. `None` where it is not, or where it is too large. The job's stamp
    /// is left on the item of `raises`, if that is named.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub(crate) async fn make_at_once(
        &self,
        job: &Job,
        decision: &Decision,
        read: &Snapshot,
        rules: Rules<'_>,
        (remembered, raises): (Option<&Remembered>, Option<&TenantId>),
    ) -> Result<Option<Submitted>, StoreError> {
        self.remember_senders(decision, read).await?;
        let now = self.clock.now();
        let mut writes: Vec<_> = remembered.map(|request| remember(request, job)).into_iter().collect();
        writes.push(ended_job(job, decision, now)?);
        writes.extend(decided(decision, read, rules, now)?);
        writes.extend(raises.map(|tenant| raise_clock(tenant, job.id.0)));
        if writes.len() > MOST_WRITES {
            return Ok(None);
        }
        let reasons = match self.transact(&writes).await {
            Ok(()) => {
                self.inboxes.add(decision);
                return Ok(Some(Submitted::Yes));
            }
            Err(NotWritten::Store(error)) => return Err(error),
            Err(NotWritten::Conditions(reasons)) => reasons,
        };
        let before = reasons.into_iter().next().filter(is_condition).and_then(|reason| reason.found);
        match (before, remembered) {
            (Some(before), Some(remembered)) => before_as(&before, remembered).map(Some),
            _ => Ok(None),
        }
    }

    /// Reads a job and its pieces, in one query; `None` if the job does not exist or has expired. A piece that was closed
    /// because it cannot be read has ended as failed.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn report(&self, id: JobId) -> Result<Option<Report>, StoreError> {
        let query = Query::new("pk = :job").value(":job", item::text(keys::job_partition(id)));
        let mut query = Query { consistent: true, ..query };
        let mut items = Vec::new();
        loop {
            let page = self.query(&query).await?;
            items.extend(page.items);
            query.start = page.next;
            if query.start.is_none() {
                break;
            }
        }
        let (mut job, mut pieces) = (None, Vec::new());
        let now = self.clock.now().unix_seconds();
        for item in &items {
            let key = parse_key(item)?;
            let is_kept = item::get_number::<i64>(item, TTL)? > now;
            // The job's own item comes first.
            job = job.or(parse_job(key, item)?.filter(|_| is_kept));
            match &job {
                Some(job) if item.contains_key(CLOSED) => pieces.push(closed_piece(job, key, item)?),
                _ => pieces.extend(find_piece(key, item)?),
            }
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
        let query = match before {
            None => Query::new("gpk = :shard"),
            Some(moment) => Query::new("gpk = :shard AND gsk < :before")
                .value(":before", item::text(keys::open_before(moment))),
        };
        let query = query.value(":shard", item::text(keys::open_partition(shard)));
        let page = self.query(&Query { index: Some(INDEX), most: Some(most), ..query }).await?;
        let key = |item| PieceKey::parse(item::get_text(item, PK).ok()?, item::get_text(item, SK).ok()?);
        Ok(page.items.iter().filter_map(key).collect())
    }

    /// The large jobs of one shard that wait for an earlier one of their tenant and were requested before that moment, at
    /// most `most`.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub(crate) async fn held_jobs(
        &self,
        shard: u8,
        before: Timestamp,
        most: usize,
    ) -> Result<Vec<Job>, StoreError> {
        let query = Query::new("gpk = :shard AND gsk < :before")
            .value(":before", item::text(keys::open_before(before)))
            .value(":shard", item::text(keys::held_partition(shard)));
        let page = self.query(&Query { index: Some(INDEX), most: Some(most), ..query }).await?;
        let ids = page.items.iter().filter_map(|found| PieceKey::parse(item::get_text(found, PK).ok()?, JOB));
        let mut held = Vec::new();
        for id in ids.map(|key| key.job) {
            held.extend(self.held_job(id).await?);
        }
        Ok(held)
    }

    /// Reads a large job that waits for an earlier one; `None` if it does not exist or does not wait. One read.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub(super) async fn held_job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        let item = self.read_one(keys::job(id)).await?;
        item.filter(is_held).as_ref().map(|item| item::get_json(item, "job")).transpose()
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
            let key = parse_key(&item)?;
            job = job.or(parse_job(key, &item)?);
            piece = piece.or(find_piece(key, &item)?);
        }
        let open = job.zip(piece).filter(|(_, piece)| piece.finished.is_none());
        Ok(open.map(|(job, piece)| OpenPiece { job, piece }))
    }

    /// Makes one step of a piece: writes what was decided of its next pairs and moves its cursor past them, all in one
    /// transaction, provided that everything that it was decided from is still so and that the cursor is where it was. The
    /// last step makes the next piece of the lane.
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
        rules: Rules<'_>,
    ) -> Result<Written, StoreError> {
        self.remember_senders(decision, read).await?;
        let now = self.clock.now();
        let mut writes = decided(decision, read, rules, now)?;
        let mut next = open.piece.clone();
        next.outcomes.extend(&decision.outcomes);
        next.finished = next.left().is_empty().then_some(now);
        writes.push(move_cursor(open.job.id, &open.piece, &next));
        if next.finished.is_some() {
            writes.extend(next_of_lane(&open.job, next.number));
        }
        match self.transact(&writes).await {
            Ok(()) => {
                self.inboxes.add(decision);
                open.piece = next;
                Ok(Written::Yes)
            }
            Err(NotWritten::Conditions(_)) => Ok(Written::Stale),
            Err(NotWritten::Store(error)) => Err(error),
        }
    }

    /// Counts one more sweep that has found a piece open, and tells how many there were; 0 where its count was made, and the
    /// answer lost. Each call counts once, however often it has to be asked for: a table that is ill for a minute must
    /// not make up ten sweeps of one.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn count_attempt(&self, key: PieceKey) -> Result<u32, StoreError> {
        let count = Write::update(key.table_key(), "SET counted = :this ADD attempts :one")
            .only_if("attribute_exists(gpk) AND (attribute_not_exists(counted) OR counted <> :this)")
            .value(":this", item::text(Token::fresh()))
            .value(":one", item::number(1));
        match self.update(&count).await {
            Ok(updated) => item::get_number(&updated, "attempts"),
            Err(NotWritten::Conditions(_)) => Ok(0),
            Err(NotWritten::Store(error)) => Err(error),
        }
    }

    /// Makes the next work item of the lane of a piece that was closed, and returns the job; `None` where that cannot be read
    /// either. One read, and one write where there is a next one.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub(crate) async fn continue_lane(&self, closed: PieceKey) -> Result<Option<Job>, StoreError> {
        let Some(item) = self.read_one(keys::job(closed.job)).await? else { return Ok(None) };
        let Ok(job) = item::get_json::<Job>(&item, "job") else { return Ok(None) };
        if let Some(next) = next_of_lane(&job, closed.number) {
            self.written(&[next]).await?;
        }
        Ok(Some(job))
    }

    /// Takes a piece that cannot be read out of the index of open pieces; `false` where it is not in it. Its attributes are
    /// kept for an operator. One write.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub(crate) async fn close_unreadable(&self, key: PieceKey) -> Result<bool, StoreError> {
        let close = Write::update(key.table_key(), "SET #closed = :now REMOVE gpk, gsk")
            .name("#closed", CLOSED)
            .only_if("attribute_exists(gpk)")
            .value(":now", item::number(self.clock.now().unix_millis()));
        match self.update(&close).await {
            Ok(_) => Ok(true),
            Err(NotWritten::Conditions(_)) => Ok(false),
            Err(NotWritten::Store(error)) => Err(error),
        }
    }
}

/// Which work items of a job are made with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Release {
    /// The first of each lane.
    First,
    /// None: an earlier job of its line is active.
    Held,
    /// The first of each lane, of a job that was held so far.
    OfHeld,
}

/// The writes that make a job and its first work items. The job itself comes first.
pub(super) fn job_writes(job: &Job, release: Release) -> Result<Vec<Write>, StoreError> {
    let until = kept_until(job);
    let mut header = vec![("job", item::json(job)?), (TTL, until)];
    let alone = PieceKey { job: job.id, number: ALONE };
    let mut pieces = Vec::new();
    if job.is_large() {
        if release == Release::Held {
            header.extend([
                (GPK, item::text(keys::held_partition(alone.shard()))),
                (GSK, item::text(alone.open_position())),
            ]);
        } else {
            let first = (ALONE + 1..).zip(job.pieces()).take(job.lanes());
            pieces.extend(first.map(|(number, pairs)| piece_of_large_job(job, number, &pairs)));
        }
    } else {
        // What an answer to everything finds is written as it is found.
        let pairs = job.pieces().into_iter().next().unwrap_or(0..0);
        header.extend(new_piece(alone, &pairs));
    }
    let header = match release {
        Release::First | Release::Held => {
            Write::put(item::item(keys::job(job.id), header)).only_if("attribute_not_exists(pk)")
        }
        Release::OfHeld => {
            Write::update(keys::job(job.id), "REMOVE gpk, gsk").only_if("attribute_exists(gpk)")
        }
    };
    pieces.insert(0, header);
    Ok(pieces)
}

/// The write that makes the next work item of a lane, whose last one is finished; `None` where that was the last.
fn next_of_lane(job: &Job, finished: u16) -> Option<Write> {
    let place = usize::from(finished).checked_sub(1)? + job.lanes();
    let pairs = job.pieces().into_iter().nth(place)?;
    let number = u16::try_from(place + 1).ok()?;
    Some(piece_of_large_job(job, number, &pairs).only_if("attribute_not_exists(pk)"))
}

fn piece_of_large_job(job: &Job, number: u16, pairs: &Range<usize>) -> Write {
    let key = PieceKey { job: job.id, number };
    Write::put(item::item(key.table_key(), new_piece(key, pairs).into_iter().chain([(TTL, kept_until(job))])))
}

/// The write that makes a job of which everything is done.
fn ended_job(job: &Job, decision: &Decision, now: Timestamp) -> Result<Write, StoreError> {
    let pairs = job.pair_count();
    let attributes = [
        ("job", item::json(job)?),
        (TTL, kept_until(job)),
        ("first", item::number(0)),
        ("pairs", item::number(pairs as i128)),
        ("done", item::number(pairs as i128)),
        ("outcomes", item::text(letters(&decision.outcomes))),
        ("attempts", item::number(0)),
        ("finished", item::number(now.unix_millis())),
    ];
    Ok(Write::put(item::item(keys::job(job.id), attributes)).only_if("attribute_not_exists(pk)"))
}

fn kept_until(job: &Job) -> AttributeValue {
    item::number(job.accepted.plus(JOB_IS_KEPT).unix_seconds())
}

fn letters(outcomes: &[Outcome]) -> String {
    outcomes.iter().map(|outcome| char::from(outcome.to_byte())).collect()
}

fn is_held(item: &Item) -> bool {
    !item.contains_key("pairs") && item.contains_key(GPK)
}

/// Moves the cursor of a piece, provided that it is where it was.
fn move_cursor(job: JobId, from: &Piece, to: &Piece) -> Write {
    let key = PieceKey { job, number: from.number }.table_key();
    let update = match to.finished {
        None => Write::update(key, "SET done = :to, outcomes = :outcomes"),
        Some(now) => {
            Write::update(key, "SET done = :to, outcomes = :outcomes, finished = :now REMOVE gpk, gsk")
                .value(":now", item::number(now.unix_millis()))
        }
    };
    update
        .only_if("done = :from AND attribute_exists(gpk)")
        .value(":from", item::number(from.outcomes.len() as i128))
        .value(":to", item::number(to.outcomes.len() as i128))
        .value(":outcomes", item::text(letters(&to.outcomes)))
}

/// What is written of a piece that is open and of which nothing is done.
fn new_piece(key: PieceKey, pairs: &Range<usize>) -> [(&'static str, AttributeValue); 7] {
    [
        (GPK, item::text(keys::open_partition(key.shard()))),
        (GSK, item::text(key.open_position())),
        ("first", item::number(pairs.start as i128)),
        ("pairs", item::number(pairs.len() as i128)),
        ("done", item::number(0)),
        ("outcomes", item::text("")),
        ("attempts", item::number(0)),
    ]
}

fn parse_key(item: &Item) -> Result<PieceKey, StoreError> {
    PieceKey::parse(item::get_text(item, PK)?, item::get_text(item, SK)?).ok_or(StoreError::Unreadable(SK))
}

/// The job of an item of it; `None` for a piece that has an item of its own.
fn parse_job(key: PieceKey, item: &Item) -> Result<Option<Job>, StoreError> {
    (key.number == ALONE).then(|| item::get_json(item, "job")).transpose()
}

/// The piece of an item of a job; `None` for the job itself where it has several pieces.
fn find_piece(key: PieceKey, item: &Item) -> Result<Option<Piece>, StoreError> {
    let is_piece = key.number != ALONE || item.contains_key("pairs");
    is_piece.then(|| parse_piece(key, item)).transpose()
}

/// A piece that was closed because it cannot be read: its pairs have the outcomes that can be read, and the others have
/// failed. Of a job that finds its images itself one pair has failed, without a name.
fn closed_piece(job: &Job, key: PieceKey, item: &Item) -> Result<Piece, StoreError> {
    let pairs = match job.task {
        Task::RespondToAll { .. } => Some(0..1),
        Task::Share | Task::Unshare | Task::Refresh | Task::Respond { .. } => {
            job.pieces().into_iter().nth(usize::from(key.number.saturating_sub(ALONE + 1)))
        }
    };
    let pairs = pairs.ok_or(StoreError::Unreadable(SK))?;
    let outcomes = item::get_text(item, "outcomes").unwrap_or_default();
    let outcomes = outcomes.bytes().map(Outcome::from_byte).collect::<Option<Vec<_>>>();
    // A text of which a part cannot be read says nothing of the rest.
    let mut outcomes = outcomes.unwrap_or_default();
    outcomes.resize(pairs.len(), Outcome::GaveUp);
    let finished = Some(Timestamp::from_unix_millis(item::get_number(item, CLOSED)?));
    Ok(Piece { number: key.number, pairs, found: Vec::new(), outcomes, finished, attempts: 0 })
}

fn parse_piece(key: PieceKey, item: &Item) -> Result<Piece, StoreError> {
    let first: usize = item::get_number(item, "first")?;
    let pairs: usize = item::get_number(item, "pairs")?;
    let outcomes =
        item::get_text(item, "outcomes")?.bytes().map(Outcome::from_byte).collect::<Option<Vec<_>>>();
    Ok(Piece {
        number: key.number,
        pairs: first..first.saturating_add(pairs),
        found: if item.contains_key("found") { item::get_json(item, "found")? } else { Vec::new() },
        outcomes: outcomes.ok_or(StoreError::Unreadable("outcomes"))?,
        finished: item::find_number(item, "finished")?.map(Timestamp::from_unix_millis),
        attempts: item::get_number(item, "attempts")?,
    })
}
