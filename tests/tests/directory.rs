//! The directory of tenants: who may write it, who finds whom, and what happens where several change it at once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use imageshare::Service;
use imageshare::domain::{Caller, Entry, Limits, Named, Role, Unresolved};
use imageshare::store::Store;
use imageshare::table::{
    Answer as OnItsWay, BatchRead, Found, Key, Page, Query, Table, Token, Write, Written,
};
use imageshare::usecases::{DirectoryRefusal, find_tenant, put_tenant};
use imageshare_local::table::TableLane;
use imageshare_tests::api::{Answer, Api, Ask};
use imageshare_tests::service::{LocalService, caller};
use serde_json::{Value, json};

/// A server, and who asks it.
struct World {
    api: Api,
    admin: String,
    reader: String,
}

impl World {
    async fn start() -> Self {
        let api = Api::start(&[]).await;
        let (admin, reader) = (api.token("ops", Role::Admin), api.token("str1", Role::Reader));
        Self { api, admin, reader }
    }

    async fn put(&self, tenant: &str, said: &Value) -> Answer {
        self.api.send(&Ask::new("PUT", path(tenant)).token(&self.admin).json(said)).await
    }

    async fn show(&self, tenant: &str) -> Answer {
        self.api.send(&Ask::new("GET", path(tenant)).token(&self.admin)).await
    }

    async fn delete(&self, tenant: &str) -> Answer {
        self.api.send(&Ask::new("DELETE", path(tenant)).token(&self.admin)).await
    }

    /// Enters a tenant of this region.
    async fn enter(&self, tenant: &str, account: &str, project: &str) {
        let entered = self.put(tenant, &json!({"account": account, "project": project})).await;
        assert_eq!(entered.status, 200, "{entered:?}");
    }

    /// What somebody who may only read finds with that query.
    async fn find(&self, query: &str) -> Answer {
        self.api.send(&Ask::new("GET", format!("/v1/tenants?{query}")).token(&self.reader)).await
    }

    /// The ids of the directory, in pages of that size.
    async fn all(&self, limit: usize) -> Vec<String> {
        let (mut seen, mut target) = (Vec::new(), format!("/v1/tenants?limit={limit}"));
        loop {
            let page = self.api.send(&Ask::new("GET", &target).token(&self.admin)).await.body;
            let tenants = page["tenants"].as_array().unwrap();
            assert!(tenants.len() <= limit && page["page_info"]["current_count"] == tenants.len());
            seen.extend(tenants.iter().map(|tenant| tenant["project_id"].as_str().unwrap().to_owned()));
            let Some(next) = page["page_info"]["next_marker"].as_str() else { return seen };
            target = format!("/v1/tenants?limit={limit}&marker={next}");
        }
    }
}

fn path(tenant: &str) -> String {
    format!("/v1/tenants/{tenant}")
}

fn told(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.code())
}

#[tokio::test]
async fn an_admin_enters_a_tenant_renames_it_and_takes_it_out() {
    let world = World::start().await;
    let said = json!({"account": "Käse & Söhne", "project": "a#b/c", "region": "local"});
    let mut shown = said.clone();
    shown["project_id"] = json!("own1");
    assert_eq!(world.put("own1", &said).await.body, json!({"tenant": shown}));
    assert_eq!(world.show("own1").await.body, json!({"tenant": shown}));
    let by_names = "account=K%C3%A4se+%26+S%C3%B6hne&project=a%23b%2Fc";
    let found = world.find(by_names).await.body;
    assert_eq!(found, json!({"tenants": [shown], "page_info": {"current_count": 1}}));

    let before = world.api.dump_at_rest().await;
    assert_eq!(world.put("own1", &said).await.status, 200);
    assert_eq!(world.api.dump(), before, "what it says already");

    world.enter("own1", "acme", "web").await;
    assert_eq!(told(&world.find(by_names).await), (404, "IMG.0108"), "the former names are given up");
    assert_eq!(world.find("account=acme&project=web").await.body["tenants"][0]["project_id"], "own1");

    assert_eq!(world.delete("own1").await.status, 204);
    for gone in [world.delete("own1").await, world.show("own1").await, world.find("account=acme").await] {
        assert_eq!(told(&gone), (404, "IMG.0108"), "{gone:?}");
    }
    assert!(world.api.dump().keys().all(|key| !key.starts_with("D#")), "no name is left");
}

#[tokio::test]
async fn a_tenant_in_the_directory_goes_on_counting_its_images_and_out_of_it_too() {
    let world = World::start().await;
    let owner = world.api.token("own1", Role::Member);
    let used = async || {
        let quota = world.api.send(&Ask::new("GET", "/v1/cloudimages/quota").token(&owner)).await;
        quota.body["quotas"]["resources"][0]["used"].as_u64().unwrap()
    };
    let register = async || {
        let new = Ask::new("POST", "/v2/images").token(&owner).json(&json!({}));
        assert_eq!(world.api.send(&new).await.status, 201);
    };
    register().await;
    world.enter("own1", "acme", "web").await;
    register().await;
    assert_eq!((used().await, world.show("own1").await.status), (2, 200));
    assert_eq!(world.delete("own1").await.status, 204);
    assert_eq!(used().await, 2);
}

