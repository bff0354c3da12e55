//! A tenant's plain HTTP calls.

use std::time::Duration;

use imageshare::domain::Timestamp;
use imageshare_tests::deployment::{AUDIENCE, Deployment, ISSUER};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// How long a job may take, however slow the machine.
const JOB_TIMEOUT: Duration = Duration::from_mins(5);

/// The maximum number of attempts of a call whose function exits before its response.
const MAX_ATTEMPTS: usize = 5;

/// A project with a token, at a deployment.
#[derive(Clone)]
pub(crate) struct Client {
    url: String,
    project: &'static str,
    token: String,
    http: reqwest::Client,
}

/// A token of that project and role, good for an hour.
pub(crate) fn token(project: &str, role: &str) -> String {
    let expires = Timestamp::now().unix_seconds() + 3600;
    let claims =
        json!({"project_id": project, "roles": [role], "iss": ISSUER, "aud": AUDIENCE, "exp": expires});
    Deployment::token_with_claims(claims)
}

impl Client {
    pub(crate) fn new(url: &str, project: &'static str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url: url.to_owned(), project, token: token(project, "member"), http }
    }

    /// Makes one call and returns its status and body. Repeats it if the function exits before its response, as a client does
    /// after a lost connection; a POST with the same idempotency key. The emulator kills a function whose code is replaced,
    /// while AWS lets its requests finish.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.url);
        let key = format!("{:032x}", fastrand::u128(..));
        for _ in 0..MAX_ATTEMPTS {
            let request = self.http.request(method.clone(), &url).header("X-Auth-Token", &self.token);
            let request = match method {
                Method::POST => request.header("Idempotency-Key", &key),
                _ => request,
            };
            let request = if let Some(body) = body { request.json(body) } else { request };
            let response = request.send().await.unwrap();
            let (status, text) = (response.status(), response.text().await.unwrap());
            let answer = serde_json::from_str(&text).unwrap_or(Value::String(text));
            if answer["errorType"] != "Runtime.ExitError" {
                return (status, answer);
            }
        }
        panic!("the function of {method} {path} ended {MAX_ATTEMPTS} times in the middle of a request");
    }

    /// Registers an image and returns its id.
    pub(crate) async fn register_image(&self) -> String {
        let (status, image) = self.call(Method::POST, "/v2/images", Some(&json!({"name": "golden"}))).await;
        assert_eq!(status, StatusCode::CREATED, "{image}");
        image["id"].as_str().unwrap().to_owned()
    }

    /// Shares images with projects and returns the id of the job.
    pub(crate) async fn share(&self, images: &[String], projects: &[String]) -> String {
        let body = json!({"images": images, "projects": projects});
        let (status, accepted) = self.call(Method::POST, "/v1/cloudimages/members", Some(&body)).await;
        assert_eq!(status, StatusCode::OK, "{accepted}");
        accepted["job_id"].as_str().unwrap().to_owned()
    }

    /// Waits until a job has ended, and returns it.
    pub(crate) async fn finish(&self, job: &str) -> Value {
        let path = format!("/v1/{}/jobs/{job}", self.project);
        let end = Instant::now() + JOB_TIMEOUT;
        loop {
            let (status, found) = self.call(Method::GET, &path, None).await;
            assert_eq!(status, StatusCode::OK, "{found}");
            if found["status"] == "SUCCESS" || found["status"] == "FAIL" {
                return found;
            }
            assert!(Instant::now() < end, "the job has not ended after {JOB_TIMEOUT:?}: {found}");
            sleep(Duration::from_millis(250)).await;
        }
    }
}
