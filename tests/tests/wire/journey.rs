//! All of the IMS API over HTTP, as owners and recipients use it, from registering an image to unsharing it.

mod own_api;

use std::collections::BTreeSet;

use imageshare::domain::{Role, Timestamp};
use imageshare_tests::api::{Api, ApiRequest, ApiResponse};
use imageshare_tests::api_document::Operation;
use imageshare_tests::binaries::binary;
use imageshare_tests::server_process::ServerProcess;
use serde_json::{Value, json};

const MEMBERS: &str = "/v1/cloudimages/members";

/// A caller with a token.
struct Client<'a> {
    api: &'a Api,
    project: &'static str,
    token: String,
}

impl<'a> Client<'a> {
    fn new(api: &'a Api, project: &'static str, role: Role) -> Self {
        Self { api, project, token: api.token(project, role) }
    }

    fn member(api: &'a Api, project: &'static str) -> Self {
        Self::new(api, project, Role::Member)
    }

    async fn call(&self, method: &str, target: &str, body: Option<&Value>) -> ApiResponse {
        let request = ApiRequest::new(method, target).token(&self.token);
        self.api.send(&body.into_iter().fold(request, ApiRequest::json)).await
    }

    async fn get(&self, target: &str) -> ApiResponse {
        self.call("GET", target, None).await
    }

    async fn create_image(&self, name: &str) -> String {
        let response =
            self.call("POST", "/v2/images", Some(&json!({"name": name, "__os_type": "Linux"}))).await;
        response.expect_status(201);
        response.body["id"].as_str().unwrap().to_owned()
    }

    /// Makes a batch call and returns its job when it has ended.
    async fn run_job(&self, method: &str, body: &Value) -> Value {
        let accepted = self.call(method, MEMBERS, Some(body)).await;
        accepted.expect_status(200);
        self.api.wait_for_job(&self.token, self.project, &accepted).await
    }

    async fn share(&self, images: &[&str], projects: &[&str]) -> Value {
        self.run_job("POST", &json!({"images": images, "projects": projects})).await
    }

    async fn respond(&self, images: &[&str], status: &str) -> Value {
        self.run_job("PUT", &json!({"images": images, "project_id": self.project, "status": status})).await
    }

    async fn unshare(&self, images: &[&str], projects: &[&str]) -> Value {
        self.run_job("DELETE", &json!({"images": images, "projects": projects})).await
    }

    /// The ids in this project's view of images shared with it, by its decisions.
    async fn ids_by_member_status(&self, member_status: &str) -> BTreeSet<String> {
        let query = format!("__imagetype=shared&visibility=shared&member_status={member_status}");
        image_ids(&self.get(&format!("/v2/cloudimages?{query}")).await)
    }

    async fn member_statuses(&self, image: &str) -> Value {
        let response = self.get(&format!("/v1/{}/cloudimages/{image}/members", self.project)).await;
        let members = response.body["members"].as_array().unwrap();
        members
            .iter()
            .map(|member| (member["member_id"].as_str().unwrap().to_owned(), member["status"].clone()))
            .collect()
    }

    async fn patch_image(&self, image: &str, path: &str, value: &str) {
        let change = json!([{"op": "replace", "path": path, "value": value}]);
        self.call("PATCH", &format!("/v2/images/{image}"), Some(&change)).await.expect_status(200);
        // The lists of its members change when the job of this change is executed.
        self.api.wait_until_idle().await;
    }
}

fn image_ids(list: &ApiResponse) -> BTreeSet<String> {
    list.body["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| image["id"].as_str().unwrap().to_owned())
        .collect()
}

fn id_set(ids: &[&String]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).clone()).collect()
}

fn assert_job_succeeded(job: &Value, kind: &str, pairs: usize) {
    assert_eq!((&job["status"], &job["job_type"]), (&"SUCCESS".into(), &kind.into()), "{job}");
    assert_eq!((&job["error_code"], &job["fail_reason"]), (&Value::Null, &Value::Null), "{job}");
    assert_eq!(job["entities"]["process_percent"], 100);
    let results = job["entities"]["results"].as_array().unwrap();
    assert!(results.len() == pairs && results.iter().all(|pair| pair["status"] == "success"), "{job}");
}

