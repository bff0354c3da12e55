//! What is refused, with which error, and that nothing is written then.

use imageshare::domain::Role;
use imageshare_tests::api::{Api, ApiRequest};
use serde_json::json;

use super::{Client, ECD_VERSION, ECS_VERSION, assert_refused, id_set};

#[tokio::test]
async fn invalid_call_returns_alibaba_error_and_writes_nothing() {
    let api = Api::start(&["members-per-image=3"]).await;
    let owner = Client::new(&api, "1001");
    let image = owner.create_image(&json!({"name": "a"})).await;
    owner.modify_permission(&image, "AddAccount.1=2001&AddAccount.2=2002").await;
    let encrypted = owner.create_image(&json!({"__system__cmkid": "key-1"})).await;
    let by_a_service_key = owner.create_image(&json!({"__system__encrypted": "1"})).await;
    let private = owner.create_image(&json!({"visibility": "private"})).await;
    let community = owner.create_image(&json!({"visibility": "community"})).await;
    let public = Client::admin(&api, "1001").create_image(&json!({"visibility": "public"})).await;
    let before = api.dump_when_idle().await;
    let add = "AddAccount.1=2003";
    for (image, accounts, status, code) in [
        ("none", add, 404, "InvalidImageId.NotFound"),
        ("a%2Fb", add, 404, "InvalidImageId.NotFound"),
        ("", add, 400, "MissingParameter"),
        (&image, "", 400, "MissingParameter"),
        (&image, "AddAccount=2003", 400, "InvalidParameter"),
        (&image, "AddAccount.0=2003", 400, "InvalidParameter"),
        (&image, "AddAccount.1=2003&AddAccount.1=2004", 400, "InvalidParameter"),
        (&image, "AddAccount.1=2003&RemoveAccount.1=2003", 400, "InvalidParameter"),
        (&image, "AddAccount.1=2003&AddAccount.2=a%2Fb", 404, "InvalidAccount.NotFound"),
        (&image, "AddAccount.1=2003&RemoveAccount.2=%23", 404, "InvalidAccount.NotFound"),
        (&image, "AddAccount.1=2003&AddAccount.2=1001", 404, "InvalidAccount.Forbbiden"),
        (&image, "AddAccount.1=2003&AddAccount.2=2004", 403, "QuotaExceed.ShareImageUser"),
        (&encrypted, add, 403, "OperationDeined.EncryptedSnapshot"),
        (&by_a_service_key, add, 403, "OperationDeined.EncryptedSnapshot"),
        (&private, add, 403, "OperationDenied.InvalidImageStatus"),
        (&community, add, 403, "Image.Public"),
        (&public, add, 403, "Image.Public"),
    ] {
        assert_refused(&owner.modify_permission(image, accounts).await, status, code);
    }
    for (more, status, code) in [
        ("IsPublic=True", 403, "CurrentRegion.NotSupportPublicImage"),
        ("LaunchPermission=hide", 400, "ForbiddenParameter.LaunchPermission"),
        ("AddGroup.1=all", 404, "InvalidGroup.Malformed"),
        ("DryRun=perhaps", 400, "InvalidParameter"),
        ("DryRun=True", 400, "DryRunOperation"),
    ] {
        let parameters = format!("ImageId={image}&{add}&{more}");
        assert_refused(
            &owner.call_action(ECS_VERSION, "ModifyImageSharePermission", &parameters).await,
            status,
            code,
        );
    }
    let over = format!("ImageId={image}&AddAccount.1=2003&AddAccount.2=2004&DryRun=true");
    let dry = owner.call_action(ECS_VERSION, "ModifyImageSharePermission", &over).await;
    assert_refused(&dry, 403, "QuotaExceed.ShareImageUser");
    assert_eq!(api.dump(), before, "something was written");
}

