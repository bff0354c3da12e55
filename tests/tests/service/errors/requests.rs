//! Requests that are refused before a use case is called, or for their form: `requests.txt` lists them.

use std::fs;
use std::path::Path;

use imageshare::domain::Role;
use imageshare_tests::api::{Api, ApiRequest};
use serde_json::json;

use super::{Case, Section};

/// Images of `own1`: one shared with `mem1`; a private one with as many tags as allowed; a protected one.
const IMAGE: &str = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
const PRIVATE: &str = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb";
const PROTECTED: &str = "cccccccc-cccc-4ccc-8ccc-cccccccccccc";

/// The responses to all of them, by the list's sections.
pub(super) async fn sections() -> Vec<Section> {
    let api = Api::start(&[]).await;
    prepare(&api).await;
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/service/errors/requests.txt");
    let list = fs::read_to_string(list).unwrap();
    let (mut sections, mut successful) = (Vec::<Section>::new(), Vec::new());
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(title) = line.strip_prefix("== ") {
            sections.push(Section { title: format!("{title}, requests"), cases: Vec::new() });
            continue;
        }
        let response = api.send(&parse(&api, line)).await;
        successful.extend((response.status < 400).then_some(line));
        sections.last_mut().unwrap().cases.push(Case::new(line, &response));
    }
    assert!(successful.is_empty(), "no errors: {successful:#?}");
    sections
}

async fn prepare(api: &Api) {
    let owner = api.token("own1", Role::Member);
    let tags: Vec<_> = (0..128).map(|number| number.to_string()).collect();
    for image in [
        json!({"id": IMAGE, "disk_format": "qcow2", "visibility": "shared"}),
        json!({"id": PRIVATE, "tags": tags, "visibility": "private"}),
        json!({"id": PROTECTED, "protected": true}),
    ] {
        api.send(&ApiRequest::new("POST", "/v2/images").token(&owner).json(&image)).await.expect_status(201);
    }
    let add = ApiRequest::new("POST", format!("/v2/images/{IMAGE}/members")).token(&owner);
    api.send(&add.json(&json!({"member": "mem1"}))).await.expect_status(200);
    let admin = api.token("ops", Role::Admin);
    for (tenant, project) in [("own1", "home"), ("mem7", "web")] {
        let put = ApiRequest::new("PUT", format!("/v1/tenants/{tenant}")).token(&admin);
        api.send(&put.json(&json!({"account": "acme", "project": project}))).await.expect_status(200);
    }
}

/// A line of the list: `[CALLER] METHOD TARGET [<Header: value>] [BODY]`.
fn parse(api: &Api, line: &str) -> ApiRequest {
    let (caller, rest) = match line.split_once(' ').unwrap() {
        (caller, rest) if caller.chars().all(|letter| letter.is_ascii_lowercase()) => (caller, rest),
        _ => ("member", line),
    };
    let (project, role) = match caller {
        "admin" => ("ops", Role::Admin),
        "reader" => ("own1", Role::Reader),
        "recipient" => ("mem1", Role::Member),
        _ => ("own1", Role::Member),
    };
    let rest = fill(api, rest);
    let (method, rest) = rest.split_once(' ').unwrap();
    let (target, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let mut request = ApiRequest::new(method, target);
    if caller != "anonymous" {
        request = request.token(&api.token(project, role));
    }
    let header = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    let (header, body) = header.map_or((None, rest), |(header, body)| (Some(header), body.trim_start()));
    match header.and_then(|header| header.split_once(": ")) {
        Some(("Content-Type", media_type)) => request.typed_body(media_type, body),
        Some((name, value)) if body.is_empty() => request.header(name, value),
        Some((name, value)) => request.header(name, value).body(body),
        None if body.is_empty() => request,
        None => request.body(body),
    }
}

/// The line with its placeholders replaced.
fn fill(api: &Api, line: &str) -> String {
    let list = |count: usize, item: fn(usize) -> String| (0..count).map(item).collect::<Vec<_>>().join(",");
    let id = |number| format!("p{number}");
    let text = |number| format!("\"p{number}\"");
    let values = [
        ("{image}", IMAGE.to_owned()),
        ("{private}", PRIVATE.to_owned()),
        ("{protected}", PROTECTED.to_owned()),
        ("{token}", api.token("own1", Role::Member)),
        ("{long}", "a".repeat(256)),
        ("{large}", "a".repeat(20_000)),
        ("{ids}", list(301, id)),
        ("{half}", list(51, text)),
        ("{most}", list(501, text)),
        ("{many}", list(1_001, text)),
        ("{named}", list(500, |number| format!("{{\"name\":\"a{number}\"}}"))),
        ("{numbered}", (1..=101).fold(String::new(), |text, number| text + &format!("&ImageId.{number}=a"))),
        ("{operations}", list(1001, |_| r#"{"op":"replace","path":"/name","value":"a"}"#.to_owned())),
    ];
    values.iter().fold(line.to_owned(), |line, (placeholder, value)| line.replace(placeholder, value))
}
