//! The paged lists, each with five entries of `own1`.

use imageshare::domain::Role;
use imageshare::facade::{alibaba, glance, identity, ims, messages, registry, share_rules};
use imageshare_tests::api::{Api, ApiRequest, ApiResponse};
use imageshare_tests::local_service::create_message;
use serde_json::{Value, json};

/// A list: its request, and the parts of its response.
#[derive(Debug, Clone)]
pub struct List {
    /// Its operation in the document.
    pub operation: &'static str,
    /// Path and query, without page size and marker.
    pub target: String,
    /// A parameter that makes it the list of another query.
    pub variations: &'static [&'static str],
    /// The largest page size.
    pub max_length: usize,
    /// The role that may read it.
    pub role: Role,
    length_parameter: &'static str,
    marker_parameter: &'static str,
    items_pointer: &'static str,
    id_field: &'static str,
    next_pointer: &'static str,
}

impl List {
    /// The same list with an additional parameter.
    pub fn with_query(&self, more: &str) -> Self {
        self.with_target(format!("{}&{more}", self.target))
    }

    /// The same kind of list with another path and query.
    pub fn with_target(&self, target: String) -> Self {
        Self { target, ..self.clone() }
    }
}

impl List {
    /// Requests a page.
    pub async fn request_page(
        &self,
        api: &Api,
        token: &str,
        length: usize,
        marker: Option<&str>,
    ) -> ApiResponse {
        let separator = if self.target.ends_with('?') { "" } else { "&" };
        let mut target = format!("{}{separator}{}={length}", self.target, self.length_parameter);
        if let Some(marker) = marker {
            target = format!("{target}&{}={marker}", self.marker_parameter);
        }
        api.send(&ApiRequest::new("GET", target).token(token)).await
    }

    /// The ids on a page, and the next marker.
    pub fn parse_page(&self, response: &ApiResponse) -> (Vec<String>, Option<String>) {
        let entries = response.body.pointer(self.items_pointer).unwrap().as_array().unwrap();
        let ids = entries.iter().map(|entry| entry[self.id_field].as_str().unwrap().to_owned()).collect();
        let next =
            response.body.pointer(self.next_pointer).and_then(Value::as_str).filter(|next| !next.is_empty());
        // Glance has a link.
        let marker = next.map(|next| next.split_once("marker=").map_or(next, |(_, marker)| marker));
        (ids, marker.map(str::to_owned))
    }
}

/// The list that the others are variants of.
fn ims_list() -> List {
    List {
        operation: "listCloudImages",
        target: "/v2/cloudimages?owner=own1".to_owned(),
        variations: &[
            "name=a",
            "sort_dir=asc",
            "sort_key=created_at",
            "__os_type=Linux",
            "unknown=",
            "visibility=private",
        ],
        max_length: 1000,
        role: Role::Member,
        length_parameter: "limit",
        marker_parameter: "marker",
        items_pointer: "/images",
        id_field: "id",
        next_pointer: "/page_info/next_marker",
    }
}

/// All lists; of those with filters and orders, one for each implementation of pages.
pub fn lists(image: &str) -> Vec<List> {
    [image_lists(), other_lists(image)].concat()
}

pub fn image_lists() -> Vec<List> {
    let ims = ims_list();
    let glance = List {
        operation: "listImages",
        target: "/v2/images?owner=own1".to_owned(),
        next_pointer: "/next",
        ..ims.clone()
    };
    let alibaba = List {
        operation: "callAction",
        target: "/?Action=DescribeImages&Version=2020-09-30&RegionId=local".to_owned(),
        variations: &[
            "ImageName=a",
            "ImageType=SYSTEM",
            "ImageStatus=Available",
            "GpuCategory=False",
            "ImageId.1=a",
        ],
        max_length: 100,
        length_parameter: "MaxResults",
        marker_parameter: "NextToken",
        items_pointer: "/Images",
        id_field: "ImageId",
        next_pointer: "/NextToken",
        ..ims.clone()
    };
    vec![
        ims.clone(),
        List { target: "/v2/cloudimages?sort_dir=asc".to_owned(), variations: &["name=a"], ..ims.clone() },
        List {
            target: "/v2/cloudimages?sort_key=name".to_owned(),
            variations: &["sort_dir=asc"],
            ..ims.clone()
        },
        List {
            target: "/v2/images?sort_key=name".to_owned(),
            variations: &["sort_dir=asc"],
            ..glance.clone()
        },
        List { target: "/v2/images?sort_key=updated_at".to_owned(), variations: &[], ..glance.clone() },
        List { target: "/v2/images?sort_key=id".to_owned(), variations: &[], ..glance.clone() },
        glance,
        List {
            target: format!("{}&ImageStatus=Available", alibaba.target),
            variations: &[],
            ..alibaba.clone()
        },
        alibaba,
    ]
}

