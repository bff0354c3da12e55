//! Malformed requests for every operation of the document: always an error of the caller in the one form, never one of
//! the server, never a panic, and nothing is written.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::{Mutex, Once};

use imageshare::domain::{JobId, Role, Stamp};
use imageshare_tests::api::{Answer, Api, Ask};
use imageshare_tests::document::{Operation, Parameter};
use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

/// A server with one image, whose owner sends the worst; or an admin, where nobody else gets as far.
struct World {
    api: Api,
    token: String,
    admin: String,
    image: String,
    job: String,
}

/// Every panic of the process, the server's own threads included.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl World {
    async fn start() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let shown = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                // A test that fails says so itself.
                if panic.location().is_none_or(|place| !place.file().starts_with("tests/")) {
                    PANICS.lock().unwrap().push(panic.to_string());
                }
                shown(panic);
            }));
        });
        let api = Api::start(&[]).await;
        let token = api.token("own1", Role::Member);
        let new = Ask::new("POST", "/v2/images").token(&token).json(&json!({"name": "a"}));
        let image = api.send(&new).await.body["id"].as_str().unwrap().to_owned();
        let admin = api.token("ops", Role::Admin);
        let put = Ask::new("PUT", "/v1/tenants/mem3").token(&admin);
        assert_eq!(api.send(&put.json(&json!({"account": "acme", "project": "web"}))).await.status, 200);
        Self { api, token, admin, image, job: JobId(Stamp::now()).to_string() }
    }

    /// Every operation, also by the path of a minor version where it has one.
    fn operations(&self) -> Vec<Operation> {
        let operations = self.api.document.operations();
        let minor: Vec<_> = operations.iter().filter_map(Operation::in_minor_version).collect();
        [operations, minor].concat()
    }

    async fn send(&self, ask: &Ask) -> Answer {
        let token = if ask.target.starts_with("/v1/tenants") { &self.admin } else { &self.token };
        self.api.send(&ask.clone().token(token)).await
    }

    /// The value of a path parameter that is as it must be.
    fn good_parameter(&self, name: &str) -> &str {
        match name {
            "project_id" => "own1",
            "image_id" => &self.image,
            "member_id" => "mem1",
            "job_id" => &self.job,
            "key_id" => "019abc0e4f1c7d3e9b5a6c7d8e9f0a1b",
            "schema_name" => "member",
            other => panic!("{other} is new: say here what is a good one"),
        }
    }

    /// The path of an operation, one parameter of it replaced.
    fn path(&self, path: &str, (name, value): (&str, &str)) -> String {
        let steps = path.split('/').map(|step| {
            match step.strip_prefix('{').and_then(|step| step.strip_suffix('}')) {
                Some(parameter) if parameter == name => value,
                Some(parameter) => self.good_parameter(parameter),
                None => step,
            }
        });
        steps.collect::<Vec<_>>().join("/")
    }

    fn good_path(&self, path: &str) -> String {
        self.path(path, ("", ""))
    }

    /// A body that is as it must be.
    fn good_body(&self, operation: &Operation) -> Value {
        let images = json!([self.image]);
        match operation.id.as_str() {
            "shareImages" | "unshareImages" => {
                let accounts = json!([{"name": "acme"}, {"name": "acme", "project": "web"}]);
                json!({"images": images, "projects": ["mem1", "mem2"], "accounts": accounts})
            }
            "putTenant" => json!({"account": "acme", "project": "shop", "region": "local"}),
            "respondToImages" => {
                json!({"images": images, "project_id": "own1", "status": "accepted", "vault_id": "v-1"})
            }
            "createImage" => {
                json!({"name": "a", "id": "7f1b5c0e-0d4a-4a53-9c3e-1f8b7c6d5e4f", "owner": "own1",
                "visibility": "shared", "disk_format": "qcow2", "container_format": "bare", "min_disk": 1, "min_ram": 2,
                "protected": false, "os_hidden": false, "tags": ["t"], "__os_type": "Linux"})
            }
            "createToken" => {
                let user = json!({"id": "key", "password": "secret"});
                json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}},
                    "scope": {"project": {"id": "own1"}}}})
            }
            "createAccessKey" => json!({"name": "ci", "roles": ["member"]}),
            "updateImage" => json!([{"op": "replace", "path": "/name", "value": "b"}]),
            "importImageData" => json!({"method": {"name": "glance-direct"}}),
            "addMember" => json!({"member": "mem1"}),
            "updateMember" => json!({"status": "accepted", "vault_id": "v-1"}),
            other => panic!("{other} is new: say here what a good body is"),
        }
    }

    fn ask(&self, operation: &Operation, body: impl Into<Vec<u8>>) -> Ask {
        Ask::new(&operation.method, self.good_path(&operation.path)).body(body)
    }
}

