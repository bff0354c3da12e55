//! The rules as seen by clients of each API: the code and status of an error, and the remedy in its message.

use imageshare::domain::Role;
use imageshare_tests::api::{Api, ApiRequest, ApiResponse};
use serde_json::{Value, json};

const MEMBERS_PATH: &str = "/v1/cloudimages/members";

/// Projects by name, each with its own token.
pub(super) struct World {
    pub(super) api: Api,
}

impl World {
    pub(super) async fn start(limits: &[&str]) -> Self {
        Self { api: Api::start(limits).await }
    }

    pub(super) async fn send(&self, project: &str, request: ApiRequest) -> ApiResponse {
        self.api.send(&request.token(&self.api.token(project, Role::Member))).await
    }

    pub(super) async fn send_ok(
        &self,
        project: &str,
        method: &str,
        target: &str,
        body: Option<Value>,
    ) -> ApiResponse {
        let request = ApiRequest::new(method, target);
        let response = self.send(project, body.map_or(request.clone(), |body| request.json(&body))).await;
        assert!(response.status < 300, "{method} {target} {response:?}");
        response
    }

    pub(super) async fn create_image(&self, details: Value) -> String {
        let response = self.send_ok("own1", "POST", "/v2/images", Some(details)).await;
        response.body["id"].as_str().unwrap().to_owned()
    }

    pub(super) async fn create_full_ecs_image(&self) -> String {
        self.create_image(
            json!({"__whole_image": "true", "__backup_id": "b", "__system_disk_backup_gib": "40",
            "__data_disk_backup_gib": "20"}),
        )
        .await
    }

    /// Makes a batch call. Returns the first pair's result, and the job.
    pub(super) async fn run_batch(&self, project: &str, method: &str, body: Value) -> (Value, Value) {
        let accepted = self.send_ok(project, method, MEMBERS_PATH, Some(body)).await;
        let job = self.api.wait_for_job(&self.api.token(project, Role::Member), project, &accepted).await;
        (job["entities"]["results"][0].clone(), job)
    }

    pub(super) async fn share(&self, image: &str, with: &str) -> Value {
        self.run_batch("own1", "POST", json!({"images": [image], "projects": [with]})).await.0
    }

    pub(super) async fn add_member(&self, image: &str, member: &str) -> ApiResponse {
        let target = format!("/v2/images/{image}/members");
        self.send("own1", ApiRequest::new("POST", target).json(&json!({"member": member}))).await
    }

    pub(super) async fn accept(&self, image: &str, project: &str, vault: Option<&str>) -> ApiResponse {
        let target = format!("/v2/images/{image}/members/{project}");
        self.send(
            project,
            ApiRequest::new("PUT", target).json(&json!({"status": "accepted", "vault_id": vault})),
        )
        .await
    }

    pub(super) async fn add_account(&self, image: &str, account: &str) -> ApiResponse {
        let action = "Action=ModifyImagePermission&Version=2020-09-30&RegionId=local";
        self.send(
            "own1",
            ApiRequest::new("GET", format!("/?{action}&ImageId={image}&AddAccount.1={account}")),
        )
        .await
    }
}

#[track_caller]
pub(super) fn assert_failed(result: &Value, code: &str, message: &str) {
    assert_eq!((&result["status"], &result["error_code"]), (&json!("failed"), &json!(code)), "{result}");
    assert!(result["error_msg"].as_str().unwrap().contains(message), "{result}");
}

#[track_caller]
pub(super) fn assert_refused(response: &ApiResponse, status: u16, code: &str) {
    response.expect_error(status, code);
}

