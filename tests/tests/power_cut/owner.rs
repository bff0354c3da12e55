//! The workload: one owner and its guests, one request after the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use imageshare::domain::ImageId;
use reqwest::Method;
use serde_json::{Value, json};

use super::link::{Answer, Link, Request};
use super::record::{Acknowledged, Ask, Record, Verb};

/// Between so many images the workload moves.
const FEW: usize = 4;
const MANY: usize = 14;

/// When so many jobs may be under way, their end is waited for.
const MOST_OPEN: usize = 6;

const MEMBERS: &str = "/v1/cloudimages/members";

/// An owner and its guests.
pub struct Owner {
    pub name: String,
    pub guests: Vec<String>,
    tokens: HashMap<String, String>,
    link: Link,
    random: fastrand::Rng,
    record: Arc<Mutex<Record>>,
    /// Jobs that are not known to have ended, and who made them.
    open: Vec<(String, String)>,
    keys: usize,
}

impl Owner {
    /// Each name with its token.
    pub fn new(
        owner: (String, String),
        guests: Vec<(String, String)>,
        link: Link,
        random: fastrand::Rng,
    ) -> Self {
        let name = owner.0.clone();
        let record = Arc::new(Mutex::new(Record { owner: name.clone(), ..Record::default() }));
        let names = guests.iter().map(|(guest, _)| guest.clone()).collect();
        let tokens = guests.into_iter().chain([owner]).collect();
        Self { name, guests: names, tokens, link, random, record, open: Vec::new(), keys: 0 }
    }

    pub fn record(&self) -> Arc<Mutex<Record>> {
        Arc::clone(&self.record)
    }

    /// Makes requests until there will be no more cuts, and waits until all jobs have ended.
    pub async fn work(mut self) -> Self {
        while !self.link.is_last() {
            let images = self.images();
            match self.random.u32(..100) {
                _ if images.len() < FEW => self.create().await,
                0..10 if images.len() < MANY => self.create().await,
                10..14 => self.delete(&images).await,
                14..55 => self.share_or_unshare(Verb::Share, &images).await,
                55..70 => self.share_or_unshare(Verb::Unshare, &images).await,
                70..90 => self.answer().await,
                90..95 => self.repeat().await,
                _ => {}
            }
            if self.open.len() > MOST_OPEN {
                self.settle().await;
            }
        }
        self.settle().await;
        self
    }

    /// What a project reads there.
    pub async fn read(&mut self, project: &str, target: String) -> (u16, Value) {
        let Answer { status, body, .. } = self.request(Method::GET, target, project, None, None).await;
        (status, body)
    }

    async fn create(&mut self) {
        let id = ImageId::random().to_string();
        let body = json!({"id": id, "name": "golden"});
        let project = self.name.clone();
        let answer = self.request(Method::POST, "/v2/images".into(), &project, Some(&body), None).await;
        // The first attempt may have been heard, though its answer was not.
        let is_there = answer.status == 201 || (answer.status == 409 && answer.cuts > 0);
        assert!(is_there, "create {id}: {} {}", answer.status, answer.body);
        self.record.lock().unwrap().images.entry(id).or_default();
    }

    async fn delete(&mut self, images: &[String]) {
        let Some(id) = self.random.choice(images) else { return };
        let project = self.name.clone();
        let answer = self.request(Method::DELETE, format!("/v2/images/{id}"), &project, None, None).await;
        let is_gone = answer.status == 204 || (answer.status == 404 && answer.cuts > 0);
        assert!(is_gone, "delete {id}: {} {}", answer.status, answer.body);
        let mut record = self.record.lock().unwrap();
        record.images.remove(id);
        record.deleted.insert(id.clone());
    }

    async fn share_or_unshare(&mut self, verb: Verb, images: &[String]) {
        let guests = self.guests.clone();
        let (images, guests) = (self.some_of(images), self.some_of(&guests));
        let project = self.name.clone();
        self.batch(&project, Ask { verb, images, guests }).await;
    }

