//! Tests of patterns.

mod properties;

use serde_json::{Value, json};

use super::parse::MAX_DEPTH;
use super::*;
use crate::domain::{Details, Timestamp, Visibility};

fn image(details: Details) -> Image {
    Image {
        id: "golden-1".parse().unwrap(),
        owner: "owner".parse().unwrap(),
        visibility: Visibility::Shared,
        details,
        created: Timestamp::from_unix_millis(1_732_229_216_000),
        updated: Timestamp::from_unix_millis(1_732_229_217_000),
        revision: 1,
    }
}

fn with_properties(properties: &Value) -> Image {
    let properties = properties.as_object().unwrap().iter();
    let properties = properties.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
    image(Details { properties: properties.collect(), ..Details::default() })
}

fn matches(pattern: &Value, image: &Image) -> bool {
    Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}")).matches(image)
}

fn error(pattern: &Value) -> String {
    Pattern::parse(pattern).expect_err(&pattern.to_string()).to_string()
}

/// The examples of EventBridge's guide, *Comparison operators for use in event patterns*, with the example's field as
/// a property: conditions, a value that matches, and one that does not.
#[test]
fn published_examples_match_as_documented() {
    for (conditions, good, bad) in [
        (json!(["Alice"]), "Alice", "alice"),
        (json!([""]), "", "x"),
        (json!([{"prefix": "us-"}]), "us-east-1", "eu-us-1"),
        (json!([{"prefix": {"equals-ignore-case": "eventb"}}]), "EventBridge", "AnEventBridge"),
        (json!([{"suffix": ".png"}]), "a.png", "a.png.txt"),
        (json!([{"suffix": {"equals-ignore-case": ".png"}}]), "a.PNG", "a.PNG2"),
        (json!([{"equals-ignore-case": "alice"}]), "ALICE", "ALICE2"),
        (json!([{"anything-but": "initializing"}]), "running", "initializing"),
        (json!([{"anything-but": ["stopped", "overloaded"]}]), "running", "overloaded"),
        (json!([{"anything-but": 123}]), "124", "123"),
        (json!([{"anything-but": [100, 200, 300]}]), "150", "200.0"),
        (json!([{"anything-but": {"equals-ignore-case": "initializing"}}]), "running", "INITIALIZING"),
        (
            json!([{"anything-but": {"equals-ignore-case": ["initializing", "stopped"]}}]),
            "running",
            "Stopped",
        ),
        (json!([{"anything-but": {"prefix": "init"}}]), "running", "initializing"),
        (json!([{"anything-but": {"prefix": ["init", "error"]}}]), "running", "error-1"),
        (json!([{"anything-but": {"suffix": ".txt"}}]), "a.png", "a.txt"),
        (json!([{"anything-but": {"suffix": [".txt", ".rtf"]}}]), "a.png", "a.rtf"),
        (json!([{"anything-but": {"wildcard": "*/lib/*"}}]), "/usr/bin/a", "/usr/lib/a"),
        (json!([{"anything-but": {"wildcard": ["*/lib/*", "*/bin/*"]}}]), "/etc/a", "/usr/bin/a"),
        (json!([{"numeric": ["=", 3.018e2]}]), "301.8", "301.9"),
        (json!([{"numeric": ["<", 10]}]), "9.999", "10"),
        (json!([{"numeric": [">", 0, "<=", 5]}]), "5", "0"),
        (json!([{"numeric": ["=", 100]}]), "100.0", "x100"),
        (json!([{"wildcard": "dir/*.png"}]), "dir/sub/a.png", "dir/a.jpg"),
        (json!([{"wildcard": "Simple*Service"}]), "SimpleQueueService", "SimpleQueueServices"),
        (json!([{"wildcard": "*hello*"}]), "say hello", "say hallo"),
        (json!([{"wildcard": "a\\*b"}]), "a*b", "axb"),
        (json!([{"wildcard": "a\\\\*"}]), "a\\b", "a*b"),
        (json!(["initializing", {"prefix": "run"}]), "running", "stopped"),
    ] {
        let pattern = json!({"properties": {"field": conditions}});
        let test = |value: &str| matches(&pattern, &with_properties(&json!({"field": value})));
        assert!(test(good), "{pattern} {good}");
        assert!(!test(bad), "{pattern} {bad}");
    }
}

