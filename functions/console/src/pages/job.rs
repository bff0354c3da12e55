//! A job: how far it is, what became of each image and project, and those that failed once more.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use askama::Template;
use imageshare::domain::{
    Denied, Image, ImageId, JobId, JobReport, Outcome, PairResult, Task, TenantId, Transition,
    authorize_write,
};
use imageshare::usecases::{self, CounterpartNames};

use crate::frame::{Frame, Section};
use crate::notice::{MAX_JOBS, Notice};
use crate::reply::Reply;
use crate::show::{self, Moment};
use crate::texts::{Texts, fill};
use crate::visible;
use crate::visit::{self, Visit};
use crate::wording::{self, Refusal};

/// The rows of a page.
const PAGE_SIZE: usize = 25;

/// The value of the filter that leaves only what has failed.
const FAILED: &str = "failed";

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    frame: Frame,
    id: JobId,
    title: String,
    status: (&'static str, &'static str),
    requested: Moment,
    ended: Option<Moment>,
    pairs: String,
    rows: Vec<Row>,
    /// How many of the results the filter leaves.
    shown: String,
    has_results: bool,
    only_failed: bool,
    /// The number of the first result of the next page.
    next: Option<usize>,
    is_first: bool,
    /// The key of the form that tries the failed ones again, if the visitor may.
    try_again: Option<String>,
}

struct Row {
    image: String,
    /// The name of the image; `None` if the visitor does not see the image any more.
    image_name: Option<String>,
    project: String,
    project_names: Option<CounterpartNames>,
    status: (&'static str, &'static str),
    reason: &'static str,
}

/// The results that a page shows.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    only_failed: bool,
    /// The number of the first one.
    first: usize,
}

/// What the images and projects of some results are called.
#[derive(Debug, Default)]
struct Names {
    images: HashMap<ImageId, String>,
    projects: HashMap<TenantId, CounterpartNames>,
}

/// Shows a job: its failed pairs first. Costs one query, then what [`Names`] do, concurrently with the frame.
pub(crate) async fn show(visit: &Visit<'_>, id: &str) -> Result<Reply, Refusal> {
    let wanted = Wanted {
        only_failed: visit.query.text("show") == FAILED,
        first: visit.query.text("from").parse().unwrap_or(0),
    };
    let report = load(visit, id).await?;
    let results = wanted.results(&report);
    let (names, mut frame) =
        tokio::try_join!(Names::load(visit, wanted.page(&results)), Frame::load(visit, Some(Section::Jobs)))?;
    let texts = visit.texts;
    let now = visit.app.clock().now();
    if report.ended_at().is_none() {
        frame.notice = frame.notice.or_else(|| Notice::of(std::slice::from_ref(&report), now, texts));
    }
    let (shown, all) = (results.len(), report.results().count());
    let can_try = visit.may_write() && report.ended_at().is_some() && !failed_groups(&report).is_empty();
    let job = &report.job;
    Ok(Reply::page(&JobPage {
        id: job.id,
        title: fill(texts.jobs.title, &[("kind", wording::kind(&job.task, texts))]),
        status: wording::status(report.status(), texts),
        requested: Moment(job.accepted_at),
        ended: report.ended_at().map(Moment),
        pairs: pairs(&report, texts),
        rows: wanted.page(&results).iter().map(|result| Row::new(result, &names, texts)).collect(),
        shown: fill(texts.jobs.results_of, &[("shown", &shown.to_string()), ("all", &all.to_string())]),
        has_results: all > 0,
        only_failed: wanted.only_failed,
        next: Some(wanted.first.saturating_add(PAGE_SIZE)).filter(|next| *next < shown),
        is_first: wanted.first == 0,
        try_again: can_try.then(visit::new_form_key),
        frame,
    }))
}

impl Wanted {
    /// The results of a job that its filter leaves, those that failed first.
    fn results(self, report: &JobReport) -> Vec<PairResult<'_>> {
        let mut results = failed_first(report);
        results.retain(|result| !self.only_failed || result.outcome.is_failure());
        results
    }

    /// Those of them on its page.
    fn page<'a, 'b>(self, results: &'a [PairResult<'b>]) -> &'a [PairResult<'b>] {
        let rest = results.get(self.first..).unwrap_or_default();
        rest.get(..PAGE_SIZE).unwrap_or(rest)
    }
}

