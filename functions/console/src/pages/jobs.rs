//! *Jobs*: what the project has requested in the last 30 days.

use askama::Template;
use imageshare::domain::{JobId, JobKind, JobReport, JobStatus};
use imageshare::usecases::{self, JobQuery};

use super::job;
use crate::frame::{Frame, Section};
use crate::reply::Reply;
use crate::show::Moment;
use crate::texts::{Texts, fill};
use crate::visit::Visit;
use crate::wording::{self, Refusal};

/// The rows of a page.
const PAGE_SIZE: usize = 25;

/// The statuses that the filter offers. A job is `INIT` for a moment only.
const STATUSES: [(&str, JobStatus); 3] =
    [("running", JobStatus::Running), ("done", JobStatus::Success), ("failed", JobStatus::Fail)];

#[derive(Template)]
#[template(path = "jobs.html")]
struct Jobs {
    frame: Frame,
    kinds: Vec<Choice>,
    statuses: Vec<Choice>,
    rows: Vec<Row>,
    /// The query of the next page.
    next: Option<String>,
    /// The query of the first page, on a later one.
    first: Option<String>,
    empty: &'static str,
}

/// A choice of a filter.
struct Choice {
    value: &'static str,
    name: &'static str,
    is_chosen: bool,
}

struct Row {
    id: JobId,
    kind: &'static str,
    status: (&'static str, &'static str),
    requested: Moment,
    pairs: String,
    done: usize,
    total: usize,
    is_running: bool,
    failed: String,
}

/// Shows a page of the jobs, the newest first. Costs what [`usecases::list_jobs`] does, besides the frame.
pub(crate) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let (app, caller, texts) = (&visit.app, visit.caller(), visit.texts);
    let (kind, status) = (visit.query.text("kind"), visit.query.text("status"));
    let query = JobQuery {
        project: caller.tenant.clone(),
        kind: kind.parse().ok(),
        status: STATUSES.iter().find(|(value, _)| *value == status).map(|(_, status)| *status),
    };
    let listing = visit.listing("console jobs").with(kind).with(status);
    let before: Option<JobId> =
        listing.decode_marker(visit.query.text("marker")).and_then(|id| id.parse().ok());
    let page = async { Ok::<_, Refusal>(usecases::list_jobs(app, caller, &query, before, PAGE_SIZE).await?) };
    let (page, frame) = tokio::try_join!(page, Frame::load(visit, Some(Section::Jobs)))?;
    let filter = address(&query, status);
    let next = page.next.map(|next| format!("{filter}&marker={}", listing.encode_marker(next)));
    let has_filter = query.kind.is_some() || query.status.is_some();
    Ok(Reply::page(&Jobs {
        frame,
        kinds: kinds(query.kind, texts),
        statuses: statuses(query.status, texts),
        rows: page.items.iter().map(|report| Row::new(report, texts)).collect(),
        next,
        first: before.is_some().then_some(filter),
        empty: if has_filter { texts.jobs.none_matches } else { texts.jobs.none },
    }))
}

/// The query of the first page with a filter.
fn address(query: &JobQuery, status: &str) -> String {
    let kind = query.kind.map_or("", JobKind::as_str);
    format!("?kind={kind}&status={}", if query.status.is_some() { status } else { "" })
}

fn kinds(chosen: Option<JobKind>, texts: &'static Texts) -> Vec<Choice> {
    let t = &texts.jobs;
    let name = |kind| match kind {
        JobKind::Share => t.share,
        JobKind::Unshare => t.unshare,
        JobKind::Respond => t.respond,
    };
    let every = Choice { value: "", name: t.all_kinds, is_chosen: chosen.is_none() };
    let each = JobKind::ALL.into_iter().map(|kind| Choice {
        value: kind.as_str(),
        name: name(kind),
        is_chosen: chosen == Some(kind),
    });
    std::iter::once(every).chain(each).collect()
}

fn statuses(chosen: Option<JobStatus>, texts: &'static Texts) -> Vec<Choice> {
    let every = Choice { value: "", name: texts.jobs.all_statuses, is_chosen: chosen.is_none() };
    let each = STATUSES.into_iter().map(|(value, status)| Choice {
        value,
        name: wording::status(status, texts).0,
        is_chosen: chosen == Some(status),
    });
    std::iter::once(every).chain(each).collect()
}

impl Row {
    fn new(report: &JobReport, texts: &'static Texts) -> Self {
        let failed = report.failures().count();
        let done = report.done_count();
        Self {
            id: report.job.id,
            kind: wording::kind(&report.job.task, texts),
            status: wording::status(report.status(), texts),
            requested: Moment(report.job.accepted_at),
            pairs: job::pairs(report, texts),
            done,
            total: report.job.pair_count().max(done),
            is_running: report.ended_at().is_none(),
            failed: if failed > 0 {
                fill(texts.jobs.failed_of, &[("failed", &failed.to_string()), ("total", &done.to_string())])
            } else {
                String::new()
            },
        }
    }
}