#[test]
fn published_or_examples_match_as_documented() {
    let nested = json!({"properties": {"source": ["aws.cloudwatch"], "$or": [
        {"metricName": ["CPUUtilization", "ReadLatency"]},
        {"metricType": ["MetricType"], "namespace": ["AWS/EC2", "AWS/ES"],
         "$or": [{"metricId": [1234]}, {"spaceId": [1000]}]},
        {"scope": ["Service"]},
    ]}});
    for (properties, expected) in [
        (json!({"source": "aws.cloudwatch", "metricName": "ReadLatency"}), true),
        (json!({"source": "aws.ec2", "metricName": "ReadLatency"}), false),
        (json!({"source": "aws.cloudwatch", "metricType": "MetricType", "namespace": "AWS/ES"}), false),
        (
            json!({"source": "aws.cloudwatch", "metricType": "MetricType", "namespace": "AWS/ES", "spaceId": "1000"}),
            true,
        ),
        (json!({"source": "aws.cloudwatch", "scope": "Service"}), true),
        (json!({"source": "aws.cloudwatch"}), false),
    ] {
        assert_eq!(matches(&nested, &with_properties(&properties)), expected, "{properties}");
    }
    let parallel = json!({
        "$or": [{"name": ["golden"]}, {"tags": ["golden"]}],
        "properties": {"$or": [{"os": ["linux"]}, {"arch": ["arm64"]}]},
    });
    let mut image = with_properties(&json!({"arch": "arm64"}));
    assert!(!matches(&parallel, &image));
    image.details.tags.insert("golden".to_owned());
    assert!(matches(&parallel, &image));
}

#[test]
fn every_field_of_an_image_is_matched() {
    let image = image(Details {
        name: Some("web".to_owned()),
        disk_format: Some("qcow2".to_owned()),
        container_format: Some("bare".to_owned()),
        min_disk_gib: 40,
        min_ram_mib: 512,
        protected: true,
        tags: ["a".to_owned(), "b".to_owned()].into(),
        properties: [("size_gib".to_owned(), "-1.50".to_owned())].into(),
        ..Details::default()
    });
    for (pattern, expected) in [
        (json!({"id": ["golden-1"]}), true),
        (json!({"id": [{"wildcard": "g*-*"}], "name": ["web"]}), true),
        (json!({"id": [{"wildcard": "g*-*"}], "name": ["db"]}), false),
        (json!({"visibility": ["shared"]}), true),
        (json!({"tags": ["b"]}), true),
        (json!({"tags": ["c"]}), false),
        (json!({"tags": [{"anything-but": "a"}]}), true),
        (json!({"tags": [{"anything-but": ["a", "b"]}]}), false),
        (json!({"disk_format": ["raw", "qcow2"]}), true),
        (json!({"container_format": [{"exists": true}]}), true),
        (json!({"min_disk": [{"numeric": [">=", 40]}]}), true),
        (json!({"min_disk": [40.0]}), true),
        (json!({"min_ram": [{"anything-but": 512}]}), false),
        (json!({"protected": [true], "os_hidden": [false]}), true),
        (json!({"created_at": [{"prefix": "2024-11-21T22:46:56"}]}), true),
        (json!({"updated_at": ["2024-11-21T22:46:57Z"]}), true),
        (json!({"properties": {"size_gib": [-1.5]}}), true),
        (json!({"properties": {"size_gib": [{"numeric": ["<", -1]}]}}), true),
        (json!({"properties": {"other": [{"exists": false}]}}), true),
        (json!({"properties": {"other": [{"anything-but": "x"}]}}), false),
    ] {
        assert_eq!(matches(&pattern, &image), expected, "{pattern}");
    }
    let absent = self::image(Details::default());
    for field in ["name", "tags", "disk_format", "container_format"] {
        assert!(matches(&json!({field: [{"exists": false}]}), &absent), "{field}");
        assert!(!matches(&json!({field: [{"wildcard": "*"}]}), &absent), "{field}");
    }
}

