//! The console: each page, and each form.

mod received;
mod sign_in;

use serde_json::{Value, json};

use super::{Journey, Stage};
use crate::deployment::Deployment;
use crate::events::HttpEvent;
use crate::visitor::Visitor;

impl<S: Stage> Journey<S> {
    /// Opens the pages, and sends their forms.
    pub(super) async fn use_console(&mut self) {
        self.send("console", HttpEvent::new("GET /console", "/console"), 303).await;
        self.open_page("own1", "images").await;
        let image = self.call("own1 POST /v2/images", json!({"name": "console"}), 201).await;
        let image = image["id"].as_str().unwrap_or_default().to_owned();
        let share = json!({"images": [image], "projects": ["mem1"]});
        let job = self.call("own1 POST /v1/cloudimages/members", share, 200).await;
        let job = job["job_id"].as_str().unwrap_or_default().to_owned();
        self.open_page("own1", &format!("images?job={job}")).await;
        self.open_page("own1", &format!("jobs/{job}")).await;
        self.open_page("mem1", "shared").await;
        self.send_form("mem1", "shared", &[("form", "1"), ("image", &image), ("decision", "accept")]).await;
        self.repeat_failures().await;
        self.use_access_keys_by_console().await;
        self.use_directory_by_console().await;
        self.use_received_images().await;
        self.use_vaults_of_the_console().await;
        self.use_messages_of_the_console().await;
        self.use_owners_of_the_console().await;
        self.use_owner_pages().await;
        self.sign_in_and_out().await;
    }

    async fn use_access_keys_by_console(&mut self) {
        self.open_page("own1", "access-keys").await;
        let create = Visitor::form("access-keys", &[("form", "1"), ("name", "console"), ("role", "member")]);
        let create = create.header("sec-fetch-site", "same-origin");
        self.visit("own1", create.clone(), 200).await;
        self.visit("own1", create, 200).await;
        let keys = self.call("own1 GET /v1/access-keys", Value::Null, 200).await;
        let keys = keys["access_keys"].as_array().cloned().unwrap_or_default();
        let key = keys.iter().find(|key| key["name"] == "console").expect("the access key");
        let page = format!("access-keys/{}", key["id"].as_str().unwrap_or_default());
        self.open_page("own1", &page).await;
        self.send_form("own1", &format!("{page}/rename"), &[("name", "console 2")]).await;
        self.send_form("own1", &format!("{page}/disable"), &[]).await;
    }

    async fn use_directory_by_console(&mut self) {
        let entry = [("tenant", "console"), ("account", "console"), ("project", "web"), ("region", "r")];
        self.send_form(super::ADMIN, "directory", &entry).await;
        for page in ["directory", "directory?account=console", "directory?account=console&project=web"] {
            self.open_page(super::ADMIN, page).await;
        }
        self.open_page(super::ADMIN, "directory/console").await;
        let renamed = [("tenant", "console"), ("account", "console"), ("project", "shop"), ("region", "r")];
        self.send_form(super::ADMIN, "directory", &renamed).await;
        self.send_form(super::ADMIN, "directory/console/delete", &[]).await;
    }

    /// Sends the failed pairs of jobs again.
    async fn repeat_failures(&mut self) {
        let details =
            json!({"name": "console", "__system__encrypted": "1", "__system__cmkid": "console-key"});
        let image = self.call("own1 POST /v2/images", details, 201).await;
        let images = json!([image["id"]]);
        let share = json!({"images": images, "projects": ["con1"]});
        let share = self.call("own1 POST /v1/cloudimages/members", share, 200).await;
        let accept = json!({"images": images, "project_id": "con1", "status": "accepted"});
        let accept = self.call("con1 PUT /v1/cloudimages/members", accept, 200).await;
        self.call("own1 PUT /v1/keys/console-key/grants/con1", Value::Null, 200).await;
        for (project, job) in [("own1", share), ("con1", accept)] {
            let job = job["job_id"].as_str().unwrap_or_default().to_owned();
            self.send_form(project, &format!("jobs/{job}"), &[("form", "2")]).await;
        }
    }

    /// Opens a page below `/console` as a member of a project, or as an administrator.
    pub(in crate::journey) async fn open_page(&mut self, project: &str, page: &str) {
        let event = HttpEvent::new("GET /console/{page+}", &format!("/console/{page}"));
        self.visit(project, event, 200).await;
    }

    /// Sends a form to a page, which is carried out.
    pub(super) async fn send_form(&mut self, project: &str, page: &str, fields: &[(&str, &str)]) {
        self.show_form(project, page, fields, 303).await;
    }

    /// Sends a form to a page, which answers with that status.
    pub(super) async fn show_form(
        &mut self,
        project: &str,
        page: &str,
        fields: &[(&str, &str)],
        status: u64,
    ) {
        let event = Visitor::form(page, fields).header("sec-fetch-site", "same-origin");
        self.visit(project, event, status).await;
    }

    async fn visit(&mut self, project: &str, event: HttpEvent, status: u64) -> Value {
        let role = if project == super::ADMIN { "admin" } else { "member" };
        let cookie = format!("__Host-imageshare={}", Deployment::token(project, role));
        self.send("console", event.header("cookie", &cookie), status).await
    }
}
