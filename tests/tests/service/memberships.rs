//! `POST /v1/{project_id}/memberships/query`: many memberships in one request, for owners and recipients.

use std::collections::BTreeSet;

use imageshare::domain::{Audience, ImageId, Limits, Status, TenantId, Visibility};
use imageshare::facade::memberships::query::ROUTE;
use imageshare::usecases::{self, MembershipQuery, UseCaseError};
use imageshare_tests::deployment::Deployment;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::{ApiResponse, Functions};
use imageshare_tests::local_service::{LocalService, caller, next_millisecond, tenant};
use serde_json::{Value, json};

/// An image, its owner, a tenant that it is shared with, and the status.
type Membership = (ImageId, String, String, Status);

/// Images of two owners and their memberships, in every status. Some are hidden, deleted or unshared.
struct World {
    local: LocalService,
    images: Vec<ImageId>,
    memberships: Vec<Membership>,
}

impl World {
    /// Thirty images, each shared with a run of up to 14 tenants.
    async fn start() -> Self {
        let local = LocalService::start(Limits::default());
        let (mut images, mut memberships) = (Vec::new(), Vec::new());
        for number in 0..30_usize {
            next_millisecond().await;
            let owner = if number % 5 == 4 { "own2" } else { "own1" };
            let image = local.create_image(owner).await;
            let members: Vec<_> =
                (0..number / 2).map(|member| format!("m{:02}", (member + number) % 20)).collect();
            let tenants: Vec<_> = members.iter().map(|member| tenant(member)).collect();
            if !tenants.is_empty() {
                let (me, images) = (caller(owner), vec![image.clone()]);
                usecases::share(&local.service, &me, images, tenants, None).await.unwrap();
            }
            for (index, member) in members.into_iter().enumerate() {
                let status = Status::ALL[(index + number) % 3];
                if status != Status::Pending {
                    let (me, decision) = (caller(&member), (Ok(status), None));
                    usecases::decide_as_member(&local.service, &me, &image, &me.tenant, decision)
                        .await
                        .unwrap();
                }
                memberships.push((image.clone(), owner.to_owned(), member, status));
            }
            images.push(image);
        }
        let mut world = Self { local, images, memberships };
        world.hide(20).await;
        usecases::delete_image(&world.local.service, &caller("own1"), &world.images[21]).await.unwrap();
        world.forget(21);
        let (gone, of) = (tenant(&world.memberships[9].2), world.memberships[9].0.clone());
        let owner = caller(&world.memberships[9].1);
        usecases::unshare(&world.local.service, &owner, vec![of], vec![gone], None).await.unwrap();
        world.memberships.remove(9);
        world.local.run_open_work().await;
        world
    }

    async fn hide(&mut self, number: usize) {
        let hide = |image: &mut imageshare::domain::Image| {
            image.visibility = Visibility::Private;
            Ok::<_, UseCaseError>(())
        };
        let image = &self.images[number];
        usecases::update_image(&self.local.service, &caller("own1"), image, hide).await.unwrap();
        self.forget(number);
    }

    fn forget(&mut self, number: usize) {
        let image = self.images[number].clone();
        self.memberships.retain(|(other, ..)| *other != image);
    }

    /// What a query should return, in its order.
    fn expected(&self, query: &MembershipQuery) -> Vec<Membership> {
        let is_selected = |(image, owner, member, status): &&Membership| {
            let (own, other) = match query.side {
                Audience::Owner => (owner, member),
                Audience::Recipient => (member, owner),
            };
            *own == query.project.as_str()
                && query.images.as_ref().is_none_or(|images| images.contains(image))
                && query.counterparts.as_ref().is_none_or(|tenants| tenants.contains(&tenant(other)))
                && query.statuses.contains(status)
        };
        let mut expected: Vec<_> = self.memberships.iter().filter(is_selected).cloned().collect();
        let age =
            |image: &ImageId| self.images.len() - self.images.iter().position(|id| id == image).unwrap();
        expected.sort_by(|(one, _, first, a), (other, _, second, b)| {
            let by_status = || if query.side == Audience::Recipient { a.cmp(b) } else { a.cmp(a) };
            let by_image = if query.images.is_some() {
                one.cmp(other)
            } else {
                by_status().then_with(|| age(one).cmp(&age(other)))
            };
            by_image.then_with(|| first.cmp(second))
        });
        expected
    }

