//! Tokens for access keys, as clients request them from Keystone.

use imageshare::domain::{Role, Timestamp};
use imageshare_tests::api::{Api, ApiRequest, ApiResponse};
use imageshare_tests::signer::{Signer, UnsignedRequest};
use serde_json::{Value, json};

const TOKENS: &str = "/v3/auth/tokens";

/// A server and an access key of project `own1`.
struct Fixture {
    api: Api,
    id: String,
    secret: String,
}

impl Fixture {
    async fn start() -> Self {
        Self::start_with_roles(&["member"]).await
    }

    async fn start_with_roles(roles: &[&str]) -> Self {
        let api = Api::start(&[]).await;
        let new = json!({"name": "cli", "roles": roles});
        let new =
            ApiRequest::new("POST", "/v1/access-keys").token(&api.token("own1", Role::Member)).json(&new);
        let key = api.send(&new).await.body;
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        Self { id: text("id"), secret: text("secret"), api }
    }

    fn password_identity(&self) -> Value {
        json!({"methods": ["password"], "password": {"user": {"name": self.id, "domain": {"id": "default"},
            "password": self.secret}}})
    }

    async fn request_token(&self, identity: &Value, scope: Option<Value>) -> ApiResponse {
        let mut auth = json!({ "identity": identity });
        if let Some(scope) = scope {
            auth["scope"] = scope;
        }
        self.api.send(&ApiRequest::new("POST", TOKENS).json(&json!({ "auth": auth }))).await
    }

    async fn issue_token(&self) -> String {
        let response = self.request_token(&self.password_identity(), None).await;
        response.expect_status(201);
        response.headers["x-subject-token"].clone()
    }

    async fn get(&self, token: &str, target: &str) -> ApiResponse {
        self.api.send(&ApiRequest::new("GET", target).token(token)).await
    }
}

#[tokio::test]
async fn access_key_gets_a_token_for_its_project() {
    let world = Fixture::start().await;
    let credential = json!({"methods": ["application_credential"],
        "application_credential": {"id": world.id, "secret": world.secret}});
    let scopes = [
        None,
        Some(json!({"project": {"id": "own1"}})),
        Some(json!({"project": {"name": "own1", "domain": {"name": "Default"}}})),
        Some(json!({"project": {"name": "local"}})),
        Some(json!({"domain": {"name": "OTC-EU-DE-00000000001000012345"}})),
    ];
    for identity in [world.password_identity(), credential] {
        for scope in scopes.clone() {
            let response = world.request_token(&identity, scope).await;
            response.expect_status(201);
            assert_eq!(response.headers["cache-control"], "no-store");
            let token = &response.body["token"];
            assert_eq!(
                (&token["project"]["id"], &token["roles"][1]["name"]),
                (&json!("own1"), &json!("member"))
            );
            let image = token["catalog"].as_array().unwrap().iter().find(|of| of["type"] == "image").unwrap();
            assert_eq!(image["endpoints"][0]["url"], "http://images.example", "{image}");
            assert!(!response.body.to_string().contains(&world.secret));
            let bearer = &response.headers["x-subject-token"];
            let new = ApiRequest::new("POST", "/v2/images").token(bearer).json(&json!({"name": "a"}));
            assert_eq!(world.api.send(&new).await.body["owner"], "own1");
        }
    }
}

