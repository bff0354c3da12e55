//! The rules as clients of each API meet them: the code and the status of a refusal, and what to do about it in its message.

use imageshare::domain::Role;
use imageshare_tests::api::{Answer, Api, Ask};
use serde_json::{Value, json};

const MEMBERS: &str = "/v1/cloudimages/members";

/// Projects by their names, each asking with a token of its own.
struct World {
    api: Api,
}

impl World {
    async fn start(limits: &[&str]) -> Self {
        Self { api: Api::start(limits).await }
    }

    async fn ask(&self, who: &str, ask: Ask) -> Answer {
        self.api.send(&ask.token(&self.api.token(who, Role::Member))).await
    }

    async fn good(&self, who: &str, method: &str, target: &str, body: Option<Value>) -> Answer {
        let ask = Ask::new(method, target);
        let answer = self.ask(who, body.map_or(ask.clone(), |body| ask.json(&body))).await;
        assert!(answer.status < 300, "{method} {target} {answer:?}");
        answer
    }

    async fn image(&self, details: Value) -> String {
        let made = self.good("own1", "POST", "/v2/images", Some(details)).await;
        made.body["id"].as_str().unwrap().to_owned()
    }

    async fn full_ecs(&self) -> String {
        self.image(json!({"__whole_image": "true", "__backup_id": "b", "__system_disk_backup_gib": "40",
            "__data_disk_backup_gib": "20"}))
            .await
    }

    /// Makes a batch call; returns the first pair's result, and the job.
    async fn batch(&self, who: &str, method: &str, body: Value) -> (Value, Value) {
        let accepted = self.good(who, method, MEMBERS, Some(body)).await;
        let job = self.api.job(&self.api.token(who, Role::Member), who, &accepted).await;
        (job["entities"]["results"][0].clone(), job)
    }

    async fn share(&self, image: &str, with: &str) -> Value {
        self.batch("own1", "POST", json!({"images": [image], "projects": [with]})).await.0
    }

    async fn add(&self, image: &str, member: &str) -> Answer {
        let target = format!("/v2/images/{image}/members");
        self.ask("own1", Ask::new("POST", target).json(&json!({"member": member}))).await
    }

    async fn accept(&self, image: &str, who: &str, vault: Option<&str>) -> Answer {
        let target = format!("/v2/images/{image}/members/{who}");
        self.ask(who, Ask::new("PUT", target).json(&json!({"status": "accepted", "vault_id": vault}))).await
    }

    async fn grant(&self, image: &str, account: &str) -> Answer {
        let action = "Action=ModifyImagePermission&Version=2020-09-30&RegionId=local";
        self.ask("own1", Ask::new("GET", format!("/?{action}&ImageId={image}&AddAccount.1={account}"))).await
    }
}

#[track_caller]
fn failed(result: &Value, code: &str, told: &str) {
    assert_eq!((&result["status"], &result["error_code"]), (&json!("failed"), &json!(code)), "{result}");
    assert!(result["error_msg"].as_str().unwrap().contains(told), "{result}");
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{answer:?}");
}