#[tokio::test]
async fn every_operation_is_served() {
    let api = Api::start(&[]).await;
    let (owner, one, two) =
        (Client::member(&api, "own1"), Client::member(&api, "mem1"), Client::member(&api, "mem2"));
    for path in ["/health", "/ready"] {
        assert_eq!(api.send(&ApiRequest::new("GET", path)).await.body["status"], "ok");
    }
    let (a, b, c) =
        (owner.create_image("a").await, owner.create_image("b").await, owner.create_image("c").await);
    let all = [a.as_str(), &b, &c];

    let job = owner.share(&all, &["mem1", "mem2"]).await;
    assert_job_succeeded(&job, "imsAddImageMembersJob", 6);
    let progress = owner.get(&format!("/v1/cloudimages/job/{}", job["job_id"].as_str().unwrap())).await.body;
    for field in ["status", "job_id", "job_type", "begin_time", "end_time", "error_code", "fail_reason"] {
        assert_eq!(progress[field], job[field], "{field}");
    }
    assert_eq!(
        (&progress["entities"]["process_percent"], &progress["entities"]["results"]),
        (&100.into(), &Value::Null)
    );

    for recipient in [&one, &two] {
        assert_eq!(recipient.ids_by_member_status("pending").await, id_set(&[&a, &b, &c]));
        assert_eq!(
            (
                recipient.ids_by_member_status("accepted").await,
                recipient.ids_by_member_status("rejected").await
            ),
            Default::default()
        );
    }
    assert_job_succeeded(&one.respond(&[&a, &b], "accepted").await, "imsUpdateImageMembersJob", 2);
    assert_job_succeeded(&one.respond(&[&c], "rejected").await, "imsUpdateImageMembersJob", 1);
    assert_eq!(
        (
            one.ids_by_member_status("pending").await,
            one.ids_by_member_status("accepted").await,
            one.ids_by_member_status("rejected").await
        ),
        (id_set(&[]), id_set(&[&a, &b]), id_set(&[&c]))
    );
    assert_eq!(two.ids_by_member_status("pending").await, id_set(&[&a, &b, &c]), "the two responses differ");
    assert_eq!(one.get("/v1/cloudimages/quota").await.body["quotas"]["resources"][1]["used"], 2);

    one.respond(&[&a], "rejected").await;
    one.respond(&[&c], "accepted").await;
    assert_eq!(
        (one.ids_by_member_status("accepted").await, one.ids_by_member_status("rejected").await),
        (id_set(&[&b, &c]), id_set(&[&a]))
    );
    one.get(&format!("/v2/images/{a}")).await.expect_status(200);

    assert_job_succeeded(&owner.share(&[&b], &["mem1"]).await, "imsAddImageMembersJob", 1);
    assert_eq!(
        owner.member_statuses(&b).await,
        json!({"mem1": "accepted", "mem2": "pending"}),
        "sharing again changes nothing"
    );
    let member = owner.get(&format!("/v1/own1/cloudimages/{b}/members/mem1")).await;
    assert_eq!((&member.body["status"], &member.body["member_id"]), (&"accepted".into(), &"mem1".into()));
    assert_eq!(one.member_statuses(&b).await, json!({"mem1": "accepted"}), "a member sees only itself");

    assert_job_succeeded(&owner.unshare(&all, &["mem1", "nobody"]).await, "imsDelImageMembersJob", 6);
    for status in ["pending", "accepted", "rejected"] {
        assert_eq!(one.ids_by_member_status(status).await, id_set(&[]));
    }
    assert_eq!(two.ids_by_member_status("pending").await, id_set(&[&a, &b, &c]));
    one.get(&format!("/v2/images/{a}")).await.expect_status(404);
    owner.patch_image(&a, "/name", "a2").await;
    owner.call("PUT", &format!("/v2/images/{a}/file"), None).await.expect_status(204);
    owner.call("DELETE", &format!("/v2/images/{a}"), None).await.expect_status(204);
    exercise_glance(&owner, &one, &b).await;
    for path in ["/openapi.yaml", "/openapi.json", "/docs"] {
        assert!(api.send(&ApiRequest::new("GET", path)).await.body.to_string().contains("shareImages"));
    }
    for path in ["/", "/versions", "/v2", "/v2/"] {
        assert!(api.send(&ApiRequest::new("GET", path)).await.body["versions"].is_array());
    }

    let images = "/?Action=DescribeImages&Version=2020-09-30&RegionId=local";
    for method in ["GET", "POST"] {
        owner.call(method, images, None).await.expect_status(200);
    }
    own_api::exercise_access_keys(&owner).await;
    let service = owner.get("/v1/service").await.body;
    assert_eq!(
        (&service["project_id"], &service["limits"]["members_per_image"]),
        (&"own1".into(), &256.into())
    );
    exercise_keystone(&owner).await;
    exercise_directory(&owner, &b).await;
    exercise_keys_and_vaults(&owner, &one).await;
    own_api::exercise_memberships(&owner, &two).await;
    own_api::exercise_messages(&one).await;
    own_api::exercise_owners(&one).await;
    own_api::exercise_share_rules(&owner).await;
    own_api::exercise_jobs(&owner).await;
    exercise_console(&api).await;

    let can_succeed = |operation: &Operation| operation.statuses().iter().any(|status| *status < 400);
    let operations = api.document.operations().into_iter().filter(can_succeed);
    assert_eq!(api.succeeded_operations(), operations.map(|operation| operation.id).collect());
}

