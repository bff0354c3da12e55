//! What became of an action, on the page that its form has led to.
//!
//! A form that makes a job leads to a page with `?job=ID`, or several of them; one that is done at once to a page with
//! `?done=WORD`. While a job runs, the script replaces the notice by the next [`part`], after the pause that it names.

use askama::Template;
use futures_util::future::try_join_all;
use imageshare::domain::{Denied, JobId, JobReport, JobStatus, Outcome, Timestamp};
use imageshare::usecases::{self, UseCaseError};

use crate::texts::{Texts, fill};
use crate::visit::Visit;
use crate::wording::{self, Refusal};

/// The most jobs of a notice: each costs a query.
pub(crate) const MAX_JOBS: usize = 10;

/// The shortest and the longest pause before a running job is looked at again.
const PAUSES_MILLIS: (i64, i64) = (500, 15_000);

/// Chooses a text.
type Text = fn(&Texts) -> &'static str;

/// What was done at once: the word in the address, and its text.
const DONE: [(&str, Text); 7] = [
    ("saved", |texts| texts.saved),
    ("renamed", |texts| texts.access_keys.was_renamed),
    ("entry-removed", |texts| texts.directory.was_removed),
    ("disabled", |texts| texts.access_keys.was_disabled),
    ("deleted", |texts| texts.received.deleted),
    ("applied-to-nothing", |texts| texts.own.applied_to_nothing),
    ("removed", |texts| texts.received.removed),
];

/// What became of an action, for the template `notice.html`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// Whether all is done, something has failed, or it still runs.
    pub(crate) state: State,
    /// The sentences.
    pub(crate) lines: Vec<String>,
    /// The link to the page as it is then, and its name.
    pub(crate) again: Option<(String, &'static str)>,
    /// The job that has the details, if there is one.
    pub(crate) job: Option<JobId>,
    /// How far it is, while it runs.
    pub(crate) progress: Option<Progress>,
}

/// Whether an action is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Running,
    Done,
    Failed,
}

/// How far jobs are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) done: usize,
    pub(crate) total: usize,
    /// The address of the next notice.
    pub(crate) path: String,
    /// The pause before that, in milliseconds.
    pub(crate) pause: i64,
}

/// The notice alone, for the script.
#[derive(Template)]
#[template(path = "notice.html")]
pub(crate) struct NoticePart {
    t: &'static Texts,
    notice: Notice,
}

