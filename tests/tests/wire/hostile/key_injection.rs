//! Texts that become part of the table's keys and items: no text of a request reaches another item than its own.

use imageshare::domain::Role;
use imageshare_tests::api::ApiRequest;
use serde_json::{Value, json};

use super::world::{Failures, World};

/// Names that the table's items use internally.
const ATTRIBUTE_NAMES: [&str; 16] = [
    "pk",
    "sk",
    "gpk",
    "gsk",
    "osk",
    "ttl",
    "expires",
    "revision",
    "members",
    "kind",
    "details",
    "created",
    "member_rev",
    "#pk",
    ":list",
    "attribute_not_exists(pk)",
];

#[tokio::test]
async fn key_like_text_is_stored_as_plain_text() {
    let world = World::start().await;
    let other = format!("IMAGE#{}", world.secret_image);
    let texts = [
        other.as_str(),
        "IMAGE#",
        "TENANT#own1",
        "#",
        "MEMBER#mem1",
        "SET #a = :b",
        "{\"S\":\"x\"}",
        "' OR 1=1 --",
    ];
    for text in texts {
        let mut new = json!({"name": text, "tags": [text], "visibility": "shared"});
        for name in ATTRIBUTE_NAMES {
            new[name] = text.into();
        }
        let before = world.api.dump_when_idle().await;
        let made = world.send(&ApiRequest::new("POST", "/v2/images").json(&new)).await;
        let after = world.api.dump();
        let kept: Vec<_> = before.iter().filter(|item| after.get(item.0) == Some(item.1)).collect();
        // The project's image count changes with it.
        assert!(before.len() - kept.len() <= 1, "{text}");
        let fresh: Vec<_> = after.keys().filter(|key| !before.contains_key(*key)).collect();
        match made.status {
            201 => {
                let id = made.body["id"].as_str().unwrap();
                assert_eq!(made.body["name"], text);
                assert!(fresh.iter().all(|key| key.contains(id)), "{fresh:?}");
            }
            status => assert_eq!((status, fresh.len()), (400, 0), "{made:?}"),
        }
        for name in ATTRIBUTE_NAMES {
            let path = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            let change = json!([{"op": "add", "path": path, "value": text}]);
            let request = ApiRequest::new("PATCH", format!("/v2/images/{}", world.image)).json(&change);
            let response = world.send(&request).await;
            assert!(response.status < 500, "{response:?}");
            let shown = world.send(&ApiRequest::new("GET", format!("/v2/images/{}", world.image))).await;
            shown.expect_status(200);
            assert_eq!(shown.body["owner"], "own1");
        }
        let named = json!({"name": text, "roles": ["member"]});
        assert!(world.send(&ApiRequest::new("POST", "/v1/access-keys").json(&named)).await.status < 500);
    }
    world.expect_other_project_unchanged().await;
    Failures::default().assert_none();
}

/// Parameters that take an id or a marker, each with a text that would name something else as part of a key.
#[tokio::test]
async fn key_like_ids_and_markers_are_rejected() {
    let world = World::start().await;
    let before = world.api.dump_when_idle().await;
    let mut faults = Failures::default();
    let secret = world.secret_image.clone();
    for text in [
        format!("{secret}#MEMBER"),
        format!("IMAGE#{secret}"),
        format!("{}#{secret}", world.image),
        format!("{}/../{secret}", world.image),
        format!("{secret}\0"),
        format!(" {secret}"),
        format!("{secret}\n"),
        format!("{secret}~0"),
        format!("{},{secret}", world.image),
    ] {
        let encoded =
            percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC).to_string();
        for operation in world.operations() {
            for parameter in World::ids_in_path(&operation) {
                let path = world.path_with(&operation.path, (&parameter.name, &encoded));
                let request = ApiRequest::new(&operation.method, path);
                let request = if operation.body_schema.is_some() {
                    request.json(&world.valid_body(&operation))
                } else {
                    request
                };
                faults.expect_client_error(&request, &world.send(&request).await);
            }
            for parameter in operation.parameters_in("query").filter(|one| one.name == "marker") {
                let path = world.valid_path(&operation.path);
                let request =
                    ApiRequest::new(&operation.method, format!("{path}?{}={encoded}", parameter.name));
                faults.expect_client_error(&request, &world.send(&request).await);
            }
        }
        for body in [
            json!({"images": [text], "projects": ["mem1"]}),
            json!({"images": [world.image], "projects": [text]}),
            json!({"images": [text], "project_id": "own1", "status": "accepted"}),
        ] {
            for method in ["POST", "PUT", "DELETE"] {
                let request = ApiRequest::new(method, "/v1/cloudimages/members").json(&body);
                faults.expect_client_error(&request, &world.send(&request).await);
            }
        }
        let keyed = ApiRequest::new("POST", "/v1/cloudimages/members");
        let keyed = keyed.header("Idempotency-Key", text.replace(['\0', '\n'], ""));
        let request = keyed.json(&json!({"images": ["no-such-image"], "projects": ["mem1"]}));
        faults.expect_client_error(&request, &world.send(&request).await);
    }
    assert_eq!(world.api.dump(), before, "something was written");
    world.expect_other_project_unchanged().await;
    faults.assert_none();
}

impl World {
    /// The other project's image is unchanged, and shared with no tenant.
    async fn expect_other_project_unchanged(&self) {
        let token = self.api.token("other", Role::Member);
        let show = ApiRequest::new("GET", format!("/v2/images/{}", self.secret_image));
        let shown = self.api.send(&show.token(&token)).await.body;
        assert_eq!((&shown["name"], &shown["owner"]), (&json!(Self::SECRET_NAME), &json!("other")));
        let members = ApiRequest::new("GET", format!("/v2/images/{}/members", self.secret_image));
        let members = self.api.send(&members.token(&token)).await.body;
        assert_eq!(members["members"].as_array().map(Vec::len), Some(0), "{members}");
        let list = ApiRequest::new("GET", "/v2/cloudimages?limit=1000");
        let own: Vec<Value> = self.send(&list).await.body["images"].as_array().unwrap().clone();
        assert!(own.iter().all(|image| image["owner"] == "own1"), "{own:?}");
    }
}