#[tokio::test]
async fn only_an_admin_writes_or_browses_whether_the_tenant_exists_or_not() {
    let world = World::start().await;
    world.enter("own1", "acme", "web").await;
    let before = world.api.dump_at_rest().await;
    for role in [Role::Reader, Role::Member] {
        for project in ["own1", "str1"] {
            let token = world.api.token(project, role);
            for tenant in ["own1", "nobody"] {
                let put = Ask::new("PUT", path(tenant)).json(&json!({"account": "a", "project": "b"}));
                let (show, delete) = (Ask::new("GET", path(tenant)), Ask::new("DELETE", path(tenant)));
                for ask in [put, show, delete, Ask::new("GET", "/v1/tenants")] {
                    let refused = world.api.send(&ask.token(&token)).await;
                    assert_eq!(told(&refused), (403, "IMG.0026"), "{refused:?}");
                    assert!(refused.message().contains("Only the role admin"), "{refused:?}");
                }
            }
        }
    }
    assert_eq!(world.api.dump(), before);
}

#[tokio::test]
async fn only_exact_names_find_a_tenant() {
    let world = World::start().await;
    world.enter("own1", "acme", "web").await;
    world.enter("own2", "acme", "shop").await;
    world.enter("own3", "solo", "only").await;
    let elsewhere = json!({"account": "solo", "project": "far", "region": "elsewhere"});
    assert_eq!(world.put("own4", &elsewhere).await.status, 200);
    let away = json!({"account": "away", "project": "far", "region": "elsewhere"});
    assert_eq!(world.put("own5", &away).await.status, 200);
    for (query, tenant) in [
        ("account=acme&project=web", "own1"),
        ("account=acme&project=shop", "own2"),
        ("account=solo", "own3"),
        ("account=solo&project=only&limit=1", "own3"),
    ] {
        let found = world.find(query).await;
        assert_eq!((found.status, &found.body["tenants"][0]["project_id"]), (200, &json!(tenant)), "{query}");
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
        assert_eq!(told(&world.find(query).await), (status, code), "{query}");
    }
}

#[tokio::test]
async fn the_directory_is_listed_page_by_page() {
    let world = World::start().await;
    let mut ids: Vec<_> = (0..7).map(|number| format!("t{number}")).collect();
    for id in &ids {
        world.enter(id, "acme", id).await;
    }
    world.api.send(&Ask::new("POST", "/v2/images").token(&world.admin).json(&json!({"owner": "t9"}))).await;
    world.delete("t3").await;
    ids.remove(3);
    for limit in [1, 2, 3, 100] {
        assert_eq!(world.all(limit).await, ids);
    }
}

#[tokio::test]
async fn names_are_those_of_one_tenant_in_whatever_region() {
    let world = World::start().await;
    world.enter("own1", "acme", "web").await;
    world.enter("own2", "acme", "shop").await;
    let before = world.api.dump_at_rest().await;
    for region in ["local", "elsewhere"] {
        let taken = json!({"account": "acme", "project": "web", "region": region});
        for tenant in ["own2", "new"] {
            let refused = world.put(tenant, &taken).await;
            assert_eq!(told(&refused), (409, "IMG.0031"), "{refused:?}");
            assert!(refused.message().contains("tenant own1 has these names"), "{refused:?}");
        }
    }
    assert_eq!(world.api.dump(), before);
    world.enter("own1", "acme", "old").await;
    world.enter("own2", "acme", "web").await;
    assert_eq!(world.find("account=acme&project=web").await.body["tenants"][0]["project_id"], "own2");
}

#[tokio::test]
async fn of_tenants_that_want_the_same_names_at_once_one_gets_them() {
    let world = World::start().await;
    for round in 0..5 {
        let said = json!({"account": "acme", "project": format!("web{round}")});
        let tenants: Vec<_> = (0..8).map(|number| format!("t{number}")).collect();
        let answers = join_all(tenants.iter().map(|tenant| world.put(tenant, &said))).await;
        let (winners, losers): (Vec<_>, Vec<_>) =
            tenants.iter().zip(&answers).partition(|(_, answer)| answer.status == 200);
        let [(winner, _)] = winners.as_slice() else { panic!("{answers:?}") };
        assert!(losers.iter().all(|(_, loser)| told(loser) == (409, "IMG.0031")), "{losers:?}");
        let found = world.find(&format!("account=acme&project=web{round}")).await;
        assert_eq!(found.body["tenants"][0]["project_id"], winner.as_str());
    }
    are_consistent(&world).await;
}

