//! Access keys, from creation to deletion, and the requests signed with them.

use std::process::Command;
use std::time::Duration;

use imageshare::domain::{Role, Timestamp};
use imageshare_tests::api::{Api, ApiRequest, ApiResponse};
use imageshare_tests::binaries::binary;
use imageshare_tests::server_process::ServerProcess;
use imageshare_tests::signer::{Signer, UnsignedRequest, WireRequest};
use serde_json::{Value, json};

const KEYS: &str = "/v1/access-keys";
const MEMBERS: &str = "/v1/cloudimages/members";

async fn create_key(api: &Api, token: &str, body: &Value) -> ApiResponse {
    api.send(&ApiRequest::new("POST", KEYS).token(token).json(body)).await
}

/// A signer with a new access key of a project.
async fn create_signer(api: &Api, project: &str) -> Signer {
    let created = create_key(api, &api.token(project, Role::Member), &json!({"name": "ci"})).await;
    created.expect_status(201);
    let text = |name: &str| created.body[name].as_str().unwrap().to_owned();
    Signer { key_id: text("id"), secret: text("secret"), date: Timestamp::now() }
}

/// Both variants of `SDK-HMAC-SHA256`.
fn sign_both_variants(signer: &Signer, request: &UnsignedRequest) -> [WireRequest; 2] {
    [signer.sign_access(request, &["host"]), signer.sign_credential(request, &["host"], "", "")]
}

#[tokio::test]
async fn signed_request_acts_for_its_project() {
    let api = Api::start(&[]).await;
    let signer = create_signer(&api, "own1").await;
    let new = UnsignedRequest::new("POST", "/v2/images").json(json!({"name": "a"}));
    for wire in sign_both_variants(&signer, &new) {
        let image = api.send(&wire.to_api_request()).await;
        image.expect_status(201);
        assert_eq!(image.body["owner"], "own1");
        let share = json!({"images": [image.body["id"]], "projects": ["mem1"]});
        for method in ["POST", "DELETE"] {
            let job = api
                .send(
                    &signer
                        .sign_access(&UnsignedRequest::new(method, MEMBERS).json(&share), &[])
                        .to_api_request(),
                )
                .await;
            job.expect_status(200);
        }
    }
    let list = UnsignedRequest::new("GET", "/v2/cloudimages?owner=own1&limit=1&name=a");
    for wire in sign_both_variants(&signer, &list.clone().header("X-Project-Id", "own1")) {
        assert_eq!(api.send(&wire.to_api_request()).await.body["images"].as_array().unwrap().len(), 1);
    }
    for wire in sign_both_variants(&signer, &list) {
        // The clients add it after signing.
        let request = wire.to_api_request();
        api.send(&request.clone().header("X-Project-Id", "own1")).await.expect_status(200);
        let other = api.send(&request.header("X-Project-Id", "mem1")).await;
        other.expect_error(403, "IMG.0026");
        assert!(other.message().contains("acts for project own1 alone"), "{other:?}");
    }
}

