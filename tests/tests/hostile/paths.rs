//! Paths, and the ids in them.

use imageshare_tests::api::Ask;

use super::world::{Faults, World};

#[tokio::test]
async fn an_id_that_none_can_be_is_refused_wherever_it_stands_in_a_path() {
    let world = World::start().await;
    let before = world.api.dump();
    let mut faults = Faults::default();
    let long = "x".repeat(65);
    let odd = [
        "%23",
        "a%23b",
        "a%2Fb",
        "%2F",
        "..",
        "%2e%2e",
        ".",
        "...",
        "%00",
        "a%00b",
        "%FF",
        "%ED%A0%80",
        "%C3%BC",
        "a%20b",
        "a+b",
        "%",
        "%zz",
        "a;b",
        "'",
        "%7Bimage_id%7D",
        "*",
        "%0d%0aX: y",
        "~",
        &long,
    ];
    for operation in world.operations() {
        for parameter in operation.parameters_in("path") {
            for id in odd {
                let path = world.path(&operation.path, (&parameter.name, &id.replace(' ', "%20")));
                let ask = Ask::new(&operation.method, path);
                let ask = match operation.body {
                    Some(_) => ask.json(&world.good_body(&operation)),
                    None => ask,
                };
                faults.expect_refusal(&ask, &world.send(&ask).await);
            }
        }
    }
    assert_eq!(world.api.dump(), before, "something was written");
    faults.none();
}