#[tokio::test]
async fn unknown_action_or_other_region_is_rejected() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    let image = owner.create_image(&json!({})).await;
    let before = api.dump_when_idle().await;
    let modify = format!("ImageId={image}&AddAccount.1=2001");
    for (version, action) in [
        (ECS_VERSION, "ModifyImagePermission"),
        (ECD_VERSION, "ModifyImageSharePermission"),
        (ECD_VERSION, "CopyImage"),
        ("2017-11-10", "ModifyImageSharePermission"),
    ] {
        assert_refused(&owner.call_action(version, action, &modify).await, 404, "InvalidApi.NotFound");
    }
    let send = async |method: &str, target: String| {
        api.send(&ApiRequest::new(method, target).token(&owner.token)).await
    };
    let action = "Action=ModifyImagePermission&Version=2020-09-30";
    let elsewhere = send("POST", format!("/?{action}&{modify}&RegionId=cn-hangzhou")).await;
    assert_refused(&elsewhere, 404, "InvalidRegionId.NotFound");
    for (target, named) in [
        (format!("/?{action}&{modify}"), "RegionId"),
        (format!("/?{action}&{modify}&RegionId="), "RegionId"),
        (format!("/?{action}&RegionId=local&AddAccount.1=2001"), "ImageId"),
        (format!("/?Action=ModifyImagePermission&RegionId=local&{modify}"), "Version"),
    ] {
        let response = send("POST", target).await;
        assert_refused(&response, 400, "MissingParameter");
        let message = format!(
            "The input parameter \"{named}\" that is mandatory for processing this request is not supplied."
        );
        assert_eq!(response.message(), message);
    }
    let nothing = send("POST", "/".to_owned()).await;
    assert!(nothing.message().contains("\"Action\""), "{nothing:?}");
    let two = ApiRequest::new("POST", format!("/?{action}&RegionId=local&{modify}")).token(&owner.token);
    assert_refused(&api.send(&two.header("x-acs-action", "DescribeImages")).await, 400, "InvalidParameter");
    let json =
        ApiRequest::new("POST", format!("/?{action}&RegionId=local&{modify}")).token(&owner.token).body("{}");
    assert_refused(&api.send(&json).await, 400, "InvalidParameter");
    assert_eq!(api.dump(), before, "something was written");
}

#[tokio::test]
async fn only_owner_shares_and_stranger_gets_404() {
    let api = Api::start(&[]).await;
    let (owner, recipient, stranger) =
        (Client::new(&api, "1001"), Client::new(&api, "2001"), Client::new(&api, "9001"));
    let image = owner.create_image(&json!({})).await;
    owner.modify_permission(&image, "AddAccount.1=2001&AddAccount.2=2002").await;
    let before = api.dump_when_idle().await;
    for accounts in [
        "AddAccount.1=2003",
        "RemoveAccount.1=2002",
        "AddAccount.1=2001",
        "AddAccount.1=2001&RemoveAccount.1=2002",
    ] {
        assert_refused(&recipient.modify_permission(&image, accounts).await, 403, "Forbidden.RAM");
        let response = stranger.modify_permission(&image, accounts).await;
        assert_refused(&response, 404, "InvalidImageId.NotFound");
        assert_eq!(response.message(), stranger.modify_permission("none", accounts).await.message());
    }
    let permission = format!("ImageId={image}");
    assert_eq!(recipient.list_accounts(&image).await, json!(["2001"]), "a recipient sees only itself");
    assert_refused(
        &stranger.call_action(ECD_VERSION, "DescribeImagePermission", &permission).await,
        404,
        "InvalidImageId.NotFound",
    );
    assert_eq!(stranger.list_image_ids(&format!("ImageId.1={image}")).await, id_set(&[]));
    let shown = recipient.call_action(ECD_VERSION, "DescribeImages", "").await.body["Images"][0].clone();
    assert_eq!((&shown["ImageType"], shown.get("SharedCount")), (&json!("SHARED"), None));
    let reader = Client { token: api.token("1001", Role::Reader), ..Client::new(&api, "1001") };
    assert_refused(&reader.modify_permission(&image, "AddAccount.1=2003").await, 403, "Forbidden.RAM");
    let anonymous =
        api.send(&ApiRequest::new("POST", "/?Action=DescribeImages&Version=2020-09-30&RegionId=local")).await;
    assert_refused(&anonymous, 401, "InvalidSecurityToken");
    assert_eq!(api.dump(), before, "something was written");
}

#[tokio::test]
async fn is_public_without_accounts_is_rejected() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    let image = owner.create_image(&json!({})).await;
    for flag in ["True", "False", "true"] {
        let change = format!("ImageId={image}&IsPublic={flag}");
        let refused = owner.call_action(ECS_VERSION, "ModifyImageSharePermission", &change).await;
        assert_refused(&refused, 403, "CurrentRegion.NotSupportPublicImage");
    }
}
