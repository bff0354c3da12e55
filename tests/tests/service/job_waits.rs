//! Requests that wait for the end of a job, on a paused clock.

use std::sync::Arc;
use std::time::Duration;

use imageshare::domain::{JobId, JobStatus, Limits, Task};
use imageshare::usecases::{UseCaseError, wait_for_job};
use imageshare::{App, Settings, WaitingReads};
use imageshare_tests::blocking_table::BlockingTable;
use imageshare_tests::local_service::{LocalService, caller, job_at, tenant};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

const TIMEOUT: Duration = Duration::from_secs(20);

/// A service in which requests may wait, and an open job of `own1`.
struct Fixture {
    local: LocalService,
    app: App,
    stop: watch::Sender<bool>,
    job: JobId,
}

impl Fixture {
    async fn start() -> Self {
        let local = LocalService::start_with_table(Limits::default(), BlockingTable::new);
        let (stop, stopped) = watch::channel(false);
        let waiting_reads = Some(WaitingReads::new(stopped));
        let settings = Settings { waiting_reads, ..(*local.service.settings).clone() };
        let app = App { settings: Arc::new(settings), ..local.service.clone() };
        let image = local.create_image("own1").await;
        let at = local.service.clock().stamp();
        let job = job_at(at, "own1", Task::Share, vec![image], vec![tenant("mem1")]);
        local.queue_job(&job).await;
        Self { app, stop, job: job.id, local }
    }

    /// Waits for the job. Returns its status, and how long that took.
    async fn wait(&self, app: &App, project: &str) -> (Result<JobStatus, UseCaseError>, Duration) {
        let started = Instant::now();
        let report = wait_for_job(app, &caller(project), self.job, TIMEOUT).await;
        (report.map(|report| report.status()), started.elapsed())
    }
}

#[tokio::test(start_paused = true)]
async fn request_for_a_job_waits_for_its_end() {
    let fixture = Fixture::start().await;
    let execute = async {
        sleep(Duration::from_secs(3)).await;
        fixture.local.run_open_work().await;
    };
    let ((status, waited), ()) = tokio::join!(fixture.wait(&fixture.app, "own1"), execute);
    assert_eq!(status.unwrap(), JobStatus::Success);
    assert!((3..5).contains(&waited.as_secs()), "{waited:?}");
    let (status, waited) = fixture.wait(&fixture.app, "own1").await;
    assert_eq!((status.unwrap(), waited.as_secs()), (JobStatus::Success, 0));
}

#[tokio::test(start_paused = true)]
async fn job_that_does_not_end_is_returned_after_the_wait() {
    let fixture = Fixture::start().await;
    let (status, waited) = fixture.wait(&fixture.app, "own1").await;
    assert_eq!((status.unwrap(), waited.as_secs()), (JobStatus::Init, TIMEOUT.as_secs()));
    // Nobody waits for a job of others.
    let (status, waited) = fixture.wait(&fixture.app, "own2").await;
    assert!(matches!(status, Err(UseCaseError::Denied(_))));
    assert_eq!(waited.as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn response_is_immediate_where_no_request_can_wait() {
    let fixture = Fixture::start().await;
    let reads = fixture.app.settings.waiting_reads.clone().unwrap();
    let others: Vec<_> = std::iter::from_fn(|| reads.begin(&tenant("own1")).ok()).collect();
    for app in [&fixture.local.service, &fixture.app] {
        let (status, waited) = fixture.wait(app, "own1").await;
        assert_eq!((status.unwrap(), waited.as_secs()), (JobStatus::Init, 0));
    }
    drop(others);
    fixture.stop.send(true).unwrap();
    let (status, waited) = fixture.wait(&fixture.app, "own1").await;
    assert_eq!((status.unwrap(), waited.as_secs()), (JobStatus::Init, 0));
}
