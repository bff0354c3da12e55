//! Jobs that find their images themselves: they walk along the list of what waits for a tenant's answer, and each step
//! leaves a finished piece behind that says what was found and what became of it.

use super::call::NotWritten;
use super::decided::decided;
use super::item::{self, Item};
use super::jobs::JOB_IS_KEPT;
use super::keys::{self, PieceKey, Position};
use super::snapshot::Snapshot;
use super::{Store, StoreError, Written};
use crate::domain::{Decision, ImageId, Job, JobId, Outcome, Rules, Timestamp};
use crate::table::Write;

/// The attribute of a job that is the place after which its walk goes on.
const WALKED_TO: &str = "walked_to";

/// How far a walk has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Walk {
    /// The job.
    pub(crate) job: Job,
    /// The place in the list after which it goes on.
    pub(crate) after: Option<Position>,
    /// How many steps it has made that found something, which are its pieces.
    steps: u16,
    /// How many pairs it has found.
    pairs: usize,
}

/// One step of a walk.
#[derive(Debug)]
pub(crate) struct Stride<'a> {
    /// The images that were found.
    pub(crate) found: &'a [ImageId],
    /// What becomes of them.
    pub(crate) decision: &'a Decision,
    /// What that was decided from.
    pub(crate) read: &'a Snapshot,
    /// Where the walk is then.
    pub(crate) after: Option<Position>,
    /// Whether that is the end of the list.
    pub(crate) is_last: bool,
}

impl Store {
    /// Reads how far a walk has come. `None` where it has ended, or there is none. One read.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub(crate) async fn open_walk(&self, job: JobId) -> Result<Option<Walk>, StoreError> {
        let item = self.read_one(keys::job(job)).await?;
        item.filter(|item| item.contains_key(keys::GPK)).as_ref().map(parse).transpose()
    }

    /// Makes one step of a walk, provided that it is where it was and that everything that was read is still so. On success
    /// `walk` is as the table has it then.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub(crate) async fn make_stride(
        &self,
        walk: &mut Walk,
        stride: &Stride<'_>,
        rules: Rules<'_>,
    ) -> Result<Written, StoreError> {
        let now = self.clock.now();
        let mut writes = decided(stride.decision, stride.read, rules, now)?;
        let finds = u16::from(!stride.found.is_empty());
        if finds > 0 {
            writes.push(piece(walk, stride, now)?);
        }
        writes.push(go_on(walk, stride, finds, now));
        match self.transact(&writes).await {
            Ok(()) => {
                self.inboxes.add(stride.decision);
                walk.after.clone_from(&stride.after);
                walk.steps = walk.steps.saturating_add(finds);
                walk.pairs += stride.found.len();
                Ok(Written::Yes)
            }
            Err(NotWritten::Conditions(_)) => Ok(Written::Stale),
            Err(NotWritten::Store(error)) => Err(error),
        }
    }
}

/// Moves a walk on.
fn go_on(walk: &Walk, stride: &Stride<'_>, finds: u16, now: Timestamp) -> Write {
    const ON: &str = "SET steps = :steps, walked = :walked, walked_to = :to";
    const TO_THE_END: &str =
        "SET steps = :steps, walked = :walked, walked_to = :to, finished = :now REMOVE gpk, gsk";
    let key = keys::job(walk.job.id);
    let write = if stride.is_last {
        Write::update(key, TO_THE_END).value(":now", item::number(now.unix_millis()))
    } else {
        Write::update(key, ON)
    };
    let write = match &walk.after {
        None => write.only_if("attribute_exists(gpk) AND attribute_not_exists(walked_to)"),
        Some(after) => {
            write.only_if("attribute_exists(gpk) AND walked_to = :from").value(":from", item::text(after))
        }
    };
    write
        .value(":steps", item::number(walk.steps.saturating_add(finds)))
        .value(":walked", item::number((walk.pairs + stride.found.len()) as i128))
        .value(":to", item::text(stride.after.as_ref().map(ToString::to_string).unwrap_or_default()))
}

/// What a step has found, and what became of it.
fn piece(walk: &Walk, stride: &Stride<'_>, now: Timestamp) -> Result<Write, StoreError> {
    let key = PieceKey { job: walk.job.id, number: walk.steps.saturating_add(1) };
    let outcomes: String =
        stride.decision.outcomes.iter().map(|outcome: &Outcome| char::from(outcome.to_byte())).collect();
    let attributes = [
        ("first", item::number(walk.pairs as i128)),
        ("pairs", item::number(stride.found.len() as i128)),
        ("found", item::json(&stride.found)?),
        ("outcomes", item::text(outcomes)),
        ("finished", item::number(now.unix_millis())),
        ("attempts", item::number(0)),
        (keys::TTL, item::number(walk.job.accepted.plus(JOB_IS_KEPT).unix_seconds())),
    ];
    Ok(Write::put(item::item(key.table_key(), attributes)))
}

fn parse(item: &Item) -> Result<Walk, StoreError> {
    let after = item.contains_key(WALKED_TO).then(|| item::get_text(item, WALKED_TO)).transpose()?;
    let after = after.map(|text| Position::parse(text).ok_or(StoreError::Unreadable(WALKED_TO)));
    Ok(Walk {
        job: item::get_json(item, "job")?,
        after: after.transpose()?,
        steps: item::find_number(item, "steps")?.unwrap_or_default(),
        pairs: item::find_number(item, "walked")?.unwrap_or_default(),
    })
}