impl Names {
    /// Reads the names of a page's results: of the images that the visitor still sees, and of the projects that a result shows to
    /// be a counterpart. Costs one batch read for the images, and one for the projects at the same time.
    async fn load(visit: &Visit<'_>, results: &[PairResult<'_>]) -> Result<Self, Refusal> {
        let ids: BTreeSet<&ImageId> = results.iter().map(|result| result.image).collect();
        let ids: Vec<ImageId> = ids.into_iter().cloned().collect();
        let projects = async { Ok(usecases::names_of(&visit.app, results).await?) };
        let (images, projects) = tokio::try_join!(visible::find(visit, &ids, false), projects)?;
        let name = |image: &Image| (image.id.clone(), show::image_name(image).to_owned());
        Ok(Self { images: images.iter().map(|visible| name(&visible.image)).collect(), projects })
    }
}

/// The results of a job as a file of comma-separated values. Costs one query.
pub(crate) async fn download(visit: &Visit<'_>, id: &str) -> Result<Reply, Refusal> {
    let report = load(visit, id).await?;
    let texts = visit.texts;
    let mut text = csv_line([texts.jobs.image, texts.project, texts.jobs.result, texts.jobs.reason]);
    for result in failed_first(&report) {
        let row = Row::new(&result, &Names::default(), texts);
        let (status, _) = row.status;
        text.push_str(&csv_line([&row.image, &row.project, status, row.reason]));
    }
    Ok(Reply::csv(format!("job-{}.csv", report.job.id), text))
}

/// Tries the failed pairs of a job again, and no others: in one job, or in several if no set of images and projects is
/// exactly these pairs. Costs one query, and what each job costs.
pub(crate) async fn try_again(visit: &Visit<'_>, id: &str) -> Result<Reply, Refusal> {
    let (app, caller) = (&visit.app, visit.caller());
    authorize_write(caller)?;
    let report = load(visit, id).await?;
    let mut jobs = Vec::new();
    for (number, (tenants, images)) in failed_groups(&report).into_iter().enumerate() {
        let idempotency = visit.idempotency_of(number);
        let job = match &report.job.task {
            Task::Share => usecases::share(app, caller, images, tenants, idempotency).await?,
            Task::Unshare => usecases::unshare(app, caller, images, tenants, idempotency).await?,
            Task::Respond { status, vault }
            | Task::RespondToAll { status, vault, .. }
            | Task::RespondToOwners { status, vault, .. } => {
                let decision = (*status, vault.clone());
                let recipient = caller.tenant.clone();
                usecases::respond(app, caller, recipient, images, decision, idempotency).await?
            }
            Task::Refresh => return Err(Refusal::NothingFailed),
        };
        jobs.push(job);
    }
    let Some(first) = jobs.first() else { return Err(Refusal::NothingFailed) };
    let ids: Vec<_> = jobs.iter().take(MAX_JOBS).map(|job| format!("job={job}")).collect();
    Ok(Reply::redirect(format!("{}/{first}?{}", Section::Jobs.path(), ids.join("&"))))
}

async fn load(visit: &Visit<'_>, id: &str) -> Result<JobReport, Refusal> {
    let id = id.parse().map_err(|_| Denied::JobNotFound)?;
    Ok(usecases::job_status(&visit.app, visit.caller(), id).await?)
}

/// The results, those that failed first.
fn failed_first(report: &JobReport) -> Vec<PairResult<'_>> {
    let mut results: Vec<_> = report.results().collect();
    results.sort_by_key(|result| !result.outcome.is_failure());
    results
}

/// The failed pairs as sets of projects, each with the images that failed for exactly these projects. Empty for a job that
/// nobody requested.
fn failed_groups(report: &JobReport) -> BTreeMap<Vec<TenantId>, Vec<ImageId>> {
    let mut by_image: BTreeMap<&ImageId, Vec<TenantId>> = BTreeMap::new();
    if report.job.task != Task::Refresh {
        for (image, tenant, _) in report.failures() {
            by_image.entry(image).or_default().push(tenant.clone());
        }
    }
    let mut groups: BTreeMap<Vec<TenantId>, Vec<ImageId>> = BTreeMap::new();
    for (image, tenants) in by_image {
        groups.entry(tenants).or_default().push(image.clone());
    }
    groups
}