#[tokio::test]
async fn a_tenant_that_is_renamed_while_others_look_is_found_by_its_account_all_the_time() {
    let world = World::start().await;
    world.enter("own1", "acme", "p0").await;
    let rename = async {
        for number in 1..=40 {
            world.enter("own1", "acme", &format!("p{}", 40 - number)).await;
        }
    };
    let look = async {
        for _ in 0..40 {
            let found = world.find("account=acme").await;
            assert_eq!((found.status, &found.body["tenants"][0]["project_id"]), (200, &json!("own1")));
        }
    };
    tokio::join!(rename, look);
    are_consistent(&world).await;
}

#[tokio::test]
async fn entering_and_taking_out_at_once_leaves_an_entry_with_its_names_or_neither() {
    let world = World::start().await;
    for round in 0..10 {
        world.enter("own1", "acme", "web").await;
        let said = json!({"account": "acme", "project": format!("shop{round}")});
        let (put, delete, again) =
            tokio::join!(world.put("own1", &said), world.delete("own1"), world.put("own1", &said));
        assert_eq!((put.status, again.status), (200, 200), "{put:?} {again:?}");
        assert_eq!(delete.status, 204, "{delete:?}");
        are_consistent(&world).await;
        world.delete("own1").await;
        are_consistent(&world).await;
    }
}

/// A table that a rename always comes between: of so many queries it finds nothing.
#[derive(Debug)]
struct Renaming {
    table: TableLane,
    queries: AtomicUsize,
}

impl Table for Renaming {
    fn get_item<'a>(&'a self, key: &'a Key) -> OnItsWay<'a, Found> {
        self.table.get_item(key)
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> OnItsWay<'a, Found> {
        self.table.batch_get_item(read)
    }

    fn query<'a>(&'a self, query: &'a Query) -> OnItsWay<'a, Page> {
        let left = self.queries.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(_) => Box::pin(std::future::ready(Ok(Page::default()))),
            Err(_) => self.table.query(query),
        }
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> OnItsWay<'a, Written> {
        self.table.write_item(write)
    }

    fn transact_write_items<'a>(&'a self, writes: &'a [Write], token: Token) -> OnItsWay<'a, Written> {
        self.table.transact_write_items(writes, token)
    }
}

async fn enter(service: &Service, tenant: &str, project: &str, region: &str) {
    let admin = Caller { role: Role::Admin, ..caller("ops") };
    let entry = Entry {
        tenant: tenant.parse().unwrap(),
        account: "acme".parse().unwrap(),
        project: project.parse().unwrap(),
        region: region.parse().unwrap(),
    };
    put_tenant(service, &admin, &entry).await.unwrap();
}

fn acme() -> Named {
    Named { account: "acme".parse().unwrap(), project: None }
}

#[tokio::test]
async fn an_account_whose_projects_are_being_renamed_is_read_again() {
    let LocalService { service, table, .. } = LocalService::start(Limits::default());
    enter(&service, "own1", "web", "local").await;
    for (queries, found) in [(0, true), (1, true), (2, false)] {
        let renaming = Renaming { table: table.clone(), queries: AtomicUsize::new(queries) };
        let service = Service { store: Store::new(renaming, service.clock().clone()), ..service.clone() };
        let tenant = find_tenant(&service, &acme()).await;
        assert_eq!(tenant.is_ok(), found, "{tenant:?}");
    }
}

#[tokio::test]
async fn an_account_is_read_to_its_end_unless_two_of_its_projects_are_here() {
    let LocalService { service, .. } = LocalService::start(Limits::default());
    for number in 0..250 {
        enter(&service, &format!("far{number}"), &format!("far{number}"), "elsewhere").await;
    }
    let refused = find_tenant(&service, &acme()).await;
    assert_eq!(refused, Err(DirectoryRefusal::Unresolved(Unresolved::OtherRegion)));
    enter(&service, "own1", "web", "local").await;
    assert_eq!(find_tenant(&service, &acme()).await.unwrap().tenant.as_str(), "own1");
    enter(&service, "own2", "a", "local").await;
    let refused = find_tenant(&service, &acme()).await;
    assert_eq!(refused, Err(DirectoryRefusal::Unresolved(Unresolved::Ambiguous)));
    enter(&service, "own3", "b", "local").await;
    let metered = Service { store: service.store.metered(), ..service.clone() };
    let refused = find_tenant(&metered, &acme()).await;
    assert_eq!(refused, Err(DirectoryRefusal::Unresolved(Unresolved::Ambiguous)));
    assert_eq!(metered.store.usage().round_trips, 1, "two on the first page are enough");
}

/// Every entry has its names, and there are no other names.
async fn are_consistent(world: &World) {
    let mut entries = Vec::new();
    for id in world.all(100).await {
        let tenant = world.show(&id).await.body["tenant"].clone();
        let text = |name: &str| tenant[name].as_str().unwrap().to_owned();
        entries.push(format!("D#{} P#{}", text("account"), text("project")));
    }
    let names = world.api.dump().into_keys().filter(|key| key.starts_with("D#"));
    let (mut names, mut entries) = (names.collect::<Vec<_>>(), entries);
    names.sort();
    entries.sort();
    assert_eq!(names, entries);
}
