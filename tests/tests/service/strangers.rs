//! Every operation of the document by a stranger, without a token, and by a read-only caller.

use std::collections::BTreeMap;

use imageshare::domain::{JobId, MessageId, Role, Stamp, Timestamp};
use imageshare_tests::api::{Api, ApiRequest, ApiResponse};
use imageshare_tests::api_document::Operation;
use imageshare_tests::local_service::create_message;
use serde_json::{Value, json};

const MEMBERS: &str = "/v1/cloudimages/members";
/// The common parameters of an action.
const ECD: &str = "Version=2020-09-30&RegionId=local";
const ECS: &str = "Version=2014-05-26&RegionId=local";
const NO_IMAGE: &str = "7f1b5c0e-0d4a-4a53-9c3e-1f8b7c6d5e4f";
/// A vault of the owner, and a key that it has granted `mem1`.
const VAULT: &str = "vault-of-own";
const KEY: &str = "key-of-own";
/// A share rule of the owner.
const RULE: &str = "rule-of-own";

/// An owner with a shared and a private image; `mem1` has accepted the shared one, and `gone1` was a member of both
/// for a while.
struct Fixture {
    api: Api,
    shared: String,
    private: String,
    job: String,
    access_key: String,
    message: MessageId,
}

impl Fixture {
    async fn start() -> Self {
        let api = Api::start(&[]).await;
        let owner = api.token("own1", Role::Member);
        let mut images = Vec::new();
        for name in ["shared", "private"] {
            let new = ApiRequest::new("POST", "/v2/images").token(&owner).json(&json!({"name": name}));
            images.push(api.send(&new).await.body["id"].as_str().unwrap().to_owned());
        }
        let [shared, private] = <[String; 2]>::try_from(images).unwrap();
        let job = run_job(
            &api,
            "own1",
            "POST",
            &json!({"images": [shared, private], "projects": ["mem1", "gone1"]}),
        )
        .await;
        for project in ["mem1", "gone1"] {
            run_job(
                &api,
                project,
                "PUT",
                &json!({"images": [shared], "project_id": project, "status": "accepted"}),
            )
            .await;
        }
        run_job(&api, "own1", "DELETE", &json!({"images": [shared, private], "projects": ["gone1"]})).await;
        let patch = json!([{"op": "replace", "path": "/visibility", "value": "private"}]);
        let patch = ApiRequest::new("PATCH", format!("/v2/images/{private}")).token(&owner).json(&patch);
        api.send(&patch).await.expect_status(200);
        let new = ApiRequest::new("POST", "/v1/access-keys").token(&owner).json(&json!({"name": "ci"}));
        let access_key = api.send(&new).await.body["id"].as_str().unwrap().to_owned();
        let put = ApiRequest::new("PUT", "/v1/tenants/own1").token(&api.token("ops", Role::Admin));
        api.send(&put.json(&json!({"account": "acme", "project": "web"}))).await.expect_status(200);
        let vault = json!({"protection_type": "backup", "capacity_gib": 100});
        let vault = ApiRequest::new("PUT", format!("/v1/vaults/{VAULT}")).json(&vault);
        let grant = ApiRequest::new("PUT", format!("/v1/keys/{KEY}/grants/mem1"));
        let policy = ApiRequest::new("PUT", "/v1/owners/mem1").json(&json!({"policy": "trusted"}));
        let rule = json!({"pattern": {"name": ["shared"]}, "recipients": {"projects": ["mem1"]}});
        let rule = ApiRequest::new("PUT", format!("/v1/share-rules/{RULE}")).json(&rule);
        for put in [vault, grant, policy, rule] {
            api.send(&put.token(&owner)).await.expect_status(200);
        }
        let message = create_message(&api.store(), "own1", "mem1").await;
        Self { api, shared, private, job, access_key, message }
    }

    /// Requests on what exists, by all of their paths, each with the same request on what does not exist.
    fn request_pairs(&self, operation: &str, me: &str) -> Vec<(ApiRequest, ApiRequest)> {
        let pairs = self.resource_pairs(operation, me);
        let minor =
            pairs.iter().filter_map(|(one, other)| one.with_minor_version().zip(other.with_minor_version()));
        let minor: Vec<_> = minor.collect();
        [pairs, minor].concat()
    }

