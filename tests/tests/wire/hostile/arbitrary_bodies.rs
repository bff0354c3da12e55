//! Bodies of any shape.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use super::world::World;

/// Generates JSON of any shape, often with names that have a meaning.
fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        3 => prop::sample::select(vec!["images", "projects", "project_id", "member", "status", "vault_id", "accounts", "name", "id",
            "owner", "visibility", "min_disk", "tags", "protected", "op", "path", "value", "__whole_image"]).prop_map(str::to_owned),
        1 => ".{0,10}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,70}".prop_map(Value::from),
        "[a-z.-]{1,8}".prop_map(Value::from),
        prop::sample::select(vec![
            "accepted", "rejected", "replace", "remove", "/name", "/x", "shared", "public"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

#[test]
fn arbitrary_bodies_never_cause_a_server_error() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::start());
    let operations: Vec<_> =
        world.operations().into_iter().filter(|operation| operation.body_schema.is_some()).collect();
    let bodies = prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => "[\\[\\]{}\":,a-z0-9 ]{0,60}".prop_map(String::into_bytes),
        4 => any_json().prop_map(|json| json.to_string().into_bytes()),
    ];
    let config = Config { cases: 400, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let all = (prop::sample::select(operations), bodies);
    let ran = runner.run(&all, |(operation, body)| {
        let response = runtime.block_on(world.send(&world.request(&operation, body)));
        prop_assert!(response.status < 500, "{:?}", response);
        Ok(())
    });
    ran.unwrap();
}
