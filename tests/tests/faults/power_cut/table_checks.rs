//! Checks of the table itself: after each cut, and at the end.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use dynoxide::types::AttributeValue;
use imageshare::domain::{Bypass, ImageId, Job, JobStatus, Limits, Task, TenantId};
use imageshare::store::{OPEN_SHARDS, Store};
use imageshare::usecases::execute;
use imageshare::{App, Settings};
use imageshare_local::table::{EmbeddedTable, Lane};
use imageshare_tests::local_service::all_items;
use tempfile::TempDir;

use super::record::{BatchRequest, Operation, Record};

/// Checks the data after each cut.
#[derive(Default)]
pub struct DataExaminer {
    ended_jobs: HashSet<String>,
    interrupted: HashSet<String>,
    partial: HashSet<String>,
}

impl fmt::Display for DataExaminer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} jobs went on after a cut, {} of them from their middle",
            self.interrupted_jobs(),
            self.partial_jobs()
        )
    }
}

impl DataExaminer {
    /// The number of jobs that had not ended at a cut.
    pub fn interrupted_jobs(&self) -> usize {
        self.interrupted.len()
    }

    /// The number of jobs that were partly executed at a cut.
    pub fn partial_jobs(&self) -> usize {
        self.partial.len()
    }

    /// Checks that the data have every acknowledged image and job, and that the member count of each image is right.
    pub async fn examine(mut self, copy: TempDir, recorded: Vec<Record>) -> Self {
        let table = EmbeddedTable::open(Some(copy.path())).unwrap();
        let store = Store::new(table.lane(Lane::Request), imageshare::domain::Clock::for_server());
        for record in &recorded {
            check_images(&store, record).await;
            for request in &record.requests {
                self.examine_job(&store, &request.job, &request.request).await;
            }
        }
        table.close().await;
        self
    }

    async fn examine_job(&mut self, store: &Store, id: &str, request: &BatchRequest) {
        if self.ended_jobs.contains(id) {
            return;
        }
        let report = store.report(id.parse().unwrap()).await.unwrap();
        let report = report.unwrap_or_else(|| panic!("job {id} of {request:?} was acknowledged and is lost"));
        let report = report.bypass(Bypass::Test);
        assert!(matches_request(&report.job, request), "{:?} is not {request:?}", report.job);
        let work_items: Vec<_> = report.work_items.iter().map(|work_item| work_item.pairs.clone()).collect();
        // A large job creates them one after the other.
        let all = report.job.work_items();
        assert!(
            work_items.iter().all(|work_item| all.contains(work_item)),
            "{work_items:?} are work items of job {id}"
        );
        assert!(
            report.ended_at().is_none() || work_items == all,
            "{work_items:?} are all work items of job {id}"
        );
        match report.status() {
            JobStatus::Init => drop(self.interrupted.insert(id.to_owned())),
            JobStatus::Running => {
                self.interrupted.insert(id.to_owned());
                self.partial.insert(id.to_owned());
            }
            JobStatus::Success | JobStatus::Fail => drop(self.ended_jobs.insert(id.to_owned())),
        }
    }
}

async fn check_images(store: &Store, record: &Record) {
    for id in record.images.keys() {
        let id: ImageId = id.parse().unwrap();
        // A deletion in progress at the cut may have been executed.
        if let Some(image) = store.head(&id).await.unwrap() {
            let (members, _) = store.members(&id, None, 1000).await.unwrap();
            assert_eq!(
                image.bypass(Bypass::Test).member_count as usize,
                members.len(),
                "the count of {id}'s members"
            );
        }
    }
    for id in &record.deleted {
        assert_eq!(store.image(&id.parse().unwrap()).await.unwrap(), None, "{id} was deleted");
    }
}

