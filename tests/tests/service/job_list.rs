//! The list of a project's jobs, which the function `effects` writes.

use imageshare::domain::{JobKind, JobStatus, Limits, Stamp, Task, Timestamp};
use imageshare::facade::ims;
use imageshare::table::{AttributeValue, Key, Table, Write};
use imageshare::usecases::{JobQuery, list_jobs};
use imageshare_tests::api::ApiResponse;
use imageshare_tests::deployment::Deployment;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::Functions;
use imageshare_tests::local_service::{LocalService, all_items, caller, job_at, tenant};
use serde_json::{Value, json};

/// The jobs on a page, once what follows from all changes is carried out; and the whole response.
async fn page(functions: &Functions, project: &str, query: &str) -> (Vec<Value>, ApiResponse) {
    functions.local.carry_out_effects().await;
    let target = format!("/v1/{project}/jobs{query}");
    let response = functions.send_without_body(project, ims::jobs::ROUTE, &target).await;
    let jobs = response.expect_status(200).body["jobs"].as_array().unwrap().clone();
    (jobs, response)
}

/// `TYPE STATUS`, and the counts of images, projects, pairs, pairs that are done, and pairs that have failed.
fn summary(job: &Value) -> String {
    let text = |name: &str| job[name].as_str().unwrap();
    let counts =
        ["images", "projects", "pairs", "done", "failed"].map(|name| job["entities"][name].to_string());
    format!("{} {} {}", text("job_type"), text("status"), counts.join(" "))
}

async fn summaries(functions: &Functions, project: &str, query: &str) -> Vec<String> {
    page(functions, project, query).await.0.iter().map(summary).collect()
}

