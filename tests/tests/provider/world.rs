//! A server, and a configuration with a provider for an owner and one for a recipient.

use imageshare::domain::Role;
use imageshare_tests::api::{Api, ApiRequest};
use imageshare_tests::response::ApiResponse;
use imageshare_tests::terraform::{Project, Release};
use serde_json::{Value, json};

/// The project of the default provider.
pub const OWNER: &str = "own1";
/// The project of the provider `imageshare.recipient`.
pub const RECIPIENT: &str = "mem1";

/// A server with Terraform.
pub struct World {
    pub api: Api,
    pub project: Project,
}

impl World {
    /// A server with an empty table. Returns `None` after a notice if there is no Terraform.
    pub async fn new() -> Option<Self> {
        Self::with_limits(&[]).await
    }

    /// The same with these limits of the server.
    pub async fn with_limits(limits: &[&str]) -> Option<Self> {
        let project = Project::new(Release::Installed).await?;
        Some(Self::over(Api::start(limits).await, project))
    }

    /// A server with an empty table, and the newest Terraform.
    pub async fn newest() -> Option<Self> {
        let project = Project::new(Release::Newest).await?;
        Some(Self::over(Api::start(&[]).await, project))
    }

    /// The same with another address of the server, such as that of a proxy.
    pub fn at(mut self, endpoint: impl Into<String>) -> Self {
        self.project = self.project.env("IMAGESHARE_ENDPOINT", endpoint);
        self
    }

    /// The same with this server.
    pub fn over(api: Api, project: Project) -> Self {
        let endpoint = format!("http://{}", api.address());
        let (owner, recipient) = (api.token(OWNER, Role::Member), api.token(RECIPIENT, Role::Member));
        let project = project
            .env("IMAGESHARE_ENDPOINT", endpoint)
            .env("TF_VAR_owner", owner)
            .env("TF_VAR_recipient", recipient)
            .env("TF_VAR_admin", api.token("admin", Role::Admin));
        Self { api, project }
    }

    /// Replaces the configuration; the providers are added.
    pub fn write(&self, configuration: &str) {
        self.project.write(&format!("{PROVIDERS}{configuration}"));
    }

    /// Writes a configuration and applies it. Then nothing is left to do.
    pub async fn apply(&self, configuration: &str) {
        self.write(configuration);
        self.project.apply().await;
        self.project.expect_no_changes().await;
    }

    /// Sends a request of a project to the server.
    pub async fn send(&self, project: &str, method: &str, path: &str, body: Option<Value>) -> ApiResponse {
        let role = if project == "admin" { Role::Admin } else { Role::Member };
        let request = ApiRequest::new(method, path).token(&self.api.token(project, role));
        let request = if let Some(body) = body { request.json(&body) } else { request };
        self.api.send(&request).await
    }

    /// Registers an image of the owner, and returns its id.
    pub async fn image(&self, members: Value) -> String {
        let response = self.send(OWNER, "POST", "/v2/images", Some(members)).await;
        response.expect_status(201).body["id"].as_str().expect("an id").to_owned()
    }

    /// Shares an image with a project.
    pub async fn share(&self, image: &str, project: &str) {
        let path = format!("/v2/images/{image}/members");
        self.send(OWNER, "POST", &path, Some(json!({"member": project}))).await.expect_status(200);
    }

    /// Stops sharing an image with a project.
    pub async fn unshare(&self, image: &str, project: &str) {
        let path = format!("/v2/images/{image}/members/{project}");
        self.send(OWNER, "DELETE", &path, None).await.expect_status(204);
    }

    /// A project decides on an image.
    pub async fn decide(&self, image: &str, project: &str, status: &str) {
        let path = format!("/v2/images/{image}/members/{project}");
        self.send(project, "PUT", &path, Some(json!({"status": status}))).await.expect_status(200);
    }

    /// The members of an image, as `PROJECT STATUS`.
    pub async fn members(&self, image: &str) -> Vec<String> {
        let response = self.send(OWNER, "GET", &format!("/v2/images/{image}/members"), None).await;
        let members = response.body["members"].as_array().cloned().unwrap_or_default();
        let text = |member: &Value, name: &str| member[name].as_str().unwrap_or_default().to_owned();
        let mut members: Vec<_> =
            members.iter().map(|one| format!("{} {}", text(one, "member_id"), text(one, "status"))).collect();
        members.sort();
        members
    }

    /// An attribute of a resource, which is a text.
    pub async fn text(&self, address: &str, attribute: &str) -> String {
        let state = self.project.state(address).await;
        state[attribute].as_str().unwrap_or_else(|| panic!("no text {attribute} in {state}")).to_owned()
    }

    /// The jobs that the server has.
    pub fn job_kinds(&self) -> Vec<String> {
        self.api.dump().into_keys().filter(|key| key.starts_with("J#")).collect()
    }

    /// Imports a resource in place of the one in the state, and expects the same attributes, except these.
    pub async fn expect_import_equals(&self, address: &str, id: &str, except: &[&str]) {
        let without = |mut state: Value| {
            for name in except {
                state[name] = Value::Null;
            }
            state
        };
        let created = without(self.project.state(address).await);
        self.project.run(&["state", "rm", address]).await.expect_success();
        self.project.import(address, id).await.expect_success();
        assert_eq!(without(self.project.state(address).await), created);
    }
}

const PROVIDERS: &str = r#"
variable "owner" { sensitive = true }
variable "recipient" { sensitive = true }
variable "admin" { sensitive = true }
provider "imageshare" {
  token = var.owner
}
provider "imageshare" {
  alias = "recipient"
  token = var.recipient
}
provider "imageshare" {
  alias = "admin"
  token = var.admin
}
"#;
