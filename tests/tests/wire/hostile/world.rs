//! The attacked server, a valid request for each operation, and the checks of the responses to bad ones.

use std::sync::{Mutex, Once};
use std::time::Duration;

use imageshare::domain::{JobId, Role, Stamp, Timestamp};
use imageshare_tests::api::{Api, ApiRequest, ApiResponse};
use imageshare_tests::api_document::{Operation, Parameter};
use imageshare_tests::local_service::create_message;
use serde_json::{Value, json};

/// A server with one image, whose owner sends the attacks, or an admin where only an admin gets that far, and an
/// image of another project that only its owner may see.
pub struct World {
    pub api: Api,
    pub token: String,
    admin: String,
    pub image: String,
    pub secret_image: String,
    job: String,
    message: String,
}

/// Every panic of the process, including the server's threads.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl World {
    /// The name of the other project's image.
    pub const SECRET_NAME: &'static str = "nobody-else-may-read-this";

    pub async fn start() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let shown = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                // A failing test reports its panic itself.
                if panic.location().is_none_or(|place| !place.file().starts_with("tests/")) {
                    PANICS.lock().unwrap().push(panic.to_string());
                }
                shown(panic);
            }));
        });
        let api = Api::start(&[]).await;
        let token = api.token("own1", Role::Member);
        let new =
            ApiRequest::new("POST", "/v2/images").token(&token).json(&json!({"name": "a", "tags": ["t"]}));
        let image = api.send(&new).await.body["id"].as_str().unwrap().to_owned();
        let admin = api.token("ops", Role::Admin);
        let put = ApiRequest::new("PUT", "/v1/tenants/mem3").token(&admin);
        api.send(&put.json(&json!({"account": "acme", "project": "web"}))).await.expect_status(200);
        let secret = ApiRequest::new("POST", "/v2/images").token(&api.token("other", Role::Member));
        let secret = api.send(&secret.json(&json!({"name": Self::SECRET_NAME}))).await;
        let secret_image = secret.body["id"].as_str().unwrap().to_owned();
        let vault = ApiRequest::new("PUT", "/v1/vaults/v-1").token(&token);
        api.send(&vault.json(&json!({"protection_type": "backup", "capacity_gib": 100})))
            .await
            .expect_status(200);
        let message = create_message(&api.store(), "own1", "other").await.to_string();
        Self { api, token, admin, image, secret_image, job: JobId(Stamp::now()).to_string(), message }
    }

    /// Every operation, also at the path of a minor version if it has one. Those of the console are attacked in `pages.rs`.
    pub fn operations(&self) -> Vec<Operation> {
        let mut operations = self.api.document.operations();
        operations.retain(|operation| !operation.is_page());
        let minor: Vec<_> = operations.iter().filter_map(Operation::with_minor_version).collect();
        [operations, minor].concat()
    }

    pub async fn send(&self, request: &ApiRequest) -> ApiResponse {
        let token = if request.target.starts_with("/v1/tenants") { &self.admin } else { &self.token };
        let response = self.api.send(&request.clone().token(token)).await;
        Self::assert_no_leak(&response.body.to_string());
        response
    }

    pub fn assert_no_leak(body: &str) {
        assert!(!body.contains(Self::SECRET_NAME), "{body}");
    }

    /// A valid value of a path parameter.
    fn valid_parameter(&self, name: &str) -> &str {
        match name {
            "project_id" => "own1",
            "image_id" => &self.image,
            "member_id" => "mem1",
            "job_id" => &self.job,
            "key_id" => "019abc0e4f1c7d3e9b5a6c7d8e9f0a1b",
            "vault_id" => "v-1",
            "message_id" => &self.message,
            "schema_name" => "member",
            "tag" => "t",
            "domain_id" => "acme",
            "rule_name" => "golden",
            "page+" => "images",
            other => panic!("{other} is new: say here what is a good one"),
        }
    }

    /// The ids in an operation's path. A tag is not one: it may be nearly any text.
    pub fn ids_in_path(operation: &Operation) -> impl Iterator<Item = &Parameter> {
        operation.parameters_in("path").filter(|parameter| parameter.name != "tag")
    }

    /// The path of an operation, with one parameter replaced.
    pub fn path_with(&self, path: &str, (name, value): (&str, &str)) -> String {
        let steps = path.split('/').map(|step| {
            match step.strip_prefix('{').and_then(|step| step.strip_suffix('}')) {
                Some(parameter) if parameter == name => value,
                // Another project than the caller's.
                Some("project_id") if path.starts_with("/v1/owners/") => "mem1",
                Some(parameter) => self.valid_parameter(parameter),
                None => step,
            }
        });
        steps.collect::<Vec<_>>().join("/")
    }

    pub fn valid_path(&self, path: &str) -> String {
        self.path_with(path, ("", ""))
    }

    /// A valid body.
    pub fn valid_body(&self, operation: &Operation) -> Value {
        let images = json!([self.image]);
        match operation.id.as_str() {
            "shareImages" | "unshareImages" => {
                let accounts = json!([{"name": "acme"}, {"name": "acme", "project": "web"}]);
                json!({"images": images, "projects": ["mem1", "mem2"], "accounts": accounts})
            }
            "queryMemberships" => {
                json!({"role": "owner", "images": images, "projects": ["mem1"], "status": ["pending"],
                "limit": 2})
            }
            "putVault" => json!({"protection_type": "backup", "capacity_gib": 100, "status": "available"}),
            "putOwner" => json!({"policy": "trusted", "vault_id": "v-1"}),
            "putShareRule" => json!({
                "pattern": {"name": [{"prefix": "a"}], "properties": {"os": ["linux", {"exists": false}]}},
                "recipients": {"projects": ["mem1"], "accounts": [{"name": "acme"}, {"name": "acme", "project": "web"}]},
                "enabled": false, "withdraw_unmatched": true}),
            "putTenant" => json!({"account": "acme", "project": "shop", "region": "local"}),
            "respondToImages" => {
                json!({"images": images, "project_id": "own1", "status": "accepted", "vault_id": "v-1"})
            }
            "createImage" => {
                json!({"name": "a", "id": "7f1b5c0e-0d4a-4a53-9c3e-1f8b7c6d5e4f", "owner": "own1",
                "visibility": "shared", "disk_format": "qcow2", "container_format": "bare", "min_disk": 1, "min_ram": 2,
                "protected": false, "os_hidden": false, "tags": ["t"], "__os_type": "Linux"})
            }
            "createToken" => {
                let user = json!({"id": "key", "password": "secret"});
                json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}},
                    "scope": {"project": {"id": "own1"}}}})
            }
            "createAccessKey" => json!({"name": "ci", "roles": ["member"],
                "expires_at": Timestamp::now().plus(Duration::from_hours(1)).to_iso_seconds(),
                "secret": "a-secret-that-its-client-has-chosen"}),
            "renameAccessKey" => json!({"name": "ci"}),
            "updateImage" => json!([{"op": "replace", "path": "/name", "value": "b"}]),
            "markMessage" => json!({"read": true}),
            "markMessagesRead" => json!({"read_up_to": "2024-11-06T06:30:00.778Z"}),
            "importImageData" => json!({"method": {"name": "glance-direct"}}),
            "addMember" => json!({"member": "mem1"}),
            "updateMember" => json!({"status": "accepted", "vault_id": "v-1"}),
            other => panic!("{other} is new: say here what a good body is"),
        }
    }

    pub fn request(&self, operation: &Operation, body: impl Into<Vec<u8>>) -> ApiRequest {
        ApiRequest::new(&operation.method, self.valid_path(&operation.path)).body(body)
    }
}

/// Collects what was not refused, so that one run reports everything.
#[derive(Default)]
pub struct Failures(Vec<String>);

impl Failures {
    pub fn expect_client_error(&mut self, request: &ApiRequest, response: &ApiResponse) {
        if !(400..500).contains(&response.status) {
            self.0.push(format!("{request:?}\n  got {} {}", response.status, response.body));
        }
    }

    pub fn expect_no_server_error(&mut self, request: &ApiRequest, response: &ApiResponse) {
        if response.status >= 500 {
            self.0.push(format!("{request:?}\n  got {} {}", response.status, response.body));
        }
    }

    pub fn assert_none(self) {
        assert!(self.0.is_empty(), "{} faults:\n{}", self.0.len(), self.0.join("\n"));
        let panics = PANICS.lock().unwrap().clone();
        assert!(panics.is_empty(), "{panics:?}");
    }
}