#[tokio::test]
async fn a_missing_grant_of_a_key() {
    let world = World::start(&[]).await;
    let image = world.image(json!({"name": "sealed", "__system__cmkid": "k"})).await;
    failed(&world.share(&image, "mem1").await, "IMG.0099", "PUT /v1/keys/{key_id}/grants/{project_id}");
    refused(&world.add(&image, "mem1").await, 403, "IMG.0099");
    refused(&world.grant(&image, "mem1").await, 403, "OperationDeined.EncryptedSnapshot");

    let target = "/v1/keys/k/grants/mem1";
    let granted = world.good("own1", "PUT", target, None).await.body;
    let again = world.good("own1", "PUT", target, None).await.body;
    assert_eq!((&granted["grant"]["key_id"], &granted["grant"]["project_id"]), (&json!("k"), &json!("mem1")));
    assert_eq!(granted, again, "granting again changes nothing");
    assert_eq!(world.good("own1", "GET", target, None).await.body, granted);
    let list = world.good("own1", "GET", "/v1/keys/k/grants", None).await.body;
    assert_eq!(list, json!({"grants": [granted["grant"]], "page_info": {"current_count": 1}}));
    assert_eq!(world.share(&image, "mem1").await["status"], "success");

    let left = world.good("own1", "DELETE", target, None).await.body;
    let membership =
        json!({"image_id": image, "image_name": "sealed", "project_id": "mem1", "status": "pending"});
    assert_eq!(left, json!({"memberships": [membership], "page_info": {"current_count": 1}}));
    assert_eq!(world.good("own1", "GET", &format!("{target}/memberships"), None).await.body, left);
    refused(&world.ask("own1", Ask::new("GET", target)).await, 404, "IMG.0099");
    refused(&world.ask("own1", Ask::new("PUT", "/v1/keys/k/grants/own1")).await, 400, "IMG.0178");

    let default = world.image(json!({"__system__encrypted": "1"})).await;
    failed(&world.share(&default, "mem1").await, "IMG.0098", "cannot be granted");
    refused(&world.add(&default, "mem1").await, 403, "IMG.0098");
}

#[tokio::test]
async fn a_vault_that_will_not_do() {
    let world = World::start(&[]).await;
    let image = world.full_ecs().await;
    world.share(&image, "mem1").await;
    for (id, kind, gib, status) in [
        ("good", "backup", 60, "available"),
        ("replication", "replication", 60, "available"),
        ("frozen", "backup", 60, "frozen"),
        ("small", "backup", 59, "available"),
    ] {
        let body = json!({"protection_type": kind, "capacity_gib": gib, "status": status});
        let put = world.good("mem1", "PUT", &format!("/v1/vaults/{id}"), Some(body)).await.body;
        assert_eq!((&put["vault"]["vault_id"], &put["vault"]["reserved_gib"]), (&json!(id), &json!(0)));
    }
    let answer = |vault: Value| json!({"images": [image], "project_id": "mem1", "status": "accepted", "vault_id": vault});
    for (vault, code, status) in [
        (None, "IMG.0184", 400),
        (Some("nobodys"), "IMG.0184", 400),
        (Some("replication"), "IMG.0193", 400),
        (Some("frozen"), "IMG.0188", 409),
        (Some("small"), "IMG.0182", 409),
    ] {
        failed(&world.batch("mem1", "PUT", answer(json!(vault))).await.0, code, "vault");
        refused(&world.accept(&image, "mem1", vault).await, status, code);
    }
    assert_eq!(world.batch("mem1", "PUT", answer(json!("good"))).await.0["status"], "success");
    let used = world.good("mem1", "GET", "/v1/vaults/good", None).await.body;
    assert_eq!(used["vault"]["reserved_gib"], 60);
    refused(&world.ask("mem1", Ask::new("DELETE", "/v1/vaults/good")).await, 409, "IMG.0182");
    let smaller = json!({"protection_type": "backup", "capacity_gib": 59});
    refused(&world.ask("mem1", Ask::new("PUT", "/v1/vaults/good").json(&smaller)).await, 409, "IMG.0182");
    let list = world.good("mem1", "GET", "/v1/vaults", None).await.body;
    let ids: Vec<_> = list["vaults"].as_array().unwrap().iter().map(|vault| &vault["vault_id"]).collect();
    assert_eq!(ids, ["frozen", "good", "replication", "small"]);
    refused(&world.ask("own1", Ask::new("GET", "/v1/vaults/good")).await, 404, "IMG.0184");

    let unbacked = world.image(json!({"__whole_image": "true"})).await;
    failed(&world.share(&unbacked, "mem1").await, "IMG.0135", "__backup_id");
    refused(&world.add(&unbacked, "mem1").await, 403, "IMG.0135");
    refused(&world.grant(&image, "mem2").await, 403, "OperationDenied.FullEcsImage");
}