    fn resource_pairs(&self, operation: &str, me: &str) -> Vec<(ApiRequest, ApiRequest)> {
        let nobodys_job = JobId(Stamp::now()).to_string();
        let batch = |method: &str, image: &str| {
            ApiRequest::new(method, MEMBERS).json(&json!({"images": [image], "projects": ["mem1", "new1"]}))
        };
        let of_images = |request: &dyn Fn(&str) -> ApiRequest| {
            [&self.shared, &self.private].map(|image| (request(image), request(NO_IMAGE))).to_vec()
        };
        let get = |target: String| ApiRequest::new("GET", target);
        match operation {
            "shareImages" => of_images(&|image| batch("POST", image)),
            "unshareImages" => of_images(&|image| batch("DELETE", image)),
            "respondToImages" => {
                let respond = |image: &str, project: &str| {
                    let body = json!({"images": [image], "project_id": project, "status": "rejected"});
                    ApiRequest::new("PUT", MEMBERS).json(&body)
                };
                let for_others = [(respond(&self.shared, "mem1"), respond(&self.shared, "nobody"))];
                [of_images(&|image| respond(image, me)), for_others.to_vec()].concat()
            }
            "showJob" => [(me, me), ("own1", "nobody")]
                .map(|(one, other)| {
                    (
                        get(format!("/v1/{one}/jobs/{}", self.job)),
                        get(format!("/v1/{other}/jobs/{nobodys_job}")),
                    )
                })
                .to_vec(),
            "listJobs" => [("own1", "nobody"), ("mem1", "nobody")]
                .map(|(one, other)| (get(format!("/v1/{one}/jobs")), get(format!("/v1/{other}/jobs"))))
                .to_vec(),
            "showJobProgress" => {
                let request = |job: &str| get(format!("/v1/cloudimages/job/{job}"));
                vec![(request(&self.job), request(&nobodys_job))]
            }
            "listCloudImages" => {
                let list = |query: &str| get(format!("/v2/cloudimages?{query}"));
                let mut pairs = of_images(&|image| list(&format!("id={image}")));
                pairs.extend(of_images(&|image| list(&format!("marker={image}"))));
                for more in ["", "&visibility=shared", "&member_status=accepted"] {
                    pairs.push((list(&format!("owner=own1{more}")), list(&format!("owner=nobody{more}"))));
                }
                pairs
            }
            "listImageMembers" => {
                let request =
                    |project: &str, image: &str| get(format!("/v1/{project}/cloudimages/{image}/members"));
                let of_others = [(request("own1", &self.shared), request("nobody", &self.shared))];
                [of_images(&|image| request(me, image)), of_others.to_vec()].concat()
            }
            "queryMemberships" => self.query_pairs(me),
            "showImageMember" => {
                let request = |project: &str, image: &str, member: &str| {
                    get(format!("/v1/{project}/cloudimages/{image}/members/{member}"))
                };
                let mut pairs =
                    vec![(request("own1", &self.shared, "mem1"), request("nobody", &self.shared, "mem1"))];
                for member in ["mem1", "nobody", me] {
                    pairs.extend(of_images(&|image| request(me, image, member)));
                }
                pairs
            }
            "createImage" => {
                let request =
                    |owner: &str| ApiRequest::new("POST", "/v2/images").json(&json!({"owner": owner}));
                vec![(request("own1"), request("nobody"))]
            }
            "showImage" => of_images(&|image| get(format!("/v2/images/{image}"))),
            "updateImage" => of_images(&|image| {
                let patch = json!([{"op": "replace", "path": "/name", "value": "mine"}]);
                ApiRequest::new("PATCH", format!("/v2/images/{image}")).json(&patch)
            }),
            "deleteImage" => of_images(&|image| ApiRequest::new("DELETE", format!("/v2/images/{image}"))),
            // They name nothing that has an owner.
            "createAccessKey"
            | "createToken"
            | "markMessagesRead"
            | "showCatalog"
            | "listOwnProjects"
            | "showDocument"
            | "showDocumentAsJson"
            | "showDocumentAsPage"
            | "showIdentityVersion"
            | "showIdentityVersionOfFolder"
            | "showQuota"
            | "showHealth"
            | "showReadiness"
            | "showSchema"
            | "listVersions"
            | "showVersion"
            | "showService"
            | "showVersionOfFolder" => Vec::new(),
            other => self.glance_pairs(other, me),
        }
    }