fn other_lists(image: &str) -> Vec<List> {
    let [all_messages, unread_messages] = message_lists();
    vec![
        List {
            operation: "listImageMembers",
            target: format!("/v1/own1/cloudimages/{image}/members?"),
            variations: &[],
            items_pointer: "/members",
            id_field: "member_id",
            ..ims_list()
        },
        List {
            operation: "listAccessKeys",
            target: "/v1/access-keys?".to_owned(),
            variations: &[],
            max_length: 100,
            items_pointer: "/access_keys",
            ..ims_list()
        },
        List {
            operation: "listVaults",
            target: "/v1/vaults?".to_owned(),
            variations: &[],
            items_pointer: "/vaults",
            id_field: "vault_id",
            ..ims_list()
        },
        List {
            operation: "listOwners",
            target: "/v1/owners?".to_owned(),
            items_pointer: "/owners",
            id_field: "project_id",
            variations: &[],
            ..ims_list()
        },
        List {
            operation: "listShareRules",
            target: "/v1/share-rules?".to_owned(),
            variations: &[],
            max_length: 100,
            items_pointer: "/share_rules",
            id_field: "name",
            ..ims_list()
        },
        List {
            operation: "listShareRuleJobs",
            target: "/v1/share-rules/r-0/jobs?".to_owned(),
            variations: &[],
            items_pointer: "/jobs",
            id_field: "job_id",
            ..ims_list()
        },
        List {
            operation: "listJobs",
            target: "/v1/own1/jobs?".to_owned(),
            variations: &["status=SUCCESS", "job_type=imsAddImageMembersJob"],
            max_length: 100,
            items_pointer: "/jobs",
            id_field: "job_id",
            ..ims_list()
        },
        List {
            operation: "listKeyGrants",
            target: "/v1/keys/k-1/grants?".to_owned(),
            variations: &[],
            items_pointer: "/grants",
            id_field: "project_id",
            ..ims_list()
        },
        List {
            operation: "listDependents",
            target: "/v1/keys/k-1/grants/m-0/memberships?".to_owned(),
            variations: &[],
            max_length: 100,
            items_pointer: "/memberships",
            id_field: "image_id",
            ..ims_list()
        },
        List {
            operation: "listTenants",
            target: "/v1/tenants?".to_owned(),
            variations: &[],
            max_length: 100,
            role: Role::Admin,
            items_pointer: "/tenants",
            id_field: "project_id",
            ..ims_list()
        },
        all_messages,
        unread_messages,
    ]
}

fn message_lists() -> [List; 2] {
    let unread = List {
        operation: "listMessages",
        target: "/v1/messages?unread=true".to_owned(),
        variations: &[],
        max_length: 100,
        items_pointer: "/messages",
        ..ims_list()
    };
    let all = List { target: "/v1/messages?".to_owned(), variations: &["unread=true"], ..unread.clone() };
    [all, unread]
}

