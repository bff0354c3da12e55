//! Members of a body that the service does not know (`contract/decisions.md` 30).

use serde_json::{Value, json};

use super::world::World;

/// The body with an unknown member in each of its objects in turn.
fn with_unknown_member(body: &Value) -> Vec<Value> {
    match body {
        Value::Object(members) => {
            let mut own = members.clone();
            own.insert("unheard_of".to_owned(), json!(null));
            let below = members.iter().flat_map(|(name, member)| {
                with_unknown_member(member).into_iter().map(move |changed| {
                    let mut other = members.clone();
                    other.insert(name.clone(), changed);
                    other.into()
                })
            });
            std::iter::once(own.into()).chain(below).collect()
        }
        Value::Array(items) => {
            let changed = items.iter().enumerate().flat_map(|(place, item)| {
                with_unknown_member(item).into_iter().map(move |changed| {
                    let mut other = items.clone();
                    other[place] = changed;
                    other.into()
                })
            });
            changed.collect()
        }
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn unknown_member_is_refused_by_name_below_v1() {
    let world = World::start().await;
    let before = world.api.dump_when_idle().await;
    let mut checked = 0;
    for operation in world.operations() {
        if operation.body_schema.is_none() || !operation.path.starts_with("/v1/") {
            continue;
        }
        let bodies = with_unknown_member(&world.valid_body(&operation));
        assert!(!bodies.is_empty(), "{} takes no object", operation.id);
        for body in bodies {
            let refused = world.send(&world.request(&operation, body.to_string())).await;
            refused.expect_status(400);
            // A condition of a pattern has exactly one member, so none of two is the unknown one.
            let is_named = ["unheard_of", "pattern.name[0]: ", "pattern.properties.os[1]: "];
            assert!(is_named.iter().any(|name| refused.message().contains(name)), "{body}: {refused:?}");
            checked += 1;
        }
    }
    assert!(checked >= 15, "{checked}");
    assert_eq!(world.api.dump(), before, "something was written");
}

#[tokio::test]
async fn unknown_member_is_ignored_in_glance_and_keystone() {
    let world = World::start().await;
    for id in ["addMember", "updateMember", "createToken"] {
        let operation = world.operations().into_iter().find(|operation| operation.id == id).unwrap();
        let body = world.valid_body(&operation);
        let expected = world.send(&world.request(&operation, body.to_string())).await;
        for body in with_unknown_member(&body) {
            let response = world.send(&world.request(&operation, body.to_string())).await;
            // Adding a member a second time is a conflict, whatever else the body has.
            let is_second = id == "addMember" && response.status == 409;
            assert!(response.status == expected.status || is_second, "{body}: {response:?}");
            assert!(!response.message().contains("unheard_of"), "{response:?}");
        }
    }
}
