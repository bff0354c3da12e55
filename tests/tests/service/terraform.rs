//! The requests of the Terraform providers for OpenStack (1.35.0) and Open Telekom Cloud (1.21.6), action by action,
//! and those of later releases of Open Telekom Cloud for sharing and accepting, according to their sources. The first
//! two were run by hand; `tests/clients/terraform` has their configurations.

use imageshare::domain::{Role, Timestamp};
use imageshare_tests::api::{Api, ApiRequest, ApiResponse};
use imageshare_tests::signer::{Signer, UnsignedRequest};
use serde_json::{Value, json};

/// A server and an access key of each of two projects.
struct Fixture {
    api: Api,
    owner: Signer,
    recipient: Signer,
}

impl Fixture {
    async fn start() -> Self {
        let api = Api::start(&[]).await;
        let (owner, recipient) = (create_key(&api, "own1").await, create_key(&api, "mem1").await);
        Self { api, owner, recipient }
    }

    /// Requests a token as the providers do: with the key as a user of a domain.
    async fn request_token(&self, key: &Signer, scope: Value) -> ApiResponse {
        let user = json!({"domain": {"id": "default"}, "name": key.key_id, "password": key.secret});
        let identity = json!({"methods": ["password"], "password": {"user": user}});
        let auth = json!({"auth": {"identity": identity, "scope": scope}});
        self.api.send(&ApiRequest::new("POST", "/v3/auth/tokens").json(&auth)).await
    }

    async fn create_image(&self, new: &Value) -> String {
        let token = self.api.token("own1", Role::Member);
        let created = self.api.send(&ApiRequest::new("POST", "/v2/images").token(&token).json(new)).await;
        created.body["id"].as_str().unwrap().to_owned()
    }
}

async fn create_key(api: &Api, project: &str) -> Signer {
    let new = ApiRequest::new("POST", "/v1/access-keys").token(&api.token(project, Role::Member));
    let created = api.send(&new.json(&json!({"name": "terraform"}))).await.body;
    let text = |name: &str| created[name].as_str().unwrap().to_owned();
    Signer { key_id: text("id"), secret: text("secret"), date: Timestamp::now() }
}

/// The response from which gophercloud reads its endpoint.
fn image_endpoint(response: &ApiResponse) -> &str {
    let catalog = response.body["token"]["catalog"].as_array().unwrap();
    let image = catalog.iter().find(|service| service["type"] == "image").unwrap();
    let public = image["endpoints"].as_array().unwrap().iter().find(|one| one["interface"] == "public");
    public.unwrap()["url"].as_str().unwrap()
}

#[tokio::test]
async fn openstack_provider_shares_accepts_detects_drift_and_destroys() {
    let world = Fixture::start().await;
    let owner = world.request_token(&world.owner, json!({"project": {"id": "own1"}})).await;
    let recipient = world.request_token(&world.recipient, json!({"project": {"id": "mem1"}})).await;
    owner.expect_status(201);
    assert_eq!(image_endpoint(&owner), "http://images.example");
    let (owner, recipient) = (&owner.headers["x-subject-token"], &recipient.headers["x-subject-token"]);
    let image = world.create_image(&json!({"name": "golden", "visibility": "shared"})).await;
    let (members, member) =
        (format!("/v2/images/{image}/members"), format!("/v2/images/{image}/members/mem1"));
    let send = async |token: &str, method: &str, target: &str, body: Option<Value>| {
        let request = ApiRequest::new(method, target).token(token).header("Accept", "application/json");
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let response = world.api.send(&request).await;
        (response.status, response.body["status"].as_str().unwrap_or_default().to_owned())
    };
    let answered = |status: u16, word: &str| (status, word.to_owned());

    let offer = || Some(json!({"member": "mem1"}));
    assert_eq!(send(owner, "POST", &members, offer()).await, answered(200, "pending"));
    assert_eq!(send(owner, "GET", &member, None).await, answered(200, "pending"));
    assert_eq!(send(owner, "POST", &members, offer()).await, answered(409, ""));
    // The recipient's id, if not given, is taken from a list of one.
    let listed = world.api.send(&ApiRequest::new("GET", &members).token(recipient)).await.body;
    assert_eq!(listed["members"].as_array().unwrap().len(), 1);
    for status in ["accepted", "rejected", "accepted"] {
        let response = send(recipient, "PUT", &member, Some(json!({"status": status}))).await;
        assert_eq!(response, answered(200, status));
        assert_eq!(send(recipient, "GET", &member, None).await, answered(200, status));
    }
    // The member is removed elsewhere: a resource whose read returns 404 is created again.
    assert_eq!(send(owner, "DELETE", &member, None).await, answered(204, ""));
    for token in [owner, recipient] {
        assert_eq!(send(token, "GET", &member, None).await, answered(404, ""));
    }
    assert_eq!(send(owner, "POST", &members, offer()).await, answered(200, "pending"));
    // Destroying an acceptance rejects it; destroying the offer follows.
    let rejected = Some(json!({"status": "rejected"}));
    assert_eq!(send(recipient, "PUT", &member, rejected).await, answered(200, "rejected"));
    assert_eq!(send(owner, "DELETE", &member, None).await, answered(204, ""));
}

