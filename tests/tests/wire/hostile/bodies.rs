//! Bodies.

use imageshare::http::body_limit;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::Functions;
use serde_json::{Value, json};

use super::world::{Failures, World};

fn odd_values() -> Vec<Value> {
    let texts = ["", " ", "a#b", "a/b", "..", "\0", "ü", "\u{202e}", "null"].map(Value::from);
    let long = [65, 300, 70_000].map(|length| Value::from("x".repeat(length)));
    let rest = [
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!([]),
        json!({}),
        json!([[]]),
        json!([7]),
        json!([null]),
        json!({"a": {"b": []}}),
        json!(vec!["a"; 101]),
        json!((0..200).map(|n| n.to_string()).collect::<Vec<_>>()),
    ];
    [texts.to_vec(), long.to_vec(), rest.to_vec()].concat()
}

/// A body in which each value in turn is replaced by an odd one or left out.
fn mutations(body: &Value) -> Vec<Value> {
    let mut all = odd_values();
    match body {
        Value::Object(members) => {
            for (name, member) in members {
                let mut less = members.clone();
                less.remove(name);
                all.push(less.into());
                for odd in mutations(member) {
                    let mut other = members.clone();
                    other.insert(name.clone(), odd);
                    all.push(other.into());
                }
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                for odd in mutations(item) {
                    let mut other = items.clone();
                    other[place] = odd;
                    all.push(other.into());
                }
            }
        }
        _ => {}
    }
    all
}

#[tokio::test]
async fn body_that_violates_the_schema_is_rejected() {
    let world = World::start().await;
    let before = world.api.dump_when_idle().await;
    let (mut faults, mut allowed) = (Failures::default(), Vec::new());
    for operation in world.operations() {
        let Some(schema) = &operation.body_schema else { continue };
        for body in mutations(&world.valid_body(&operation)) {
            let request = world.request(&operation, body.to_string());
            if world.api.document.schema_violation(schema, &body).is_some() {
                faults.expect_client_error(&request, &world.send(&request).await);
            } else {
                allowed.push(request);
            }
        }
    }
    assert_eq!(world.api.dump(), before, "something was written");
    for request in allowed {
        faults.expect_no_server_error(&request, &world.send(&request).await);
    }
    faults.assert_none();
}

/// Bodies that are not JSON, or JSON that no operation accepts.
fn unparsable_bodies() -> Vec<Vec<u8>> {
    let deep = |open: &str, length| open.repeat(length).into_bytes();
    let texts: [&[u8]; 26] = [
        b"",
        b" ",
        b"\n\n",
        b"{",
        b"}",
        b"{]",
        b"{\"images\"",
        b"{\"images\":}",
        b"{\"images\":[}",
        b"[1,]",
        b"NaN",
        b"{\"images\":NaN}",
        b"Infinity",
        b"1e999",
        b"-",
        b"nul",
        b"'a'",
        b"\"a",
        b"{} {}",
        b"\xff\xfe{}",
        b"{\"images\":[\"\xff\"]}",
        b"{\"images\":[\"\\ud800\"]}",
        b"{\"\\udfff\":1}",
        b"{\"name\":\"\x01\"}",
        b"images=a",
        b"\xef\xbb\xbf{}",
    ];
    let mut all = texts.map(<[u8]>::to_vec).to_vec();
    for open in ["[", "{\"a\":", "[[{\"images\":"] {
        all.push(deep(open, 1_200));
    }
    all.push([deep("[", 5_000), deep("]", 5_000)].concat());
    all
}

