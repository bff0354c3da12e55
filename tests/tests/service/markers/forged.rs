//! Markers that come from no page: they are refused before anything is read. Markers that a client computes, which
//! needs no secret, show nothing of others.

use imageshare::domain::{ImageId, Role};
use imageshare::facade::{glance, identity, ims, messages, registry, share_rules};
use imageshare::http::Listing;
use imageshare_tests::api::ApiRequest;
use imageshare_tests::deployment::Deployment as Tokens;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::Functions;
use imageshare_tests::local_service::caller;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::lists::marker_routes;

/// The marker of a list at a position.
fn marker_for(operation: &str, project: &str, position: &str) -> String {
    use base64::Engine;
    let caller = caller(project);
    let listing = |route: &str| Listing::new(route, &caller);
    match operation {
        "listCloudImages" => listing(ims::list::ROUTE).encode_marker(position),
        "listImages" => listing(glance::list::ROUTE).encode_marker(position),
        "callAction" => listing("DescribeImages").encode_marker(position),
        "listImageMembers" => {
            let marker = listing(ims::members::LIST_ROUTE).with("i-1").encode_marker(position);
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(marker)
        }
        "listAccessKeys" => listing(identity::list_keys::ROUTE).encode_marker(position),
        "listVaults" => listing(registry::vaults::list::ROUTE).encode_marker(position),
        "listOwners" => listing(registry::owners::list::ROUTE).encode_marker(position),
        "listShareRules" => listing(share_rules::list::ROUTE).encode_marker(position),
        "listShareRuleJobs" => listing(share_rules::jobs::ROUTE).with("r-0").encode_marker(position),
        "listKeyGrants" => listing(registry::key_grants::list::ROUTE).with("k-1").encode_marker(position),
        "listDependents" => {
            let of_grant = listing(registry::key_grants::dependents::ROUTE).with("k-1").with("m-0");
            of_grant.encode_marker(position)
        }
        "listTenants" => listing(registry::tenants::list::ROUTE).encode_marker(position),
        "listJobs" => listing(ims::jobs::ROUTE).with("own1").encode_marker(position),
        "listMessages" => listing(messages::list::ROUTE).encode_marker(position),
        other => panic!("{other} is new: say here which list its marker is of"),
    }
}

/// A position that is valid in the list.
fn valid_position(operation: &str) -> &'static str {
    match operation {
        "listCloudImages" | "listImages" | "callAction" | "listDependents" => "i-1~1700000000000",
        // 019abc0e4f1c7d3e9b5a6c7d8e9f0a1b share.offered own1
        "listMessages" => "MDE5YWJjMGU0ZjFjN2QzZTliNWE2YzdkOGU5ZjBhMWIgc2hhcmUub2ZmZXJlZCBvd24x",
        "listJobs" | "listShareRuleJobs" => "0192f0c1a00070008000000000000000",
        _ => "m-1",
    }
}

#[tokio::test]
async fn invalid_marker_is_rejected_before_any_table_read() {
    let functions = Functions::without_table();
    for (operation, route, target) in marker_routes() {
        let status = async |marker: &str| {
            let target = format!("{target}{}", utf8_percent_encode(marker, NON_ALPHANUMERIC));
            let event = HttpEvent::new(route, &target).token(&Tokens::token("own1", "admin"));
            functions.send(&event).await.status
        };
        let good = marker_for(operation, "own1", valid_position(operation));
        assert_eq!(status(&good).await, 503, "{operation}: a good one is looked up");
        let others = marker_for(operation, "mem1", valid_position(operation));
        let mut bad =
            vec![format!("{good}x"), format!("{good}~"), format!("x{good}"), good.repeat(2), others];
        for at in 0..good.len() {
            bad.push(good[..at].to_owned());
            bad.push(format!(
                "{}{}{}",
                &good[..at],
                if good[at..].starts_with('A') { 'B' } else { 'A' },
                &good[at + 1..]
            ));
        }
        for odd in [
            "",
            "~",
            "~~",
            "\0",
            "a#b",
            "i-1~5",
            "i-1~-5~x",
            "i-1~99999999999999999999",
            "IMAGE#i-1",
            "é",
            "%",
        ] {
            bad.push(odd.to_owned());
            bad.push(marker_for(operation, "own1", odd));
        }
        for marker in bad {
            // The id of an image is a marker in IMS and Glance; an empty marker is none in Alibaba's API.
            let is_id =
                marker.parse::<ImageId>().is_ok() && ["listCloudImages", "listImages"].contains(&operation);
            let is_none = marker.is_empty() && operation == "callAction";
            // Sealed for its own project, it is a position in its own list.
            let is_place =
                marker == marker_for(operation, "own1", "i-1~5") && valid_position(operation).contains('~');
            let expected = if is_id || is_none || is_place { 503 } else { 400 };
            assert_eq!(status(&marker).await, expected, "{operation} {marker:?}");
        }
    }
}

#[tokio::test]
async fn forged_marker_reveals_nothing_of_other_projects() {
    let api = super::start_api().await;
    let (own, mem) = (api.token("own1", Role::Member), api.token("mem1", Role::Member));
    let image = async |token: &str, name: &str| {
        let made =
            api.send(&ApiRequest::new("POST", "/v2/images").token(token).json(&json!({"name": name}))).await;
        made.body["id"].as_str().unwrap().to_owned()
    };
    let (private, mine) = (image(&own, "secret").await, image(&mem, "mine").await);
    for (operation, path) in [("listCloudImages", "/v2/cloudimages"), ("listImages", "/v2/images")] {
        for sort in ["", "sort_key=name"] {
            let route = format!("GET {path}");
            let pairs = sort.split_once('=');
            let fetch = async |image: &str, millis: u64| {
                let listing = Listing::new(&route, &caller("mem1")).with_query(pairs);
                let marker = listing.encode_marker(format!("{image}~{millis}"));
                let response = api
                    .send(&ApiRequest::new("GET", format!("{path}?{sort}&marker={marker}")).token(&mem))
                    .await;
                let body = response.body.to_string().replace(&marker, "MARKER");
                (response.status, body)
            };
            for millis in [0, 1, 4_000_000_000_000, 999_999_999_999_999] {
                let others = fetch(&private, millis).await;
                assert_eq!(others, fetch("no-such-image", millis).await, "{operation} {sort}");
                assert!(!others.1.contains("secret"), "{others:?}");
                assert_eq!(others.1.contains(&mine), sort.is_empty() && millis > 1, "{others:?}");
            }
        }
    }
}