    /// A guest's answer. What an answer does depends on whether the share that it answers has been carried out, so all
    /// earlier jobs must have ended.
    async fn answer(&mut self) {
        self.settle().await;
        let guest = self.random.choice(&self.guests).unwrap().clone();
        let offered: Vec<String> = {
            let record = self.record.lock().unwrap();
            let offered = record.images.iter().filter(|(_, members)| members.contains_key(&guest));
            offered.map(|(image, _)| image.clone()).collect()
        };
        if !offered.is_empty() {
            let verb = Verb::Answer(if self.random.bool() { "accepted" } else { "rejected" });
            let ask = Ask { verb, images: self.some_of(&offered), guests: vec![guest.clone()] };
            self.batch(&guest, ask).await;
        }
    }

    /// Makes an earlier request with a key again, as a client does that is not sure.
    async fn repeat(&mut self) {
        let earlier: Vec<_> = {
            let record = self.record.lock().unwrap();
            record.requests.iter().filter(|request| request.key.is_some()).cloned().collect()
        };
        if let Some(Acknowledged { ask, key, job }) = self.random.choice(earlier) {
            let project = self.creator(&ask);
            let (again, _) = self.submit(&project, &ask, key.as_deref()).await;
            assert_eq!(again, job, "{ask:?} made a second job");
        }
    }

    /// Makes a batch request, with a key or without, until it is acknowledged.
    async fn batch(&mut self, project: &str, ask: Ask) {
        let key = self.random.bool().then(|| {
            self.keys += 1;
            format!("{}-{}", self.name, self.keys)
        });
        let (job, cuts) = self.submit(project, &ask, key.as_deref()).await;
        if cuts > 0 && key.is_some() {
            let (again, _) = self.submit(project, &ask, key.as_deref()).await;
            assert_eq!(again, job, "{ask:?} made a second job");
        }
        self.open.push((project.to_owned(), job.clone()));
        let mut record = self.record.lock().unwrap();
        if key.is_none() {
            record.doubtful.extend((0..cuts).map(|_| ask.clone()));
        }
        record.acknowledge(Acknowledged { ask, key, job });
    }

    async fn submit(&mut self, project: &str, ask: &Ask, key: Option<&str>) -> (String, u32) {
        let method = match ask.verb {
            Verb::Share => Method::POST,
            Verb::Unshare => Method::DELETE,
            Verb::Answer(_) => Method::PUT,
        };
        let answer = self.request(method, MEMBERS.to_owned(), project, Some(&ask.body()), key).await;
        assert_eq!(answer.status, 200, "{ask:?}: {}", answer.body);
        (answer.body["job_id"].as_str().unwrap().to_owned(), answer.cuts)
    }

    /// Waits until all jobs have ended.
    async fn settle(&mut self) {
        while let Some((project, job)) = self.open.last().cloned() {
            let (status, answer) = self.read(&project, format!("/v1/cloudimages/job/{job}")).await;
            assert_eq!(status, 200, "{project} was told of job {job}: {answer}");
            match answer["status"].as_str().unwrap() {
                "SUCCESS" | "FAIL" => drop(self.open.pop()),
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
    ) -> Answer {
        let token = &self.tokens[project];
        self.link.insist(&Request { method, target, token, body, key }).await
    }

    fn creator(&self, ask: &Ask) -> String {
        match ask.verb {
            Verb::Share | Verb::Unshare => self.name.clone(),
            Verb::Answer(_) => ask.guests[0].clone(),
        }
    }

    fn images(&self) -> Vec<String> {
        self.record.lock().unwrap().images.keys().cloned().collect()
    }

    /// Some of them, at least one: half the time few.
    fn some_of(&mut self, names: &[String]) -> Vec<String> {
        let most = if self.random.bool() { names.len() } else { names.len().min(4) };
        let count = self.random.usize(1..=most);
        self.random.choose_multiple(names, count).into_iter().cloned().collect()
    }
}