/// The console: its first page, a page, and a form.
async fn exercise_console(api: &Api) {
    api.send(&ApiRequest::new("GET", "/console")).await.expect_status(303);
    api.send(&ApiRequest::new("GET", "/console/sign-in")).await.expect_status(200);
    let sign_out = ApiRequest::new("POST", "/console/sign-out").header("Sec-Fetch-Site", "same-origin");
    api.send(&sign_out).await.expect_status(303);
}

/// An encrypted full-ECS image: its key is granted, it is shared, accepted into a vault, and all of that is undone.
async fn exercise_keys_and_vaults(owner: &Client<'_>, member: &Client<'_>) {
    let details = json!({"name": "whole", "__system__cmkid": "key", "__whole_image": "true", "__backup_id": "b",
        "__system_disk_backup_gib": "40"});
    let image =
        owner.call("POST", "/v2/images", Some(&details)).await.body["id"].as_str().unwrap().to_owned();
    let grant = "/v1/keys/key/grants/mem1";
    for (method, target) in [("PUT", grant), ("GET", grant), ("GET", "/v1/keys/key/grants")] {
        owner.call(method, target, None).await.expect_status(200);
    }
    assert_job_succeeded(&owner.share(&[&image], &["mem1"]).await, "imsAddImageMembersJob", 1);
    let vault = json!({"protection_type": "backup", "capacity_gib": 40});
    member.call("PUT", "/v1/vaults/v-1", Some(&vault)).await.expect_status(200);
    let decision = |status: &str| json!({"status": status, "vault_id": "v-1"});
    let answered = format!("/v2/images/{image}/members/mem1");
    member.call("PUT", &answered, Some(&decision("accepted"))).await.expect_status(200);
    assert_eq!(member.get("/v1/vaults/v-1").await.body["vault"]["reserved_gib"], 40);
    let left = owner.call("DELETE", grant, None).await.body;
    assert_eq!(left["memberships"][0]["status"], "accepted", "{left}");
    assert_eq!(owner.get(&format!("{grant}/memberships")).await.body, left);
    member.call("PUT", &answered, Some(&decision("rejected"))).await.expect_status(200);
    assert_eq!(member.get("/v1/vaults").await.body["vaults"][0]["reserved_gib"], 0);
    member.call("DELETE", "/v1/vaults/v-1", None).await.expect_status(204);
}

/// A token by an access key, and the requests that clients make with it.
async fn exercise_keystone(owner: &Client<'_>) {
    for path in ["/v3", "/v3/"] {
        assert_eq!(owner.api.send(&ApiRequest::new("GET", path)).await.body["version"]["id"], "v3.14");
    }
    let key = owner.call("POST", "/v1/access-keys", Some(&json!({"name": "cli"}))).await.body;
    let user = json!({"id": key["id"], "password": key["secret"]});
    let auth = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}});
    let created = owner.api.send(&ApiRequest::new("POST", "/v3/auth/tokens").json(&auth)).await;
    let token = created.headers["x-subject-token"].clone();
    let request = |target: &str| ApiRequest::new("GET", target).token(&token);
    for target in [
        "/v3/auth/catalog",
        "/v3/auth/projects",
        "/v3/projects/own1",
        "/v3/projects?name=own1",
        "/v2/cloudimages",
    ] {
        owner.api.send(&request(target)).await.expect_status(200);
    }
    let subject = request("/v3/auth/tokens").header("X-Subject-Token", &token);
    assert_eq!(owner.api.send(&subject).await.body["token"]["project"]["id"], "own1");
    let revoke = ApiRequest::new("DELETE", "/v3/auth/tokens").token(&token).header("X-Subject-Token", &token);
    owner.api.send(&revoke).await.expect_status(204);
    owner.api.send(&request("/v2/cloudimages")).await.expect_status(401);
}