#[tokio::test]
async fn invalid_credentials_all_get_the_same_response() {
    let world = Fixture::start().await;
    let before = world.api.dump_when_idle().await;
    let user = |id: &str, secret: &str| json!({"methods": ["password"], "password": {"user": {"id": id, "password": secret}}});
    let token = |token: &str| json!({"methods": ["token"], "token": {"id": token}});
    let own = || Some(json!({"project": {"id": "own1"}}));
    let mut refusals = Vec::new();
    for (identity, scope) in [
        (user("nobody", &world.secret), own()),
        (user("a b/c", &world.secret), own()),
        (user(&world.id, "wrong"), own()),
        (user(&world.id, ""), own()),
        (user(&world.id, "wrong"), Some(json!({"project": {"id": "own2"}}))),
        (token("a.b.c"), own()),
        (token(""), own()),
    ] {
        let response = world.request_token(&identity, scope).await;
        assert!(!response.headers.contains_key("x-subject-token"));
        refusals.push((response.status, response.body.to_string()));
    }
    refusals.dedup();
    assert_eq!((refusals.len(), refusals[0].0), (1, 401), "{refusals:?}");
    assert_eq!(world.api.dump(), before, "something was written");
}

#[tokio::test]
async fn credential_for_another_project_returns_403() {
    let world = Fixture::start().await;
    let token = |token: &str| json!({"methods": ["token"], "token": {"id": token}});
    let others = token(&world.api.token("own2", Role::Member));
    let project = |named: Value| Some(json!({ "project": named }));
    for (identity, scope, acting) in [
        (world.password_identity(), project(json!({"id": "own2"})), "own1"),
        (world.password_identity(), project(json!({"name": "shop", "domain": {"name": "Acme"}})), "own1"),
        (world.password_identity(), Some(json!({"system": {"all": true}})), "own1"),
        (world.password_identity(), Some(json!("unscoped")), "own1"),
        (others, project(json!({"id": "own1"})), "own2"),
    ] {
        let refused = world.request_token(&identity, scope.clone()).await;
        refused.expect_error(403, "IMG.0026");
        assert!(refused.message().contains(&format!("acts for project {acting} alone")), "{refused:?}");
        assert!(!refused.headers.contains_key("x-subject-token"));
    }
}

#[tokio::test]
async fn scope_may_use_the_directory_project_name() {
    let world = Fixture::start().await;
    put_tenant(&world.api, "own1", "Acme", "web", "local").await;
    put_tenant(&world.api, "mem1", "Acme", "shop", "local").await;
    for (name, domain, status) in [
        ("web", Some("Acme"), 201),
        ("web", Some("Default"), 201),
        ("web", None, 201),
        ("web", Some("Solo"), 403),
        ("shop", Some("Acme"), 403),
        ("WEB", Some("Acme"), 403),
    ] {
        let mut project = json!({ "name": name });
        if let Some(domain) = domain {
            project["domain"] = json!({ "name": domain });
        }
        let response =
            world.request_token(&world.password_identity(), Some(json!({ "project": project }))).await;
        response.expect_status(status);
    }
}

#[tokio::test]
async fn token_has_the_lifetime_and_roles_of_its_access_key() {
    let world = Fixture::start_with_roles(&["reader"]).await;
    let token = world.issue_token().await;
    let new = ApiRequest::new("POST", "/v2/images").token(&token).json(&json!({"name": "a"}));
    // The key is read-only.
    world.api.send(&new).await.expect_status(403);
    world.get(&token, "/v2/cloudimages").await.expect_status(200);

    let disable = ApiRequest::new("DELETE", format!("/v1/access-keys/{}", world.id));
    world.api.send(&disable.token(&world.api.token("own1", Role::Member))).await.expect_status(204);
    world.get(&token, "/v2/cloudimages").await.expect_error(401, "IMG.0087");
    world.request_token(&world.password_identity(), None).await.expect_status(401);
    let identity = json!({"methods": ["token"], "token": {"id": token}});
    world.request_token(&identity, None).await.expect_status(401);
}