impl State {
    /// Its class in the styles.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// The notice alone, which the script puts into a page. If the jobs have ended meanwhile, it offers the page as it is now.
///
/// # Errors
/// [`Refusal`] if the jobs are not found, or the table failed.
pub(crate) async fn part(visit: &Visit<'_>) -> Result<NoticePart, Refusal> {
    let mut notice = load(visit).await?.ok_or(Refusal::NoSuchPage)?;
    let address = format!("?{}", visit.raw_query());
    notice.again = notice.again.or(Some((address, visit.texts.refresh_page)));
    Ok(NoticePart { t: visit.texts, notice })
}

/// What became of the action that has led to a page; `None` if none has, or its jobs are another project's. Costs a query
/// for each job.
///
/// # Errors
/// [`Refusal`] if the table failed.
pub(crate) async fn load(visit: &Visit<'_>) -> Result<Option<Notice>, Refusal> {
    let word = visit.query.text("done");
    if let Some((_, text)) = DONE.iter().find(|(known, _)| *known == word) {
        let lines = vec![text(visit.texts).to_owned()];
        return Ok(Some(Notice { state: State::Done, lines, again: None, job: None, progress: None }));
    }
    let ids = visit.query.parsed::<JobId>("job").into_iter().take(MAX_JOBS);
    let reports = try_join_all(ids.map(|id| find(visit, id))).await?;
    let reports: Vec<JobReport> = reports.into_iter().flatten().collect();
    let now = visit.app.clock().now();
    Ok(Notice::of(&reports, now, visit.texts))
}

/// The job with that id, if it is one of the visitor's project.
async fn find(visit: &Visit<'_>, id: JobId) -> Result<Option<JobReport>, UseCaseError> {
    match usecases::job_status(&visit.app, visit.caller(), id).await {
        Ok(report) => Ok(Some(report)),
        Err(UseCaseError::Denied(Denied::JobNotFound)) => Ok(None),
        Err(problem) => Err(problem),
    }
}

impl Notice {
    /// The notice of jobs that one action has made; `None` without jobs.
    pub(crate) fn of(reports: &[JobReport], now: Timestamp, texts: &'static Texts) -> Option<Self> {
        let first = reports.first()?;
        let progress = Progress::of(reports, now);
        let job = Some(match reports.iter().find(|report| report.failures().next().is_some()) {
            Some(failed) => failed.job.id,
            None => first.job.id,
        });
        let count = |wanted: fn(Outcome) -> bool| {
            reports.iter().flat_map(JobReport::outcomes).filter(|(_, _, outcome)| wanted(*outcome)).count()
        };
        let failed = count(Outcome::is_failure);
        let state = match (&progress, failed) {
            (Some(_), _) => State::Running,
            (None, 0) => State::Done,
            (None, _) => State::Failed,
        };
        let task = &first.job.task;
        let mut lines = Vec::new();
        if let Some(Progress { done, total, .. }) = &progress {
            let (done, total) = (done.to_string(), total.to_string());
            let places = [("kind", wording::kind(task, texts)), ("done", &done), ("total", &total)];
            lines.push(fill(texts.jobs.progress, &places));
        } else {
            let (done, superseded) =
                (count(|outcome| outcome == Outcome::Done), count(|outcome| outcome == Outcome::Superseded));
            let counts: [(usize, &dyn Fn(usize) -> String); 3] = [
                (done, &|count| wording::count_of_done(task, count, texts)),
                (superseded, &|count| wording::count_of_superseded(count, texts)),
                (failed, &|count| wording::count_of_failed(count, texts)),
            ];
            lines.extend(counts.iter().filter(|(count, _)| *count > 0).map(|(count, text)| text(*count)));
            if lines.is_empty() {
                lines.push(texts.jobs.nothing_to_do.to_owned());
            }
        }
        let again = progress.as_ref().map(|_| (query(reports), texts.check_again));
        Some(Self { state, lines, again, job, progress })
    }
}

impl Progress {
    /// How far jobs are; `None` once all have ended.
    fn of(reports: &[JobReport], now: Timestamp) -> Option<Self> {
        let is_open = |report: &JobReport| matches!(report.status(), JobStatus::Init | JobStatus::Running);
        if !reports.iter().any(is_open) {
            return None;
        }
        let begun = reports.iter().map(|report| report.job.accepted_at).max().unwrap_or(now);
        let done = reports.iter().map(JobReport::done_count).sum();
        Some(Self {
            done,
            total: reports.iter().map(|report| report.job.pair_count()).sum::<usize>().max(done),
            path: format!("/console/notice{}", query(reports)),
            pause: pause_millis(now.unix_millis() - begun.unix_millis()),
        })
    }
}

/// The query of the jobs' notice.
fn query(reports: &[JobReport]) -> String {
    let ids: Vec<_> = reports.iter().map(|report| format!("job={}", report.job.id)).collect();
    format!("?{}", ids.join("&"))
}

/// The pause before jobs of that age are looked at again: a quarter of the age, so that the pauses grow.
fn pause_millis(age: i64) -> i64 {
    let (shortest, longest) = PAUSES_MILLIS;
    (age / 4).clamp(shortest, longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_the_age_of_a_job() {
        let pauses = [-5, 0, 8_000, 1_000_000].map(pause_millis);
        assert_eq!(pauses, [500, 500, 2_000, 15_000]);
    }
}