    /// The same for the query of memberships.
    fn query_pairs(&self, me: &str) -> Vec<(ApiRequest, ApiRequest)> {
        let query = |project: &str, body: Value| {
            ApiRequest::new("POST", format!("/v1/{project}/memberships/query")).json(&body)
        };
        let mut pairs = vec![(query("own1", json!({})), query("nobody", json!({})))];
        for role in ["owner", "recipient"] {
            let of_image = |image: &str| query(me, json!({"role": role, "images": [image]}));
            pairs.extend([&self.shared, &self.private].map(|image| (of_image(image), of_image(NO_IMAGE))));
        }
        let of_tenant =
            |role: &str, field: &str, tenant: &str| query(me, json!({"role": role, field: [tenant]}));
        for (role, field, tenant) in [("owner", "projects", "mem1"), ("recipient", "owners", "own1")] {
            pairs.push((of_tenant(role, field, tenant), of_tenant(role, field, "nobody")));
        }
        pairs
    }

    /// The same for Glance's list and member calls.
    fn glance_pairs(&self, operation: &str, me: &str) -> Vec<(ApiRequest, ApiRequest)> {
        let of_images = |request: &dyn Fn(&str) -> ApiRequest| {
            [&self.shared, &self.private].map(|image| (request(image), request(NO_IMAGE))).to_vec()
        };
        let get = |target: String| ApiRequest::new("GET", target);
        match operation {
            "listImages" => {
                let list = |query: &str| get(format!("/v2/images?{query}"));
                let mut pairs = of_images(&|image| list(&format!("id={image}")));
                pairs.extend(of_images(&|image| list(&format!("marker={image}"))));
                pairs.extend(of_images(&|image| list(&format!("marker={image}~0&sort_key=name"))));
                for more in ["", "&visibility=shared", "&visibility=all&member_status=all"] {
                    pairs.push((list(&format!("owner=own1{more}")), list(&format!("owner=nobody{more}"))));
                }
                pairs
            }
            "downloadImageData" => of_images(&|image| get(format!("/v2/images/{image}/file"))),
            "uploadImageData" | "stageImageData" | "importImageData" => {
                let (method, last) = match operation {
                    "uploadImageData" => ("PUT", "file"),
                    "stageImageData" => ("PUT", "stage"),
                    _ => ("POST", "import"),
                };
                let request = |image: &str| ApiRequest::new(method, format!("/v2/images/{image}/{last}"));
                [of_images(&|image| request(image).body("{}")), of_images(&request)].concat()
            }
            "addTag" | "removeTag" => of_images(&|image| {
                let method = if operation == "addTag" { "PUT" } else { "DELETE" };
                ApiRequest::new(method, format!("/v2/images/{image}/tags/t"))
            }),
            "listMembers" => of_images(&|image| get(format!("/v2/images/{image}/members"))),
            "addMember" => of_images(&|image| {
                ApiRequest::new("POST", format!("/v2/images/{image}/members")).json(&json!({"member": me}))
            }),
            "showMember" | "updateMember" | "removeMember" => {
                let method = match operation {
                    "showMember" => "GET",
                    "updateMember" => "PUT",
                    _ => "DELETE",
                };
                let request = |image: &str, member: &str| {
                    let request = ApiRequest::new(method, format!("/v2/images/{image}/members/{member}"));
                    if method == "PUT" { request.json(&json!({"status": "accepted"})) } else { request }
                };
                let members = ["mem1", "nobody", me];
                members.iter().flat_map(|member| of_images(&|image| request(image, member))).collect()
            }
            other => self.action_and_access_key_pairs(other, me),
        }
    }

