//! The directory of tenants: permissions, searches, and concurrent changes.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use imageshare::App;
use imageshare::domain::{Caller, DirectoryEntry, Limits, ResolveError, Role, TenantName};
use imageshare::store::Store;
use imageshare::table::{Page, Query, Table, TableFuture};
use imageshare::usecases::{DirectoryError, find_tenant, put_tenant};
use imageshare_local::table::TableLane;
use imageshare_tests::api::{Api, ApiRequest, ApiResponse};
use imageshare_tests::delegate_to_table;
use imageshare_tests::local_service::{LocalService, caller};
use serde_json::{Value, json};

/// A server, with shorthands for its callers.
struct Fixture {
    api: Api,
    admin: String,
    reader: String,
}

impl Fixture {
    async fn start() -> Self {
        let api = Api::start(&[]).await;
        let (admin, reader) = (api.token("ops", Role::Admin), api.token("str1", Role::Reader));
        Self { api, admin, reader }
    }

    async fn put_tenant(&self, tenant: &str, entry: &Value) -> ApiResponse {
        self.api.send(&ApiRequest::new("PUT", tenant_path(tenant)).token(&self.admin).json(entry)).await
    }

    async fn show_tenant(&self, tenant: &str) -> ApiResponse {
        self.api.send(&ApiRequest::new("GET", tenant_path(tenant)).token(&self.admin)).await
    }

    async fn delete_tenant(&self, tenant: &str) -> ApiResponse {
        self.api.send(&ApiRequest::new("DELETE", tenant_path(tenant)).token(&self.admin)).await
    }

    /// Adds a tenant of this region.
    async fn create_tenant(&self, tenant: &str, account: &str, project: &str) {
        self.put_tenant(tenant, &json!({"account": account, "project": project})).await.expect_status(200);
    }

    /// The result of a query by a caller that may only read.
    async fn find_tenants(&self, query: &str) -> ApiResponse {
        self.api.send(&ApiRequest::new("GET", format!("/v1/tenants?{query}")).token(&self.reader)).await
    }

    /// The ids of the directory, in pages of this size.
    async fn list_all(&self, limit: usize) -> Vec<String> {
        let (mut ids, mut target) = (Vec::new(), format!("/v1/tenants?limit={limit}"));
        loop {
            let page = self.api.send(&ApiRequest::new("GET", &target).token(&self.admin)).await.body;
            let tenants = page["tenants"].as_array().unwrap();
            assert!(tenants.len() <= limit && page["page_info"]["current_count"] == tenants.len());
            ids.extend(tenants.iter().map(|tenant| tenant["project_id"].as_str().unwrap().to_owned()));
            let Some(next) = page["page_info"]["next_marker"].as_str() else { return ids };
            target = format!("/v1/tenants?limit={limit}&marker={next}");
        }
    }
}

fn tenant_path(tenant: &str) -> String {
    format!("/v1/tenants/{tenant}")
}

#[tokio::test]
async fn admin_creates_renames_and_deletes_a_tenant() {
    let world = Fixture::start().await;
    let entry = json!({"account": "Käse & Söhne", "project": "a#b/c", "region": "local"});
    let mut shown = entry.clone();
    shown["project_id"] = json!("own1");
    assert_eq!(world.put_tenant("own1", &entry).await.body, json!({"tenant": shown}));
    assert_eq!(world.show_tenant("own1").await.body, json!({"tenant": shown}));
    let by_names = "account=K%C3%A4se+%26+S%C3%B6hne&project=a%23b%2Fc";
    let found = world.find_tenants(by_names).await.body;
    assert_eq!(found, json!({"tenants": [shown], "page_info": {"current_count": 1}}));

    let before = world.api.dump_when_idle().await;
    world.put_tenant("own1", &entry).await.expect_status(200);
    assert_eq!(world.api.dump(), before, "the same entry changes nothing");

    world.create_tenant("own1", "acme", "web").await;
    // The former names are free again.
    world.find_tenants(by_names).await.expect_error(404, "IMG.0108");
    assert_eq!(world.find_tenants("account=acme&project=web").await.body["tenants"][0]["project_id"], "own1");

    world.delete_tenant("own1").await.expect_status(204);
    for gone in [
        world.delete_tenant("own1").await,
        world.show_tenant("own1").await,
        world.find_tenants("account=acme").await,
    ] {
        gone.expect_error(404, "IMG.0108");
    }
    assert!(world.api.dump().keys().all(|key| !key.starts_with("D#")), "no name is left");
}