/// Shares an image with a tenant by the names that an admin has put into the directory.
async fn exercise_directory(owner: &Client<'_>, image: &str) {
    let admin = Client::new(owner.api, "ops", Role::Admin);
    let names = json!({"account": "acme", "project": "web"});
    admin.call("PUT", "/v1/tenants/mem7", Some(&names)).await.expect_status(200);
    assert_eq!(admin.get("/v1/tenants/mem7").await.body["tenant"]["region"], "local");
    let found = owner.get("/v1/tenants?account=acme&project=web").await.body;
    assert_eq!(found["tenants"][0]["project_id"], "mem7");
    let by_name = json!({"images": [image], "accounts": [{"name": "acme"}]});
    assert_job_succeeded(&owner.run_job("POST", &by_name).await, "imsAddImageMembersJob", 1);
    assert_eq!(owner.member_statuses(image).await["mem7"], "pending");
    admin.call("DELETE", "/v1/tenants/mem7", None).await.expect_status(204);
}

/// The same with one image and one project at a time, as OpenStack's clients do.
async fn exercise_glance(owner: &Client<'_>, member: &Client<'_>, image: &str) {
    let members = format!("/v2/images/{image}/members");
    let row = format!("{members}/{}", member.project);
    let added = owner.call("POST", &members, Some(&json!({"member": member.project}))).await;
    added.expect_status(200);
    assert_eq!(added.body["status"], "pending");
    let tag = format!("/v2/images/{image}/tags/mine");
    owner.call("PUT", &tag, None).await.expect_status(204);
    let tagged = "/v2/images?visibility=shared&member_status=pending&tag=mine";
    assert_eq!(image_ids(&member.get(tagged).await), id_set(&[&image.to_owned()]));
    owner.call("DELETE", &tag, None).await.expect_status(204);
    assert_eq!(image_ids(&member.get(tagged).await), id_set(&[]));
    let inbox = member.get("/v2/images?visibility=shared&member_status=pending").await;
    assert_eq!(image_ids(&inbox), id_set(&[&image.to_owned()]));
    let accepted = member.call("PUT", &row, Some(&json!({"status": "accepted"}))).await;
    accepted.expect_status(200);
    assert_eq!(accepted.body["status"], "accepted");
    assert_eq!(
        member.ids_by_member_status("accepted").await,
        id_set(&[&image.to_owned()]),
        "IMS and Glance show the same"
    );
    assert_eq!(owner.get(&members).await.body["members"][0]["status"], "accepted");
    assert_eq!(owner.get(&row).await.body, accepted.body);
    assert_eq!(owner.get("/v2/schemas/member").await.body["name"], "member");
    owner.call("DELETE", &row, None).await.expect_status(204);
    assert_eq!(member.ids_by_member_status("accepted").await, id_set(&[]));
}

#[tokio::test]
async fn owner_reads_members_page_by_page() {
    let api = Api::start(&[]).await;
    let owner = Client::member(&api, "own1");
    let image = owner.create_image("a").await;
    owner.share(&[&image], &["m1", "m2", "m3", "m4", "m5"]).await;
    let (mut seen, mut marker, mut sizes) = (Vec::new(), String::new(), Vec::new());
    loop {
        let page = owner.get(&format!("/v1/own1/cloudimages/{image}/members?limit=2{marker}")).await.body;
        let members = page["members"].as_array().unwrap();
        assert_eq!(page["page_info"]["current_count"], members.len());
        sizes.push(members.len());
        seen.extend(members.iter().map(|member| member["member_id"].as_str().unwrap().to_owned()));
        let Some(next) = page["page_info"]["next_marker"].as_str() else { break };
        marker = format!("&marker={next}");
    }
    assert_eq!((seen.join(" "), sizes), ("m1 m2 m3 m4 m5".to_owned(), vec![2, 2, 1]));
}

