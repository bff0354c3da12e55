//! Alibaba's API over HTTP: what its SDKs send, the rules of seed 002, and that a call takes effect wholly or not at
//! all.

use std::collections::BTreeSet;

use imageshare::domain::Role;
use imageshare_tests::api::{Api, ApiRequest, ApiResponse};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
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

#[tokio::test]
async fn every_action_works_in_every_request_style() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    for style in STYLES {
        let image =
            owner.create_image(&json!({"name": "golden", "__os_type": "Windows", "min_disk": 80})).await;
        let of = |more: &str| format!("ImageId={image}{more}");
        let add = of("&AddAccount.1=118272523431001&AddAccount.2=118272523431002");
        let response = owner.call_with_style(style, ECD_VERSION, "ModifyImagePermission", &add).await;
        response.expect_status(200);
        assert_eq!(response.body.as_object().unwrap().len(), 1, "nothing but the RequestId: {response:?}");
        let listed = owner.call_with_style(style, ECD_VERSION, "DescribeImagePermission", &of("")).await;
        assert_eq!(listed.body["AliUids"], json!(["118272523431001", "118272523431002"]), "{style:?}");

        let change =
            of("&RemoveAccount.1=118272523431002&AddAccount.1=118272523431003&IsPublic=False&DryRun=False");
        owner
            .call_with_style(style, ECS_VERSION, "ModifyImageSharePermission", &change)
            .await
            .expect_status(200);
        let listed =
            owner.call_with_style(style, ECS_VERSION, "DescribeImageSharePermission", &of("")).await.body;
        assert_eq!(
            (&listed["TotalCount"], &listed["PageNumber"], &listed["PageSize"]),
            (&json!(2), &json!(1), &json!(10))
        );
        assert_eq!((&listed["ImageId"], &listed["RegionId"]), (&json!(image), &json!("local")));
        let accounts = listed["Accounts"]["Account"].as_array().unwrap();
        let ids: Vec<_> = accounts.iter().map(|account| &account["AliyunId"]).collect();
        assert_eq!(ids, ["118272523431001", "118272523431003"]);

        let images = owner
            .call_with_style(style, ECD_VERSION, "DescribeImages", &format!("ImageId.1={image}"))
            .await
            .body;
        let shown = &images["Images"][0];
        for (name, value) in [
            ("ImageId", json!(image)),
            ("ImageType", json!("CUSTOM")),
            ("Name", json!("golden")),
            ("Status", json!("Available")),
            ("OsType", json!("Windows")),
            ("Size", json!(80)),
            ("SharedCount", json!(2)),
            ("VolumeEncryptionEnabled", json!(false)),
        ] {
            assert_eq!(shown[name], value, "{shown}");
        }
    }
}

#[tokio::test]
async fn alibaba_and_ims_see_the_same_shares() {
    let api = Api::start(&[]).await;
    let (owner, one, two) = (Client::new(&api, "1001"), Client::new(&api, "2001"), Client::new(&api, "2002"));
    let image = owner.create_image(&json!({"name": "a"})).await;
    owner.modify_permission(&image, "AddAccount.1=2001").await.expect_status(200);
    assert_eq!(owner.member_statuses(&image).await, json!({"2001": "accepted"}));
    assert_eq!(one.list_image_ids("ImageType=SHARED").await, id_set(&[&image]));
    let list = ApiRequest::new("GET", "/v2/cloudimages?member_status=accepted").token(&one.token);
    assert_eq!(api.send(&list).await.body["images"][0]["id"], image.as_str());

    owner.run_batch_job("POST", &json!({"images": [image], "projects": ["2002"]})).await;
    assert_eq!(
        owner.list_accounts(&image).await,
        json!(["2001", "2002"]),
        "an offer is a share to its owner"
    );
    assert_eq!(two.list_image_ids("").await, id_set(&[]), "and nothing to use before it is accepted");
    let decision = |status: &str| json!({"images": [image], "project_id": "2002", "status": status});
    two.run_batch_job("PUT", &decision("accepted")).await;
    assert_eq!(two.list_image_ids("").await, id_set(&[&image]));
    assert_eq!(
        two.list_image_ids(&format!("ImageId.1={image}&ImageId.2=none&ImageId.3=a%2Fb")).await,
        id_set(&[&image])
    );

    two.run_batch_job("PUT", &decision("rejected")).await;
    owner.modify_permission(&image, "AddAccount.1=2002").await.expect_status(200);
    assert_eq!(
        owner.member_statuses(&image).await,
        json!({"2001": "accepted", "2002": "rejected"}),
        "a no is a no"
    );

    owner.run_batch_job("DELETE", &json!({"images": [image], "projects": ["2001"]})).await;
    owner.modify_permission(&image, "RemoveAccount.1=2002&RemoveAccount.2=nobody").await.expect_status(200);
    assert_eq!((owner.list_accounts(&image).await, one.list_image_ids("").await), (json!([]), id_set(&[])));
}