#[tokio::test]
async fn who_writes_a_vault_or_a_grant_writes_its_own() {
    let world = World::start(&[]).await;
    let (vault, grant) = ("/v1/vaults/v", "/v1/keys/k/grants/mem1");
    let kind = |gib: u32| json!({"protection_type": "backup", "capacity_gib": gib});
    let owned = world.good("own1", "PUT", vault, Some(kind(100))).await.body;
    let granted = world.good("own1", "PUT", grant, None).await.body;
    let stranger = world.good("str1", "PUT", vault, Some(kind(5))).await.body;
    assert_eq!(
        world.good("str1", "GET", "/v1/vaults", None).await.body["vaults"],
        json!([stranger["vault"]])
    );
    world.good("str1", "DELETE", vault, None).await;
    world.good("str1", "DELETE", grant, None).await;
    assert_eq!(world.good("own1", "GET", vault, None).await.body, owned);
    assert_eq!(world.good("own1", "GET", grant, None).await.body, granted);

    let image = world.image(json!({"__system__cmkid": "theirs"})).await;
    world.good("str1", "PUT", "/v1/keys/theirs/grants/mem1", None).await;
    failed(&world.share(&image, "mem1").await, "IMG.0099", "Grant it");
}

#[tokio::test]
async fn a_tenant_of_another_region() {
    let world = World::start(&[]).await;
    let admin = world.api.token("ops", Role::Admin);
    let entry = json!({"account": "acme", "project": "far", "region": "elsewhere"});
    let put = Ask::new("PUT", "/v1/tenants/far1").token(&admin).json(&entry);
    assert_eq!(world.api.send(&put).await.status, 200);
    let image = world.image(json!({})).await;
    failed(&world.share(&image, "far1").await, "IMG.0177", "another region");
    refused(&world.add(&image, "far1").await, 400, "IMG.0177");
    refused(&world.grant(&image, "far1").await, 403, "OperationDenied.OtherRegion");
    let named = json!({"images": [image], "accounts": [{"name": "acme", "project": "far"}]});
    refused(&world.ask("own1", Ask::new("POST", MEMBERS).json(&named)).await, 400, "IMG.0177");
}

#[tokio::test]
async fn a_tenant_that_the_directory_does_not_know() {
    let api = Api::start_with(&[], true).await;
    let world = World { api };
    let image = world.image(json!({})).await;
    failed(&world.share(&image, "nobody").await, "IMG.0108", "directory");
    refused(&world.add(&image, "nobody").await, 400, "IMG.0108");
    refused(&world.grant(&image, "nobody").await, 404, "InvalidAccount.NotFound");
}

#[tokio::test]
async fn too_many_recipients_and_too_many_invitations() {
    let world = World::start(&["members-per-image=1", "pending-per-tenant=2", "images-per-tenant=3"]).await;
    let mut images = Vec::new();
    for _ in 0..3 {
        images.push(world.image(json!({})).await);
    }
    let none_left = world.ask("own1", Ask::new("POST", "/v2/images").json(&json!({}))).await;
    refused(&none_left, 413, "IMG.0088");
    for image in &images[..2] {
        assert_eq!(world.share(image, "mem1").await["status"], "success");
    }
    failed(&world.share(&images[2], "mem1").await, "IMG.0088", "wait for the project's answer");
    refused(&world.add(&images[2], "mem1").await, 413, "IMG.0088");
    failed(&world.share(&images[0], "mem2").await, "IMG.0088", "as many recipients");
    refused(&world.add(&images[0], "mem2").await, 413, "IMG.0088");
    refused(&world.grant(&images[0], "mem2").await, 403, "QuotaExceed.ShareImageUser");
    let granted = world.grant(&images[2], "mem1").await;
    assert_eq!(granted.status, 200, "what asks for no answer does not wait for one: {granted:?}");

    let quotas = world.good("mem1", "GET", "/v1/cloudimages/quota", None).await.body;
    let of = |kind: &str| {
        let all = quotas["quotas"]["resources"].as_array().unwrap();
        let one = all.iter().find(|one| one["type"] == kind).unwrap();
        (one["used"].as_i64().unwrap(), one["quota"].as_i64().unwrap())
    };
    let kinds = ["image", "image_shared", "image_member", "image_member_full_ecs", "image_pending"];
    assert_eq!(kinds.map(of), [(0, 3), (1, -1), (0, 1), (0, 10), (2, 2)]);
}