/// How many images and projects the job names.
pub(super) fn pairs(report: &JobReport, texts: &'static Texts) -> String {
    let (job, pairs) = (&report.job, report.job.pair_count().max(report.done_count()));
    let images = if job.task.finds_images() { pairs } else { job.images.len() };
    let (images, projects, pairs) = (images.to_string(), job.tenants.len().to_string(), pairs.to_string());
    fill(texts.jobs.pairs_of, &[("images", &images), ("projects", &projects), ("pairs", &pairs)])
}

impl Row {
    fn new(result: &PairResult<'_>, names: &Names, texts: &'static Texts) -> Self {
        let t = &texts.jobs;
        let is_failure = result.outcome.is_failure();
        Self {
            image: result.image.to_string(),
            image_name: names.images.get(result.image).cloned(),
            project: result.tenant.to_string(),
            project_names: names.projects.get(result.tenant).cloned(),
            status: if is_failure { (t.failed, "failed") } else { (t.done, "done") },
            reason: match (result.outcome, result.transition) {
                (Outcome::Done, Some(Transition::Unchanged)) => t.unchanged,
                (Outcome::Done, _) => "",
                (outcome, _) => wording::outcome(outcome, texts),
            },
        }
    }
}

/// A line of comma-separated values. No value begins a formula of a spreadsheet: ids begin with a letter, a digit or a quote
/// mark here.
fn csv_line(values: [&str; 4]) -> String {
    let values = values.map(|value| {
        let formula = if value.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
        format!("\"{formula}{}\"", value.replace('"', "\"\""))
    });
    format!("{}\r\n", values.join(","))
}

#[cfg(test)]
mod tests {
    use imageshare::domain::{Job, Stamp, Timestamp, WorkItem};

    use super::*;

    fn report(images: usize, tenants: usize, outcomes: &[Outcome]) -> JobReport {
        let job = Job {
            id: JobId(Stamp::now()),
            creator: "own1".parse().unwrap(),
            task: Task::Share,
            images: (0..images).map(|n| format!("i{n}").parse().unwrap()).collect(),
            tenants: (0..tenants).map(|n| format!("t{n}").parse().unwrap()).collect(),
            accepted_at: Timestamp::now(),
            queues: Vec::new(),
            may_repeat: false,
        };
        let work_item = WorkItem {
            number: 0,
            pairs: 0..outcomes.len(),
            found_images: Vec::new(),
            outcomes: outcomes.to_vec(),
            transitions: Vec::new(),
            finished_at: Some(Timestamp::now()),
            attempts: 0,
        };
        JobReport { job, work_items: vec![work_item] }
    }

    #[test]
    fn only_failed_pairs_are_tried_again() {
        use Outcome::{Done, KeyNotGranted, Superseded};
        // Image 0 failed for both projects, images 1 and 2 for the second one, image 3 for none.
        let outcomes = [
            [KeyNotGranted, KeyNotGranted],
            [Done, KeyNotGranted],
            [Superseded, KeyNotGranted],
            [Done, Superseded],
        ];
        let groups = failed_groups(&report(4, 2, outcomes.as_flattened()));
        let shown: Vec<_> = groups
            .iter()
            .map(|(tenants, images)| (tenants.iter().map(TenantId::as_str).collect::<Vec<_>>(), images.len()))
            .collect();
        assert_eq!(shown, [(vec!["t0", "t1"], 1), (vec!["t1"], 2)]);
    }

    #[test]
    fn failed_results_come_first() {
        let report = report(1, 3, &[Outcome::Done, Outcome::OtherRegion, Outcome::Done]);
        let order: Vec<_> = failed_first(&report).iter().map(|result| result.tenant.to_string()).collect();
        assert_eq!(order, ["t1", "t0", "t2"]);
    }

    #[test]
    fn value_of_a_file_is_no_formula() {
        assert_eq!(csv_line(["=1+1", "a\"b", "-x", ""]), "\"'=1+1\",\"a\"\"b\",\"'-x\",\"\"\r\n");
    }
}
