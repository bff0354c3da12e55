//! A request as a client of one API sends it.

use imageshare_tests::deployment::Deployment;
use imageshare_tests::events::HttpEvent;
use serde_json::{Value, json};

use crate::calls::image_properties;
use crate::history::{Decision, KEY, Policy, Request, vault_id};

const BATCH_PATH: &str = "/v1/cloudimages/members";

/// The gateway's event for a request.
pub fn request_event(request: &Request) -> HttpEvent {
    let (by, event) = match request {
        Request::RegisterImage { owner, image, visibility } => {
            let mut body = json!({"id": image, "visibility": visibility});
            for (name, value) in image_properties(image) {
                body[name] = value.into();
            }
            (owner, HttpEvent::new("POST /v2/images", "/v2/images").json(&body))
        }
        Request::Share { by, images, to, .. } => {
            (by, batch_event("POST", &json!({"images": images, "projects": to})))
        }
        Request::Unshare { by, images, to, .. } => {
            (by, batch_event("DELETE", &json!({"images": images, "projects": to})))
        }
        Request::Respond { by, named, images, decision, .. } => (
            by,
            batch_event("PUT", &with_decision(json!({"images": images, "project_id": named}), *decision)),
        ),
        Request::RespondToAll { by, named, decision, .. } => {
            let images = decision.owner.map_or("*".to_owned(), |owner| format!("{owner}/*"));
            (
                by,
                batch_event(
                    "PUT",
                    &with_decision(json!({"images": [images], "project_id": named}), *decision),
                ),
            )
        }
        Request::AddMember { by, image, to } => {
            let event =
                HttpEvent::new("POST /v2/images/{image_id}/members", &format!("/v2/images/{image}/members"));
            (by, event.json(&json!({"member": to})))
        }
        Request::RemoveMember { by, image, to } => {
            let target = format!("/v2/images/{image}/members/{to}");
            (by, HttpEvent::new("DELETE /v2/images/{image_id}/members/{member_id}", &target))
        }
        Request::Decide { by, image, named, decision } => {
            let target = format!("/v2/images/{image}/members/{named}");
            let event = HttpEvent::new("PUT /v2/images/{image_id}/members/{member_id}", &target);
            (by, event.json(&with_decision(json!({}), *decision)))
        }
        Request::ChangePermissions { by, image, add, remove } => {
            let named = [("AddAccount", add), ("RemoveAccount", remove)].map(|(name, accounts)| {
                let accounts =
                    (1..).zip(accounts).map(|(number, id): (u8, _)| format!("&{name}.{number}={id}"));
                accounts.collect::<String>()
            });
            let action = "Action=ModifyImagePermission&Version=2020-09-30&RegionId=local";
            let query = format!("{action}&ImageId={image}{}", named.concat());
            (by, HttpEvent::new("POST /", &format!("/?{query}")))
        }
        Request::SetVisibility { by, image, visibility } => {
            let patch = json!([{"op": "replace", "path": "/visibility", "value": visibility}]);
            let event = HttpEvent::new("PATCH /v2/images/{image_id}", &format!("/v2/images/{image}"));
            let event = event.header("content-type", "application/openstack-images-v2.1-json-patch");
            (by, event.text(&patch.to_string()))
        }
        Request::DeleteImage { by, image } => {
            (by, HttpEvent::new("DELETE /v2/images/{image_id}", &format!("/v2/images/{image}")))
        }
        Request::SetKeyGrant { by, to, is_granted } => {
            let method = if *is_granted { "PUT" } else { "DELETE" };
            let route = format!("{method} /v1/keys/{{key_id}}/grants/{{project_id}}");
            (by, HttpEvent::new(&route, &format!("/v1/keys/{KEY}/grants/{to}")))
        }
        Request::SetPolicy { by, owner, policy } => {
            let method = if policy.is_some() { "PUT" } else { "DELETE" };
            let event = HttpEvent::new(
                &format!("{method} /v1/owners/{{project_id}}"),
                &format!("/v1/owners/{owner}"),
            );
            let body = |policy: &Policy| match policy {
                Policy::Trusted { vault } => json!({"policy": "trusted", "vault_id": vault.map(vault_id)}),
                Policy::Blocked => json!({"policy": "blocked"}),
            };
            (by, policy.as_ref().map(body).iter().fold(event, HttpEvent::json))
        }
        Request::SetVault { by, vault, gib } => {
            let method = if gib.is_some() { "PUT" } else { "DELETE" };
            let target = format!("/v1/vaults/{}", vault_id(*vault));
            let event = HttpEvent::new(&format!("{method} /v1/vaults/{{vault_id}}"), &target);
            let body = |gib: &u32| json!({"protection_type": "backup", "capacity_gib": gib});
            (by, gib.as_ref().map(body).iter().fold(event, HttpEvent::json))
        }
    };
    let event = event.token(&Deployment::token(by.as_str(), "member"));
    match request.key() {
        Some((_, key)) => event.header("idempotency-key", &format!("key-{key}")),
        None => event,
    }
}

fn with_decision(mut body: Value, decision: Decision) -> Value {
    body["status"] = json!(decision.status);
    if let Some(vault) = decision.vault {
        body["vault_id"] = vault_id(vault).into();
    }
    body
}

fn batch_event(method: &str, body: &Value) -> HttpEvent {
    HttpEvent::new(&format!("{method} {BATCH_PATH}"), BATCH_PATH).json(body)
}
