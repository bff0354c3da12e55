//! Jobs: what became of an action, the page of a job, and its failed pairs once more.

use imageshare_tests::in_process::Functions;
use imageshare_tests::visitor::{Page, Visitor};
use serde_json::{Value, json};

use super::world::enter;

const MEMBERS: &str = "/v1/cloudimages/members";

/// Shares an image with projects. Returns the job.
async fn share(functions: &Functions, image: &str, projects: &[String]) -> String {
    let body = json!({"images": [image], "projects": projects});
    let response = functions.send_json("own1", &format!("POST {MEMBERS}"), MEMBERS, &body).await;
    response.expect_status(200);
    response.body["job_id"].as_str().expect("a job").to_owned()
}

async fn grant(functions: &Functions, project: &str) {
    let path = format!("/v1/keys/key-1/grants/{project}");
    let route = "PUT /v1/keys/{key_id}/grants/{project_id}";
    functions.send_without_body("own1", route, &path).await.expect_status(200);
}

/// A job of two pairs, of which the second one has failed: the project may not use the image's key.
async fn half_failed_job(functions: &Functions) -> String {
    let details = json!({"name": "sealed", "__system__encrypted": "1", "__system__cmkid": "key-1"});
    let image = functions.create_image("own1", &details).await;
    grant(functions, "mem1").await;
    share(functions, &image, &["mem1".to_owned(), "mem2".to_owned()]).await
}

#[tokio::test]
async fn notice_says_what_became_of_a_job() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    let visitor = Visitor::member(&functions, "own1");
    let job = share(&functions, &image, &["mem1".to_owned()]).await;
    let page = visitor.open(&format!("images?job={job}")).await;
    page.expect_text("1 share is made").expect_text(&format!("/console/jobs/{job}"));
    let failed = half_failed_job(&functions).await;
    let page = visitor.open(&format!("images?job={failed}")).await;
    page.expect_text("1 share is made").expect_text("1 has failed");
    visitor.open("images?done=saved").await.expect_text("Saved.");
    visitor.open("images?done=%3Cb%3E").await.expect_no_text("class=\"notice");
}

#[tokio::test]
async fn job_of_another_project_looks_like_none() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    let job = share(&functions, &image, &["mem1".to_owned()]).await;
    let stranger = Visitor::member(&functions, "str1");
    stranger.open(&format!("images?job={job}")).await.expect_no_text("class=\"notice");
    let without_request = |page: Page| -> String {
        let (before, after) = page.html().split_once("Request ID").expect("a request id");
        format!("{before}{}", after.split_once("</p>").expect("its end").1)
    };
    let unknown = "0000000000000000000000000000000f";
    for path in ["jobs/ID", "jobs/ID/results.csv"] {
        let of_others = stranger.open(&path.replace("ID", &job)).await;
        of_others.expect_status(404);
        let unknown = stranger.open(&path.replace("ID", unknown)).await;
        unknown.expect_status(404);
        assert_eq!(without_request(of_others), without_request(unknown));
    }
    stranger.submit(&format!("jobs/{job}"), &[("form", "1")]).await.expect_status(404);
}

#[tokio::test]
async fn running_job_is_polled_until_it_ends() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    let projects: Vec<_> = (0..150).map(|number| format!("p{number}")).collect();
    let job = share(&functions, &image, &projects).await;
    let visitor = Visitor::member(&functions, "own1");
    let notice = format!("/console/notice?job={job}");
    for page in [format!("images?job={job}"), format!("jobs/{job}")] {
        let page = visitor.open(&page).await;
        page.expect_text("Share: 0 of 150 done").expect_text(&format!("data-poll=\"{notice}\""));
    }
    functions.local.run_open_work().await;
    let notice = visitor.open(&format!("notice?job={job}")).await;
    notice.expect_text("150 shares are made").expect_no_text("data-poll").expect_no_text("<html");
}

#[tokio::test]
async fn failed_pairs_are_shown_first_and_tried_again() {
    let functions = Functions::start();
    let job = half_failed_job(&functions).await;
    let visitor = Visitor::member(&functions, "own1");
    let page = visitor.open(&format!("jobs/{job}")).await;
    page.expect_text("Done, with failures").expect_text("Grant it the key, then try again.");
    let place = |text: &str| page.html().find(&format!("<code>{text}</code></td>")).expect("a row");
    assert!(place("mem2") < place("mem1"));
    let failed = visitor.open(&format!("jobs/{job}?show=failed")).await;
    failed.expect_text("mem2").expect_no_text("<code>mem1</code>");
    let file = visitor.open(&format!("jobs/{job}/results.csv")).await;
    file.expect_text("\"mem1\",\"Done\"").expect_text("\"mem2\",\"Failed\"");

    grant(&functions, "mem2").await;
    let form = [("form", page.field("form"))];
    let again = visitor.submit(&format!("jobs/{job}"), &form).await;
    again.expect_status(303);
    let page = visitor.follow(&again).await;
    page.expect_text("1 share is made").expect_text("mem2").expect_no_text("<code>mem1");
    let twice = visitor.submit(&format!("jobs/{job}"), &form).await;
    assert_eq!(twice.location(), again.location());
}