#[tokio::test]
async fn partially_failed_job_reports_failures_and_keeps_the_rest() {
    let api = Api::start(&["members-per-image=2"]).await;
    let owner = Client::member(&api, "own1");
    let (full, free) = (owner.create_image("full").await, owner.create_image("free").await);
    assert_eq!(owner.share(&[&full], &["m1", "m2"]).await["status"], "SUCCESS");
    let job = owner.share(&[&full, &free], &["m2", "m3"]).await;
    assert_eq!((&job["status"], &job["error_code"]), (&"FAIL".into(), &"IMG.0088".into()), "{job}");
    let reason = job["fail_reason"].as_str().unwrap();
    assert!(reason.starts_with(&format!("1 of 4 failed. The first: image {full}, project m3: ")), "{reason}");
    for pair in job["entities"]["results"].as_array().unwrap() {
        let fails = pair["image_id"] == full.as_str() && pair["project_id"] == "m3";
        assert_eq!(pair["status"], if fails { "failed" } else { "success" }, "{pair}");
        assert_eq!(pair["error_code"].as_str(), fails.then_some("IMG.0088"), "{pair}");
        assert_eq!(pair["error_msg"].is_string(), fails, "{pair}");
    }
    assert_eq!(owner.member_statuses(&full).await, json!({"m1": "pending", "m2": "pending"}));
    assert_eq!(owner.member_statuses(&free).await, json!({"m2": "pending", "m3": "pending"}));

    let stranger = Client::member(&api, "m9").respond(&[&full], "accepted").await;
    assert_eq!((&stranger["status"], &stranger["error_code"]), (&"FAIL".into(), &"IMG.0121".into()));
}

#[tokio::test]
async fn repeated_idempotency_key_returns_the_same_job() {
    let api = Api::start(&[]).await;
    let owner = Client::member(&api, "own1");
    let image = owner.create_image("a").await;
    let send = async |method: &str, project: &str, token: &str| {
        let body = json!({"images": [image], "projects": [project]});
        api.send(
            &ApiRequest::new(method, MEMBERS).header("Idempotency-Key", "order-66").token(token).json(&body),
        )
        .await
    };
    let first = send("POST", "m1", &owner.token).await;
    let again = send("POST", "m1", &owner.token).await;
    first.expect_status(200);
    assert_eq!(first.body, again.body);
    for (method, project) in [("POST", "m2"), ("DELETE", "m1")] {
        send(method, project, &owner.token).await.expect_error(422, "IMG.0018");
    }
    let elsewhere = send("POST", "m1", &api.token("own2", Role::Member)).await;
    assert_eq!(elsewhere.code(), "IMG.0027", "a key is its tenant's own");
    api.wait_for_job(&owner.token, "own1", &first).await;
    assert_eq!(owner.member_statuses(&image).await, json!({"m1": "pending"}));
}

#[tokio::test]
async fn deleting_a_shared_image_removes_it_from_members() {
    let api = Api::start(&[]).await;
    let (owner, guest) = (Client::member(&api, "own1"), Client::member(&api, "mem1"));
    let (gone, kept) = (owner.create_image("gone").await, owner.create_image("kept").await);
    owner.share(&[&gone, &kept], &["mem1"]).await;
    guest.respond(&[&gone, &kept], "accepted").await;
    owner.call("DELETE", &format!("/v2/images/{gone}"), None).await.expect_status(204);
    assert_eq!(guest.ids_by_member_status("accepted").await, id_set(&[&kept]));
    for person in [&owner, &guest] {
        person.get(&format!("/v2/images/{gone}")).await.expect_status(404);
    }
    let refused =
        owner.call("POST", MEMBERS, Some(&json!({"images": [kept, gone], "projects": ["m2"]}))).await;
    refused.expect_error(400, "IMG.0027");
    assert!(refused.message().contains(&gone), "{refused:?}");
    owner.call("POST", "/v2/images", Some(&json!({"id": gone}))).await.expect_status(409);
}