    /// All pages of a query.
    async fn read(&self, query: &MembershipQuery, limit: usize) -> Vec<Membership> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let me = caller(query.project.as_str());
            let page =
                usecases::query_memberships(&self.local.service, &me, query, after, limit).await.unwrap();
            assert!(page.items.len() <= limit);
            found.extend(page.items.into_iter().map(|row| {
                (row.image.id, row.image.owner.to_string(), row.member.tenant.to_string(), row.member.status)
            }));
            let Some(next) = page.next else { return found };
            assert!(found.len() < 10_000, "the pages do not end");
            after = Some(next.to_string().parse().unwrap());
        }
    }
}

fn tenants(names: impl IntoIterator<Item = usize>) -> BTreeSet<TenantId> {
    names.into_iter().map(|number| tenant(&format!("m{number:02}"))).collect()
}

#[tokio::test]
async fn query_returns_what_it_selects_page_by_page() {
    let world = World::start().await;
    let of = |numbers: &[usize]| Some(numbers.iter().map(|number| world.images[*number].clone()).collect());
    let all: Vec<_> = (0..world.images.len()).collect();
    let owners = |names: &[&str]| Some(names.iter().map(|name| tenant(name)).collect());
    let mut queries = Vec::new();
    for images in [None, of(&all), of(&[3, 9, 14, 20, 21, 28]), of(&[29])] {
        for counterparts in [
            None,
            Some(tenants([3])),
            Some(tenants([1, 5, 7, 99])),
            Some(tenants(0..20)),
            Some(tenants(10..60)),
        ] {
            queries.push(("own1", Audience::Owner, images.clone(), counterparts));
        }
        for counterparts in [None, owners(&["own2"]), owners(&["own1", "own2"]), owners(&["other"])] {
            queries.push(("m05", Audience::Recipient, images.clone(), counterparts));
        }
    }
    let mut returned = 0;
    for (project, side, images, counterparts) in queries {
        for statuses in
            [Status::ALL.into(), [Status::Accepted].into(), [Status::Pending, Status::Rejected].into()]
        {
            let (images, counterparts) = (images.clone(), counterparts.clone());
            let query = MembershipQuery { project: tenant(project), side, images, counterparts, statuses };
            let expected = world.expected(&query);
            for limit in [1, 2, 7, 1_000] {
                assert_eq!(world.read(&query, limit).await, expected, "{query:?} {limit}");
            }
            returned += expected.len();
        }
    }
    assert!(returned > 1_000, "{returned}");
}

async fn query(functions: &Functions, project: &str, body: &Value) -> ApiResponse {
    functions.send_json(project, ROUTE, &format!("/v1/{project}/memberships/query"), body).await
}

/// The pairs of a response, as `IMAGE PROJECT STATUS`, with the names of images.
fn pairs(response: &ApiResponse) -> Vec<String> {
    response.expect_status(200);
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let members = response.body["memberships"].as_array().unwrap().iter();
    members
        .map(|one| ["image_name", "project_id", "status"].map(|field| text(&one[field])).join(" "))
        .collect()
}

#[tokio::test]
async fn thousand_pairs_are_read_in_one_request() {
    let functions = Functions::start();
    let mut images = Vec::new();
    for number in 0..10 {
        images.push(functions.create_image("own1", &json!({"name": format!("i{number}")})).await);
    }
    let projects: Vec<_> = (0..100).map(|number| format!("p{number:02}")).collect();
    let ids: Vec<_> = images.iter().map(String::as_str).collect();
    let names: Vec<_> = projects.iter().map(String::as_str).collect();
    functions.share("own1", &ids, &names).await;
    let found = query(&functions, "own1", &json!({"images": images, "projects": projects})).await;
    assert_eq!(pairs(&found).len(), 1_000);
    assert_eq!(found.body["page_info"], json!({"current_count": 1_000}));
}

