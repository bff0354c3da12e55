//! The organizations and cloud accounts of tenants in the directory.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use imageshare::domain::{Caller, CloudAccountId, DirectoryEntry, Limits, OrganizationId, Role, TenantId};
use imageshare::usecases::put_tenant;
use imageshare_tests::api::{Api, ApiRequest, ApiResponse};
use imageshare_tests::local_service::{LocalService, caller};
use serde_json::{Value, json};

const ACCOUNT: &str = "123456789012";

struct Fixture {
    api: Api,
    admin: String,
}

impl Fixture {
    async fn start() -> Self {
        let api = Api::start(&[]).await;
        let admin = api.token("ops", Role::Admin);
        Self { api, admin }
    }

    /// Puts a tenant with a project of its own name and these members.
    async fn put(&self, tenant: &str, more: Value) -> ApiResponse {
        let mut entry = json!({"account": "acme", "project": tenant});
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let put = ApiRequest::new("PUT", format!("/v1/tenants/{tenant}"));
        self.api.send(&put.token(&self.admin).json(&entry)).await
    }

    async fn get(&self, token: &str, target: &str) -> ApiResponse {
        self.api.send(&ApiRequest::new("GET", target).token(token)).await
    }

    /// The keys of bindings and members.
    fn items(&self) -> BTreeSet<String> {
        self.api.dump().into_keys().filter(|key| key.starts_with("X#") || key.starts_with("O#")).collect()
    }
}

fn set<const N: usize>(keys: [&str; N]) -> BTreeSet<String> {
    keys.map(str::to_owned).into()
}

#[tokio::test]
async fn organization_and_cloud_account_follow_the_entry() {
    let world = Fixture::start().await;
    let bound = json!({"organization": "o-1", "cloud_account": ACCOUNT});
    let shown = world.put("own1", bound.clone()).await;
    shown.expect_status(200);
    assert_eq!(
        (&shown.body["tenant"]["organization"], &shown.body["tenant"]["cloud_account"]),
        (&json!("o-1"), &json!(ACCOUNT))
    );
    assert_eq!(world.get(&world.admin, "/v1/tenants/own1").await.body, shown.body);
    assert_eq!(world.get(&world.admin, "/v1/tenants").await.body["tenants"][0], shown.body["tenant"]);
    assert_eq!(world.items(), set(["O#o-1 own1", "X#123456789012 A"]));

    world.put("own1", bound).await.expect_status(200);
    world
        .put("own1", json!({"organization": "o-2", "cloud_account": "000000000001"}))
        .await
        .expect_status(200);
    assert_eq!(world.items(), set(["O#o-2 own1", "X#000000000001 A"]));
    world.put("own1", json!({"organization": "o-2"})).await.expect_status(200);
    assert_eq!(world.items(), set(["O#o-2 own1"]));
    let plain = world.put("own1", json!({"cloud_account": ACCOUNT})).await;
    assert_eq!(plain.body["tenant"].get("organization"), None);
    assert_eq!(world.items(), set(["X#123456789012 A"]));
    world.put("own1", json!({"organization": "o-3", "cloud_account": ACCOUNT})).await.expect_status(200);
    let delete = ApiRequest::new("DELETE", "/v1/tenants/own1").token(&world.admin);
    world.api.send(&delete).await.expect_status(204);
    assert_eq!(world.items(), set([]));
    assert_eq!(world.put("own1", json!({})).await.body["tenant"].get("cloud_account"), None);
}

#[tokio::test]
async fn cloud_account_belongs_to_one_tenant() {
    let world = Fixture::start().await;
    let bound = json!({"cloud_account": ACCOUNT});
    world.put("own1", bound.clone()).await.expect_status(200);
    let before = world.api.dump_when_idle().await;
    let refused = world.put("own2", bound.clone()).await;
    refused.expect_error(409, "IMG.0031");
    assert!(refused.message().starts_with("cloud_account: tenant own1 "), "{refused:?}");
    assert_eq!(world.api.dump(), before);
    world.put("own1", json!({})).await.expect_status(200);
    world.put("own2", bound).await.expect_status(200);
}

#[tokio::test]
async fn concurrent_claims_of_a_cloud_account_have_one_winner() {
    let world = Fixture::start().await;
    for round in 0..5 {
        let bound = json!({"cloud_account": format!("00000000000{round}"), "organization": "o-1"});
        let tenants: Vec<_> = (0..8).map(|number| format!("t{number}")).collect();
        let responses = join_all(tenants.iter().map(|tenant| world.put(tenant, bound.clone()))).await;
        let winners = responses.iter().filter(|response| response.status == 200).count();
        assert_eq!(winners, 1, "{responses:?}");
    }
}

#[tokio::test]
async fn only_an_admin_sees_organization_and_cloud_account() {
    let world = Fixture::start().await;
    world.put("own1", json!({"organization": "o-1", "cloud_account": ACCOUNT})).await.expect_status(200);
    let target = "/v1/tenants?account=acme&project=own1";
    for (project, role) in [("own1", Role::Member), ("str1", Role::Reader)] {
        let found = world.get(&world.api.token(project, role), target).await.body;
        let public = json!({"project_id": "own1", "account": "acme", "project": "own1", "region": "local"});
        assert_eq!(found["tenants"], json!([public]));
    }
    let found = world.get(&world.admin, target).await.body;
    assert_eq!(found["tenants"][0]["cloud_account"], ACCOUNT);
}

#[tokio::test]
async fn store_finds_tenants_by_account_and_organization() {
    let world = LocalService::start(Limits::default());
    let put = async |tenant: &str, organization: &str, account: Option<&str>| {
        let entry = DirectoryEntry {
            tenant: tenant.parse().unwrap(),
            account: "acme".parse().unwrap(),
            project: tenant.parse().unwrap(),
            region: "local".parse().unwrap(),
            organization: organization.parse().ok(),
            cloud_account: account.map(|account| account.parse().unwrap()),
        };
        let admin = Caller { role: Role::Admin, ..caller("ops") };
        put_tenant(&world.service, &admin, &entry).await.unwrap();
    };
    for number in 0..5 {
        put(&format!("t{number}"), "o-1", None).await;
    }
    put("other", "o-10", Some(ACCOUNT)).await;

    let store = &world.service.store;
    let account: CloudAccountId = ACCOUNT.parse().unwrap();
    assert_eq!(store.tenant_of_cloud_account(&account).await.unwrap(), "other".parse().ok());
    assert_eq!(store.tenant_of_cloud_account(&"000000000000".parse().unwrap()).await.unwrap(), None);
    let organization: OrganizationId = "o-1".parse().unwrap();
    let (mut found, mut after): (Vec<TenantId>, Option<TenantId>) = (Vec::new(), None);
    loop {
        let (page, next) = store.organization_members(&organization, after.as_ref(), 2).await.unwrap();
        assert!(page.len() <= 2);
        found.extend(page);
        after = next;
        if after.is_none() {
            break;
        }
    }
    let expected: Vec<TenantId> = (0..5).map(|number| format!("t{number}").parse().unwrap()).collect();
    assert_eq!(found, expected);
}