#[tokio::test]
async fn adding_an_account_accepts_its_pending_share() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    let image = owner.create_image(&json!({})).await;
    owner.run_batch_job("POST", &json!({"images": [image], "projects": ["2001"]})).await;
    assert_eq!(owner.member_statuses(&image).await, json!({"2001": "pending"}));
    owner.modify_permission(&image, "AddAccount.1=2001").await.expect_status(200);
    assert_eq!(owner.member_statuses(&image).await, json!({"2001": "accepted"}));
}

#[tokio::test]
async fn invalid_call_returns_alibaba_error_and_writes_nothing() {
    let api = Api::start(&["members-per-image=3"]).await;
    let owner = Client::new(&api, "1001");
    let image = owner.create_image(&json!({"name": "a"})).await;
    owner.modify_permission(&image, "AddAccount.1=2001&AddAccount.2=2002").await;
    let encrypted = owner.create_image(&json!({"__system__cmkid": "key-1"})).await;
    let by_a_service_key = owner.create_image(&json!({"__system__encrypted": "1"})).await;
    let private = owner.create_image(&json!({"visibility": "private"})).await;
    let community = owner.create_image(&json!({"visibility": "community"})).await;
    let public = Client::admin(&api, "1001").create_image(&json!({"visibility": "public"})).await;
    let before = api.dump_when_idle().await;
    let add = "AddAccount.1=2003";
    for (image, accounts, status, code) in [
        ("none", add, 404, "InvalidImageId.NotFound"),
        ("a%2Fb", add, 404, "InvalidImageId.NotFound"),
        ("", add, 400, "MissingParameter"),
        (&image, "", 400, "MissingParameter"),
        (&image, "AddAccount=2003", 400, "InvalidParameter"),
        (&image, "AddAccount.0=2003", 400, "InvalidParameter"),
        (&image, "AddAccount.1=2003&AddAccount.1=2004", 400, "InvalidParameter"),
        (&image, "AddAccount.1=2003&RemoveAccount.1=2003", 400, "InvalidParameter"),
        (&image, "AddAccount.1=2003&AddAccount.2=a%2Fb", 404, "InvalidAccount.NotFound"),
        (&image, "AddAccount.1=2003&RemoveAccount.2=%23", 404, "InvalidAccount.NotFound"),
        (&image, "AddAccount.1=2003&AddAccount.2=1001", 404, "InvalidAccount.Forbbiden"),
        (&image, "AddAccount.1=2003&AddAccount.2=2004", 403, "QuotaExceed.ShareImageUser"),
        (&encrypted, add, 403, "OperationDeined.EncryptedSnapshot"),
        (&by_a_service_key, add, 403, "OperationDeined.EncryptedSnapshot"),
        (&private, add, 403, "OperationDenied.InvalidImageStatus"),
        (&community, add, 403, "Image.Public"),
        (&public, add, 403, "Image.Public"),
    ] {
        assert_refused(&owner.modify_permission(image, accounts).await, status, code);
    }
    for (more, status, code) in [
        ("IsPublic=True", 403, "CurrentRegion.NotSupportPublicImage"),
        ("LaunchPermission=hide", 400, "ForbiddenParameter.LaunchPermission"),
        ("AddGroup.1=all", 404, "InvalidGroup.Malformed"),
        ("DryRun=perhaps", 400, "InvalidParameter"),
        ("DryRun=True", 400, "DryRunOperation"),
    ] {
        let parameters = format!("ImageId={image}&{add}&{more}");
        assert_refused(
            &owner.call_action(ECS_VERSION, "ModifyImageSharePermission", &parameters).await,
            status,
            code,
        );
    }
    let over = format!("ImageId={image}&AddAccount.1=2003&AddAccount.2=2004&DryRun=true");
    let dry = owner.call_action(ECS_VERSION, "ModifyImageSharePermission", &over).await;
    assert_refused(&dry, 403, "QuotaExceed.ShareImageUser");
    assert_eq!(api.dump(), before, "something was written");
}