/// The same lists for functions without a table, as `own1`: operation, route, and path up to the marker.
pub fn marker_routes() -> Vec<(&'static str, &'static str, &'static str)> {
    vec![
        ("listCloudImages", ims::list::ROUTE, "/v2/cloudimages?marker="),
        ("listImages", glance::list::ROUTE, "/v2/images?marker="),
        (
            "callAction",
            alibaba::GET_ROUTE,
            "/?Action=DescribeImages&Version=2020-09-30&RegionId=local&NextToken=",
        ),
        ("listImageMembers", ims::members::LIST_ROUTE, "/v1/own1/cloudimages/i-1/members?marker="),
        ("listAccessKeys", identity::list_keys::ROUTE, "/v1/access-keys?marker="),
        ("listVaults", registry::vaults::list::ROUTE, "/v1/vaults?marker="),
        ("listOwners", registry::owners::list::ROUTE, "/v1/owners?marker="),
        ("listShareRules", share_rules::list::ROUTE, "/v1/share-rules?marker="),
        ("listShareRuleJobs", share_rules::jobs::ROUTE, "/v1/share-rules/r-0/jobs?marker="),
        ("listJobs", ims::jobs::ROUTE, "/v1/own1/jobs?marker="),
        ("listKeyGrants", registry::key_grants::list::ROUTE, "/v1/keys/k-1/grants?marker="),
        (
            "listDependents",
            registry::key_grants::dependents::ROUTE,
            "/v1/keys/k-1/grants/m-0/memberships?marker=",
        ),
        ("listTenants", registry::tenants::list::ROUTE, "/v1/tenants?marker="),
        ("listMessages", messages::list::ROUTE, "/v1/messages?marker="),
    ]
}

/// A server with five images of `own1` under a key that five projects may use, one of which is a member of all of
/// them; with five members of one image, and five access keys, vaults, owner policies, tenants and messages.
pub struct World {
    pub api: Api,
    pub image: String,
}

impl World {
    pub async fn start() -> Self {
        let api = super::start_api().await;
        let token = api.token("own1", Role::Admin);
        let send_by = async |method: &str, target: &str, body: Value| {
            let request = ApiRequest::new(method, target).token(&token);
            let made = api.send(&if body.is_null() { request } else { request.json(&body) }).await;
            assert!(made.status < 300, "{made:?}");
            made.body["id"].as_str().unwrap_or_default().to_owned()
        };
        let send = async |target: &str, body: Value| send_by("POST", target, body).await;
        for n in 0..5 {
            let tenant = json!({"account": "acme", "project": format!("p-{n}")});
            send_by("PUT", &format!("/v1/tenants/t-{n}"), tenant).await;
            let vault = json!({"protection_type": "backup", "capacity_gib": 1});
            send_by("PUT", &format!("/v1/vaults/v-{n}"), vault).await;
            send_by("PUT", &format!("/v1/owners/o-{n}"), json!({"policy": "trusted"})).await;
            let recipients = json!({"projects": ["m-9"]});
            let rule = json!({"pattern": {"name": ["e"]}, "recipients": recipients, "enabled": false});
            send_by("PUT", &format!("/v1/share-rules/r-{n}"), rule).await;
            send_by("PUT", &format!("/v1/keys/k-1/grants/m-{n}"), Value::Null).await;
            create_message(&api.store(), "own1", &format!("m-{n}")).await;
        }
        let mut image = String::new();
        for name in ["c", "a", "e", "b", "d"] {
            image = send("/v2/images", json!({"name": name, "__system__cmkid": "k-1"})).await;
            send(&format!("/v2/images/{image}/members"), json!({"member": "m-0"})).await;
            send("/v1/access-keys", json!({"name": name})).await;
        }
        for _ in 0..5 {
            send_by("POST", "/v1/share-rules/r-0/apply", Value::Null).await;
        }
        for n in 1..5 {
            send(&format!("/v2/images/{image}/members"), json!({"member": format!("m-{n}")})).await;
        }
        Self { api, image }
    }

    pub async fn send(
        &self,
        project: &str,
        role: Role,
        list: &List,
        length: usize,
        marker: Option<&str>,
    ) -> ApiResponse {
        list.request_page(&self.api, &self.api.token(project, role), length, marker).await
    }

    /// The ids on a page of `own1`, and the next marker.
    pub async fn page(
        &self,
        list: &List,
        length: usize,
        marker: Option<&str>,
    ) -> (Vec<String>, Option<String>) {
        let response = self.send("own1", list.role, list, length, marker).await;
        response.expect_status(200);
        list.parse_page(&response)
    }
}
