//! A page continues after the previous one, in every facade and in every order, even if the last image of that page
//! is gone: deleted, revoked or rejected.

use std::collections::BTreeSet;

use imageshare::domain::{Role, Timestamp};
use imageshare_tests::api::{Api, ApiRequest};
use serde_json::{Value, json};

use super::lists::{List, image_lists};

/// The lists of `mem1` in every order.
fn lists_in_every_order() -> Vec<List> {
    let of = |operation: &str, with: &[&str]| {
        let list = image_lists().into_iter().find(|list| list.operation == operation).unwrap();
        let target = match operation {
            "listCloudImages" => "/v2/cloudimages?",
            "listImages" => "/v2/images?status=active&",
            _ => "/?Action=DescribeImages&Version=2020-09-30&RegionId=local&",
        };
        with.iter().map(|order| list.with_target(format!("{target}{order}"))).collect::<Vec<_>>()
    };
    let of_either = [
        "sort_dir=asc",
        "sort_dir=desc",
        "sort_key=name&sort_dir=asc",
        "sort_key=name&sort_dir=desc",
        "sort_key=id&sort_dir=asc",
        "sort_key=disk_format&sort_dir=desc",
    ];
    let of_glance = [
        "sort_key=updated_at&sort_dir=asc",
        "sort_key=updated_at&sort_dir=desc",
        "sort=name:asc,id:desc",
        "sort=disk_format:asc,name:desc",
        "tag=all",
        "tag=all&sort_key=name&sort_dir=asc",
        "owner=own1",
        "name=in:a,b,c",
        "visibility=shared&member_status=all&sort_key=name&sort_dir=asc",
    ];
    [
        of("listCloudImages", &of_either),
        of("listImages", &of_either),
        of("listImages", &of_glance),
        of("callAction", &["ImageStatus=Available"]),
    ]
    .concat()
}

struct World {
    api: Api,
    own: String,
    mem: String,
}

impl World {
    async fn start() -> Self {
        let api = super::start_api().await;
        let (own, mem) = (api.token("own1", Role::Member), api.token("mem1", Role::Member));
        Self { api, own, mem }
    }

    async fn request(&self, token: &str, method: &str, target: &str, body: &Value) -> Value {
        let request = ApiRequest::new(method, target).token(token);
        let response = self.api.send(&if body.is_null() { request } else { request.json(body) }).await;
        assert!(response.status < 300, "{method} {target} {response:?}");
        response.body
    }

    /// Six images that `mem1` has accepted, two with the same name, one of which has been changed since.
    async fn create_accepted_images(&self) -> BTreeSet<String> {
        let mut images = BTreeSet::new();
        for (name, format) in
            [("c", "raw"), ("a", "iso"), ("b", "raw"), ("a", "raw"), ("c", "iso"), ("b", "raw")]
        {
            let details = json!({"name": name, "disk_format": format, "tags": ["all"]});
            let created = self.request(&self.own, "POST", "/v2/images", &details).await;
            let id = created["id"].as_str().unwrap().to_owned();
            let members = format!("/v2/images/{id}/members");
            self.request(&self.own, "POST", &members, &json!({"member": "mem1"})).await;
            self.request(&self.mem, "PUT", &format!("{members}/mem1"), &json!({"status": "accepted"})).await;
            if format == "iso" {
                let patch = json!([{"op": "add", "path": "/min_ram", "value": 1}]);
                let patch =
                    ApiRequest::new("PATCH", format!("/v2/images/{id}")).token(&self.own).json(&patch);
                self.api.send(&patch).await.expect_status(200);
            }
            images.insert(id);
            let moment = Timestamp::now();
            while Timestamp::now() == moment {
                tokio::task::yield_now().await;
            }
        }
        self.api.wait_until_idle().await;
        images
    }

    async fn page(&self, list: &List, length: usize, marker: Option<&str>) -> (Vec<String>, Option<String>) {
        let response = list.request_page(&self.api, &self.mem, length, marker).await;
        response.expect_status(200);
        list.parse_page(&response)
    }
}

#[tokio::test]
async fn pages_continue_in_every_order_after_an_image_is_removed() {
    let world = World::start().await;
    for list in lists_in_every_order() {
        for removal in ["delete", "revoke", "reject"] {
            let images = world.create_accepted_images().await;
            let (first, marker) = world.page(&list, 2, None).await;
            let member = format!("/v2/images/{}/members/mem1", first[1]);
            match removal {
                "delete" => {
                    world
                        .request(&world.own, "DELETE", &format!("/v2/images/{}", first[1]), &Value::Null)
                        .await
                }
                "revoke" => world.request(&world.own, "DELETE", &member, &Value::Null).await,
                _ => world.request(&world.mem, "PUT", &member, &json!({"status": "rejected"})).await,
            };
            world.api.wait_until_idle().await;
            let mut shown = first.clone();
            let mut marker = marker;
            while marker.is_some() {
                let (page, next) = world.page(&list, 3, marker.as_deref()).await;
                shown.extend(page);
                marker = next;
            }
            let once: BTreeSet<_> = shown.iter().cloned().collect();
            // A rejected image is still in this list, and may have moved.
            let is_shown_again = list.target.contains("member_status=all");
            let most = shown.len() - usize::from(is_shown_again && once.len() < shown.len());
            assert_eq!((&once, once.len()), (&images, most), "{removal} {list:?}");
            for image in &images {
                let target = format!("/v2/images/{image}");
                let gone = ApiRequest::new("DELETE", &target).token(&world.own);
                assert!([204, 404].contains(&world.api.send(&gone).await.status));
            }
            world.api.wait_until_idle().await;
        }
    }
}

#[tokio::test]
async fn visible_image_id_is_a_valid_marker() {
    let world = World::start().await;
    world.create_accepted_images().await;
    for list in lists_in_every_order().into_iter().filter(|list| list.operation != "callAction") {
        let (all, _) = world.page(&list, 100, None).await;
        let (rest, _) = world.page(&list, 100, Some(&all[1])).await;
        assert_eq!(rest, all[2..], "{list:?}");
    }
}
