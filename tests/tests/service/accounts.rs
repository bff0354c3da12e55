//! Sharing and unsharing by the names of accounts and projects (seed 000, `contract/decisions.md` 21).

use imageshare::domain::Role;
use imageshare_tests::api::{Api, ApiRequest, ApiResponse};
use serde_json::{Value, json};

const MEMBERS: &str = "/v1/cloudimages/members";

/// An owner with an image, and a directory: `acme` has two projects here, `solo` one here and one elsewhere, `away`
/// one elsewhere, and `own` is the owner's account.
struct Fixture {
    api: Api,
    owner: String,
    admin: String,
    image: String,
}

impl Fixture {
    async fn start() -> Self {
        let api = Api::start(&[]).await;
        let (owner, admin) = (api.token("own1", Role::Member), api.token("ops", Role::Admin));
        let new = ApiRequest::new("POST", "/v2/images").token(&owner).json(&json!({"name": "golden"}));
        let image = api.send(&new).await.body["id"].as_str().unwrap().to_owned();
        let world = Self { api, owner, admin, image };
        for (tenant, account, project, region) in [
            ("acme-web", "acme", "web", "local"),
            ("acme-shop", "acme", "shop", "local"),
            ("solo-here", "solo", "here", "local"),
            ("solo-far", "solo", "far", "elsewhere"),
            ("away-far", "away", "far", "elsewhere"),
            ("own1", "own", "web", "local"),
        ] {
            world
                .put_tenant(tenant, &json!({"account": account, "project": project, "region": region}))
                .await;
        }
        world
    }

    async fn put_tenant(&self, tenant: &str, entry: &Value) {
        let put = ApiRequest::new("PUT", format!("/v1/tenants/{tenant}")).token(&self.admin).json(entry);
        self.api.send(&put).await.expect_status(200);
    }

    async fn send(&self, method: &str, body: &Value, key: Option<&str>) -> ApiResponse {
        let request = ApiRequest::new(method, MEMBERS).token(&self.owner).json(body);
        self.api
            .send(&key.into_iter().fold(request, |request, key| request.header("Idempotency-Key", key)))
            .await
    }

    /// A request on the image with these recipients.
    async fn send_for_image(&self, method: &str, tenants: Value) -> ApiResponse {
        let mut body = tenants;
        body["images"] = json!([self.image]);
        self.send(method, &body, None).await
    }

    /// Makes a call and waits for its job.
    async fn run_job(&self, method: &str, tenants: Value) {
        let accepted = self.send_for_image(method, tenants).await;
        accepted.expect_status(200);
        let job = self.api.wait_for_job(&self.owner, "own1", &accepted).await;
        assert_eq!(job["status"], "SUCCESS", "{job}");
    }

