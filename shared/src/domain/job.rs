//! A batch request that is being carried out.
//!
//! A [`Job`] is what was asked, and never changes. Its pairs (image × tenant, image by image) are divided into
//! pieces, each a run of consecutive pairs with a cursor; a piece is carried out in steps, and each step is one
//! transaction that changes the memberships of some pairs and moves the cursor past them. Nothing else is recorded:
//! what a job's status is, how far it has come and when it ended follow from its pieces, so that no counter can
//! drift from the truth and no item is written by every worker.
//!
//! A large job hands out a few pieces at a time: each that ends makes the next one of its lane. So the work of other
//! tenants never waits behind all of it, in whatever order the pieces are carried out, and workers side by side seldom
//! write to the same image.

use std::collections::HashSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{ImageId, JobId, Outcome, Status, TenantId, Timestamp, VaultId};

/// What is to be done to each pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// The owner shares.
    Share,
    /// The owner withdraws.
    Unshare,
    /// The memberships are written again as they are, with what the lists of their tenants say of the image now: it was
    /// renamed, hidden or shown since.
    Refresh,
    /// The recipient answers.
    Respond {
        /// The answer.
        status: Status,
        /// Where the backups of an accepted full-ECS image go.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vault: Option<VaultId>,
    },
    /// The recipient gives one answer to everything that waits for it at the moment of the request (seed 001: *Accept
    /// All*). The job names no images; they are found while it is carried out.
    RespondToAll {
        /// The answer.
        status: Status,
        /// Where the backups of accepted full-ECS images go.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vault: Option<VaultId>,
        /// How many images waited when it was asked.
        expected: u32,
    },
}

/// An accepted batch request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id, which is the stamp of the request.
    pub id: JobId,
    /// The project that asked, and that may read the job.
    pub creator: TenantId,
    /// What to do.
    pub task: Task,
    /// To which images, without repetition; none where the job finds them itself.
    pub images: Vec<ImageId>,
    /// For which tenants, without repetition.
    pub tenants: Vec<TenantId>,
    /// When it was asked.
    #[serde(rename = "accepted")]
    pub accepted_at: Timestamp,
    /// The tenants in whose queues it stands while it is open: whose images it is about, or whose answer it is. None where it
    /// is carried out at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<TenantId>,
}

/// The most pairs of a piece: a worker's unit of retry, and a few steps long.
const MAX_PAIRS_PER_WORK_ITEM: usize = 200;

/// The most pairs of a step.
const MAX_PAIRS_PER_STEP: usize = 50;

/// The most pieces of a job that are carried out side by side.
const MAX_PARALLEL_WORK_ITEMS: usize = 8;

/// The most items that a plan writes or checks. A transaction takes 100: two are for the work item's cursor and the next work
/// item, or for the job and the request's idempotency key.
pub(super) const MAX_ITEMS_PER_PLAN: usize = 98;

/// The most items that a step reads at first: a batch read takes 100.
const MAX_ITEMS_READ_PER_STEP: usize = 99;

impl Job {
    /// How many pairs there are, as far as it is known beforehand.
    pub fn pair_count(&self) -> usize {
        match self.task {
            Task::RespondToAll { expected, .. } => expected.try_into().unwrap_or(usize::MAX),
            Task::Share | Task::Unshare | Task::Refresh | Task::Respond { .. } => {
                self.images.len() * self.tenants.len()
            }
        }
    }

    /// The pair of that number; pairs are counted from 0, image by image.
    pub fn pair(&self, number: usize) -> Option<(&ImageId, &TenantId)> {
        let image = self.images.get(number.checked_div(self.tenants.len())?)?;
        let tenant = self.tenants.get(number % self.tenants.len())?;
        Some((image, tenant))
    }

    /// Divides a job that names its images into pieces, as runs of pair numbers: whole images where that is possible, so
    /// that two workers seldom write to the same image.
    pub fn work_items(&self) -> Vec<Range<usize>> {
        let pairs = self.images.len() * self.tenants.len();
        let per_image = self.tenants.len().max(1);
        let size = if per_image > MAX_PAIRS_PER_WORK_ITEM {
            MAX_PAIRS_PER_WORK_ITEM
        } else {
            MAX_PAIRS_PER_WORK_ITEM / per_image * per_image
        };
        (0..pairs).step_by(size).map(|first| first..pairs.min(first + size)).collect()
    }

    /// Whether it has more pieces than one, and so waits in line.
    pub fn is_large(&self) -> bool {
        self.images.len().saturating_mul(self.tenants.len()) > MAX_PAIRS_PER_WORK_ITEM
    }

    /// How many of its pieces are carried out side by side. Two that share an image would keep each other from writing.
    pub fn max_parallel_work_items(&self) -> usize {
        MAX_PARALLEL_WORK_ITEMS.min(self.images.len())
    }

    /// Whether all of its pairs may fit into one transaction, beside the job and the request's idempotency key, as far as
    /// can be said before anything is known of them.
    pub fn fits_in_one_transaction(&self) -> bool {
        let pairs = self.images.len().saturating_mul(self.tenants.len());
        pairs > 0 && pairs.saturating_add(self.images.len()) <= MAX_ITEMS_PER_PLAN
    }

