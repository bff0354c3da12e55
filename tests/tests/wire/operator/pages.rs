//! The API document is served in forms for programs and for people, and a browser is led to it.

use std::collections::BTreeSet;

use imageshare::domain::Role;
use imageshare_tests::api::{Api, ApiRequest};
use imageshare_tests::api_document::ApiDocument;
use serde_json::{Value, json};

async fn fetch_text(api: &Api, path: &str) -> (String, String) {
    let response = api.send(&ApiRequest::new("GET", path)).await;
    response.expect_status(200);
    (response.headers["content-type"].clone(), response.body.as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn document_is_served_without_deployment_extensions() {
    let api = Api::start(&[]).await;
    let (kind, yaml) = fetch_text(&api, "/openapi.yaml").await;
    assert_eq!(kind, "application/yaml");
    let yaml: Value = serde_norway::from_str(&yaml).unwrap();
    let in_json = api.send(&ApiRequest::new("GET", "/openapi.json")).await.body;
    assert_eq!(yaml, in_json);
    assert!(!in_json.to_string().contains("\"x-"), "what only the deployment reads");
    let paths: BTreeSet<_> = in_json["paths"].as_object().unwrap().keys().cloned().collect();
    let routed: BTreeSet<_> =
        ApiDocument::load().methods_by_path().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, routed);
}

#[tokio::test]
async fn docs_page_lists_every_operation_and_is_self_contained() {
    let api = Api::start(&[]).await;
    let (kind, page) = fetch_text(&api, "/docs").await;
    assert_eq!(kind, "text/html; charset=utf-8");
    for operation in ApiDocument::load().operations() {
        assert!(page.contains(&format!("<h3 id=\"{}\">", operation.id)), "{} is missing", operation.id);
    }
    for foreign in ["<script", "src=", "http-equiv", "@import", "<link"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    let targets = page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next());
    for target in targets.collect::<BTreeSet<_>>() {
        assert!(page.contains(&format!("id=\"{target}\"")), "#{target} leads nowhere");
    }
}

#[tokio::test]
async fn browser_is_led_to_the_console_and_clients_get_the_versions() {
    let api = Api::start(&[]).await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let response = api.send(&ApiRequest::new("GET", "/").header("Accept", browser)).await;
    response.expect_status(303);
    assert_eq!((&*response.headers["location"], &*response.headers["vary"]), ("/console", "Accept"));
    let first = api.send(&ApiRequest::new("GET", "/console")).await;
    first.expect_status(303);
    let sign_in = api.send(&ApiRequest::new("GET", &*first.headers["location"])).await;
    sign_in.expect_status(200);
    assert!(sign_in.body.as_str().unwrap().contains("href=\"/docs\""), "the API is found from there");
    let packed = ApiRequest::new("GET", "/console/sign-in").header("Accept-Encoding", "gzip, br");
    let packed = api.send(&packed).await;
    assert_eq!(packed.headers["content-encoding"], "gzip");
    assert_eq!(packed.body, sign_in.body);
    for accept in ["*/*", "application/json", "application/json, text/html", ""] {
        let response = api.send(&ApiRequest::new("GET", "/").header("Accept", accept)).await;
        response.expect_status(300);
        assert!(response.body["versions"].is_array());
    }
    let with_slash = api.send(&ApiRequest::new("GET", "/console/").header("Accept", browser)).await;
    with_slash.expect_status(303);
    assert_eq!(with_slash.headers["location"], "/console");
    api.send(&ApiRequest::new("GET", "/console/").header("Accept", "*/*")).await.expect_status(404);
    // A request with an action is executed, even for a browser.
    let query = "Action=DescribeImages&Version=2020-09-30&RegionId=local";
    let action = ApiRequest::new("GET", format!("/?{query}")).header("Accept", browser);
    let response = api.send(&action.token(&api.token("own1", Role::Member))).await;
    response.expect_status(200);
    assert_eq!(response.body["Images"], json!([]));
}