#[test]
fn invalid_pattern_error_names_the_place() {
    for (pattern, expected) in [
        (json!([]), "pattern: expected an object with at least one field"),
        (json!({}), r#"to match every image, write {"id": [{"exists": true}]}"#),
        (json!({"named": ["a"]}), "named: expected only id, name, visibility"),
        (json!({"name": "web"}), "name: expected an array of at least one value"),
        (json!({"name": []}), "name: expected an array of at least one value"),
        (json!({"name": {"prefix": "a"}}), "name: expected an array"),
        (
            json!({"name": [null]}),
            r#"name[0]: expected a value or an object; for a field without a value, write {"exists": false}"#,
        ),
        (json!({"name": ["a", 5]}), "name[1]: expected a text or an object"),
        (json!({"name": [["a"]]}), "name[0]: expected a text"),
        (json!({"name": [{}]}), "name[0]: expected an object with one of prefix, suffix"),
        (json!({"name": [{"prefix": "a", "suffix": "b"}]}), "name[0]: expected an object with one of"),
        (json!({"name": [{"numeric": ["=", 5]}]}), "name[0].numeric: expected only prefix"),
        (json!({"name": [{"cidr": "10.0.0.0/8"}]}), "name[0].cidr: expected only prefix"),
        (json!({"name": [{"prefix": ""}]}), "name[0].prefix: expected a text that is not empty"),
        (json!({"name": [{"prefix": ["a"]}]}), "name[0].prefix: expected a text, or an object"),
        (json!({"name": [{"exists": "yes"}]}), "name[0].exists: expected true or false"),
        (json!({"name": [{"wildcard": "a**"}]}), "name[0].wildcard: expected a text with at most three *"),
        (json!({"name": [{"wildcard": "*a*b*c*"}]}), "name[0].wildcard: expected"),
        (json!({"name": [{"wildcard": "a\\b"}]}), "name[0].wildcard: expected"),
        (json!({"name": [{"wildcard": "a\\"}]}), "name[0].wildcard: expected"),
        (json!({"name": [{"anything-but": []}]}), "name[0].anything-but: expected at least one value"),
        (json!({"name": [{"anything-but": ["a", 1]}]}), "name[0].anything-but[1]: expected a text"),
        (
            json!({"properties": {"a": [{"anything-but": ["a", 1]}]}}),
            "properties.a[0].anything-but: expected texts only",
        ),
        (
            json!({"name": [{"anything-but": {"numeric": ["=", 1]}}]}),
            "name[0].anything-but: expected a value, an array",
        ),
        (
            json!({"name": [{"anything-but": {"prefix": ["a", 7]}}]}),
            "name[0].anything-but.prefix[1]: expected a text",
        ),
        (json!({"min_disk": ["40"]}), "min_disk[0]: expected a number"),
        (json!({"min_disk": [{"prefix": "4"}]}), "min_disk[0].prefix: expected only numeric"),
        (json!({"min_disk": [6e9]}), "min_disk[0]: expected a number from -5000000000"),
        (json!({"min_disk": [{"numeric": ["!=", 5]}]}), "min_disk[0].numeric: expected one of ="),
        (json!({"min_disk": [{"numeric": ["<", 5, ">", 0]}]}), "min_disk[0].numeric: expected one of ="),
        (
            json!({"min_disk": [{"numeric": [">", 5, "<", 5]}]}),
            "min_disk[0].numeric: expected a lower bound below",
        ),
        (json!({"protected": ["true"]}), "protected[0]: expected true or false"),
        (json!({"protected": [{"anything-but": true}]}), "protected[0].anything-but: expected only exists"),
        (
            json!({"properties": {"a": [true]}}),
            r#"properties.a[0]: expected a text, a number or an object; properties are texts, such as "true""#,
        ),
        (json!({"properties": []}), "properties: expected an object"),
        (json!({"properties": {"a": {"b": ["x"]}}}), "properties.a: expected an array"),
        (json!({"$or": [{"name": ["a"]}]}), "$or: expected an array of at least two objects"),
        (json!({"$or": [{"name": ["a"]}, {"name": [7]}]}), "$or[1].name[0]: expected a text"),
        (json!({"name": ["x".repeat(2_048)]}), "pattern: expected at most 2048 bytes of JSON"),
    ] {
        assert!(error(&pattern).contains(expected), "{pattern}: {}", error(&pattern));
    }
}

#[test]
fn pattern_depth_is_limited() {
    let nested = |depth: usize| {
        (1..depth).fold(json!({"name": ["a"]}), |inner, _| json!({"$or": [inner, {"name": ["b"]}]}))
    };
    assert!(matches(
        &nested(MAX_DEPTH),
        &image(Details { name: Some("a".to_owned()), ..Details::default() })
    ));
    assert!(
        error(&nested(MAX_DEPTH + 1)).contains("$or[0].$or[0]: expected at most 5 objects inside each other")
    );
    assert!(error(&nested(100)).contains("expected at most"));
}

#[test]
fn hardest_wildcard_is_matched_in_linear_time() {
    let pattern =
        json!({"properties": {"a": [{"wildcard": "*aaaaaaaaaaaaaaaaaaaaab*aaaaaaaaaaaaaaaaaaab*c"}]}});
    let value = "a".repeat(16_000);
    let started = std::time::Instant::now();
    assert!(!matches(&pattern, &with_properties(&json!({ "a": value }))));
    assert!(started.elapsed().as_secs() < 5);
}
