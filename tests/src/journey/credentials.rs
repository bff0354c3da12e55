//! Access keys and tokens, and requests with each of them to every function.

use std::time::Duration;

use imageshare::domain::Timestamp;
use serde_json::{Value, json};

use super::{Journey, Stage};
use crate::deployment::Deployment;
use crate::events::HttpEvent;
use crate::signer::{Signer, UnsignedRequest};

impl<S: Stage> Journey<S> {
    /// Last, since a revoked token and a disabled key are not needed any more.
    pub(super) async fn use_credentials(&mut self) {
        let key = self.use_access_keys().await;
        let text = |name: &str| key[name].as_str().expect("a text").to_owned();
        let signer = Signer { key_id: text("id"), secret: text("secret"), date: Timestamp::now() };
        let token = self.use_tokens(&signer).await;
        self.authenticate_in_every_function(&signer, &token).await;
        self.sign_with_a_nonce(&signer).await;
        self.find_projects().await;
        let member = Deployment::token("own1", "member");
        let revoke = HttpEvent::new("DELETE /v3/auth/tokens", "/v3/auth/tokens").token(&member);
        self.send("identity", revoke.header("x-subject-token", &token), 204).await;
        self.call(&format!("own1 DELETE /v1/access-keys/{}", signer.key_id), Value::Null, 204).await;
    }

    async fn use_access_keys(&mut self) -> Value {
        let new = json!({"name": "ci"});
        let key = self.call("own1 POST /v1/access-keys", new.clone(), 201).await;
        self.call("own1 GET /v1/access-keys", Value::Null, 200).await;
        for _ in ["new", "replayed"] {
            self.call_with("key-1", "own1 POST /v1/access-keys", new.clone(), 201).await;
        }
        self.call("own1 GET /v1/access-keys?limit=5", Value::Null, 200).await;
        let end = Timestamp::now().plus(Duration::from_hours(1)).to_iso_seconds();
        let chosen =
            json!({"name": "run", "expires_at": end, "secret": "a-secret-that-its-client-has-chosen"});
        let expiring = self.call_with("key-2", "own1 POST /v1/access-keys", chosen, 201).await;
        let path = format!("/v1/access-keys/{}", expiring["id"].as_str().expect("an id"));
        self.call(&format!("own1 GET {path}"), Value::Null, 200).await;
        self.call(&format!("own1 PATCH {path}"), json!({"name": "run 2"}), 200).await;
        self.call(&format!("own1 DELETE {path}"), Value::Null, 204).await;
        key
    }

    /// Returns a token for the access key.
    async fn use_tokens(&mut self, signer: &Signer) -> String {
        let user = json!({"id": signer.key_id, "password": signer.secret});
        let scope = json!({"project": {"name": "web", "domain": {"name": "acme"}}});
        let identity = json!({"methods": ["password"], "password": {"user": user}});
        let event = HttpEvent::new("POST /v3/auth/tokens", "/v3/auth/tokens");
        let event = event.json(&json!({"auth": {"identity": identity, "scope": scope}}));
        let response = self.send("identity", event, 201).await;
        let token = response["headers"]["x-subject-token"].as_str().expect("a token").to_owned();
        for method in ["GET", "HEAD"] {
            let show = HttpEvent::new(&format!("{method} /v3/auth/tokens"), "/v3/auth/tokens");
            self.send("identity", show.token(&token).header("x-subject-token", &token), 200).await;
        }
        token
    }

    async fn find_projects(&mut self) {
        self.call("own1 GET /v1/service", Value::Null, 200).await;
        self.call("own1 GET /v3/auth/catalog", Value::Null, 200).await;
        self.call("own1 GET /v3/auth/projects", Value::Null, 200).await;
        self.call("own1 GET /v3/projects?name=shop", Value::Null, 200).await;
        self.call("own1 GET /v3/projects/own1", Value::Null, 200).await;
        self.call("own1 GET /v3/domains", Value::Null, 403).await;
    }

    async fn authenticate_in_every_function(&mut self, signer: &Signer, token: &str) {
        let functions: Vec<String> = self.document.http_functions().into_iter().map(str::to_owned).collect();
        // The routes of documents need no credential.
        for function in functions.iter().filter(|function| *function != "documents") {
            let event = HttpEvent::new("GET /nowhere", "/nowhere");
            let wire = signer.sign_access(&UnsignedRequest::new("GET", "/nowhere"), &["host"]);
            let headers = wire.headers.iter().filter(|(name, _)| name != "Host");
            let by_key = headers.fold(event.clone(), |event, (name, value)| event.header(name, value));
            self.send(function, by_key, 404).await;
            self.send(function, event.token(token), 404).await;
        }
    }

    /// Alibaba's signatures have a nonce, which the table keeps.
    async fn sign_with_a_nonce(&mut self, signer: &Signer) {
        let parameters =
            [("Action", "DescribeImages"), ("Version", "2020-09-30"), ("RegionId", self.stage.region())];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let query = signer.sign_rpc("GET", &parameters, "nonce-1");
        let wire = UnsignedRequest { query, ..UnsignedRequest::new("GET", "/") }.to_wire();
        let event = HttpEvent::new("GET /", &format!("/?{}", wire.query));
        self.send("permission", event, 200).await;
    }
}