    /// The pairs, starting with the first of `left`, that one transaction can carry out, as far as can be said before
    /// anything is known of them: each writes its membership and the count of its image, and reads its tenant besides.
    pub fn next_step(&self, left: Range<usize>) -> Range<usize> {
        let (mut images, mut tenants) = (HashSet::new(), HashSet::new());
        let fits = |number: &usize| {
            images.extend(self.pair(*number).map(|(image, _)| image));
            tenants.extend(self.pair(*number).map(|(_, tenant)| tenant));
            let pairs = number - left.start + 1;
            pairs <= MAX_PAIRS_PER_STEP && pairs + images.len() + tenants.len() <= MAX_ITEMS_READ_PER_STEP
        };
        left.start..left.start + left.clone().take_while(fits).count()
    }
}

/// A run of a job's pairs and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkItem {
    /// Its place among the job's pieces, from 0.
    pub number: u16,
    /// Its pairs.
    pub pairs: Range<usize>,
    /// The images of its pairs, where the job names none.
    pub found_images: Vec<ImageId>,
    /// What became of the first of them. The cursor is this list's length.
    pub outcomes: Vec<Outcome>,
    /// When its last pair was carried out.
    pub finished_at: Option<Timestamp>,
    /// How often a sweep has found it open.
    pub attempts: u32,
}

impl WorkItem {
    /// The pairs that are still to be carried out.
    pub fn remaining_pairs(&self) -> Range<usize> {
        self.pairs.start + self.outcomes.len().min(self.pairs.len())..self.pairs.end
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStatus {
    /// No pair has been carried out yet.
    Init,
    /// Some have.
    Running,
    /// All have, as wanted.
    Success,
    /// All have, and some failed.
    Fail,
}

/// A job together with its pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobReport {
    /// What was asked.
    pub job: Job,
    /// How far it has come: the pieces that have been begun, in order.
    pub work_items: Vec<WorkItem>,
}

impl JobReport {
    /// Where the job stands.
    pub fn status(&self) -> JobStatus {
        let ended = self.ended_at().is_some();
        match (ended, self.done_count()) {
            (true, _) if self.has_failed() => JobStatus::Fail,
            (true, _) => JobStatus::Success,
            (false, 0) => JobStatus::Init,
            (false, _) => JobStatus::Running,
        }
    }

    /// Whether any pair has failed, also one that cannot be named.
    fn has_failed(&self) -> bool {
        self.work_items.iter().flat_map(|piece| &piece.outcomes).any(|outcome| outcome.is_failure())
    }

    /// How many pairs have been carried out.
    pub fn done_count(&self) -> usize {
        self.work_items.iter().map(|piece| piece.outcomes.len()).sum()
    }

    /// How far it has come, in whole per cent; 100 only when it has ended.
    pub fn percent(&self) -> usize {
        if self.ended_at().is_some() {
            100
        } else {
            (self.done_count() * 100 / self.job.pair_count().max(1)).min(99)
        }
    }

    /// When the last piece was finished, if all are.
    pub fn ended_at(&self) -> Option<Timestamp> {
        let begun: usize = self.work_items.iter().map(|piece| piece.pairs.len()).sum();
        if !matches!(self.job.task, Task::RespondToAll { .. }) && begun < self.job.pair_count() {
            return None;
        }
        let last = self
            .work_items
            .iter()
            .map(|piece| piece.finished_at)
            .try_fold(None, |last, end| Some(last.max(Some(end?))));
        last.flatten()
    }

    /// Every pair that has been carried out, with its outcome.
    pub fn outcomes(&self) -> impl Iterator<Item = (&ImageId, &TenantId, Outcome)> {
        self.work_items.iter().flat_map(|piece| {
            piece.pairs.clone().zip(&piece.outcomes).filter_map(|(number, outcome)| {
                let (image, tenant) = self.pair(piece, number)?;
                Some((image, tenant, *outcome))
            })
        })
    }

    fn pair<'a>(&'a self, piece: &'a WorkItem, number: usize) -> Option<(&'a ImageId, &'a TenantId)> {
        match self.job.task {
            Task::RespondToAll { .. } => {
                piece.found_images.get(number.checked_sub(piece.pairs.start)?).zip(self.job.tenants.first())
            }
            Task::Share | Task::Unshare | Task::Refresh | Task::Respond { .. } => self.job.pair(number),
        }
    }

    /// Whether the job has something left to do to that pair.
    pub fn is_open_for(&self, image: &ImageId, tenant: &TenantId) -> bool {
        let names = self.job.images.contains(image) && self.job.tenants.contains(tenant);
        let is_pair = |(of, to, _): (&ImageId, &TenantId, Outcome)| of == image && to == tenant;
        names && self.ended_at().is_none() && !self.outcomes().any(is_pair)
    }