#[tokio::test]
async fn unparsable_body_is_rejected() {
    let world = World::start().await;
    let before = world.api.dump_when_idle().await;
    let mut faults = Failures::default();
    for operation in world.operations() {
        if operation.body_schema.is_some() {
            for body in unparsable_bodies() {
                let request = world.request(&operation, body);
                faults.expect_client_error(&request, &world.send(&request).await);
            }
            // Nested deeply, under an unknown key.
            let good = world.valid_body(&operation).to_string();
            for open in ["[", "{\"a\":"] {
                let deep = format!("{{\"unknown\":{},", open.repeat(2_000));
                let request = world.request(&operation, good.replacen('{', &deep, 1));
                faults.expect_client_error(&request, &world.send(&request).await);
            }
            // A duplicate key has two meanings, and one of them would be ignored.
            let twice = good.replacen(
                '{',
                "{\"images\":[\"a\"],\"member\":\"a\",\"name\":\"a\",\"op\":\"add\",\"status\":\"\",",
                1,
            );
            let request = world.request(&operation, twice);
            faults.expect_client_error(&request, &world.send(&request).await);
        } else if operation.statuses().contains(&400) {
            for body in ["{}", "x"] {
                let request = world.request(&operation, body);
                let response = world.send(&request).await;
                faults.expect_client_error(&request, &response);
                assert!(response.message().contains("body"), "{response:?}");
            }
        }
        if !operation.is_anonymous {
            let response = world.send(&world.request(&operation, vec![b' '; 12_000_000])).await;
            response.expect_status(413);
        }
    }
    assert_eq!(world.api.dump(), before, "something was written");
    faults.assert_none();
}

/// Members that a valid body may not have in addition, even if unknown ones are ignored.
fn malformed_members() -> Vec<String> {
    let long = "9".repeat(5_000);
    let mut poisons = [
        r#""unknown":"\ud800""#,
        r#""unknown":["\udc00\ud800"]"#,
        r#""\ud83d":1"#,
        r#""unknown":{"a":1,"a":1}"#,
        r#""unknown":1,"unkn\u006fwn":1"#,
        r#""unknown":1e400"#,
        r#""unknown":NaN"#,
        r#""unknown":-Infinity"#,
        r#""unknown":01"#,
        r#""unknown":1."#,
        r#""unknown":.5"#,
        r#""unknown":+1"#,
        r#""unknown":0x1F"#,
        r#""unknown":'a'"#,
        r#""unknown":"\x41""#,
        r#""unknown":"\u00""#,
        r"unknown:1",
        "\"unknown\":\"a\nb\"",
        "\"unknown\":\"a\0b\"",
        "/* a comment */\"unknown\":1",
        "\"unknown\":1,",
        "\u{feff}\"unknown\":1",
    ]
    .map(str::to_owned)
    .to_vec();
    poisons.push(format!("\"unknown\":{long}e{long}"));
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        poisons.push(format!("\"unknown\":{}1{}", open.repeat(2_000), close.repeat(2_000)));
    }
    poisons
}

#[tokio::test]
async fn unknown_member_must_be_valid_json() {
    let world = World::start().await;
    let before = world.api.dump_when_idle().await;
    let mut faults = Failures::default();
    for operation in world.operations().into_iter().filter(|operation| operation.body_schema.is_some()) {
        let good = world.valid_body(&operation).to_string();
        for poison in malformed_members() {
            // The first object of the body, which for a patch is an operation.
            let request = world.request(&operation, good.replacen('{', &format!("{{{poison},"), 1));
            faults.expect_client_error(&request, &world.send(&request).await);
        }
    }
    assert_eq!(world.api.dump(), before, "something was written");
    faults.assert_none();
}

#[tokio::test]
async fn odd_but_valid_unknown_member_causes_no_server_error() {
    let world = World::start().await;
    let (long, many) = ("9".repeat(300), vec!["0"; 1_500].join(","));
    for operation in world.operations().into_iter().filter(|operation| operation.body_schema.is_some()) {
        let good = world.valid_body(&operation).to_string();
        for odd in [
            format!("\"unknown\":{long}"),
            format!("\"unknown\":-{long}.{long}e-{long}"),
            format!("\"unknown\":[{many}]"),
            format!("\"unknown\":{}{}", "[".repeat(60), "]".repeat(60)),
            r#""unknown":"\u0000""#.to_owned(),
            r#""":"","\u0000":null"#.to_owned(),
            r#""__proto__":{"admin":true},"constructor":{}"#.to_owned(),
            r#""unknown":-0.0"#.to_owned(),
        ] {
            let request = world.request(&operation, good.replacen('{', &format!("{{{odd},"), 1));
            let response = world.send(&request).await;
            // Keystone ignores unknown members. IMS's batch calls and our own reject them: a client that sends one
            // believes that it has an effect.
            let (ignores, refuses) = (operation.id == "createToken", operation.path.starts_with("/v1/"));
            assert!(response.status < 500, "{request:?} {response:?}");
            assert!(!ignores || response.status < 400 || response.status == 401, "{request:?} {response:?}");
            assert!(!refuses || response.status == 400, "{request:?} {response:?}");
        }
    }
    Failures::default().assert_none();
}

