//! Page markers. The input is a list with its query, a line feed, and a text. The text is sent as a marker, and again
//! as a position that the list itself seals, so that what follows the seal is tested too.
//!
//! A list accepts the markers that it sealed, and no others. For any marker the response is a page or a 4xx, and a
//! page shows nothing that the same list does not show from its beginning.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Request;
use imageshare::facade::{glance, identity, ims, messages, registry, share_rules};
use imageshare::http::{Listing, query};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::facades::{CLIENT_ADDRESS, check_response};
use super::fixture::FIXTURE;
use crate::deployment::Deployment;
use crate::local_service::caller;

const IMAGE: &str = "11111111-1111-1111-1111-111111111111";

/// A list: its path in inputs, where its entries are in a response and which field identifies them, and the name of
/// its marker.
struct List {
    path: &'static str,
    items_pointer: &'static str,
    id_field: &'static str,
    marker_parameter: &'static str,
}

const LISTS: [List; 12] = [
    List { path: "/v2/cloudimages", items_pointer: "/images", id_field: "id", marker_parameter: "marker" },
    List { path: "/v2/images", items_pointer: "/images", id_field: "id", marker_parameter: "marker" },
    List { path: "/", items_pointer: "/Images", id_field: "ImageId", marker_parameter: "NextToken" },
    List { path: "/members", items_pointer: "/members", id_field: "member_id", marker_parameter: "marker" },
    List {
        path: "/v1/access-keys",
        items_pointer: "/access_keys",
        id_field: "id",
        marker_parameter: "marker",
    },
    List {
        path: "/v1/tenants",
        items_pointer: "/tenants",
        id_field: "project_id",
        marker_parameter: "marker",
    },
    List { path: "/v1/owners", items_pointer: "/owners", id_field: "project_id", marker_parameter: "marker" },
    List { path: "/v1/vaults", items_pointer: "/vaults", id_field: "vault_id", marker_parameter: "marker" },
    List {
        path: "/v1/share-rules",
        items_pointer: "/share_rules",
        id_field: "name",
        marker_parameter: "marker",
    },
    List {
        path: "/v1/keys/k-1/grants",
        items_pointer: "/grants",
        id_field: "project_id",
        marker_parameter: "marker",
    },
    List { path: "/v1/own1/jobs", items_pointer: "/jobs", id_field: "job_id", marker_parameter: "marker" },
    List { path: "/v1/messages", items_pointer: "/messages", id_field: "id", marker_parameter: "marker" },
];

/// Sends a text as a marker, and as a sealed position.
pub fn run(input: &[u8]) -> bool {
    let Some((list, text)) = std::str::from_utf8(input).ok().and_then(|text| text.split_once('\n')) else {
        return false;
    };
    let (path, query_text) = list.split_once('?').unwrap_or((list, ""));
    let Some(list) = LISTS.iter().find(|known| known.path == path) else { return false };
    // The query has a marker or a page size already, or a parameter that is no filter of Alibaba's.
    if ["marker", "limit"].iter().any(|word| query_text.contains(word))
        || path == "/" && !query_text.is_empty()
    {
        return false;
    }
    let Ok(pairs) = query::parse_pairs(query_text) else { return false };
    let listing = |project: &str| listing(path, project, &pairs);

    let sealed = listing("own1").encode_marker(text);
    assert_eq!(listing("own1").decode_marker(&sealed), Some(text));
    assert_eq!(listing("mem1").decode_marker(&sealed), None);
    if let Some(position) = listing("own1").decode_marker(text) {
        assert_eq!(listing("own1").encode_marker(position), text);
    }
    let Some(full_list) = fetch_page(list, query_text, None) else { return false };
    let sealed = if path == "/members" { URL_SAFE_NO_PAD.encode(sealed) } else { sealed };
    for marker in [text, &sealed] {
        if let Some(page) = fetch_page(list, query_text, Some(marker)) {
            assert!(page.is_subset(&full_list), "{page:?} {full_list:?}");
        }
    }
    true
}

fn listing(path: &str, project: &str, pairs: &[(String, String)]) -> Listing {
    let caller = caller(project);
    let listing = |route: &str| Listing::new(route, &caller);
    let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    match path {
        "/v2/cloudimages" => listing(ims::list::ROUTE).with_query(pairs),
        "/v2/images" => listing(glance::list::ROUTE).with_query(pairs),
        "/members" => listing(ims::members::LIST_ROUTE).with(IMAGE),
        "/v1/access-keys" => listing(identity::list_keys::ROUTE),
        "/v1/tenants" => listing(registry::tenants::list::ROUTE),
        "/v1/owners" => {
            let kind = pairs.filter(|(name, _)| *name == "policy").map(|(_, kind)| kind);
            kind.fold(listing(registry::owners::list::ROUTE), Listing::with)
        }
        "/v1/vaults" => listing(registry::vaults::list::ROUTE),
        "/v1/share-rules" => listing(share_rules::list::ROUTE),
        "/v1/keys/k-1/grants" => listing(registry::key_grants::list::ROUTE).with("k-1"),
        "/v1/own1/jobs" => {
            let filter =
                |wanted| pairs.clone().filter(move |(name, _)| *name == wanted).map(|(_, value)| value);
            let listing = listing(ims::jobs::ROUTE).with("own1");
            filter("job_type").chain(filter("status")).fold(listing, Listing::with)
        }
        "/v1/messages" => listing(messages::list::ROUTE),
        _ => listing("DescribeImages"),
    }
}

/// The entries of a page; `None` if the request was refused.
fn fetch_page(list: &List, query_text: &str, marker: Option<&str>) -> Option<BTreeSet<String>> {
    let (path, query_text) = match list.path {
        "/" => ("/", "Action=DescribeImages&Version=2020-09-30&RegionId=local&MaxResults=100"),
        "/members" => (&*format!("/v1/own1/cloudimages/{IMAGE}/members"), query_text),
        path => (path, query_text),
    };
    let marker = marker.map(|marker| utf8_percent_encode(marker, NON_ALPHANUMERIC).to_string());
    let marker = marker.map(|marker| format!("&{}={marker}", list.marker_parameter)).unwrap_or_default();
    let role = if path == "/v1/tenants" { "admin" } else { "member" };
    let request = Request::get(format!("{path}?{query_text}{marker}"));
    let request = request.header("x-auth-token", Deployment::token("own1", role)).body(Bytes::new()).ok()?;
    let before = FIXTURE.table.write_count();
    let response = FIXTURE.send(request, CLIENT_ADDRESS);
    assert_eq!(FIXTURE.table.write_count(), before, "a list has written: {response:?}");
    check_response("GET", path, &response);
    if !response.status().is_success() {
        return None;
    }
    let body: Value = serde_json::from_slice(response.body()).expect("a JSON body");
    let entries = body.pointer(list.items_pointer)?.as_array()?;
    Some(entries.iter().filter_map(|entry| Some(entry[list.id_field].as_str()?.to_owned())).collect())
}
