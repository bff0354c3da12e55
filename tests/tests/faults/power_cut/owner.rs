//! The workload: one owner and its guests, one request after the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use imageshare::domain::ImageId;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Client, Request, Response};
use super::record::{AcknowledgedRequest, BatchRequest, Operation, Record};

/// The range of an owner's image count.
const MIN_IMAGES: usize = 4;
const MAX_IMAGES: usize = 14;

/// With this many open jobs, a client waits for their end.
const MAX_OPEN_JOBS: usize = 6;

const MEMBERS_PATH: &str = "/v1/cloudimages/members";

/// An owner and its guests.
pub struct Owner {
    pub name: String,
    pub recipients: Vec<String>,
    tokens: HashMap<String, String>,
    client: Client,
    rng: fastrand::Rng,
    record: Arc<Mutex<Record>>,
    /// Jobs that are not known to have ended, with their requesters.
    open_jobs: Vec<(String, String)>,
    key_count: usize,
}

impl Owner {
    /// The token of each name.
    pub fn new(
        owner: (String, String),
        guests: Vec<(String, String)>,
        link: Client,
        random: fastrand::Rng,
    ) -> Self {
        let name = owner.0.clone();
        let record = Arc::new(Mutex::new(Record { owner: name.clone(), ..Record::default() }));
        let names = guests.iter().map(|(guest, _)| guest.clone()).collect();
        let tokens = guests.into_iter().chain([owner]).collect();
        Self {
            name,
            recipients: names,
            tokens,
            client: link,
            rng: random,
            record,
            open_jobs: Vec::new(),
            key_count: 0,
        }
    }

    pub fn record(&self) -> Arc<Mutex<Record>> {
        Arc::clone(&self.record)
    }

    /// Makes requests until there will be no more cuts, and waits until all jobs have ended.
    pub async fn run(mut self) -> Self {
        while !self.client.is_last() {
            let images = self.image_ids();
            match self.rng.u32(..100) {
                _ if images.len() < MIN_IMAGES => self.create_image().await,
                0..10 if images.len() < MAX_IMAGES => self.create_image().await,
                10..14 => self.delete_image(&images).await,
                14..55 => self.share_or_unshare(Operation::Share, &images).await,
                55..70 => self.share_or_unshare(Operation::Unshare, &images).await,
                70..90 => self.decide().await,
                90..95 => self.retry_earlier_request().await,
                _ => {}
            }
            if self.open_jobs.len() > MAX_OPEN_JOBS {
                self.wait_for_jobs().await;
            }
        }
        self.wait_for_jobs().await;
        self
    }

    /// Reads a target as a project.
    pub async fn read(&mut self, project: &str, target: String) -> (u16, Value) {
        let Response { status, body, .. } = self.request(Method::GET, target, project, None, None).await;
        (status, body)
    }

    async fn create_image(&mut self) {
        let id = ImageId::random().to_string();
        let body = json!({"id": id, "name": "golden"});
        let project = self.name.clone();
        let response = self.request(Method::POST, "/v2/images".into(), &project, Some(&body), None).await;
        // The first attempt may have been executed, though its response was lost.
        let is_there = response.status == 201 || (response.status == 409 && response.interruptions > 0);
        assert!(is_there, "create {id}: {} {}", response.status, response.body);
        self.record.lock().unwrap().images.entry(id).or_default();
    }

    async fn delete_image(&mut self, images: &[String]) {
        let Some(id) = self.rng.choice(images) else { return };
        let project = self.name.clone();
        let response = self.request(Method::DELETE, format!("/v2/images/{id}"), &project, None, None).await;
        let is_gone = response.status == 204 || (response.status == 404 && response.interruptions > 0);
        assert!(is_gone, "delete {id}: {} {}", response.status, response.body);
        let mut record = self.record.lock().unwrap();
        record.images.remove(id);
        record.deleted.insert(id.clone());
    }

    async fn share_or_unshare(&mut self, operation: Operation, images: &[String]) {
        let guests = self.recipients.clone();
        let (images, guests) = (self.random_subset(images), self.random_subset(&guests));
        let project = self.name.clone();
        self.submit_batch(&project, BatchRequest { operation, images, recipients: guests }).await;
    }

