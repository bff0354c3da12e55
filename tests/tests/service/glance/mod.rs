//! The Glance facade over HTTP, compared with `contract/glance.md`, measured on the real one.

mod concurrency;
mod differences;
mod discovery;
mod entity_tags;
mod inbox;
mod life_cycle;
mod list;
mod members;
mod permissions;
mod properties;
mod retries;
mod tags;

use imageshare::domain::{Role, Timestamp};
use imageshare_tests::api::{Api, ApiRequest, ApiResponse};
use serde_json::{Value, json};

/// A server, with shorthands for requests.
struct World {
    api: Api,
}

impl World {
    async fn start(limits: &[&str]) -> Self {
        Self { api: Api::start(limits).await }
    }

    /// Sends a request as a member of a project.
    async fn request(&self, project: &str, method: &str, target: &str) -> ApiResponse {
        self.send(project, Role::Member, ApiRequest::new(method, target)).await
    }

    /// Sends a request with a body as a member of a project.
    async fn request_with_body(
        &self,
        project: &str,
        method: &str,
        target: &str,
        body: &Value,
    ) -> ApiResponse {
        self.send(project, Role::Member, ApiRequest::new(method, target).json(body)).await
    }

    async fn send(&self, project: &str, role: Role, request: ApiRequest) -> ApiResponse {
        self.api.send(&request.token(&self.api.token(project, role))).await
    }

    /// Registers an image, at least a millisecond before the next one, so that the order of lists is defined.
    async fn create_image(&self, owner: &str, details: &Value) -> String {
        let role = if details["visibility"] == "public" { Role::Admin } else { Role::Member };
        let created = self.send(owner, role, ApiRequest::new("POST", "/v2/images").json(details)).await;
        created.expect_status(201);
        let moment = Timestamp::now();
        while Timestamp::now() == moment {
            tokio::task::yield_now().await;
        }
        created.body["id"].as_str().unwrap().to_owned()
    }

    async fn set_visibility(&self, owner: &str, image: &str, visibility: &str) {
        let patch = json!([{"op": "replace", "path": "/visibility", "value": visibility}]);
        let patch = ApiRequest::new("PATCH", format!("/v2/images/{image}")).json(&patch);
        self.send(owner, Role::Admin, patch).await.expect_status(200);
        // The lists of its members change when the job of this change is executed.
        self.api.wait_until_idle().await;
    }

    async fn add(&self, owner: &str, image: &str, member: &str) -> ApiResponse {
        self.request_with_body(
            owner,
            "POST",
            &format!("/v2/images/{image}/members"),
            &json!({"member": member}),
        )
        .await
    }

    async fn decide(&self, member: &str, image: &str, status: &str) -> ApiResponse {
        let target = format!("/v2/images/{image}/members/{member}");
        self.request_with_body(member, "PUT", &target, &json!({"status": status})).await
    }

    async fn remove(&self, owner: &str, image: &str, member: &str) -> ApiResponse {
        self.request(owner, "DELETE", &format!("/v2/images/{image}/members/{member}")).await
    }

    /// Shares an image. The member decides, unless the status is pending.
    async fn share(&self, owner: &str, image: &str, member: &str, status: &str) {
        self.add(owner, image, member).await.expect_status(200);
        if status != "pending" {
            self.decide(member, image, status).await.expect_status(200);
        }
    }

    /// The members of an image with their statuses, as a project sees them.
    async fn members(&self, project: &str, image: &str) -> String {
        let response = self.request(project, "GET", &format!("/v2/images/{image}/members")).await;
        response.expect_status(200);
        let members = response.body["members"].as_array().unwrap().iter();
        let text = |member: &Value, name: &str| member[name].as_str().unwrap().to_owned();
        let members =
            members.map(|member| format!("{}:{}", text(member, "member_id"), text(member, "status")));
        members.collect::<Vec<_>>().join(" ")
    }

    /// The names of the images in a project's list, in order.
    async fn image_names(&self, project: &str, query: &str) -> String {
        let response = self.request(project, "GET", &format!("/v2/images?{query}")).await;
        response.expect_status(200);
        image_names_on(&response.body)
    }
}

fn image_names_on(page: &Value) -> String {
    let images = page["images"].as_array().unwrap().iter();
    images.map(|image| image["name"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}