#[tokio::test]
async fn badly_signed_request_is_rejected_with_the_reason() {
    let api = Api::start(&[]).await;
    let signer = create_signer(&api, "own1").await;
    let before = api.dump_when_idle().await;
    let request = UnsignedRequest::new("POST", "/v2/images").json(json!({"name": "a"}));
    let unknown = Signer { key_id: "nobodys".to_owned(), ..signer.clone() };
    let absurd = Signer { key_id: "a#b".to_owned(), ..signer.clone() };
    let wrong = Signer { secret: "wrong".to_owned(), ..signer.clone() };
    let early = Signer { date: signer.date.minus(Duration::from_mins(16)), ..signer.clone() };
    let late = Signer { date: signer.date.plus(Duration::from_mins(16)), ..signer.clone() };
    for (signer, message) in [
        (unknown, "access key does not exist"),
        (absurd, "access key does not exist"),
        (wrong, "signature does not match"),
        (early, "more than 15 minutes off"),
        (late, "more than 15 minutes off"),
    ] {
        for wire in sign_both_variants(&signer, &request) {
            let refused = api.send(&wire.to_api_request()).await;
            refused.expect_error(401, "APIGW.0301");
            assert!(refused.message().contains(message), "{message} {refused:?}");
        }
    }
    for wire in sign_both_variants(&signer, &request) {
        let mut changed = wire.clone();
        changed.body.push(b'\n');
        let refused = api.send(&changed.to_api_request()).await;
        assert!(refused.message().contains("signature does not match"), "{refused:?}");
        let two = api.send(&wire.to_api_request().token(&api.token("own1", Role::Member))).await;
        two.expect_error(401, "IMG.0087");
    }
    let without_date = |wire: &WireRequest| {
        let mut wire = wire.clone();
        let (_, authorization) =
            wire.headers.iter().find(|(name, _)| name == "Authorization").unwrap().clone();
        wire.set_header("Authorization", &authorization.replace(";x-sdk-date", ""));
        wire
    };
    let with = |wire: &WireRequest, name: &str, value: &str| {
        let mut wire = wire.clone();
        wire.set_header(name, value);
        wire
    };
    let without = |wire: &WireRequest, name: &str| {
        let mut wire = wire.clone();
        wire.remove_header(name);
        wire
    };
    for wire in sign_both_variants(&signer, &request.clone().header("X-Own", "a")) {
        let own = signer.sign_access(&request.clone().header("X-Own", "a"), &["host", "x-own"]);
        for (changed, message) in [
            (with(&own, "X-Own", "b"), "signature does not match"),
            (without(&own, "X-Own"), "x-own is listed in SignedHeaders but was not received"),
            (without_date(&wire), "x-sdk-date is not signed"),
            (with(&wire, "X-Sdk-Date", "yesterday"), "date of the signature cannot be read"),
            (with(&wire, "Authorization", "SDK-HMAC-SHA256 Access=a"), "signature is incomplete"),
        ] {
            let refused = api.send(&changed.to_api_request()).await;
            refused.expect_error(401, "APIGW.0301");
            assert!(refused.message().contains(message), "{message} {refused:?}");
        }
    }
    for algorithm in ["SDK-HMAC-SM3", "V11-HMAC-SHA256", "SDK-ECDSA-P256-SHA256", "SDK-SM2-SM3"] {
        let mut wire = signer.sign_access(&request, &[]);
        wire.set_header(
            "Authorization",
            &format!("{algorithm} Access=a, SignedHeaders=x-sdk-date, Signature=00"),
        );
        let refused = api.send(&wire.to_api_request()).await;
        refused.expect_error(401, "APIGW.0301");
        assert!(refused.message().contains("sign with SDK-HMAC-SHA256"), "{refused:?}");
    }
    assert_eq!(api.dump(), before);
}

