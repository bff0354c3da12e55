//! A batch request and its execution.
//!
//! A [`Job`] is the request, and never changes. Its pairs (image × tenant, image by image) are divided into work
//! items, each a run of consecutive pairs with a cursor. A work item is executed in steps, and each step is one
//! transaction that changes the memberships of some pairs and moves the cursor past them. Nothing else is stored: a
//! job's status, progress and end follow from its work items, so that no counter can drift and no item is written
//! by every worker.
//!
//! A large job has a few open work items at a time, each of which creates the next one when it ends. So the work of
//! other tenants never waits behind all of it, in whatever order work items are executed, and parallel workers seldom
//! write to the same image.

use std::collections::{BTreeSet, HashSet};
use std::iter;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{ImageId, JobId, Outcome, Status, TenantId, Timestamp, Transition, VaultId};

/// What a job does to each pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Shares the image, for its owner.
    Share,
    /// Ends the membership, for the image's owner.
    Unshare,
    /// Rewrites the membership unchanged, with new list entries: the image was renamed, hidden or shown since.
    Refresh,
    /// Sets the recipient's decision.
    Respond {
        /// The decision.
        status: Status,
        /// Where the backups of an accepted full-ECS image go.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vault: Option<VaultId>,
    },
    /// Sets one decision on every image that is pending for the recipient at the moment of the request (seed 001:
    /// *Accept All*). The job names no images; it finds them during its execution.
    RespondToAll {
        /// The decision.
        status: Status,
        /// Where the backups of accepted full-ECS images go.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vault: Option<VaultId>,
        /// The number of images that were pending at the request.
        expected: u32,
    },
    /// The same for the images of some owners only (`contract/decisions.md` 31). A task of its own: an older worker
    /// cannot read it, and would ignore the owners of a [`Task::RespondToAll`].
    RespondToOwners {
        /// The owners.
        owners: BTreeSet<TenantId>,
        /// The decision.
        status: Status,
        /// Where the backups of accepted full-ECS images go.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vault: Option<VaultId>,
        /// The number of images of these owners that were pending at the request.
        expected: u32,
    },
}

impl Task {
    /// Whether its job names no images, and finds them itself.
    pub fn finds_images(&self) -> bool {
        matches!(self, Self::RespondToAll { .. } | Self::RespondToOwners { .. })
    }

    /// The owners to whose images it is limited; `None` if it is not.
    pub fn owners(&self) -> Option<&BTreeSet<TenantId>> {
        match self {
            Self::RespondToOwners { owners, .. } => Some(owners),
            _ => None,
        }
    }
}

/// An accepted batch request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id, which is the stamp of the request.
    pub id: JobId,
    /// The project that made the request, and that may read the job.
    pub creator: TenantId,
    /// What it does to each pair.
    pub task: Task,
    /// Its images, without repetition; empty if the job finds them itself.
    pub images: Vec<ImageId>,
    /// Its recipients, without repetition.
    pub tenants: Vec<TenantId>,
    /// When the request was accepted.
    #[serde(rename = "accepted")]
    pub accepted_at: Timestamp,
    /// The tenants in whose queues it is while it is open: the owner of its images, or the recipient that decides.
    /// Empty if it is executed at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<TenantId>,
    /// Whether the request may have been executed before, in an attempt without a response. Then a pair that is as
    /// requested may be so by that attempt.
    #[serde(default, skip_serializing_if = "is_false")]
    pub may_repeat: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}

/// The maximum number of pairs of a work item, which is what a worker retries: a few steps.
const MAX_PAIRS_PER_WORK_ITEM: usize = 200;

/// The maximum number of pairs of a step.
const MAX_PAIRS_PER_STEP: usize = 50;

/// The maximum number of open work items of a job.
const MAX_PARALLEL_WORK_ITEMS: usize = 8;

/// The maximum number of items that a plan writes or checks. A transaction takes 100: two are for the work item's
/// cursor and the next work item, or for the job and the request's idempotency key.
pub(super) const MAX_ITEMS_PER_PLAN: usize = 98;

/// The maximum number of items that a step reads at first: a batch read takes 100.
const MAX_ITEMS_READ_PER_STEP: usize = 99;

impl Job {
    /// The number of pairs; if the job finds its images itself, the number expected at the request.
    pub fn pair_count(&self) -> usize {
        match self.task {
            Task::RespondToAll { expected, .. } | Task::RespondToOwners { expected, .. } => {
                expected.try_into().unwrap_or(usize::MAX)
            }
            Task::Share | Task::Unshare | Task::Refresh | Task::Respond { .. } => {
                self.images.len() * self.tenants.len()
            }
        }
    }

    /// The pair with that number. Pairs are numbered from 0, image by image.
    pub fn pair(&self, number: usize) -> Option<(&ImageId, &TenantId)> {
        let image = self.images.get(number.checked_div(self.tenants.len())?)?;
        let tenant = self.tenants.get(number % self.tenants.len())?;
        Some((image, tenant))
    }