#[tokio::test]
async fn missing_key_grant_is_refused_in_every_facade() {
    let world = World::start(&[]).await;
    let image = world.create_image(json!({"name": "sealed", "__system__cmkid": "k"})).await;
    assert_failed(
        &world.share(&image, "mem1").await,
        "IMG.0099",
        "PUT /v1/keys/{key_id}/grants/{project_id}",
    );
    assert_refused(&world.add_member(&image, "mem1").await, 403, "IMG.0099");
    assert_refused(&world.add_account(&image, "mem1").await, 403, "OperationDeined.EncryptedSnapshot");

    let target = "/v1/keys/k/grants/mem1";
    let granted = world.send_ok("own1", "PUT", target, None).await.body;
    let again = world.send_ok("own1", "PUT", target, None).await.body;
    assert_eq!((&granted["grant"]["key_id"], &granted["grant"]["project_id"]), (&json!("k"), &json!("mem1")));
    assert_eq!(granted, again, "granting again changes nothing");
    assert_eq!(world.send_ok("own1", "GET", target, None).await.body, granted);
    let list = world.send_ok("own1", "GET", "/v1/keys/k/grants", None).await.body;
    assert_eq!(list, json!({"grants": [granted["grant"]], "page_info": {"current_count": 1}}));
    assert_eq!(world.share(&image, "mem1").await["status"], "success");

    let remaining = world.send_ok("own1", "DELETE", target, None).await.body;
    let membership =
        json!({"image_id": image, "image_name": "sealed", "project_id": "mem1", "status": "pending"});
    assert_eq!(remaining, json!({"memberships": [membership], "page_info": {"current_count": 1}}));
    assert_eq!(world.send_ok("own1", "GET", &format!("{target}/memberships"), None).await.body, remaining);
    assert_refused(&world.send("own1", ApiRequest::new("GET", target)).await, 404, "IMG.0099");
    assert_refused(
        &world.send("own1", ApiRequest::new("PUT", "/v1/keys/k/grants/own1")).await,
        400,
        "IMG.0178",
    );

    let default = world.create_image(json!({"__system__encrypted": "1"})).await;
    assert_failed(&world.share(&default, "mem1").await, "IMG.0098", "cannot be granted");
    assert_refused(&world.add_member(&default, "mem1").await, 403, "IMG.0098");
}

#[tokio::test]
async fn unsuitable_vault_is_refused_in_every_facade() {
    let world = World::start(&[]).await;
    let image = world.create_full_ecs_image().await;
    world.share(&image, "mem1").await;
    for (id, kind, gib, status) in [
        ("good", "backup", 60, "available"),
        ("replication", "replication", 60, "available"),
        ("frozen", "backup", 60, "frozen"),
        ("small", "backup", 59, "available"),
    ] {
        let body = json!({"protection_type": kind, "capacity_gib": gib, "status": status});
        let put = world.send_ok("mem1", "PUT", &format!("/v1/vaults/{id}"), Some(body)).await.body;
        assert_eq!((&put["vault"]["vault_id"], &put["vault"]["reserved_gib"]), (&json!(id), &json!(0)));
    }
    let decision = |vault: Value| json!({"images": [image], "project_id": "mem1", "status": "accepted", "vault_id": vault});
    for (vault, code, status) in [
        (None, "IMG.0184", 400),
        (Some("nobodys"), "IMG.0184", 400),
        (Some("replication"), "IMG.0193", 400),
        (Some("frozen"), "IMG.0188", 409),
        (Some("small"), "IMG.0182", 409),
    ] {
        assert_failed(&world.run_batch("mem1", "PUT", decision(json!(vault))).await.0, code, "vault");
        assert_refused(&world.accept(&image, "mem1", vault).await, status, code);
    }
    assert_eq!(world.run_batch("mem1", "PUT", decision(json!("good"))).await.0["status"], "success");
    let used = world.send_ok("mem1", "GET", "/v1/vaults/good", None).await.body;
    assert_eq!(used["vault"]["reserved_gib"], 60);
    assert_refused(&world.send("mem1", ApiRequest::new("DELETE", "/v1/vaults/good")).await, 409, "IMG.0182");
    let smaller = json!({"protection_type": "backup", "capacity_gib": 59});
    assert_refused(
        &world.send("mem1", ApiRequest::new("PUT", "/v1/vaults/good").json(&smaller)).await,
        409,
        "IMG.0182",
    );
    let list = world.send_ok("mem1", "GET", "/v1/vaults", None).await.body;
    let ids: Vec<_> = list["vaults"].as_array().unwrap().iter().map(|vault| &vault["vault_id"]).collect();
    assert_eq!(ids, ["frozen", "good", "replication", "small"]);
    assert_refused(&world.send("own1", ApiRequest::new("GET", "/v1/vaults/good")).await, 404, "IMG.0184");

    let unbacked = world.create_image(json!({"__whole_image": "true"})).await;
    assert_failed(&world.share(&unbacked, "mem1").await, "IMG.0135", "__backup_id");
    assert_refused(&world.add_member(&unbacked, "mem1").await, 403, "IMG.0135");
    assert_refused(&world.add_account(&image, "mem2").await, 403, "OperationDenied.FullEcsImage");
}