    /// The same for Alibaba's actions and for access keys.
    fn action_and_access_key_pairs(&self, operation: &str, me: &str) -> Vec<(ApiRequest, ApiRequest)> {
        let of_images = |request: &dyn Fn(&str) -> ApiRequest| {
            [&self.shared, &self.private].map(|image| (request(image), request(NO_IMAGE))).to_vec()
        };
        let get = |target: String| ApiRequest::new("GET", target);
        match operation {
            "callAction" | "showVersions" => {
                let method = if operation == "callAction" { "POST" } else { "GET" };
                let mut pairs = Vec::new();
                for action in [
                    format!(
                        "Action=ModifyImagePermission&{ECD}&AddAccount.1={me}&AddAccount.2=mem1&ImageId="
                    ),
                    format!("Action=ModifyImagePermission&{ECD}&RemoveAccount.1=mem1&ImageId="),
                    format!("Action=ModifyImageSharePermission&{ECS}&DryRun=True&AddAccount.1=new1&ImageId="),
                    format!("Action=DescribeImagePermission&{ECD}&ImageId="),
                    format!("Action=DescribeImageSharePermission&{ECS}&ImageId="),
                    format!("Action=DescribeImages&{ECD}&ImageId.1="),
                ] {
                    pairs.extend(of_images(&|image| ApiRequest::new(method, format!("/?{action}{image}"))));
                }
                pairs
            }
            "showProject" => {
                let request = |id: &str| get(format!("/v3/projects/{id}"));
                vec![(request("own1"), request("nobody"))]
            }
            // Only with the exact names of both, as for listTenants.
            "findProject" => {
                let request = |name: &str| get(format!("/v3/projects?name={name}"));
                ["own1", "web"].map(|name| (request(name), request("nobody"))).to_vec()
            }
            "listDomains" | "showDomain" => {
                let end = if operation == "listDomains" { "?name=" } else { "/" };
                let request = |name: &str| get(format!("/v3/domains{end}{name}"));
                vec![(request("acme"), request("nobody"))]
            }
            "showToken" | "revokeToken" => {
                let method = if operation == "showToken" { "GET" } else { "DELETE" };
                let request =
                    |token: &str| ApiRequest::new(method, "/v3/auth/tokens").header("X-Subject-Token", token);
                vec![(request(&self.api.token("own1", Role::Member)), request("a.b.c"))]
            }
            // A caller that knows a tenant's exact names finds it, as intended.
            "listTenants" => {
                let request = |marker: &str| get(format!("/v1/tenants?marker={marker}"));
                vec![(request("own1"), request("nobody"))]
            }
            "showTenant" | "putTenant" | "deleteTenant" => {
                let request = |tenant: &str| {
                    let target = format!("/v1/tenants/{tenant}");
                    match operation {
                        "showTenant" => get(target),
                        "deleteTenant" => ApiRequest::new("DELETE", target),
                        _ => {
                            ApiRequest::new("PUT", target).json(&json!({"account": "acme", "project": "web"}))
                        }
                    }
                };
                vec![(request("own1"), request("nobody"))]
            }
            "listOwners" | "showOwner" | "putOwner" | "deleteOwner" => Self::owner_policy_pairs(operation),
            "listVaults" | "listKeyGrants" | "showVault" | "putVault" | "deleteVault" | "showKeyGrant"
            | "putKeyGrant" | "deleteKeyGrant" | "listDependents" => {
                Self::vault_and_key_grant_pairs(operation)
            }
            id if id.ends_with("ShareRule") || id.starts_with("listShareRule") => {
                Self::share_rule_pairs(operation)
            }
            "listAccessKeys" => {
                let request = |marker: &str| get(format!("/v1/access-keys?marker={marker}"));
                vec![(request(&self.access_key), request(NO_IMAGE))]
            }
            "showAccessKey" | "renameAccessKey" | "disableAccessKey" => {
                let request = |id: &str| {
                    let target = format!("/v1/access-keys/{id}");
                    match operation {
                        "showAccessKey" => get(target),
                        "renameAccessKey" => ApiRequest::new("PATCH", target).json(&json!({"name": "mine"})),
                        _ => ApiRequest::new("DELETE", target),
                    }
                };
                vec![(request(&self.access_key), request(NO_IMAGE))]
            }
            "listMessages" | "showMessage" | "markMessage" => self.message_pairs(operation),
            other => panic!("{other} is new: add the requests of a stranger"),
        }
    }