    async fn members(&self) -> Vec<String> {
        let members = format!("/v1/own1/cloudimages/{}/members", self.image);
        let response = self.api.send(&ApiRequest::new("GET", members).token(&self.owner)).await;
        let members = response.body["members"].as_array().unwrap();
        members.iter().map(|member| member["member_id"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn image_is_shared_and_unshared_by_account_name() {
    let world = Fixture::start().await;
    let web = json!({"name": "acme", "project": "web"});
    let solo = json!({"name": "solo"});
    world.run_job("POST", json!({"accounts": [web, solo]})).await;
    assert_eq!(world.members().await, ["acme-web", "solo-here"]);
    world
        .run_job("POST", json!({"projects": ["mem1"], "accounts": [{"name": "acme", "project": "shop"}]}))
        .await;
    assert_eq!(world.members().await, ["acme-shop", "acme-web", "mem1", "solo-here"]);
    world.run_job("DELETE", json!({"projects": [], "accounts": [solo, web]})).await;
    assert_eq!(world.members().await, ["acme-shop", "mem1"]);
}

#[tokio::test]
async fn duplicate_recipients_are_merged() {
    let world = Fixture::start().await;
    let tenants = json!({"projects": ["solo-here", "mem1", "mem1"], "accounts": [{"name": "solo"},
        {"name": "solo", "project": "here"}, {"name": "solo"}, {"name": "solo", "project": null}]});
    let accepted = world.send_for_image("POST", tenants).await;
    let job = world.api.wait_for_job(&world.owner, "own1", &accepted).await;
    assert_eq!(job["entities"]["results"].as_array().unwrap().len(), 2, "{job}");
}

#[tokio::test]
async fn unresolved_account_name_rejects_the_whole_request() {
    let world = Fixture::start().await;
    let before = world.api.dump_when_idle().await;
    let (solo, web) = (json!({"name": "solo"}), json!({"name": "acme", "project": "web"}));
    for (bad, code) in [
        (json!({"name": "nobody"}), "IMG.0108"),
        (json!({"name": "nobody", "project": "web"}), "IMG.0108"),
        (json!({"name": "acme", "project": "Web"}), "IMG.0108"),
        (json!({"name": "acme"}), "IMG.0104"),
        (json!({"name": "away"}), "IMG.0177"),
        (json!({"name": "solo", "project": "far"}), "IMG.0177"),
    ] {
        let tenants = json!({"projects": ["mem1"], "accounts": [solo, web, web, bad, {"name": "worse"}]});
        for method in ["POST", "DELETE"] {
            let refused = world.send_for_image(method, tenants.clone()).await;
            refused.expect_error(400, code);
            assert!(refused.message().starts_with("accounts[3]: "), "{refused:?}");
        }
    }
    world.send_for_image("POST", json!({"accounts": [{"name": "own"}]})).await.expect_error(400, "IMG.0076");
    assert_eq!(world.api.dump(), before);
}

#[tokio::test]
async fn unauthorized_caller_cannot_probe_account_names() {
    let world = Fixture::start().await;
    let before = world.api.dump_when_idle().await;
    let tokens = [world.api.token("own1", Role::Reader), world.api.token("str1", Role::Member)];
    for (token, code) in tokens.iter().zip(["IMG.0026", "IMG.0027"]) {
        for name in ["solo", "nobody", "acme", "away"] {
            let body = json!({"images": [world.image], "accounts": [{"name": name}]});
            for method in ["POST", "DELETE"] {
                let refused =
                    world.api.send(&ApiRequest::new(method, MEMBERS).token(token).json(&body)).await;
                assert_eq!(refused.code(), code, "{name} {refused:?}");
            }
        }
    }
    assert_eq!(world.api.dump(), before);
}

#[tokio::test]
async fn retry_returns_original_job_after_directory_changes() {
    let world = Fixture::start().await;
    let named = |name: &str| json!({"images": [world.image], "accounts": [{"name": name}]});
    let first = world.send("POST", &named("solo"), Some("order-66")).await;
    first.expect_status(200);
    world.api.wait_for_job(&world.owner, "own1", &first).await;
    for change in [
        Some(json!({"account": "solo2", "project": "here"})),
        None,
        Some(json!({"account": "solo", "project": "here", "region": "elsewhere"})),
    ] {
        match change {
            Some(entry) => world.put_tenant("solo-here", &entry).await,
            None => world.put_tenant("mem9", &json!({"account": "solo", "project": "here"})).await,
        }
        let again = world.send("POST", &named("solo"), Some("order-66")).await;
        again.expect_status(200);
        assert_eq!(again.body, first.body);
        assert_eq!(world.members().await, ["solo-here"], "the names were not resolved again");
        let delete = ApiRequest::new("DELETE", "/v1/tenants/mem9").token(&world.admin);
        world.api.send(&delete).await;
    }
    let other = world.send("POST", &named("acme"), Some("order-66")).await;
    other.expect_error(422, "IMG.0018");
    let by_id = json!({"images": [world.image], "projects": ["solo-here"]});
    let other = world.send("POST", &by_id, Some("order-66")).await;
    // A name is not the id that it was resolved to.
    other.expect_error(422, "IMG.0018");
}