#[tokio::test]
async fn token_can_be_reissued_and_is_visible_to_its_project_only() {
    let world = Fixture::start().await;
    let token = world.issue_token().await;
    let identity = json!({"methods": ["token"], "token": {"id": token}});
    let again = world.request_token(&identity, Some(json!({"project": {"id": "own1"}}))).await;
    again.expect_status(201);
    assert_eq!(again.headers["x-subject-token"], token);

    let show = |method: &str, bearer: &str| {
        ApiRequest::new(method, TOKENS).token(bearer).header("X-Subject-Token", &token)
    };
    let shown = world.api.send(&show("GET", &token)).await;
    shown.expect_status(200);
    assert_eq!(shown.headers["x-subject-token"], token);
    assert_eq!(shown.body["token"]["expires_at"], again.body["token"]["expires_at"]);
    let others = world.api.token("own2", Role::Member);
    assert_eq!(shown.body["token"]["issued_at"], again.body["token"]["issued_at"], "that is when it was got");
    for (bearer, status) in [(&token, 200), (&others, 404), (&"a.b.c".to_owned(), 401)] {
        let get = world.api.send(&show("GET", bearer)).await;
        let head = world.api.send(&show("HEAD", bearer)).await;
        get.expect_status(status);
        head.expect_status(status);
        assert_eq!(head.body, Value::Null);
        for name in ["content-type", "content-length", "x-subject-token", "cache-control"] {
            assert_eq!(head.headers.get(name), get.headers.get(name), "{name}");
        }
    }
    world.api.send(&ApiRequest::new("HEAD", TOKENS).token(&token)).await.expect_status(400);
    let patch = world.api.send(&show("PATCH", &token)).await;
    patch.expect_status(405);
    assert_eq!(patch.headers["allow"], "DELETE, GET, HEAD, POST");
}

#[tokio::test]
async fn revoking_a_token_leaves_other_tokens_valid() {
    let world = Fixture::start().await;
    let (token, kept) = (world.issue_token().await, world.issue_token().await);
    let revoke = |bearer: &str, subject: &str| {
        ApiRequest::new("DELETE", TOKENS).token(bearer).header("X-Subject-Token", subject)
    };
    let strangers = world.api.token("own2", Role::Member);
    let reader = world.api.token("own1", Role::Reader);
    for (bearer, subject, status) in [
        (&strangers, &token, 404),
        (&token, &strangers, 404),
        (&reader, &token, 403),
        (&token, &world.api.token("own1", Role::Admin), 403),
        // A token of a provider cannot be revoked here.
        (&token, &reader, 403),
        (&token, &"a.b.c".to_owned(), 404),
    ] {
        world.api.send(&revoke(bearer, subject)).await.expect_status(status);
        world.get(&token, "/v2/cloudimages").await.expect_status(200);
    }
    world.api.send(&ApiRequest::new("DELETE", TOKENS).token(&token)).await.expect_status(400);

    let revoked = world.api.send(&revoke(&token, &token)).await;
    revoked.expect_status(204);
    assert_eq!(revoked.body, Value::Null);
    let response = world.get(&token, "/v2/cloudimages").await;
    response.expect_error(401, "IMG.0087");
    assert!(response.message().contains("revoked"), "{response:?}");
    let identity = json!({"methods": ["token"], "token": {"id": token}});
    world.request_token(&identity, None).await.expect_status(401);
    // The token is revoked.
    world.api.send(&revoke(&kept, &token)).await.expect_status(404);
    world.get(&kept, "/v2/cloudimages").await.expect_status(200);
    let member = world.api.token("own1", Role::Member);
    // As strong as the key's.
    world.api.send(&revoke(&member, &kept)).await.expect_status(204);
    world.get(&kept, "/v2/cloudimages").await.expect_status(401);
}

#[tokio::test]
async fn token_expiry_is_shown_for_any_timestamp() {
    let world = Fixture::start().await;
    for expires in [4_000_000_000_i64, 253_402_300_800, i64::MAX / 1000] {
        let token =
            world.api.token_expiring_at("own1", Timestamp::from_unix_millis(expires.saturating_mul(1000)));
        let show = ApiRequest::new("GET", TOKENS).token(&token).header("X-Subject-Token", &token);
        let shown = world.api.send(&show).await;
        shown.expect_status(200);
        assert!(shown.body["token"]["expires_at"].as_str().unwrap() > "2096", "{shown:?}");
    }
}