#[tokio::test]
async fn disabled_access_key_is_rejected_and_still_listed() {
    let api = Api::start(&[]).await;
    let (own, other) = (create_signer(&api, "own1").await, create_signer(&api, "own1").await);
    let list = UnsignedRequest::new("GET", KEYS);
    api.send(&own.sign_access(&list, &[]).to_api_request()).await.expect_status(200);
    let disable = UnsignedRequest::new("DELETE", &format!("{KEYS}/{}", own.key_id));
    for _ in 0..2 {
        api.send(&other.sign_access(&disable, &[]).to_api_request()).await.expect_status(204);
        let refused = api.send(&own.sign_access(&list, &[]).to_api_request()).await;
        refused.expect_error(401, "APIGW.0301");
        assert!(refused.message().contains("disabled"), "{refused:?}");
    }
    let listed = api.send(&other.sign_access(&list, &[]).to_api_request()).await.body;
    let disabled = listed["access_keys"].as_array().unwrap().iter().map(|key| key["disabled_at"].is_string());
    assert_eq!(disabled.collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn access_key_limit_holds_under_concurrency() {
    let api = Api::start(&["access-keys-per-project=3"]).await;
    let (token, new) = (api.token("own1", Role::Member), json!({"name": "ci"}));
    let all = futures_util::future::join_all((0..8).map(|_| create_key(&api, &token, &new))).await;
    let created: Vec<_> = all.iter().filter(|response| response.status == 201).collect();
    assert_eq!(created.len(), 3);
    let before = api.dump_when_idle().await;
    let refused = create_key(&api, &token, &new).await;
    refused.expect_error(403, "IMG.0088");
    assert!(refused.message().contains("3 access keys, the most allowed. Disable one"), "{refused:?}");
    assert_eq!(api.dump(), before);
    // Of another project.
    create_key(&api, &api.token("own2", Role::Member), &new).await.expect_status(201);

    let disable = ApiRequest::new("DELETE", format!("{KEYS}/{}", created[0].body["id"].as_str().unwrap()))
        .token(&token);
    let disabled = futures_util::future::join_all((0..4).map(|_| api.send(&disable))).await;
    assert!(disabled.iter().all(|response| response.status == 204), "{disabled:?}");
    let again: Vec<_> =
        [create_key(&api, &token, &new).await.status, create_key(&api, &token, &new).await.status].into();
    assert_eq!(again, [201, 403], "one that is disabled makes room for one");
}

#[tokio::test]
async fn access_key_with_higher_role_cannot_be_disabled() {
    let api = Api::start(&[]).await;
    let disable = |id: &Value, role| {
        let request = ApiRequest::new("DELETE", format!("{KEYS}/{}", id.as_str().unwrap()));
        request.token(&api.token("own1", role))
    };
    let mut keys = Vec::new();
    for role in ["reader", "member", "admin"] {
        let new = json!({"name": role, "roles": ["reader", role]});
        keys.push(create_key(&api, &api.token("own1", Role::Admin), &new).await.body["id"].clone());
    }
    let before = api.dump_when_idle().await;
    for (key, role, message) in [
        (&keys[0], Role::Reader, "only reads"),
        (&keys[2], Role::Member, "has the role admin, which is more than your own"),
    ] {
        let refused = api.send(&disable(key, role)).await;
        refused.expect_error(403, "IMG.0026");
        assert!(refused.message().contains(message), "{refused:?}");
    }
    assert_eq!(api.dump(), before);
    for (key, role) in [(&keys[0], Role::Member), (&keys[1], Role::Member), (&keys[2], Role::Admin)] {
        api.send(&disable(key, role)).await.expect_status(204);
    }
}

#[tokio::test]
async fn disabled_access_key_expires_after_90_days() {
    let api = Api::start(&[]).await;
    let key = create_signer(&api, "own1").await.key_id;
    let ttl = || {
        let items = api.dump();
        let (_, item) = items.iter().find(|(name, _)| name.contains(&format!("C#{key}"))).unwrap();
        let (_, ttl) = item.split_once("\"ttl\": N(\"")?;
        ttl.split('"').next()?.parse::<i64>().ok()
    };
    assert_eq!(ttl(), None);
    let disable = ApiRequest::new("DELETE", format!("{KEYS}/{key}")).token(&api.token("own1", Role::Member));
    api.send(&disable).await.expect_status(204);
    let days = ttl().unwrap() - Timestamp::now().unix_seconds();
    assert!((90 * 86_400 - 60..=90 * 86_400).contains(&days), "{days}");
}

#[tokio::test]
async fn access_key_secret_is_shown_once_and_never_stored() {
    let api = Api::start(&[]).await;
    let token = api.token("own1", Role::Member);
    let created = create_key(&api, &token, &json!({"name": "ci", "roles": ["reader"]})).await;
    assert_eq!(created.headers["cache-control"], "no-store");
    let secret = created.body["secret"].as_str().unwrap();
    let shown = |text: String| assert!(!text.contains(secret), "{text}");
    shown(format!("{:?}", api.send(&ApiRequest::new("GET", KEYS).token(&token)).await));
    shown(format!("{:?}", api.dump()));
}

#[tokio::test]
async fn access_key_with_higher_role_cannot_be_created() {
    let api = Api::start(&[]).await;
    for (role, wanted, status) in [
        (Role::Reader, json!(["reader"]), 403),
        (Role::Member, json!(["reader", "admin"]), 403),
        (Role::Member, json!(["member"]), 201),
        (Role::Admin, json!(["admin"]), 201),
    ] {
        let created =
            create_key(&api, &api.token("own1", role), &json!({"name": "ci", "roles": wanted})).await;
        created.expect_status(status);
    }
    let reader =
        create_key(&api, &api.token("own1", Role::Member), &json!({"name": "r", "roles": ["reader"]})).await;
    let text = |name: &str| reader.body[name].as_str().unwrap().to_owned();
    let reader = Signer { key_id: text("id"), secret: text("secret"), date: Timestamp::now() };
    api.send(&reader.sign_access(&UnsignedRequest::new("GET", KEYS), &[]).to_api_request())
        .await
        .expect_status(200);
    let new = UnsignedRequest::new("POST", "/v2/images").json("{}");
    api.send(&reader.sign_access(&new, &[]).to_api_request()).await.expect_error(403, "IMG.0026");
}

#[tokio::test]
async fn access_key_list_is_paginated_per_project() {
    let api = Api::start(&[]).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(create_signer(&api, "own1").await.key_id);
    }
    create_signer(&api, "own2").await;
    let (token, mut seen, mut target) =
        (api.token("own1", Role::Reader), Vec::new(), format!("{KEYS}?limit=2"));
    loop {
        let page = api.send(&ApiRequest::new("GET", &target).token(&token)).await.body;
        let keys = page["access_keys"].as_array().unwrap();
        assert!(keys.len() <= 2 && page["page_info"]["current_count"] == keys.len());
        seen.extend(keys.iter().map(|key| key["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["page_info"]["next_marker"].as_str() else { break };
        target = format!("{KEYS}?limit=2&marker={next}");
    }
    assert_eq!(seen, ids);
}

#[tokio::test]
async fn cli_creates_lists_and_disables_access_keys() {
    let imageshare = binary("imageshare");
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap().to_owned();
    let server = ServerProcess::start(&imageshare, &["--data", &data]).await;
    let address = format!("http://{}", server.address);
    let run = async |arguments: &[&str]| {
        let mut command = Command::new(&imageshare);
        command.arg("access-key").args(arguments).args([
            "--project",
            "own1",
            "--server",
            &address,
            "--data",
            &data,
        ]);
        let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (done.status.success(), text(done.stdout), text(done.stderr))
    };
    let (_, created, _) = run(&["create", "--name", "ci", "--role", "reader", "--user", "me"]).await;
    let (id, secret) = created.trim_end().split_once('\n').unwrap();
    let (id, secret) = (id.strip_prefix("id=").unwrap(), secret.strip_prefix("secret=").unwrap());
    let signer = Signer { key_id: id.to_owned(), secret: secret.to_owned(), date: Timestamp::now() };
    let status = async || {
        let wire = signer.sign_access(&UnsignedRequest::new("GET", "/v2/cloudimages"), &[]);
        let request =
            reqwest::Client::new().get(format!("{address}{}", wire.path)).headers(wire.header_map());
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(status().await, 200);

    let (_, listed, _) = run(&["list"]).await;
    assert!(
        listed.starts_with(&format!("{id}\tenabled\treader\t")) && listed.ends_with("\tci\n"),
        "{listed}"
    );
    let (_, listed, _) = run(&["list", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&listed[0]["user"], &listed[0]["secret"]), (&json!("me"), &Value::Null));

    assert_eq!(run(&["disable", id]).await, (true, String::new(), String::new()));
    assert_eq!(status().await, 401);
    assert!(run(&["list"]).await.1.contains("\tdisabled\t"));
    let (done, _, message) = run(&["disable", "nobodys"]).await;
    assert!(!done && message == "imageshare: Your project has no such access key.\n", "{message}");
    drop(server);
    let (done, _, message) = run(&["list"]).await;
    assert!(!done && message.contains("no server answers at http://127.0.0.1:"), "{message}");
}

#[tokio::test]
async fn cli_lists_access_keys_across_pages() {
    let imageshare = binary("imageshare");
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap().to_owned();
    let arguments = ["--data", &data, "--limit", "access-keys-per-project=150"];
    let server = ServerProcess::start(&imageshare, &arguments).await;
    let address = format!("http://{}", server.address);
    let (token, client) = (server.token("own1", "member"), reqwest::Client::new());
    let create = async |_| {
        let new =
            client.post(format!("{address}{KEYS}")).header("X-Auth-Token", &token).body(r#"{"name":"ci"}"#);
        let key: Value = new.send().await.unwrap().json().await.unwrap();
        key["id"].as_str().unwrap().to_owned()
    };
    let mut created = futures_util::future::join_all((0..101).map(create)).await;
    created.sort();
    let mut command = Command::new(&imageshare);
    command.args(["access-key", "list", "--project", "own1", "--server", &address, "--data", &data]);
    let listed = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let ids: Vec<_> = listed.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(ids, created);
}