fn part(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn item_key(pk: &str, sk: &str) -> Key {
    [("pk".to_owned(), part(pk)), ("sk".to_owned(), part(sk))].into()
}

/// A project that shared two images with two tenants, one of which cannot get them, and then unshared one.
async fn start() -> (Functions, [String; 2]) {
    let functions = Functions::start();
    let plain = functions.create_image("own", &json!({"name": "plain"})).await;
    let sealed = functions.create_image("own", &json!({"name": "sealed", "__system__cmkid": "key"})).await;
    functions.share("own", &[&plain, &sealed], &["rec"]).await;
    functions.respond("rec", &[&plain], "accepted").await;
    let body = json!({"images": [plain], "projects": ["rec", "other"]});
    let unshare = "/v1/cloudimages/members";
    functions.send_json("own", ims::unshare::ROUTE, unshare, &body).await.expect_status(200);
    (functions, [plain, sealed])
}

#[tokio::test]
async fn jobs_are_listed_newest_first_with_their_counts() {
    let (functions, [_, sealed]) = start().await;
    let of_owner = ["imsDelImageMembersJob SUCCESS 1 2 2 2 0", "imsAddImageMembersJob FAIL 2 1 2 2 1"];
    assert_eq!(summaries(&functions, "own", "").await, of_owner);
    assert_eq!(summaries(&functions, "rec", "").await, ["imsUpdateImageMembersJob SUCCESS 1 1 1 1 0"]);
    assert_eq!(summaries(&functions, "other", "").await, [""; 0]);
    // Each job is what its own route shows, but for the counts.
    let (jobs, _) = page(&functions, "own", "").await;
    assert!(jobs[1]["fail_reason"].as_str().unwrap().contains(&sealed), "{jobs:?}");
    for mut job in jobs {
        let target = format!("/v1/own/jobs/{}", job["job_id"].as_str().unwrap());
        let mut shown = functions.send_without_body("own", ims::job::ROUTE, &target).await.body;
        let entities = [job["entities"].take(), shown["entities"].take()];
        assert_eq!(entities[0]["process_percent"], entities[1]["process_percent"]);
        assert_eq!(job, shown);
    }
}

#[tokio::test]
async fn jobs_are_selected_by_status_and_type() {
    let (functions, [plain, _]) = start().await;
    let failed = ["imsAddImageMembersJob FAIL 2 1 2 2 1"];
    let unshared = ["imsDelImageMembersJob SUCCESS 1 2 2 2 0"];
    assert_eq!(summaries(&functions, "own", "?status=FAIL").await, failed);
    assert_eq!(summaries(&functions, "own", "?job_type=imsAddImageMembersJob").await, failed);
    assert_eq!(summaries(&functions, "own", "?status=SUCCESS").await, unshared);
    assert_eq!(
        summaries(&functions, "own", "?job_type=imsDelImageMembersJob&status=SUCCESS").await,
        unshared
    );
    for none in [
        "?status=INIT",
        "?status=RUNNING",
        "?job_type=imsUpdateImageMembersJob",
        "?job_type=imsDelImageMembersJob&status=FAIL",
    ] {
        assert_eq!(summaries(&functions, "own", none).await, [""; 0], "{none}");
    }
    for bad in ["?status=success", "?status=", "?job_type=share", "?limit=0", "?limit=101", "?marker=x"] {
        let target = format!("/v1/own/jobs{bad}");
        functions.send_without_body("own", ims::jobs::ROUTE, &target).await.expect_error(400, "IMG.0001");
    }
    // A page with a filter continues behind its last job, also if it ends within what was read.
    for _ in 0..3 {
        functions.share("own", &[&plain], &["rec"]).await;
    }
    let (jobs, response) = page(&functions, "own", "?status=SUCCESS&limit=2").await;
    let marker = response.body["page_info"]["next_marker"].as_str().unwrap();
    let (more, response) = page(&functions, "own", &format!("?status=SUCCESS&limit=2&marker={marker}")).await;
    assert_eq!((jobs.len(), more.len()), (2, 2));
    assert_eq!(more[1]["job_type"], "imsDelImageMembersJob");
    assert!(more[0]["begin_time"].as_str() <= jobs[1]["begin_time"].as_str(), "{response:?}");
    let of_all = format!("/v1/own/jobs?marker={marker}");
    functions.send_without_body("own", ims::jobs::ROUTE, &of_all).await.expect_error(400, "IMG.0001");
}

#[tokio::test]
async fn large_job_is_listed_from_its_request_to_its_end() {
    let functions = Functions::start();
    let local = &functions.local;
    let mut images = Vec::new();
    for _ in 0..3 {
        images.push(local.create_image("own").await);
    }
    let tenants: Vec<_> = (0..100).map(|number| tenant(&format!("rec{number}"))).collect();
    local.queue_job(&job_at(Stamp::now(), "own", Task::Share, images, tenants)).await;
    assert_eq!(summaries(&functions, "own", "").await, ["imsAddImageMembersJob INIT 3 100 300 0 0"]);
    assert_eq!(summaries(&functions, "own", "?status=RUNNING").await, [""; 0]);
    local.run_open_work().await;
    assert_eq!(summaries(&functions, "own", "").await, ["imsAddImageMembersJob SUCCESS 3 100 300 300 0"]);
    // A decision on everything pending finds its images itself.
    let all = json!({"images": ["*"], "project_id": "rec7", "status": "rejected"});
    let members = "/v1/cloudimages/members";
    functions.send_json("rec7", ims::respond::ROUTE, members, &all).await.expect_status(200);
    assert_eq!(summaries(&functions, "rec7", "").await, ["imsUpdateImageMembersJob INIT 0 1 3 0 0"]);
    local.run_open_work().await;
    assert_eq!(summaries(&functions, "rec7", "").await, ["imsUpdateImageMembersJob SUCCESS 3 1 3 3 0"]);
}

#[tokio::test]
async fn job_that_nobody_requested_is_not_listed() {
    let (functions, [plain, _]) = start().await;
    functions.share("own", &[&plain], &["rec"]).await;
    let before = summaries(&functions, "own", "").await;
    let rename = |image: &mut imageshare::domain::Image| {
        image.details.name = Some("renamed".to_owned());
        Ok::<_, imageshare::usecases::UseCaseError>(())
    };
    let (service, plain) = (&functions.local.service, plain.parse().unwrap());
    imageshare::usecases::update_image(service, &caller("own"), &plain, rename).await.unwrap();
    assert_eq!(functions.local.open_work_items().await.len(), 1, "the job of the new name");
    functions.local.run_open_work().await;
    assert_eq!(summaries(&functions, "own", "").await, before);
}

#[tokio::test]
async fn change_that_is_delivered_again_lists_no_job_twice() {
    let (functions, _) = start().await;
    let changes = functions.local.changes().await;
    let entries = async || {
        functions.local.effects_of(&changes).await;
        let mut found = all_items(&functions.local.embedded);
        found.retain(|item| format!("{:?}", item["pk"]).contains("E#"));
        found.sort_by_key(|item| format!("{:?}{:?}", item["pk"], item["sk"]));
        found
    };
    let once = entries().await;
    assert_eq!(once.len(), 3);
    assert_eq!(entries().await, once);
}

#[tokio::test]
async fn list_of_another_project_is_refused_as_its_job_is() {
    let (functions, _) = start().await;
    functions.local.carry_out_effects().await;
    let ask = async |project: &str, role: &str, path: &str| {
        let event = HttpEvent::new(ims::jobs::ROUTE, path).token(&Deployment::token(project, role));
        functions.send(&event).await
    };
    let other = ask("rec", "member", "/v1/own/jobs").await;
    other.expect_error(404, "IMG.0023");
    let job = format!("/v1/own/jobs/{}", "0".repeat(32));
    assert_eq!(functions.send_without_body("rec", ims::job::ROUTE, &job).await.body, other.body);
    assert_eq!(ask("rec", "member", "/v1/nobody/jobs").await.body, other.body);
    assert_eq!(ask("own", "member", "/v1/o%23n/jobs").await.body, other.body);
    for (project, role) in [("own", "reader"), ("ops", "admin")] {
        let list = ask(project, role, "/v1/own/jobs").await;
        assert_eq!(list.expect_status(200).body["page_info"]["current_count"], 2);
    }
}

#[tokio::test]
async fn expired_job_and_unreadable_one_are_left_out() {
    let local = LocalService::start(Limits::default());
    let image = local.create_image("own").await;
    let job = |at| job_at(at, "own", Task::Share, vec![image.clone()], vec![tenant("rec")]);
    let long_ago = Timestamp::now().minus(std::time::Duration::from_hours(31 * 24));
    let expired = job(Stamp::first_of(long_ago));
    let [kept, broken, gone] = [(); 3].map(|()| job(local.service.clock().stamp()));
    for job in [&expired, &kept, &broken, &gone] {
        local.queue_job(job).await;
    }
    local.carry_out_effects().await;
    let own = |id| item_key(&format!("J#{id}"), "A");
    let mut unreadable = local.table.get_item(&own(broken.id)).await.unwrap().items.remove(0);
    unreadable.insert("outcomes".to_owned(), part("\u{1}"));
    for write in [Write::put(unreadable), Write::delete(own(gone.id))] {
        local.table.write_item(&write).await.unwrap();
    }
    let own = caller("own");
    let query = JobQuery::all(own.tenant.clone());
    let page = list_jobs(&local.service, &own, &query, None, 10).await.unwrap();
    let found: Vec<_> = page.items.iter().map(|report| report.job.id).collect();
    assert_eq!((found, page.next), (vec![kept.id], None));
    let query = JobQuery { kind: Some(JobKind::Share), status: Some(JobStatus::Init), ..query };
    let page = list_jobs(&local.service, &own, &query, None, 10).await.unwrap();
    assert_eq!((page.items.len(), page.next), (1, None));
}

#[tokio::test]
async fn pages_continue_where_the_one_before_ended() {
    let functions = Functions::start();
    let image = functions.create_image("own", &json!({})).await;
    for number in 0..5 {
        functions.share("own", &[&image], &[&format!("rec{number}")]).await;
    }
    let (all, _) = page(&functions, "own", "").await;
    let (mut found, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let (jobs, response) = page(&functions, "own", &query).await;
        assert!(!jobs.is_empty() && jobs.len() <= 2);
        found.extend(jobs);
        let Some(marker) = response.body["page_info"]["next_marker"].as_str() else { break };
        query = format!("?limit=2&marker={marker}");
    }
    assert_eq!((found.len(), &found), (5, &all));
}