#[tokio::test]
async fn one_answer_to_everything() {
    let world = World::start(&[]).await;
    let mut images = Vec::new();
    for number in 0..3 {
        images.push(world.image(json!({"name": format!("golden-{number}")})).await);
    }
    world.batch("own1", "POST", json!({"images": images, "projects": ["mem1", "mem2"]})).await;
    let all = |status: &str| json!({"images": ["*"], "project_id": "mem1", "status": status});
    let ask = Ask::new("PUT", MEMBERS).json(&all("accepted")).header("Idempotency-Key", "all-of-it");
    let accepted = world.ask("mem1", ask.clone()).await;
    let job = world.api.job(&world.api.token("mem1", Role::Member), "mem1", &accepted).await;
    assert_eq!((&job["status"], &job["job_type"]), (&json!("SUCCESS"), &json!("imsUpdateImageMembersJob")));
    let results = job["entities"]["results"].as_array().unwrap();
    let mut told: Vec<_> = results.iter().map(|pair| pair["image_id"].as_str().unwrap()).collect();
    told.sort_unstable();
    images.sort();
    assert_eq!(told, images);
    assert!(results.iter().all(|pair| pair["project_id"] == "mem1" && pair["status"] == "success"), "{job}");
    assert_eq!(world.ask("mem1", ask).await.body, accepted.body, "a retry is the same job");
    let view = "/v2/cloudimages?__imagetype=shared&visibility=shared&member_status=";
    let seen = async |who: &str, status: &str| {
        let page = world.good(who, "GET", &format!("{view}{status}"), None).await.body;
        page["images"].as_array().unwrap().len()
    };
    assert_eq!((seen("mem1", "pending").await, seen("mem1", "accepted").await), (0, 3));
    assert_eq!(seen("mem2", "pending").await, 3);
    let other = json!({"images": ["*"], "project_id": "mem2", "status": "accepted"});
    refused(&world.ask("mem1", Ask::new("PUT", MEMBERS).json(&other)).await, 403, "IMG.0026");
    let both = json!({"images": ["*", images[0]], "project_id": "mem1", "status": "accepted"});
    refused(&world.ask("mem1", Ask::new("PUT", MEMBERS).json(&both)).await, 400, "IMG.0066");
    for method in ["POST", "DELETE"] {
        let body = json!({"images": ["*"], "projects": ["mem2"]});
        refused(&world.ask("mem1", Ask::new(method, MEMBERS).json(&body)).await, 400, "IMG.0066");
    }
}

#[tokio::test]
async fn what_an_image_is_made_of_while_it_is_shared() {
    let world = World::start(&[]).await;
    let image = world.image(json!({})).await;
    world.share(&image, "mem1").await;
    let patch = |path: &str| json!([{"op": "add", "path": path, "value": "1"}]);
    let change = |path: &str| Ask::new("PATCH", format!("/v2/images/{image}")).json(&patch(path));
    refused(&world.ask("own1", change("/__system__cmkid")).await, 409, "IMG.0105");
    assert_eq!(world.ask("own1", change("/__os_version")).await.status, 200);
    world.batch("own1", "DELETE", json!({"images": [image], "projects": ["mem1"]})).await;
    assert_eq!(world.ask("own1", change("/__system__cmkid")).await.status, 200);
}
