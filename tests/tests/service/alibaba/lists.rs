//! Which images and accounts the describing actions list, and in which pages.

use imageshare_tests::api::Api;
use imageshare_tests::local_service::next_millisecond;
use serde_json::json;

use super::{Client, ECD_VERSION, ECS_VERSION, assert_refused, id_set};

#[tokio::test]
async fn images_are_filtered_by_ecd_attributes() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    let details = json!({"GpuCategory": "True", "AppVersion": "7.2", "FotaVersion": "2.1", "DesktopInstanceType": "ecd.basic"});
    let with = owner.create_image(&details).await;
    let without = owner.create_image(&json!({"GpuCategory": "false", "AppVersion": "6"})).await;
    let silent = owner.create_image(&json!({})).await;
    for (filter, found) in [
        ("GpuCategory=True", id_set(&[&with])),
        ("GpuCategory=true&FotaVersion=2.1&DesktopInstanceType=ecd.basic", id_set(&[&with])),
        ("GpuCategory=False", id_set(&[&without, &silent])),
        ("GpuCategory=", id_set(&[&with, &without, &silent])),
        ("FotaVersion=2.2", id_set(&[])),
    ] {
        assert_eq!(owner.list_image_ids(filter).await, found, "{filter}");
    }
    let shown =
        owner.call_action(ECD_VERSION, "DescribeImages", &format!("ImageId.1={with}")).await.body["Images"]
            [0]
        .clone();
    assert_eq!((&shown["GpuCategory"], &shown["AppVersion"]), (&json!(true), &json!("7.2")));
    assert_refused(
        &owner.call_action(ECD_VERSION, "DescribeImages", "GpuCategory=some").await,
        400,
        "InvalidParameter",
    );
}

#[tokio::test]
async fn describe_lists_are_paginated() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    let mut images = Vec::new();
    for n in 0..5 {
        images.push(owner.create_image(&json!({"name": format!("image {n}"), "ProtocolType": "ASP"})).await);
        next_millisecond().await;
    }
    images.reverse();
    let ids: Vec<_> = (1..).zip(&images).map(|(n, id)| format!("ImageId.{n}={id}")).collect();
    for filter in ["ImageStatus=Available&ProtocolType=ASP".to_owned(), ids.join("&")] {
        let (mut found, mut token) = (Vec::new(), String::new());
        for page in 1..=3 {
            let parameters = format!("{filter}&MaxResults=2&NextToken={token}");
            let response = owner.call_action(ECD_VERSION, "DescribeImages", &parameters).await.body;
            for image in response["Images"].as_array().unwrap() {
                found.push(image["ImageId"].as_str().unwrap().to_owned());
            }
            token = response["NextToken"].as_str().unwrap().to_owned();
            assert_eq!(token.is_empty(), page == 3, "{response}");
        }
        assert_eq!(found, images);
    }
    for (filter, count) in [
        ("ImageName=image+3", 1),
        ("ImageName=image", 0),
        ("ImageStatus=Creating", 0),
        ("OsType=linux", 0),
        ("ProtocolType=HDX", 0),
        ("ImageType=SYSTEM", 0),
        ("ImageType=custom", 5),
    ] {
        assert_eq!(owner.list_image_ids(filter).await.len(), count, "{filter}");
    }
    for bad in
        ["MaxResults=0", "MaxResults=101", "NextToken=x", "ImageType=MINE", "ImageId.51=a", "ImageId=a"]
    {
        assert_refused(&owner.call_action(ECD_VERSION, "DescribeImages", bad).await, 400, "InvalidParameter");
    }

    let image = &images[0];
    owner.modify_permission(image, "AddAccount.1=a&AddAccount.2=b&AddAccount.3=c").await;
    for (page, size, expected) in
        [(1, 2, vec!["a", "b"]), (2, 2, vec!["c"]), (3, 2, vec![]), (1_000_000, 100, vec![])]
    {
        let parameters = format!("ImageId={image}&PageNumber={page}&PageSize={size}");
        let response = owner.call_action(ECS_VERSION, "DescribeImageSharePermission", &parameters).await.body;
        let accounts = response["Accounts"]["Account"].as_array().unwrap();
        let ids: Vec<_> = accounts.iter().map(|account| account["AliyunId"].as_str().unwrap()).collect();
        assert_eq!((ids, &response["TotalCount"]), (expected, &json!(3)));
    }
    for bad in ["PageNumber=0", "PageSize=101", "PageSize=-1", "PageNumber=99999999999999999999"] {
        let parameters = format!("ImageId={image}&{bad}");
        assert_refused(
            &owner.call_action(ECS_VERSION, "DescribeImageSharePermission", &parameters).await,
            400,
            "InvalidParameter",
        );
    }
}

