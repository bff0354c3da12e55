//! Versions and schemas: what clients ask before and after their calls.

use imageshare_tests::api::Ask;
use serde_json::json;

use super::World;

#[tokio::test]
async fn anybody_is_told_the_versions_at_the_address_that_it_used() {
    let world = World::start(&[]).await;
    let mut bodies = Vec::new();
    for (path, status) in [("/", 300), ("/versions", 200), ("/v2", 200), ("/v2/", 200)] {
        let ask = Ask::new("GET", path).header("Host", "images.example:8080");
        let answer = world.api.send(&ask).await;
        assert_eq!(answer.status, status, "{path}");
        let current = &answer.body["versions"][0];
        let link = json!([{"rel": "self", "href": "http://images.example:8080/v2/"}]);
        assert_eq!(*current, json!({"id": "v2.17", "status": "CURRENT", "links": link}));
        let token = world.api.send(&ask.token("a token that is none")).await;
        assert_eq!((token.status, &token.body), (status, &answer.body), "{path}");
        bodies.push(answer.body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
    let ids: Vec<_> =
        bodies[0]["versions"].as_array().unwrap().iter().map(|version| &version["id"]).collect();
    assert_eq!(ids[1], "v2.9");
    assert_eq!(ids[9], "v2.0");
}

#[tokio::test]
async fn a_minor_version_up_to_15_means_version_2() {
    let world = World::start(&[]).await;
    let image = world.image("own1", &json!({"name": "web"})).await;
    for minor in 0..=15 {
        for path in ["", "/", "/images", "/images?limit=0", "/cloudimages", "/schemas/member"] {
            let version_2 = world.ask("own1", "GET", &format!("/v2{path}")).await;
            let answer = world.ask("own1", "GET", &format!("/v2.{minor}{path}")).await;
            assert_eq!((answer.status, &answer.body), (200, &version_2.body), "{minor} {path}");
        }
    }
    let image = format!("/v2.7/images/{image}");
    let members = format!("{image}/members");
    let added = world.say("own1", "POST", &members, &json!({"member": "mem1"})).await;
    assert_eq!((added.status, &added.body["member_id"]), (200, &json!("mem1")));
    let member = format!("{members}/mem1");
    assert_eq!(world.say("mem1", "PUT", &member, &json!({"status": "accepted"})).await.status, 200);
    assert_eq!(world.ask("own1", "GET", &members).await.body["members"][0]["status"], "accepted");
    assert_eq!(world.ask("mem1", "GET", &member).await.body["status"], "accepted");
    assert_eq!(world.ask("own1", "DELETE", &member).await.status, 204);
    let other = world.ask("own1", "PUT", &image).await;
    assert_eq!((other.status, other.headers["allow"].as_str()), (405, "DELETE, GET, HEAD, PATCH"));
    assert_eq!(world.ask("own1", "DELETE", &image).await.status, 204);
    for beyond in ["/v2.16", "/v2.17", "/v2.16/images", "/v2.17/images"] {
        assert_eq!(world.ask("own1", "GET", beyond).await.status, 404, "{beyond}");
    }
}

#[tokio::test]
async fn a_schema_is_there_for_images_and_members() {
    let world = World::start(&[]).await;
    for name in ["image", "images", "member", "members"] {
        let answer = world.ask("own1", "GET", &format!("/v2/schemas/{name}")).await;
        assert_eq!((answer.status, &answer.body["name"]), (200, &json!(name)));
        assert_eq!(world.api.send(&Ask::new("GET", format!("/v2/schemas/{name}"))).await.status, 401);
    }
    assert_eq!(world.ask("own1", "GET", "/v2/schemas/task").await.status, 404);
    let image = world.ask("own1", "GET", "/v2/schemas/image").await.body;
    assert_eq!(image["additionalProperties"], json!({"type": "string"}));
    let id = world.image("own1", &json!({"own": "property"})).await;
    let shown = world.ask("own1", "GET", &format!("/v2/images/{id}")).await.body;
    for (name, value) in shown.as_object().unwrap() {
        let known = image["properties"].get(name);
        assert!(known.is_some() || value.is_string(), "{name} is a property that is no text");
    }
}