    /// The same for policies on owners, which each project has for itself: a stranger has none on `mem1`, unlike `own1`.
    fn owner_policy_pairs(operation: &str) -> Vec<(ApiRequest, ApiRequest)> {
        let request = |owner: &str| {
            let target = format!("/v1/owners/{owner}");
            match operation {
                "listOwners" => ApiRequest::new("GET", format!("/v1/owners?marker={owner}")),
                "showOwner" => ApiRequest::new("GET", target),
                "putOwner" => ApiRequest::new("PUT", target).json(&json!({"policy": "unknown"})),
                _ => ApiRequest::new("DELETE", target),
            }
        };
        vec![(request("mem1"), request("nobody"))]
    }

    /// The same for messages: one of the owner, and one that no tenant has.
    fn message_pairs(&self, operation: &str) -> Vec<(ApiRequest, ApiRequest)> {
        let none = MessageId { stamp: Stamp::now(), ..self.message.clone() };
        let request = |id: &MessageId| match operation {
            "listMessages" => ApiRequest::new("GET", format!("/v1/messages?marker={id}")),
            "showMessage" => ApiRequest::new("GET", format!("/v1/messages/{id}")),
            _ => ApiRequest::new("PUT", format!("/v1/messages/{id}")).json(&json!({"read": true})),
        };
        vec![(request(&self.message), request(&none))]
    }

    /// The same for vaults and key grants. Each project has its own, and writes those only: another project's do not
    /// affect a stranger and are not visible to it.
    fn vault_and_key_grant_pairs(operation: &str) -> Vec<(ApiRequest, ApiRequest)> {
        let get = |target: String| ApiRequest::new("GET", target);
        let vault = |id: &str| format!("/v1/vaults/{id}");
        let grant = |key: &str| format!("/v1/keys/{key}/grants/mem1");
        let body = json!({"protection_type": "backup", "capacity_gib": 0});
        match operation {
            "listVaults" => {
                let request = |marker: &str| get(format!("/v1/vaults?marker={marker}"));
                vec![(request(VAULT), request("nobody"))]
            }
            "listKeyGrants" => {
                let request = |key: &str| get(format!("/v1/keys/{key}/grants"));
                vec![(request(KEY), request("nobody"))]
            }
            "showVault" => vec![(get(vault(VAULT)), get(vault("nobody")))],
            "putVault" => {
                let request = |id: &str| ApiRequest::new("PUT", vault(id)).json(&body);
                vec![(request(VAULT), request("nobody"))]
            }
            "deleteVault" => {
                vec![(ApiRequest::new("DELETE", vault(VAULT)), ApiRequest::new("DELETE", vault("nobody")))]
            }
            "showKeyGrant" => vec![(get(grant(KEY)), get(grant("nobody")))],
            "putKeyGrant" => {
                let request = |key: &str| ApiRequest::new("PUT", grant(key)).body("{}");
                vec![(request(KEY), request("nobody"))]
            }
            "deleteKeyGrant" => {
                vec![(ApiRequest::new("DELETE", grant(KEY)), ApiRequest::new("DELETE", grant("nobody")))]
            }
            _ => {
                let request = |key: &str| get(format!("{}/memberships", grant(key)));
                vec![(request(KEY), request("nobody"))]
            }
        }
    }