#[tokio::test]
async fn vaults_and_key_grants_belong_to_the_caller() {
    let world = World::start(&[]).await;
    let (vault, grant) = ("/v1/vaults/v", "/v1/keys/k/grants/mem1");
    let kind = |gib: u32| json!({"protection_type": "backup", "capacity_gib": gib});
    let owned = world.send_ok("own1", "PUT", vault, Some(kind(100))).await.body;
    let granted = world.send_ok("own1", "PUT", grant, None).await.body;
    let stranger = world.send_ok("str1", "PUT", vault, Some(kind(5))).await.body;
    assert_eq!(
        world.send_ok("str1", "GET", "/v1/vaults", None).await.body["vaults"],
        json!([stranger["vault"]])
    );
    world.send_ok("str1", "DELETE", vault, None).await;
    world.send_ok("str1", "DELETE", grant, None).await;
    assert_eq!(world.send_ok("own1", "GET", vault, None).await.body, owned);
    assert_eq!(world.send_ok("own1", "GET", grant, None).await.body, granted);

    let image = world.create_image(json!({"__system__cmkid": "theirs"})).await;
    world.send_ok("str1", "PUT", "/v1/keys/theirs/grants/mem1", None).await;
    assert_failed(&world.share(&image, "mem1").await, "IMG.0099", "Grant it");
}

#[tokio::test]
async fn tenant_of_another_region_is_refused_in_every_facade() {
    let world = World::start(&[]).await;
    let admin = world.api.token("ops", Role::Admin);
    let entry = json!({"account": "acme", "project": "far", "region": "elsewhere"});
    let put = ApiRequest::new("PUT", "/v1/tenants/far1").token(&admin).json(&entry);
    world.api.send(&put).await.expect_status(200);
    let image = world.create_image(json!({})).await;
    assert_failed(&world.share(&image, "far1").await, "IMG.0177", "another region");
    assert_refused(&world.add_member(&image, "far1").await, 400, "IMG.0177");
    assert_refused(&world.add_account(&image, "far1").await, 403, "OperationDenied.OtherRegion");
    let named = json!({"images": [image], "accounts": [{"name": "acme", "project": "far"}]});
    assert_refused(
        &world.send("own1", ApiRequest::new("POST", MEMBERS_PATH).json(&named)).await,
        400,
        "IMG.0177",
    );
}

#[tokio::test]
async fn unknown_tenant_is_refused_in_every_facade() {
    let api = Api::start_with(&[], true).await;
    let world = World { api };
    let image = world.create_image(json!({})).await;
    assert_failed(&world.share(&image, "nobody").await, "IMG.0108", "directory");
    assert_refused(&world.add_member(&image, "nobody").await, 400, "IMG.0108");
    assert_refused(&world.add_account(&image, "nobody").await, 404, "InvalidAccount.NotFound");
}

#[tokio::test]
async fn recipient_and_pending_limits_are_enforced_in_every_facade() {
    let world = World::start(&["members-per-image=1", "pending-per-tenant=2", "images-per-tenant=3"]).await;
    let mut images = Vec::new();
    for _ in 0..3 {
        images.push(world.create_image(json!({})).await);
    }
    let none_left = world.send("own1", ApiRequest::new("POST", "/v2/images").json(&json!({}))).await;
    assert_refused(&none_left, 413, "IMG.0088");
    for image in &images[..2] {
        assert_eq!(world.share(image, "mem1").await["status"], "success");
    }
    assert_failed(&world.share(&images[2], "mem1").await, "IMG.0088", "limit of pending images");
    assert_refused(&world.add_member(&images[2], "mem1").await, 413, "IMG.0088");
    assert_failed(&world.share(&images[0], "mem2").await, "IMG.0088", "recipient limit");
    assert_refused(&world.add_member(&images[0], "mem2").await, 413, "IMG.0088");
    assert_refused(&world.add_account(&images[0], "mem2").await, 403, "QuotaExceed.ShareImageUser");
    let added = world.add_account(&images[2], "mem1").await;
    // A share that needs no consent is never pending.
    added.expect_status(200);

    let quotas = world.send_ok("mem1", "GET", "/v1/cloudimages/quota", None).await.body;
    let of = |kind: &str| {
        let all = quotas["quotas"]["resources"].as_array().unwrap();
        let one = all.iter().find(|one| one["type"] == kind).unwrap();
        (one["used"].as_i64().unwrap(), one["quota"].as_i64().unwrap())
    };
    let kinds = ["image", "image_shared", "image_member", "image_member_full_ecs", "image_pending"];
    assert_eq!(kinds.map(of), [(0, 3), (1, -1), (0, 1), (0, 10), (2, 2)]);
}