#[tokio::test]
async fn unknown_action_or_other_region_is_rejected() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    let image = owner.create_image(&json!({})).await;
    let before = api.dump_when_idle().await;
    let modify = format!("ImageId={image}&AddAccount.1=2001");
    for (version, action) in [
        (ECS_VERSION, "ModifyImagePermission"),
        (ECD_VERSION, "ModifyImageSharePermission"),
        (ECD_VERSION, "CopyImage"),
        ("2017-11-10", "ModifyImageSharePermission"),
    ] {
        assert_refused(&owner.call_action(version, action, &modify).await, 404, "InvalidApi.NotFound");
    }
    let send = async |method: &str, target: String| {
        api.send(&ApiRequest::new(method, target).token(&owner.token)).await
    };
    let action = "Action=ModifyImagePermission&Version=2020-09-30";
    let elsewhere = send("POST", format!("/?{action}&{modify}&RegionId=cn-hangzhou")).await;
    assert_refused(&elsewhere, 404, "InvalidRegionId.NotFound");
    for (target, named) in [
        (format!("/?{action}&{modify}"), "RegionId"),
        (format!("/?{action}&{modify}&RegionId="), "RegionId"),
        (format!("/?{action}&RegionId=local&AddAccount.1=2001"), "ImageId"),
        (format!("/?Action=ModifyImagePermission&RegionId=local&{modify}"), "Version"),
    ] {
        let response = send("POST", target).await;
        assert_refused(&response, 400, "MissingParameter");
        let message = format!(
            "The input parameter \"{named}\" that is mandatory for processing this request is not supplied."
        );
        assert_eq!(response.message(), message);
    }
    let nothing = send("POST", "/".to_owned()).await;
    assert!(nothing.message().contains("\"Action\""), "{nothing:?}");
    let two = ApiRequest::new("POST", format!("/?{action}&RegionId=local&{modify}")).token(&owner.token);
    assert_refused(&api.send(&two.header("x-acs-action", "DescribeImages")).await, 400, "InvalidParameter");
    let json =
        ApiRequest::new("POST", format!("/?{action}&RegionId=local&{modify}")).token(&owner.token).body("{}");
    assert_refused(&api.send(&json).await, 400, "InvalidParameter");
    assert_eq!(api.dump(), before, "something was written");
}

#[tokio::test]
async fn accounts_beyond_ten_are_reported_as_ignored() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    let image = owner.create_image(&json!({})).await;
    let accounts = |kind: &str, from: usize| {
        let one = |n: usize| format!("{kind}.{n}={}", from + n);
        (1..=11).map(one).collect::<Vec<_>>().join("&")
    };
    let response = owner.modify_permission(&image, &accounts("AddAccount", 2000)).await;
    response.expect_status(200);
    assert_eq!(response.headers["x-ignored-parameters"], "AddAccount.11");
    let both = format!("{}&{}", accounts("RemoveAccount", 2000), accounts("AddAccount", 3000));
    let response = owner.modify_permission(&image, &both).await;
    response.expect_status(200);
    assert_eq!(response.headers["x-ignored-parameters"], "AddAccount.11, RemoveAccount.11");
    let shared: Vec<_> = (3001..=3010).map(|id| id.to_string()).collect();
    assert_eq!(owner.list_accounts(&image).await, json!(shared));
    let response = owner.modify_permission(&image, "AddAccount.99999999999999999999999=a").await;
    response.expect_status(200);
    assert_eq!(owner.list_accounts(&image).await, json!(shared));
    assert!(
        !owner.modify_permission(&image, "AddAccount.1=a").await.headers.contains_key("x-ignored-parameters")
    );
}

