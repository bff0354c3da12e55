//! Versions and schemas, which clients request before and after their calls.

use imageshare_tests::api::ApiRequest;
use serde_json::json;

use super::World;

#[tokio::test]
async fn versions_use_the_host_of_the_request() {
    let world = World::start(&[]).await;
    let mut bodies = Vec::new();
    for (path, status) in [("/", 300), ("/versions", 200), ("/v2", 200), ("/v2/", 200)] {
        let request = ApiRequest::new("GET", path).header("Host", "images.example:8080");
        let response = world.api.send(&request).await;
        response.expect_status(status);
        let current = &response.body["versions"][0];
        let link = json!([{"rel": "self", "href": "http://images.example:8080/v2/"}]);
        assert_eq!(*current, json!({"id": "v2.17", "status": "CURRENT", "links": link}));
        let token = world.api.send(&request.token("a token that is none")).await;
        token.expect_status(status);
        assert_eq!(token.body, response.body);
        bodies.push(response.body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
    let ids: Vec<_> =
        bodies[0]["versions"].as_array().unwrap().iter().map(|version| &version["id"]).collect();
    assert_eq!(ids[1], "v2.9");
    assert_eq!(ids[9], "v2.0");
}

#[tokio::test]
async fn minor_versions_behave_as_version_2() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({"name": "web"})).await;
    for minor in 0..=17 {
        for path in ["", "/", "/images", "/images?limit=0", "/cloudimages", "/schemas/member"] {
            let version_2 = world.request("own1", "GET", &format!("/v2{path}")).await;
            let response = world.request("own1", "GET", &format!("/v2.{minor}{path}")).await;
            response.expect_status(200);
            assert_eq!(response.body, version_2.body);
        }
    }
    let image = format!("/v2.7/images/{image}");
    let members = format!("{image}/members");
    let added = world.request_with_body("own1", "POST", &members, &json!({"member": "mem1"})).await;
    added.expect_status(200);
    assert_eq!(added.body["member_id"], "mem1");
    let member = format!("{members}/mem1");
    world.request_with_body("mem1", "PUT", &member, &json!({"status": "accepted"})).await.expect_status(200);
    assert_eq!(world.request("own1", "GET", &members).await.body["members"][0]["status"], "accepted");
    assert_eq!(world.request("mem1", "GET", &member).await.body["status"], "accepted");
    world.request("own1", "DELETE", &member).await.expect_status(204);
    let other = world.request("own1", "PUT", &image).await;
    other.expect_status(405);
    assert_eq!(other.headers["allow"], "DELETE, GET, HEAD, PATCH");
    world.request("own1", "DELETE", &image).await.expect_status(204);
    for beyond in ["/v2.18", "/v2.017", "/v2.18/images", "/v2.99/images"] {
        world.request("own1", "GET", beyond).await.expect_status(404);
    }
}

#[tokio::test]
async fn unauthenticated_caller_gets_the_keystone_address() {
    let world = World::start(&[]).await;
    for (method, target) in [("GET", "/v2/images"), ("GET", "/v1/cloudimages/quota"), ("PUT", "/v2/images")] {
        for request in
            [ApiRequest::new(method, target), ApiRequest::new(method, target).token("none that is known")]
        {
            let refused = world.api.send(&request.header("Host", "images.example:8080")).await;
            refused.expect_status(401);
            assert_eq!(refused.headers["www-authenticate"], "Keystone uri=\"http://images.example:8080\"");
        }
    }
}

#[tokio::test]
async fn schemas_exist_for_images_and_members() {
    let world = World::start(&[]).await;
    for name in ["image", "images", "member", "members"] {
        let response = world.request("own1", "GET", &format!("/v2/schemas/{name}")).await;
        response.expect_status(200);
        assert_eq!(response.body["name"], json!(name));
        world.api.send(&ApiRequest::new("GET", format!("/v2/schemas/{name}"))).await.expect_status(401);
    }
    world.request("own1", "GET", "/v2/schemas/task").await.expect_status(404);
    let image = world.request("own1", "GET", "/v2/schemas/image").await.body;
    assert_eq!(image["additionalProperties"], json!({"type": "string"}));
    // python-glanceclient has an option for each of these, and drops the value of one that the schema does not have.
    for name in
        ["architecture", "description", "instance_uuid", "kernel_id", "os_distro", "os_version", "ramdisk_id"]
    {
        assert_eq!(image["properties"][name]["is_base"], false, "{name}");
    }
    let id = world.create_image("own1", &json!({"own": "property"})).await;
    let shown = world.request("own1", "GET", &format!("/v2/images/{id}")).await.body;
    for (name, value) in shown.as_object().unwrap() {
        let known = image["properties"].get(name);
        assert!(known.is_some() || value.is_string(), "{name} is a property that is no text");
    }
}

#[tokio::test]
async fn schema_and_service_agree_on_ids_formats_and_sizes() {
    let world = World::start(&[]).await;
    let schema = world.request("own1", "GET", "/v2/schemas/image").await.body;
    let properties = &schema["properties"];
    for format in ["disk_format", "container_format"] {
        for value in properties[format]["enum"].as_array().unwrap() {
            let created =
                world.request_with_body("own1", "POST", "/v2/images", &json!({format: value})).await;
            created.expect_status(201);
            assert_eq!(created.body[format], *value);
        }
        world
            .request_with_body("own1", "POST", "/v2/images", &json!({format: "floppy"}))
            .await
            .expect_status(400);
    }
    for size in ["min_disk", "min_ram"] {
        for (value, status) in [
            (properties[size]["minimum"].as_i64().unwrap(), 201),
            (properties[size]["minimum"].as_i64().unwrap() - 1, 400),
            (properties[size]["maximum"].as_i64().unwrap(), 201),
            (properties[size]["maximum"].as_i64().unwrap() + 1, 400),
        ] {
            let created = world.request_with_body("own1", "POST", "/v2/images", &json!({size: value})).await;
            created.expect_status(status);
        }
    }
    let refused = world.request_with_body("own1", "POST", "/v2/images", &json!({"min_ram": -1})).await;
    assert_eq!(refused.message(), "min_ram: expected a whole number of MiB from 0 to 2147483647.");
    let uuid = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$";
    for (name, others) in [("id", &["i-1", ""][..]), ("kernel_id", &["i-1"]), ("ramdisk_id", &["x"])] {
        assert_eq!(properties[name]["pattern"], uuid, "{name}");
        let good = "0b680482-acaa-4045-b14c-9a8c7dfe9c70";
        let created = world.request_with_body("own1", "POST", "/v2/images", &json!({name: good})).await;
        created.expect_status(201);
        assert_eq!(created.body[name], json!(good));
        for other in others {
            let created = world.request_with_body("own1", "POST", "/v2/images", &json!({name: other})).await;
            created.expect_status(400);
        }
    }
    let none = world.request_with_body("own1", "POST", "/v2/images", &json!({"kernel_id": null})).await;
    none.expect_status(201);
    assert_eq!(none.body.get("kernel_id"), None);
}