#[tokio::test]
async fn query_shows_a_stranger_nothing() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "web"})).await;
    functions.share("own1", &[&image], &["mem1", "mem2"]).await;
    functions.respond("mem2", &[&image], "accepted").await;
    let both = ["web mem1 pending", "web mem2 accepted"];
    for (project, body, expected) in [
        ("own1", json!({}), &both[..]),
        ("own1", json!({"images": [image, "no-such"], "projects": ["mem1", "mem2", "mem3"]}), &both),
        ("own1", json!({"role": "recipient", "images": [image]}), &[]),
        ("mem1", json!({"images": [image]}), &[]),
        ("mem1", json!({"images": [image], "projects": ["mem1", "mem2"]}), &[]),
        ("mem1", json!({"role": "recipient"}), &both[..1]),
        ("mem1", json!({"role": "recipient", "images": [image]}), &both[..1]),
        ("mem1", json!({"role": "recipient", "owners": ["own2"]}), &[]),
        ("str1", json!({"role": "recipient", "images": [image]}), &[]),
    ] {
        assert_eq!(pairs(&query(&functions, project, &body).await), expected, "{project} {body}");
    }
    let as_other = |project: &str, role: &str| {
        let event = HttpEvent::new(ROUTE, "/v1/own1/memberships/query");
        event.token(&Deployment::token(project, role)).json(&json!({}))
    };
    functions.send(&as_other("mem1", "member")).await.expect_error(403, "IMG.0026");
    assert_eq!(pairs(&functions.send(&as_other("ops", "admin")).await), both);
    assert_eq!(pairs(&functions.send(&as_other("own1", "reader")).await), both);
}

#[tokio::test]
async fn query_marker_is_valid_for_its_query_only() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "web"})).await;
    functions.share("own1", &[&image], &["mem1", "mem2", "mem3"]).await;
    let body = json!({"images": [image], "limit": 2});
    let first = query(&functions, "own1", &body).await;
    assert_eq!(pairs(&first), ["web mem1 pending", "web mem2 pending"]);
    let with_marker = |mut body: Value| {
        body["marker"] = first.body["page_info"]["next_marker"].clone();
        body
    };
    let last = query(&functions, "own1", &with_marker(json!({"images": [image], "limit": 5}))).await;
    assert_eq!(pairs(&last), ["web mem3 pending"]);
    assert_eq!(last.body["page_info"], json!({"current_count": 1}));
    for other in [json!({}), json!({"images": [image], "status": ["pending"]}), json!({"role": "recipient"})]
    {
        let refused = query(&functions, "own1", &with_marker(other)).await;
        refused.expect_message(400, "marker: expected next_marker of the page before.");
    }
}

#[tokio::test]
async fn membership_tells_when_and_how_it_was_answered() {
    let functions = Functions::start();
    let details = json!({"name": "whole", "__whole_image": "true", "__backup_id": "b", "__system_disk_backup_gib": "40"});
    let image = functions.create_image("own1", &details).await;
    functions.share("own1", &[&image], &["mem1"]).await;
    let first = |response: ApiResponse| response.expect_status(200).body["memberships"][0].clone();
    let pending = first(query(&functions, "own1", &json!({})).await);
    assert_eq!((&pending["answered_at"], &pending["owner"]), (&Value::Null, &json!("own1")));
    let vault = json!({"protection_type": "backup", "capacity_gib": 100});
    let put = functions.send_json("mem1", "PUT /v1/vaults/{vault_id}", "/v1/vaults/v-1", &vault).await;
    put.expect_status(200);
    let accept = json!({"images": [image], "project_id": "mem1", "status": "accepted", "vault_id": "v-1"});
    let route = "PUT /v1/cloudimages/members";
    functions.send_json("mem1", route, "/v1/cloudimages/members", &accept).await.expect_status(200);
    let to_owner = first(query(&functions, "own1", &json!({})).await);
    let to_recipient = first(query(&functions, "mem1", &json!({"role": "recipient"})).await);
    assert!(to_owner["answered_at"].as_str() >= to_owner["shared_at"].as_str(), "{to_owner}");
    assert_eq!((&to_owner["vault_id"], &to_recipient["vault_id"]), (&Value::Null, &json!("v-1")));
}