#[tokio::test]
async fn only_owner_shares_and_stranger_gets_404() {
    let api = Api::start(&[]).await;
    let (owner, recipient, stranger) =
        (Client::new(&api, "1001"), Client::new(&api, "2001"), Client::new(&api, "9001"));
    let image = owner.create_image(&json!({})).await;
    owner.modify_permission(&image, "AddAccount.1=2001&AddAccount.2=2002").await;
    let before = api.dump_when_idle().await;
    for accounts in [
        "AddAccount.1=2003",
        "RemoveAccount.1=2002",
        "AddAccount.1=2001",
        "AddAccount.1=2001&RemoveAccount.1=2002",
    ] {
        assert_refused(&recipient.modify_permission(&image, accounts).await, 403, "Forbidden.RAM");
        let response = stranger.modify_permission(&image, accounts).await;
        assert_refused(&response, 404, "InvalidImageId.NotFound");
        assert_eq!(response.message(), stranger.modify_permission("none", accounts).await.message());
    }
    let permission = format!("ImageId={image}");
    assert_eq!(recipient.list_accounts(&image).await, json!(["2001"]), "a recipient sees only itself");
    assert_refused(
        &stranger.call_action(ECD_VERSION, "DescribeImagePermission", &permission).await,
        404,
        "InvalidImageId.NotFound",
    );
    assert_eq!(stranger.list_image_ids(&format!("ImageId.1={image}")).await, id_set(&[]));
    let shown = recipient.call_action(ECD_VERSION, "DescribeImages", "").await.body["Images"][0].clone();
    assert_eq!((&shown["ImageType"], shown.get("SharedCount")), (&json!("SHARED"), None));
    let reader = Client { token: api.token("1001", Role::Reader), ..Client::new(&api, "1001") };
    assert_refused(&reader.modify_permission(&image, "AddAccount.1=2003").await, 403, "Forbidden.RAM");
    let anonymous =
        api.send(&ApiRequest::new("POST", "/?Action=DescribeImages&Version=2020-09-30&RegionId=local")).await;
    assert_refused(&anonymous, 401, "InvalidSecurityToken");
    assert_eq!(api.dump(), before, "something was written");
}

#[tokio::test]
async fn unshareable_image_can_still_be_unshared() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    let private = owner.create_image(&json!({})).await;
    owner.modify_permission(&private, "AddAccount.1=2001").await;
    owner.patch_image(&private, "/visibility", "private").await;
    // Shared by IMS, with a key grant, which this API does not have.
    let encrypted = owner.create_image(&json!({"__system__cmkid": "key-1"})).await;
    let grant = ApiRequest::new("PUT", "/v1/keys/key-1/grants/2001").token(&owner.token);
    api.send(&grant).await.expect_status(200);
    owner.run_batch_job("POST", &json!({"images": [encrypted], "projects": ["2001"]})).await;
    for image in [private, encrypted] {
        owner.modify_permission(&image, "AddAccount.1=2002").await.expect_status(403);
        owner.modify_permission(&image, "RemoveAccount.1=2001").await.expect_status(200);
        owner.patch_image(&image, "/visibility", "shared").await;
        assert_eq!(owner.list_accounts(&image).await, json!([]));
    }
}

#[tokio::test]
async fn concurrent_calls_are_atomic_and_respect_the_member_limit() {
    let api = Api::start(&["members-per-image=7"]).await;
    let owner = Client::new(&api, "1001");
    let image = owner.create_image(&json!({})).await;
    let call = async |n: usize| {
        let response = owner.modify_permission(&image, &format!("AddAccount.1={n}a&AddAccount.2={n}b")).await;
        assert!([200, 403].contains(&response.status), "{response:?}");
        (n, response.status == 200)
    };
    let responses = futures_util::future::join_all((1..=6).map(call)).await;
    let mut expected: Vec<String> = Vec::new();
    for (n, done) in responses {
        if done {
            expected.extend([format!("{n}a"), format!("{n}b")]);
        }
    }
    assert_eq!(expected.len(), 6, "three of six have room");
    assert_eq!(owner.list_accounts(&image).await, json!(expected));
    let counted = owner.call_action(ECD_VERSION, "DescribeImages", &format!("ImageId.1={image}")).await;
    assert_eq!(counted.body["Images"][0]["SharedCount"], 6);
}