    /// Makes a guest's decision. Its effect depends on whether the share has been executed, so all earlier jobs must
    /// have ended.
    async fn decide(&mut self) {
        self.wait_for_jobs().await;
        let guest = self.rng.choice(&self.recipients).unwrap().clone();
        let offered: Vec<String> = {
            let record = self.record.lock().unwrap();
            let offered = record.images.iter().filter(|(_, members)| members.contains_key(&guest));
            offered.map(|(image, _)| image.clone()).collect()
        };
        if !offered.is_empty() {
            let operation = Operation::Decide(if self.rng.bool() { "accepted" } else { "rejected" });
            let request = BatchRequest {
                operation,
                images: self.random_subset(&offered),
                recipients: vec![guest.clone()],
            };
            self.submit_batch(&guest, request).await;
        }
    }

    /// Repeats an earlier request with its key, as a client in doubt does.
    async fn retry_earlier_request(&mut self) {
        let earlier: Vec<_> = {
            let record = self.record.lock().unwrap();
            record.requests.iter().filter(|request| request.key.is_some()).cloned().collect()
        };
        if let Some(AcknowledgedRequest { request, key, job }) = self.rng.choice(earlier) {
            let project = self.requester(&request);
            let (again, _) = self.send_batch(&project, &request, key.as_deref()).await;
            assert_eq!(again, job, "{request:?} created a second job");
        }
    }

    /// Makes a batch request, with or without a key, until it is acknowledged.
    async fn submit_batch(&mut self, project: &str, request: BatchRequest) {
        let key = self.rng.bool().then(|| {
            self.key_count += 1;
            format!("{}-{}", self.name, self.key_count)
        });
        let (job, cuts) = self.send_batch(project, &request, key.as_deref()).await;
        if cuts > 0 && key.is_some() {
            let (again, _) = self.send_batch(project, &request, key.as_deref()).await;
            assert_eq!(again, job, "{request:?} created a second job");
        }
        self.open_jobs.push((project.to_owned(), job.clone()));
        let mut record = self.record.lock().unwrap();
        if key.is_none() {
            record.in_doubt.extend((0..cuts).map(|_| request.clone()));
        }
        record.acknowledge(AcknowledgedRequest { request, key, job });
    }

    async fn send_batch(
        &mut self,
        project: &str,
        request: &BatchRequest,
        key: Option<&str>,
    ) -> (String, u32) {
        let method = match request.operation {
            Operation::Share => Method::POST,
            Operation::Unshare => Method::DELETE,
            Operation::Decide(_) => Method::PUT,
        };
        let response =
            self.request(method, MEMBERS_PATH.to_owned(), project, Some(&request.body()), key).await;
        assert_eq!(response.status, 200, "{request:?}: {}", response.body);
        (response.body["job_id"].as_str().unwrap().to_owned(), response.interruptions)
    }

    /// Waits until all jobs have ended.
    async fn wait_for_jobs(&mut self) {
        while let Some((project, job)) = self.open_jobs.last().cloned() {
            let (status, response) = self.read(&project, format!("/v1/cloudimages/job/{job}")).await;
            assert_eq!(status, 200, "{project} got job {job}: {response}");
            match response["status"].as_str().unwrap() {
                "SUCCESS" | "FAIL" => drop(self.open_jobs.pop()),
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    async fn request(
        &mut self,
        method: Method,
        target: String,
        project: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Response {
        let token = &self.tokens[project];
        self.client.send_until_answered(&Request { method, target, token, body, idempotency_key: key }).await
    }

    fn requester(&self, request: &BatchRequest) -> String {
        match request.operation {
            Operation::Share | Operation::Unshare => self.name.clone(),
            Operation::Decide(_) => request.recipients[0].clone(),
        }
    }

    fn image_ids(&self) -> Vec<String> {
        self.record.lock().unwrap().images.keys().cloned().collect()
    }

    /// Chooses some of them, at least one; half the time few.
    fn random_subset(&mut self, names: &[String]) -> Vec<String> {
        let most = if self.rng.bool() { names.len() } else { names.len().min(4) };
        let count = self.rng.usize(1..=most);
        self.rng.choose_multiple(names, count).into_iter().cloned().collect()
    }
}