    /// The same for share rules, which each project has of its own, too.
    fn share_rule_pairs(operation: &str) -> Vec<(ApiRequest, ApiRequest)> {
        let rule = |name: &str, action: &str| format!("/v1/share-rules/{name}{action}");
        let request = |method: &str, action: &str| {
            (ApiRequest::new(method, rule(RULE, action)), ApiRequest::new(method, rule("nobody", action)))
        };
        vec![match operation {
            "listShareRules" => {
                let list = |marker: &str| ApiRequest::new("GET", format!("/v1/share-rules?marker={marker}"));
                (list(RULE), list("nobody"))
            }
            "showShareRule" => request("GET", ""),
            "deleteShareRule" => request("DELETE", ""),
            "putShareRule" => {
                // Refused for every project, so that a stranger has no rule afterwards.
                let (one, other) = request("PUT", "");
                let body = json!({"pattern": {}, "recipients": {"projects": ["mem1"]}});
                (one.json(&body), other.json(&body))
            }
            "enableShareRule" => request("POST", "/enable"),
            "disableShareRule" => request("POST", "/disable"),
            "dryRunShareRule" => request("POST", "/dry-run"),
            "applyShareRule" => request("POST", "/apply"),
            _ => request("GET", "/jobs"),
        }]
    }

    /// A request of the owner on what it has.
    fn owner_request(&self, operation: &Operation) -> ApiRequest {
        match operation.id.as_str() {
            "createImage" => ApiRequest::new("POST", "/v2/images").json(&json!({"name": "new"})),
            "createAccessKey" => ApiRequest::new("POST", "/v1/access-keys").json(&json!({"name": "new"})),
            "createToken" => ApiRequest::new("POST", "/v3/auth/tokens").json(&json!({"auth": {"identity":
                {"methods": ["token"], "token": {"id": "a.b.c"}}}})),
            "showToken" => ApiRequest::new("GET", "/v3/auth/tokens")
                .header("X-Subject-Token", self.api.token("own1", Role::Member)),
            "showSchema" => ApiRequest::new("GET", "/v2/schemas/image"),
            "putVault" => ApiRequest::new("PUT", format!("/v1/vaults/{VAULT}"))
                .json(&json!({"protection_type": "backup", "capacity_gib": 1})),
            "putKeyGrant" => ApiRequest::new("PUT", format!("/v1/keys/{KEY}/grants/mem1")),
            "putOwner" => ApiRequest::new("PUT", "/v1/owners/mem1").json(&json!({"policy": "blocked"})),
            "markMessagesRead" => ApiRequest::new("PUT", "/v1/messages")
                .json(&json!({"read_up_to": "2024-11-06T06:30:00.778Z"})),
            "putShareRule" => ApiRequest::new("PUT", format!("/v1/share-rules/{RULE}"))
                .json(&json!({"pattern": {"name": ["new"]}, "recipients": {"projects": ["mem1"]}})),
            "listTenants" => ApiRequest::new("GET", "/v1/tenants?account=acme&project=web"),
            "findProject" => ApiRequest::new("GET", "/v3/projects?name=web"),
            _ if !operation.path.contains('{') && operation.method == "GET" => {
                ApiRequest::new("GET", &operation.path)
            }
            "showJob" => ApiRequest::new("GET", format!("/v1/own1/jobs/{}", self.job)),
            id => self.request_pairs(id, "own1").remove(0).0,
        }
    }

    fn owner_requests_by_every_path(&self, operation: Operation) -> Vec<(Operation, ApiRequest)> {
        let request = self.owner_request(&operation);
        let minor = request.with_minor_version();
        [Some(request), minor].into_iter().flatten().map(|request| (operation.clone(), request)).collect()
    }

    /// The response, with all ids replaced by the same name.
    fn normalized_response(&self, response: &ApiResponse) -> (u16, BTreeMap<String, String>, String) {
        let mut body = response.body.to_string();
        for id in [
            &self.shared,
            &self.private,
            &self.job,
            &self.access_key,
            NO_IMAGE,
            VAULT,
            KEY,
            RULE,
            "own1",
            "mem1",
            "nobody",
        ] {
            body = body.replace(id, "ID");
        }
        let mut headers = response.headers.clone();
        if let Some(id) = response.body["RequestId"].as_str() {
            body = body.replace(id, "ID");
        }
        for own in ["x-request-id", "x-openstack-request-id", "date", "content-length"] {
            headers.remove(own);
        }
        (response.status, headers, body)
    }