/// Collects what was not refused, so that one run tells of all.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn expect_refusal(&mut self, ask: &Ask, answer: &Answer) {
        if !(400..500).contains(&answer.status) {
            self.0.push(format!("{ask:?}\n  was answered with {} {}", answer.status, answer.body));
        }
    }

    fn expect_no_fault_of_ours(&mut self, ask: &Ask, answer: &Answer) {
        if answer.status >= 500 {
            self.0.push(format!("{ask:?}\n  was answered with {} {}", answer.status, answer.body));
        }
    }

    fn none(self) {
        assert!(self.0.is_empty(), "{} faults:\n{}", self.0.len(), self.0.join("\n"));
        let panics = PANICS.lock().unwrap().clone();
        assert!(panics.is_empty(), "{panics:?}");
    }
}

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

/// A body with each of its values replaced by something odd or left out.
fn distortions(body: &Value) -> Vec<Value> {
    let mut all = odd_values();
    match body {
        Value::Object(members) => {
            for (name, member) in members {
                let mut less = members.clone();
                less.remove(name);
                all.push(less.into());
                for odd in distortions(member) {
                    let mut other = members.clone();
                    other.insert(name.clone(), odd);
                    all.push(other.into());
                }
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                for odd in distortions(item) {
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
async fn a_body_that_is_not_as_the_document_says_is_refused() {
    let world = World::start().await;
    let before = world.api.dump();
    let (mut faults, mut allowed) = (Faults::default(), Vec::new());
    for operation in world.operations() {
        let Some(schema) = &operation.body else { continue };
        for body in distortions(&world.good_body(&operation)) {
            let ask = world.ask(&operation, body.to_string());
            if world.api.document.violation(schema, &body).is_some() {
                faults.expect_refusal(&ask, &world.send(&ask).await);
            } else {
                allowed.push(ask);
            }
        }
    }
    assert_eq!(world.api.dump(), before, "something was written");
    for ask in allowed {
        faults.expect_no_fault_of_ours(&ask, &world.send(&ask).await);
    }
    faults.none();
}

/// Bodies that are no JSON, or no JSON that anything here takes.
fn unreadable() -> Vec<Vec<u8>> {
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
        all.push(deep(open, 100_000));
    }
    all.push([deep("[", 100_000), deep("]", 100_000)].concat());
    all
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused() {
    let world = World::start().await;
    let before = world.api.dump();
    let mut faults = Faults::default();
    for operation in world.operations() {
        if operation.body.is_some() {
            for body in unreadable() {
                let ask = world.ask(&operation, body);
                faults.expect_refusal(&ask, &world.send(&ask).await);
            }
            // Deep inside a key that nobody knows.
            let good = world.good_body(&operation).to_string();
            for open in ["[", "{\"a\":"] {
                let deep = format!("{{\"unknown\":{},", open.repeat(100_000));
                let ask = world.ask(&operation, good.replacen('{', &deep, 1));
                faults.expect_refusal(&ask, &world.send(&ask).await);
            }
            // A key that is given twice means two things, and one of them would be ignored.
            let twice = good.replacen(
                '{',
                "{\"images\":[\"a\"],\"member\":\"a\",\"name\":\"a\",\"op\":\"add\",\"status\":\"\",",
                1,
            );
            let ask = world.ask(&operation, twice);
            faults.expect_refusal(&ask, &world.send(&ask).await);
        } else if operation.statuses().contains(&400) {
            for body in ["{}", "x"] {
                let ask = world.ask(&operation, body);
                let answer = world.send(&ask).await;
                faults.expect_refusal(&ask, &answer);
                assert!(answer.message().contains("body"), "{answer:?}");
            }
        }
        if !operation.is_open {
            let answer = world.send(&world.ask(&operation, vec![b' '; 12_000_000])).await;
            assert_eq!(answer.status, 413, "{} {answer:?}", operation.id);
        }
    }
    assert_eq!(world.api.dump(), before, "something was written");
    faults.none();
}

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

/// The value of a query parameter as its schema sees it.
fn typed(parameter: &Parameter, text: &str) -> Value {
    match parameter.schema["type"].as_str() {
        Some("integer") => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
        Some("boolean") => text.parse::<bool>().map_or_else(|_| text.into(), Value::from),
        Some("array") => json!([text]),
        _ => text.into(),
    }
}

#[tokio::test]
async fn a_query_that_is_not_as_the_document_says_is_refused() {
    let world = World::start().await;
    let mut faults = Faults::default();
    let long = "x".repeat(300);
    let odd = [
        "",
        "0",
        "-1",
        "1001",
        "4294967296",
        "99999999999999999999",
        "1.5",
        "1e3",
        "abc",
        "true",
        "null",
        "NaN",
        "%00",
        "%FF",
        "a%23b",
        "gt:",
        "gt:2026-11-21",
        "%F0%9F%90%99",
        &long,
    ];
    let absurd =
        ["&&&", "=", "=&=", "%", "%zz=1", "a=b=c", "?", "%00=%00", "a[]=1", "a&a&a", "__proto__=x", "'--"];
    for operation in world.operations().into_iter().filter(|operation| operation.method == "GET") {
        let target = world.good_path(&operation.path);
        for parameter in operation.parameters_in("query") {
            for value in odd {
                let ask = Ask::new("GET", format!("{target}?{}={value}", parameter.name));
                let answer = world.send(&ask).await;
                let decoded = percent_decode_str(value).decode_utf8();
                let is_good = decoded.is_ok_and(|text| {
                    world.api.document.violation(&parameter.schema, &typed(parameter, &text)).is_none()
                });
                if is_good {
                    faults.expect_no_fault_of_ours(&ask, &answer);
                } else {
                    faults.expect_refusal(&ask, &answer);
                    // Glance's own words for `member_status` name a status only.
                    let is_named = parameter.name.split('_').any(|word| answer.message().contains(word));
                    assert!(is_named, "{answer:?}");
                }
            }
            if parameter.schema["type"] == "array" {
                continue;
            }
            let twice = Ask::new("GET", format!("{target}?{0}=1&{0}=1", parameter.name));
            faults.expect_refusal(&twice, &world.send(&twice).await);
        }
        for query in absurd {
            let ask = Ask::new("GET", format!("{target}?{query}"));
            faults.expect_no_fault_of_ours(&ask, &world.send(&ask).await);
        }
        if !operation.is_open {
            let huge = world.send(&Ask::new("GET", format!("{target}?{}", "a=b&".repeat(3000)))).await;
            assert_eq!(huge.status, 431, "{huge:?}");
        }
    }
    faults.none();
}

#[tokio::test]
async fn headers_that_cannot_be_are_refused() {
    let world = World::start().await;
    let before = world.api.dump();
    let mut faults = Faults::default();
    for operation in world.operations().into_iter().filter(|operation| !operation.is_open) {
        let good = match operation.body {
            Some(_) => world.ask(&operation, world.good_body(&operation).to_string()),
            None => Ask::new(&operation.method, world.good_path(&operation.path)),
        };
        let huge = world.send(&good.clone().header("X-Huge", "x".repeat(11_000))).await;
        assert_eq!(huge.status, 431, "{huge:?}");
        let many = (0..900).fold(good.clone(), |ask, n| ask.header(&format!("x-{n:010}"), "y"));
        assert_eq!(world.send(&many).await.status, 431, "many small headers are as large as one huge");
        for host in ["", "a b", "[::1", "a:b:c", "a/b", "ü", "a:99999999", "%00"] {
            let ask = good.clone().header("Host", host);
            faults.expect_refusal(&ask, &world.send(&ask).await);
        }
        for parameter in operation.parameters_in("header") {
            for value in [&b""[..], b"a b", "ü".as_bytes(), b"\xff", &[b'k'; 256], b"a, b"] {
                let ask = good.clone().header(&parameter.name, value);
                faults.expect_refusal(&ask, &world.send(&ask).await);
            }
        }
        for signature in [
            "",
            "Access",
            "Access=a",
            "Access=a, SignedHeaders=, Signature=",
            "Access=a, SignedHeaders=x-sdk-date, Signature=00",
            "Credential=a/b, SignedHeaders=x-sdk-date;host, Signature=0",
            "Credential=////, SignedHeaders=a b, Signature=zz",
            ",,,,=,=",
        ] {
            let authorization = format!("SDK-HMAC-SHA256 {signature}");
            let ask =
                good.clone().header("X-Sdk-Date", "20261121T225355Z").header("Authorization", authorization);
            let answer = world.api.send(&ask).await;
            // In Alibaba's words, where it is Alibaba's API.
            let told = if operation.path == "/" { (400, "IncompleteSignature") } else { (401, "APIGW.0301") };
            assert_eq!((answer.status, answer.code()), told, "{ask:?} {answer:?}");
        }
        for token in [&b""[..], b"\xff", b"a b", b"a.b.c", b"..", b"Bearer x", &[b'.'; 9000]] {
            let (mine, bearer) = (good.clone().header("X-Auth-Token", token), [b"Bearer ", token].concat());
            for ask in [
                mine,
                good.clone().header("Authorization", bearer),
                good.clone().header("Authorization", token),
            ] {
                let answer = world.api.send(&ask).await;
                assert_eq!(answer.status, 401, "{ask:?} {answer:?}");
            }
        }
    }
    let patch = format!("/v2/images/{}", world.image);
    for media_type in [
        "application/json",
        "text/plain",
        "",
        "application/octet-stream",
        "a/b/c",
        "application/json-patch+json",
    ] {
        let ask = Ask::new("PATCH", &patch)
            .typed_body(media_type, "[{\"op\":\"replace\",\"path\":\"/name\",\"value\":\"b\"}]");
        assert_eq!(world.send(&ask).await.status, 415, "{media_type}");
    }
    assert_eq!(world.api.dump(), before, "something was written");
    faults.none();
}

#[tokio::test]
async fn another_method_is_told_the_methods_and_another_path_that_there_is_none() {
    let world = World::start().await;
    for (path, mut methods) in world.api.document.methods() {
        if path == "/v3/auth/tokens" {
            methods.insert(1, "HEAD".to_owned());
        }
        let target = world.good_path(&path);
        for method in
            ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "get", "G'T"]
        {
            if methods.iter().any(|known| known == method) {
                continue;
            }
            let answer = world.send(&Ask::new(method, &target)).await;
            let allow = answer.headers.get("allow").map(String::as_str);
            assert_eq!((answer.status, allow), (405, Some(methods.join(", ").as_str())), "{method} {target}");
        }
    }
    for path in [
        "//",
        "/v1",
        "/v2//",
        "/v2.7//",
        "/v2.16/images",
        "/v2.17/images",
        "/v2.07/images",
        "/v2./images",
        "/v2.7/images/",
        "/versions/",
        "/v2/schemas",
        "/v2/images/",
        "/v2/images/a/b/c",
        "/V2/images",
        "/v2/cloudimages/",
        "/v1//jobs/a",
        "/v1/cloudimages",
        "/v1/cloudimages/job/",
        "/v1/cloudimages/quota/x",
        "/health/",
        "/..",
        "/v2/../health",
        "/%2e%2e",
        "/%00",
        "/%FF",
        "/v2%2Fimages",
        "/favicon.ico",
        "/.env",
        "/$default",
    ] {
        for method in ["GET", "POST", "DELETE", "OPTIONS"] {
            let answer = world.send(&Ask::new(method, path)).await;
            assert_eq!((answer.status, answer.code()), (404, "IMG.0086"), "{method} {path} {answer:?}");
            assert!(!answer.headers.contains_key("allow"));
        }
    }
    Faults::default().none();
}

/// JSON of any shape, whose names are often those that mean something.
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
fn whatever_the_body_is_the_answer_is_one_of_the_document() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::start());
    let operations: Vec<_> =
        world.operations().into_iter().filter(|operation| operation.body.is_some()).collect();
    let bodies = prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => "[\\[\\]{}\":,a-z0-9 ]{0,60}".prop_map(String::into_bytes),
        4 => any_json().prop_map(|json| json.to_string().into_bytes()),
    ];
    let config = Config { cases: 400, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let all = (prop::sample::select(operations), bodies);
    let ran = runner.run(&all, |(operation, body)| {
        let answer = runtime.block_on(world.send(&world.ask(&operation, body)));
        prop_assert!(answer.status < 500, "{:?}", answer);
        Ok(())
    });
    ran.unwrap();
}