#[tokio::test]
async fn image_count_survives_directory_changes() {
    let world = Fixture::start().await;
    let owner = world.api.token("own1", Role::Member);
    let used = async || {
        let quota = world.api.send(&ApiRequest::new("GET", "/v1/cloudimages/quota").token(&owner)).await;
        quota.body["quotas"]["resources"][0]["used"].as_u64().unwrap()
    };
    let register = async || {
        let new = ApiRequest::new("POST", "/v2/images").token(&owner).json(&json!({}));
        world.api.send(&new).await.expect_status(201);
    };
    register().await;
    world.create_tenant("own1", "acme", "web").await;
    register().await;
    assert_eq!((used().await, world.show_tenant("own1").await.status), (2, 200));
    world.delete_tenant("own1").await.expect_status(204);
    assert_eq!(used().await, 2);
}

#[tokio::test]
async fn only_admin_writes_or_lists_the_directory() {
    let world = Fixture::start().await;
    world.create_tenant("own1", "acme", "web").await;
    let before = world.api.dump_when_idle().await;
    for role in [Role::Reader, Role::Member] {
        for project in ["own1", "str1"] {
            let token = world.api.token(project, role);
            for tenant in ["own1", "nobody"] {
                let put = ApiRequest::new("PUT", tenant_path(tenant))
                    .json(&json!({"account": "a", "project": "b"}));
                let (show, delete) = (
                    ApiRequest::new("GET", tenant_path(tenant)),
                    ApiRequest::new("DELETE", tenant_path(tenant)),
                );
                let show = (project != tenant).then_some(show);
                let requests = [put, delete, ApiRequest::new("GET", "/v1/tenants")];
                for request in requests.into_iter().chain(show) {
                    let refused = world.api.send(&request.token(&token)).await;
                    refused.expect_error(403, "IMG.0026");
                    assert!(refused.message().contains("Only the role admin"), "{refused:?}");
                }
            }
        }
    }
    assert_eq!(world.api.dump(), before);
}

#[tokio::test]
async fn tenant_sees_its_own_entry_and_no_other() {
    let world = Fixture::start().await;
    let entry =
        json!({"account": "acme", "project": "web", "organization": "o-1", "cloud_account": "123456789012"});
    world.put_tenant("own1", &entry).await.expect_status(200);
    let show = async |project: &str, role, tenant: &str| {
        let token = world.api.token(project, role);
        world.api.send(&ApiRequest::new("GET", tenant_path(tenant)).token(&token)).await
    };
    for role in [Role::Reader, Role::Member] {
        assert_eq!(show("own1", role, "own1").await.body, world.show_tenant("own1").await.body);
        let missing = show("str1", role, "str1").await;
        missing.expect_error(404, "IMG.0108");
        for tenant in ["own1", "nobody"] {
            show("str1", role, tenant).await.expect_error(403, "IMG.0026");
        }
    }
}

#[tokio::test]
async fn tenant_is_found_by_exact_names_only() {
    let world = Fixture::start().await;
    world.create_tenant("own1", "acme", "web").await;
    world.create_tenant("own2", "acme", "shop").await;
    world.create_tenant("own3", "solo", "only").await;
    let elsewhere = json!({"account": "solo", "project": "far", "region": "elsewhere"});
    world.put_tenant("own4", &elsewhere).await.expect_status(200);
    let away = json!({"account": "away", "project": "far", "region": "elsewhere"});
    world.put_tenant("own5", &away).await.expect_status(200);
    for (query, tenant) in [
        ("account=acme&project=web", "own1"),
        ("account=acme&project=shop", "own2"),
        ("account=solo", "own3"),
        ("account=solo&project=only&limit=1", "own3"),
    ] {
        let found = world.find_tenants(query).await;
        found.expect_status(200);
        assert_eq!(found.body["tenants"][0]["project_id"], json!(tenant));
    }
    for (query, status, code) in [
        ("account=acme", 400, "IMG.0104"),
        ("account=ACME&project=web", 404, "IMG.0108"),
        ("account=acme&project=we", 404, "IMG.0108"),
        ("account=acm", 404, "IMG.0108"),
        ("account=*", 404, "IMG.0108"),
        ("account=acme%23web", 404, "IMG.0108"),
        ("account=nobody&project=web", 404, "IMG.0108"),
        ("account=solo&project=far", 400, "IMG.0177"),
        ("account=away", 400, "IMG.0177"),
        ("account=", 400, "IMG.0001"),
        ("project=web", 400, "IMG.0001"),
    ] {
        world.find_tenants(query).await.expect_error(status, code);
    }
}

