//! Alibaba's API over HTTP: what its SDKs send, the rules of seed 002, and that a call takes effect wholly or not at
//! all.

mod lists;
mod permissions;
mod refusals;
mod requests;

use std::collections::BTreeSet;

use imageshare::domain::Role;
use imageshare_tests::api::{Api, ApiRequest, ApiResponse};
use serde_json::{Value, json};

const MEMBERS: &str = "/v1/cloudimages/members";
const ECD_VERSION: &str = "2020-09-30";
const ECS_VERSION: &str = "2014-05-26";

/// Where a request has its parameters.
#[derive(Debug, Clone, Copy)]
enum RequestStyle {
    /// As the old SDK and signature version 1: everything in the query.
    PostQuery,
    /// As the new SDK: the action in headers.
    PostHeaders,
    PostForm,
    Get,
}

const STYLES: [RequestStyle; 4] =
    [RequestStyle::PostQuery, RequestStyle::PostHeaders, RequestStyle::PostForm, RequestStyle::Get];

/// A caller with a token.
struct Client<'a> {
    api: &'a Api,
    id: &'static str,
    token: String,
}

impl<'a> Client<'a> {
    fn new(api: &'a Api, id: &'static str) -> Self {
        Self { api, id, token: api.token(id, Role::Member) }
    }

    fn admin(api: &'a Api, id: &'static str) -> Self {
        Self { api, id, token: api.token(id, Role::Admin) }
    }

    async fn create_image(&self, details: &Value) -> String {
        let response =
            self.api.send(&ApiRequest::new("POST", "/v2/images").token(&self.token).json(details)).await;
        response.expect_status(201);
        response.body["id"].as_str().unwrap().to_owned()
    }

    async fn call_with_style(
        &self,
        style: RequestStyle,
        version: &str,
        action: &str,
        parameters: &str,
    ) -> ApiResponse {
        let parameters = format!("RegionId=local&{parameters}");
        let all = format!("Action={action}&Version={version}&{parameters}");
        let request = match style {
            RequestStyle::PostQuery => ApiRequest::new("POST", format!("/?{all}")),
            RequestStyle::Get => ApiRequest::new("GET", format!("/?{all}")),
            RequestStyle::PostForm => ApiRequest::new("POST", "/")
                .typed_body("application/x-www-form-urlencoded; charset=UTF-8", all),
            RequestStyle::PostHeaders => ApiRequest::new("POST", format!("/?{parameters}"))
                .header("x-acs-action", action)
                .header("x-acs-version", version),
        };
        self.api.send(&request.token(&self.token)).await
    }

    async fn call_action(&self, version: &str, action: &str, parameters: &str) -> ApiResponse {
        self.call_with_style(RequestStyle::PostQuery, version, action, parameters).await
    }

    async fn modify_permission(&self, image: &str, accounts: &str) -> ApiResponse {
        self.call_action(ECD_VERSION, "ModifyImagePermission", &format!("ImageId={image}&{accounts}")).await
    }

    async fn list_accounts(&self, image: &str) -> Value {
        let response =
            self.call_action(ECD_VERSION, "DescribeImagePermission", &format!("ImageId={image}")).await;
        response.expect_status(200);
        response.body["AliUids"].clone()
    }

    /// The images that a call describes, by id.
    async fn list_image_ids(&self, parameters: &str) -> BTreeSet<String> {
        let response = self.call_action(ECD_VERSION, "DescribeImages", parameters).await;
        response.expect_status(200);
        assert_eq!(response.body["NextToken"], "");
        let images = response.body["Images"].as_array().unwrap();
        images.iter().map(|image| image["ImageId"].as_str().unwrap().to_owned()).collect()
    }

    /// The status of each project, from the IMS list of members.
    async fn member_statuses(&self, image: &str) -> Value {
        let target = format!("/v1/{}/cloudimages/{image}/members", self.id);
        let response = self.api.send(&ApiRequest::new("GET", target).token(&self.token)).await;
        let members = response.body["members"].as_array().unwrap_or_else(|| panic!("{response:?}"));
        let status =
            |member: &Value| (member["member_id"].as_str().unwrap().to_owned(), member["status"].clone());
        members.iter().map(status).collect()
    }

    /// Makes a batch call of IMS and waits for its job.
    async fn run_batch_job(&self, method: &str, body: &Value) {
        let accepted = self.api.send(&ApiRequest::new(method, MEMBERS).token(&self.token).json(body)).await;
        let job = self.api.wait_for_job(&self.token, self.id, &accepted).await;
        assert_eq!(job["status"], "SUCCESS", "{job}");
    }

    async fn patch_image(&self, image: &str, path: &str, value: &str) {
        let change = json!([{"op": "add", "path": path, "value": value}]);
        let request =
            ApiRequest::new("PATCH", format!("/v2/images/{image}")).token(&self.token).json(&change);
        self.api.send(&request).await.expect_status(200);
    }
}

fn id_set(ids: &[&String]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).clone()).collect()
}

#[track_caller]
fn assert_refused(response: &ApiResponse, status: u16, code: &str) {
    response.expect_error(status, code);
    assert_eq!(response.body["HostId"], "images.example");
    assert!(response.body["Recommend"].as_str().unwrap().contains(code), "{response:?}");
}