#[tokio::test]
async fn concurrent_opposite_calls_are_serialized() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    let image = owner.create_image(&json!({})).await;
    for _ in 0..10 {
        let (one, other) = tokio::join!(
            owner.modify_permission(&image, "AddAccount.1=a&RemoveAccount.1=b"),
            owner.modify_permission(&image, "AddAccount.1=b&RemoveAccount.1=a")
        );
        one.expect_status(200);
        other.expect_status(200);
        let accounts = owner.list_accounts(&image).await;
        assert!(accounts == json!(["a"]) || accounts == json!(["b"]), "{accounts}");
    }
}

#[tokio::test]
async fn images_are_filtered_by_ecd_attributes() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    let details = json!({"GpuCategory": "True", "AppVersion": "7.2", "FotaVersion": "2.1", "DesktopInstanceType": "ecd.basic"});
    let with = owner.create_image(&details).await;
    let without = owner.create_image(&json!({"GpuCategory": "false", "AppVersion": "6"})).await;
    let silent = owner.create_image(&json!({})).await;
    for (filter, found) in [
        ("GpuCategory=True", id_set(&[&with])),
        ("GpuCategory=true&FotaVersion=2.1&DesktopInstanceType=ecd.basic", id_set(&[&with])),
        ("GpuCategory=False", id_set(&[&without, &silent])),
        ("GpuCategory=", id_set(&[&with, &without, &silent])),
        ("FotaVersion=2.2", id_set(&[])),
    ] {
        assert_eq!(owner.list_image_ids(filter).await, found, "{filter}");
    }
    let shown =
        owner.call_action(ECD_VERSION, "DescribeImages", &format!("ImageId.1={with}")).await.body["Images"]
            [0]
        .clone();
    assert_eq!((&shown["GpuCategory"], &shown["AppVersion"]), (&json!(true), &json!("7.2")));
    assert_refused(
        &owner.call_action(ECD_VERSION, "DescribeImages", "GpuCategory=some").await,
        400,
        "InvalidParameter",
    );
}

#[tokio::test]
async fn describe_lists_are_paginated() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    let mut images = Vec::new();
    for n in 0..5 {
        images.push(owner.create_image(&json!({"name": format!("image {n}"), "ProtocolType": "ASP"})).await);
    }
    images.reverse();
    let ids: Vec<_> = (1..).zip(&images).map(|(n, id)| format!("ImageId.{n}={id}")).collect();
    for filter in ["ImageStatus=Available&ProtocolType=ASP".to_owned(), ids.join("&")] {
        let (mut found, mut token) = (Vec::new(), String::new());
        for page in 1..=3 {
            let parameters = format!("{filter}&MaxResults=2&NextToken={token}");
            let response = owner.call_action(ECD_VERSION, "DescribeImages", &parameters).await.body;
            for image in response["Images"].as_array().unwrap() {
                found.push(image["ImageId"].as_str().unwrap().to_owned());
            }
            token = response["NextToken"].as_str().unwrap().to_owned();
            assert_eq!(token.is_empty(), page == 3, "{response}");
        }
        assert_eq!(found, images);
    }
    for (filter, count) in [
        ("ImageName=image+3", 1),
        ("ImageName=image", 0),
        ("ImageStatus=Creating", 0),
        ("OsType=linux", 0),
        ("ProtocolType=HDX", 0),
        ("ImageType=SYSTEM", 0),
        ("ImageType=custom", 5),
    ] {
        assert_eq!(owner.list_image_ids(filter).await.len(), count, "{filter}");
    }
    for bad in
        ["MaxResults=0", "MaxResults=101", "NextToken=x", "ImageType=MINE", "ImageId.51=a", "ImageId=a"]
    {
        assert_refused(&owner.call_action(ECD_VERSION, "DescribeImages", bad).await, 400, "InvalidParameter");
    }

    let image = &images[0];
    owner.modify_permission(image, "AddAccount.1=a&AddAccount.2=b&AddAccount.3=c").await;
    for (page, size, expected) in
        [(1, 2, vec!["a", "b"]), (2, 2, vec!["c"]), (3, 2, vec![]), (1_000_000, 100, vec![])]
    {
        let parameters = format!("ImageId={image}&PageNumber={page}&PageSize={size}");
        let response = owner.call_action(ECS_VERSION, "DescribeImageSharePermission", &parameters).await.body;
        let accounts = response["Accounts"]["Account"].as_array().unwrap();
        let ids: Vec<_> = accounts.iter().map(|account| account["AliyunId"].as_str().unwrap()).collect();
        assert_eq!((ids, &response["TotalCount"]), (expected, &json!(3)));
    }
    for bad in ["PageNumber=0", "PageSize=101", "PageSize=-1", "PageNumber=99999999999999999999"] {
        let parameters = format!("ImageId={image}&{bad}");
        assert_refused(
            &owner.call_action(ECS_VERSION, "DescribeImageSharePermission", &parameters).await,
            400,
            "InvalidParameter",
        );
    }
}

