//! A request as a client of one of the dialects sends it.

use imageshare_tests::events::HttpEvent;
use imageshare_tests::world::World;
use serde_json::{Value, json};

use crate::history::Request;

const BATCH: &str = "/v1/cloudimages/members";

/// The event that the gateway makes of a request.
pub fn event(request: &Request) -> HttpEvent {
    let (by, event) = match request {
        Request::Register { owner, image, visibility } => {
            let body = json!({"id": image, "visibility": visibility});
            (owner, HttpEvent::new("POST /v2/images", "/v2/images").json(&body))
        }
        Request::Share { by, images, to, .. } => {
            (by, batch("POST", &json!({"images": images, "projects": to})))
        }
        Request::Unshare { by, images, to, .. } => {
            (by, batch("DELETE", &json!({"images": images, "projects": to})))
        }
        Request::Respond { by, named, images, says, .. } => {
            (by, batch("PUT", &json!({"images": images, "project_id": named, "status": says})))
        }
        Request::Add { by, image, to } => {
            let event =
                HttpEvent::new("POST /v2/images/{image_id}/members", &format!("/v2/images/{image}/members"));
            (by, event.json(&json!({"member": to})))
        }
        Request::Remove { by, image, to } => {
            let target = format!("/v2/images/{image}/members/{to}");
            (by, HttpEvent::new("DELETE /v2/images/{image_id}/members/{member_id}", &target))
        }
        Request::Answer { by, image, named, says } => {
            let target = format!("/v2/images/{image}/members/{named}");
            let event = HttpEvent::new("PUT /v2/images/{image_id}/members/{member_id}", &target);
            (by, event.json(&json!({"status": says})))
        }
        Request::Permit { by, image, add, remove } => {
            let mut query =
                format!("Action=ModifyImagePermission&Version=2020-09-30&RegionId=local&ImageId={image}");
            for (name, accounts) in [("AddAccount", add), ("RemoveAccount", remove)] {
                for (number, account) in (1..).zip(accounts) {
                    query += &format!("&{name}.{number}={account}");
                }
            }
            (by, HttpEvent::new("POST /", &format!("/?{query}")))
        }
        Request::Show { by, image, visibility } => {
            let patch = json!([{"op": "replace", "path": "/visibility", "value": visibility}]);
            let event = HttpEvent::new("PATCH /v2/images/{image_id}", &format!("/v2/images/{image}"));
            let event = event.header("content-type", "application/openstack-images-v2.1-json-patch");
            (by, event.text(&patch.to_string()))
        }
        Request::Delete { by, image } => {
            (by, HttpEvent::new("DELETE /v2/images/{image_id}", &format!("/v2/images/{image}")))
        }
    };
    let event = event.token(&World::token(by.as_str(), "member"));
    match request.key() {
        Some((_, key)) => event.header("idempotency-key", &format!("key-{key}")),
        None => event,
    }
}

fn batch(method: &str, body: &Value) -> HttpEvent {
    HttpEvent::new(&format!("{method} {BATCH}"), BATCH).json(body)
}