    /// The table without jobs and their entries: a stranger may have jobs of its own.
    fn dump_without_jobs(&self) -> BTreeMap<String, String> {
        let mut items = self.api.dump();
        items.retain(|key, _| !key.starts_with("J#") && !key.starts_with("E#"));
        items
    }
}

/// The operations of the APIs. The pages of the console have tests of their own (`console/access.rs`).
fn api_operations(world: &Fixture) -> impl Iterator<Item = Operation> {
    world.api.document.operations().into_iter().filter(|operation| !operation.is_page())
}

async fn run_job(api: &Api, project: &str, method: &str, body: &Value) -> String {
    let token = api.token(project, Role::Member);
    let accepted = api.send(&ApiRequest::new(method, MEMBERS).token(&token).json(body)).await;
    let job = api.wait_for_job(&token, project, &accepted).await;
    job["job_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn stranger_cannot_tell_existing_from_missing() {
    let world = Fixture::start().await;
    world.api.wait_until_idle().await;
    let before = world.dump_without_jobs();
    for stranger in ["str1", "gone1"] {
        let token = world.api.token(stranger, Role::Member);
        for operation in api_operations(&world) {
            for (one, other) in world.request_pairs(&operation.id, stranger) {
                let there = world.api.send(&one.clone().token(&token)).await;
                let not_there = world.api.send(&other.token(&token)).await;
                if there.body["job_id"].is_string() {
                    assert_eq!(operation.id, "respondToImages", "{there:?}");
                    let outcome = async |response| {
                        let job = world.api.wait_for_job(&token, stranger, response).await;
                        let results = job["entities"]["results"].to_string().replace(NO_IMAGE, "ID");
                        let results = results.replace(&world.shared, "ID").replace(&world.private, "ID");
                        (job["status"].clone(), job["error_code"].clone(), results)
                    };
                    assert_eq!(outcome(&there).await, outcome(&not_there).await);
                } else {
                    assert_eq!(
                        world.normalized_response(&there),
                        world.normalized_response(&not_there),
                        "{stranger} {one:?}"
                    );
                }
                let lists = [
                    "images",
                    "access_keys",
                    "Images",
                    "vaults",
                    "owners",
                    "grants",
                    "memberships",
                    "share_rules",
                ];
                let listed = lists.map(|name| &there.body[name]);
                let lists = ["list", "queryMemberships", "callAction", "showVersions", "deleteKeyGrant"]
                    .iter()
                    .any(|list| operation.id.starts_with(list));
                let is_list = lists && listed.contains(&&json!([]));
                let is_job = operation.id == "respondToImages" && there.status == 200;
                // Of its own images, of which there are none.
                let is_nothing = ["deleteVault", "deleteOwner", "deleteShareRule"].contains(&&*operation.id)
                    && there.status == 204;
                assert!(there.status >= 400 || is_list || is_job || is_nothing, "{one:?} {there:?}");
            }
        }
    }
    assert_eq!(world.dump_without_jobs(), before, "a stranger changed something");
}

#[tokio::test]
async fn every_operation_requires_a_valid_token() {
    let world = Fixture::start().await;
    let before = world.api.dump_when_idle().await;
    let good = world.api.token("own1", Role::Member);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, claims) = message.split_once('.').unwrap();
    let flipped: String = signature.chars().rev().collect();
    let expired = Timestamp::from_unix_millis(1_000_000_000_000);
    let bad = [
        String::new(),
        "gAAAAABo-a-token-of-keystone".to_owned(),
        format!("{message}.{flipped}"),
        format!("{message}."),
        // {"alg":"none","typ":"JWT"}
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}."),
        format!("{header}.{claims}"),
        world.api.token_expiring_at("own1", expired),
        Api::start(&[]).await.token("own1", Role::Admin),
    ];
    let operations = api_operations(&world).filter(|operation| !operation.is_anonymous);
    for (operation, request) in operations.flat_map(|operation| world.owner_requests_by_every_path(operation))
    {
        let unnamed = world.api.send(&request).await;
        let code = if operation.path == "/" { "InvalidSecurityToken" } else { "IMG.0087" };
        unnamed.expect_error(401, code);
        // In OpenStack's form, except for Alibaba's API.
        let unverified =
            "This server could not verify that you are authorized to access the document you requested. ";
        assert!(operation.path == "/" || unnamed.message().starts_with(unverified), "{unnamed:?}");
        for token in &bad {
            for request in [
                request.clone().token(token),
                request.clone().header("Authorization", format!("Bearer {token}")),
            ] {
                let response = world.api.send(&request).await;
                response.expect_status(401);
                assert!(token.is_empty() || !response.message().contains(token.as_str()), "{response:?}");
            }
        }
    }
    assert_eq!(world.api.dump(), before);
}

