//! How a call is made: every style of request, any parameter, and both formats of a response.

use imageshare_tests::api::{Api, ApiRequest};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use super::{Client, ECD_VERSION, ECS_VERSION, STYLES, assert_refused};

#[tokio::test]
async fn every_action_works_in_every_request_style() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    for style in STYLES {
        let image =
            owner.create_image(&json!({"name": "golden", "__os_type": "Windows", "min_disk": 80})).await;
        let of = |more: &str| format!("ImageId={image}{more}");
        let add = of("&AddAccount.1=118272523431001&AddAccount.2=118272523431002");
        let response = owner.call_with_style(style, ECD_VERSION, "ModifyImagePermission", &add).await;
        response.expect_status(200);
        assert_eq!(response.body.as_object().unwrap().len(), 1, "nothing but the RequestId: {response:?}");
        let listed = owner.call_with_style(style, ECD_VERSION, "DescribeImagePermission", &of("")).await;
        assert_eq!(listed.body["AliUids"], json!(["118272523431001", "118272523431002"]), "{style:?}");

        let change =
            of("&RemoveAccount.1=118272523431002&AddAccount.1=118272523431003&IsPublic=False&DryRun=False");
        owner
            .call_with_style(style, ECS_VERSION, "ModifyImageSharePermission", &change)
            .await
            .expect_status(200);
        let listed =
            owner.call_with_style(style, ECS_VERSION, "DescribeImageSharePermission", &of("")).await.body;
        assert_eq!(
            (&listed["TotalCount"], &listed["PageNumber"], &listed["PageSize"]),
            (&json!(2), &json!(1), &json!(10))
        );
        assert_eq!((&listed["ImageId"], &listed["RegionId"]), (&json!(image), &json!("local")));
        let accounts = listed["Accounts"]["Account"].as_array().unwrap();
        let ids: Vec<_> = accounts.iter().map(|account| &account["AliyunId"]).collect();
        assert_eq!(ids, ["118272523431001", "118272523431003"]);

        let images = owner
            .call_with_style(style, ECD_VERSION, "DescribeImages", &format!("ImageId.1={image}"))
            .await
            .body;
        let shown = &images["Images"][0];
        for (name, value) in [
            ("ImageId", json!(image)),
            ("ImageType", json!("CUSTOM")),
            ("Name", json!("golden")),
            ("Status", json!("Available")),
            ("OsType", json!("Windows")),
            ("Size", json!(80)),
            ("SharedCount", json!(2)),
            ("VolumeEncryptionEnabled", json!(false)),
        ] {
            assert_eq!(shown[name], value, "{shown}");
        }
    }
}

#[test]
fn arbitrary_parameters_get_a_documented_response() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let api = runtime.block_on(Api::start(&[]));
    let owner = Client::new(&api, "1001");
    let image = runtime.block_on(owner.create_image(&json!({})));
    let name = prop_oneof![
        4 => prop::sample::select(vec!["Action", "Version", "RegionId", "ImageId", "ImageId.1", "AddAccount.1", "AddAccount.2",
            "RemoveAccount.1", "RemoveAccount.11", "MaxResults", "NextToken", "PageNumber", "PageSize", "DryRun", "ImageType",
            "Signature", "SignatureMethod", "Timestamp", "AccessKeyId"]).prop_map(str::to_owned),
        1 => "[A-Za-z.0-9%+]{0,12}",
    ];
    let value = prop_oneof![
        2 => prop::sample::select(vec!["local", ECD_VERSION, ECS_VERSION, "1", "True", "a", "10", ""]).prop_map(str::to_owned),
        1 => "[A-Za-z0-9%+=._~:/?@!$'()*,;-]{0,20}",
        1 => Just(image),
    ];
    let action = prop::sample::select(vec![
        "ModifyImagePermission",
        "DescribeImagePermission",
        "DescribeImages",
        "ModifyImageSharePermission",
        "DescribeImageSharePermission",
        "None",
    ]);
    let pairs = prop::collection::vec((name, value), 0..8);
    let all = (
        prop::sample::select(STYLES.to_vec()),
        prop::sample::select(vec![ECD_VERSION, ECS_VERSION]),
        action,
        pairs,
    );
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let ran = TestRunner::new(config).run(&all, |(style, version, action, pairs)| {
        let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = runtime.block_on(owner.call_with_style(style, version, action, &pairs.join("&")));
        prop_assert!(response.status < 500, "{:?}", response);
        Ok(())
    });
    ran.unwrap();
}

#[tokio::test]
async fn response_is_xml_when_requested() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    let image = owner.create_image(&json!({"name": "a<b>&c"})).await;
    let described = owner.call_action(ECD_VERSION, "DescribeImages", "Format=XML").await;
    let text = described.expect_status(200).body.as_str().unwrap();
    assert_eq!(described.headers["content-type"], "text/xml;charset=utf-8");
    assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?><DescribeImagesResponse>"), "{text}");
    assert!(text.contains(&format!("<ImageId>{image}</ImageId>")), "{text}");
    assert!(text.contains("<Name>a&lt;b&gt;&amp;c</Name>") && text.contains("<RequestId>"), "{text}");
    let refused = owner.call_action(ECD_VERSION, "DescribeImagePermission", "Format=xml&ImageId=none").await;
    let text = refused.expect_status(404).body.as_str().unwrap();
    assert!(text.contains("<Error><Code>InvalidImageId.NotFound</Code>"), "{text}");
    assert_refused(
        &owner.call_action(ECD_VERSION, "DescribeImages", "Format=yaml").await,
        400,
        "InvalidParameter",
    );
    let unknown = api.send(&ApiRequest::new("POST", "/?Action=None&Version=1&Format=XML")).await;
    assert!(unknown.body.as_str().unwrap().contains("<Error>"), "{unknown:?}");
}