/// The outcomes of a job's pairs, in their order; `?` for a pair without one.
async fn job_outcomes(functions: &Functions, project: &str, accepted: &ApiResponse) -> String {
    let job = accepted.expect_status(200).body["job_id"].as_str().unwrap().to_owned();
    functions.local.run_open_work().await;
    let route = "GET /v1/{project_id}/jobs/{job_id}";
    let job = functions.send_without_body(project, route, &format!("/v1/{project}/jobs/{job}")).await;
    let results = job.body["entities"]["results"].as_array().unwrap().iter();
    results.map(|result| result["outcome"].as_str().unwrap_or("?")).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn job_says_what_it_changed() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "web"})).await;
    let batch = async |project: &str, method: &str, body: Value| {
        let route = format!("{method} /v1/cloudimages/members");
        let accepted = functions.send_json(project, &route, "/v1/cloudimages/members", &body).await;
        job_outcomes(&functions, project, &accepted).await
    };
    let pairs = |projects: &[&str]| json!({"images": [image], "projects": projects});
    let decide =
        |images: &[&str], status: &str| json!({"images": images, "project_id": "mem1", "status": status});
    let trust = json!({"policy": "trusted"});
    for (project, method, body, expected) in [
        ("own1", "DELETE", pairs(&["mem1"]), "was_absent"),
        ("own1", "POST", pairs(&["mem1"]), "shared"),
        ("own1", "POST", pairs(&["mem1", "mem2"]), "unchanged shared"),
        ("mem1", "PUT", decide(&[&image, "no-such"], "accepted"), "accepted ?"),
        ("mem1", "PUT", decide(&[&image], "accepted"), "unchanged"),
        ("mem1", "PUT", decide(&[&image], "rejected"), "rejected"),
        ("mem1", "PUT", decide(&["*"], "accepted"), ""),
        ("own1", "DELETE", pairs(&["mem1", "mem3"]), "removed was_absent"),
        ("own1", "POST", pairs(&["mem1"]), "shared_again"),
        ("mem1", "PUT", decide(&["*"], "accepted"), "accepted"),
    ] {
        assert_eq!(batch(project, method, body.clone()).await, expected, "{project} {method} {body}");
    }
    let put = functions.send_json("mem2", "PUT /v1/owners/{project_id}", "/v1/owners/own1", &trust).await;
    put.expect_status(200);
    assert_eq!(batch("own1", "POST", pairs(&["mem2"])).await, "accepted", "by the policy");
    // More pairs than fit into one transaction.
    let many: Vec<_> = (0..98).map(|number| format!("p{number:03}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).chain(["mem2"]).collect();
    let outcomes = batch("own1", "POST", pairs(&many)).await;
    assert_eq!(outcomes, ["shared "; 98].concat() + "unchanged");
}

#[tokio::test]
async fn replay_reports_what_the_first_execution_changed() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "web"})).await;
    for _ in 0..2 {
        let share = HttpEvent::new("POST /v1/cloudimages/members", "/v1/cloudimages/members");
        let share = share.token(&Deployment::token("own1", "member")).header("idempotency-key", "once");
        let share = share.json(&json!({"images": [image], "projects": ["mem1"]}));
        assert_eq!(job_outcomes(&functions, "own1", &functions.send(&share).await).await, "shared");
    }
}