    /// Divides a job that names its images into work items, as ranges of pair numbers. They hold whole images where
    /// possible, so that two workers seldom write to the same image.
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

    /// Whether it has more than one work item. Large jobs of one tenant take turns.
    pub fn is_large(&self) -> bool {
        self.images.len().saturating_mul(self.tenants.len()) > MAX_PAIRS_PER_WORK_ITEM
    }

    /// How many of its work items are open at a time: at most one for each image, since two that write to the same
    /// image would conflict.
    pub fn max_parallel_work_items(&self) -> usize {
        MAX_PARALLEL_WORK_ITEMS.min(self.images.len())
    }

    /// Whether all of its pairs may fit into one transaction, together with the job and the request's idempotency key.
    /// Estimated before anything is read.
    pub fn fits_in_one_transaction(&self) -> bool {
        let pairs = self.images.len().saturating_mul(self.tenants.len());
        pairs > 0 && pairs.saturating_add(self.images.len()) <= MAX_ITEMS_PER_PLAN
    }

    /// The pairs, from the first of `remaining`, that one step can execute. Estimated before anything is read: each
    /// pair writes its membership and its image's member count, and reads its tenant.
    pub fn next_step(&self, remaining: Range<usize>) -> Range<usize> {
        let (mut images, mut tenants) = (HashSet::new(), HashSet::new());
        let fits = |number: &usize| {
            images.extend(self.pair(*number).map(|(image, _)| image));
            tenants.extend(self.pair(*number).map(|(_, tenant)| tenant));
            let pairs = number - remaining.start + 1;
            pairs <= MAX_PAIRS_PER_STEP && pairs + images.len() + tenants.len() <= MAX_ITEMS_READ_PER_STEP
        };
        remaining.start..remaining.start + remaining.clone().take_while(fits).count()
    }
}

/// A run of a job's pairs and its progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkItem {
    /// Its number among the job's work items, from 0.
    pub number: u16,
    /// The numbers of its pairs.
    pub pairs: Range<usize>,
    /// The images of its pairs, if the job finds its images itself.
    pub found_images: Vec<ImageId>,
    /// The outcomes of its first pairs. Their number is the cursor.
    pub outcomes: Vec<Outcome>,
    /// The transitions of its first pairs; those that are missing are unknown.
    pub transitions: Vec<Option<Transition>>,
    /// When its last pair was executed.
    pub finished_at: Option<Timestamp>,
    /// How often the sweep has found it open.
    pub attempts: u32,
}

impl WorkItem {
    /// Adds the outcomes and transitions of the pairs that were executed next.
    pub fn add_results(&mut self, outcomes: &[Outcome], transitions: &[Option<Transition>]) {
        // An older function adds outcomes only.
        self.transitions.resize(self.outcomes.len(), None);
        self.outcomes.extend(outcomes);
        self.transitions.extend(transitions);
        self.transitions.resize(self.outcomes.len(), None);
    }

    /// The pairs that are not executed yet.
    pub fn remaining_pairs(&self) -> Range<usize> {
        self.pairs.start + self.outcomes.len().min(self.pairs.len())..self.pairs.end
    }
}

/// The status of a job, which follows from its work items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStatus {
    /// No pair has been executed yet.
    Init,
    /// Some pairs have been executed.
    Running,
    /// All pairs have been executed, and none has failed.
    Success,
    /// All pairs have been executed, and some have failed.
    Fail,
}

/// What became of a pair of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairResult<'a> {
    /// The image.
    pub image: &'a ImageId,
    /// The tenant.
    pub tenant: &'a TenantId,
    /// The outcome.
    pub outcome: Outcome,
    /// What has changed; `None` if that is not known, or the pair is not as requested.
    pub transition: Option<Transition>,
}

/// A job with its work items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobReport {
    /// The request.
    pub job: Job,
    /// Its work items so far, in order. A large job creates them one after another.
    pub work_items: Vec<WorkItem>,
}

impl JobReport {
    /// Its status.
    pub fn status(&self) -> JobStatus {
        let ended = self.ended_at().is_some();
        match (ended, self.done_count()) {
            (true, _) if self.has_failed() => JobStatus::Fail,
            (true, _) => JobStatus::Success,
            (false, 0) => JobStatus::Init,
            (false, _) => JobStatus::Running,
        }
    }

    /// Whether any pair has failed, including one whose image is not found.
    fn has_failed(&self) -> bool {
        self.work_items.iter().flat_map(|work_item| &work_item.outcomes).any(|outcome| outcome.is_failure())
    }

    /// The number of pairs that have been executed, whatever their outcomes.
    pub fn done_count(&self) -> usize {
        self.work_items.iter().map(|work_item| work_item.outcomes.len()).sum()
    }