#[tokio::test]
async fn wildcard_decision_covers_all_pending_images() {
    let world = World::start(&[]).await;
    let mut images = Vec::new();
    for number in 0..3 {
        images.push(world.create_image(json!({"name": format!("golden-{number}")})).await);
    }
    world.run_batch("own1", "POST", json!({"images": images, "projects": ["mem1", "mem2"]})).await;
    let all = |status: &str| json!({"images": ["*"], "project_id": "mem1", "status": status});
    let request =
        ApiRequest::new("PUT", MEMBERS_PATH).json(&all("accepted")).header("Idempotency-Key", "all-of-it");
    let accepted = world.send("mem1", request.clone()).await;
    let job = world.api.wait_for_job(&world.api.token("mem1", Role::Member), "mem1", &accepted).await;
    assert_eq!((&job["status"], &job["job_type"]), (&json!("SUCCESS"), &json!("imsUpdateImageMembersJob")));
    let results = job["entities"]["results"].as_array().unwrap();
    let mut message: Vec<_> = results.iter().map(|pair| pair["image_id"].as_str().unwrap()).collect();
    message.sort_unstable();
    images.sort();
    assert_eq!(message, images);
    assert!(results.iter().all(|pair| pair["project_id"] == "mem1" && pair["status"] == "success"), "{job}");
    assert_eq!(world.send("mem1", request).await.body, accepted.body, "a retry is the same job");
    let view = "/v2/cloudimages?__imagetype=shared&visibility=shared&member_status=";
    let image_count = async |project: &str, status: &str| {
        let page = world.send_ok(project, "GET", &format!("{view}{status}"), None).await.body;
        page["images"].as_array().unwrap().len()
    };
    assert_eq!((image_count("mem1", "pending").await, image_count("mem1", "accepted").await), (0, 3));
    assert_eq!(image_count("mem2", "pending").await, 3);
    let other = json!({"images": ["*"], "project_id": "mem2", "status": "accepted"});
    assert_refused(
        &world.send("mem1", ApiRequest::new("PUT", MEMBERS_PATH).json(&other)).await,
        403,
        "IMG.0026",
    );
    let both = json!({"images": ["*", images[0]], "project_id": "mem1", "status": "accepted"});
    assert_refused(
        &world.send("mem1", ApiRequest::new("PUT", MEMBERS_PATH).json(&both)).await,
        400,
        "IMG.0066",
    );
    for method in ["POST", "DELETE"] {
        let body = json!({"images": ["*"], "projects": ["mem2"]});
        assert_refused(
            &world.send("mem1", ApiRequest::new(method, MEMBERS_PATH).json(&body)).await,
            400,
            "IMG.0066",
        );
    }
}

#[tokio::test]
async fn encryption_of_a_shared_image_cannot_be_changed_by_patch() {
    let world = World::start(&[]).await;
    let image = world.create_image(json!({})).await;
    world.share(&image, "mem1").await;
    let patch = |path: &str| json!([{"op": "add", "path": path, "value": "1"}]);
    let change = |path: &str| ApiRequest::new("PATCH", format!("/v2/images/{image}")).json(&patch(path));
    assert_refused(&world.send("own1", change("/__system__cmkid")).await, 409, "IMG.0105");
    world.send("own1", change("/__os_version")).await.expect_status(200);
    world.run_batch("own1", "DELETE", json!({"images": [image], "projects": ["mem1"]})).await;
    world.send("own1", change("/__system__cmkid")).await.expect_status(200);
}