#[tokio::test]
async fn oversized_token_is_rejected() {
    let world = Fixture::start().await;
    let identity = json!({"methods": ["token"], "token": {"id": "x".repeat(15_000)}});
    world.request_token(&identity, None).await.expect_status(401);
}

#[tokio::test]
async fn project_lookup_finds_only_the_own_project() {
    let world = Fixture::start().await;
    let token = world.issue_token().await;
    for (target, name) in [
        ("/v3/projects/own1", "own1"),
        ("/v3/auth/projects", "own1"),
        ("/v3/projects?name=own1", "own1"),
        ("/v3/projects?name=local", "local"),
    ] {
        let body = world.get(&token, target).await.body;
        let project = if body["project"].is_null() { &body["projects"][0] } else { &body["project"] };
        assert_eq!((&project["id"], &project["name"]), (&json!("own1"), &json!(name)), "{target}");
    }
    // The openstack command continues with the id that it was given.
    for target in [
        "/v3/projects",
        "/v3/projects/own2",
        "/v3/projects?name=own2",
        "/v3/projects?name=",
        "/v3/domains",
        "/v3/domains?name=acme",
        "/v3/domains/acme",
    ] {
        world.get(&token, target).await.expect_status(403);
    }
}

/// Adds a project to the directory.
async fn put_tenant(api: &Api, project: &str, account: &str, name: &str, region: &str) {
    let entry = json!({"account": account, "project": name, "region": region});
    let put = ApiRequest::new("PUT", format!("/v1/tenants/{project}")).token(&api.token("ops", Role::Admin));
    api.send(&put.json(&entry)).await.expect_status(200);
}

#[tokio::test]
async fn exact_name_finds_a_project_in_the_own_account() {
    let world = Fixture::start().await;
    for (project, account, name, region) in [
        ("own1", "Acme", "web", "local"),
        ("mem1", "Acme", "Web Shop", "local"),
        ("far1", "Acme", "far", "elsewhere"),
        ("sol1", "Solo", "only", "local"),
    ] {
        put_tenant(&world.api, project, account, name, region).await;
    }
    let token = world.issue_token().await;
    for (query, id) in [
        ("name=web", "own1"),
        ("name=Web%20Shop", "mem1"),
        ("name=Web+Shop&domain_id=default", "mem1"),
        ("name=far", "far1"),
        ("name=only&domain_id=Solo", "sol1"),
        ("name=local", "own1"),
    ] {
        let found = world.get(&token, &format!("/v3/projects?{query}")).await;
        found.expect_status(200);
        assert_eq!(found.body["projects"][0]["id"], json!(id));
        assert_eq!(found.body["projects"].as_array().unwrap().len(), 1);
    }
    let own = world.get(&token, "/v3/auth/projects").await.body;
    let (name, domain) = (&own["projects"][0]["name"], &own["projects"][0]["domain_id"]);
    assert_eq!((name, domain), (&json!("web"), &json!("Acme")));
    let forbidden = world.get(&token, "/v3/projects/nobody").await;
    forbidden.expect_status(403);
    for unknown in [
        "?name=mem1",
        "?name=shop",
        "?name=only",
        "?name=WEB",
        "?name=web&domain_id=Solo",
        "?name=only&domain_id=solo",
        "?domain_id=Solo",
        "/mem1",
        "/only",
        "/web?domain_id=Solo",
    ] {
        let refused = world.get(&token, &format!("/v3/projects{unknown}")).await;
        refused.expect_status(403);
        assert_eq!(refused.body, forbidden.body);
    }
    // For a caller outside the account, the name of a project finds nothing.
    let stranger = world.api.token("str1", Role::Member);
    for unknown in ["?name=web", "?name=own1", "/web", "/own1", "?name=web&domain_id=Acm"] {
        let refused = world.get(&stranger, &format!("/v3/projects{unknown}")).await;
        refused.expect_status(403);
        assert_eq!(refused.body, forbidden.body);
    }
    // If a name is used as an id, clients look for the name.
    for name in ["web", "Web%20Shop", "only?domain_id=Solo"] {
        world.get(&token, &format!("/v3/projects/{name}")).await.expect_error(404, "IMG.0108");
    }
}

