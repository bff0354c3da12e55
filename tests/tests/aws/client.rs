//! A tenant's plain HTTP calls.

use std::time::Duration;

use imageshare::domain::Timestamp;
use imageshare_tests::deployment::{AUDIENCE, Deployment, ISSUER};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// How long a job may take, however slow the machine.
pub(crate) const JOB_TIMEOUT: Duration = Duration::from_mins(20);

/// A project with a token, at a deployment.
#[derive(Clone)]
pub(crate) struct Client {
    url: String,
    project: String,
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
    pub(crate) fn new(url: &str, project: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url: url.to_owned(), project: project.to_owned(), token: token(project, "member"), http }
    }

    /// An administrator.
    pub(crate) fn admin(url: &str) -> Self {
        Self { token: token("ops", "admin"), ..Self::new(url, "ops") }
    }

    /// Makes one call with a body, which has to succeed.
    pub(crate) async fn expect(&self, method: &str, path: &str, body: &Value) -> Value {
        let method = method.parse().expect("a method");
        let (status, found) = self.call(method, path, Some(body)).await;
        assert!(status.is_success(), "{path}: {status} {found}");
        found
    }

    /// Makes one call and returns its status and body.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.url);
        let request = self.http.request(method, url).header("X-Auth-Token", &self.token);
        let request = if let Some(body) = body { request.json(body) } else { request };
        let response = request.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
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

    /// Accepts an image.
    pub(crate) async fn accept(&self, image: &str) {
        let path = format!("/v2/images/{image}/members/{}", self.project);
        let (status, member) = self.call(Method::PUT, &path, Some(&json!({"status": "accepted"}))).await;
        assert_eq!(status, StatusCode::OK, "{member}");
    }

    /// The members of an image.
    pub(crate) async fn members(&self, image: &str) -> Vec<Value> {
        let (status, found) = self.call(Method::GET, &format!("/v2/images/{image}/members"), None).await;
        assert_eq!(status, StatusCode::OK, "{found}");
        found["members"].as_array().unwrap().clone()
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
            sleep(Duration::from_secs(1)).await;
        }
    }
}