#[tokio::test]
async fn directory_list_is_paginated() {
    let world = Fixture::start().await;
    let mut ids: Vec<_> = (0..7).map(|number| format!("t{number}")).collect();
    for id in &ids {
        world.create_tenant(id, "acme", id).await;
    }
    world
        .api
        .send(&ApiRequest::new("POST", "/v2/images").token(&world.admin).json(&json!({"owner": "t9"})))
        .await;
    world.delete_tenant("t3").await;
    ids.remove(3);
    for limit in [1, 2, 3, 100] {
        assert_eq!(world.list_all(limit).await, ids);
    }
}

#[tokio::test]
async fn account_and_project_names_are_unique_across_regions() {
    let world = Fixture::start().await;
    world.create_tenant("own1", "acme", "web").await;
    world.create_tenant("own2", "acme", "shop").await;
    let before = world.api.dump_when_idle().await;
    for region in ["local", "elsewhere"] {
        let taken = json!({"account": "acme", "project": "web", "region": region});
        for tenant in ["own2", "new"] {
            let refused = world.put_tenant(tenant, &taken).await;
            refused.expect_error(409, "IMG.0031");
            assert!(refused.message().contains("tenant own1 has these names"), "{refused:?}");
        }
    }
    assert_eq!(world.api.dump(), before);
    world.create_tenant("own1", "acme", "old").await;
    world.create_tenant("own2", "acme", "web").await;
    assert_eq!(world.find_tenants("account=acme&project=web").await.body["tenants"][0]["project_id"], "own2");
}

#[tokio::test]
async fn concurrent_claims_of_the_same_names_have_one_winner() {
    let world = Fixture::start().await;
    for round in 0..5 {
        let entry = json!({"account": "acme", "project": format!("web{round}")});
        let tenants: Vec<_> = (0..8).map(|number| format!("t{number}")).collect();
        let responses = join_all(tenants.iter().map(|tenant| world.put_tenant(tenant, &entry))).await;
        let (winners, losers): (Vec<_>, Vec<_>) =
            tenants.iter().zip(&responses).partition(|(_, response)| response.status == 200);
        let [(winner, _)] = winners.as_slice() else { panic!("{responses:?}") };
        for (_, loser) in &losers {
            loser.expect_error(409, "IMG.0031");
        }
        let found = world.find_tenants(&format!("account=acme&project=web{round}")).await;
        assert_eq!(found.body["tenants"][0]["project_id"], winner.as_str());
    }
    assert_names_match_entries(&world).await;
}

#[tokio::test]
async fn tenant_stays_findable_during_renames() {
    let world = Fixture::start().await;
    world.create_tenant("own1", "acme", "p0").await;
    let rename = async {
        for number in 1..=40 {
            world.create_tenant("own1", "acme", &format!("p{}", 40 - number)).await;
        }
    };
    let search = async {
        for _ in 0..40 {
            let found = world.find_tenants("account=acme").await;
            found.expect_status(200);
            assert_eq!(found.body["tenants"][0]["project_id"], "own1");
        }
    };
    tokio::join!(rename, search);
    assert_names_match_entries(&world).await;
}