#[tokio::test]
async fn ecs_describe_images_shows_own_and_received_images() {
    let api = Api::start(&[]).await;
    let (owner, friend, stranger) =
        (Client::new(&api, "1001"), Client::new(&api, "1002"), Client::new(&api, "1003"));
    let details = json!({"name": "golden", "__os_type": "Linux", "min_disk": 40, "architecture": "arm64"});
    let image = owner.create_image(&details).await;
    next_millisecond().await;
    let other = owner.create_image(&json!({"name": "other"})).await;
    let describe = async |account: &Client<'_>, parameters: &str| {
        let response = account.call_action(ECS_VERSION, "DescribeImages", parameters).await;
        response.expect_status(200);
        response.body
    };
    let before = describe(&owner, &format!("ImageId={image}")).await;
    let shown = &before["Images"]["Image"][0];
    for (name, value) in [
        ("ImageId", json!(image)),
        ("ImageName", json!("golden")),
        ("ImageOwnerAlias", json!("self")),
        ("ImageOwnerId", json!(1001)),
        ("IsSelfShared", json!("")),
        ("Status", json!("Available")),
        ("OSType", json!("linux")),
        ("Size", json!(40)),
        ("Architecture", json!("arm64")),
    ] {
        assert_eq!(shown[name], value, "{name}: {before}");
    }
    assert_eq!(describe(&friend, "").await["TotalCount"], 0);
    let change = format!("ImageId={image}&AddAccount.1=1002");
    owner.call_action(ECS_VERSION, "ModifyImageSharePermission", &change).await.expect_status(200);
    assert_eq!(
        describe(&owner, &format!("ImageId={image}")).await["Images"]["Image"][0]["IsSelfShared"],
        "True"
    );
    let received = describe(&friend, "ImageOwnerAlias=others&ImageName=golden&OSType=linux").await;
    let shown = &received["Images"]["Image"][0];
    assert_eq!((&received["TotalCount"], &shown["ImageOwnerAlias"]), (&json!(1), &json!("others")));
    assert_eq!(shown.get("IsSelfShared"), None, "with whom else it is shared is its owner's to know");
    for parameters in [String::new(), format!("ImageId={image},{other}"), "ImageOwnerId=1001".to_owned()] {
        assert_eq!(describe(&stranger, &parameters).await["TotalCount"], 0, "{parameters}");
    }
    let pages = [(1, "other"), (2, "golden")];
    for (page, name) in pages {
        let listed = describe(&owner, &format!("PageNumber={page}&PageSize=1")).await;
        let shown = (&listed["TotalCount"], &listed["Images"]["Image"][0]["ImageName"]);
        assert_eq!(shown, (&json!(2), &json!(name)));
    }
    assert_eq!(describe(&owner, "PageNumber=3&PageSize=1").await["Images"]["Image"], json!([]));
    assert_refused(
        &owner.call_action(ECS_VERSION, "DescribeImages", "Tag.1.Key=a").await,
        400,
        "InvalidParameter",
    );
    assert_refused(
        &owner.call_action(ECS_VERSION, "DescribeImages", "DryRun=true").await,
        400,
        "DryRunOperation",
    );
}