    /// Its progress in whole per cent; 100 only once it has ended.
    pub fn percent(&self) -> usize {
        if self.ended_at().is_some() {
            100
        } else {
            (self.done_count() * 100 / self.job.pair_count().max(1)).min(99)
        }
    }

    /// When its last work item ended; `None` while it is open.
    pub fn ended_at(&self) -> Option<Timestamp> {
        let created: usize = self.work_items.iter().map(|work_item| work_item.pairs.len()).sum();
        if !self.job.task.finds_images() && created < self.job.pair_count() {
            return None;
        }
        let last = self
            .work_items
            .iter()
            .map(|work_item| work_item.finished_at)
            .try_fold(None, |last, end| Some(last.max(Some(end?))));
        last.flatten()
    }

    /// Every pair that has been executed, with its outcome.
    pub fn outcomes(&self) -> impl Iterator<Item = (&ImageId, &TenantId, Outcome)> {
        self.results().map(|result| (result.image, result.tenant, result.outcome))
    }

    /// Every pair that has been executed, with its outcome and transition.
    pub fn results(&self) -> impl Iterator<Item = PairResult<'_>> {
        self.work_items.iter().flat_map(|work_item| {
            let transitions = work_item.transitions.iter().copied().chain(iter::repeat(None));
            let pairs = work_item.pairs.clone().zip(&work_item.outcomes).zip(transitions);
            pairs.filter_map(|((number, outcome), transition)| {
                let (image, tenant) = self.pair(work_item, number)?;
                Some(PairResult { image, tenant, outcome: *outcome, transition })
            })
        })
    }

    fn pair<'a>(&'a self, work_item: &'a WorkItem, number: usize) -> Option<(&'a ImageId, &'a TenantId)> {
        match self.job.task {
            Task::RespondToAll { .. } | Task::RespondToOwners { .. } => work_item
                .found_images
                .get(number.checked_sub(work_item.pairs.start)?)
                .zip(self.job.tenants.first()),
            Task::Share | Task::Unshare | Task::Refresh | Task::Respond { .. } => self.job.pair(number),
        }
    }

    /// Whether the job names that pair and has not executed it yet.
    pub fn is_open_for(&self, image: &ImageId, tenant: &TenantId) -> bool {
        let names = self.job.images.contains(image) && self.job.tenants.contains(tenant);
        let is_pair = |(of, to, _): (&ImageId, &TenantId, Outcome)| of == image && to == tenant;
        names && self.ended_at().is_none() && !self.outcomes().any(is_pair)
    }

    /// The pairs that have failed, with their outcomes.
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
            may_repeat: false,
        }
    }

    proptest! {
        #[test]
        fn work_items_and_steps_cover_every_pair_once(images in 1_usize..=100, tenants in 1_usize..=100) {
            let job = job(images, tenants);
            let work_items = job.work_items();
            prop_assert!(work_items.len() <= 50);
            let mut next = 0;
            for work_item in work_items {
                prop_assert_eq!(work_item.start, next);
                prop_assert!(work_item.len() <= MAX_PAIRS_PER_WORK_ITEM);
                while next < work_item.end {
                    let step = job.next_step(next..work_item.end);
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
            for work_item in job(images, tenants).work_items() {
                prop_assert_eq!(work_item.end % tenants, 0);
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
                transitions: Vec::new(),
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
            transitions: Vec::new(),
            finished_at: Some(Timestamp::from_unix_millis(1)),
            attempts: 0,
        };
        let scan = WorkItem {
            pairs: 0..0,
            found_images: Vec::new(),
            outcomes: Vec::new(),
            transitions: Vec::new(),
            finished_at: None,
            ..found(0, 0)
        };
        let mut report = JobReport { job, work_items: vec![scan, found(1, 0), found(2, 1)] };
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
            transitions: Vec::new(),
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

    #[test]
    fn older_function_leaves_transitions_unknown() {
        let mut work_item = WorkItem {
            number: 0,
            pairs: 0..6,
            found_images: Vec::new(),
            outcomes: Vec::new(),
            transitions: Vec::new(),
            finished_at: None,
            attempts: 0,
        };
        let began = Some(Transition::Began);
        work_item.add_results(&[Outcome::Done], &[began]);
        // An older function executes a pair, and a newer one another.
        work_item.outcomes.push(Outcome::Done);
        work_item.add_results(&[Outcome::Done], &[began]);
        work_item.add_results(&[Outcome::Done], &[]);
        assert_eq!(work_item.transitions, [began, None, began, None]);
        work_item.outcomes.push(Outcome::Done);
        let report = JobReport { job: job(1, 6), work_items: vec![work_item] };
        let transitions: Vec<_> = report.results().map(|result| result.transition).collect();
        assert_eq!(transitions, [began, None, began, None, None]);
    }
}
