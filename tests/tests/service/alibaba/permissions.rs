//! What a change of permissions does, and that it takes effect wholly or not at all.

use imageshare_tests::api::{Api, ApiRequest};
use serde_json::json;

use super::{Client, ECD_VERSION, id_set};

#[tokio::test]
async fn alibaba_and_ims_see_the_same_shares() {
    let api = Api::start(&[]).await;
    let (owner, one, two) = (Client::new(&api, "1001"), Client::new(&api, "2001"), Client::new(&api, "2002"));
    let image = owner.create_image(&json!({"name": "a"})).await;
    owner.modify_permission(&image, "AddAccount.1=2001").await.expect_status(200);
    assert_eq!(owner.member_statuses(&image).await, json!({"2001": "accepted"}));
    assert_eq!(one.list_image_ids("ImageType=SHARED").await, id_set(&[&image]));
    let list = ApiRequest::new("GET", "/v2/cloudimages?member_status=accepted").token(&one.token);
    assert_eq!(api.send(&list).await.body["images"][0]["id"], image.as_str());

    owner.run_batch_job("POST", &json!({"images": [image], "projects": ["2002"]})).await;
    assert_eq!(
        owner.list_accounts(&image).await,
        json!(["2001", "2002"]),
        "an offer is a share to its owner"
    );
    assert_eq!(two.list_image_ids("").await, id_set(&[]), "and nothing to use before it is accepted");
    let decision = |status: &str| json!({"images": [image], "project_id": "2002", "status": status});
    two.run_batch_job("PUT", &decision("accepted")).await;
    assert_eq!(two.list_image_ids("").await, id_set(&[&image]));
    assert_eq!(
        two.list_image_ids(&format!("ImageId.1={image}&ImageId.2=none&ImageId.3=a%2Fb")).await,
        id_set(&[&image])
    );

    two.run_batch_job("PUT", &decision("rejected")).await;
    owner.modify_permission(&image, "AddAccount.1=2002").await.expect_status(200);
    assert_eq!(
        owner.member_statuses(&image).await,
        json!({"2001": "accepted", "2002": "rejected"}),
        "a no is a no"
    );

    owner.run_batch_job("DELETE", &json!({"images": [image], "projects": ["2001"]})).await;
    owner.modify_permission(&image, "RemoveAccount.1=2002&RemoveAccount.2=nobody").await.expect_status(200);
    assert_eq!((owner.list_accounts(&image).await, one.list_image_ids("").await), (json!([]), id_set(&[])));
}

#[tokio::test]
async fn adding_an_account_accepts_its_pending_share() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    let image = owner.create_image(&json!({})).await;
    owner.run_batch_job("POST", &json!({"images": [image], "projects": ["2001"]})).await;
    assert_eq!(owner.member_statuses(&image).await, json!({"2001": "pending"}));
    owner.modify_permission(&image, "AddAccount.1=2001").await.expect_status(200);
    assert_eq!(owner.member_statuses(&image).await, json!({"2001": "accepted"}));
}

#[tokio::test]
async fn accounts_beyond_ten_are_reported_as_ignored() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    let image = owner.create_image(&json!({})).await;
    let accounts = |kind: &str, from: usize| {
        let one = |n: usize| format!("{kind}.{n}={}", from + n);
        (1..=11).map(one).collect::<Vec<_>>().join("&")
    };
    let response = owner.modify_permission(&image, &accounts("AddAccount", 2000)).await;
    response.expect_status(200);
    assert_eq!(response.headers["x-ignored-parameters"], "AddAccount.11");
    let both = format!("{}&{}", accounts("RemoveAccount", 2000), accounts("AddAccount", 3000));
    let response = owner.modify_permission(&image, &both).await;
    response.expect_status(200);
    assert_eq!(response.headers["x-ignored-parameters"], "AddAccount.11, RemoveAccount.11");
    let shared: Vec<_> = (3001..=3010).map(|id| id.to_string()).collect();
    assert_eq!(owner.list_accounts(&image).await, json!(shared));
    let response = owner.modify_permission(&image, "AddAccount.99999999999999999999999=a").await;
    response.expect_status(200);
    assert_eq!(owner.list_accounts(&image).await, json!(shared));
    assert!(
        !owner.modify_permission(&image, "AddAccount.1=a").await.headers.contains_key("x-ignored-parameters")
    );
}

#[tokio::test]
async fn unshareable_image_can_still_be_unshared() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    let private = owner.create_image(&json!({})).await;
    owner.modify_permission(&private, "AddAccount.1=2001").await;
    owner.patch_image(&private, "/visibility", "private").await;
    // Shared by IMS, with a key grant, which this API does not have.
    let encrypted = owner.create_image(&json!({"__system__cmkid": "key-1"})).await;
    let grant = ApiRequest::new("PUT", "/v1/keys/key-1/grants/2001").token(&owner.token);
    api.send(&grant).await.expect_status(200);
    owner.run_batch_job("POST", &json!({"images": [encrypted], "projects": ["2001"]})).await;
    for image in [private, encrypted] {
        owner.modify_permission(&image, "AddAccount.1=2002").await.expect_status(403);
        owner.modify_permission(&image, "RemoveAccount.1=2001").await.expect_status(200);
        owner.patch_image(&image, "/visibility", "shared").await;
        assert_eq!(owner.list_accounts(&image).await, json!([]));
    }
}

#[tokio::test]
async fn concurrent_calls_are_atomic_and_respect_the_member_limit() {
    let api = Api::start(&["members-per-image=7"]).await;
    let owner = Client::new(&api, "1001");
    let image = owner.create_image(&json!({})).await;
    let call = async |n: usize| {
        let response = owner.modify_permission(&image, &format!("AddAccount.1={n}a&AddAccount.2={n}b")).await;
        assert!([200, 403].contains(&response.status), "{response:?}");
        (n, response.status == 200)
    };
    let responses = futures_util::future::join_all((1..=6).map(call)).await;
    let mut expected: Vec<String> = Vec::new();
    for (n, done) in responses {
        if done {
            expected.extend([format!("{n}a"), format!("{n}b")]);
        }
    }
    assert_eq!(expected.len(), 6, "three of six have room");
    assert_eq!(owner.list_accounts(&image).await, json!(expected));
    let counted = owner.call_action(ECD_VERSION, "DescribeImages", &format!("ImageId.1={image}")).await;
    assert_eq!(counted.body["Images"][0]["SharedCount"], 6);
}

#[tokio::test]
async fn concurrent_opposite_calls_are_serialized() {
    let api = Api::start(&[]).await;
    let owner = Client::new(&api, "1001");
    let image = owner.create_image(&json!({})).await;
    for _ in 0..10 {
        let (one, other) = tokio::join!(
            owner.modify_permission(&image, "AddAccount.1=a&RemoveAccount.1=b"),
            owner.modify_permission(&image, "AddAccount.1=b&RemoveAccount.1=a")
        );
        one.expect_status(200);
        other.expect_status(200);
        let accounts = owner.list_accounts(&image).await;
        assert!(accounts == json!(["a"]) || accounts == json!(["b"]), "{accounts}");
    }
}