#[tokio::test]
async fn concurrent_put_and_delete_keep_entry_and_names_consistent() {
    let world = Fixture::start().await;
    for round in 0..10 {
        world.create_tenant("own1", "acme", "web").await;
        let entry = json!({"account": "acme", "project": format!("shop{round}")});
        let (put, delete, again) = tokio::join!(
            world.put_tenant("own1", &entry),
            world.delete_tenant("own1"),
            world.put_tenant("own1", &entry)
        );
        put.expect_status(200);
        again.expect_status(200);
        delete.expect_status(204);
        assert_names_match_entries(&world).await;
        world.delete_tenant("own1").await;
        assert_names_match_entries(&world).await;
    }
}

/// A table where a rename precedes each query: this many queries find nothing.
#[derive(Debug)]
struct ConcurrentRenames {
    table: TableLane,
    queries: AtomicUsize,
}

impl Table for ConcurrentRenames {
    delegate_to_table!(get_item, batch_get_item, write_item, transact_write_items);

    fn query<'a>(&'a self, query: &'a Query) -> TableFuture<'a, Page> {
        let left = self.queries.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(_) => Box::pin(std::future::ready(Ok(Page::default()))),
            Err(_) => self.table.query(query),
        }
    }
}

async fn enter_tenant(service: &App, tenant: &str, project: &str, region: &str) {
    let admin = Caller { role: Role::Admin, ..caller("ops") };
    let entry = DirectoryEntry {
        tenant: tenant.parse().unwrap(),
        account: "acme".parse().unwrap(),
        project: project.parse().unwrap(),
        region: region.parse().unwrap(),
        organization: None,
        cloud_account: None,
    };
    put_tenant(service, &admin, &entry).await.unwrap();
}

fn acme() -> TenantName {
    TenantName { account: "acme".parse().unwrap(), project: None }
}

#[tokio::test]
async fn account_lookup_is_retried_during_a_rename() {
    let LocalService { service, table, .. } = LocalService::start(Limits::default());
    enter_tenant(&service, "own1", "web", "local").await;
    for (queries, found) in [(0, true), (1, true), (2, false)] {
        let renaming = ConcurrentRenames { table: table.clone(), queries: AtomicUsize::new(queries) };
        let service = App { store: Store::new(renaming, service.clock().clone()), ..service.clone() };
        let tenant = find_tenant(&service, &acme()).await;
        assert_eq!(tenant.is_ok(), found, "{tenant:?}");
    }
}

#[tokio::test]
async fn account_lookup_stops_at_the_second_local_project() {
    let LocalService { service, .. } = LocalService::start(Limits::default());
    for number in 0..250 {
        enter_tenant(&service, &format!("far{number}"), &format!("far{number}"), "elsewhere").await;
    }
    let refused = find_tenant(&service, &acme()).await;
    assert_eq!(refused, Err(DirectoryError::Unresolved(ResolveError::OtherRegion)));
    enter_tenant(&service, "own1", "web", "local").await;
    assert_eq!(find_tenant(&service, &acme()).await.unwrap().tenant.as_str(), "own1");
    enter_tenant(&service, "own2", "a", "local").await;
    let refused = find_tenant(&service, &acme()).await;
    assert_eq!(refused, Err(DirectoryError::Unresolved(ResolveError::Ambiguous)));
    enter_tenant(&service, "own3", "b", "local").await;
    let metered = App { store: service.store.metered(), ..service.clone() };
    let refused = find_tenant(&metered, &acme()).await;
    assert_eq!(refused, Err(DirectoryError::Unresolved(ResolveError::Ambiguous)));
    assert_eq!(metered.store.usage().round_trips, 1, "two on the first page are enough");
}

/// Every entry has its names, and there are no others.
async fn assert_names_match_entries(world: &Fixture) {
    let mut entries = Vec::new();
    for id in world.list_all(100).await {
        let tenant = world.show_tenant(&id).await.body["tenant"].clone();
        let text = |name: &str| tenant[name].as_str().unwrap().to_owned();
        entries.push(format!("D#{} P#{}", text("account"), text("project")));
    }
    let names = world.api.dump().into_keys().filter(|key| key.starts_with("D#"));
    let (mut names, mut entries) = (names.collect::<Vec<_>>(), entries);
    names.sort();
    entries.sort();
    assert_eq!(names, entries);
}