    /// The pairs that failed.
    pub fn failures(&self) -> impl Iterator<Item = (&ImageId, &TenantId, Outcome)> {
        self.outcomes().filter(|(_, _, outcome)| outcome.is_failure())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Stamp;

    fn job(images: usize, tenants: usize) -> Job {
        Job {
            id: JobId(Stamp::now()),
            creator: "owner".parse().unwrap(),
            task: Task::Share,
            images: (0..images).map(|n| format!("image-{n}").parse().unwrap()).collect(),
            tenants: (0..tenants).map(|n| format!("tenant-{n}").parse().unwrap()).collect(),
            accepted_at: Timestamp::now(),
            queues: Vec::new(),
        }
    }

    proptest! {
        #[test]
        fn work_items_and_steps_cover_every_pair_once(images in 1_usize..=100, tenants in 1_usize..=100) {
            let job = job(images, tenants);
            let work_items = job.work_items();
            prop_assert!(work_items.len() <= 50);
            let mut next = 0;
            for piece in work_items {
                prop_assert_eq!(piece.start, next);
                prop_assert!(piece.len() <= MAX_PAIRS_PER_WORK_ITEM);
                while next < piece.end {
                    let step = job.next_step(next..piece.end);
                    prop_assert!(!step.is_empty() && step.len() <= MAX_PAIRS_PER_STEP);
                    let touched: HashSet<_> = step.clone().filter_map(|n| job.pair(n)).map(|(image, _)| image).collect();
                    prop_assert!(step.len() + touched.len() <= MAX_ITEMS_READ_PER_STEP);
                    next = step.end;
                }
            }
            prop_assert_eq!(next, images * tenants);
        }

        #[test]
        fn work_item_never_splits_an_image(images in 1_usize..=100, tenants in 1_usize..=100) {
            for piece in job(images, tenants).work_items() {
                prop_assert_eq!(piece.end % tenants, 0);
            }
        }

        #[test]
        fn job_ends_with_its_last_work_item(ends in prop::collection::vec(prop::option::of(0_i64..1000), 1..6)) {
            let job = job(1, ends.len());
            let work_item = |(number, end): (usize, &Option<i64>)| WorkItem {
                number: u16::try_from(number).unwrap(),
                pairs: number..number + 1,
                found_images: Vec::new(),
                outcomes: end.map(|_| Outcome::Done).into_iter().collect(),
                finished_at: end.map(Timestamp::from_unix_millis),
                attempts: 0,
            };
            let report = JobReport { job, work_items: ends.iter().enumerate().map(work_item).collect() };
            let all = ends.iter().all(Option::is_some);
            prop_assert_eq!(report.ended_at(), if all { ends.iter().flatten().max().map(|t| Timestamp::from_unix_millis(*t)) } else { None });
            prop_assert_eq!(report.percent() == 100, all);
            prop_assert_eq!(report.status() == JobStatus::Success, all);
            prop_assert_eq!(report.outcomes().count(), report.done_count());
        }
    }

    #[test]
    fn respond_to_all_report_lists_found_images() {
        let task = Task::RespondToAll { status: Status::Accepted, vault: None, expected: 4 };
        let job = Job { task, images: Vec::new(), ..job(0, 1) };
        assert_eq!((job.work_items().len(), job.pair_count()), (0, 4));
        let found = |number: u16, first: usize| WorkItem {
            number,
            pairs: first..first + 1,
            found_images: vec![format!("image-{first}").parse().unwrap()],
            outcomes: vec![Outcome::Done],
            finished_at: Some(Timestamp::from_unix_millis(1)),
            attempts: 0,
        };
        let walk = WorkItem {
            pairs: 0..0,
            found_images: Vec::new(),
            outcomes: Vec::new(),
            finished_at: None,
            ..found(0, 0)
        };
        let mut report = JobReport { job, work_items: vec![walk, found(1, 0), found(2, 1)] };
        let images: Vec<_> = report.outcomes().map(|(image, _, _)| image.to_string()).collect();
        assert_eq!((images, report.percent()), (vec!["image-0".to_owned(), "image-1".to_owned()], 50));
        assert_eq!(report.status(), JobStatus::Running);
        report.work_items[0].finished_at = Some(Timestamp::from_unix_millis(2));
        assert_eq!((report.status(), report.percent()), (JobStatus::Success, 100));
    }

    #[test]
    fn superseded_pair_does_not_fail_the_job() {
        let work_item = |outcomes: Vec<Outcome>| WorkItem {
            number: 0,
            pairs: 0..2,
            found_images: Vec::new(),
            outcomes,
            finished_at: Some(Timestamp::from_unix_millis(1)),
            attempts: 0,
        };
        let status = |outcome| {
            JobReport { job: job(1, 2), work_items: vec![work_item(vec![Outcome::Done, outcome])] }.status()
        };
        assert_eq!(
            (status(Outcome::Superseded), status(Outcome::RetriesExhausted)),
            (JobStatus::Success, JobStatus::Fail)
        );
    }

    #[test]
    fn job_without_pairs_has_no_work_items() {
        assert_eq!((job(3, 0).work_items(), job(3, 0).pair(0)), (Vec::new(), None));
    }
}