#[tokio::test]
async fn openstack_provider_creates_and_finds_an_image_without_data() {
    let world = Fixture::start().await;
    let token = world.api.token("own1", Role::Member);
    let image = world
        .create_image(&json!({"container_format": "bare", "disk_format": "qcow2", "hw_disk_bus": "scsi", "name": "by-terraform",
            "protected": false, "tags": ["a"], "visibility": "shared"}))
        .await;
    let upload = |data: &str| {
        ApiRequest::new("PUT", format!("/v2/images/{image}/file"))
            .token(&token)
            .typed_body("application/octet-stream", data)
    };
    // `local_file_path = "/dev/null"`, and a file with contents.
    world.api.send(&upload("")).await.expect_status(204);
    let refused = world.api.send(&upload("bits")).await;
    refused.expect_status(409);
    assert!(refused.message().contains("image data live elsewhere"), "{refused:?}");
    let changes = json!([{"op": "replace", "path": "/visibility", "value": "private"},
        {"op": "replace", "path": "/name", "value": "renamed"}, {"op": "replace", "path": "/tags", "value": ["b", "c"]},
        {"op": "add", "path": "/key", "value": "v"}, {"op": "remove", "path": "/hw_disk_bus"}]);
    let patch = ApiRequest::new("PATCH", format!("/v2/images/{image}")).token(&token).json(&changes);
    world.api.send(&patch).await.expect_status(200);
    for order in ["sort=updated_at%3Aasc", "sort_dir=asc&sort_key=name"] {
        let target = format!("/v2/images?name=renamed&{order}&status=active");
        let found = world.api.send(&ApiRequest::new("GET", target).token(&token)).await.body;
        let (first, more) = (&found["images"][0], &found["images"][1]);
        assert_eq!((&first["id"], &first["tags"], more), (&json!(image), &json!(["b", "c"]), &Value::Null));
    }
}

#[tokio::test]
async fn open_telekom_cloud_provider_signs_shares_and_accepts() {
    let world = Fixture::start().await;
    let image = world.create_image(&json!({"name": "golden"})).await;
    let send = async |signer: &Signer, project: &str, method: &str, target: &str, body: Option<Value>| {
        let agent = "HashiCorp Terraform/1.11.4 golangsdk/2.0.0";
        let request = UnsignedRequest::new(method, target)
            .header("Accept", "application/json")
            .header("User-Agent", agent);
        let (request, names) = match body {
            Some(body) => (request.json(body), &["accept", "content-type", "host", "user-agent"][..]),
            None => (request, &["accept", "host", "user-agent"][..]),
        };
        // Without a region and a service; and with a project that is not signed once it is known.
        let signed = signer.sign_credential(&request, names, "", "").to_api_request();
        world
            .api
            .send(&if project.is_empty() { signed } else { signed.header("X-Project-Id", project) })
            .await
    };
    let found = send(&world.owner, "", "GET", "/v3/projects?name=own1", None).await;
    assert_eq!(found.body["projects"][0]["id"], "own1");
    // A domain is not found, which its client tolerates.
    send(&world.owner, "", "GET", "/v3/auth/domains?name=OTC-1", None).await.expect_status(404);
    send(&world.owner, "own1", "GET", "/v3/auth/catalog", None).await.expect_status(200);

    let (members, member) =
        (format!("/v2/images/{image}/members"), format!("/v2/images/{image}/members/mem1"));
    let offered = send(&world.owner, "own1", "POST", &members, Some(json!({"member": "mem1"}))).await;
    offered.expect_status(200);
    assert_eq!(offered.body["status"], "pending");
    // It waits until the status is as wanted, which it is at once.
    let shown = send(&world.recipient, "mem1", "GET", &member, None).await;
    assert_eq!(shown.body["status"], "pending");
    let accepted = send(&world.recipient, "mem1", "PUT", &member, Some(json!({"status": "accepted"}))).await;
    accepted.expect_status(200);
    assert_eq!(accepted.body["status"], "accepted");
    send(&world.owner, "own1", "DELETE", &member, None).await.expect_status(204);
    let batch = Some(json!({"images": [image], "projects": ["mem1", "mem2"]}));
    for method in ["POST", "DELETE"] {
        let job = send(&world.owner, "own1", method, "/v1/cloudimages/members", batch.clone()).await;
        assert!(job.body["job_id"].is_string(), "{job:?}");
    }
}

#[tokio::test]
async fn open_telekom_cloud_provider_gets_project_and_domain_tokens() {
    let world = Fixture::start().await;
    let domain = json!({"name": "OTC-EU-DE-00000000001000012345"});
    for scope in [json!({"project": {"name": "own1", "domain": domain}}), json!({"domain": domain})] {
        let response = world.request_token(&world.owner, scope).await;
        response.expect_status(201);
        assert_eq!(response.body["token"]["project"]["id"], "own1");
    }
}