#[tokio::test]
async fn reader_can_read_but_not_write() {
    let world = Fixture::start().await;
    let before = world.api.dump_when_idle().await;
    let token = world.api.token("own1", Role::Reader);
    let operations = api_operations(&world);
    for (operation, request) in operations.flat_map(|operation| world.owner_requests_by_every_path(operation))
    {
        let response = world.api.send(&request.token(&token)).await;
        if operation.id.ends_with("ImageData") {
            assert!(matches!(response.status, 404 | 409), "no role may: {response:?}");
        } else if operation.id == "createToken" {
            // The body names the caller.
            response.expect_status(401);
        } else if operation.path.starts_with("/v3/domains") {
            // Refused for every caller.
            response.expect_error(403, "IMG.0026");
        } else if operation.method == "GET" || operation.id == "queryMemberships" {
            assert!(matches!(response.status, 200 | 300), "{} {response:?}", operation.id);
        } else {
            let code = if operation.path == "/" { "Forbidden.RAM" } else { "IMG.0026" };
            response.expect_error(403, code);
            assert!(response.message().contains("reader"), "{response:?}");
        }
    }
    assert_eq!(world.api.dump(), before);
}

#[tokio::test]
async fn every_api_checks_access_in_one_order() {
    let world = Fixture::start().await;
    let before = world.api.dump_when_idle().await;
    // The responses of PATCH, IMS's batch and Alibaba's call, in this order.
    let not_found = [(404, "IMG.0027"), (400, "IMG.0027"), (404, "InvalidImageId.NotFound")];
    let not_owner = [(403, "IMG.0047"), (400, "IMG.0047"), (403, "Forbidden.RAM")];
    let read_only = [(403, "IMG.0026"), (403, "IMG.0026"), (403, "Forbidden.RAM")];
    for (project, role, image, expected) in [
        ("str1", Role::Reader, NO_IMAGE, not_found),
        ("str1", Role::Reader, &world.shared, not_found),
        ("str1", Role::Member, &world.shared, not_found),
        ("mem1", Role::Reader, &world.private, not_found),
        ("mem1", Role::Reader, &world.shared, not_owner),
        ("mem1", Role::Member, &world.shared, not_owner),
        ("own1", Role::Reader, &world.shared, read_only),
        ("own1", Role::Reader, &world.private, read_only),
    ] {
        let rename = json!([{"op": "replace", "path": "/name", "value": "mine"}]);
        let batch = json!({"images": [image], "projects": ["new1"]});
        let modify = format!("/?Action=ModifyImagePermission&{ECD}&AddAccount.1=new1&ImageId={image}");
        let requests = [
            vec![ApiRequest::new("PATCH", format!("/v2/images/{image}")).json(&rename)],
            ["POST", "DELETE"].map(|method| ApiRequest::new(method, MEMBERS).json(&batch)).to_vec(),
            vec![ApiRequest::new("POST", modify)],
        ];
        let token = world.api.token(project, role);
        for (requests, expected) in requests.into_iter().zip(expected) {
            for request in requests {
                let response = world.api.send(&request.token(&token)).await;
                assert_eq!((response.status, response.code()), expected, "{project} {role:?} {response:?}");
            }
        }
    }
    assert_eq!(world.api.dump(), before);
}
