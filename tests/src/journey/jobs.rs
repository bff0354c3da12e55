//! Jobs of every kind in job-worker, and the sweep's.

use std::time::Duration;

use imageshare::domain::{Stamp, Status, Task, Timestamp};
use serde_json::{Value, json};

use super::sharing::many_projects;
use super::{Journey, Stage};
use crate::events::schedule_event;
use crate::local_service::{job_at, queue_job, tenant};

impl<S: Stage> Journey<S> {
    /// Jobs of a few pairs, as requests queue them that conflict with others.
    pub(super) async fn run_jobs(&mut self) {
        let vault = json!({"protection_type": "backup", "capacity_gib": 1000});
        for project in ["job1", "job2", "job3"] {
            self.call(&format!("own5 PUT /v1/keys/key/grants/{project}"), Value::Null, 200).await;
            self.call(&format!("{project} PUT /v1/vaults/vault"), vault.clone(), 200).await;
        }
        let sealed = self.create_encrypted_image("own5", "key").await;
        let full = self.create_full_ecs_image("own5").await;
        let accept = Task::Respond { status: Status::Accepted, vault: Some("vault".parse().expect("an id")) };
        for (creator, task, image, tenants) in [
            ("own5", Task::Share, &sealed, vec!["job1"]),
            ("own5", Task::Share, &sealed, vec!["job1", "job2", "job3"]),
            ("own5", Task::Share, &sealed, vec!["job3", "nobody"]),
            ("own5", Task::Share, &full, vec!["job1", "job2"]),
            ("job1", accept.clone(), &full, vec!["job1"]),
            ("job2", accept.clone(), &sealed, vec!["job2"]),
            ("own5", Task::Unshare, &full, vec!["job1", "job2"]),
            ("own5", Task::Unshare, &sealed, vec!["job1", "job2", "nobody"]),
        ] {
            self.queue_job(Stamp::now(), creator, task, &[image], &tenants).await;
            self.run_open_work().await;
        }
        self.wait_for_an_earlier_job(&sealed).await;
        self.decide_on_everything(&sealed, &full).await;
    }

    /// The jobs of a project that has some of one work item, and some of several.
    pub(super) async fn list_jobs(&mut self) {
        let list = self.call("own5 GET /v1/own5/jobs", Value::Null, 200).await;
        assert_ne!(list["jobs"], json!([]), "effects has listed them");
        self.call("own3 GET /v1/own3/jobs?status=FAIL", Value::Null, 200).await;
        self.open_page("own5", "jobs").await;
    }

    pub(super) async fn queue_job(
        &self,
        at: Stamp,
        creator: &str,
        task: Task,
        images: &[&String],
        tenants: &[&str],
    ) {
        let images = images.iter().map(|image| image.parse().expect("an id")).collect();
        let tenants = tenants.iter().map(|id| tenant(id)).collect();
        queue_job(self.stage.app(), &job_at(at, creator, task, images, tenants)).await;
    }

    /// Puts a tenant's clock far ahead of all others, where a decision on everything that is pending puts it for some seconds:
    /// by a decision with a stamp of the next hour.
    pub(super) async fn put_clock_far_ahead(&mut self, project: &str, image: &String) {
        let stamp = Stamp::first_of(Timestamp::now().plus(Duration::from_hours(1)));
        let reject = Task::Respond { status: Status::Rejected, vault: None };
        self.queue_job(stamp, project, reject, &[image], &[project]).await;
        self.run_open_work().await;
    }

    /// Decisions on all that is pending, one of them into a vault.
    async fn decide_on_everything(&mut self, sealed: &str, full: &str) {
        for (vault, image) in [(None, sealed), (Some("vault"), full)] {
            self.batch("own5 POST", json!({"images": [image], "projects": ["job2"]}), 200).await;
            let mut all = json!({"images": ["*"], "project_id": "job2", "status": "accepted"});
            if let Some(vault) = vault {
                all["vault_id"] = vault.into();
            }
            self.batch("job2 PUT", all, 200).await;
            self.run_open_work().await;
        }
    }

    /// A decision waits for the share that was requested before it.
    async fn wait_for_an_earlier_job(&mut self, image: &String) {
        let (first, second) = (Stamp::now(), Stamp::now());
        self.queue_job(first, "own5", Task::Share, &[image], &["job3"]).await;
        let decide = Task::Respond { status: Status::Accepted, vault: None };
        self.queue_job(second, "job3", decide, &[image], &["job3"]).await;
        self.run_open_work().await;
    }

    /// Work that was requested long ago, and a job that is held although nothing is active.
    pub(super) async fn sweep_left_work(&mut self) {
        let image = self.create_image("own3", json!({"name": "swept"})).await;
        let ago = |minutes: u64| Stamp::first_of(Timestamp::now().minus(Duration::from_mins(minutes)));
        self.queue_job(ago(5), "own3", Task::Share, &[&image], &["swept1"]).await;
        let mut images = vec![image];
        for _ in 0..2 {
            images.push(self.create_image("own3", json!({"name": "swept"})).await);
        }
        let (images, projects): (Vec<_>, _) = (images.iter().collect(), many_projects());
        let projects: Vec<_> = projects.iter().map(String::as_str).collect();
        self.queue_job(ago(4), "own3", Task::Share, &images, &projects).await;
        self.queue_job(ago(3), "own3", Task::Unshare, &images, &projects).await;
        self.queue_job(ago(2), "own3", Task::Share, &images, &projects).await;
        let swept = self.stage.invoke("job-worker", &schedule_event()).await;
        assert_eq!((&swept["left"], &swept["unlistedShards"]), (&json!(0), &json!(0)), "{swept}");
        assert!(swept["carriedOut"].as_u64() >= Some(3), "{swept}");
        self.run_open_work().await;
    }
}
