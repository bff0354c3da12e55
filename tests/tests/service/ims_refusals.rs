//! The errors that IMS returns at once, code by code of `contract/ims.md` 1.9 and `contract/decisions.md` 5. Nothing
//! is written.

use imageshare::domain::{JobId, Role, Stamp};
use imageshare_tests::api::{Api, ApiRequest, ApiResponse};
use serde_json::{Value, json};

const MEMBERS: &str = "/v1/cloudimages/members";

/// The images of `own1`, one of each visibility, and two of `own2`: one that `own1` has accepted, and one that it
/// cannot see.
struct Fixture {
    api: Api,
    shared: String,
    private: String,
    public: String,
    community: String,
    received: String,
    unseen: String,
}

impl Fixture {
    async fn start() -> Self {
        let api = Api::start(&[]).await;
        let image = async |owner: &str, visibility: &str| {
            let role = if visibility == "public" { Role::Admin } else { Role::Member };
            let new = ApiRequest::new("POST", "/v2/images").json(&json!({"visibility": visibility}));
            let created = api.send(&new.token(&api.token(owner, role))).await;
            created.body["id"].as_str().unwrap().to_owned()
        };
        let world = Self {
            shared: image("own1", "shared").await,
            private: image("own1", "private").await,
            public: image("own1", "public").await,
            community: image("own1", "community").await,
            received: image("own2", "shared").await,
            unseen: image("own2", "shared").await,
            api,
        };
        let members = format!("/v2/images/{}/members", world.received);
        let add = ApiRequest::new("POST", &members).json(&json!({"member": "own1"}));
        world.send("own2", add).await.expect_status(200);
        let accept = ApiRequest::new("PUT", format!("{members}/own1")).json(&json!({"status": "accepted"}));
        world.send("own1", accept).await.expect_status(200);
        world
    }

    async fn send(&self, project: &str, request: ApiRequest) -> ApiResponse {
        self.api.send(&request.token(&self.api.token(project, Role::Member))).await
    }

    /// Sends a body as `own1`. Checks the code, and what the message names.
    async fn expect_error(&self, method: &str, body: &Value, code: &str, named: &str) {
        let before = self.api.dump_when_idle().await;
        let response = self.send("own1", ApiRequest::new(method, MEMBERS).json(body)).await;
        let status = if code == "IMG.0026" { 403 } else { 400 };
        response.expect_error(status, code);
        assert!(response.message().contains(named), "{method} {body} {response:?}");
        assert_eq!(self.api.dump(), before, "{method} {body}");
    }
}

fn batch_body(images: &[&str], projects: &[&str]) -> Value {
    json!({"images": images, "projects": projects})
}

#[tokio::test]
async fn invalid_batch_is_rejected_with_its_code() {
    let world = Fixture::start().await;
    let shared = world.shared.as_str();
    let many = vec!["p"; 1_001];
    let (images, projects): (Vec<_>, Vec<_>) = (0..120).map(|n| (format!("i{n}"), format!("p{n}"))).unzip();
    for method in ["POST", "DELETE"] {
        for (body, code, named) in [
            (json!([]), "IMG.0001", "not a JSON object"),
            (json!({"projects": ["mem1"]}), "IMG.0001", "images: expected an array"),
            (json!({"images": "a", "projects": ["mem1"]}), "IMG.0001", "images: expected an array"),
            (batch_body(&[], &["mem1"]), "IMG.0001", "images: expected an array"),
            (batch_body(&[shared], &[]), "IMG.0001", "projects: expected an array"),
            (batch_body(&[shared], &many), "IMG.0001", "projects: expected at most 1000, got 1001"),
            (batch_body(&many, &["mem1"]), "IMG.0001", "images: expected at most 1000, got 1001"),
            (
                json!({"images": images, "projects": &projects[..100]}),
                "IMG.0001",
                "images × projects = 12,000, at most 10,000.",
            ),
            (json!({"images": [7], "projects": ["mem1"]}), "IMG.0001", "images[0]: expected a string"),
            (batch_body(&["a/b"], &["mem1"]), "IMG.0066", "images[0]: expected"),
            (batch_body(&[shared], &["mem1", "a b"]), "IMG.0067", "projects[1]: expected"),
            (
                json!({"images": [shared], "accounts": [{"name": "a"}]}),
                "IMG.0108",
                "accounts[0]: there is no such",
            ),
            (json!({"images": [shared], "domains": ["d"]}), "IMG.0105", "domains: not supported"),
            (json!({"images": [shared], "organizations": ["o"]}), "IMG.0105", "organizations: not supported"),
            (batch_body(&[shared, "no-such"], &["mem1"]), "IMG.0027", "no-such"),
            (batch_body(&[shared, &world.unseen], &["mem1"]), "IMG.0027", &world.unseen),
            (batch_body(&[shared, &world.received], &["mem1"]), "IMG.0047", &world.received),
        ] {
            world.expect_error(method, &body, code, named).await;
        }
        world.send("own1", ApiRequest::new(method, MEMBERS)).await.expect_error(400, "IMG.0007");
    }
}