#[test]
fn arbitrary_parameters_get_a_documented_response() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let api = runtime.block_on(Api::start(&[]));
    let owner = Client::new(&api, "1001");
    let image = runtime.block_on(owner.create_image(&json!({})));
    let name = prop_oneof![
        4 => prop::sample::select(vec!["Action", "Version", "RegionId", "ImageId", "ImageId.1", "AddAccount.1", "AddAccount.2",
            "RemoveAccount.1", "RemoveAccount.11", "MaxResults", "NextToken", "PageNumber", "PageSize", "DryRun", "ImageType",
            "Signature", "SignatureMethod", "Timestamp", "AccessKeyId"]).prop_map(str::to_owned),
        1 => "[A-Za-z.0-9%+]{0,12}",
    ];
    let value = prop_oneof![
        2 => prop::sample::select(vec!["local", ECD_VERSION, ECS_VERSION, "1", "True", "a", "10", ""]).prop_map(str::to_owned),
        1 => "[A-Za-z0-9%+=._~:/?@!$'()*,;-]{0,20}",
        1 => Just(image),
    ];
    let action = prop::sample::select(vec![
        "ModifyImagePermission",
        "DescribeImagePermission",
        "DescribeImages",
        "ModifyImageSharePermission",
        "DescribeImageSharePermission",
        "None",
    ]);
    let pairs = prop::collection::vec((name, value), 0..8);
    let all = (
        prop::sample::select(STYLES.to_vec()),
        prop::sample::select(vec![ECD_VERSION, ECS_VERSION]),
        action,
        pairs,
    );
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let ran = TestRunner::new(config).run(&all, |(style, version, action, pairs)| {
        let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = runtime.block_on(owner.call_with_style(style, version, action, &pairs.join("&")));
        prop_assert!(response.status < 500, "{:?}", response);
        Ok(())
    });
    ran.unwrap();
}

