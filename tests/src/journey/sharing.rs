//! Batch requests: those that are executed at once, and those that become a job of a worker.

use serde_json::{Value, json};

use super::{Journey, Stage};

/// Enough projects that a request with three images is executed by a worker, in turn with others.
pub(super) fn many_projects() -> Vec<String> {
    (0..70).map(|number| format!("many-{number}")).collect()
}

impl<S: Stage> Journey<S> {
    pub(super) async fn share_in_batches(&mut self) {
        let image = self.create_image("own1", json!({"name": "batch"})).await;
        let others = self.create_image("own2", json!({"name": "batch"})).await;
        let to = |images: &[&String], projects: &[&str]| json!({"images": images, "projects": projects});
        let job = self.batch("own1 POST", to(&[&image], &["mem1"]), 200).await;
        let job = job["job_id"].as_str().expect("a job").to_owned();
        self.call(&format!("own1 GET /v1/own1/jobs/{job}"), Value::Null, 200).await;
        self.call(&format!("own1 GET /v1/cloudimages/job/{job}"), Value::Null, 200).await;
        // Once more, which changes nothing; by others; to names; and to what is no id.
        self.batch("own1 POST", to(&[&image], &["mem1"]), 200).await;
        self.batch("own2 POST", to(&[&others], &["mem1", "mem2", "mem3"]), 200).await;
        for method in ["POST", "DELETE"] {
            self.batch(&format!("str1 {method}"), to(&[&image], &["mem1"]), 400).await;
        }
        self.batch("own1 POST", to(&[&image], &["shop"]), 400).await;
        self.batch("own1 POST", to(&[&image], &["new1", "new2"]), 200).await;
        self.share_by_name(&image, &others).await;
        self.share_by_administrator(&image).await;
        self.share_under_a_key().await;
        self.decide(&image, &others).await;
        self.accept_into_vaults().await;
        self.share_large_batches().await;
    }

    async fn share_by_name(&mut self, image: &str, others: &str) {
        let named = |project: &str| json!({"name": "acme", "project": project});
        for (owner, images, accounts) in [
            ("own1", vec![image], json!([named("shop")])),
            ("own1", vec![image], json!([named("shop"), {"name": "other", "project": "web"}])),
            ("own1", vec![image], json!([{"name": "other"}])),
            ("own2", vec![others], json!([{"name": "other"}])),
        ] {
            for method in ["POST", "DELETE"] {
                let body = json!({"images": images, "accounts": accounts});
                self.batch(&format!("{owner} {method}"), body, 200).await;
            }
        }
        let second = self.create_image("own1", json!({"name": "named"})).await;
        for method in ["POST", "DELETE"] {
            let body = json!({"images": [image, second], "accounts": [named("shop")]});
            self.batch(&format!("own1 {method}"), body, 200).await;
        }
    }

    /// An administrator shares images whose owners are read besides.
    async fn share_by_administrator(&mut self, image: &str) {
        for method in ["POST", "DELETE"] {
            let body = json!({"images": [image], "projects": ["mem3"]});
            self.batch(&format!("{} {method}", super::ADMIN), body, 200).await;
        }
    }

    async fn share_under_a_key(&mut self) {
        let image = self.create_encrypted_image("own1", "key").await;
        for projects in [vec!["mem1"], vec!["mem2", "mem3"]] {
            self.batch("own1 POST", json!({"images": [image], "projects": projects}), 200).await;
        }
        // A pair that fails leaves its membership as it was read. `str1` has no grant, and is no member.
        let projects = ["mem1", "str1"];
        for method in ["POST", "DELETE"] {
            self.batch(&format!("own1 {method}"), json!({"images": [image], "projects": projects}), 200)
                .await;
        }
        let accept = json!({"images": [image], "project_id": "str1", "status": "accepted"});
        self.batch("str1 PUT", accept, 200).await;
        let projects = ["mem2", "mem3"];
        self.batch("own1 DELETE", json!({"images": [image], "projects": projects}), 200).await;
    }

    async fn decide(&mut self, image: &str, others: &str) {
        let decide =
            |images: &[&str], status: &str| json!({"images": images, "project_id": "mem1", "status": status});
        self.batch("own1 POST", json!({"images": [image], "projects": ["mem1"]}), 200).await;
        self.batch("mem1 PUT", decide(&[image], "accepted"), 200).await;
        self.batch("mem1 PUT", decide(&[image, others], "rejected"), 200).await;
        for _ in ["new", "replayed"] {
            let request = "mem1 PUT /v1/cloudimages/members";
            self.call_with("decision-1", request, decide(&[image], "accepted"), 200).await;
        }
        for (method, status) in [("POST", 200), ("DELETE", 200)] {
            let body = json!({"images": [image], "projects": ["new3"]});
            for _ in ["new", "replayed"] {
                let request = format!("own1 {method} /v1/cloudimages/members");
                self.call_with(&format!("batch-{method}"), &request, body.clone(), status).await;
            }
            // One that fails may be the replay of one that did not.
            let unknown = json!({"images": ["unknown"], "projects": ["new3"]});
            let request = format!("own1 {method} /v1/cloudimages/members");
            self.call_with("batch-unknown", &request, unknown, 400).await;
        }
    }

    async fn accept_into_vaults(&mut self) {
        let image = self.create_full_ecs_image("own1").await;
        self.batch("own1 POST", json!({"images": [image], "projects": ["mem1"]}), 200).await;
        let accept =
            json!({"images": [image], "project_id": "mem1", "status": "accepted", "vault_id": "vault"});
        self.batch("mem1 PUT", accept, 200).await;
        self.batch("own1 DELETE", json!({"images": [image], "projects": ["mem1"]}), 200).await;
    }

    /// Requests for a worker, of each kind and in turn with others; and requests whose stamps are far ahead.
    async fn share_large_batches(&mut self) {
        let mut images = Vec::new();
        for _ in 0..3 {
            images.push(self.create_image("own1", json!({"name": "large"})).await);
        }
        let body = json!({"images": images, "projects": many_projects()});
        for method in ["POST", "POST", "DELETE"] {
            self.request_batch(&format!("own1 {method}"), body.clone(), 200).await;
        }
        let request = "own1 POST /v1/cloudimages/members";
        for _ in ["new", "replayed"] {
            self.call_with("large-1", request, body.clone(), 200).await;
        }
        self.run_open_work().await;
        let all = json!({"images": ["*"], "project_id": "mem3", "status": "accepted"});
        self.batch("mem3 PUT", all.clone(), 200).await;
        self.batch("ops PUT", all, 200).await;
        self.put_clock_far_ahead("mem3", &images[0]).await;
        let next = json!({"images": [images[0]], "projects": ["mem3"]});
        self.batch("own1 POST", next.clone(), 200).await;
        self.batch("own1 DELETE", next, 200).await;
    }
}