#[tokio::test]
async fn unshareable_image_is_rejected_with_its_code() {
    let world = Fixture::start().await;
    for (image, code) in
        [(&world.public, "IMG.0089"), (&world.community, "IMG.0089"), (&world.private, "IMG.0105")]
    {
        world.expect_error("POST", &batch_body(&[&world.shared, image], &["mem1"]), code, image).await;
    }
    world
        .expect_error("POST", &batch_body(&[&world.shared], &["mem1", "own1"]), "IMG.0076", "remove own1")
        .await;
}

#[tokio::test]
async fn invalid_decision_is_rejected_with_its_code() {
    let world = Fixture::start().await;
    let images = json!([world.received]);
    for (body, code, named) in [
        (json!({"project_id": "own1", "status": "accepted"}), "IMG.0001", "images: expected an array"),
        (json!({"images": images, "status": "accepted"}), "IMG.0067", "project_id: expected"),
        (json!({"images": images, "project_id": "own1"}), "IMG.0001", "status: expected"),
        (
            json!({"images": images, "project_id": "own1", "status": "pending"}),
            "IMG.0001",
            "status: expected",
        ),
        (
            json!({"images": images, "project_id": "own1", "status": "accepted", "vault_id": 5}),
            "IMG.0184",
            "vault_id: expected",
        ),
        (
            json!({"images": images, "project_id": "own2", "status": "rejected"}),
            "IMG.0026",
            "acts for project own1, not for own2",
        ),
    ] {
        world.expect_error("PUT", &body, code, named).await;
    }
}

#[tokio::test]
async fn job_of_another_project_returns_404() {
    let world = Fixture::start().await;
    let share = ApiRequest::new("POST", MEMBERS).json(&batch_body(&[&world.shared], &["own2"]));
    let accepted = world.send("own1", share).await;
    let theirs = accepted.body["job_id"].as_str().unwrap();
    let none = JobId(Stamp::now()).to_string();
    for (project, id) in [("own2", theirs), ("own1", theirs), ("own2", &none), ("own2", "nope")] {
        for target in [format!("/v1/{project}/jobs/{id}"), format!("/v1/cloudimages/job/{id}")] {
            world.send("own2", ApiRequest::new("GET", &target)).await.expect_error(404, "IMG.0023");
        }
    }
}

#[tokio::test]
async fn member_list_of_unshareable_or_hidden_image_is_rejected() {
    let world = Fixture::start().await;
    for (image, code) in [
        (&world.public, "IMG.0089"),
        (&world.community, "IMG.0089"),
        (&world.private, "IMG.0105"),
        (&world.unseen, "IMG.0027"),
        (&"no-such".to_owned(), "IMG.0027"),
        (&"a%23b".to_owned(), "IMG.0066"),
    ] {
        let members = format!("/v1/own1/cloudimages/{image}/members");
        for target in [format!("{members}/mem1"), members] {
            world.send("own1", ApiRequest::new("GET", &target)).await.expect_error(400, code);
        }
    }
}