#[tokio::test]
async fn body_with_wrong_encoding_or_type_is_rejected() {
    let world = World::start().await;
    let before = world.api.dump_when_idle().await;
    let mut faults = Failures::default();
    for operation in world.operations().into_iter().filter(|operation| operation.body_schema.is_some()) {
        let good = world.valid_body(&operation).to_string();
        let utf_16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let overlong = good.replacen('{', "{\"unknown\":\"OVERLONG\",", 1).into_bytes();
        let place = overlong.windows(8).position(|window| window == b"OVERLONG").unwrap();
        let mut bodies = vec![utf_16, good.as_bytes()[..good.len() - 1].to_vec()];
        for bytes in [&b"\xc0\xaf"[..], b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xe2\x82"] {
            let mut body = overlong.clone();
            body.splice(place..place + 8, bytes.iter().copied());
            bodies.push(body);
        }
        for body in bodies {
            let request = world.request(&operation, body);
            faults.expect_client_error(&request, &world.send(&request).await);
        }
        let zipped = world
            .request(&operation, &b"\x1f\x8b\x08\0\0\0\0\0\0\x03"[..])
            .header("Content-Encoding", "gzip");
        faults.expect_client_error(&zipped, &world.send(&zipped).await);
    }
    assert_eq!(world.api.dump(), before, "something was written");
    faults.assert_none();
}

#[tokio::test]
async fn body_is_accepted_up_to_the_limit_of_its_operation() {
    let world = World::start().await;
    for operation in world.api.document.operations() {
        let route = format!("{} {}", operation.method, operation.path);
        assert_eq!(body_limit(&route), operation.body_limit, "a function holds {route} to another limit");
    }
    let mut faults = Failures::default();
    for operation in world.operations().into_iter().filter(|operation| operation.body_schema.is_some()) {
        let good = world.valid_body(&operation).to_string();
        let padded = |bytes: usize| format!("{good}{}", " ".repeat(bytes - good.len()));
        let request = world.request(&operation, padded(operation.body_limit));
        let response = world.send(&request).await;
        faults.expect_no_server_error(&request, &response);
        assert_ne!(response.status, 413, "{request:?}");
        let response = world.send(&world.request(&operation, padded(operation.body_limit + 1))).await;
        response.expect_status(413);
        assert!(response.message().contains(&format!("{} bytes", operation.body_limit)), "{response:?}");
    }
    faults.assert_none();
}

#[tokio::test]
async fn function_enforces_the_body_limit_without_a_gateway() {
    let functions = Functions::start();
    let token = imageshare_tests::deployment::Deployment::token("own1", "member");
    for (route, target) in [
        ("POST /v1/cloudimages/members", "/v1/cloudimages/members"),
        ("PUT /v1/vaults/{vault_id}", "/v1/vaults/v-1"),
        ("PUT /v1/owners/{project_id}", "/v1/owners/own2"),
        ("PATCH /v2/images/{image_id}", "/v2/images/i-1"),
        ("POST /", "/"),
    ] {
        let limit = body_limit(route);
        let with = |bytes: usize| HttpEvent::new(route, target).text(&" ".repeat(bytes));
        let status = async |event: HttpEvent| functions.send(&event).await.status;
        assert_ne!(status(with(limit).token(&token)).await, 413, "{route}");
        assert_eq!(status(with(limit + 1).token(&token)).await, 413, "{route}");
        assert_eq!(status(with(16_385)).await, 413, "{route}");
    }
}