#[tokio::test]
async fn ecs_describe_images_shows_own_and_received_images() {
    let api = Api::start(&[]).await;
    let (owner, friend, stranger) =
        (Client::new(&api, "1001"), Client::new(&api, "1002"), Client::new(&api, "1003"));
    let details = json!({"name": "golden", "__os_type": "Linux", "min_disk": 40, "architecture": "arm64"});
    let (image, other) =
        (owner.create_image(&details).await, owner.create_image(&json!({"name": "other"})).await);
    let describe = async |account: &Client<'_>, parameters: &str| {
        let response = account.call_action(ECS_VERSION, "DescribeImages", parameters).await;
        response.expect_status(200);
        response.body
    };
    let before = describe(&owner, &format!("ImageId={image}")).await;
    let shown = &before["Images"]["Image"][0];
    for (name, value) in [
        ("ImageId", json!(image)),
        ("ImageName", json!("golden")),
        ("ImageOwnerAlias", json!("self")),
        ("ImageOwnerId", json!(1001)),
        ("IsSelfShared", json!("")),
        ("Status", json!("Available")),
        ("OSType", json!("linux")),
        ("Size", json!(40)),
        ("Architecture", json!("arm64")),
    ] {
        assert_eq!(shown[name], value, "{name}: {before}");
    }
    assert_eq!(describe(&friend, "").await["TotalCount"], 0);
    let change = format!("ImageId={image}&AddAccount.1=1002");
    owner.call_action(ECS_VERSION, "ModifyImageSharePermission", &change).await.expect_status(200);
    assert_eq!(
        describe(&owner, &format!("ImageId={image}")).await["Images"]["Image"][0]["IsSelfShared"],
        "True"
    );
    let received = describe(&friend, "ImageOwnerAlias=others&ImageName=golden&OSType=linux").await;
    let shown = &received["Images"]["Image"][0];
    assert_eq!((&received["TotalCount"], &shown["ImageOwnerAlias"]), (&json!(1), &json!("others")));
    assert_eq!(shown.get("IsSelfShared"), None, "with whom else it is shared is its owner's to know");
    for parameters in [String::new(), format!("ImageId={image},{other}"), "ImageOwnerId=1001".to_owned()] {
        assert_eq!(describe(&stranger, &parameters).await["TotalCount"], 0, "{parameters}");
    }
    let pages = [(1, "other"), (2, "golden")];
    for (page, name) in pages {
        let listed = describe(&owner, &format!("PageNumber={page}&PageSize=1")).await;
        let shown = (&listed["TotalCount"], &listed["Images"]["Image"][0]["ImageName"]);
        assert_eq!(shown, (&json!(2), &json!(name)));
    }
    assert_eq!(describe(&owner, "PageNumber=3&PageSize=1").await["Images"]["Image"], json!([]));
    assert_refused(
        &owner.call_action(ECS_VERSION, "DescribeImages", "Tag.1.Key=a").await,
        400,
        "InvalidParameter",
    );
    assert_refused(
        &owner.call_action(ECS_VERSION, "DescribeImages", "DryRun=true").await,
        400,
        "DryRunOperation",
    );
}

#[tokio::test]
async fn is_public_without_accounts_is_rejected() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    let image = owner.create_image(&json!({})).await;
    for flag in ["True", "False", "true"] {
        let change = format!("ImageId={image}&IsPublic={flag}");
        let refused = owner.call_action(ECS_VERSION, "ModifyImageSharePermission", &change).await;
        assert_refused(&refused, 403, "CurrentRegion.NotSupportPublicImage");
    }
}

#[tokio::test]
async fn response_is_xml_when_requested() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    let image = owner.create_image(&json!({"name": "a<b>&c"})).await;
    let described = owner.call_action(ECD_VERSION, "DescribeImages", "Format=XML").await;
    let text = described.body.as_str().unwrap();
    described.expect_status(200);
    assert_eq!(described.headers["content-type"], "text/xml;charset=utf-8");
    assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?><DescribeImagesResponse>"), "{text}");
    assert!(text.contains(&format!("<ImageId>{image}</ImageId>")), "{text}");
    assert!(text.contains("<Name>a&lt;b&gt;&amp;c</Name>") && text.contains("<RequestId>"), "{text}");
    let refused = owner.call_action(ECD_VERSION, "DescribeImagePermission", "Format=xml&ImageId=none").await;
    let text = refused.body.as_str().unwrap();
    assert!(refused.status == 404 && text.contains("<Error><Code>InvalidImageId.NotFound</Code>"), "{text}");
    assert_refused(
        &owner.call_action(ECD_VERSION, "DescribeImages", "Format=yaml").await,
        400,
        "InvalidParameter",
    );
    let unknown = api.send(&ApiRequest::new("POST", "/?Action=None&Version=1&Format=XML")).await;
    assert!(unknown.body.as_str().unwrap().contains("<Error>"), "{unknown:?}");
}