/// Checks the data once every job has ended and the servers have stopped.
pub async fn check_final_state(table: &EmbeddedTable, recorded: &[Record]) {
    let store = Store::new(table.lane(Lane::Request), imageshare::domain::Clock::for_server());
    finish_deletions(&store, recorded).await;
    for record in recorded {
        check_images(&store, record).await;
        for (id, expected) in &record.images {
            let image = store.head(&id.parse().unwrap()).await.unwrap().expect("an acknowledged image");
            assert_eq!(
                image.bypass(Bypass::Test).member_count as usize,
                expected.len(),
                "the count of {id}'s members"
            );
        }
        for id in &record.deleted {
            let (members, _) = store.members(&id.parse().unwrap(), None, 1).await.unwrap();
            assert_eq!(members, [], "members of {id}, which is deleted");
        }
        let owned = store.image_count(&record.owner.parse().unwrap()).await.unwrap();
        assert_eq!(owned as usize, record.images.len(), "the images of {}", record.owner);
    }
    let items = all_items(table);
    let key = |item, name| string_value(HashMap::get(item, name)).unwrap_or_default();
    let images = items.iter().filter(|item| key(item, "pk").starts_with("I#") && key(item, "sk") == "A");
    let none = AttributeValue::N("0".to_owned());
    for tombstone in images.filter(|image| !image.contains_key("image")) {
        // An image that never had members counts none.
        let members = tombstone.get("members").unwrap_or(&none);
        assert_eq!(members, &none, "{tombstone:?}");
    }
    let jobs = items.iter().filter_map(|item| serde_json::from_str(string_value(item.get("job"))?).ok());
    check_one_job_per_request(jobs, recorded);
}

/// Checks that all jobs have ended whose ids were returned. Those of deletions are returned to no client, so one may
/// be open.
async fn finish_deletions(store: &Store, recorded: &[Record]) {
    let settings = Settings {
        region: "local".to_owned(),
        public_url: None,
        directory_is_complete: false,
        limits: Limits::default(),
        waiting_reads: None,
    };
    let service = App { store: store.clone(), settings: Arc::new(settings) };
    for shard in 0..OPEN_SHARDS {
        for work_item in store.open_work_items(shard, None, 1000).await.unwrap() {
            let job = store.report(work_item.job).await.unwrap().unwrap().bypass(Bypass::Test).job;
            let deleted = recorded.iter().any(|record| record.deleted.contains(job.images[0].as_str()));
            assert!(deleted && job.task == Task::Unshare, "{job:?} has not ended");
            execute(&service, work_item).await.unwrap();
        }
    }
}

/// Checks that every job was acknowledged, or belongs to a deletion, or to a request without a key that a cut left in
/// doubt.
fn check_one_job_per_request(jobs: impl Iterator<Item = Job>, recorded: &[Record]) {
    let mut others: BTreeMap<String, Job> = jobs.map(|job| (job.id.to_string(), job)).collect();
    for request in recorded.iter().flat_map(|record| &record.requests) {
        assert!(others.remove(&request.job).is_some(), "{request:?} has no job of its own");
    }
    for in_doubt_request in recorded.iter().flat_map(|record| &record.in_doubt) {
        let found =
            others.iter().find(|(_, job)| matches_request(job, in_doubt_request)).map(|(id, _)| id.clone());
        found.map(|id| others.remove(&id));
    }
    let mut deleted: HashSet<&str> = recorded.iter().flat_map(|r| &r.deleted).map(String::as_str).collect();
    for job in others.values() {
        let of_deletion = job.task == Task::Unshare && job.images.len() == 1;
        assert!(of_deletion && deleted.remove(job.images[0].as_str()), "no request for {job:?}");
    }
}

fn matches_request(job: &Job, request: &BatchRequest) -> bool {
    let task_is = match (&job.task, request.operation) {
        (Task::Share, Operation::Share) | (Task::Unshare, Operation::Unshare) => true,
        (Task::Respond { status, .. }, Operation::Decide(decision)) => status.as_str() == decision,
        _ => false,
    };
    task_is
        && job.images.iter().map(ImageId::as_str).eq(&request.images)
        && job.tenants.iter().map(TenantId::as_str).eq(&request.recipients)
}

fn string_value(value: Option<&AttributeValue>) -> Option<&str> {
    match value? {
        AttributeValue::S(text) => Some(text),
        _ => None,
    }
}