#[tokio::test]
async fn making_an_image_private_and_shared_again_restores_its_shares() {
    let api = Api::start(&[]).await;
    let (owner, guest) = (Client::member(&api, "own1"), Client::member(&api, "mem1"));
    let image = owner.create_image("a").await;
    owner.share(&[&image], &["mem1", "mem2"]).await;
    guest.respond(&[&image], "accepted").await;

    owner.patch_image(&image, "/visibility", "private").await;
    assert_eq!(guest.ids_by_member_status("accepted").await, id_set(&[]));
    guest.get(&format!("/v2/images/{image}")).await.expect_status(404);
    let refused = owner.call("POST", MEMBERS, Some(&json!({"images": [image], "projects": ["mem3"]}))).await;
    refused.expect_error(400, "IMG.0105");

    owner.patch_image(&image, "/visibility", "shared").await;
    assert_eq!(guest.ids_by_member_status("accepted").await, id_set(&[&image]));
    assert_eq!(owner.member_statuses(&image).await, json!({"mem1": "accepted", "mem2": "pending"}));
}

#[tokio::test]
async fn admin_acts_for_any_project() {
    let api = Api::start(&[]).await;
    let (owner, admin) = (Client::member(&api, "own1"), Client::new(&api, "ops", Role::Admin));
    let image = owner.create_image("a").await;
    assert_eq!(admin.share(&[&image], &["mem1"]).await["status"], "SUCCESS");
    let decision = json!({"images": [image], "project_id": "mem1", "status": "accepted"});
    assert_eq!(admin.run_job("PUT", &decision).await["status"], "SUCCESS");
    assert_eq!(owner.member_statuses(&image).await, json!({"mem1": "accepted"}));
    admin.get(&format!("/v1/own1/cloudimages/{image}/members/mem1")).await.expect_status(200);
    let for_another = admin.call("POST", "/v2/images", Some(&json!({"owner": "mem1"}))).await;
    for_another.expect_status(201);
    assert_eq!(for_another.body["owner"], "mem1");

    let other = Client::member(&api, "mem2").call("PUT", MEMBERS, Some(&decision)).await;
    other.expect_error(403, "IMG.0026");
    assert!(other.message().contains("acts for project mem2, not for mem1"), "{other:?}");
}

#[tokio::test]
async fn expired_token_is_rejected_as_expired() {
    let api = Api::start(&[]).await;
    let request = |seconds| {
        let expires = Timestamp::from_unix_millis((Timestamp::now().unix_seconds() + seconds) * 1000);
        ApiRequest::new("GET", "/v2/cloudimages").token(&api.token_expiring_at("own1", expires))
    };
    api.send(&request(60)).await.expect_status(200);
    let expired = api.send(&request(-60)).await;
    expired.expect_status(401);
    assert!(expired.message().contains("expired"), "{expired:?}");
    let bearer = api.token("own1", Role::Reader);
    let bearer =
        ApiRequest::new("GET", "/v2/cloudimages").header("Authorization", format!("Bearer {bearer}"));
    api.send(&bearer).await.expect_status(200);
}

#[tokio::test]
async fn server_keeps_acknowledged_writes_after_sigterm() {
    let imageshare = binary("imageshare");
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["--data", directory.path().to_str().unwrap()];
    let mut server = ServerProcess::start(&imageshare, &arguments).await;
    let (owner, guest) = (server.token("own1", "member"), server.token("mem1", "member"));
    let client = reqwest::Client::new();
    let call =
        async |server: &ServerProcess, method: &str, target: &str, token: &str, body: Value| -> Value {
            let method: reqwest::Method = method.parse().unwrap();
            let url = format!("http://{}{target}", server.address);
            let request = client.request(method.clone(), url).header("X-Auth-Token", token);
            let request = if method == "GET" { request } else { request.json(&body) };
            request.send().await.unwrap().json().await.unwrap()
        };
    let image = call(&server, "POST", "/v2/images", &owner, json!({})).await["id"].clone();
    let share = json!({"images": [image], "projects": ["mem1"]});
    let job = call(&server, "POST", MEMBERS, &owner, share).await["job_id"].clone();
    assert_eq!(server.terminate(), Some(0), "{}", server.log());

    let mut server = ServerProcess::start(&imageshare, &arguments).await;
    let target = format!("/v1/own1/jobs/{}", job.as_str().unwrap());
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while call(&server, "GET", &target, &owner, Value::Null).await["status"] != "SUCCESS" {
        assert!(std::time::Instant::now() < deadline, "{}", server.log());
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let pending = call(&server, "GET", "/v2/cloudimages?member_status=pending", &guest, Value::Null).await;
    assert_eq!(pending["images"][0]["id"], image);
    assert_eq!(server.terminate(), Some(0), "{}", server.log());
}