#[tokio::test]
async fn project_name_is_not_accepted_as_an_id() {
    let world = Fixture::start().await;
    for (project, name) in [("own1", "web"), ("mem1", "shop"), ("mem2", "mem3"), ("mem3", "mail")] {
        put_tenant(&world.api, project, "Acme", name, "local").await;
    }
    let token = world.issue_token().await;
    let new = ApiRequest::new("POST", "/v2/images").token(&token).json(&json!({"name": "a"}));
    let image = world.api.send(&new).await.body["id"].as_str().unwrap().to_owned();
    let before = world.api.dump_when_idle().await;
    let add = |member: &str| {
        ApiRequest::new("POST", format!("/v2/images/{image}/members")).json(&json!({ "member": member }))
    };
    let share = |project: &str| {
        let body = json!({"images": [image], "projects": ["other", project]});
        ApiRequest::new("POST", "/v1/cloudimages/members").json(&body)
    };
    for request in [add("shop"), share("shop"), add("mail")] {
        let refused = world.api.send(&request.token(&token)).await;
        refused.expect_error(400, "IMG.0104");
        assert!(refused.message().contains("not an id: share with mem"), "{refused:?}");
    }
    let action = "Action=ModifyImagePermission&Version=2020-09-30&RegionId=local&AddAccount.1=shop&ImageId=";
    let action = ApiRequest::new("POST", format!("/?{action}{image}")).token(&token);
    world.api.send(&action).await.expect_status(404);
    assert_eq!(world.api.dump(), before, "something was written");

    // An id of the directory is an id; so is a text that names no project of this account.
    for (owner, member) in [("own1", "mem3"), ("own1", "nobody"), ("str1", "shop")] {
        let token = world.api.token(owner, Role::Member);
        let new = ApiRequest::new("POST", "/v2/images").token(&token).json(&json!({"name": "a"}));
        let image = world.api.send(&new).await.body["id"].as_str().unwrap().to_owned();
        let add =
            ApiRequest::new("POST", format!("/v2/images/{image}/members")).json(&json!({ "member": member }));
        let added = world.api.send(&add.token(&token)).await;
        added.expect_status(200);
        assert_eq!(added.body["member_id"], json!(member));
    }
    // A share made before the name existed is withdrawn by the id that it was made with.
    world.api.send(&add("later").token(&token)).await.expect_status(200);
    put_tenant(&world.api, "new1", "Acme", "later", "local").await;
    let remove = ApiRequest::new("DELETE", format!("/v2/images/{image}/members/later")).token(&token);
    world.api.send(&remove).await.expect_status(204);
}

#[tokio::test]
async fn signed_request_finds_its_project_and_the_catalog() {
    let world = Fixture::start().await;
    let signer = Signer { key_id: world.id.clone(), secret: world.secret.clone(), date: Timestamp::now() };
    for (target, pointer, value) in [
        ("/v3/projects?name=local", "/projects/0/id", "own1"),
        ("/v3/auth/catalog", "/catalog/0/endpoints/0/url", "http://images.example"),
    ] {
        let request = UnsignedRequest::new("GET", target);
        for wire in [signer.sign_access(&request, &["host"]), signer.sign_credential(&request, &[], "", "")] {
            let response = world.api.send(&wire.to_api_request()).await;
            assert_eq!(response.body.pointer(pointer), Some(&json!(value)), "{response:?}");
        }
    }
}
