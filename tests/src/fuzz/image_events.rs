//! The function `image-events`. The input is the JSON of an event, of which everything but the account may be what a
//! stranger has written: names, tags and properties of images.
//!
//! An event that is malformed or ignored has changed nothing. Any other acts for the tenant that its account is bound to,
//! on images of that tenant only. Handled again, it gives the same result and changes nothing.

use std::collections::HashMap;
use std::sync::LazyLock;

use dynoxide::types::AttributeValue;
use image_events::{EventError, handle};
use imageshare::domain::{Caller, DirectoryEntry, Limits, Role, TenantId, Visibility};
use imageshare::usecases::{NewImage, put_tenant, register_image, share};
use imageshare::{App, domain::Details};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::local_service::{LocalService, all_items, caller, tenant};

/// The tenants that accounts are bound to: that of the recorded events, and another.
const BOUND: [(&str, &str); 2] = [("own1", "012345678901"), ("own2", "111122223333")];

/// An image of the second tenant.
const TAKEN: &str = "taken";

/// What `imageshare` has to do with an image, as a response says it.
const OUTCOMES: [&str; 5] = ["registered", "changed", "withdrawn", "deleted", "unchanged"];

type Items = Vec<HashMap<String, AttributeValue>>;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"));

/// Handles an event twice.
pub fn run(input: &[u8]) -> bool {
    let Ok(event) = serde_json::from_slice::<Value>(input) else { return false };
    RUNTIME.block_on(check(&event));
    true
}

async fn check(event: &Value) {
    let local = LocalService::start(Limits::default());
    populate(&local.service).await;
    let before = sorted_items(&local);
    let first = handle(&local.service, event.clone()).await;
    let after = sorted_items(&local);
    match &first {
        Ok(response) if response.get("ignored").is_some() => assert!(before == after, "{event}"),
        Ok(response) => check_images(&local, event, response).await,
        Err(EventError::Malformed { field, .. }) => {
            assert!(before == after && !field.is_empty(), "{event}");
        }
        Err(EventError::Image { .. }) => assert!(bound_tenant(event).is_some(), "{event}"),
        Err(EventError::Store(problem)) => panic!("{problem}: {event}"),
    }
    check_other_tenants(&before, &after, event);

    match (first, handle(&local.service, event.clone()).await) {
        (Ok(first), Ok(again)) => assert_eq!(unchanged(first), again, "{event}"),
        (Err(first), Err(again)) => assert_eq!(first.to_string(), again.to_string(), "{event}"),
        (first, again) => panic!("{first:?}, then {again:?}: {event}"),
    }
    assert!(after == sorted_items(&local), "handled again, it changes something: {event}");
}

/// The images of a response are of the tenant that the account is bound to, or of nobody.
async fn check_images(local: &LocalService, event: &Value, response: &Value) {
    let owner = bound_tenant(event).unwrap_or_else(|| panic!("the account is not bound: {event}"));
    for image in response["images"].as_array().expect("the images") {
        let outcome = image["outcome"].as_str().expect("an outcome");
        assert!(OUTCOMES.contains(&outcome), "{response}");
        let id = image["id"].as_str().expect("an id").parse().expect("an id");
        let exists = local.service.store.image(&id).await.expect("the table").is_some();
        assert!(exists || ["deleted", "unchanged"].contains(&outcome), "{response}: {event}");
        if exists {
            assert_eq!(local.read_image(&id).await.owner, owner, "{event}");
        }
    }
}

/// No item that names another tenant has changed, except for that of a tenant whose membership ended.
fn check_other_tenants(before: &Items, after: &Items, event: &Value) {
    let owner = bound_tenant(event);
    for (other, _) in BOUND.iter().filter(|(id, _)| owner.as_ref().is_none_or(|owner| owner.as_str() != *id))
    {
        let of_other = |items: &Items| {
            let names = |item: &&HashMap<String, AttributeValue>| {
                item.values().any(|value| matches!(value, AttributeValue::S(text) if text == other))
            };
            items.iter().filter(names).cloned().collect::<Items>()
        };
        assert!(of_other(before) == of_other(after), "an item of {other} has changed: {event}");
    }
}

/// The response to the same event again.
fn unchanged(mut response: Value) -> Value {
    for image in response.get_mut("images").and_then(Value::as_array_mut).into_iter().flatten() {
        image["outcome"] = json!("unchanged");
    }
    response
}

fn bound_tenant(event: &Value) -> Option<TenantId> {
    let account = event["account"].as_str()?;
    BOUND.iter().find(|(_, bound)| *bound == account).map(|(id, _)| tenant(id))
}

/// All items, in the order of their keys.
fn sorted_items(local: &LocalService) -> Items {
    let mut items = all_items(&local.embedded);
    let key = |item: &HashMap<String, AttributeValue>| {
        ["pk", "sk"].map(|name| match item.get(name) {
            Some(AttributeValue::S(text)) => text.clone(),
            other => panic!("{name} is {other:?}"),
        })
    };
    items.sort_by_key(key);
    items
}

/// Binds the accounts, registers the AMI of EC2's recorded events and shares it, and an image of the other tenant.
async fn populate(app: &App) {
    for (id, account) in BOUND {
        let entry = DirectoryEntry {
            tenant: tenant(id),
            account: "acme".parse().expect("a name"),
            project: id.parse().expect("a name"),
            region: "local".parse().expect("a region"),
            organization: None,
            cloud_account: account.parse().ok(),
        };
        let admin = Caller { role: Role::Admin, ..caller("ops") };
        put_tenant(app, &admin, &entry).await.expect("entered");
    }
    let recorded = include_str!("../../vectors/events/ec2-ami-available.json");
    let mut event: Value = serde_json::from_str(recorded).expect("JSON");
    event["time"] = json!("2020-01-01T00:00:00Z");
    let response = handle(app, event).await.expect("registered");
    let ami = response["images"][0]["id"].as_str().expect("an id").parse().expect("an id");
    share(app, &caller("own1"), vec![ami], vec![tenant("mem1")], None).await.expect("shared");
    let id = Some(TAKEN.parse().expect("an id"));
    let new = NewImage { id, owner: None, visibility: Visibility::Shared, details: Details::default() };
    register_image(app, &caller("own2"), new, None).await.expect("an image");
}