#[tokio::test]
async fn job_names_its_images_and_the_projects_that_it_reached() {
    let functions = Functions::start();
    for project in ["own1", "mem1", "mem2"] {
        enter(&functions, project, (&format!("{project} & Co"), "web"), "local").await;
    }
    let job = half_failed_job(&functions).await;
    let page = Visitor::member(&functions, "own1").open(&format!("jobs/{job}")).await;
    page.expect_text("\"><bdi>sealed</bdi></a> <code>");
    page.expect_text("<bdi>mem1 &#38; Co</bdi> / <bdi>web</bdi> <code>mem1</code>");
    // To name a project by its id in a share that fails tells no names.
    page.expect_text("<code>mem2</code>").expect_no_text("mem2 &#38; Co");
    let file = Visitor::member(&functions, "own1").open(&format!("jobs/{job}/results.csv")).await;
    file.expect_no_text("sealed").expect_no_text("Co");
}

#[tokio::test]
async fn job_shows_the_id_of_an_image_that_is_gone() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    let job = share(&functions, &image, &["mem1".to_owned()]).await;
    let path = format!("/v2/images/{image}");
    functions.send_without_body("own1", "DELETE /v2/images/{image_id}", &path).await.expect_status(204);
    let page = Visitor::member(&functions, "own1").open(&format!("jobs/{job}")).await;
    page.expect_text(&format!("<code>{image}</code>")).expect_no_text(&format!("images/{image}\""));
}

#[tokio::test]
async fn page_of_a_job_costs_two_batch_reads_more() {
    let (functions, counter) = Functions::start_counted();
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    let projects: Vec<_> = (0..40).map(|number| format!("p{number}")).collect();
    let job = share(&functions, &image, &projects).await;
    functions.local.run_open_work().await;
    let visitor = Visitor::member(&functions, "own1");
    let calls = async |page: &str| {
        visitor.open(page).await.expect_status(200);
        let (before, _) = counter.calls_and_read_units();
        visitor.open(page).await.expect_status(200);
        counter.calls_and_read_units().0 - before
    };
    let frame = calls("vaults/new").await;
    assert_eq!(calls(&format!("jobs/{job}")).await, frame + 3);
}

#[tokio::test]
async fn reader_sees_a_job_and_cannot_repeat_it() {
    let functions = Functions::start();
    let job = half_failed_job(&functions).await;
    let reader = Visitor::with_role(&functions, "own1", "reader");
    let page = reader.open(&format!("jobs/{job}")).await;
    page.expect_status(200).expect_text("mem2").expect_no_text("Try failed again");
    let form = [("form", "1")];
    reader.submit(&format!("jobs/{job}"), &form).await.expect_status(403).expect_text("Your role is reader");
}

#[tokio::test]
async fn job_without_failures_is_not_repeated() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    let job = share(&functions, &image, &["mem1".to_owned()]).await;
    let visitor = Visitor::member(&functions, "own1");
    visitor.open(&format!("jobs/{job}")).await.expect_no_text("Try failed again");
    let refused = visitor.submit(&format!("jobs/{job}"), &[("form", "1")]).await;
    refused.expect_status(409).expect_text("Nothing of this job has failed");
    let report = functions
        .send_without_body("own1", "GET /v1/{project_id}/jobs/{job_id}", &format!("/v1/own1/jobs/{job}"))
        .await;
    assert_eq!(report.body["status"], Value::from("SUCCESS"));
}

#[tokio::test]
async fn jobs_are_listed_by_kind_and_status() {
    let functions = Functions::start();
    let failed = half_failed_job(&functions).await;
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    let done = share(&functions, &image, &["mem1".to_owned()]).await;
    functions.local.carry_out_effects().await;
    let visitor = Visitor::member(&functions, "own1");
    let all = visitor.open("jobs").await;
    all.expect_text("1 of 2 failed").expect_text("Done, with failures");
    let place = |job: &str| all.html().find(&format!("/console/jobs/{job}")).expect("a row");
    assert!(place(&done) < place(&failed), "the newest is the first");
    for (filter, expected, missing) in
        [("kind=share&status=failed", &failed, &done), ("status=done", &done, &failed)]
    {
        visitor.open(&format!("jobs?{filter}")).await.expect_text(expected).expect_no_text(missing);
    }
    visitor.open("jobs?kind=respond").await.expect_text("No job is of this kind and status");
    let stranger = Visitor::member(&functions, "str1");
    stranger.open("jobs").await.expect_text("has requested nothing").expect_no_text(&done);
}

#[tokio::test]
async fn list_of_jobs_continues_on_the_next_page() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "golden"})).await;
    let mut jobs = Vec::new();
    for number in 0..26 {
        jobs.push(share(&functions, &image, &[format!("p{number}")]).await);
    }
    functions.local.carry_out_effects().await;
    let visitor = Visitor::member(&functions, "own1");
    let first = visitor.open("jobs").await;
    first.expect_text(&jobs[25]).expect_text(&jobs[1]).expect_no_text(&jobs[0]).expect_no_text("First page");
    let (before, _) = first.html().split_once("\">Next page").expect("a next page");
    let query = before.rsplit_once("href=\"?").expect("its address").1.replace("&#38;", "&");
    let second = visitor.open(&format!("jobs?{query}")).await;
    second.expect_text(&jobs[0]).expect_no_text(&jobs[1]).expect_text("First page");
}
